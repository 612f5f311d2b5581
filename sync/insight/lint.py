"""What is sound but odd in a config: conditions that are settled beforehand, and conditions that stand twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sync.config.model import Config, SegmentSpec
from sync.insight.truths import Truths
from sync.language.describe import describe
from sync.language.graph import sequence
from sync.language.nodes import All, AnyOf, Node, NoneOf, walk
from sync.located import Place, Problem


def lints(config: Config) -> list[Problem]:
    """Warnings about *config*, each with its place and "warning:" in front; needs no store."""
    rules = {name: segment.rule for name, segment in config.segments.items()}
    truths = Truths(rules)
    found: list[Problem] = []
    for name in sequence(rules)[0]:                 # those that others ask come first, and tell their own
        segment = config.segments[name]
        told = len(truths.findings)
        answer = truths.of(segment.rule)
        fresh = truths.findings[told:]
        found += [_warning(place_of(segment, each.node), segment, each.why) for each in fresh]
        if answer is not None and [each.node for each in fresh] != [segment.rule]:
            who = "everybody is always" if answer else "nobody can ever be"
            found.append(_warning(segment.place, segment, f"{who} in it"))
        found += [_warning(place, segment, why) for place, why in _twice(segment)]
    return sorted(found)


def place_of(segment: SegmentSpec, node: Node) -> Place:
    """Where *node* stands in the file, or its segment where that is not known."""
    return segment.places.get(node, segment.place)


def _warning(place: Place, segment: SegmentSpec, why: str) -> Problem:
    return Problem(place, f"warning: segment '{segment.name}': {why}")


def _twice(segment: SegmentSpec) -> Iterator[tuple[Place, str]]:
    for node in dict.fromkeys(walk(segment.rule)):
        if isinstance(node, All | AnyOf | NoneOf):
            for child, times in Counter(node.children).items():
                if times > 1:
                    yield place_of(segment, child), f"'{describe(child)}' stands {times} times in one list"
