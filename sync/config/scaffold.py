"""The file that `segmentd init` writes: small, commented, sound as it stands, and harmless: its targets only observe."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.base import Capabilities
from sync.config.connections import capabilities

_HEAD = """\
# segmentd: who belongs to which segment, and which tag or list mirrors it on which platform.
# segmentd check    finds every mistake in this file; needs no secrets and no network
# segmentd plan     shows what would change; writes nothing to any platform
version: 1

settings:
  timezone: UTC                    # of days and times of day, such as Europe/Berlin
  history: 2y                      # how far back the first pull reaches
  machine_opens: ignore            # opens by mail proxies and bots tell nothing about people
  store: store                     # the directory of the database, beside this file

connections:                       # leave out what you do not have
"""
_TAIL = """
defaults:
  manage: observe                  # planned and shown, never written; `ours` adds, and removes only what it added

guards:                            # a plan beyond these is refused until somebody lets it through by name
  removes: {share: 20%, from: 50, at_most: 500}
  adds: {share: 50%, from: 50, at_most: 5000}

schedule:
  pull: {changes: 10m, complete: daily 03:15}
  apply: {data: by_hand, edits: by_hand}         # `auto` lets changes of the data through without a person

segments:
"""


def scaffold(kinds: Iterable[str]) -> str:
    """A config to start from with one connection per kind in *kinds* (installed ones; others are left out)."""
    able = {kind: can for kind in kinds if (can := capabilities(kind)) is not None}
    connections = "".join(_connection(kind, can) for kind, can in able.items())
    return _HEAD + (connections or "  {}\n") + _events(able) + _TAIL + _segments(able)


def _connection(kind: str, able: Capabilities) -> str:
    text = f"  {kind}:\n    key: {{env: {kind.upper()}_KEY}}"
    text = text.ljust(len(text) + 8) + "# or {credential: NAME}, {file: PATH}; never the secret itself\n"
    if able.audiences:
        text += "    audiences: {main: Name or id of your audience}\n    default_audience: main\n"
    return text


def _tells(able: Capabilities, name: str) -> bool:
    return any(event.name == name for event in able.events.values())


def _events(able: dict[str, Capabilities]) -> str:
    if sum(_tells(can, "order_placed") for can in able.values()) < 2:
        return ""
    return "\nevents:\n  order_placed: {same: order_id}   # several connections report orders: one order is one event\n"


def _segments(able: dict[str, Capabilities]) -> str:
    """Two that build on each other where somebody tells orders and mails, else one that asks the contact alone."""
    if not any(_tells(can, "order_placed") for can in able.values()):
        text = "  reachable:\n    description: Everybody with an address\n    contact: {email: {is_set: true}}\n"
        return text + _sync(able, "Reachable")
    text = (
        "  recent_buyers:\n    description: Bought something within the last 90 days\n"
        "    event: order_placed\n    within: 90d\n" + _sync(able, "Recent buyers")
    )
    if any(_tells(can, "email_opened") for can in able.values()):
        text += (
            "\n  winback:\n    description: Bought before, not lately, and still reads our mail\n    all:\n"
            "      - {event: order_placed, older_than: 90d}\n      - not: {segment: recent_buyers}\n"
            "      - {event: email_opened, within: 60d}\n" + _sync(able, "Win back")
        )
    return text


def _sync(able: dict[str, Capabilities], name: str) -> str:
    lines = [f"      {kind}: {{{min(can.targets)}: {name}}}\n" for kind, can in able.items() if can.targets]
    return "    sync:\n" + "".join(lines) if lines else ""
