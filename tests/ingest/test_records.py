"""Records that profiles hold, pulled: what a complete look at all of them may say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.base import Cursor, Event, EventName, Page, Part, ProfileId, Stream, StreamKind, VirtualClock
from sync.ingest.pull import Pulled, pull
from sync.store.naming import Naming
from sync.store.store import Store
from tests.ingest.platform import PEOPLE, Platform, source
from tests.store.ground import NOW, facts_of, profile

CALLS = Stream("calls", StreamKind.PARTS, part="calls")
ALL_CALLS = Stream("calls_complete", StreamKind.PARTS, incremental=False, sweep=True, part="calls")
NAMING = Naming("mailchimp", {"calls.made": EventName("call_made")})


def pulled(store: Store, platform: Platform, *wanted: Stream) -> list[Pulled]:
    made = replace(source(store, platform), naming=NAMING)
    return pull(store, made, wanted, {made.number: NAMING}, VirtualClock(NOW))


def told(platform: Platform, stream: Stream, *pages: Sequence[str]) -> None:
    """Calls by their ids, each the first person's, and made; the last page of a sweep is complete."""
    platform.pages[stream.name] = [
        Page(Cursor(str(place)), parts=list(map(call, page)), last=place == len(pages), complete=stream.sweep and place == len(pages))
        for place, page in enumerate(pages, start=1)
    ]


def call(id_: str) -> Part:
    fact = Event(f"any {id_}", "calls.made", NOW, {"id": id_}, None, None, True)
    return Part("calls", id_, (ProfileId("p1"),), {"id": id_}, fact)


def people_and(stream: Stream, *ids: str) -> Platform:
    platform = Platform()
    platform.show(PEOPLE, [profile("p1", "a@example.com")])
    told(platform, stream, ids)
    return platform


def calls(store: Store) -> list[str]:
    return [str(id_) for (id_,) in store.rows("select id from parts order by id")]


def test_a_record_that_a_complete_look_did_not_see_is_gone_with_its_event(store: Store) -> None:
    platform = people_and(CALLS, "1", "2", "3")
    pulled(store, platform, PEOPLE, CALLS)
    assert (calls(store), len(facts_of(store))) == (["1", "2", "3"], 3)
    told(platform, ALL_CALLS, ["1"], ["3"])
    platform.fault(ALL_CALLS, 2)
    assert pulled(store, platform, ALL_CALLS)[0].error
    assert calls(store) == ["1", "2", "3"], "nothing is known before its end"
    assert not pulled(store, platform, ALL_CALLS)[0].error
    assert (calls(store), len(facts_of(store))) == (["1", "3"], 2)
    assert store.rows("select state from profiles") == [("live",)], "profiles are another stream's"


def test_a_record_that_changes_while_a_look_is_under_way_has_been_seen(store: Store) -> None:
    platform = people_and(CALLS, "1", "2")
    told(platform, ALL_CALLS, ["1"], [])
    platform.fault(ALL_CALLS, 2)
    pulled(store, platform, PEOPLE, ALL_CALLS)
    pulled(store, platform, CALLS, ALL_CALLS)
    assert calls(store) == ["1", "2"]
    pulled(store, platform, ALL_CALLS)
    assert calls(store) == ["1"]


def test_an_empty_look_where_records_were_is_a_broken_read(store: Store) -> None:
    platform = people_and(CALLS, "1", "2")
    told(platform, ALL_CALLS, [])
    assert "empty where 2 calls were" in pulled(store, platform, PEOPLE, CALLS, ALL_CALLS)[2].error
    assert (calls(store), len(facts_of(store))) == (["1", "2"], 2)
