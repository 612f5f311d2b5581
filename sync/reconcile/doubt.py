"""Whose a membership is when our call for it was never answered.

An answer can be lost after the platform has done what we asked, and a person may act before we look again. Whether somebody is
a member now does not tell those two apart: after an unanswered remove, a member may never have left, or may have been put back
by hand; after an unanswered add, it may be ours or a person's. Since when they are a member does tell, and platforms know it
(`TellsJoining`):

- an unanswered *add* was ours when the membership began with that call;
- after an unanswered *remove* the membership is still the one we knew when it began well before that call;
- an *add* that was accepted, but need not have changed anything, is a person's when the membership began well before it.

In doubt, and wherever the platform does not tell, it is a person's: it stays, and it is ours no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.base import MINUTE, SECOND, Millis, Op, ProfileId, RemoteTarget, TellsJoining
from sync.source import Source
from sync.store.memberships import was_there

CALL: Millis = 150 * SECOND                         # a call is given up after so long: later than that it was not our call
GRAIN: Millis = 5 * SECOND                          # stamps in whole seconds, and clocks that agree no better
SKEW: Millis = 10 * MINUTE                          # how far a platform's clock may be behind ours


@dataclass(frozen=True, slots=True)
class Doubt:
    """Calls that may have taken effect. *sent*: when they were made, by our clock; empty: not known."""

    profile: ProfileId
    op: Op
    sent: tuple[Millis, ...]


def is_ours(doubt: Doubt, joined: Millis | None) -> bool:
    """Whether a membership that began at *joined* (None: not told) is ours although the answer to our call was lost. Pure."""
    if joined is None or not doubt.sent:
        return False
    if doubt.op is Op.ADD:
        return any(sent - GRAIN <= joined <= sent + CALL for sent in doubt.sent)
    return joined + SKEW <= min(doubt.sent)


def told_ours(source: Source, remote: RemoteTarget, doubts: Sequence[Doubt]) -> dict[ProfileId, bool]:
    """For each doubt about a present member, whether the membership is ours; asks the platform where it tells. Raises
    PlatformError."""
    joined = _joined(source, remote, [doubt.profile for doubt in doubts])
    return {doubt.profile: is_ours(doubt, joined.get(doubt.profile)) for doubt in doubts}


def theirs(source: Source, remote: RemoteTarget, claims: Mapping[ProfileId, Millis], now: Millis) -> frozenset[ProfileId]:
    """Of members whom we *claim* by adds that were sent then, and of which nothing told whether they changed anything, those who were
    there well before. Asked only of a platform that can be asked for some members by name. Raises PlatformError."""
    if not source.capabilities.lookup:
        return frozenset()
    joined = _joined(source, remote, list(claims))
    return frozenset(profile for profile, at in joined.items() if was_there(at, claims[profile], now))


def _joined(source: Source, remote: RemoteTarget, profiles: Sequence[ProfileId]) -> Mapping[ProfileId, Millis]:
    connector = source.connector
    if profiles and source.capabilities.joining_told and isinstance(connector, TellsJoining):
        return connector.joined(remote, profiles)
    return {}
