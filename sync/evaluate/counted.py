"""Conditions whose events may come and go one by one: answered from cells, for those contacts whose cells were touched."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sync.evaluate.batch import Lane, kinds_of, lanes_of
from sync.evaluate.cells import FEW, NOBODY, Cells, grown, places, those, union
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
        self.cells = [cells[lane] for lane in lanes_of(node)]
        self._count = cells[Lane(node.filter, node.window, "count")] if node.count is not None else None
        self._measures = [(measure, _cells_of(node, measure, cells)) for measure in node.measures]
        self._known: dict[int | None, bool] = {}    # what it says of counts that were met one by one
        self.mask: Mask = np.zeros(0, bool)
        self.broken: frozenset[int] = frozenset()
        self.reworded = False                       # who is broken, or why, may have changed when it was last judged
        self.why = ""                               # what to say while somebody is broken

    def judge(self, contacts: Ints, alive: Mask) -> Ints:
        """Answer for *contacts* (ascending, each once) anew; those whose answer is another than before."""
        if len(contacts) <= FEW and not self.broken and (flipped := self._judge_few(contacts)) is not None:
            return flipped
        where = places(contacts)
        if not self._measures:
            self.reworded = False                   # a count can be said of everybody
            return self._note(contacts, where, self._counts(contacts))
        answers, broken = self._answer(contacts)
        broken &= alive[where]
        self.reworded = bool(self.broken or broken.any())
        if self.reworded:
            self.broken = self.broken.difference(contacts.tolist()).union(contacts[broken].tolist())
        return self._note(contacts, where, answers)

    def _judge_few(self, contacts: Ints) -> Ints | None:
        """The same one by one, which costs less; None, and nothing kept, where plain numbers do not say it of all of them."""
        flipped = []
        for contact in contacts.tolist():
            said = self._say(contact)
            if said is None:
                return None
            if said is (not self.mask[contact]):
                flipped.append(contact)
        self.reworded = False
        for contact in flipped:
            self.mask[contact] = not self.mask[contact]
        return those(flipped, contacts)

    def _say(self, contact: int) -> bool | None:
        """The answer for one; None where it takes an average or more than 64 bits, or cannot be said."""
        said: bool | None = True
        if self._count is not None:
            number = self._count.read_one(contact)
            said = self._known.get(number)
            if said is None:
                said = self._learn(number)
        return self._say_of_measures(contact, said) if self._measures else said

    def _learn(self, number: int | None) -> bool | None:
        """What the test says of a count that was not met before."""
        if number is None or self.node.count is None:
            return None
        return self._known.setdefault(number, self.node.count.holds(number))

    def _say_of_measures(self, contact: int, said: bool | None) -> bool | None:
        for measure, cells in self._measures:
            total = _plain_sum(measure, {kind: each.read_one(contact) for kind, each in cells.items()})
            if total is None or said is None:
                return None
            said = said and measure.test.holds_millionths(total)
        return said

    def _note(self, contacts: Ints, where: Ints | slice, answers: Mask) -> Ints:
        """Keep what was answered; those whose answer is another than before."""
        flipped: Ints = contacts[answers != self.mask[where]]
        if len(flipped):
            self.mask[flipped] = ~self.mask[flipped]
        return flipped

    def _counts(self, contacts: Ints) -> Mask:
        """Whose count passes."""
        if self.node.count is None or self._count is None:
            return np.ones(len(contacts), bool)
        return passing(self.node.count, self._count.read(contacts)[0], 1_000_000)

    def _answer(self, contacts: Ints) -> tuple[Mask, Mask]:
        """Whether it holds, and whether that cannot be said."""
        answers, broken = [self._counts(contacts)], [np.zeros(len(contacts), bool)]
        for measure, cells in self._measures:
            held = {kind: each.read(contacts) for kind, each in cells.items()}
            total, wide = held["sum"]
            broken += [wide, held["oversized"][0] > 0, _mixed(held)]
            answers.append(passing_average(measure.test, total, held["numbers"][0]) if measure.kind == "average"
                           else passing(measure.test, total))
        return every(answers), some(broken)

    def touched(self) -> Ints:
        """Of whom it may answer otherwise since the cells were last settled, each once."""
        if len(self.cells) == 1:
            return self.cells[0].changed
        parts = [cells.changed for cells in self.cells if len(cells.changed)]
        return union(parts) if len(parts) > 1 else parts[0] if parts else NOBODY

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


def _plain_sum(measure: Measure, held: Mapping[str, int | None]) -> int | None:
    """The sum for one contact; None where it is none that can be said by it alone."""
    numbers = {kind: number for kind, number in held.items() if number is not None}
    if measure.kind != "sum" or len(numbers) < len(held) or numbers["oversized"]:
        return None
    if "coded" in numbers and numbers["coded"] * numbers["squares"] != numbers["codes"] ** 2:
        return None
    return numbers["sum"]


def _cells_of(node: Happened, measure: Measure, cells: Mapping[Lane, Cells]) -> dict[str, Cells]:
    """The cells of a sum or an average, by kind."""
    return {kind: cells[Lane(node.filter, node.window, kind, measure.of, measure.currency)] for kind in kinds_of(measure)}


def countable(node: Node, engine: Engine) -> bool:
    """Whether *node* can be answered from lanes that *engine* fills."""
    if type(node) is not Happened or node.since is not None or any(measure.kind not in ("sum", "average") for measure in node.measures):
        return False
    return all(engine.supports(lane) for lane in lanes_of(node))
