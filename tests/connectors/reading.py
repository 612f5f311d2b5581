"""What every connector keeps when it reads people and facts."""

from __future__ import annotations

from collections import Counter

import pytest

from connectors.base import (
    DAY,
    Connector,
    ConsentState,
    Cursor,
    Event,
    Page,
    PlatformError,
    ProfileId,
    StreamKind,
)
from connectors.clock import VirtualClock
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Sandbox
from tests.connectors.ground import (
    NOW,
    Connect,
    Ground,
    at_path,
    broken,
    facts_in,
    is_barred,
    pages_of,
    people_in,
    seen,
)


class ReadingContract(Ground):
    """Pulling."""

    def test_a_complete_sweep_shows_everybody_there_is(self, connector: Connector, controls: Controls) -> None:
        pages = pages_of(connector, self.sweep(connector))
        expected = {row["id"]: (row["audience"], row["email"], row["live"], row["barred"]) for row in self.rows(controls)}
        assert {id_: seen(profile) for id_, profile in people_in(pages).items()} == expected
        assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]

    def test_the_first_pull_of_changes_shows_everybody_who_lives(self, connector: Connector, controls: Controls) -> None:
        stream = next(s for s in self.streams(connector, StreamKind.PROFILES) if not s.sweep)
        pages = pages_of(connector, stream)
        found = {id_: seen(profile) for id_, profile in people_in(pages).items()}
        rows = {row["id"]: (row["audience"], row["email"], row["live"], row["barred"]) for row in self.rows(controls)}
        assert {id_: row for id_, row in rows.items() if row[2]}.items() <= found.items() <= rows.items()
        assert not any(page.complete for page in pages)

    def test_the_first_pull_shows_every_fact_once_per_id(self, connector: Connector, controls: Controls) -> None:
        person_of = {row["id"]: row["person"] for row in self.rows(controls)}
        person_at = {str(row["email"]).lower(): row["person"] for row in self.rows(controls) if row["email"]}

        def person(event: Event) -> int:
            if event.profile is not None:
                return int(person_of[event.profile])
            return int(person_at[str(event.email).lower()])

        facts = facts_in(self.all_pages(connector, StreamKind.EVENTS))
        found = Counter((event.native, event.at, person(event)) for event in facts.values())
        expected = Counter((row["native"], row["at"], row["person"]) for row in self.rows(controls, "events"))
        assert found - expected == Counter()
        assert expected - found == Counter()

    def test_a_stream_tells_the_events_that_it_names_or_those_that_no_other_does(self, connector: Connector) -> None:
        named = {native for stream in connector.capabilities.streams for native in stream.events}
        assert named <= connector.capabilities.events.keys()
        for stream in self.streams(connector, StreamKind.EVENTS):
            told = {event.native for event in facts_in(pages_of(connector, stream)).values()}
            assert told <= stream.events if stream.events else not told & named, stream.name

    def test_events_carry_the_neutral_properties_that_the_capabilities_promise(self, connector: Connector) -> None:
        orders = [
            event for event in facts_in(self.all_pages(connector, StreamKind.EVENTS)).values()
            if (name := connector.capabilities.events.get(event.native)) and name.name == "order_placed"
        ]
        assert orders
        for event in orders:
            places = connector.capabilities.events[event.native].properties
            assert at_path(event.properties, places["order_id"]) not in (None, "")
            assert at_path(event.properties, places["value"]) not in (None, "")

    def test_capabilities_name_what_they_can_keep(self, connector: Connector) -> None:
        can = connector.capabilities
        names = [stream.name for stream in can.streams]
        assert len(set(names)) == len(names)
        assert sum(stream.sweep for stream in can.streams if stream.kind is StreamKind.PROFILES) == 1
        assert can.targets | set(can.refused) >= {"tag", "list"}
        assert can.batch.adds > 0
        assert can.limits

    def test_a_pull_goes_on_from_any_page_in_another_process(self, connector: Connector, connect: Connect) -> None:
        for stream in connector.capabilities.streams:
            pages = pages_of(connector, stream)
            whole = people_in(pages).keys() | facts_in(pages).keys()
            for cut in sorted({0, len(pages) // 2, len(pages) - 2} & set(range(len(pages) - 1))):
                rest = pages_of(connect(), stream, Cursor(str(pages[cut].cursor)))
                both = [*pages[: cut + 1], *rest]
                assert people_in(both).keys() | facts_in(both).keys() == whole, (stream.name, cut)
                assert rest[-1].complete == pages[-1].complete

    @pytest.mark.parametrize("fault", ["500", "503", "429", "cut", "drop_before", "drop_after", "html"])
    def test_a_page_that_failed_once_costs_one_call_more(self, connect: Connect, controls: Controls, fault: str) -> None:
        streams = connect().capabilities.streams
        for stream in (next(s for s in streams if s.sweep), next(s for s in streams if s.kind is StreamKind.EVENTS)):
            before = self.calls(controls)
            calm = pages_of(connect(), stream)
            calls = self.calls(controls) - before
            controls.fail(self.platform, fault, match="GET|POST", skip=calls // 2)
            failing = pages_of(connect(), stream)
            assert self.calls(controls) - before == 2 * calls + 1, stream.name
            assert people_in(failing).keys() == people_in(calm).keys()
            assert facts_in(failing).keys() == facts_in(calm).keys()

    @pytest.mark.parametrize("fault", ["500", "html", "drop_after"])
    def test_what_fails_for_good_is_an_error_and_never_complete(
        self, connect: Connect, controls: Controls, fault: str,
    ) -> None:
        for stream in connect().capabilities.streams:
            controls.fail(self.platform, fault, count=10_000, skip=1)
            pages, error = broken(connect(), stream)
            if error is None:
                assert len(pages) == 1                   # one call was enough
            else:
                assert not any(page.last or page.complete for page in pages)
            controls.heal(self.platform)
        controls.fail(self.platform, fault, count=10_000)
        for stream in connect().capabilities.streams:
            with pytest.raises(PlatformError):
                list(connect().pull(stream, None))

    def test_a_fresh_pull_after_one_change_brings_it_and_little_else(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        changing = [stream for stream in connector.capabilities.streams if stream.incremental and not stream.sweep]
        cursors = {stream.name: pages_of(connector, stream)[-1].cursor for stream in changing}
        sandbox.virtual().advance(8 * 86_400)
        row = self.living(controls, self.audience(connector, controls))[3]
        moved = "moved.somewhere@shop.example"
        controls.act(self.platform, "change_email", email=row["email"], to=moved)
        controls.act(self.platform, "happen", email=moved, kind="order_placed", value=12_340_000, number=900_001)
        sandbox.virtual().advance(3600)
        pages = {stream.name: pages_of(connector, stream, cursors[stream.name]) for stream in changing}
        together = [page for some in pages.values() for page in some]
        assert people_in(together)[ProfileId(row["id"])].email == moved
        rows = {name: sum(len(page.profiles) + len(page.events) for page in some) for name, some in pages.items()}
        assert all(count <= self.few for count in rows.values()), rows
        everything = [*together, *(p for s in self.streams(connector, StreamKind.EVENTS) if not s.incremental
                                   for p in pages_of(connector, s))]
        new = [e for e in facts_in(everything).values() if e.at >= NOW + 7 * DAY]
        assert [connector.capabilities.events[e.native].name for e in new] == ["order_placed"]

    def test_a_pull_with_nothing_new_ends_and_keeps_its_place(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        for stream in connector.capabilities.streams:
            if stream.incremental and not stream.sweep:
                first = pages_of(connector, stream)[-1]
                sandbox.virtual().advance(8 * 86_400)
                second = pages_of(connector, stream, first.cursor)
                third = pages_of(connector, stream, second[-1].cursor)
                assert sum(len(page.profiles) + len(page.events) for page in third) <= self.few
                assert (second[-1].watermark or 0) >= (first.watermark or 0)

    def test_watermarks_never_pass_the_platform_s_own_time(self, connector: Connector, clock: VirtualClock) -> None:
        for stream in connector.capabilities.streams:
            for page in pages_of(connector, stream):
                assert page.watermark is None or page.watermark <= clock.now()

    def test_a_new_person_comes_with_the_changes(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        stream = next(s for s in self.streams(connector, StreamKind.PROFILES) if not s.sweep)
        cursor = pages_of(connector, stream)[-1].cursor
        sandbox.virtual().advance(3600)
        controls.act(self.platform, "create_profile", email="new.here@shop.example", standing="granted")
        sandbox.virtual().advance(3600)
        found = people_in(pages_of(connector, stream, cursor)).values()
        assert [profile.email for profile in found if profile.email == "new.here@shop.example"]

    def test_whoever_withdraws_is_barred_after_the_next_pull(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        stream = next(s for s in self.streams(connector, StreamKind.PROFILES) if not s.sweep)
        cursor = pages_of(connector, stream)[-1].cursor
        sandbox.virtual().advance(3600)
        rows = [row for row in self.living(controls, self.audience(connector, controls)) if not row["barred"]]
        controls.act(self.platform, "withdraw", email=rows[0]["email"])
        controls.act(self.platform, "suppress", email=rows[1]["email"])
        sandbox.virtual().advance(3600)
        found = people_in(pages_of(connector, stream, cursor))
        assert [is_barred(found[ProfileId(row["id"])]) for row in rows[:2]] == [True, True]

    def test_a_consent_value_that_nobody_knows_is_unreadable(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        row = next(row for row in self.living(controls, self.audience(connector, controls)) if not row["barred"])
        controls.act(self.platform, "unreadable", email=row["email"])
        sandbox.virtual().advance(3600)
        found = people_in(pages_of(connector, self.sweep(connector)))[ProfileId(row["id"])]
        assert ConsentState.UNREADABLE in {c.state for c in found.consent if c.channel == "email"}

    def test_whoever_is_erased_is_not_in_a_complete_sweep_again(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        row = self.living(controls, self.audience(connector, controls))[0]
        controls.act(self.platform, "erase", email=row["email"])
        sandbox.virtual().advance(3600)
        pages = pages_of(connector, self.sweep(connector))
        assert row["id"] not in people_in(pages)
        assert pages[-1].complete

    def test_the_loser_of_a_merge_is_told_or_missing(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        if not self.merges:
            return
        winner, loser = self.living(controls)[:2]
        controls.act(self.platform, "merge", winner=winner["email"], loser=loser["email"])
        sandbox.virtual().advance(3600)
        found = people_in(pages_of(connector, self.sweep(connector)))
        survivors = {id_ for id_, p in found.items() if {winner["id"], loser["id"]} <= {id_, *p.absorbed}} or {
            id_ for id_ in found if id_ in (winner["id"], loser["id"])
        }
        assert len(survivors) == 1

    def test_whoever_is_archived_lives_no_more(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        if not self.archives:
            return
        row = self.living(controls, self.audience(connector, controls))[0]
        controls.act(self.platform, "archive", email=row["email"])
        sandbox.virtual().advance(3600)
        found = people_in(pages_of(connector, self.sweep(connector)))
        assert row["id"] not in found or not found[ProfileId(row["id"])].live

    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_storm_changes_no_row(self, connect: Connect, controls: Controls, sandbox: Sandbox, seed: int) -> None:
        """Whatever fails, a pull that goes on from its last cursor ends with the same people and facts."""
        sandbox.virtual().advance(2 * 3600)
        for stream in connect().capabilities.streams:
            calm = pages_of(connect(), stream)
            controls.weather("stormy", seed)
            found: list[Page] = []
            for _ in range(20):
                try:
                    for page in connect().pull(stream, found[-1].cursor if found else None):
                        found.append(page)
                    break
                except PlatformError:
                    continue
            controls.weather("calm")
            assert found[-1].last, stream.name
            assert found[-1].complete == calm[-1].complete
            assert people_in(found).keys() == people_in(calm).keys()
            assert facts_in(found).keys() == facts_in(calm).keys()
