"""Every YAML example of the documents, by page and heading, and a whole configuration around each."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors import registry
from sync.config.load import load
from sync.config.model import Config
from sync.located import Problem

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
AROUND = {
    "version": "version: 1\n",
    "settings": "settings: {history: 10y, timezone: Europe/Berlin}\n",
    "connections": """connections:
  mailchimp: {key: {env: KEY}, audiences: {shop: My shop, at: Mein Laden}, default_audience: shop}
  hubspot: {key: {env: KEY}}
  klaviyo: {key: {env: KEY}}
""",
    "events": """events:
  order_placed: {same: order_id}
  cart_updated: {same: cart_id}
  checkout_started: {same: cart_id}
""",
}
OTHERS = {"vip": "{event: order_placed, count: {at_least: 5}}", "buyers": "{event: order_placed, within: 30d}"}
BESIDE = {"lists/press.csv": "email;name\nada@example.com;Ada\n", "segments/more.yaml": "segments: {more: {segment: vip}}\n"}
WRONG = re.compile(r"# ✗ (.*)$")                    # beside what `check` refuses: what it says of that line


@dataclass(frozen=True, slots=True)
class Example:
    """*text* stands on *page* under *heading*, its first line at *line*."""

    page: str
    heading: str
    line: int
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line} {self.heading}"

    @property
    def opens(self) -> str:
        """The first key."""
        return self.text.partition(":")[0]

    @property
    def is_story(self) -> bool:
        return re.search(r"^people:", self.text, re.MULTILINE) is not None

    @property
    def refused(self) -> dict[int, str]:
        """Line of the example (from 1) → what `check` says of it."""
        return {number: said[1] for number, line in enumerate(self.text.splitlines(), 1) if (said := WRONG.search(line))}


def examples() -> list[Example]:
    """All of them, in the order of the pages."""
    return [each for page in PAGES for each in examples_of(page)]


def examples_of(page: Path) -> Iterator[Example]:
    heading, start, fence = "", 0, ""
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if fence:
            if line == "```":
                if fence == "yaml":
                    yield Example(page.name, heading, start + 1, "\n".join(lines[start : number - 1]) + "\n")
                fence = ""
        elif line.startswith("```"):
            fence, start = line.removeprefix("```") or "text", number
        elif line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")


TRAITS = next(each.text for each in examples_of(ROOT / "docs" / "segments.md") if each.opens == "traits")


def whole(example: Example) -> tuple[str, int]:
    """A configuration that holds *example* and all that it names; and how many lines stand before it."""
    if example.opens == "version":
        return example.text, 0
    if example.opens == "segments":
        before = "".join(AROUND.values()) + TRAITS
        return before + example.text + _others(example.text), before.count("\n")
    if example.opens in ("include", "traits", *AROUND) or example.opens in ("fields", "guards", "consent", "schedule"):
        before = "".join(text for key, text in AROUND.items() if key != example.opens)
        rest = _others(example.text, "events") if example.opens == "events" else ""
        return before + example.text + rest + "segments:\n" + _others(""), before.count("\n")
    before = "".join(AROUND.values()) + TRAITS + "segments:\n" + _others("") + "  example:\n"
    return before + textwrap.indent(example.text, "    "), before.count("\n")


def _others(present: str, part: str = "segments") -> str:
    """The segments that examples ask, or the events that are told twice, but for those that are there."""
    others = [f"  {name}: {rule}" for name, rule in OTHERS.items()] if part == "segments" else AROUND[part].splitlines()[1:]
    return "".join(f"{line}\n" for line in others if f"\n{line.partition(':')[0]}:" not in present)


def loaded(text: str, folder: Path) -> tuple[Config | None, list[Problem]]:
    """What `check` says of a configuration; a list and a file to include lie beside it."""
    registry.kind.cache_clear()
    for name, held in BESIDE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(held)
    (folder / "config.yaml").write_text(text)
    return load(folder / "config.yaml")
