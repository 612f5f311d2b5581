"""What every connector keeps when keys, accounts, answers or limits are not what they should be."""

from __future__ import annotations

import re

import pytest

import connectors.http
from connectors.base import (
    Connector,
    FaultKind,
    Op,
    PlatformError,
    ProfileId,
    StreamKind,
)
from connectors.clock import VirtualClock
from connectors.http import Caps
from connectors.sandbox.control import Controls
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Request, Response, Sandbox
from tests.connectors.ground import (
    TIMES,
    Connect,
    Ground,
    broken,
    pages_of,
    people_in,
)


class RefusalContract(Ground):
    """Keys, accounts, unsafe answers, limits."""

    def test_a_refused_key_is_told_as_such(self, connect: Connect) -> None:
        stranger = connect(key=self.bad_key())
        with pytest.raises(PlatformError) as caught:
            stranger.account()
        assert caught.value.kind is FaultKind.KEY
        for stream in stranger.capabilities.streams:
            with pytest.raises(PlatformError) as caught:
                list(stranger.pull(stream, None))
            assert caught.value.kind is FaultKind.KEY

    def test_a_revoked_key_stops_the_connection_at_the_next_write(self, connector: Connector, controls: Controls) -> None:
        target = self.target(connector, controls)
        some = self.changes(self.living(controls, target.audience)[:2], Op.ADD)
        controls.act(self.platform, "revoke_key")
        assert [getattr(verdict, "scope", None) for verdict in connector.push(target, some)] == ["connection"] * 2

    def test_another_account_behind_the_key_is_noticed(self, connector: Connector, controls: Controls) -> None:
        first = connector.account()
        assert connector.account() == first
        assert first.id
        controls.act(self.platform, "swap_account", id="777777", name="Somebody Else")
        assert connector.account().id != first.id

    @pytest.mark.parametrize("odd", [b'{"x": 1}', b'["a"]', b"true", b"1.5", b"null", b'""'])
    def test_what_is_no_id_is_no_account(self, connect: Connect, sandbox: Sandbox, odd: bytes) -> None:
        place = re.compile(rb'(?<=:)\s*"?' + re.escape(connect().account().id.encode()) + rb'"?(?=[,}])')

        def another(request: Request, response: Response) -> None:
            response.body, found = place.subn(odd, response.body)
            assert found

        self.spoil(sandbox, another)
        with pytest.raises(PlatformError) as caught:
            connect().account()
        assert (caught.value.kind, caught.value.code) == (FaultKind.EDGE, "unexpected shape")

    def test_a_redirect_is_not_followed(self, connect: Connect, controls: Controls) -> None:
        controls.fail(self.platform, "redirect", count=10_000)
        with pytest.raises(PlatformError) as caught:
            connect().account()
        assert caught.value.kind is FaultKind.UNSAFE
        for stream in connect().capabilities.streams:
            with pytest.raises(PlatformError) as caught:
                list(connect().pull(stream, None))
            assert caught.value.kind is FaultKind.UNSAFE

    def test_a_link_that_leads_elsewhere_is_not_followed(self, connect: Connect, sandbox: Sandbox) -> None:
        """Where the platform's answers carry links: every spelling of its own address becomes another host's."""
        def elsewhere(request: Request, response: Response) -> None:
            response.body = response.body.replace(request.base.encode(), b"http://127.0.0.2:9")

        sweep = self.sweep(connect())
        honest = people_in(pages_of(connect(), sweep)).keys()
        self.spoil(sandbox, elsewhere)
        pages, error = broken(connect(), sweep)
        if error is None:
            assert people_in(pages).keys() == honest     # it follows no links at all
        else:
            assert error.kind is FaultKind.UNSAFE
            assert not any(page.complete for page in pages)

    def test_a_body_over_the_cap_is_refused(self, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connectors.http, "Caps", lambda: Caps(raw=200, inflated=200))
        for stream in connect().capabilities.streams:
            with pytest.raises(PlatformError) as caught:
                list(connect().pull(stream, None))
            assert caught.value.kind is FaultKind.UNSAFE

    def test_an_answer_of_another_shape_is_never_an_empty_page(self, connect: Connect, sandbox: Sandbox) -> None:
        shape = [b""]

        def shifted(request: Request, response: Response) -> None:
            response.body = shape[0]

        self.spoil(sandbox, shifted)
        self.spoil(sandbox, shifted, method="POST")
        for stream in connect().capabilities.streams:
            for shape[0] in self.shapes:
                pages, error = broken(connect(), stream)
                assert error is not None
                assert not any(page.last or page.complete for page in pages)

    def test_a_listing_of_another_shape_is_never_complete(
        self, connector: Connector, controls: Controls, sandbox: Sandbox,
    ) -> None:
        target = self.target(connector, controls)
        shape = [b""]

        def shifted(request: Request, response: Response) -> None:
            response.body = shape[0]

        self.spoil(sandbox, shifted)
        for shape[0] in self.shapes:
            with pytest.raises(PlatformError):
                list(connector.members(target))

    # --- limits

    def test_a_whole_pull_in_calm_weather_is_never_throttled(self, connect: Connect, controls: Controls) -> None:
        connector = connect(share=0.8)
        self.all_pages(connector, StreamKind.PROFILES)
        self.all_pages(connector, StreamKind.EVENTS)
        assert controls.calls(self.platform)["connector"]["throttled"] == 0

    def test_hundreds_of_pushes_in_a_row_are_never_throttled(
        self, connect: Connect, controls: Controls, sandbox: Sandbox, clock: VirtualClock,
    ) -> None:
        connector = connect(share=0.8)
        target = self.target(connector, controls)
        some = self.changes(self.living(controls, target.audience)[:2], Op.ADD)
        for _ in range(40):
            connector.push(target, some)
        assert controls.calls(self.platform)["connector"]["throttled"] == 0

    def test_errors_carry_no_address_and_no_key(self, connector: Connector, controls: Controls, sandbox: Sandbox) -> None:
        target = self.target(connector, controls)
        row = self.living(controls, target.audience)[0]
        controls.fail(self.platform, "500", count=TIMES)
        with pytest.raises(PlatformError) as caught:
            connector.look(target, [ProfileId(row["id"])]) if connector.capabilities.lookup else list(connector.members(target))
        key = KEYS[self.platform]["connector"]
        for text in (str(caught.value), repr(caught.value), repr(connector)):
            assert "@" not in text
            assert key not in text
