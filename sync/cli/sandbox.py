"""`sandbox`: the three emulated platforms for as long as one wants to play with them."""

from __future__ import annotations

import sys
import threading

import click

from connectors.base import DAY, Clock, VirtualClock
from sync.halting import set_by_signals


@click.command()
@click.option("--people", type=click.IntRange(0, 1_000_000), default=2000, show_default=True, help="Made-up people; 0: none.")
@click.option("--events", type=click.IntRange(0, 20_000_000), default=20_000, show_default=True, help="What they did.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--weather", type=click.Choice(["calm", "stormy"]), default="calm", show_default=True)
@click.option("--virtual", is_flag=True, help="A clock that only the control endpoint moves.")
@click.option("--ports", default="", metavar="A,B,C,D", help="Of Mailchimp, HubSpot, Klaviyo and control; else free ones.")
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop when standard input closes: our parent has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON object.")
@click.pass_obj
def sandbox(
    clock: Clock, people: int, events: int, seed: int, weather: str, virtual: bool, ports: str, until_eof: bool, as_json: bool,
) -> None:
    """Serve emulated Mailchimp, HubSpot and Klaviyo on loopback until stopped, and print where."""
    from connectors.sandbox.keys import KEYS
    from connectors.sandbox.server import Sandbox
    from connectors.sandbox.world import random_world
    from sync.cli.common import emit

    names = ("mailchimp", "hubspot", "klaviyo", "control")
    wanted = dict(zip(names, _ports(ports), strict=False))
    served = VirtualClock(clock.now()) if virtual else clock
    try:
        running = Sandbox(served, weather=weather, seed=seed, ports=wanted)
    except OSError as error:
        raise click.UsageError(f"{ports} cannot be had: {error.strerror}; take other --ports, or leave them out") from None
    stop = threading.Event()
    if until_eof:
        threading.Thread(target=_until_eof, args=(stop,), daemon=True).start()
    with set_by_signals(stop), running:
        if people:
            world = random_world(seed, people, events, served.now() // DAY * DAY)
            for application in running.applications.values():
                application.load(world)
        found = {"urls": running.urls, "keys": {name: dict(keys) for name, keys in KEYS.items()}}
        emit(found, as_json, lambda: "\n".join(
            [*(f"{name:10} {url}" + (f"   key {KEYS[name]['connector']}" if name in KEYS else "") for name, url in running.urls.items()),
             "Ctrl-C stops it."]
        ))
        stop.wait()


def _ports(text: str) -> list[int]:
    if not text:
        return []
    parts = text.split(",")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 65_536 for part in parts):
        raise click.UsageError("--ports takes four numbers: Mailchimp, HubSpot, Klaviyo, control; for example 8771,8772,8773,8770")
    return [int(part) for part in parts]


def _until_eof(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()
