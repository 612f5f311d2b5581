"""Families: which segments there are, what they are called, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.base import DAY, ProfileId
from sync.config import families as spelled
from sync.config.load import load
from sync.config.model import Config
from sync.evaluate import families
from sync.evaluate.lives import carry_over
from sync.evaluate.run import evaluate
from sync.insight.comparison import compare
from sync.insight.spelling import misspelt
from sync.insight.story import read_story
from sync.insight.trial import tried
from sync.language.families import plain_word
from sync.language.moves import Moved
from sync.language.window import Within
from sync.source import origins
from sync.store import families as kept
from sync.store import lives, memberships, segments
from sync.store.store import Store
from tests.configured import config_in
from tests.store.ground import NOW, event, new_store, profile, tell, write

HEAD = """version: 1
connections: {mailchimp: {key: {env: KEY}}, hubspot: {key: {env: KEY}}, klaviyo: {key: {env: KEY}}}
segments:
"""
FAMILY = """  session_<value>:
    for_each: {event: klaviyo.Registered, property: session, at_least: 2, within: 30d}
    sync: {klaviyo: {list: Session <value>}}
"""


@pytest.fixture
def store() -> Iterator[Store]:
    with new_store() as made:
        for number in range(1, 5):
            write(made, 3, profile(f"p{number}", f"p{number}@example.com"))
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return read(tmp_path, FAMILY)


def read(folder: Path, segments: str) -> Config:
    return config_in(folder, HEAD + segments)


def register(store: Store, *sessions: tuple[int, Any], age: int = DAY) -> None:
    """Who registered for which session, so long ago."""
    made = [event(f"{who}{session}{age}", "Registered", NOW - age, profile=f"p{who}", properties={"session": session})
            for who, session in sessions]
    tell(store, 3, *made, names={})


def run(store: Store, config: Config, at: int = NOW) -> dict[str, list[int] | str]:
    """Members of each segment by the store's record after one evaluation; why, of one that fails."""
    sources = origins(config, store)
    config = families.refreshed(store, config, sources, at)
    result = evaluate(store, config, sources, at).result
    found = segments.standing(store)
    return {name: result.failures.get(name) or found[name].members.tolist() for name in config.segments}


def test_a_value_has_a_segment_once_enough_contacts_told_of_it(store: Store, config: Config) -> None:
    register(store, (1, "Data & AI"), (2, "Data & AI"), (2, "Sales"), (2, ["Sales", "Ops"]), (3, ["Ops"]))
    assert run(store, config) == {"session_data_ai": [0, 1], "session_ops": [1, 2]}
    register(store, (4, "Sales"))
    assert run(store, config) == {"session_data_ai": [0, 1], "session_ops": [1, 2], "session_sales": [1, 3]}
    expanded = families.with_families(store, config)
    [target] = expanded.segments["session_data_ai"].targets
    assert (target.segment, target.name, expanded.segments["session_data_ai"].family) == (
        "session_data_ai", "Session Data & AI", "session_<value>",
    )


def test_a_segment_stays_until_nobody_is_left_in_it(store: Store, config: Config) -> None:
    register(store, (1, "Ops"), age=DAY)
    register(store, (2, "Ops"), age=20 * DAY)
    assert run(store, config) == {"session_ops": [0, 1]}
    assert run(store, config, NOW + 10 * DAY) == {"session_ops": [0]}
    assert run(store, config, NOW + 29 * DAY) == {"session_ops": []}
    target = memberships.target(store, "session_ops/klaviyo/list", "list", 3, "", "Session Ops")
    with store.transaction() as db:
        memberships.confirm_add(db, target.id, ProfileId("p1"), NOW, ours=True)
    assert run(store, config, NOW + 30 * DAY) == {"session_ops": []}       # its target still holds somebody by our doing
    with store.transaction() as db:
        memberships.confirm_remove(db, target.id, ProfileId("p1"), NOW)
    assert run(store, config, NOW + 31 * DAY) == {}
    assert kept.values(store) == {}
    assert segments.standing(store)["session_ops"].members.tolist() == []


def test_a_condition_beside_the_family_holds_for_each_of_its_segments(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY.replace("at_least: 2", "at_least: 1, count: {at_least: 2}") + "    contact: {klaviyo.vip: true}\n")
    write(store, 3, profile("p1", "p1@example.com", {"vip": True}))
    register(store, (1, "Ops"), (2, "Ops"), (3, "Ops"))
    register(store, (1, "Ops"), (2, "Ops"), (1, "Sales"), age=2 * DAY)
    assert run(store, config) == {"session_ops": [0]}


def test_values_are_told_apart_as_by_distinct(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY.replace("at_least: 2", "at_least: 1").replace("    sync: {klaviyo: {list: Session <value>}}\n", ""))
    register(store, (1, 12), (2, "12"), (3, "12.0"), (4, ""), (4, "2026-01-01"), (1, "2026-01-01T08:00Z"))
    found = run(store, config)
    assert found["session_12"] == [0, 1]
    assert found["session_12_0"] == [2]
    assert found["session_2026_01_01"] == [3]
    assert found["session_2026_01_01t08_00z"] == [0]
    assert len(found) == 4


def test_two_values_of_one_name_fail_and_say_so(store: Store, config: Config) -> None:
    register(store, (1, "Data AI"), (2, "Data AI"), (1, "data-ai"), (2, "data-ai"), (1, "Ops"), (2, "Ops"))
    found = run(store, config)
    assert found == {"session_data_ai": "two values of 'session' both give the name 'session_data_ai'", "session_ops": [0, 1]} or found == {
        "session_ops": [0, 1], "session_data_ai": "two values of 'session' both give the name 'session_data_ai'",
    }


def test_a_name_that_another_segment_has_is_told_and_left_to_it(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY + "  session_ops: {contact: {klaviyo.vip: true}}\n")
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, config) == {
        "session_ops": [], "session_<value>": "a value gives the name 'session_ops', which is another segment's",
    }


def test_too_many_values_fail_the_family_and_keep_who_is_in_it(
    store: Store, config: Config, monkeypatch: pytest.MonkeyPatch,
) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, config) == {"session_ops": [0, 1]}
    monkeypatch.setattr(families, "MOST", 3)
    register(store, *((who, f"s{number}") for number in range(3) for who in (1, 2)))
    why = "'session_<value>' would be 4 segments, and a family has at most 3; raise its 'at_least'"
    assert run(store, config) == {"session_ops": why, "session_<value>": why}
    assert segments.standing(store)["session_ops"].members.tolist() == [0, 1]
    assert spelled.MOST == 1000


def test_a_name_too_long_for_the_platform_fails_its_segment_alone(store: Store, config: Config) -> None:
    register(store, (1, "x" * 300), (2, "x" * 300), (1, "Ops"), (2, "Ops"))
    found = run(store, config)
    long = next(name for name in found if name != "session_ops")
    assert "characters long, and Klaviyo takes" in str(found[long])
    assert found["session_ops"] == [0, 1]


@pytest.mark.parametrize(("value", "expected"), [
    ("Ops", "ops"), ("Data & AI", "data_ai"), ("  a--b  ", "a_b"), ("Zoë", "zoe"), ("12.50", "12_50"),
])
def test_a_value_is_a_plain_word(value: str, expected: str) -> None:
    assert plain_word(value) == expected


@pytest.mark.parametrize("value", ["Größenwahn ﷺ", "日本", "!!!", "x" * 61, "\ud800"])
def test_what_a_plain_word_cannot_say_is_told_by_a_hash(value: str) -> None:
    word = plain_word(value)
    assert word == plain_word(value.upper().lower() if value.isascii() else value)
    assert word.replace("_", "").isascii()
    assert len(word) <= 69
    assert word != plain_word(value + "x")


ASKED = FAMILY + """  ops_people: {segment: {family: session_<value>, of: Ops}}
  came_to_twelve: {entered: {segment: {family: session_<value>, of: 12}, within: 30d}}
"""


def test_a_rule_asks_a_segment_of_a_family_by_its_value_and_it_is_there_in_any_case(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, ASKED)
    assert set(config.segments) == {"ops_people", "came_to_twelve", "session_ops", "session_12"}
    assert [config.segments[name].targets for name in ("session_ops", "session_12")] == [(), ()]
    register(store, (1, "Ops"))
    assert run(store, config) == {"session_ops": [0], "session_12": [], "ops_people": [0], "came_to_twelve": []}
    assert families.with_families(store, config).segments["session_ops"].targets == (), "fewer than two contacts told of it"
    register(store, (2, "Ops"), (1, 12), (2, "12"))
    assert run(store, config, NOW + 1) == {"session_ops": [0, 1], "session_12": [0, 1], "ops_people": [0, 1], "came_to_twelve": []}
    assert config.segments["came_to_twelve"].rule == Moved("session_12", True, Within(30 * DAY))
    assert len(families.with_families(store, config).segments["session_ops"].targets) == 1


def problem_of(folder: Path, segments: str) -> str:
    """What `check` says first of the family with these *segments* beside it."""
    (folder / "config.yaml").write_text(f"{HEAD}{FAMILY}{segments}")
    found, problems = load(folder / "config.yaml")
    assert found is None
    return str(problems[0])


@pytest.mark.parametrize(("said", "says"), [
    ("{family: sesion_<value>, of: Ops}", "did you mean 'session_<value>'?"),
    ("session_ops", "write {family: session_<value>, of: VALUE}"),
    ("{family: session_<value>}", "does not say which of the family"),
    ("{family: session_<value>, of: [Ops]}", "takes a single value"),
    ("{family: session_<value>, of: 1.50}", "may be the number 1.5 or the text '1.50'; write 1.5, or \"1.50\" in quotes"),
    ("{family: session_<value>, of: 2e3}", "may be the number 2000 or the text '2e3'; write 2000, or \"2e3\" in quotes"),
])
def test_a_segment_of_a_family_that_is_named_wrongly_is_told_how(tmp_path: Path, said: str, says: str) -> None:
    assert says in problem_of(tmp_path, f"  asks: {{segment: {said}}}\n")


@pytest.mark.parametrize(("others", "says"), [
    ("  session_ops: {event: klaviyo.Registered}\n", "the segment for 'Ops' would be called 'session_ops', as another one is"),
    ("  also: {segment: {family: session_<value>, of: OPS}}\n", "'OPS' and 'Ops' of 'session_<value>' both give the name 'session_ops'"),
])
def test_a_value_whose_segment_would_have_a_name_that_is_taken_cannot_be_asked(tmp_path: Path, others: str, says: str) -> None:
    assert says in problem_of(tmp_path, f"  asks: {{segment: {{family: session_<value>, of: Ops}}}}\n{others}")


@pytest.mark.parametrize(("of", "near"), [
    ("ops", "Ops"), ("Data & Al", "Data & AI"), ("1.5", "1.50"), ("Talk 13", ""), ("Sales", ""), ("Ops", ""), ("'1.50'", ""),
])
@pytest.mark.parametrize("asks", [
    "segment: {{family: session_<value>, of: {}}}", "left: {{segment: {{family: session_<value>, of: {}}}, within: 7d}}",
])
def test_a_value_that_nobody_tells_is_named_where_one_like_it_is_there(store: Store, tmp_path: Path, of: str, near: str, asks: str) -> None:
    config = read(tmp_path, FAMILY + "  asks: {" + asks.format(of) + "}\n")
    told = ["Data & AI", "Ops", "Talk 12", "1.50"]
    register(store, (1, [*told, "Sale"]), (2, told))
    run(store, config)
    found = [f"{each.message}; {each.hint}" for each in misspelt(store, config, origins(config, store))]
    why = f"warning: segment 'asks': no session in the store is '{of}'; '{near}' is there; write it so; those with a segment: "
    assert found == ([why + ", ".join(sorted(told))] if near else []), "what one person alone tells is not named"


def test_the_values_that_have_a_segment_are_told_where_they_are_few(store: Store, tmp_path: Path) -> None:
    config = read(tmp_path, FAMILY + "  asks: {segment: {family: session_<value>, of: ops}}\n")
    for who in (1, 2):
        register(store, (who, ["Ops", *"abcdefg"]))
    register(store, (1, "h"))
    run(store, config)
    assert misspelt(store, config, origins(config, store))[0].hint.endswith("write it so; those with a segment: Ops, a, b, c, d, e, f, g")
    register(store, (2, "h"))
    run(store, config)
    assert misspelt(store, config, origins(config, store))[0].hint == "'Ops' is there; write it so"


def test_a_segment_of_a_family_that_is_let_go_alone_is_no_more_the_familys(store: Store, config: Config, tmp_path: Path) -> None:
    """A plain segment that takes its name later goes by its own."""
    register(store, (1, "Ops"), (2, "Ops"))
    run(store, config)
    with store.transaction() as db:
        lives.retire(db, "session_ops")
        families.forget(store, db, ["session_ops"])
    run(store, read(tmp_path, "  session_ops: {event: klaviyo.Registered}\n"))
    assert families.departed(store, read(tmp_path, "  other: {event: klaviyo.Registered}\n")) == {"session_ops": "session_ops"}


def test_a_family_that_goes_on_under_another_name_has_not_left(store: Store, config: Config, tmp_path: Path) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    run(store, config)
    renamed = read(tmp_path, FAMILY.replace("  session_<value>:\n", "  talk_<value>:\n    was: session_<value>\n"))
    assert families.departed(store, families.with_families(store, renamed)) == {}


def test_a_family_that_asks_who_asks_it_is_a_ring(tmp_path: Path) -> None:
    ring = "  asks: {segment: {family: session_<value>, of: Ops}}\n"
    (tmp_path / "config.yaml").write_text(HEAD + FAMILY + "    segment: asks\n" + ring)
    found, problems = load(tmp_path / "config.yaml")
    assert found is None
    assert "ring: asks → session_ops → asks" in str(problems[0])


def test_a_disabled_family_keeps_its_segments_and_those_keep_who_is_in_them(store: Store, tmp_path: Path) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, read(tmp_path, FAMILY)) == {"session_ops": [0, 1]}
    disabled = read(tmp_path, FAMILY + "    enabled: false\n")
    register(store, (3, "Ops"), (3, "Sales"), (4, "Sales"))
    for later in (1, 40 * DAY):
        assert run(store, disabled, NOW + later) == {"session_ops": [0, 1]}
    assert not families.with_families(store, disabled).segments["session_ops"].enabled


def test_a_family_that_retires_lets_everybody_go_and_ends_segment_by_segment(store: Store, tmp_path: Path) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, read(tmp_path, FAMILY)) == {"session_ops": [0, 1]}
    retiring = read(tmp_path, FAMILY + "    retire: remove\n")
    register(store, (3, "Sales"), (4, "Sales"))
    assert run(store, retiring) == {"session_ops": []}
    assert run(store, retiring) == {}
    (tmp_path / "config.yaml").write_text(HEAD + FAMILY + "    retire: remove\n  asks: {segment: {family: session_<value>, of: Ops}}\n")
    assert "which retires: nobody is in it" in str(load(tmp_path / "config.yaml")[1][0])


def test_a_family_under_another_name_goes_on_with_all_of_its_segments(store: Store, tmp_path: Path) -> None:
    register(store, (1, "Ops"), (2, "Ops"))
    assert run(store, read(tmp_path, FAMILY)) == {"session_ops": [0, 1]}
    target = memberships.target(store, "session_ops/klaviyo/list", "list", 3, "", "Session Ops")
    config = read(tmp_path, FAMILY.replace("session_<value>:", "talk_<value>:") + "    was: session_<value>\n")
    assert set(families.with_families(store, config).segments) == {"talk_ops"}
    for _ in range(2):
        carried = families.carried_over(store, config)
        carry_over(store, carried)
        assert run(store, config) == {"talk_ops": [0, 1]}
    assert kept.values(store) == {"talk_<value>": {"Ops"}}
    assert [left.number for left in lives.left(store.db, "talk_ops")] == [target.id]
    assert lives.known(store) == {"talk_ops"}


def test_what_is_left_of_a_family_goes_by_its_name_once_its_stanza_is_out(store: Store, tmp_path: Path) -> None:
    """Values that ended, those that only a rule named, and those that it had to the end; a plain segment beside them by its own."""
    plain = "  session_plain: {suppressed: true}\n"
    register(store, (1, "Ops"), (2, "Ops"), (1, "Sales"), (2, "Sales"))
    asked = "  asks: {segment: {family: session_<value>, of: Rare}}\n"
    assert set(run(store, read(tmp_path, FAMILY + plain + asked))) == {
        "session_ops", "session_sales", "session_rare", "session_plain", "asks",
    }
    retiring = read(tmp_path, FAMILY + "    retire: remove\n" + plain)
    with store.transaction() as db:
        segments.write(db, "session_ops", "other", np.array([0], np.int32), NOW)
    assert families.departed(store, families.with_families(store, retiring)) == {"asks": "asks", "session_rare": "session_rare"}
    for _ in range(2):
        run(store, retiring)
    assert families.departed(store, families.with_families(store, retiring)).keys() >= {"session_ops", "session_sales"}
    whole = "session_<value>"
    assert families.departed(store, read(tmp_path, plain)) == {
        "asks": "asks", "session_ops": whole, "session_sales": whole, "session_rare": whole,
    }


def test_values_that_had_ended_stay_with_the_name_that_the_family_had(store: Store, tmp_path: Path) -> None:
    with store.transaction() as db:
        kept.put(db, "session_<value>", {"Ops", "Sales"})
        kept.put(db, "session_<value>", {"Ops"}, {"Ops", "Rare"})
        kept.put(db, "talk_<value>", {"Old"})
        kept.put(db, "talk_<value>", ())
        kept.rename(db, "session_<value>", "talk_<value>")
    assert kept.values(store) == {"talk_<value>": {"Ops"}}
    assert kept.every(store) == {"talk_<value>": {"Ops", "Old"}, "session_<value>": {"Sales", "Rare"}}


@pytest.mark.parametrize("was", ["talks", "a_<value>_<value>", "session_<value>"])
def test_what_a_family_was_is_a_family(tmp_path: Path, was: str) -> None:
    (tmp_path / "config.yaml").write_text(f"{HEAD}{FAMILY}    was: {was}\n")
    found, problems = load(tmp_path / "config.yaml")
    assert found is None
    assert "'was' takes the name" in str(problems[0])


def test_two_configs_are_compared_with_the_segments_that_their_families_would_have(store: Store, tmp_path: Path) -> None:
    register(store, (1, "Ops"), (2, "Ops"), (3, "Sales"))
    old = read(tmp_path, FAMILY)
    new = read(tmp_path, FAMILY.replace("at_least: 2", "at_least: 1"))
    found = {each.segment: each for each in compare(store, old, new, NOW, 3)}
    assert {name: (each.status, each.after, each.enter) for name, each in found.items()} == {
        "session_ops": ("same", 2, 0), "session_sales": ("new", 1, 1),
    }
    assert kept.values(store) == {}, "it only looks"


STORY = """now: 2026-06-15
people:
  ann: {events: [{event: klaviyo.Registered, at: 1d ago, properties: {session: Data & AI}}]}
  bob: {events: [{event: klaviyo.Registered, at: in 2d, properties: {session: Ops}}]}
expect: {session_data_ai: [ann], session_ops: nobody, ops_people: nobody}
then:
  - {after: 2d, expect: {session_ops: [bob], ops_people: [bob]}}
  - {after: 40d, expect: {session_data_ai: nobody, session_ops: nobody}}
"""


def test_a_story_has_a_segment_for_each_value_that_somebody_in_it_tells_of(tmp_path: Path) -> None:
    config = read(tmp_path, ASKED)
    (tmp_path / "story.yaml").write_text(STORY)
    story, problems = read_story(tmp_path / "story.yaml", config)
    assert story is not None, problems
    found = tried(story, config)
    assert (found.wrong, found.disagreements) == ((), ())
