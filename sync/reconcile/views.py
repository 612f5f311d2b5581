"""Reading who is on a target, and who may be put there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, cached_property, partial

from connectors.base import Clock, FaultKind, Millis, PlatformError, ProfileId
from sync.config.model import Config, Require, TargetSpec, Withdrawn
from sync.crash import crash_point
from sync.model import ContactId
from sync.reconcile.doubt import Doubt, told_ours
from sync.reconcile.plan import Standing, View
from sync.source import Source
from sync.store import memberships, people
from sync.store.memberships import TargetState
from sync.store.store import Store

Listed = Callable[[str, int], None]                 # target key, members so far
ASKED = 50                                          # members asked for singly, where a listing says that there are none
GOOD_FOR: Millis = 26 * 3600 * 1000                 # so long a complete view counts, carried forward by our writes


def silent(target: str, members: int) -> None:
    """Progress that nobody watches."""


def resolve(store: Store, source: Source, state: TargetState) -> TargetState:
    """Find the tag or list on the platform where we do not know its id yet, or where what we knew is gone and somebody made
    another one of that name: that is first contact. Nothing is made. Raises PlatformError."""
    if state.remote is not None and not state.gone:
        return state
    (spec,) = store.rows("select kind, name, audience from targets where id = ?", state.id)
    found = source.connector.find(*spec)
    if found is None or (state.remote is not None and found.id == state.remote.id):
        return state
    with store.transaction() as db:
        memberships.meet_anew(db, state.id)         # also one that we made ourselves and died before we could note it
        memberships.set_remote(db, state.id, found.id)
    return memberships.states(store, [state.key])[state.key]


def read_view(store: Store, source: Source, state: TargetState, clock: Clock, progress: Listed = silent) -> str:
    """List the target's members into the store; "" when the listing was complete, else what was wrong with it.

    An empty listing where members were is a broken read until those members, or a person, say otherwise.
    """
    if state.remote is None:
        return "" if _note_absence(store, state, clock.now()) else "the target is not there"
    began = clock.now()
    listed: list[ProfileId] = []
    joined: dict[ProfileId, Millis] = {}
    complete = False
    try:
        for page in source.connector.members(state.remote):
            listed += page.members
            joined |= page.joined
            complete = page.last and page.complete
            progress(state.key, len(listed))
        ours, foreign = _settled(store, source, state, set(listed)) if complete else ([], [])
        nobody = complete and not listed and _nobody_is_there(store, source, state)
    except PlatformError as error:
        return _doubted(store, state, error)
    if complete and not listed and not nobody:
        return _doubt(store, state, "it lists nobody where members were")
    if not complete:
        return _doubt(store, state, "the listing did not reach its end")
    with store.transaction() as db:
        memberships.write_view(db, state.id, listed, began, clock.now(), source.capabilities.member_lag, joined)
        memberships.settle(db, state.id, ours, foreign, began, source.capabilities.member_lag)
        crash_point("view.before_commit")
    return ""


def _settled(
    store: Store, source: Source, state: TargetState, listed: Collection[ProfileId],
) -> tuple[list[ProfileId], list[ProfileId]]:
    """Members of which it is in doubt whose they are: (those that are ours, those that are not). Raises PlatformError."""
    calls = [Doubt(*call) for call in memberships.doubts(store, state.id)]
    present = [doubt for doubt in calls if doubt.profile in listed]
    told = told_ours(source, state.remote, present) if state.remote and present else {}
    return [p for p, mine in told.items() if mine], [p for p, mine in told.items() if not mine]


def _note_absence(store: Store, state: TargetState, now: Millis) -> bool:
    """A target that is not on the platform yet has no members: that is a complete view, unless it was there before."""
    if state.gone:
        return False
    with store.transaction() as db:
        db.execute("update targets set complete = 1, viewed = ? where id = ?", (now, state.id))
    return True


def _nobody_is_there(store: Store, source: Source, state: TargetState) -> bool:
    """Whether an empty listing can be believed: there was nobody before, or some who were there say one by one that they are
    not, where the platform can be asked for single contacts. Raises PlatformError."""
    known = [ProfileId(row[0]) for row in store.rows("select profile from members where target = ? limit ?", state.id, ASKED)]
    if not known or state.remote is None:
        return True
    return source.capabilities.lookup and source.connector.look(state.remote, known) == dict.fromkeys(known, False)


def _doubted(store: Store, state: TargetState, error: PlatformError) -> str:
    if error.kind is FaultKind.GONE:
        with store.transaction() as db:
            memberships.set_gone(db, state.id)
        return "the platform has no such tag or list any more"
    return _doubt(store, state, str(error))


def _doubt(store: Store, state: TargetState, why: str) -> str:
    with store.transaction() as db:
        memberships.doubt_view(db, state.id)
    return why


def fresh(state: TargetState, now: Millis) -> bool:
    """Whether the view still counts as complete."""
    return state.complete and state.viewed is not None and now - state.viewed <= GOOD_FOR


def view_of(store: Store, state: TargetState, now: Millis) -> View:
    """The view as the plan takes it; what is not fresh is partial, and adds nobody unless read absent."""
    complete = fresh(state, now)
    return View(memberships.members(store, state.id), complete, None if complete else frozenset())


class People:
    """Who is barred, frozen, reachable: asked of the store once for all targets that are judged together."""

    def __init__(self, store: Store, config: Config, now: Millis) -> None:
        self._store, self._where, self._now = store, config.consent.withdrawn, now
        self._barred = cache(partial(memberships.barred, store, now, self._where.value))
        self._reachable = cache(partial(memberships.reachable, store))

    @cached_property
    def _unreadable(self) -> frozenset[ContactId]:
        return memberships.unreadable(self._store, self._now)

    @cached_property
    def _unmerged(self) -> list[set[int]]:
        with self._store.reading() as db:
            return people.unmerged(db)

    def _frozen(self, barred: frozenset[ContactId]) -> frozenset[ContactId]:
        """Whose consent cannot be read, and who may be one person with somebody like that or with one of *barred*: were they added, a
        merge that waits could show that they had withdrawn; were they removed, it could show to be false."""
        kept_out = [group for group in self._unmerged if not (group.isdisjoint(barred) and group.isdisjoint(self._unreadable))]
        return self._unreadable.union(*(map(ContactId, group - barred) for group in kept_out))

    @cached_property
    def _granted(self) -> frozenset[ContactId]:
        return memberships.granted(self._store)

    def _granted_for(self, connection: int, scope: str | None) -> frozenset[ContactId]:
        return self._granted if scope is None else self._granted | memberships.granted_for(self._store, connection, scope)

    def _barred_on(self, connection: int, audience: str) -> frozenset[ContactId]:
        """Who withdrew anywhere is the same set for every target, and read once."""
        return self._barred(0, "") if self._where is Withdrawn.ANYWHERE else self._barred(connection, audience)

    def standing(self, spec: TargetSpec, state: TargetState, audience: str, scope: str | None) -> Standing:
        """For one target. *audience* and *scope* (of a subscription type) are the platform's ids. Whoever left or was
        suppressed on a list itself is barred from that list, too; a list grants nothing, and its id may be that of a type, too."""
        scopes = [s for s in (scope, state.remote.id if state.remote else None) if s]
        barred = self._barred_on(state.connection, audience)
        barred |= memberships.barred_from(self._store, self._now, state.connection, scopes)
        return Standing(
            barred=barred,
            frozen=self._frozen(barred),
            reachable=self._reachable(state.connection, audience, memberships.refused(self._store, state.id)),
            granted=self._granted_for(state.connection, scope) if spec.require is Require.GRANTED else None,
            stuck=memberships.stuck(self._store, state.id),
        )
