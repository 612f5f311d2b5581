"""What somebody withdrew lasts until a word lifts it: beyond archiving, erasing and merging."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import DAY, Consent, ConsentState, Profile, ProfileId
from sync.store import memberships, people
from sync.store.store import Store
from tests.store.ground import GRANTED, NOW, WITHDRAWN, new_store, profile, settle, split, write

LATER = NOW + 30 * DAY                             # than everything that is told here
UNKNOWN = (Consent("email", ConsentState.UNKNOWN),)
UNREADABLE = (Consent("email", ConsentState.UNREADABLE),)
SUPPRESSED = (Consent("email", ConsentState.UNKNOWN, suppressed=True),)
OF_NEWS = Consent("email", ConsentState.WITHDRAWN, "news")
SEEDS = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def told(store: Store, who: str = "p1") -> list[tuple[str, str, str, int]]:
    return store.rows("select channel, scope, state, suppressed from consents where profile = ? order by 1, 2", who)


def barred(store: Store, where: str = "anywhere", connection: int = 1, audience: str = "") -> frozenset[int]:
    return memberships.barred(store, LATER, where, connection, audience)


def erase(store: Store, *who: str, connection: int = 1) -> None:
    with store.transaction() as db:
        people.mark_gone(db, connection, map(ProfileId, who), NOW)


def granted_at(at: int) -> tuple[Consent, ...]:
    return (Consent("email", ConsentState.GRANTED, at=at),)


# --- archived ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("known", "now", "expected"), [
    (WITHDRAWN, UNKNOWN, ("withdrawn", 0)), (WITHDRAWN, (), ("withdrawn", 0)), (WITHDRAWN, UNREADABLE, ("withdrawn", 0)),
    (WITHDRAWN, SUPPRESSED, ("withdrawn", 1)), (WITHDRAWN, GRANTED, ("granted", 0)), (SUPPRESSED, UNKNOWN, ("unknown", 1)),
    (SUPPRESSED, WITHDRAWN, ("withdrawn", 1)), (SUPPRESSED, GRANTED, ("granted", 0)), (UNREADABLE, UNKNOWN, ("unreadable", 0)),
    (UNREADABLE, WITHDRAWN, ("withdrawn", 0)), (GRANTED, UNKNOWN, ("unknown", 0)), (UNKNOWN, UNKNOWN, ("unknown", 0)),
])
def test_who_is_archived_keeps_what_was_withdrawn_until_a_word_lifts_it(
    store: Store, known: tuple[Consent, ...], now: tuple[Consent, ...], expected: tuple[str, int],
) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=known))
    for _ in range(2):
        write(store, 1, profile("p1", "one@example.com", consent=now, live=False))
        assert told(store) == [("email", "", *expected)]
    write(store, 1, profile("p1", "one@example.com", consent=UNKNOWN))
    assert told(store) == [("email", "", "unknown", 0)], "who is live again says it themselves"


def test_who_is_first_met_archived_said_nothing_yet(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=UNKNOWN, live=False))
    assert told(store) == [("email", "", "unknown", 0)]
    assert barred(store) == set()


def test_what_an_archived_person_withdrew_keeps_its_time_and_they_are_not_mailable(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=(Consent("email", ConsentState.WITHDRAWN, at=5),)))
    write(store, 1, profile("p1", "one@example.com", consent=UNKNOWN, live=False))
    assert store.rows("select at from consents") == [(5,)]
    assert store.rows("select state, mailable from profiles") == [("archived", 0)]


class Story:
    """What a platform told of three profiles, one telling after the other, and what should be known at the end."""

    def __init__(self, rng: Random) -> None:
        self.tellings: list[Profile] = []
        self.known: dict[str, dict[tuple[str, str], tuple[str, bool]]] = {}
        for _ in range(rng.randint(2, 8)):
            who, live = rng.choice(["p1", "p2", "p3"]), rng.random() < 0.5
            consent = tuple(
                Consent(channel, rng.choice(list(ConsentState)), scope, rng.random() < 0.3)
                for channel, scope in [("email", ""), ("email", "news"), ("sms", "")] if rng.random() < 0.7
            )
            email = rng.choice([f"{who}@example.com", f"{who}.new@example.com"])
            self.tellings.append(profile(who, email, consent=consent, live=live))
            self._learn(who, consent, live)

    def _learn(self, who: str, consent: tuple[Consent, ...], live: bool) -> None:
        before = {} if live else self.known.get(who, {})
        now = {(one.channel, one.scope): (one.state.value, one.suppressed) for one in consent}
        for key, (state, suppressed) in before.items():
            said, held = now.get(key, ("unknown", False))
            if said == "granted" or (state in ("granted", "unknown") and not suppressed):
                continue
            firm = [each for each in ("withdrawn", "unreadable") if each in (said, state)]
            now[key] = (firm[0] if firm else "unknown", suppressed or held)
        self.known[who] = now


@SEEDS
@given(seed=st.integers(0, 10**6))
def test_what_is_known_at_the_end_is_the_same_whatever_the_pages(seed: int) -> None:
    rng = Random(seed)
    story = Story(rng)
    with new_store() as store:
        for page in split(story.tellings, [rng.randint(0, 8) for _ in range(rng.randint(0, 4))]):
            write(store, 1, *page)
        found = store.rows("select profile, channel, scope, state, suppressed from consents")
    assert {row[:3]: (row[3], bool(row[4])) for row in found} == {
        (who, *key): said for who, known in story.known.items() for key, said in known.items()
    }


# --- gone -------------------------------------------------------------------------------------------------------------


def test_who_withdrew_and_is_erased_stays_barred(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=(*WITHDRAWN, OF_NEWS)), profile("p2", "two@example.com", consent=UNREADABLE))
    write(store, 3, profile("k1", "one@example.com"))
    erase(store, "p1", "p2")
    assert barred(store) == barred(store, "platform") == {0}
    assert barred(store, "platform", 3) == set()
    assert memberships.barred_from(store, LATER, 1, ["news"]) == {0}
    assert memberships.unreadable(store, LATER) == {1}


@pytest.mark.parametrize(("connection", "audience", "consent", "expected"), [
    (1, "a", granted_at(NOW + 1), set()), (1, "a", granted_at(NOW - 1), {0}), (1, "a", UNKNOWN, {0}),
    (1, "a", granted_at(LATER + 1), {0}),           # nobody granted anything in the future: a clock was ahead
    (1, "b", granted_at(NOW + 1), {0}), (3, "a", granted_at(NOW + 1), {0}),
    (1, "a", (Consent("email", ConsentState.GRANTED, "news", at=NOW + 1),), {0}),
    (1, "a", (Consent("sms", ConsentState.GRANTED, at=NOW + 1),), {0}),
])
def test_only_a_later_grant_in_the_same_place_lifts_what_an_erased_person_withdrew(
    store: Store, connection: int, audience: str, consent: tuple[Consent, ...], expected: set[int],
) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=WITHDRAWN, audience="a"))
    erase(store, "p1")
    write(store, connection, profile("p2", "one@example.com", consent=consent, audience=audience))
    assert barred(store) == barred(store, "audience", 1, "a") == expected


def test_a_grant_that_is_erased_itself_lifts_nothing(store: Store) -> None:
    write(store, 1, profile("p1", "one@example.com", consent=WITHDRAWN))
    erase(store, "p1")
    write(store, 1, profile("p2", "one@example.com", consent=granted_at(NOW + 1)))
    erase(store, "p2")
    assert barred(store) == {0}


@pytest.mark.parametrize("scope", ["", "news"])
def test_what_was_withdrawn_from_one_type_is_lifted_by_a_grant_of_it_or_of_everything(store: Store, scope: str) -> None:
    write(store, 2, profile("h1", "one@example.com", consent=(OF_NEWS,)))
    erase(store, "h1", connection=2)
    assert memberships.barred_from(store, LATER, 2, ["news"]) == {0}
    write(store, 2, profile("h2", "one@example.com", consent=(Consent("email", ConsentState.GRANTED, scope, at=NOW + 1),)))
    assert memberships.barred_from(store, LATER, 2, ["news"]) == set()


def merged(store: Store, survivor: tuple[Consent, ...], known: tuple[Consent, ...] = WITHDRAWN) -> frozenset[int]:
    """Who is barred once h1, of which that is *known*, went into h2."""
    write(store, 2, profile("h1", "one@example.com", consent=known))
    write(store, 2, profile("h2", "one@example.com", consent=survivor, absorbed=["h1"]))
    settle(store, 2)
    return barred(store)


def test_what_a_merged_profile_withdrew_bars_its_survivor(store: Store) -> None:
    assert merged(store, UNKNOWN) == {0}


@pytest.mark.parametrize("known", [WITHDRAWN, SUPPRESSED])
def test_a_survivor_that_took_the_opt_out_along_may_take_it_back(store: Store, known: tuple[Consent, ...]) -> None:
    assert merged(store, (Consent("email", ConsentState.WITHDRAWN, suppressed=True),), known) == {0}
    write(store, 2, profile("h2", "one@example.com", consent=UNKNOWN, absorbed=["h1"]))
    assert barred(store) == set()


@SEEDS
@given(seed=st.integers(0, 10**6))
def test_who_is_barred_is_who_the_slow_model_bars(seed: int) -> None:
    rng = Random(seed)
    rows = []                                       # connection, profile, contact, audience, gone, consents
    for number in range(rng.randint(1, 8)):
        consent = tuple(
            Consent("email", rng.choice(list(ConsentState)), scope, rng.random() < 0.2, NOW + rng.randint(0, 3))
            for scope in ("", "news") if rng.random() < 0.7
        )
        rows.append((rng.choice([1, 2]), f"p{number}", rng.randint(0, 2), rng.choice(["a", "b"]), rng.random() < 0.5, consent))

    def lifted(connection: int, contact: int, audience: str, one: Consent) -> bool:
        return any(
            (c, who, place, gone) == (connection, contact, audience, False) and each.state is ConsentState.GRANTED
            and each.scope in ("", one.scope) and (each.at or 0) > (one.at or 0)
            for c, _, who, place, gone, consent in rows for each in consent
        )

    standing = [
        (connection, contact, audience, one) for connection, _, contact, audience, gone, consent in rows for one in consent
        if not gone or not lifted(connection, contact, audience, one)
    ]
    out = [row for row in standing if row[3].state is ConsentState.WITHDRAWN or row[3].suppressed]
    with new_store() as store:
        for who in range(3):
            write(store, 3, profile(f"k{who}", f"c{who}@example.com", consent=()))
        for connection, name, who, audience, _, consent in rows:
            write(store, connection, profile(name, f"c{who}@example.com", consent=consent, audience=audience))
        for connection, name, _, _, gone, _ in rows:
            if gone:
                erase(store, name, connection=connection)
        assert barred(store) == {who for _, who, _, one in out if not one.scope}
        assert barred(store, "platform", 2) == {who for c, who, _, one in out if not one.scope and c == 2}
        assert barred(store, "audience", 1, "a") == {who for c, who, a, one in out if not one.scope and (c, a) == (1, "a")}
        assert memberships.barred_from(store, LATER, 1, ["news"]) == {who for c, who, _, one in out if one.scope and c == 1}
        assert memberships.unreadable(store, LATER) == {who for _, who, _, one in standing if one.state is ConsentState.UNREADABLE}
