"""Since when somebody is on a tag or list, or has the consent they have."""

from __future__ import annotations

from connectors.base import Consent, ConsentState, ProfileId
from sync.store import memberships, people
from sync.store.store import Store
from tests.store.ground import GRANTED, NAMES, WITHDRAWN, profile

ONE, TWO = ProfileId("p1"), ProfileId("p2")


def consented(store: Store, now: int, *consent: Consent) -> dict[tuple[str, str], tuple[str, int, int | None]]:
    with store.transaction() as db:
        people.write_profiles(db, 1, NAMES[0], [profile("p1", "one@example.com", consent=consent)], now, 0)
    return {(channel, scope): rest for channel, scope, rest in _rows(store)}


def _rows(store: Store) -> list[tuple[str, str, tuple[str, int, int | None]]]:
    return [(r[0], r[1], (r[2], r[3], r[4])) for r in store.rows("select channel, scope, state, seen, at from consents")]


def listed(store: Store, number: int, now: int, *there: ProfileId, **joined: int) -> dict[str, int]:
    with store.transaction() as db:
        memberships.write_view(db, number, there, now, now, 0, {ProfileId(name): at for name, at in joined.items()})
    return dict(store.rows("select profile, since from members where target = ?", number))


def test_a_state_of_consent_is_as_old_as_its_first_sight(store: Store) -> None:
    assert consented(store, 10, *GRANTED) == {("email", ""): ("granted", 10, None)}
    assert consented(store, 20, Consent("email", ConsentState.GRANTED, at=5)) == {("email", ""): ("granted", 10, 5)}
    assert consented(store, 30, *WITHDRAWN) == {("email", ""): ("withdrawn", 30, None)}
    assert consented(store, 40, Consent("sms", ConsentState.GRANTED)) == {("sms", ""): ("granted", 40, None)}


def test_a_member_is_there_since_the_platform_says_so_else_since_we_saw_it(store: Store) -> None:
    number = memberships.target(store, "vip/mailchimp/tag", "tag", 1, "", "VIP").id
    assert listed(store, number, 10, ONE, TWO) == {"p1": 10, "p2": 10}
    assert listed(store, number, 20, ONE) == {"p1": 10}
    assert listed(store, number, 30, ONE, TWO) == {"p1": 10, "p2": 30}
    assert listed(store, number, 40, ONE, TWO, p1=3) == {"p1": 3, "p2": 30}
    with store.transaction() as db:
        memberships.confirm_remove(db, number, TWO, 50)
        memberships.confirm_add(db, number, TWO, 60, ours=True)
    assert listed(store, number, 70, ONE, TWO) == {"p1": 3, "p2": 60}
