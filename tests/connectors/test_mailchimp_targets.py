"""Mailchimp's tags: finding, making, filling them, and the vendor's package that the first two go through."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from connectors.base import (
    BATCH_REFUSED,
    Accepted,
    Connector,
    Effect,
    FaultKind,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    RemoteTarget,
    Transient,
)
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Request, Response, Route, Sandbox
from tests.connectors.ground import Connect
from tests.connectors.test_mailchimp import Mailchimp


class TestTags(Mailchimp):
    """Targets and writes."""

    people: ClassVar[int] = 60
    events: ClassVar[int] = 50

    def test_names_differ_by_more_than_case(self, connector: Connector, controls: Controls) -> None:
        made = self.target(connector, controls, "Winter buyers")
        assert connector.find("tag", "WINTER buyers", made.audience) == made
        assert connector.create("tag", "winter BUYERS", made.audience) == made

    def test_a_list_is_no_target_here(self, connector: Connector, controls: Controls) -> None:
        for ask in (connector.find, connector.create):
            with pytest.raises(PlatformError) as caught:
                ask("list", "x", self.audience(connector, controls))
            assert caught.value.kind is FaultKind.INVALID

    def test_adds_and_removes_go_in_one_call(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:6]
        connector.push(target, self.changes(some[:3], Op.ADD))
        before = self.calls(controls)
        verdicts = connector.push(target, [*self.changes(some[3:], Op.ADD), *self.changes(some[:3], Op.REMOVE)])
        assert verdicts == [Accepted(Effect.UNTOLD)] * 6
        assert self.calls(controls) == before + 1
        assert self.members(connector, target) == {ProfileId(row["id"]) for row in some[3:]}

    def test_taking_off_somebody_who_is_not_there_is_done_already(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        row = self.living(controls, target.audience)[0]
        nobody = RemoteChange(Op.REMOVE, ProfileId(f"{target.audience}:0"), "nobody.at.all@shop.example")
        verdicts = connector.push(target, [*self.changes([row], Op.REMOVE), nobody])
        assert verdicts == [Accepted(Effect.ALREADY)] * 2

    def test_somebody_without_an_address_is_rejected_and_the_rest_is_sent(
        self, connector: Connector, controls: Controls,
    ) -> None:
        target = self.target(connector, controls)
        (change,) = self.changes(self.living(controls, target.audience)[:1], Op.ADD)
        mute = RemoteChange(Op.ADD, ProfileId("x:y"))
        assert connector.push(target, [mute, change]) == [Rejected("no address"), Accepted(Effect.UNTOLD)]
        before = self.calls(controls)
        assert connector.push(target, [mute]) == [Rejected("no address")]
        assert self.calls(controls) == before

    def test_a_batch_over_the_limit_is_refused_whole_and_changes_nothing(
        self, connector: Connector, controls: Controls,
    ) -> None:
        target = self.target(connector, controls)
        many = [RemoteChange(Op.ADD, ProfileId(f"x:{n}"), f"n{n}@shop.example") for n in range(501)]
        assert connector.push(target, many) == [Transient(BATCH_REFUSED)] * 501
        assert self.members(connector, target) == set()

    def test_an_answer_without_its_lists_may_have_done_it(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        changes = self.changes(self.living(controls, target.audience)[:2], Op.ADD)

        def empty(request: Request, response: Response) -> None:
            response.body = b"{}"

        self.spoil(sandbox, empty, method="POST")
        assert connector.push(target, changes) == [Transient("unexpected shape", maybe=True)] * 2

    def test_looking_tells_who_wears_the_tag(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        on, off = self.living(controls, target.audience)[:2]
        connector.push(target, self.changes([on], Op.ADD))
        nobody = ProfileId(f"{target.audience}:00000000000000000000000000000000")
        assert connector.look(target, [on["id"], off["id"], nobody]) == {on["id"]: True, off["id"]: False}

    def test_archived_people_stand_apart(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:3]
        connector.push(target, self.changes(some, Op.ADD))
        controls.act(self.platform, "archive", email=some[0]["email"])
        assert self.members(connector, target) == {ProfileId(row["id"]) for row in some[1:]}


class TestTheVendorsPackage(Mailchimp):
    """The traps of the SDK that the control plane goes through."""

    people: ClassVar[int] = 30
    events: ClassVar[int] = 20

    def test_an_answer_without_a_body_is_an_error_whatever_the_package_makes_of_it(
        self, connector: Connector, controls: Controls,
    ) -> None:
        controls.act(self.platform, "switch", name="bare_429", value=True)
        controls.fail(self.platform, "429", count=1000)
        with pytest.raises(PlatformError) as caught:
            connector.account()
        assert caught.value.kind is FaultKind.THROTTLED

    def test_the_word_server_stays_in_a_path(self, connector: Connector, sandbox: Sandbox) -> None:
        paths: list[str] = []
        application = sandbox.applications[self.platform]
        honest = application.finish

        def noted(request: Request, response: Response, role: str, found: Route | None) -> None:
            honest(request, response, role, found)
            paths.append(request.path)

        application.finish = noted  # type: ignore[method-assign]  # an instance that remembers what it was asked
        with pytest.raises(PlatformError) as caught:
            connector.find("tag", "VIP", "observer1")
        assert caught.value.kind is FaultKind.GONE
        assert paths == ["/3.0/lists/observer1/segments"]

    @pytest.mark.parametrize(("fault", "kind"), [
        ("401", FaultKind.KEY), ("403", FaultKind.SCOPE), ("html403", FaultKind.EDGE), ("429", FaultKind.THROTTLED),
        ("500", FaultKind.TRANSIENT), ("502", FaultKind.EDGE), ("html", FaultKind.EDGE), ("redirect", FaultKind.UNSAFE),
        ("drop_after", FaultKind.TRANSIENT), ("cut", FaultKind.TRANSIENT),
    ])
    def test_what_goes_wrong_means_the_same_on_both_planes(
        self, connect: Connect, controls: Controls, fault: str, kind: FaultKind,
    ) -> None:
        controls.fail(self.platform, fault, count=1000)
        asks: list[Callable[[Connector], object]] = [
            lambda connector: connector.account(),
            lambda connector: list(connector.members(RemoteTarget("tag", "1", "x", "y"))),
        ]
        for ask in asks:
            with pytest.raises(PlatformError) as caught:
                ask(connect())
            assert caught.value.kind is kind
