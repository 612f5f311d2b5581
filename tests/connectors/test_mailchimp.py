"""Mailchimp's connector against its sandbox: the contract of all connectors, and what is special here."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, ClassVar

import orjson
import pytest

import connectors.mailchimp.api
from connectors.base import (
    Connector,
    Cursor,
    FaultKind,
    Op,
    Page,
    PlatformError,
    ProfileId,
    Stream,
)
from connectors.clock import VirtualClock
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Request, Response, Sandbox
from tests.connectors.contract import ConnectorContract
from tests.connectors.ground import Connect, Ground, Row, facts_in, pages_of, people_in

SMALL = 7                                           # rows on a page, so that a small world has many


class Mailchimp(Ground):
    platform: ClassVar[str] = "mailchimp"
    target_kind: ClassVar[str] = "tag"
    merges: ClassVar[bool] = False
    names_wait: ClassVar[bool] = False

    def stream(self, connector: Connector, name: str) -> Stream:
        return next(stream for stream in connector.capabilities.streams if stream.name == name)

    def asked(self, controls: Controls, route: str) -> int:
        """Calls so far whose route ends so."""
        by_route = controls.calls(self.platform).get("connector", {}).get("by_route", {})
        return sum(count for name, count in by_route.items() if name.endswith(route))

    def answer(self, sandbox: Sandbox, path: str, change: Callable[[Any], Any]) -> None:
        """*change* the decoded answers of calls whose path matches."""
        def changed(request: Request, response: Response) -> None:
            if re.search(path, request.path):
                response.body = orjson.dumps(change(orjson.loads(response.body)))

        self.spoil(sandbox, changed)


class TestMailchimp(Mailchimp, ConnectorContract):
    """The contract."""


class TestWalkingInSmallPages(Mailchimp):
    """The walks that only large accounts need, with pages of seven."""

    people: ClassVar[int] = 120
    events: ClassVar[int] = 600

    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connectors.mailchimp.api, "PAGE", SMALL)

    def crowd(self, controls: Controls, count: int = 30) -> list[Row]:
        rows = [row for row in self.rows(controls) if row["live"] and not row["barred"]]
        return sorted(rows, key=lambda row: str(row["email"]))[:count]

    def test_everybody_is_seen_once(self, connector: Connector, controls: Controls) -> None:
        for name in ("profiles", "profiles_complete"):
            pages = pages_of(connector, self.stream(connector, name))
            seen = [profile.id for page in pages for profile in page.profiles]
            assert sorted(seen) == sorted({row["id"] for row in self.rows(controls)})
            assert len(pages) > len(seen) / SMALL

    def test_a_pull_goes_on_from_every_single_page(self, connector: Connector, connect: Connect) -> None:
        for stream in connector.capabilities.streams:
            pages = pages_of(connector, stream)
            whole = people_in(pages).keys() | facts_in(pages).keys()
            for cut in range(0, len(pages) - 1, max(1, len(pages) // 4)):
                rest = pages_of(connect(), stream, Cursor(str(pages[cut].cursor)))
                both = [*pages[: cut + 1], *rest]
                assert people_in(both).keys() | facts_in(both).keys() == whole
                assert rest[-1].complete == pages[-1].complete

    def test_more_people_than_a_page_changed_in_one_second(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "profiles")
        cursor = pages_of(connector, stream)[-1].cursor
        clock.advance(3600)
        crowd = self.crowd(controls)
        for row in crowd[:20]:
            controls.act(self.platform, "withdraw", email=row["email"])
        for row in crowd[20:]:
            clock.advance(1)
            controls.act(self.platform, "withdraw", email=row["email"])
        clock.advance(60)
        assert {row["id"] for row in crowd} <= people_in(pages_of(connector, stream, cursor)).keys()

    def test_somebody_who_leaves_a_crowded_second_hides_nobody(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "profiles")
        cursor = pages_of(connector, stream)[-1].cursor
        clock.advance(3600)
        crowd = self.crowd(controls)
        for row in crowd:
            controls.act(self.platform, "withdraw", email=row["email"])
        clock.advance(3600)                         # farther back than the overlap of the pull after this one
        email_of = {ProfileId(row["id"]): str(row["email"]) for row in crowd}
        pages: list[Page] = []
        moved: set[ProfileId] = set()
        for page in connector.pull(stream, cursor):
            pages.append(page)
            mover = next((p.id for p in page.profiles if p.id in email_of and p.id not in moved), None)
            if mover and len(moved) < 3:
                moved.add(mover)
                controls.act(self.platform, "grant", email=email_of[mover])
        clock.advance(60)
        again = people_in(pages_of(connector, stream, pages[-1].cursor)).keys()
        assert moved <= again
        assert len(again) < SMALL
        assert email_of.keys() <= people_in(pages).keys() | again

    def test_changes_in_the_middle_of_a_pull_lose_nobody(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "profiles")
        found: dict[ProfileId, bool] = {}
        movers = iter(self.crowd(controls))
        last: Page | None = None
        for last in connector.pull(stream, None):
            found.update((profile.id, profile.live) for profile in last.profiles)
            clock.advance(5)
            mover = next(movers, None)
            if mover:
                controls.act(self.platform, "archive", email=mover["email"])
        assert last is not None
        clock.advance(60)
        again = people_in(pages_of(connector, stream, last.cursor))
        found.update((id_, profile.live) for id_, profile in again.items())
        assert found == {row["id"]: row["live"] for row in self.rows(controls)}

    @pytest.mark.parametrize(("deed", "undone"), [("archive", "unarchive"), ("withdraw", "grant")])
    def test_whoever_moves_between_the_listings_of_a_sweep_is_not_gone(
        self, connector: Connector, controls: Controls, clock: VirtualClock, deed: str, undone: str,
    ) -> None:
        movers = self.crowd(controls, 12)
        for row in movers[::2]:
            controls.act(self.platform, deed, email=row["email"])
        clock.advance(60)
        turns = iter([(row, undone) for row in movers[::2]] + [(row, deed) for row in movers[1::2]])
        pages: list[Page] = []
        for page in connector.pull(self.sweep(connector), None):
            pages.append(page)
            clock.advance(5)
            for row, what in islice(turns, 1):
                controls.act(self.platform, what, email=row["email"])
        assert pages[-1].complete
        assert people_in(pages).keys() == {row["id"] for row in self.rows(controls)}

    def test_whoever_comes_back_after_the_first_listing_of_a_sweep_is_not_gone(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        movers = self.crowd(controls, 12)
        for row in movers:
            controls.act(self.platform, "archive", email=row["email"])
        clock.advance(3600)
        pages: list[Page] = []
        for page in connector.pull(self.sweep(connector), None):
            pages.append(page)
            if movers and orjson.loads(str(page.cursor))["p"] == 1 and page.profiles:
                clock.advance(60)
                for row in movers:
                    controls.act(self.platform, "unarchive", email=row["email"])
                movers = []
        assert not movers
        assert people_in(pages).keys() == {row["id"] for row in self.rows(controls)}
        assert pages[-1].complete

    def test_a_listing_that_ignores_the_offset_ends_in_an_error(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        first: dict[str, Any] = {}
        self.answer(sandbox, "/(email-activity|orders)$", lambda body: first.setdefault("".join(sorted(body)), body))
        for name in ("email_activity", "orders"):
            with pytest.raises(PlatformError) as caught:
                list(islice(connector.pull(self.stream(connector, name), None), 1000))
            assert caught.value.code == "no progress"

    def test_members_are_listed_over_many_pages(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:40]
        connector.push(target, self.changes(some, Op.ADD))
        assert self.members(connector, target) == {ProfileId(row["id"]) for row in some}

    def test_members_who_leave_while_they_are_listed_hide_nobody(
        self, connector: Connector, controls: Controls,
    ) -> None:
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:40]
        connector.push(target, self.changes(some, Op.ADD))
        found: set[ProfileId] = set()
        pages = connector.members(target)
        left = set()
        for turn, page in enumerate(pages):
            found |= set(page.members)
            if turn in (1, 2):
                row = next(row for row in some if ProfileId(row["id"]) in found and row["id"] not in left)
                left.add(row["id"])
                self.by_hand(controls, target, row["email"], "remove_by_hand")
        assert page.last
        assert page.complete
        assert found == {ProfileId(row["id"]) for row in some}

    def test_a_listing_that_moves_all_the_time_is_not_complete(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        connector.push(target, self.changes(self.living(controls, target.audience)[:30], Op.ADD))
        self.answer(sandbox, "/segments/[0-9]+/members$", lambda body: {**body, "members": body["members"][::-1]})
        pages = list(islice(connector.members(target), 100))
        assert pages[-1].last
        assert not pages[-1].complete


class TestPeople(Mailchimp):
    """What must not be taken for a whole answer."""

    people: ClassVar[int] = 120
    events: ClassVar[int] = 300

    def test_people_who_vanish_all_at_once_do_not_make_a_complete_sweep(
        self, connector: Connector, sandbox: Sandbox,
    ) -> None:
        sweep = self.sweep(connector)
        first = pages_of(connector, sweep)[-1]
        assert first.complete
        self.answer(sandbox, "/members$", lambda body: {**body, "members": [], "total_items": 0})
        second = pages_of(connector, sweep, first.cursor)[-1]
        assert not second.complete
        assert not pages_of(connector, sweep, second.cursor)[-1].complete     # nor when it stays so

    def test_an_audience_that_is_only_missing_from_the_list_is_pulled_all_the_same(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        sweep = self.sweep(connector)
        first = pages_of(connector, sweep)[-1]
        self.answer(sandbox, "/lists$", lambda body: {**body, "lists": [], "total_items": 0})
        second = pages_of(connector, sweep, first.cursor)
        assert people_in(second).keys() == {row["id"] for row in self.rows(controls)}

    @pytest.mark.parametrize(("change", "code"), [
        (lambda body: {**body, "members": body["members"][:-1]}, "fewer rows than counted"),
        (lambda body: {**body, "members": body["members"][::-1]}, "order not obeyed"),
        (lambda body: {**body, "members": [{**row, "last_changed": ""} for row in body["members"]]}, "unexpected shape"),
        (lambda body: {**body, "members": [{**row, "contact_id": ""} for row in body["members"]]}, "unexpected shape"),
        (lambda body: {**body, "members": {}}, "unexpected shape"),
    ])
    def test_a_listing_that_is_not_what_was_asked_for_is_an_error(
        self, connector: Connector, sandbox: Sandbox, change: Callable[[Any], Any], code: str,
    ) -> None:
        self.answer(sandbox, "/members$", change)
        for name in ("profiles", "profiles_complete"):
            with pytest.raises(PlatformError) as caught:
                pages_of(connector, self.stream(connector, name))
            assert (caught.value.kind, caught.value.code) == (FaultKind.EDGE, code)

    def test_a_filter_that_is_ignored_is_noticed(
        self, connector: Connector, controls: Controls, sandbox: Sandbox, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "profiles")
        cursor = pages_of(connector, stream)[-1].cursor
        clock.advance(7200)
        controls.act(self.platform, "withdraw", email=self.rows(controls)[0]["email"])
        clock.advance(60)
        old = {"last_changed": "2001-01-01T00:00:00+00:00"}
        self.answer(sandbox, "/members$", lambda body: {**body, "members": [{**row, **old} for row in body["members"]]})
        with pytest.raises(PlatformError) as caught:
            pages_of(connector, stream, cursor)
        assert caught.value.code == "filter not obeyed"

    def test_a_cursor_of_another_make_is_refused(self, connector: Connector) -> None:
        for stream in connector.capabilities.streams:
            for text in ("", "{}", "[]", '{"v":99}'):
                with pytest.raises(PlatformError) as caught:
                    pages_of(connector, stream, Cursor(text))
                assert caught.value.kind is FaultKind.CURSOR

    def test_only_the_audiences_of_the_config_are_pulled(self, connect: Connect, controls: Controls) -> None:
        rows = self.rows(controls)
        full = rows[0]["audience"]
        lists = orjson.loads(str(pages_of(connect(), self.stream(connect(), "profiles"))[-1].cursor))["w"]
        other = next(name for name in lists if name != full)
        empty, whole = connect(audiences={"x": other}), connect(audiences={"x": full})
        for name in ("profiles", "orders", "email_activity"):
            assert not people_in(pages := pages_of(empty, self.stream(empty, name))) | facts_in(pages)
            assert people_in(pages := pages_of(whole, self.stream(whole, name))) | facts_in(pages)
        with pytest.raises(PlatformError) as caught:
            pages_of(nowhere := connect(audiences={"x": "No such audience"}), self.stream(nowhere, "orders"))
        assert caught.value.kind is FaultKind.GONE

    def test_an_audience_is_found_by_name_or_id(self, connector: Connector, controls: Controls) -> None:
        list_id = self.audience(connector, controls)
        assert connector.audience(list_id) == list_id
        with pytest.raises(PlatformError) as caught:
            connector.audience("No such audience")
        assert caught.value.kind is FaultKind.GONE


class TestMail(Mailchimp):
    """What came of campaigns."""

    people: ClassVar[int] = 200
    events: ClassVar[int] = 1500

    def test_only_campaigns_where_something_moved_are_read_again(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        streams = [self.stream(connector, name) for name in ("email_activity", "sent")]
        clock.advance(8 * 86_400)
        cursors = {stream.name: pages_of(connector, stream)[-1].cursor for stream in streams}
        clock.advance(7200)
        before = self.asked(controls, "/email-activity"), self.asked(controls, "/sent-to")
        for stream in streams:
            assert not facts_in(pages_of(connector, stream, cursors[stream.name]))
        assert (self.asked(controls, "/email-activity"), self.asked(controls, "/sent-to")) == before
        opener = next(row for row in self.rows(controls, "events") if row["native"] == "open")
        email = next(row["email"] for row in self.rows(controls) if row["person"] == opener["person"])
        controls.act(self.platform, "happen", email=email, kind="email_opened")
        clock.advance(3600)
        pages = pages_of(connector, streams[0], cursors["email_activity"])
        assert [(fact.native, fact.email) for fact in facts_in(pages).values()] == [("open", email)]
        assert self.asked(controls, "/email-activity") == before[0] + 1

    def test_a_campaign_read_while_it_was_going_out_is_read_once_more(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "sent")
        clock.set(max(row["at"] for row in self.rows(controls, "events") if row["native"] == "sent") + 300_000)
        cursor = pages_of(connector, stream)[-1].cursor
        for more in (1, 0):
            clock.advance(86_400)
            before = self.asked(controls, "/sent-to")
            pages = pages_of(connector, stream, cursor)
            cursor = pages[-1].cursor
            assert self.asked(controls, "/sent-to") == before + more
            assert bool(facts_in(pages)) == bool(more)

    def test_activity_is_read_again_for_an_hour_and_keeps_its_ids(
        self, connector: Connector, controls: Controls, clock: VirtualClock,
    ) -> None:
        stream = self.stream(connector, "email_activity")
        first = pages_of(connector, stream)
        email = next(row["email"] for row in self.rows(controls) if row["live"])
        controls.act(self.platform, "happen", email=email, kind="email_opened")
        clock.advance(60)
        second = pages_of(connector, stream, first[-1].cursor)
        third = pages_of(connector, stream, second[-1].cursor)
        new = facts_in(second).keys() - facts_in(first).keys()
        assert len(new) == 1
        assert new <= facts_in(third).keys()
        assert len(facts_in(third)) <= 5

    def test_the_first_pull_reaches_back_as_far_as_it_is_told(self, connect: Connect, controls: Controls) -> None:
        since = sorted(row["at"] for row in self.rows(controls, "events"))[500]
        connector = connect(since=since)
        expected = [row for row in self.rows(controls, "events") if row["at"] >= since]
        found = [fact for stream in connector.capabilities.streams for fact in facts_in(pages_of(connector, stream)).values()]
        assert len(found) == len(expected)
        assert min(fact.at for fact in found) == since

    def test_a_deleted_campaign_does_not_hold_up_the_others(self, connector: Connector, sandbox: Sandbox) -> None:
        ghost = "0123456789"

        def haunted(body: Any) -> Any:
            rows = body["reports"]
            return {**body, "reports": [{**rows[0], "id": ghost}, *rows], "total_items": len(rows) + 1}

        whole = facts_in(pages_of(connector, self.stream(connector, "email_activity"))).keys()
        self.answer(sandbox, "/reports$", haunted)
        assert facts_in(pages_of(connector, self.stream(connector, "email_activity"))).keys() == whole
