"""What a field was before, asked of everybody at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.standing import held
from sync.evaluate.turns import NEVER, turns
from sync.language.pasts import Changed, HasBeen
from sync.language.predicates import Predicate


class Pasts:
    """The history of one field. *table*: rows of `PASTS`, by contact, then by time."""

    def __init__(self, table: pa.Table, columns: Columns, size: int, now: Millis) -> None:
        self._now, self._size = now, size
        self._contacts: Ints = table.column("contact").to_numpy().astype(np.int64)
        self._at: Ints = table.column("at").to_numpy()
        self._changed: Mask = table.column("changed").to_numpy().astype(bool)
        self._values: Column = columns.read(table.column("value"))

    def has_been(self, node: HasBeen) -> Mask:
        who, since = self._standing(node.test)
        found = np.zeros(self._size, bool)
        found[who[held(node.window, since, self._now)]] = True
        return found

    def has_been_turns(self, node: HasBeen) -> Ints:
        found = np.full(self._size, NEVER)
        who, since = self._standing(node.test)
        np.minimum.at(found, who, turns(node.window, since, self._now))
        ahead = self._at > self._now
        np.minimum.at(found, self._contacts[ahead], self._at[ahead])
        return found

    def changed(self, node: Changed) -> Mask:
        which = self._changes(node)
        found = np.zeros(self._size, bool)
        found[self._contacts[which][held(node.window, self._at[which], self._now)]] = True
        return found

    def changed_turns(self, node: Changed) -> Ints:
        which = self._changes(node)
        found = np.full(self._size, NEVER)
        np.minimum.at(found, self._contacts[which], turns(node.window, self._at[which], self._now))
        return found

    def _standing(self, test: Predicate) -> tuple[Ints, Ints]:
        """Contacts whose value passes now, and since when it has done so without a break."""
        begun = self._at <= self._now
        contacts, at, passes = self._contacts[begun], self._at[begun], self._passes(test)[begun]
        places = np.arange(len(contacts))
        first = np.append(True, contacts[1:] != contacts[:-1])[: len(contacts)]
        last = np.append(first[1:], True)[: len(contacts)]
        opens = passes & (first | ~np.append(False, passes[:-1])[: len(contacts)])
        opened = np.maximum.accumulate(np.where(opens, places, 0))
        now = last & passes
        return contacts[now], at[opened[now]]

    def _changes(self, node: Changed) -> Mask:
        """Which rows are changes of the kind meant: the row before is the same contact's."""
        codes, found = self._values.codes, self._changed.copy()
        found[:1] = False
        found[1:] &= (self._contacts[1:] == self._contacts[:-1]) & (codes[1:] != codes[:-1])
        if node.before is not None:
            found[1:] &= self._passes(node.before)[:-1]
        return found if node.after is None else found & self._passes(node.after)

    def _passes(self, test: Predicate) -> Mask:
        return self._values.passes(test, self._now)
