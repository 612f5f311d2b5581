"""Whether what a story expects comes true: asked of the slow evaluator, and of the full pass, which must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.base import Millis
from sync.config.model import Config
from sync.evaluate.from_people import snapshot_of
from sync.evaluate.full_pass import full_pass
from sync.insight.story import Expectation, Story
from sync.insight.story_families import with_told
from sync.language.explain import ExplainTree, explain
from sync.language.graph import sequence
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.person import Person
from sync.language.rank import Population
from sync.language.values import RuleFailure


@dataclass(frozen=True, slots=True)
class Wrong:
    """An expectation that did not come true. *got*: who is in the segment, or why that cannot be said; *trees*: the conditions of
    everybody who is on the wrong side."""

    expectation: Expectation
    got: frozenset[str] | str
    trees: Mapping[str, ExplainTree]

    @property
    def lacking(self) -> list[str]:
        """Who should be in the segment, and is not."""
        return [] if isinstance(self.got, str) else sorted(self.expectation.inside - self.got)

    @property
    def excess(self) -> list[str]:
        """Who should not be in it, and is."""
        return [] if isinstance(self.got, str) else sorted(self.expectation.outside & self.got)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one story. *disagreements*: where our two evaluators differ, which is a bug of ours."""

    story: Story
    wrong: tuple[Wrong, ...]
    disagreements: tuple[str, ...]


Answers = Mapping[str, frozenset[str] | str]        # segment → who is in it, or why that cannot be said


def tried(story: Story, config: Config) -> Trial:
    """What came of *story* under the rules of *config*."""
    rules = {name: segment.rule for name, segment in with_told(config, story.people).segments.items()}
    together = Population([replace(person, rules=rules) for person in story.people.values()]).people
    people = dict(zip(story.people, together, strict=True))
    wrong: list[Wrong] = []
    disagreements: list[str] = []
    for at in dict.fromkeys(each.at for each in story.expectations):
        expected = [each for each in story.expectations if each.at == at]
        asked = _asked([each.segment for each in expected], rules)
        slow, fast = slowly(people, asked, at), quickly(people, asked, at)
        disagreements += _differences(slow, fast, at)
        wrong += [_wrong(each, slow[each.segment], people, rules) for each in expected if not _comes_true(each, slow[each.segment])]
    return Trial(story, tuple(wrong), tuple(disagreements))


def slowly(people: Mapping[str, Person], rules: Mapping[str, Node], at: Millis) -> Answers:
    """The meaning: each rule asked of each person by itself."""
    found: dict[str, frozenset[str] | str] = {}
    for name, rule in rules.items():
        try:
            found[name] = frozenset(who for who, person in people.items() if rule.matches(person, at))
        except RuleFailure as failure:
            found[name] = str(failure)
    return found


def quickly(people: Mapping[str, Person], rules: Mapping[str, Node], at: Millis) -> Answers:
    """The full pass, as the daemon runs it."""
    result = full_pass(snapshot_of(list(people.values()), list(rules.values())), rules, at)
    inside = {name: frozenset(who for who, held in zip(people, mask, strict=True) if held) for name, mask in result.members.items()}
    return {**result.failures, **inside}


def _asked(names: Sequence[str], rules: Mapping[str, Node]) -> dict[str, Node]:
    """The rules called *names*, and all that they ask, in the order in which they can be answered."""
    found: set[str] = set()
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += needs(rules[name]).segments & rules.keys()
    return {name: rules[name] for name in sequence({each: rules[each] for each in rules if each in found})[0]}


def _differences(slow: Answers, fast: Answers, at: Millis) -> Iterator[str]:
    for name, answer in slow.items():
        if isinstance(answer, str) != isinstance(fast[name], str) or (not isinstance(answer, str) and answer != fast[name]):
            yield f"segment '{name}' at {at}: {_told(answer)} by the slow evaluator, {_told(fast[name])} by the full pass"


def _told(answer: frozenset[str] | str) -> str:
    return f"failure ({answer})" if isinstance(answer, str) else ", ".join(sorted(answer)) or "nobody"


def _comes_true(expected: Expectation, got: frozenset[str] | str) -> bool:
    if isinstance(got, str) or expected.fails:
        return isinstance(got, str) and expected.fails
    return expected.inside <= got and not expected.outside & got


def _wrong(expected: Expectation, got: frozenset[str] | str, people: Mapping[str, Person], rules: Mapping[str, Node]) -> Wrong:
    found = Wrong(expected, got, {})
    trees = {who: explain(rules[expected.segment], people[who], expected.at, who in expected.inside)
             for who in (*found.lacking, *found.excess)}
    return replace(found, trees=trees)
