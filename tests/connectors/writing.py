"""What every connector keeps about targets, their members and writes to them."""

from __future__ import annotations

import pytest

from connectors.base import (
    SECOND,
    Accepted,
    Connector,
    Effect,
    FaultKind,
    Op,
    PlatformError,
    ProfileId,
    Rejected,
    RemoteChange,
    TellsJoining,
    Transient,
)
from connectors.sandbox.control import Controls
from connectors.sandbox.server import Sandbox
from tests.connectors.ground import (
    TIMES,
    Connect,
    Ground,
)


class WritingContract(Ground):
    """Targets, members, pushes."""

    def test_creating_twice_makes_one(self, connector: Connector, controls: Controls, connect: Connect) -> None:
        audience = self.audience(connector, controls)
        assert connector.find(self.target_kind, "Winter buyers", audience) is None
        first = connector.create(self.target_kind, "Winter buyers", audience)
        assert connect().create(self.target_kind, "Winter buyers", audience) == first
        assert connect().find(self.target_kind, "Winter buyers", audience) == first
        assert first.name == "Winter buyers"

    def test_a_target_is_found_by_its_whole_name_only(self, connector: Connector, controls: Controls) -> None:
        audience = self.audience(connector, controls)
        for name in ("VIP customers", "VIP", 'five "o clock", rain', "it's"):
            connector.create(self.target_kind, name, audience)
        for name in ("VIP customers", "VIP", 'five "o clock", rain', "it's"):
            found = connector.find(self.target_kind, name, audience)
            assert found is not None
            assert found.name == name
        assert connector.find(self.target_kind, "VIPcustomers", audience) is None

    def test_members_are_everybody_whoever_put_them_there(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        assert self.members(connector, target) == set()
        for row in self.living(controls, target.audience)[:230]:
            self.by_hand(controls, target, row["email"])
        sandbox.virtual().advance(3600)
        assert len(self.truth(controls, target)) == min(230, len(self.living(controls, target.audience)))
        assert self.members(connector, target) == self.truth(controls, target)

    def test_a_listing_that_breaks_off_is_not_complete(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        self.by_hand(controls, target, self.living(controls, target.audience)[0]["email"])
        sandbox.virtual().advance(3600)
        controls.fail(self.platform, "500", count=TIMES)
        with pytest.raises(PlatformError):
            list(connector.members(target))

    def test_a_target_that_is_gone_is_an_error_and_stops_its_writes(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        row = self.living(controls, target.audience)[0]
        controls.act(self.platform, "delete_target", name=target.name)
        sandbox.virtual().advance(3600)
        with pytest.raises(PlatformError) as caught:
            list(connector.members(target))
        assert caught.value.kind is FaultKind.GONE
        (verdict,) = connector.push(target, [RemoteChange(Op.ADD, ProfileId(row["id"]), row["email"])])
        assert getattr(verdict, "scope", None) == "target", verdict

    def test_it_tells_since_when_somebody_is_a_member(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        if not connector.capabilities.joining_told:
            return
        assert isinstance(connector, TellsJoining)
        target = self.target(connector, controls)
        ours, theirs, nobody = self.living(controls, target.audience)[:3]
        before = sandbox.virtual().now()
        connector.push(target, self.changes([ours, theirs], Op.ADD))
        sandbox.virtual().advance(3600)
        connector.push(target, self.changes([theirs], Op.REMOVE))
        sandbox.virtual().advance(3600)
        later = sandbox.virtual().now()
        self.by_hand(controls, target, theirs["email"])
        sandbox.virtual().advance(3600)
        joined = connector.joined(target, [ProfileId(row["id"]) for row in (ours, theirs, nobody)])
        assert joined.keys() == {ours["id"], theirs["id"]}
        assert before - SECOND < joined[ours["id"]] <= before + 60 * SECOND
        assert later - SECOND < joined[theirs["id"]] <= later + 60 * SECOND
        listed = {who: at for page in connector.members(target) for who, at in page.joined.items()}
        assert listed in ({}, joined), "the same, where a listing tells it too"

    # --- writing

    def test_pushing_twice_is_pushing_once(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:30]
        for op, expected in ((Op.ADD, {ProfileId(row["id"]) for row in some}), (Op.REMOVE, set[ProfileId]())):
            for _ in range(2):
                verdicts = connector.push(target, self.changes(some, op))
                assert all(isinstance(verdict, Accepted) for verdict in verdicts), verdicts
            sandbox.virtual().advance(connector.capabilities.member_lag / 1000)
            assert self.truth(controls, target) == expected
            assert self.members(connector, target) == expected

    def test_a_push_is_one_call(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        before = self.calls(controls)
        connector.push(target, self.changes(self.living(controls, target.audience)[:50], Op.ADD))
        assert self.calls(controls) == before + 1

    def test_there_is_one_verdict_per_change_in_order(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        target = self.target(connector, controls)
        some = self.changes(self.living(controls, target.audience)[:7], Op.ADD)
        nobody = RemoteChange(Op.ADD, ProfileId(self.unknown), "nobody.at.all@shop.example")
        verdicts = self.settle(connector, target, [*some[:4], nobody, *some[4:]])
        assert isinstance(verdicts[4], Rejected), verdicts
        assert all(isinstance(verdict, Accepted) for n, verdict in enumerate(verdicts) if n != 4), verdicts
        sandbox.virtual().advance(connector.capabilities.member_lag / 1000)
        assert self.members(connector, target) == {change.profile for change in some}
        assert len(self.rows(controls)) == len({row["id"] for row in self.rows(controls)})

    def test_a_push_never_makes_a_profile(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        before = len(self.rows(controls))
        self.settle(connector, target, [RemoteChange(Op.ADD, ProfileId(self.unknown), "nobody.at.all@shop.example")])
        assert len(self.rows(controls)) == before

    def test_what_a_hand_did_is_never_told_as_changed_by_us(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        hers, ours = self.living(controls, target.audience)[:2]
        self.by_hand(controls, target, hers["email"])
        sandbox.virtual().advance(3600)
        verdicts = connector.push(target, self.changes([hers, ours], Op.ADD))
        assert isinstance(verdicts[0], Accepted)
        assert verdicts[0].effect is not Effect.CHANGED
        assert verdicts[1] == Accepted(Effect.CHANGED if connector.capabilities.effect_told else Effect.UNTOLD)

    @pytest.mark.parametrize(("fault", "maybe"), [("500", True), ("drop_after", True), ("429", False)])
    def test_a_failed_push_says_whether_it_may_have_happened(
        self, connector: Connector, controls: Controls, fault: str, maybe: bool,
    ) -> None:
        target = self.target(connector, controls)
        some = self.changes(self.living(controls, target.audience)[:3], Op.ADD)
        before = self.calls(controls)
        controls.fail(self.platform, fault, match="POST|PUT|PATCH|DELETE")
        verdicts = connector.push(target, some)
        assert self.calls(controls) == before + 1
        assert all(isinstance(verdict, Transient) and verdict.maybe is maybe for verdict in verdicts), verdicts
        if fault == "429" and self.names_wait:
            assert all(isinstance(verdict, Transient) and verdict.retry_after for verdict in verdicts), verdicts

    def test_an_empty_batch_is_no_call(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        before = self.calls(controls)
        assert connector.push(target, []) == []
        assert self.calls(controls) == before

    def test_looking_tells_who_is_on_the_target(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        if not connector.capabilities.lookup:
            return
        target = self.target(connector, controls)
        some = self.living(controls, target.audience)[:40]
        for row in some[::2]:
            self.by_hand(controls, target, row["email"])
        sandbox.virtual().advance(3600)
        looked = connector.look(target, [*(ProfileId(row["id"]) for row in some), ProfileId(self.unknown)])
        assert looked == {ProfileId(row["id"]): n % 2 == 0 for n, row in enumerate(some)}
        assert connector.look(target, []) == {}
