"""Klaviyo's connector: the contract, and what is special about Klaviyo."""

from __future__ import annotations

import subprocess
import sys
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx
import orjson
import pytest

from connectors.base import (
    BATCH_REFUSED,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Accepted,
    Connector,
    Cursor,
    FaultKind,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Stopped,
    Stream,
    TellsJoining,
    Transient,
    instant,
)
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Request, Response, Sandbox, html_response, json_response
from tests.connectors.contract import ConnectorContract
from tests.connectors.ground import NOW, broken, facts_in, is_barred, pages_of, people_in


class TestKlaviyo(ConnectorContract):
    platform: ClassVar[str] = "klaviyo"
    archives: ClassVar[bool] = False                     # deleted people vanish

    def stream(self, connector: Connector, name: str) -> Stream:
        return next(stream for stream in connector.capabilities.streams if stream.name == name)

    def happen(self, controls: Controls, at: int, number: int) -> None:
        email = self.living(controls)[0]["email"]
        controls.act("klaviyo", "happen", email=email, kind="order_placed", at=at, value=5_000_000, number=number)

    def orders(self, connector: Connector, stream: str, since: Cursor | None = None) -> set[str]:
        facts = facts_in(pages_of(connector, self.stream(connector, stream), since)).values()
        return {event.properties["OrderId"] for event in facts if event.native == "Placed Order"}

    # --- cursors

    @pytest.mark.parametrize("name", ["profiles", "profiles_complete", "events", "events_week"])
    def test_a_walk_whose_cursor_klaviyo_forgot_starts_again_near_there(
        self, connector: Connector, controls: Controls, name: str,
    ) -> None:
        pages = pages_of(connector, self.stream(connector, name))
        whole = people_in(pages).keys() | facts_in(pages).keys()
        broken = orjson.loads(pages[0].cursor) | {"page": "Zm9yZ290dGVu"}
        before = self.calls(controls)
        rest = pages_of(connector, self.stream(connector, name), Cursor(orjson.dumps(broken).decode()))
        both = [pages[0], *rest]
        assert people_in(both).keys() | facts_in(both).keys() == whole
        assert rest[-1].complete == pages[-1].complete
        assert self.calls(controls) - before <= len(pages) + 2

    @pytest.mark.parametrize("name", ["profiles", "profiles_complete", "events"])
    def test_cursors_that_last_for_one_page_cost_calls_but_no_rows(
        self, connector: Connector, sandbox: Sandbox, name: str,
    ) -> None:
        pages = pages_of(connector, self.stream(connector, name))
        self.spoil(sandbox, forget_cursors)
        slow = pages_of(connector, self.stream(connector, name))
        assert people_in(slow).keys() == people_in(pages).keys()
        assert facts_in(slow).keys() == facts_in(pages).keys()

    def test_a_cursor_refused_twice_in_one_place_is_an_error(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        """More rows of one instant than fit on a page, and no way on: better an error than the same page for ever."""
        application, email = sandbox.applications["klaviyo"], self.living(controls)[0]["email"]
        for number in range(250):
            application.act("happen", email=email, kind="order_placed", at=NOW - HOUR, value=1, number=900_000 + number)
        self.spoil(sandbox, forget_cursors)
        pages, error = broken(connector, self.stream(connector, "events"))
        assert error is not None
        assert error.kind is FaultKind.CURSOR
        assert not any(page.last for page in pages)

    def test_a_walk_out_of_order_starts_from_its_beginning(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        """Its last row says nothing about those before it, and a sweep that skips somebody would call them gone."""
        def backwards(request: Request, response: Response) -> None:
            document = orjson.loads(response.body)
            document["data"].reverse()
            response.body = orjson.dumps(document)

        self.spoil(sandbox, backwards)
        stream = self.stream(connector, "profiles_complete")
        first = next(iter(connector.pull(stream, None)))
        broken = orjson.loads(first.cursor) | {"page": "Zm9yZ290dGVu"}
        rest = pages_of(connector, stream, Cursor(orjson.dumps(broken).decode()))
        assert people_in(rest).keys() == {row["id"] for row in self.rows(controls)}

    def test_a_next_link_that_leads_in_a_circle_is_no_progress(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        def circle(request: Request, response: Response) -> None:
            if request.one("page[cursor]"):
                document = orjson.loads(response.body)
                document["links"] = {"next": f"{request.base}{request.path}?{request.raw_query}"}
                response.body = orjson.dumps(document)

        target = self.target(connector, controls)
        for number in range(12):
            controls.act("klaviyo", "create_target", name=f"List {number}")
        for row in self.living(controls)[:150]:
            self.by_hand(controls, target, row["email"])
        sandbox.virtual().advance(3600)
        self.spoil(sandbox, circle)
        for read in (
            lambda: list(connector.members(target)), lambda: connector.find("list", """neither " nor ' is right""", ""),
            lambda: list(connector.pull(self.stream(connector, "events"), None)),
        ):
            with pytest.raises(PlatformError, match="no progress"):
                read()

    def test_a_cursor_of_somebody_else_is_refused(self, connector: Connector) -> None:
        for text in ("what?", "[]", '{"since": 1}', "7"):
            with pytest.raises(PlatformError) as caught:
                list(connector.pull(self.stream(connector, "events"), Cursor(text)))
            assert caught.value.kind is FaultKind.CURSOR

    # --- time

    def test_an_event_two_hours_late_comes_with_the_changes(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        last = pages_of(connector, self.stream(connector, "events"))[-1]
        self.happen(controls, sandbox.clock.now() - 2 * HOUR, 900_001)
        sandbox.virtual().advance(60)
        assert "900001" in self.orders(connector, "events", last.cursor)

    def test_an_event_days_late_comes_with_the_week_and_weeks_late_with_the_month(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        last = pages_of(connector, self.stream(connector, "events"))[-1]
        week = pages_of(connector, self.stream(connector, "events_week"))[-1]
        self.happen(controls, NOW - 4 * DAY, 900_001)
        self.happen(controls, NOW - 17 * DAY, 900_002)
        sandbox.virtual().advance(DAY / 1000)
        assert not self.orders(connector, "events", last.cursor) & {"900001", "900002"}
        found = pages_of(connector, self.stream(connector, "events_week"), week.cursor)
        assert {e.properties.get("OrderId") for e in facts_in(found).values()} & {"900001", "900002"} == {"900001"}
        sandbox.virtual().advance(6 * DAY / 1000)
        assert "900002" in self.orders(connector, "events_week", found[-1].cursor)

    def test_an_event_in_the_future_moves_no_watermark_and_comes_in_its_time(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        self.happen(controls, sandbox.clock.now() + 2 * DAY, 900_001)
        first = pages_of(connector, self.stream(connector, "events"))
        assert max(event.at for event in facts_in(first).values()) < sandbox.clock.now()
        assert first[-1].watermark is not None
        assert first[-1].watermark <= sandbox.clock.now() - 10 * SECOND
        self.happen(controls, sandbox.clock.now(), 900_002)
        sandbox.virtual().advance(60)
        second = pages_of(connector, self.stream(connector, "events"), first[-1].cursor)
        assert {e.properties.get("OrderId") for e in facts_in(second).values()} >= {"900002"}
        sandbox.virtual().advance(2 * DAY / 1000)
        assert "900001" in self.orders(connector, "events", second[-1].cursor)

    def test_bounds_follow_the_platform_s_time_when_our_clock_is_wrong(
        self, sandbox: Sandbox, clock: Any,
    ) -> None:
        """A machine two hours ahead would ask for the future, which Klaviyo refuses."""
        from connectors.clock import VirtualClock
        from connectors.registry import kind

        for wrong in (2 * HOUR, -2 * HOUR):
            ours = VirtualClock(clock.now() + wrong)
            connector = kind("klaviyo").open(self.connection(sandbox), ours)
            assert pages_of(connector, self.stream(connector, "events"))[-1].watermark == clock.now() - 10 * SECOND
            assert (pages_of(connector, self.stream(connector, "profiles"))[-1].watermark or 0) <= clock.now()
            connector.close()

    def test_only_the_overlap_is_read_again(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        last = pages_of(connector, self.stream(connector, "events"))[-1]
        now = sandbox.clock.now()
        for number, at in enumerate((now - 4 * HOUR, now - 3 * HOUR + 5 * MINUTE, now - MINUTE)):
            self.happen(controls, at, 900_000 + number)
        sandbox.virtual().advance(60)
        found = facts_in(pages_of(connector, self.stream(connector, "events"), last.cursor)).values()
        assert {event.properties["OrderId"] for event in found if event.properties.get("OrderId", "").startswith("9000")} == {
            "900001", "900002"}
        assert all(event.at >= (last.watermark or 0) - 3 * HOUR for event in found)

    # --- people

    @pytest.mark.parametrize("at", [1, 2])
    def test_a_sweep_whose_next_link_is_missing_is_not_complete(
        self, connector: Connector, sandbox: Sandbox, at: int,
    ) -> None:
        left = [at]

        def ended(request: Request, response: Response) -> None:
            left[0] -= 1
            if not left[0]:
                response.body = orjson.dumps(orjson.loads(response.body) | {"links": {"next": None}})

        self.spoil(sandbox, ended)
        pages = pages_of(connector, self.sweep(connector))
        assert (sum(len(page.profiles) for page in pages), pages[-1].complete) == (100 * at, False)
        assert pages_of(connector, self.sweep(connector))[-1].complete

    def test_a_sweep_is_complete_whoever_comes_meanwhile(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        pages = connector.pull(self.sweep(connector), None)
        next(pages)
        controls.act("klaviyo", "create_profile", email="new.here@shop.example", standing="granted")
        *_, last = pages
        assert last.complete

    def test_suppression_is_seen_although_updated_did_not_move(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        last = pages_of(connector, self.stream(connector, "profiles"))[-1]
        sandbox.virtual().advance(3600)
        row = next(row for row in self.living(controls) if not row["barred"])
        controls.act("klaviyo", "suppress", email=row["email"])
        sandbox.virtual().advance(60)
        found = people_in(pages_of(connector, self.stream(connector, "profiles"), last.cursor))[ProfileId(row["id"])]
        assert is_barred(found)
        assert (found.updated or 0) < (last.watermark or 0)

    def test_consent_stands_beside_the_fields_not_in_them(self, connector: Connector) -> None:
        for profile in people_in(pages_of(connector, self.stream(connector, "profiles"))).values():
            assert "subscriptions" not in profile.fields
            assert profile.fields["email"] == profile.email
            assert [consent.channel for consent in profile.consent][:1] == ["email"]

    def test_a_profile_without_an_address_is_looked_up_by_its_lists(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        body = {"data": {"type": "profile", "attributes": {"phone_number": "+15005550006"}}}
        headers = {"Authorization": f"Klaviyo-API-Key {KEYS['klaviyo']['tester']}", "revision": "2026-07-15"}
        made = httpx.post(f"{sandbox.urls['klaviyo']}/api/profiles", json=body, headers=headers)
        assert made.status_code == 201, made.text
        nameless = ProfileId(made.json()["data"]["id"])
        assert connector.look(target, [nameless]) == {nameless: False}
        assert connector.push(target, [RemoteChange(Op.ADD, nameless)]) == [Accepted()]
        sandbox.virtual().advance(3600)
        assert connector.look(target, [nameless]) == {nameless: True}
        assert people_in(pages_of(connector, self.stream(connector, "profiles")))[nameless].email is None

    def test_looking_asks_two_calls_for_a_hundred_people(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        people = [ProfileId(row["id"]) for row in self.living(controls)[:200]]
        before = self.calls(controls)
        assert connector.look(target, people) == dict.fromkeys(people, False)
        assert self.calls(controls) == before + 4

    # --- lists

    def test_a_listing_of_nobody_is_complete_only_when_klaviyo_counts_nobody(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        assert [page.complete for page in connector.members(target)] == [True]
        for row in self.living(controls)[:3]:
            self.by_hand(controls, target, row["email"])
        sandbox.virtual().advance(3600)

        def empty(request: Request, response: Response) -> None:
            if request.path.endswith(f"/lists/{target.id}/profiles"):
                response.body = orjson.dumps({"data": [], "links": {"next": None}})

        self.spoil(sandbox, empty)
        assert [page.complete for page in connector.members(target)] == [False]

    def test_a_listing_whose_next_link_is_missing_is_not_complete(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        """Also where all came in one call, and so at one instant."""
        target = self.target(connector, controls)
        connector.push(target, self.changes(self.living(controls)[:250], Op.ADD))
        sandbox.virtual().advance(3600)
        assert len(self.members(connector, target)) == 250

        def ended(request: Request, response: Response) -> None:
            if request.path.endswith(f"/lists/{target.id}/profiles"):
                response.body = orjson.dumps(orjson.loads(response.body) | {"links": {"next": None}})

        self.spoil(sandbox, ended)
        pages = list(connector.members(target))
        assert [(len(page.members), page.last, page.complete) for page in pages] == [(100, True, False)]

    def test_a_listing_is_complete_while_people_leave_and_whatever_klaviyo_counts(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        people = self.living(controls)[:250]
        connector.push(target, self.changes(people, Op.ADD))
        sandbox.virtual().advance(3600)

        def counted(request: Request, response: Response) -> None:
            document = orjson.loads(response.body)
            if request.path.endswith(f"/lists/{target.id}"):
                document["data"]["attributes"]["profile_count"] = 9999
            response.body = orjson.dumps(document)

        self.spoil(sandbox, counted)
        pages = connector.members(target)
        first = next(pages)
        controls.act("klaviyo", "remove_by_hand", email=people[-1]["email"], target=target.name)
        controls.act("klaviyo", "erase", email=people[-2]["email"])
        sandbox.virtual().advance(3600)
        rest = list(pages)
        assert not first.complete
        assert rest[-1].complete

    def test_a_listing_that_somebody_joined_meanwhile_unseen_is_not_complete_and_the_next_one_is(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        people = self.living(controls)
        for row in people[:3]:
            self.by_hand(controls, target, row["email"])
        sandbox.virtual().advance(3600)
        joined = [False]

        def joins(request: Request, response: Response) -> None:
            if request.path.endswith(f"/lists/{target.id}/profiles") and not joined[0]:
                joined[0] = True
                sandbox.applications["klaviyo"].act("add_by_hand", email=people[3]["email"], target=target.name)
                sandbox.virtual().advance(3600)

        self.spoil(sandbox, joins)
        assert [page.complete for page in connector.members(target)] == [False]
        assert len(self.members(connector, target)) == 4

    def test_a_listing_tells_since_when_and_costs_one_call_a_hundred_people_and_one_for_its_end(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        people = [row["email"] for row in self.living(controls)[:120]]
        for email in people:
            self.by_hand(controls, target, email)
        sandbox.virtual().advance(3600)
        before = self.calls(controls)
        pages = list(connector.members(target))
        assert self.calls(controls) == before + 2 + 1
        assert [set(page.joined) == set(page.members) for page in pages] == [True, True]

    def test_since_when_is_told_by_our_clock_however_far_klaviyo_s_is_from_it(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        self.by_hand(controls, target, self.living(controls)[0]["email"])
        sandbox.virtual().advance(3600)
        (right,) = list(connector.members(target))

        def two_hours_ahead(request: Request, response: Response) -> None:
            response.headers["Date"] = format_datetime(instant(sandbox.virtual().now() + 2 * HOUR), usegmt=True)

        self.spoil(sandbox, two_hours_ahead)
        list(connector.members(target))                 # the clocks are compared
        (page,) = list(connector.members(target))
        ((who, at),) = page.joined.items()
        assert abs(at + 2 * HOUR - right.joined[who]) <= 1000
        assert isinstance(connector, TellsJoining)
        assert abs(connector.joined(target, [who])[who] - at) <= 1000

    def test_a_lost_answer_to_create_makes_no_second_list(self, connector: Connector, controls: Controls) -> None:
        controls.fail("klaviyo", "drop_after", match="POST /api/lists")
        with pytest.raises(PlatformError) as caught:
            connector.create("list", "Winter buyers", "")
        assert caught.value.maybe
        assert controls.calls("klaviyo")["connector"]["by_route"]["POST /api/lists"] == 1
        assert connector.create("list", "Winter buyers", "") == connector.find("list", "Winter buyers", "")
        assert controls.calls("klaviyo")["connector"]["by_route"]["POST /api/lists"] == 1

    def test_a_refused_call_to_create_is_sent_again_and_counted_as_not_done(self, connector: Connector, controls: Controls) -> None:
        controls.fail("klaviyo", "503", match="POST /api/lists")
        with pytest.raises(PlatformError):
            connector.create("list", "Winter buyers", "")
        connector.create("list", "Winter buyers", "")
        told = controls.calls("klaviyo")["connector"]
        assert (told["by_route"]["POST /api/lists"], told["done"]["POST /api/lists"]) == (2, 1)

    def test_two_lists_of_one_name_are_for_a_person_to_settle(self, connector: Connector, controls: Controls) -> None:
        connector.create("list", "Winter buyers", "")
        controls.act("klaviyo", "create_target", name="Winter buyers")
        with pytest.raises(PlatformError, match="several lists have this name"):
            connector.find("list", "Winter buyers", "")

    def test_there_are_no_tags_audiences_or_subscription_types(self, connector: Connector) -> None:
        for ask in (
            lambda: connector.find("tag", "VIP", ""), lambda: connector.create("tag", "VIP", ""),
            lambda: connector.audience("Shop"), lambda: connector.subscription("Newsletter"),
        ):
            with pytest.raises(PlatformError):
                ask()
        assert connector.audience("") == ""
        assert set(connector.capabilities.refused) == {"tag", "audience", "subscription"}

    # --- writes

    def test_a_batch_is_a_thousand_of_one_kind(self, connector: Connector, controls: Controls) -> None:
        target = RemoteTarget("list", "LiSt01", "Winter buyers")
        some = [RemoteChange(Op.ADD, ProfileId(f"P{n}")) for n in range(1001)]
        for batch in (some, [some[0], RemoteChange(Op.REMOVE, ProfileId("P1"))]):
            with pytest.raises(ValueError, match="at most 1000"):
                connector.push(target, batch)
        assert self.calls(controls) == 0

    @pytest.mark.parametrize(("status", "pointer", "expected"), [
        (400, "/data/1/id", [Transient(BATCH_REFUSED), Rejected("refused: invalid /data/1/id"), Transient(BATCH_REFUSED)]),
        (400, "/data/", [Transient(BATCH_REFUSED)] * 3),
        (409, "/data/99/id", [Transient(BATCH_REFUSED)] * 3),
        (404, "/data/2", [Transient(BATCH_REFUSED), Transient(BATCH_REFUSED), Rejected("profile is gone")]),
        (404, "/data/", [Transient(BATCH_REFUSED)] * 3),
    ])
    def test_a_refused_batch_rejects_whom_it_names_and_nobody_else(
        self, connector: Connector, controls: Controls, sandbox: Sandbox, status: int, pointer: str, expected: list[Any],
    ) -> None:
        target = self.target(connector, controls)

        def refuse(request: Request, response: Response) -> None:
            error = {"id": "0", "status": status, "code": "invalid", "detail": "no", "source": {"pointer": pointer}}
            refusal = json_response(status, {"errors": [error]})
            response.status, response.body, response.headers = refusal.status, refusal.body, refusal.headers

        self.spoil(sandbox, refuse, method="DELETE")
        changes = self.changes(self.living(controls)[:3], Op.REMOVE)
        assert connector.push(target, changes) == expected
        alone = connector.push(target, changes[:1])
        assert [type(verdict) for verdict in alone] == [Rejected]

    def test_a_page_of_the_edge_is_tried_later_not_taken_as_done(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)

        def challenge(request: Request, response: Response) -> None:
            page = html_response(403)
            response.status, response.body, response.headers = 403, page.body, page.headers

        self.spoil(sandbox, challenge, method="POST")
        (verdict,) = connector.push(target, self.changes(self.living(controls)[:1], Op.ADD))
        assert verdict == Transient("blocked at the edge")

    def test_a_missing_scope_stops_the_connection_and_is_named(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        controls.act("klaviyo", "drop_scope", scope="lists:write")
        (verdict,) = connector.push(target, self.changes(self.living(controls)[:1], Op.ADD))
        assert verdict == Stopped("missing scope lists:write", scope="connection")
        controls.act("klaviyo", "drop_scope", scope="events:read")
        with pytest.raises(PlatformError, match="missing scope events:read") as caught:
            list(connector.pull(self.stream(connector, "events"), None))
        assert caught.value.kind is FaultKind.SCOPE

    # --- every call

    def test_every_call_names_the_revision_and_refuses_another(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        """Those of the SDK, too, which pins another one."""
        revisions: set[tuple[str, str]] = set()
        for method in ("GET", "POST"):
            self.spoil(sandbox, lambda request, response: revisions.add((
                request.headers.get("revision", ""), request.headers.get("x-klaviyo-revision-fall-forward-opt-out", ""),
            )), method=method)
        connector.account()
        target = self.target(connector, controls)
        connector.push(target, self.changes(self.living(controls)[:1], Op.ADD))
        for stream in connector.capabilities.streams:
            pages_of(connector, stream)
        list(connector.members(target))
        assert revisions == {("2026-07-15", "1")}

    @pytest.mark.parametrize("fault", ["500", "503", "429", "drop_after", "cut", "html"])
    def test_the_sdk_repeats_nothing_by_itself(self, connector: Connector, controls: Controls, fault: str) -> None:
        connector.account()
        before = self.calls(controls)
        controls.fail("klaviyo", fault)
        connector.account()
        assert self.calls(controls) == before + 2

    def test_a_window_that_others_used_up_is_waited_for(self, connector: Connector, sandbox: Sandbox, clock: Any) -> None:
        def used_up(request: Request, response: Response) -> None:
            response.headers |= {"RateLimit-Remaining": "0", "RateLimit-Reset": "42"}

        stream = self.stream(connector, "profiles_complete")
        start = clock.now()
        assert len(pages_of(connector, stream)) == 4
        calm = clock.now() - start
        self.spoil(sandbox, used_up)
        assert len(pages_of(connector, stream)) == 4
        assert clock.now() - start - calm == 3 * 42 * SECOND   # three pages and a look at the end: four calls

    @pytest.mark.parametrize("reset", ["²", "٣٣", "-1", "1e9", "soon", ""])
    def test_a_window_whose_end_is_no_number_is_not_waited_for(
        self, connector: Connector, sandbox: Sandbox, clock: Any, reset: str,
    ) -> None:
        def used_up(request: Request, response: Response) -> None:
            response.headers |= {"RateLimit-Remaining": "0", "RateLimit-Reset": reset.encode().decode("latin-1")}

        self.spoil(sandbox, used_up)
        start = clock.now()
        assert connector.account() == connector.account()
        assert clock.now() - start <= 2 * SECOND

    def test_a_retired_revision_stops_everything(self, connector: Connector, sandbox: Sandbox) -> None:
        def retired(request: Request, response: Response) -> None:
            response.status, response.body = 410, b'{"errors": [{"code": "gone", "detail": "retired"}]}'

        self.spoil(sandbox, retired)
        for ask in (connector.account, lambda: list(connector.pull(self.stream(connector, "profiles"), None))):
            with pytest.raises(PlatformError) as caught:
                ask()
            assert caught.value.kind is FaultKind.RETIRED


def forget_cursors(request: Request, response: Response) -> None:
    """Klaviyo refuses whatever cursor it gave."""
    if request.one("page[cursor]"):
        response.status = 400
        error = {"status": 400, "code": "invalid", "detail": "Invalid cursor provided.", "source": {"pointer": "/data/"}}
        response.body = orjson.dumps({"errors": [error]})


def test_loading_the_kind_loads_no_client_and_no_sdk() -> None:
    code = "import sys, connectors.klaviyo.connector as c; c.KIND; print([m for m in sys.modules if m.split('.')[0] in " \
           "('httpx', 'klaviyo_api', 'openapi_client', 'urllib3', 'pydantic', 'tenacity', 'orjson')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
