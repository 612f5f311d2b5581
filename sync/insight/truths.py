"""Conditions whose answer is settled before anybody is asked: what nobody can meet, and what everybody always meets.

Only what can be shown is said: silence does not mean that a condition can go either way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sync.insight.candidates import least_and_most, scalars_that_pass, settled_alone
from sync.language.calendars import never_longer
from sync.language.describe import describe
from sync.language.happened import Filter, Happened
from sync.language.nodes import All, AnyOf, InSegment, Node, NoneOf, Not
from sync.language.predicates import NumberTest, Predicate
from sync.language.values import Path, path_text
from sync.language.who import ConsentIs, Contact, Sample, Suppressed
from sync.language.window import Ago, Ever, OlderThan, Window, Within

Literal = tuple[Node, bool]                         # a condition, and the answer asked of it


@dataclass(frozen=True, slots=True)
class Finding:
    """*why* the answer of *node* is settled, or what else is odd about it."""

    node: Node
    why: str


class Truths:
    """What is settled about conditions; *rules* are the segments that they may ask."""

    def __init__(self, rules: Mapping[str, Node]) -> None:
        self._rules = rules
        self._known: dict[Node, bool | None] = {}
        self.findings: list[Finding] = []

    def of(self, node: Node) -> bool | None:
        """True: everybody meets *node*; False: nobody does; None: neither can be shown. Notes why, once, where it shows."""
        if node not in self._known:
            self._known[node] = None                # a ring of segments ends here
            self._known[node] = self._settled(node)
        return self._known[node]

    def _settled(self, node: Node) -> bool | None:
        if isinstance(node, InSegment):
            return self.of(self._rules[node.name]) if node.name in self._rules else None
        if isinstance(node, Not):
            found = self.of(node.child)
            return None if found is None else not found
        if isinstance(node, All | AnyOf | NoneOf):
            return self._joined(node)
        found, why = alone(node)
        if why:
            self.findings.append(Finding(node, why))
        return found

    def _joined(self, node: All | AnyOf | NoneOf) -> bool | None:
        """By the answers of its children, else by what they say together."""
        answers = [self.of(child) for child in node.children]
        decisive = isinstance(node, AnyOf | NoneOf)  # the answer of one child that settles the whole
        if decisive in answers:
            return isinstance(node, AnyOf)
        if all(answer is not decisive and answer is not None for answer in answers):
            return not isinstance(node, AnyOf)
        why = contradiction(list(literals(node, not isinstance(node, AnyOf))))
        if not why:
            return None
        branches = ", ".join(f"'{describe(child)}'" for child in node.children)
        told = f"everybody meets one of {branches}" if isinstance(node, AnyOf) else f"nobody can meet all of it: {why}"
        self.findings.append(Finding(node, told))
        return isinstance(node, AnyOf)


def alone(node: Node) -> tuple[bool | None, str]:
    """What one condition without children says of everybody, and why that is odd ("" where it is not)."""
    if isinstance(node, Happened):
        found = settled_alone(node)
        if found is not None:
            return found, f"{'everybody meets' if found else 'nobody can meet'} '{describe(node)}'"
    if isinstance(node, Sample) and node.share >= 1:
        return True, f"'{describe(node)}' takes everybody"
    if isinstance(node, Contact):
        return None, _no_value([(path, test, True) for path, test in node.fields])
    return None, ""


def literals(node: Node, wanted: bool) -> Iterator[Literal]:
    """The conditions that must all answer as told for *node* to answer *wanted*."""
    if isinstance(node, Not):
        yield from literals(node.child, not wanted)
    elif isinstance(node, NoneOf) and len(node.children) == 1:
        yield from literals(node.children[0], not wanted)
    elif isinstance(node, All if wanted else AnyOf) or (isinstance(node, All | AnyOf) and len(node.children) == 1):
        yield from (each for child in node.children for each in literals(child, wanted))
    elif isinstance(node, NoneOf) and wanted:
        yield from (each for child in node.children for each in literals(child, False))
    elif isinstance(node, Suppressed) and not wanted:
        yield Suppressed(not node.expected), True
    else:
        yield node, wanted


def contradiction(asked: Collection[Literal]) -> str:
    """Why *asked* cannot all be so at once, "" where that does not show."""
    both = [node for node, wanted in asked if wanted and ((node, False) in asked or _opposite(node, asked))]
    if both:
        return f"'{describe(both[0])}' and not '{describe(both[0])}'"
    return _consents(asked) or _counts(asked) or _no_value([
        (path, test, wanted) for node, wanted in asked if isinstance(node, Contact) and (wanted or len(node.fields) == 1)
        for path, test in node.fields
    ])


def _opposite(node: Node, asked: Collection[Literal]) -> bool:
    return isinstance(node, Suppressed) and (Suppressed(not node.expected), True) in asked


def _consents(asked: Iterable[Literal]) -> str:
    """Consent has one state at a time."""
    states: dict[ConsentIs, str] = {}
    for node, wanted in asked:
        if isinstance(node, ConsentIs) and wanted:
            first = states.setdefault(replace(node, state=""), node.state)
            if first != node.state:
                return f"{node.channel} consent cannot be {first} and {node.state} at once"
    return ""


# --- counts of the same events --------------------------------------------------------------------------------------------------


def _counts(asked: Iterable[Literal]) -> str:
    """Counts of the same events that leave no number, also where one window lies inside another."""
    tests: dict[tuple[Filter, Window], list[tuple[NumberTest, bool]]] = defaultdict(list)
    words: dict[tuple[Filter, Window], list[str]] = defaultdict(list)
    for node, wanted in asked:
        if isinstance(node, Happened) and node.count is not None and not node.measures and node.since is None:
            tests[node.filter, node.window].append((node.count, wanted))
            words[node.filter, node.window].append(f"'{describe(node)}'" if wanted else f"not '{describe(node)}'")
    bounds = {events: least_and_most(each) for events, each in tests.items()}
    for events, found in bounds.items():
        if found is None:
            return f"{' and '.join(words[events])} leave no number"
    for (inner, near), low in bounds.items():
        for (outer, far), high in bounds.items():
            if inner == outer and low and high and high[1] is not None and low[0] > high[1] and inside(near, far):
                return f"{' and '.join(words[inner, near])}, yet {' and '.join(words[outer, far])}"
    return ""


def inside(inner: Window, outer: Window) -> bool:
    """Whether every moment of *inner* surely lies in *outer*, whenever it is asked."""
    if inner == outer or isinstance(outer, Ever):
        return True
    match inner, outer:
        case (Within(near), Within(far)) | (Ago(near, _), Within(far)):
            return never_longer(near, far)
        case (OlderThan(far), OlderThan(near)) | (Ago(_, far), OlderThan(near)):
            return never_longer(near, far)
        case (Ago(far, near), Ago(furthest, nearest)):
            return never_longer(far, furthest) and never_longer(nearest, near)
        case _:
            return False


# --- fields ---------------------------------------------------------------------------------------------------------------------


def _no_value(asked: Collection[tuple[Path, Predicate, bool]]) -> str:
    """Which field has no single value that passes all that is asked of it."""
    by_path: dict[Path, list[tuple[Predicate, bool]]] = defaultdict(list)
    for path, test, wanted in asked:
        by_path[path].append((test, wanted))
    for path, tests in by_path.items():
        if scalars_that_pass(tests) == []:
            told = [f"{'' if wanted else 'not '}'{describe(Contact(((path, test),)))}'" for test, wanted in tests]
            return f"no single value of {path_text(path)} passes {' and '.join(told)}"
    return ""
