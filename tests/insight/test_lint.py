"""What `check` warns of: settled conditions, with their place, and nothing where nothing is settled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.config.load import load
from sync.insight.lint import lints
from sync.insight.truths import Truths
from sync.language.values import RuleFailure
from tests.evaluate import worlds
from tests.language.support import NOW, rule

HEAD = """version: 1
connections: {klaviyo: {key: {env: KEY}}}
segments:
  vip: {event: order_placed}
  nobody: {event: order_placed, count: {at_least: 6, at_most: 3}}
  tested: """


def told(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(f"{HEAD}{text}\n")
    config, problems = load(path)
    assert config is not None, problems
    found = [str(problem).removeprefix(f"{path}:") for problem in lints(config)]
    assert found.pop(0) == "5:3: warning: segment 'nobody': nobody can meet 'order_placed, count at least 6 and at most 3'"
    return found


@pytest.mark.parametrize(("text", "says"), [
    ("{event: order_placed, count: {at_least: 5, at_most: 3}}",
     ["6:3: warning: segment 'tested': nobody can meet 'order_placed, count at least 5 and at most 3'"]),
    ("{event: order_placed, count: {at_least: 0}}",
     ["6:3: warning: segment 'tested': everybody meets 'order_placed, count at least 0'"]),
    ("{event: order_placed, sum: {of: value, more_than: 5, less_than: 5.000001}}",
     ["6:3: warning: segment 'tested': nobody can meet 'order_placed, sum of value more than 5 and less than 5.000001'"]),
    ("{event: order_placed, average: {of: value, at_least: 1, missing: match, less_than: 1}}", []),
    ("{event: order_placed, distinct: {of: product, more_than: 2, less_than: 3}}",
     ["6:3: warning: segment 'tested': nobody can meet 'order_placed, distinct of product more than 2 and less than 3'"]),
    ("{sample: {share: 100%, salt: s}}", ["6:3: warning: segment 'tested': 'in the sample of 100% (s)' takes everybody"]),
    ("{all: [{event: order_placed}, {not: {event: order_placed}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: 'order_placed' and not 'order_placed'"]),
    ("{any: [{event: order_placed}, {none: [{event: order_placed}]}]}", [
        "6:3: warning: segment 'tested': everybody meets one of 'order_placed', 'none of (order_placed)'"]),
    ("{all: [{suppressed: true}, {suppressed: false}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: 'suppressed' and not 'suppressed'"]),
    ("{all: [{consent: {channel: email, is: granted}}, {consent: {channel: email, is: withdrawn}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: email consent cannot be granted and withdrawn at once"]),
    ("{all: [{consent: {channel: email, is: granted}}, {consent: {channel: sms, is: withdrawn}}]}", []),
    ("{all: [{event: order_placed, count: {at_least: 5}}, {event: order_placed, count: {at_most: 3}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: 'order_placed, count at least 5' and 'order_placed, count at most 3' "
        "leave no number"]),
    ("{all: [{event: order_placed, within: 7d}, {not: {event: order_placed, within: 30d}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: 'order_placed, within 7d', yet not 'order_placed, within 30d'"]),
    ("{all: [{event: order_placed, within: 30d}, {not: {event: order_placed, within: 7d}}]}", []),
    ("{all: [{event: order_placed, within: 7d, count: {at_least: 3}}, {event: order_placed, within: 30d, count: {at_most: 3}}]}", []),
    ("{any: [{event: order_placed, count: {at_least: 3}}, {event: order_placed, count: {at_most: 2}}]}", [
        "6:3: warning: segment 'tested': everybody meets one of 'order_placed, count at least 3', 'order_placed, count at most 2'"]),
    ("{any: [{event: order_placed, count: {at_least: 4}}, {event: order_placed, count: {at_most: 2}}]}", []),
    ("{any: [{event: order_placed, count: {at_least: 0}}, {segment: vip}]}", [
        "6:3: warning: segment 'tested': everybody is always in it",
        "6:18: warning: segment 'tested': everybody meets 'order_placed, count at least 0'"]),
    ("{all: [{segment: vip}, {segment: nobody}]}", ["6:3: warning: segment 'tested': nobody can ever be in it"]),
    ("{contact: {country: DE, city: {is: Ulm, is_not: Ulm}}}", [
        "6:3: warning: segment 'tested': no single value of city passes 'city is Ulm and is not Ulm'"]),
    ("{all: [{contact: {country: DE}}, {contact: {country: AT}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: no single value of country passes 'country is DE' and "
        "'country is AT'"]),
    ("{all: [{contact: {country: DE}}, {not: {contact: {country: [DE, AT]}}}]}", [
        "6:3: warning: segment 'tested': nobody can meet all of it: no single value of country passes 'country is DE' and "
        "not 'country is one of DE, AT'"]),
    ("{contact: {created: {after: 2026-01-01, before: 2026-01-01}}}", [
        "6:3: warning: segment 'tested': no single value of created passes 'created after 2026-01-01 and before 2026-01-01'"]),
    ("{contact: {created: {after: 2026-01-01, before: 2026-01-03}}}", []),
    ("{contact: {city: {at_least: 5, at_most: 5}}}", []),
    ("{contact: {city: {starts_with: a, ends_with: b}}}", []),
    ("{all: [{event: email_opened, within: 7d}, {contact: {country: DE}}, {event: email_opened, within: 7d}]}", [
        "6:18: warning: segment 'tested': 'email_opened, within 7d' stands 2 times in one list"]),
    ("{all: [{contact: {city: Ulm}}, {any: [{event: order_placed}, {not: {event: order_placed}}]}]}", [
        "6:42: warning: segment 'tested': everybody meets one of 'order_placed', 'not (order_placed)'"]),
])
def test_what_is_settled_is_told_with_its_place(tmp_path: Path, text: str, says: list[str]) -> None:
    assert told(tmp_path, text) == says


@settings(max_examples=300, deadline=None, derandomize=True, database=None,
          suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example))
@given(seed=st.integers(0, 2**32))
def test_what_is_called_settled_is_so_for_everybody(seed: int) -> None:
    rng = Random(seed)
    rules = {"first": worlds.node_of(worlds.tree(rng)), "second": worlds.node_of(worlds.tree(rng, 2, ("first",)))}
    rules["third"] = worlds.node_of({"all": [worlds.leaf(rng), worlds.leaf(rng)]})
    truths = Truths(rules)
    for name, node in rules.items():
        answer = truths.of(node)
        for number in range(4):
            who = replace(worlds.person(rng, number), rules=rules)
            try:
                assert answer in (None, node.matches(who, NOW)), (name, truths.findings)
            except RuleFailure:
                continue


def test_a_ring_of_segments_settles_nothing() -> None:
    rules = {"vip": rule("segment: lapsed"), "lapsed": rule("segment: vip")}
    assert Truths(rules).of(rules["vip"]) is None
