"""`demo`: the whole loop on emulated platforms, on a clock that does not make anybody wait."""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import click
import orjson
from click.core import ParameterSource

from connectors.base import DAY, HOUR, Clock, Millis, VirtualClock
from sync.model import ExitCode, SegmentdError

EVERYBODY = 23_570
MOST_ADDS = 0.32                                    # of all people, in the demo's guard: less than are lapsed, more than the rest
ROUNDS = 12                                         # of sync, until bad weather has let everything through


@click.command()
@click.option("--people", type=click.IntRange(50, EVERYBODY), default=EVERYBODY, show_default=True, help="How many of them.")
@click.option("--weather", type=click.Choice(["calm", "stormy"]), default="calm", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the weather.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave config and store in this folder.")
@click.option("--scene", is_flag=True, help="Instead: half a minute on the real clock; a click, a tag, the tag coming off by itself.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object instead of text.")
@click.pass_context
def demo(context: click.Context, people: int, weather: str, seed: int, keep: Path | None, scene: bool, as_json: bool) -> int:
    """Load real purchase history into three emulated platforms; check, plan, apply; let somebody buy; sync; look."""
    from connectors.sandbox.control import SharedClock

    clock: Clock = context.obj
    if scene:
        _refuse(context, "people", "weather", "seed")
        return _scene(clock, keep, as_json)
    start = clock.now() // DAY * DAY + 12 * HOUR
    with _folder(keep) as folder, _platforms("--virtual") as urls, contextlib.closing(Stage(urls)) as stage:
        stage.controls.set_clock(start)
        play = Play(folder, SharedClock(stage.controls, flowing=True), stage, quiet=as_json)
        play.load(people, start // DAY * DAY - DAY, weather, seed)
        story = play.story()
    if keep and not as_json:
        click.echo(f"\nConfig and store are kept. Next: segmentd status -c {shlex.quote(str(play.config))}")
    if as_json:
        click.echo(orjson.dumps(story, option=orjson.OPT_INDENT_2).decode())
    well = story["equals_truth"] and story["moved"] and story["syncs"][-1]["changes"] == 0 and story["consent_calls"] == 0
    return ExitCode.OK if well else ExitCode.FAILED


def _refuse(context: click.Context, *names: str) -> None:
    """Complain of options that somebody gave and that --scene would not heed."""
    given = [f"--{name}" for name in names if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if given:
        raise click.UsageError(f"--scene has people and weather of its own; leave out {', '.join(given)}")


def _scene(clock: Clock, keep: Path | None, as_json: bool) -> int:
    from sync.cli.scene import Scene

    with _folder(keep) as folder, _platforms() as urls, contextlib.closing(Stage(urls)) as stage:
        seen = Scene(folder, stage, clock, quiet=as_json).play()
    if as_json:
        click.echo(orjson.dumps(seen, option=orjson.OPT_INDENT_2).decode())
    return ExitCode.OK


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where config and store stand while the demo runs."""
    if keep:
        try:
            keep.mkdir(parents=True, exist_ok=True)
            filled = any(keep.iterdir())
        except OSError as error:
            raise click.UsageError(f"{keep} cannot be written: {error.strerror}") from None
        if filled:
            raise click.UsageError(f"{keep} is not empty; --keep takes a new folder")
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="segmentd-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def _platforms(*more: str) -> Iterator[dict[str, str]]:
    """The emulated platforms in a process of their own: their addresses. It ends when we do, however. With "--virtual" they go by a
    clock that we move."""
    command = [sys.executable, "-m", "sync.cli.main", "sandbox", *more, "--people", "0", "--until-eof", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own words
        try:
            said = b""
            while process.stdout and not said.endswith(b"\n}\n"):
                line = process.stdout.readline()
                if not line:
                    raise SegmentdError("the emulated platforms did not start; `segmentd sandbox` says why")
                said += line
            yield orjson.loads(said)["urls"]
        finally:
            process.terminate()


class Stage:
    """The emulated platforms from outside: their addresses, the control endpoint, and their APIs as a stranger calls them."""

    def __init__(self, urls: dict[str, str]) -> None:
        import httpx

        from connectors.sandbox.control import Controls
        from connectors.sandbox.keys import KEYS

        self.urls, self.keys = urls, KEYS
        self.controls = Controls(urls["control"])
        self.http = httpx.Client(timeout=30, trust_env=False)

    def close(self) -> None:
        self.controls.close()
        self.http.close()

    def call(self, method: str, platform: str, path: str, body: object = None) -> Any:
        """A call under the tester's key, again until the weather lets it through."""
        key = self.keys[platform]["tester"]
        headers = {"klaviyo": {
            "Authorization": f"Klaviyo-API-Key {key}", "revision": "2026-07-15", "Content-Type": "application/vnd.api+json",
        }}
        for _ in range(20):
            with contextlib.suppress(Exception):
                answer = self.http.request(
                    method, self.urls[platform] + path, headers=headers.get(platform, {"Authorization": f"Bearer {key}"}),
                    content=None if body is None else orjson.dumps(body),
                )
                if answer.status_code < 300:
                    return orjson.loads(answer.content) if answer.content else None
        raise SegmentdError(f"the emulated {platform} did not answer {method} {path}")


@dataclass
class Play:
    """The demo's acts, in order."""

    folder: Path
    clock: VirtualClock
    stage: Stage
    quiet: bool
    syncs: list[dict[str, Any]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    first: Millis = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def say(self, text: str = "") -> None:
        if not self.quiet:
            click.echo(text)

    def load(self, people: int, last_day: Millis, weather: str, seed: int) -> None:
        """Fill the platforms, write config and keys, then let the weather in."""
        from connectors.sandbox.cdnow import ORDER, cdnow_world
        from connectors.sandbox.world import KINDS, PLATFORMS

        world = cdnow_world(last_day, people=people)
        self.stage.controls.load(world)
        self.stage.controls.weather(weather, seed)
        purchases = sum(1 for kind in world.events["kind"].to_pylist() if kind == KINDS[ORDER])
        there = {p: sum(1 for s in world.people[p].to_pylist() if s) for p in PLATFORMS}
        self.facts = {"people": people, "purchases": purchases, "platforms": there, "weather": weather}
        self.first = self.clock.now()
        config = resources.files("sync.cli").joinpath("data/demo.yaml").read_text()
        for name in PLATFORMS:
            config = config.replace(f"@{name.upper()}@", self.stage.urls[name])
            (self.folder / f"{name}.key").write_text(self.stage.keys[name]["connector"])
            (self.folder / f"{name}.key").chmod(0o600)
        most = round(people * MOST_ADDS)
        self.config.write_text(config.replace("@DIR@", str(self.folder)).replace("@MOST@", str(most)))
        self.say(f"{people:,} people and {purchases:,} purchases on three emulated platforms ({weather} weather): "
                 + ", ".join(f"{count:,} on {name}" for name, count in there.items()))

    def run(self, *argv: str) -> tuple[int, Any]:
        """One command, as typed: its exit code and its JSON."""
        from sync.cli.main import main

        typed = " ".join(f'"{word}"' if " " in word else word for word in argv)
        self.say(f"\n$ segmentd {typed}")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = main([*argv, "--config", str(self.config), "--json"], self.clock)
        text = out.getvalue()
        if code == ExitCode.STOPPED:
            raise click.exceptions.Exit(ExitCode.STOPPED)   # Ctrl-C was meant for all of the demo; the command said so
        if not text:
            raise SegmentdError(f"`segmentd {argv[0]}` ended with {int(code)} and said nothing; what it printed above says why")
        given = orjson.dumps(f" -c {shlex.quote(str(self.config))}").decode()[1:-1]
        return code, orjson.loads(text.replace(given, ""))              # shown as typed where config.yaml lies

    def story(self) -> dict[str, Any]:
        """Check, plan, apply, the guard, a purchase, an hour, sync, look, sync: and what came of it."""
        self.check()
        refused = self.plan_and_apply()
        buyer = self.purchase()
        self.clock.advance(3600)
        self.say("\nAn hour passes, so that every documented lag is over.")
        self.settle()
        moved = self.look(buyer)
        self.sync()
        difference = self.compare()
        seconds = time.monotonic() - self.began
        virtual = (self.clock.now() - self.first) / 1000
        self.say(f"\nEvery target on every platform {'equals' if not difference else 'DIFFERS FROM'} the truth worked out the slow way."
                 f"\n{seconds:.0f} s real, {virtual:,.0f} s on the platforms' clock; every documented limit was enforced.")
        return {
            **self.facts, "consent_calls": self.consent_calls(),
            "refused": refused, "syncs": self.syncs, "tag": moved, "moved": all(moved.values()),
            "equals_truth": not difference, "difference": difference, "seconds": round(seconds, 2), "virtual_seconds": virtual,
        }

    def check(self) -> None:
        code, said = self.run("check")
        if code:
            raise SegmentdError("the demo's own config does not pass `segmentd check`")
        self.say(f"{said['segments']} segments, {said['targets']} targets, {said['connections']} connections: the config is sound")

    def plan_and_apply(self) -> str:
        """Plan until the platforms let everything be read; apply; let the refused target through as its refusal says."""
        from sync.cli.show import show_plan

        for _ in range(ROUNDS):
            _, report = self.run("plan")
            if not any(p["error"] for p in report["pulled"]) and not report["problems"] and self._whole(report):
                break
        self.say(show_plan(report))
        refusals = [r for t in report["targets"] for r in t["refusals"]]
        for _ in range(ROUNDS):                     # a list that could not be made is tried again: the plan stays good
            self.apply(report["plan"])
            for refusal in refusals:
                words = shlex.split(refusal["command"])[2:-1]
                self.apply(*words, "first fill, counted by hand")
            if self.syncs[-1]["exit"] not in (ExitCode.REFUSED, ExitCode.FAILED):
                break
        if self.syncs[-1]["exit"] != ExitCode.OK:
            self.settle()
        return refusals[0]["command"] if refusals else ""

    @staticmethod
    def _whole(report: dict[str, Any]) -> bool:
        return all(t["complete"] and not t["withheld"] for t in report["targets"])

    def apply(self, *argv: str) -> None:
        """Exit code 3 is what a refused target gives; it is let through next."""
        self.timed("apply", *argv)

    def settle(self) -> None:
        """Sync until one goes through without anything left."""
        for _ in range(ROUNDS):
            code = self.sync()
            if code in (ExitCode.OK, ExitCode.DEAD_LETTERS):
                return

    def sync(self) -> int:
        return self.timed("sync")

    def timed(self, *argv: str) -> int:
        from sync.cli.show import show_outcome

        real, virtual = time.monotonic(), self.clock.now()
        code, outcome = self.run(*argv)
        self.syncs.append({
            "command": argv[0], "changes": outcome["changes"], "calls": outcome["calls"], "exit": code,
            "seconds": round(time.monotonic() - real, 2), "virtual_seconds": (self.clock.now() - virtual) / 1000,
        })
        self.say(show_outcome(outcome))
        return code

    def purchase(self) -> tuple[str, str, str]:
        """Somebody lapsed, known to Mailchimp and Klaviyo, buys: (Mailchimp profile, Klaviyo profile, address)."""
        controls = self.stage.controls
        tagged = {row["person"]: row["profile"] for row in controls.rows("mailchimp", "members").to_pylist() if row["name"] == "Lapsed"}
        for row in controls.rows("klaviyo", "profiles").to_pylist():
            if row["person"] in tagged and row["live"] and not row["barred"]:
                break
        else:
            raise SegmentdError("nobody in this demo is lapsed and known to both platforms; take more --people")
        self.say(f"\n{row['email']}, lapsed, buys something: Klaviyo hears of it through its API.")
        self.stage.call("POST", "klaviyo", "/api/events", {"data": {"type": "event", "attributes": {
            "properties": {"OrderId": "demo-1"}, "value": 29.33, "value_currency": "USD", "unique_id": "demo-1",
            "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
            "profile": {"data": {"type": "profile", "id": row["id"], "attributes": {}}},
        }}})
        return tagged[row["person"]], row["id"], row["email"]

    def look(self, buyer: tuple[str, str, str]) -> dict[str, bool]:
        """Read back over the platforms' own APIs, for as long as their documented lags allow: the tag of the lapsed is off, the
        list of recent buyers is joined."""
        moved = self.read_back(buyer)
        for _ in range(ROUNDS):
            if all(moved.values()):
                break
            self.clock.advance(5)
            moved = self.read_back(buyer)
        tag, joined = moved["mailchimp_tag_lapsed_is_off"], moved["klaviyo_list_recent_buyers_is_joined"]
        self.say(f"\nRead back: {buyer[2]} {'lost' if tag else 'STILL HAS'} the tag Lapsed on Mailchimp and "
                 f"{'joined' if joined else 'IS NOT ON'} the list Recent buyers on Klaviyo.")
        return moved

    def read_back(self, buyer: tuple[str, str, str]) -> dict[str, bool]:
        audience, _, contact = buyer[0].partition(":")
        tags = self.stage.call("GET", "mailchimp", f"/3.0/lists/{audience}/members/{contact}/tags?count=1000")
        named = self.stage.call("GET", "klaviyo", "/api/lists?filter=equals%28name%2C%22Recent%20buyers%22%29")
        lists = self.stage.call("GET", "klaviyo", f"/api/profiles/{buyer[1]}/relationships/lists")
        return {
            "mailchimp_tag_lapsed_is_off": "Lapsed" not in [tag["name"] for tag in tags["tags"]],
            "klaviyo_list_recent_buyers_is_joined": bool({one["id"] for one in named["data"]} & {one["id"] for one in lists["data"]}),
        }

    def consent_calls(self) -> int:
        """Calls of ours that could have changed somebody's consent, or made a person, over all platforms."""
        tallies = [self.stage.controls.calls(name).get("connector", {}) for name in self.facts["platforms"]]
        return sum(tally.get("consent", 0) + tally.get("creating", 0) for tally in tallies)

    def compare(self) -> dict[str, Any]:
        from sync.cli.common import read_config
        from sync.cli.truth import compare

        found = compare(self.stage.controls, read_config(self.config), self.clock.now())
        return {key: {"lacking": len(d.lacking), "excess": len(d.excess)} for key, d in found.items()}
