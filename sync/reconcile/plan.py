"""The plan: what would make one target equal its segment. Pure: no I/O, no clock; equal inputs give equal plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.base import Op, ProfileId
from sync.config.model import Manage
from sync.model import ContactId


@dataclass(frozen=True, slots=True)
class View:
    """What was read of a target: profile → contact (None: nobody we know). Only a *complete* one may remove.
    *absent*: contacts read absent one by one, all that a partial view can add; None on a complete one."""

    members: Mapping[ProfileId, ContactId | None]
    complete: bool
    absent: frozenset[ContactId] | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """*barred*: consent withdrawn or suppressed; *ungranted*: not known to be given, where the target wants it known; *frozen*:
    consent that we cannot read, or maybe one person with somebody kept out; *reachable*: the live profile that each has there."""

    barred: frozenset[ContactId]
    frozen: frozenset[ContactId]
    reachable: Mapping[ContactId, ProfileId]
    granted: frozenset[ContactId] | None = None     # None: not asked for
    stuck: frozenset[ProfileId] = frozenset()       # the platform refuses to remove them


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One add or remove of one contact's profile."""

    contact: int                                    # ContactId, or -1 for a profile of nobody we know
    profile: ProfileId
    op: Op = field(compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes of one target, sorted, and the numbers around them.

    *base*: members now; *wanted*: who should be there and can; *barred*, *missing* (no live profile there), *frozen*: who of
    the segment is kept out and why; *foreign*: members that are not ours and not wanted; *withheld*: reason → changes held.
    """

    target: str
    adds: tuple[Change, ...]
    removes: tuple[Change, ...]
    base: int
    desired: int
    wanted: int
    barred: int
    missing: int
    frozen: int
    foreign: int
    complete: bool
    first_fill: bool
    withheld: Mapping[str, int] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.adds + self.removes


@dataclass(frozen=True, slots=True)
class Caution:
    """Why a target is treated with more care than its numbers ask for; "" where there is no reason.

    *freeze*: nothing moves (segment failing or waiting, target gone); *keep*: nobody is removed (stale, a source failed).
    """

    freeze: str = ""
    keep: str = ""


def plan(
    target: str, desired: frozenset[ContactId], view: View, owned: frozenset[ProfileId], standing: Standing, manage: Manage, *,
    caution: Caution = Caution(), first_fill: bool = False,
) -> Plan:
    """Changes that bring *target* to *desired*.

    Only an owned membership is ever removed, and only on a complete view: a tag somebody set by hand belongs to that hand
    (unless the target is exclusive). Frozen contacts are neither added nor removed.
    """
    out = standing.barred if standing.granted is None else standing.barred | (desired - standing.granted)
    wanted = (desired - out) & standing.reachable.keys()
    present = {contact for contact in view.members.values() if contact is not None}
    joining = wanted - present - standing.frozen
    seen = joining if view.absent is None else joining & view.absent
    adds = [Change(contact, standing.reachable[contact], Op.ADD) for contact in seen]
    leavers = [(p, c) for p, c in view.members.items() if c is None or (c not in wanted and c not in standing.frozen)]
    mine = [(p, c) for p, c in leavers if _removable(p, owned, manage)]
    removes = [Change(-1 if c is None else c, p, Op.REMOVE) for p, c in mine if p not in standing.stuck]
    kept_adds, kept_removes, withheld = _withhold(adds, removes, len(joining) - len(seen), view, manage, caution)
    if len(removes) < len(mine):
        withheld |= {"the platform refused to remove them": len(mine) - len(removes)}
    return Plan(
        target, tuple(sorted(kept_adds)), tuple(sorted(kept_removes)), base=len(view.members), desired=len(desired),
        wanted=len(wanted), barred=len(desired & out), missing=len((desired - out) - standing.reachable.keys()),
        frozen=len(desired & standing.frozen), foreign=len(leavers) - len(mine), complete=view.complete, first_fill=first_fill,
        withheld=withheld,
    )


def _removable(profile: ProfileId, owned: frozenset[ProfileId], manage: Manage) -> bool:
    return manage is Manage.EXCLUSIVE or profile in owned


def _withhold(
    adds: list[Change], removes: list[Change], unseen: int, view: View, manage: Manage, caution: Caution,
) -> tuple[list[Change], list[Change], dict[str, int]]:
    """What may move, and what is held back for which reason; *unseen* adds wait until somebody has looked."""
    freeze = caution.freeze or ("manage: observe" if manage is Manage.OBSERVE else "")
    if freeze:
        held = len(adds) + len(removes) + unseen
        return [], [], {freeze: held} if held else {}
    partial = "the view is partial"
    keep = "manage: add_only" if manage is Manage.ADD_ONLY else partial if not view.complete else caution.keep
    withheld = {partial: unseen} if unseen else {}
    if keep and removes:
        withheld[keep] = withheld.get(keep, 0) + len(removes)
    return adds, [] if keep else removes, withheld
