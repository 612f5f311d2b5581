"""Secrets and people stay out of what goes to logs, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import VirtualClock
from connectors.sandbox.keys import KEYS
from connectors.sandbox.server import Sandbox
from sync.cli.main import without_people
from tests.cli.ground import NOW, PLATFORMS, Ground, Said, build

CANARY = "pk_ca4a41ca4a41ca4a41"
FAULTS = (None, "401", "400", "500", "cut")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    clock = VirtualClock(NOW)
    with Sandbox(clock) as sandbox:
        yield build(tmp_path_factory.mktemp("privacy"), sandbox, clock)


def addresses(ground: Ground) -> set[str]:
    found = set()
    for platform in PLATFORMS:
        found |= {row["email"] for row in ground.sandbox.applications[platform].rows("profiles").to_pylist() if row["email"]}
    return found


def clean(ground: Ground, heard: Said, people: set[str]) -> None:
    """No secret anywhere, no address on stderr; on stdout only `explain` names the one it was asked about."""
    everything = heard.out + heard.err
    secrets = [CANARY, *(keys["connector"] for keys in KEYS.values())]
    assert not [secret for secret in secrets if secret in everything]
    assert not [address for address in people if address in everything]
    assert ".example>" not in heard.err


@pytest.mark.parametrize("fault", FAULTS)
def test_no_command_tells_a_secret_or_an_address_when_calls_fail(watched: Ground, fault: str | None) -> None:
    people = addresses(watched)
    assert len(people) > 50
    for platform in PLATFORMS:
        if fault:
            watched.sandbox.sky.order(platform, fault, 4, "", 1)
    for command in ("check", "plan", "apply", "sync", "status", "runs"):
        heard = watched(command)
        assert heard.code != 70, heard.err
        clean(watched, heard, people)
    for command in ("plan", "sync", "status"):
        clean(watched, watched(command, "--json"), people)
    watched.sandbox.sky.orders.clear()


def test_a_key_that_is_refused_is_not_repeated(watched: Ground) -> None:
    people = addresses(watched)
    before = (watched.folder / "klaviyo.key").read_text()
    (watched.folder / "klaviyo.key").write_text(CANARY)
    for command in ("plan", "sync", "status"):
        clean(watched, watched(command), people)
    (watched.folder / "klaviyo.key").write_text(before)


def test_a_key_written_into_the_config_is_refused_and_not_repeated(tmp_path: Path) -> None:
    from tests.cli.ground import said

    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\nconnections:\n  klaviyo: {{key: {CANARY}}}\nsegments: {{}}\n")
    for command in ("check", "plan", "config", "status"):
        heard = said(command, "-c", str(path))
        assert heard.code == 2
        assert CANARY not in heard.out + heard.err


def test_addresses_and_keys_are_taken_out_of_what_goes_to_stderr() -> None:
    told = without_people("KeyError: 'ann.b+c@mail.example.com' of <Bob@EXAMPLE.org>, key pk_0123456789abcdef01; see /etc/x@y")
    assert told == "KeyError: '…@…' of <…@…>, key …; see /etc/x@y"
