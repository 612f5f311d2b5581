"""What `Http` makes of answers that no decent server gives, and what its budget makes of waits and of clocks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

import connectors.http
from connectors.base import (
    DAY,
    HOUR,
    SECOND,
    Accepted,
    Connection,
    Connector,
    FaultKind,
    Limit,
    Op,
    PlatformError,
    ProfileId,
    RemoteChange,
    RemoteTarget,
    RetryPolicy,
    Secret,
)
from connectors.budget import Budget
from connectors.clock import VirtualClock
from connectors.http import Answer, Caps, Http, parse_retry_after
from connectors.registry import kind
from tests.connectors.ground import NOW
from tests.connectors.scripted import Platform, raw

PLATFORMS = ("klaviyo", "hubspot", "mailchimp")
JSON = b"content-type: application/json\r\n"


def answer(body: bytes, headers: bytes = JSON, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body


@contextmanager
def saying(*answers: bytes) -> Iterator[Platform]:
    """A server that gives *answers* in turn, the last one for ever."""
    left = list(answers)

    def say(_: bytes, connection: socket.socket) -> None:
        connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    with raw(say) as platform:
        yield platform


def http_to(platform: Platform, clock: VirtualClock | None = None) -> Http:
    clock = clock or VirtualClock(NOW)
    return Http("shop", platform.url, clock=clock, headers={}, budget=Budget([], 0.8, clock), jitter=lambda: 0.0)


def open_to(name: str, platform: Platform) -> Connector:
    connection = Connection("here", name, Secret("secret-us1"), 0, base_url=platform.url, retry=RetryPolicy(attempts=2))
    return kind(name).open(connection, VirtualClock(NOW))


HOSTILE = {
    "gzip that is none": answer(b'{"data": []}', JSON + b"content-encoding: gzip\r\n"),
    "gzip that ends early": answer(b"\x1f\x8b\x08\x00\x00\x00\x00\x00", JSON + b"content-encoding: gzip\r\n"),
    "an encoding nobody asked for": answer(b"\x8b\x02\x80", JSON + b"content-encoding: br\r\n"),
    "an encoding of an encoding": answer(b"\x1f\x8b\x08", JSON + b"content-encoding: gzip, gzip\r\n"),
    "JSON too deep": answer(b"[" * 100_000 + b"]" * 100_000),
    "JSON just deep enough": answer(b'{"list":' * 1000 + b"1" + b"}" * 1000),
    "a number beyond all numbers": answer(b'{"data": 1e999}'),
    "half a surrogate": answer(b'{"data": "\\ud800"}'),
    "bytes that are no text": answer(b'{"data": "\xff\xfe"}'),
    "a charset that there is not": answer(b"{}", b"content-type: application/json; charset=klingon\r\n"),
    "bytes in headers": answer(b"{}", JSON + b"x-hello: \xff\xfe\xed\xa0\x80\r\nretry-after: \xb2\r\ndate: \xb2\r\n"),
    "no content and yet a text": answer(b"\xff\xfe", b"content-type: text/plain\r\n", b"202 Accepted"),
    "a status below all": answer(b"{}", status=b"007 Bond"),
    "a status above all": answer(b"{}", status=b"999 Far"),
    "a status that is no number": answer(b"{}", status=b"two hundred"),
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "two lengths": answer(b"{}", JSON + b"content-length: 7\r\n"),
    "chunks without a size": b"HTTP/1.1 200 OK\r\n" + JSON + b"transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "a redirect to nowhere": answer(b"", b"location: http://[:99999999/\r\n", b"302 Found"),
    "a redirect in bytes": answer(b"", b"location: http://\xff\xfe\xb2:\xb2/\r\n", b"302 Found"),
    "a cookie of nonsense": answer(b"[]", JSON + b"set-cookie: =;=;expires=\xb2;domain=[\r\n"),
    "an absurd time": answer(b"{}", JSON + b"date: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\n"),
    "nothing": b"",
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_is_answered_a_call_ends_with_an_answer_or_an_error_of_the_platform(said: bytes) -> None:
    with saying(said) as platform:
        http = http_to(platform)
        for call in (http.read, http.write):
            with suppress(PlatformError):
                assert isinstance(call("GET", "/a").date, int | None)
        http.close()


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_is_answered_a_connector_raises_no_other_error(name: str, said: bytes) -> None:
    """Through the vendor's SDK, too."""
    with saying(said) as platform:
        connector = open_to(name, platform)
        target = RemoteTarget("tag" if name == "mailchimp" else "list", "7", "VIP", "aa" if name == "mailchimp" else "")
        asks: list[Callable[[], object]] = [
            connector.account, lambda: connector.find(target.kind, target.name, target.audience),
            lambda: connector.create(target.kind, target.name, target.audience), lambda: list(connector.members(target)),
        ]
        for ask in asks:
            with pytest.raises(PlatformError):
                ask()
        connector.close()


def test_a_body_that_is_not_gzip_is_read_again() -> None:
    with saying(HOSTILE["gzip that is none"], answer(b'{"data": 1}')) as platform:
        http = http_to(platform)
        assert http.read("GET", "/a").data == {"data": 1}
        http.close()


def test_a_write_whose_answer_is_not_gzip_may_have_happened() -> None:
    with saying(HOSTILE["gzip that is none"]) as platform:
        http = http_to(platform)
        with pytest.raises(PlatformError) as caught:
            http.write("POST", "/a")
        assert (caught.value.kind, caught.value.maybe) == (FaultKind.TRANSIENT, True)
        http.close()


@pytest.mark.parametrize("date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "²", ""])
def test_a_time_that_is_none_is_not_told(date: str) -> None:
    assert Answer(200, {"date": date}, b"").date is None


@pytest.mark.parametrize("link", ["http://[", "http://127.0.0.1:99999999/a", "http://127.0.0.1:x/a", "http://\u2100/a", ""])
def test_a_link_that_is_no_address_is_not_followed(link: str) -> None:
    with saying(b"") as platform, pytest.raises(PlatformError) as caught:
        http_to(platform).within(link)
    assert caught.value.kind is FaultKind.UNSAFE


# --- the budget


def waited(budget: Budget, clock: VirtualClock) -> int:
    """How long one more call waits, in milliseconds."""
    before = clock.now()
    with budget.call(["general"]):
        return clock.now() - before


@pytest.mark.parametrize("back", [HOUR, 5 * SECOND, 1])
def test_after_a_clock_that_steps_back_a_window_is_waited_for_no_longer_than_it_lasts(back: int) -> None:
    clock = VirtualClock(NOW)
    budget = Budget([Limit("general", 2, 10.0)], 1.0, clock)
    assert [waited(budget, clock), waited(budget, clock)] == [0, 0]
    clock.set(NOW - back)
    assert [waited(budget, clock), waited(budget, clock), waited(budget, clock)] == [10 * SECOND, 0, 10 * SECOND]


@pytest.mark.parametrize("back", [DAY, 20 * SECOND])
def test_after_a_clock_that_steps_back_a_pause_lasts_no_longer_than_asked_for(back: int) -> None:
    clock = VirtualClock(NOW)
    budget = Budget([], 1.0, clock)
    budget.pause(["general"], 30)
    clock.set(NOW - back)
    budget.pause(["general"], 10)                   # a shorter one ends no longer one
    assert [waited(budget, clock), waited(budget, clock)] == [30 * SECOND, 0]


def test_a_pause_ends_when_it_was_to_end_and_the_longer_of_two_counts() -> None:
    clock = VirtualClock(NOW)
    budget = Budget([], 1.0, clock)
    budget.pause(["general"], 30)
    clock.advance(25)
    budget.pause(["general"], 2)
    assert waited(budget, clock) == 5 * SECOND
    budget.pause(["general"], 2)
    budget.pause(["general"], 7)
    assert [waited(budget, clock), waited(budget, clock)] == [7 * SECOND, 0]


# --- waits that the platform asks for


def throttled(asked: str) -> bytes:
    return answer(b"{}", JSON + b"retry-after: " + asked.encode() + b"\r\n", b"429 Too Many Requests")


GOOD = answer(b'{"data": 1}')


@pytest.mark.parametrize("asked", ["999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "86401"])
def test_no_longer_wait_is_believed_than_a_day(asked: str) -> None:
    assert parse_retry_after(asked, NOW) == DAY / SECOND
    with saying(throttled(asked)) as platform:
        http = http_to(platform)
        with pytest.raises(PlatformError) as caught:
            http.write("POST", "/a")
        assert caught.value.retry_after == DAY / SECOND
        http.close()


@pytest.mark.parametrize("first", ["read", "write"])
def test_a_wait_beyond_our_patience_fails_every_call_at_once_and_sends_none(first: str) -> None:
    clock = VirtualClock(NOW)
    with saying(throttled("7200"), GOOD) as platform:
        http = http_to(platform, clock)
        with pytest.raises(PlatformError):
            getattr(http, first)("GET", "/a")
        clock.advance(600)
        for call in (http.read, http.write, http.read):
            with pytest.raises(PlatformError) as caught:
                call("GET", "/b")
            assert (caught.value.kind, caught.value.retry_after, caught.value.maybe) == (FaultKind.THROTTLED, 6600, False)
        assert (len(platform.calls), clock.now()) == (1, NOW + 600 * SECOND)
        clock.advance(3000)
        assert http.read("GET", "/b").data == {"data": 1}       # what is left now is within our patience
        assert clock.now() == NOW + 7200 * SECOND
        http.close()


def test_a_write_that_is_told_to_wait_makes_the_reads_of_its_lane_wait_too() -> None:
    clock = VirtualClock(NOW)
    with saying(throttled("30"), GOOD) as platform:
        http = http_to(platform, clock)
        with pytest.raises(PlatformError):
            http.write("POST", "/a", lanes=("lists",))
        http.read("GET", "/b", lanes=("people",))
        assert clock.now() == NOW
        http.read("GET", "/b", lanes=("people", "lists"))
        assert clock.now() == NOW + 30 * SECOND
        http.close()


def test_a_full_window_is_waited_for_however_long_it_lasts() -> None:
    clock = VirtualClock(NOW)
    budget = Budget([Limit("general", 1, 86_400.0)], 1.0, clock)
    with saying(GOOD) as platform:
        http = Http("shop", platform.url, clock=clock, headers={}, budget=budget)
        http.read("GET", "/a")
        http.read("GET", "/a")
        assert clock.now() == NOW + DAY
        http.close()


# --- answers without a body


@pytest.mark.parametrize("status", [b"204 No Content", b"202 Accepted"])
def test_a_success_without_a_body_is_a_success_whatever_type_it_tells(status: bytes) -> None:
    headers = b"content-type: application/vnd.api+json\r\n"
    said = b"HTTP/1.1 204 No Content\r\n" + headers + b"\r\n" if status.startswith(b"204") else answer(b"", headers, status)
    with saying(said) as platform:
        http = http_to(platform)
        assert (http.write("POST", "/a").data, len(platform.calls)) == (None, 1)
        http.close()
        connector = open_to("klaviyo", platform)
        assert connector.push(RemoteTarget("list", "7", "VIP"), [RemoteChange(Op.ADD, ProfileId("01A"))]) == [Accepted()]
        connector.close()


@pytest.mark.parametrize("said", [answer(b""), answer(b"{", status=b"202 Accepted")])
def test_a_body_that_is_missing_or_cut_off_is_a_failure(said: bytes) -> None:
    with saying(said) as platform:
        http = http_to(platform)
        with pytest.raises(PlatformError, match="body is not whole") as caught:
            http.write("POST", "/a")
        assert caught.value.maybe
        http.close()


# --- the deadline


def dripping(start: bytes, drop: bytes) -> Callable[[bytes, socket.socket], None]:
    """A server that never falls silent and never ends: *start*, then *drop* after *drop*."""
    def say(_: bytes, connection: socket.socket) -> None:
        connection.sendall(start)
        while True:                                 # until whoever called hangs up
            connection.sendall(drop)
            threading.Event().wait(0.01)

    return say


HEAD = b"HTTP/1.1 200 OK\r\n" + JSON
DRIPS = {
    "a header": (HEAD + b"x-slow: ", b"a"),
    "answers before the answer": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (HEAD + b"content-length: 1000000\r\n\r\n", b" "),
    "a chunk's size": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"0"),
}


@pytest.mark.parametrize(("start", "drop"), DRIPS.values(), ids=DRIPS.keys())
def test_a_call_ends_at_its_deadline_whatever_drips(start: bytes, drop: bytes) -> None:
    clock = VirtualClock(NOW)
    with raw(dripping(start, drop)) as platform:
        http = Http(
            "shop", platform.url, clock=clock, headers={}, budget=Budget([], 0.8, clock), caps=Caps(deadline=0.3, silence=0.2),
        )
        began = time.monotonic()
        with pytest.raises(PlatformError, match="deadline passed") as caught:
            http.write("POST", "/a")
        assert 0.3 <= time.monotonic() - began < 2
        assert (caught.value.kind, caught.value.maybe) == (FaultKind.TRANSIENT, True)
        http.close()


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_call_of_the_vendor_s_sdk_ends_at_its_deadline_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors.http, "Caps", lambda: Caps(deadline=0.3, silence=0.2))
    with raw(dripping(*DRIPS["a header"])) as platform:
        connector = open_to(name, platform)
        with pytest.raises(PlatformError, match="deadline passed"):
            connector.find("tag" if name == "mailchimp" else "list", "VIP", "aa" if name == "mailchimp" else "")
        connector.close()


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_body_over_the_cap_is_refused_to_the_vendor_s_sdk_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors.http, "Caps", lambda: Caps(raw=200, inflated=200))
    with saying(answer(b'{"list": {}, "data": [' + b" " * 200 + b"]}")) as platform:
        connector = open_to(name, platform)
        with pytest.raises(PlatformError, match="body over the cap") as caught:
            connector.find("tag" if name == "mailchimp" else "list", "VIP", "aa" if name == "mailchimp" else "")
        assert caught.value.kind is FaultKind.UNSAFE
        connector.close()


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_the_vendor_s_sdk_is_told_to_wait_holds_for_all_calls_of_its_lane(name: str) -> None:
    with saying(throttled("7200"), GOOD) as platform:
        connector = open_to(name, platform)
        for _ in range(3):
            with pytest.raises(PlatformError) as caught:
                connector.find("tag" if name == "mailchimp" else "list", "VIP", "aa" if name == "mailchimp" else "")
            assert (caught.value.kind, caught.value.retry_after) == (FaultKind.THROTTLED, 7200)
        assert len(platform.calls) == 1
        connector.close()
