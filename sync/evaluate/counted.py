"""Conditions whose events may come and go one by one: answered from cells, for those contacts whose cells were touched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sync.evaluate.batch import Lane, lanes_of
from sync.evaluate.cells import NOBODY, Cells, grown
from sync.evaluate.engine import Engine
from sync.evaluate.numbers import passing, passing_average
from sync.evaluate.snapshot import Ints, Mask, every, some
from sync.language.happened import Happened, Measure
from sync.language.nodes import Node

EXACT = 2**62


class Counted:
    """One condition: who meets it (*mask*), and of whom it cannot be said (*broken*)."""

    def __init__(self, node: Happened, cells: Mapping[Lane, Cells]) -> None:
        self.node = node
        self._cells = {lane: cells[lane] for lane in lanes_of(node)}
        self.mask: Mask = np.zeros(0, bool)
        self.broken: frozenset[int] = frozenset()
        self.reworded = False                       # who is broken, or why, may have changed when it was last judged
        self.why = ""                               # what to say while somebody is broken

    def judge(self, contacts: Ints, alive: Mask) -> Ints:
        """Answer for *contacts* (each once) anew; those whose answer is another than before."""
        answers, broken = self._answer(contacts)
        broken &= alive[contacts]
        self.reworded = bool(self.broken or broken.any())
        if self.reworded:
            self.broken = self.broken.difference(contacts.tolist()).union(contacts[broken].tolist())
        flipped: Ints = contacts[answers != self.mask[contacts]]
        self.mask[contacts] = answers
        return flipped

    def _answer(self, contacts: Ints) -> tuple[Mask, Mask]:
        """Whether it holds, and whether that cannot be said."""
        node, answers, broken = self.node, [], [np.zeros(len(contacts), bool)]
        if node.count is not None:
            count, _ = self._cells[Lane(node.filter, node.window, "count")].read(contacts)
            answers.append(passing(node.count, count, 1_000_000))
        for measure in node.measures:
            held = {kind: self._cells[lane].read(contacts) for kind, lane in self._lanes(measure).items()}
            total, wide = held["sum"]
            broken += [wide, held["oversized"][0] > 0, _mixed(held)]
            answers.append(passing_average(measure.test, total, held["numbers"][0]) if measure.kind == "average"
                           else passing(measure.test, total))
        return every(answers), some(broken)

    def _lanes(self, measure: Measure) -> dict[str, Lane]:
        return {lane.kind: lane for lane in self._cells if (lane.of, lane.currency) == (measure.of, measure.currency)}

    def grow(self, size: int) -> None:
        self.mask = grown(self.mask, size, False)


def _mixed(held: Mapping[str, tuple[Ints, Mask]]) -> Mask:
    """Of whom the numbers have several currencies: where they have one, n · Σ code² = (Σ code)²."""
    if "coded" not in held:
        return np.zeros(len(held["sum"][0]), bool)
    n, codes, squares = (held[kind][0] for kind in ("coded", "codes", "squares"))
    if int(n.max(initial=0)) * int(squares.max(initial=0)) > EXACT:
        n, codes, squares = (each.astype(object) for each in (n, codes, squares))
    found: Mask = (n * squares != codes * codes).astype(bool)
    return found


def touched(cells: Mapping[Lane, Cells]) -> dict[Lane, Ints]:
    """Per lane the contacts whose cells were touched, each once."""
    found = {lane: held.settle() for lane, held in cells.items() if held.touched}
    return {lane: np.unique(contacts) for lane, contacts in found.items()}


def concerned(node: Happened, changed: Mapping[Lane, Ints]) -> Ints:
    """The contacts of whom *node* may answer otherwise."""
    parts = [changed[lane] for lane in lanes_of(node) if lane in changed]
    if len(parts) > 1:
        return np.unique(np.concatenate(parts))
    return parts[0] if parts else NOBODY


def countable(node: Node, engine: Engine) -> bool:
    """Whether *node* can be answered from lanes that *engine* fills."""
    if type(node) is not Happened or node.since is not None or any(measure.kind not in ("sum", "average") for measure in node.measures):
        return False
    return all(engine.supports(lane) for lane in lanes_of(node))
