"""A connector installed by a third party through the entry point is picked up when the config names it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from connectors import registry
from connectors.base import (
    DAY,
    Accepted,
    Connector,
    Consent,
    ConsentState,
    Effect,
    Event,
    Op,
    Profile,
    ProfileId,
    Rejected,
    RemoteChange,
    VirtualClock,
)
from sync.config.errors import ConfigError
from sync.config.model import Config
from sync.config.opening import open_connection

TEXT = """\
version: 1
settings: {history: 30d}
connections:
  till: {kind: testing, key: {env: TILL_KEY}, shelf: 4}
events: {order_placed: {same: order_id}}
segments:
  buyers: {event: order_placed, sync: {till: [{tag: Buyers}, {list: Buyers}]}}
"""
NOW = 1000 * DAY


@pytest.fixture
def till(sound: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Connector:
    """The connection of the config, opened; the account behind its key is fresh for each test."""
    monkeypatch.setenv("TILL_KEY", str(tmp_path))
    config = sound(TEXT)
    return open_connection(config.connections["till"], config, VirtualClock(NOW))


def fill(key: str) -> None:
    """Three people, changed 40, 20 and 10 days ago, and as many purchases."""
    account = import_module("segmentd_testing").account_of(key)
    for n, days in enumerate((40, 20, 10)):
        who, at = ProfileId(f"p{n}"), NOW - days * DAY
        consent = (Consent("email", ConsentState.GRANTED),)
        account.profiles[who] = at, Profile(who, f"p{n}@example.com", {"mail": f"p{n}@example.com"}, consent, updated=at)
        account.events.append(Event(f"e{n}", "Bought", at, {"number": n}, profile=who))


def test_the_kind_is_listed_and_loads_without_a_line_of_ours(till: Connector) -> None:
    assert "testing" in registry.kinds()
    assert isinstance(till, Connector)
    assert till.capabilities.title == "Testing"
    assert till.account().name == "A testing account"


def test_the_first_pull_reaches_as_far_back_as_history(till: Connector, tmp_path: Path) -> None:
    fill(str(tmp_path))
    profiles, everybody, purchases = till.capabilities.streams
    pages = list(till.pull(profiles, None))
    assert [profile.id for page in pages for profile in page.profiles] == ["p1", "p2"]
    assert [page.last for page in pages] == [False, True]
    assert list(till.pull(profiles, pages[-1].cursor))[-1].profiles == ()
    assert [event.id for page in till.pull(purchases, None) for event in page.events] == ["e1", "e2"]
    whole = list(till.pull(everybody, None))
    assert [profile.id for page in whole for profile in page.profiles] == ["p0", "p1", "p2"]
    assert whole[-1].complete
    assert [p.id for page in till.pull(everybody, whole[0].cursor) for p in page.profiles] == ["p2"]


def test_its_targets_take_adds_and_removes_and_say_what_became_of_each(till: Connector, tmp_path: Path) -> None:
    fill(str(tmp_path))
    target = till.create("tag", "Buyers", "")
    assert till.create("tag", "buyers", "") == till.find("tag", "BUYERS", "") == target
    here, nowhere = ProfileId("p1"), ProfileId("p9")
    add, remove = RemoteChange(Op.ADD, here), RemoteChange(Op.REMOVE, here)
    assert till.push(target, [add, add, RemoteChange(Op.ADD, nowhere)]) == [
        Accepted(Effect.CHANGED), Accepted(Effect.ALREADY), Rejected("no_such_profile"),
    ]
    assert till.look(target, [here, ProfileId("p2"), nowhere]) == {here: True, ProfileId("p2"): False}
    assert [member for page in till.members(target) for member in page.members] == ["p1"]
    assert till.push(target, [remove, remove]) == [Accepted(Effect.CHANGED), Accepted(Effect.ALREADY)]


def test_a_secret_that_is_missing_stops_the_opening_not_the_check(sound: Callable[[str], Config]) -> None:
    config = sound(TEXT.replace("TILL_KEY", "NO_SUCH_TILL_KEY"))
    with pytest.raises(ConfigError, match=r"config\.yaml:4:\d+: the secret {env: NO_SUCH_TILL_KEY} is not set"):
        open_connection(config.connections["till"], config, VirtualClock(NOW))


def test_what_is_installed_is_looked_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked, real = list[str](), registry.entry_points

    def counted(*, group: str) -> object:
        asked.append(group)
        return real(group=group)

    monkeypatch.setattr(registry, "entry_points", counted)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.kinds() == registry.kinds()
    assert asked == [registry.GROUP]
