"""What the documents show works, and they name everything there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import registry
from sync.config.load import load
from sync.config.model import Config
from sync.language import words
from sync.located import Problem
from tests.documents.examples import AROUND, OTHERS

ROOT = Path(__file__).parents[1]
SEGMENTS = (ROOT / "docs" / "segments.md").read_text()
HEAD = "".join(AROUND.values())
OTHER_SEGMENTS = "".join(f"  {name}: {rule}\n" for name, rule in OTHERS.items())


def blocks(text: str) -> list[str]:
    """The YAML examples of a Markdown text."""
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def shown(text: str) -> str:
    """What stands in code: blocks and spans."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], tuple[Config | None, list[Problem]]]:
    def of(text: str) -> tuple[Config | None, list[Problem]]:
        registry.kind.cache_clear()
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load(path)

    return of


def test_every_config_in_the_documents_loads(loaded: Callable[[str], tuple[Config | None, list[Problem]]]) -> None:
    texts = [(ROOT / "config.example.yaml").read_text()]
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        texts += [block for block in blocks(page.read_text()) if re.search(r"^version:", block, re.MULTILINE)]
    for text in texts:
        config, problems = loaded(text)
        assert config is not None, (text, problems)
        assert not problems


def test_the_reference_names_every_word_of_the_language() -> None:
    known = {
        *words.KINDS, *words.EVENT_KEYS, *words.OPERATORS, *words.MODIFIERS, *words.PAST_WORDS, "for", "from", "to",
        *words.NEUTRAL_FIELDS, *words.CHANNELS, "of", "currency",
        "share", "salt", "audience", "tag", "list", "channel", "connection", "granted", "withdrawn", "unknown", "description",
        "timezone", "sync",
    }
    code = shown(SEGMENTS.partition("## Not yet")[0])
    assert not [word for word in sorted(known) if not re.search(rf"(?<![\w-]){word}(?![\w-])", code)]


def test_the_reference_lists_what_is_not_there_yet() -> None:
    code = shown(SEGMENTS.partition("## Not yet")[2])
    later = {*words.LATER_KINDS, *words.LATER_SEGMENT_KEYS, *words.LATER_EVENT_KEYS}
    assert not [word for word in sorted(later) if f"`{word}`" not in code]
    assert not [word for word in re.findall(r"`(\w+)`", code) if word not in later | {"check", "within", "consent", "member_of", "mo", "y"}]


def test_every_operator_has_a_line_that_says_what_it_means() -> None:
    rows = "\n".join(re.findall(r"^\|[^|]+\|", SEGMENTS, re.MULTILINE))
    assert not [word for word in (*words.OPERATORS, *words.WINDOWS) if f"`{word}" not in rows]


def test_links_within_the_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text()
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if target.startswith(("http://", "https://")):
                continue
            file, _, anchor = target.partition("#")
            assert not file or (page.parent / file).exists(), f"{page.name} links to {target}"
            assert file or anchor in anchors, f"{page.name} links to {target}"


def test_what_the_reference_calls_an_error_is_one(loaded: Callable[[str], tuple[Config | None, list[Problem]]]) -> None:
    for rule, says in (
        ("contact: {city: null}", "is_set"), ('contact: {city: ""}', "is_set"), ("contact: {citty: x}", "unknown field"),
        ("{event: order_placed, sum: {of: value, at_least: 0.1234567}}", "six decimal places"), ("all: []", "at least one condition"),
        ("{event: order_placed, within: 30d, since: 2025-01-01}", "two windows"), ("segment: vipp", "did you mean 'vip'"),
        ("{event: order_placed, ago: [1mo, 30d]}", "depends on the month"),
        ("segment: example", "example"), ("sample: {share: 0%}", "percentage"),
    ):
        rule_text = rule if rule.startswith("{") else f"{{{rule}}}"
        config, problems = loaded(f"{HEAD}segments:\n{OTHER_SEGMENTS}  example: {rule_text}\n")
        assert config is None, rule
        assert any(says in str(problem) for problem in problems), (rule, problems)


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name)
def test_no_page_holds_a_placeholder_or_names_a_page_that_is_not_there(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"@[A-Z]+@|TODO|TBD", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in linked if not (page.parent / link).exists()] == []
