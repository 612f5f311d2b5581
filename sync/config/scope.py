"""What rules and traits may refer to: everything that the rest of the file says, as far as they need it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from dataclasses import field as having
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sync.config.connections import capabilities
from sync.config.events import Connections, event_names
from sync.config.model import EventSpec, FieldSpec, Guards, Settings
from sync.language.families import Families
from sync.language.lists import OnList
from sync.language.reader import RuleScope, no_lists
from sync.language.traits import Trait
from sync.language.words import NEUTRAL_FIELDS
from sync.located import Place, Problem

if TYPE_CHECKING:
    from sync.config.segments import Defaults


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the file says. *traits* by name; *lists* reads e-mail lists (`sync.config.emails`); *families* keeps
    which of their values are asked."""

    settings: Settings
    connections: Connections
    events: Mapped[str, EventSpec]
    fields: Mapped[str, FieldSpec]
    defaults: Defaults
    guards: Guards
    lists: Callable[[str, Place], tuple[OnList | None, list[Problem]]] = no_lists
    traits: Mapped[str, Trait] = having(default_factory=dict)
    families: Families = having(default_factory=Families)


def rule_scope(segment: str, zone: str, names: list[str], around: Around, salt: str = "") -> RuleScope:
    """The scope of one rule; *names* are the segments that it may ask, *salt* is that of samples which name none."""
    able = {name: capabilities(spec.kind) for name, spec in around.connections.items()}
    return RuleScope(
        segment, ZoneInfo(zone), segments=names, connections=tuple(around.connections),
        events=event_names(around.connections, around.events), fields=tuple(dict.fromkeys((*NEUTRAL_FIELDS, *around.fields))),
        targets={name: can.targets for name, can in able.items() if can},
        audiences={name: tuple(around.connections[name].audiences) for name, can in able.items() if can},
        ignore_machine=around.settings.machine_opens == "ignore", week_starts=around.settings.week_starts,
        traits=around.traits, lists=around.lists, salt=salt,
        families=around.families, countries=tuple(name for name, field in around.fields.items() if field.country),
    )
