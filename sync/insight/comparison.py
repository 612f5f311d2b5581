"""Two configs over one store: who would enter and leave each segment, and which edit moves most of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from connectors.base import Millis
from sync.config.model import Config
from sync.evaluate.families import seen
from sync.evaluate.full_pass import Result, full_pass, top_conditions
from sync.evaluate.run import meaning_of, rule_digest, snapshot_of
from sync.evaluate.snapshot import Mask, Snapshot, every
from sync.evaluate.world import World
from sync.insight.kept import kept
from sync.insight.preview import spread
from sync.language.describe import describe
from sync.language.nodes import Node, walk
from sync.language.values import RuleFailure
from sync.source import origins
from sync.store.store import Store

ALIKE = 0.5                                         # from here on two conditions are one that was edited

SAME, EDITED, RENAMED, NEW, REMOVED = "same", "edited", "renamed", "new", "removed"


@dataclass(frozen=True, slots=True)
class Edit:
    """One condition that was edited: *before* and *after* as text ("" where it was added or removed), and for how many *contacts*
    this edit alone, made to the old rule, changes whether they are in the segment."""

    before: str
    after: str
    contacts: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of one segment. *was*: its name before, where it was renamed; *before*, *after*: how many members (None: it
    cannot be answered, or is not there); *enter*, *leave*: how many, with samples; *failure*: why it cannot be answered;
    *edits*: those that move most first."""

    segment: str
    status: str
    was: str = ""
    before: int | None = None
    after: int | None = None
    enter: int = 0
    leave: int = 0
    entering: tuple[int, ...] = ()
    leaving: tuple[int, ...] = ()
    failure: str = ""
    edits: tuple[Edit, ...] = ()


class Side:
    """One of the two configs, evaluated over the store at one moment."""

    def __init__(self, store: Store, config: Config, now: Millis) -> None:
        sources = origins(config, store)
        config = seen(store, config, sources, now)
        self.rules: Mapping[str, Node] = {name: segment.rule for name, segment in config.segments.items()}
        self.snapshot: Snapshot = kept(snapshot_of(store, config, sources, list(self.rules.values())))
        self.result: Result = full_pass(self.snapshot, self.rules, now)
        self.meanings = {
            name: (rule_digest(name, self.rules), meaning_of(config, sources, name, self.rules)) for name in self.rules
        }
        self.former = {name: segment.was for name, segment in config.segments.items()}
        self._now = now

    def bodies(self, name: str) -> tuple[Node, list[str]]:
        """What a segment says whatever it is called."""
        return self.rules[name], self.meanings[name][1]

    def masks(self, name: str) -> dict[Node, Mask]:
        """Who meets each of the conditions that must all hold for segment *name*. `RuleFailure` where that cannot be said."""
        world = World(self.snapshot, self._now, self.result.members)
        world.scan(walk(self.rules[name]))
        return {node: world.mask(node) & self.snapshot.alive for node in top_conditions(self.rules[name])}


def compare(store: Store, old: Config, new: Config, now: Millis, wanted: int, only: Collection[str] = ()) -> tuple[Difference, ...]:
    """Each segment of either config (or those of *only*), in the order of *new*, then those that are no longer there; *wanted*:
    how many of those who enter or leave are named."""
    before, after = Side(store, old, now), Side(store, new, now)
    was = renamed(before, after)
    names = [*after.rules, *(name for name in before.rules if name not in after.rules and name not in was.values())]
    return tuple(_difference(name, was.get(name, name), before, after, wanted) for name in names if not only or name in only)


def renamed(before: Side, after: Side) -> dict[str, str]:
    """New name → old name of segments whose `was:` says so, or that say the same under another name; where several do, the
    first."""
    gone = [name for name in before.rules if name not in after.rules]
    found = {name: was for name, was in after.former.items() if was in gone and name not in before.rules}
    for name in after.rules:
        left = [each for each in gone if each not in found.values()]
        twin = next((each for each in left if name not in before.rules and before.bodies(each) == after.bodies(name)), None)
        if twin is not None and name not in found:
            found[name] = twin
    return found


def _difference(name: str, was: str, before: Side, after: Side, wanted: int) -> Difference:
    if was not in before.rules or name not in after.rules:
        status = NEW if name in after.rules else REMOVED
    elif was != name:
        status = RENAMED
    else:
        status = SAME if before.meanings[name] == after.meanings[name] else EDITED
    inside, outside = before.result.members.get(was), after.result.members.get(name)
    failure = after.result.failures.get(name) or before.result.failures.get(was, "")
    told = Difference(name, status, was if was != name else "", _size(inside), _size(outside), failure=failure)
    if failure:
        return told
    empty = np.zeros(len(after.snapshot.alive), bool)
    then, now = (empty if inside is None else inside), (empty if outside is None else outside)
    came, went = now & ~then, then & ~now
    edits = edits_of(was, name, before, after) if status in (EDITED, RENAMED) else ()
    return Difference(
        name, status, told.was, told.before, told.after, int(came.sum()), int(went.sum()), spread(came, wanted), spread(went, wanted),
        edits=edits,
    )


def _size(mask: Mask | None) -> int | None:
    return None if mask is None else int(mask.sum())


# --- which edit moves most ------------------------------------------------------------------------------------------------------


def edits_of(was: str, name: str, before: Side, after: Side) -> tuple[Edit, ...]:
    """What was edited between two rules, condition by condition: the edit that alone moves most comes first."""
    try:
        old, new = before.masks(was), after.masks(name)
    except RuleFailure:
        return ()
    base = every(list(old.values()))
    found = []
    for gone, come in pairs([node for node in old if node not in new], [node for node in new if node not in old]):
        kept_ones = [mask for node, mask in old.items() if node != gone]
        edited = every([*kept_ones, *([new[come]] if come is not None else [])]) if kept_ones or come is not None else base
        found.append(Edit(_words(gone), _words(come), int((edited ^ base).sum())))
    for node in old.keys() & new.keys():             # it says the same, and yet it does not mean the same
        edited = every([new[node], *(mask for each, mask in old.items() if each != node)])
        if (edited ^ base).any():
            found.append(Edit(_words(node), _words(node), int((edited ^ base).sum())))
    return tuple(sorted(found, key=lambda edit: (-edit.contacts, edit.before, edit.after)))


def pairs(gone: list[Node], come: list[Node]) -> list[tuple[Node | None, Node | None]]:
    """Conditions that went and came, those two together that read alike: they are one that was edited."""
    likeness = sorted(((SequenceMatcher(None, describe(one), describe(other)).ratio(), place, number)
                       for place, one in enumerate(gone) for number, other in enumerate(come)), reverse=True)
    found: list[tuple[Node | None, Node | None]] = []
    left, right = dict(enumerate(gone)), dict(enumerate(come))
    for ratio, place, number in likeness:
        if ratio >= ALIKE and place in left and number in right:
            found.append((left.pop(place), right.pop(number)))
    return [*found, *((node, None) for node in left.values()), *((None, node) for node in right.values())]


def _words(node: Node | None) -> str:
    return "" if node is None else describe(node)
