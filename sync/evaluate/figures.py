"""The figures of traits as arrays, made of the rows of their events; each means what its twin in `sync.language.figures` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import DAY, Millis
from sync.evaluate.columns import Column, Dictionary
from sync.evaluate.counters import ExactSum, TooBig
from sync.evaluate.events import NO_CURRENCY, currency_ids, unique_pairs
from sync.evaluate.reading import Rows
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.turns import NEVER
from sync.language.decay import left, stays_above
from sync.language.figures import Decaying, Which
from sync.language.figures import next_days as numbers_of_days
from sync.language.happened import mixed_currencies, overflow
from sync.language.needs import figure_properties
from sync.language.values import INT64_MAX, MILLION, Path, RuleFailure, canonical, is_missing

Timed: TypeAlias = Iterable[tuple[Ints, Rows]]      # the times of events of one type, ascending, and their rows
_NONE: Ints = np.empty(0, np.int64)


# --- first and last -----------------------------------------------------------------------------------------------------------


def edge_times(events: Timed, which: Which, size: int) -> tuple[Ints, Mask]:
    """The time of each contact's first or last event (0 where there is none), and who has one."""
    least = which == "first"
    found = np.full(size, NEVER if least else -NEVER)
    for at, rows in events:
        mine = np.full(size, NEVER if least else -NEVER)
        order = slice(None, None, -1) if least else slice(None)        # the one that is written last stays
        mine[rows.contacts[order]] = at[order]
        found = (np.minimum if least else np.maximum)(found, mine)
    known = np.abs(found) != NEVER
    return np.where(known, found, 0), known


def edge_values(events: Timed, which: Which, of: Path, size: int) -> Column:
    """The value of each contact's first or last event that has one; of several at one instant the alphabetically first."""
    texts: dict[str, int] = {}
    parts: list[tuple[Ints, Ints, Ints]] = []
    for at, rows in events:
        column = rows.columns[of]
        numbers = [-1 if is_missing(value) else texts.setdefault(canonical(value), len(texts)) for value in column.dictionary.values]
        ids = np.array(numbers, np.int64)[column.codes]
        parts.append((rows.contacts[ids >= 0], at[ids >= 0], ids[ids >= 0]))
    who, at, ids = _together(parts)
    names = list(texts)
    order = np.lexsort((_alphabetical(names)[ids], at if which == "first" else -at, who))
    first = order[_starts(who[order])]
    codes = np.full(size, -1, np.int32)
    codes[who[first]] = ids[first]
    return Column(codes, Dictionary(pa.array(names, pa.string())))


def days_since(times: Ints, known: Mask, now: Millis) -> tuple[Ints, Mask]:
    """Whole days from *times* to now, in millionths."""
    return np.where(known, (now - times) // DAY * MILLION, 0), known


def next_days(times: Ints, known: Mask, levels: tuple[int, ...] | None, now: Millis) -> Ints:
    """When the whole days since *times* are next judged otherwise (`NEVER` where they are not)."""
    days = (now - times) // DAY
    if levels is None:
        return np.where(known, times + (days + 1) * DAY, NEVER)
    found = np.full(len(times), NEVER)
    for number in numbers_of_days(levels, -1):
        found = np.where(known & (number > days), np.minimum(found, times + number * DAY), found)
    return found


# --- values and how often -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CountedKeys:
    """Each contact beside each value that its events hold (a number into *names*), how often, and when last."""

    who: Ints
    ids: Ints
    times: Ints
    latest: Ints
    names: Sequence[str]


def counted_keys(events: Timed, of: Path, interned: dict[str, int]) -> CountedKeys:
    """What `distinct` tells apart under the property *of*, counted."""
    parts: list[tuple[Ints, Ints, Ints]] = []
    for at, rows in events:
        row, ids = rows.columns[of].dictionary.keys(interned).of(np.arange(len(at)), rows.columns[of].codes)
        parts.append((rows.contacts[row], at[row], ids))
    who, at, ids = _together(parts)
    pairs, place, times = np.unique((who << 32) | ids, return_inverse=True, return_counts=True)
    latest = np.full(len(pairs), -NEVER)
    np.maximum.at(latest, place, at)
    return CountedKeys(pairs >> 32, pairs & 0xFFFFFFFF, times, latest, list(interned))


def most_frequent(keys: CountedKeys, most: int | None, size: int) -> Column:
    """The most frequent value of each contact as a text, or with *most* a list of the first so many."""
    order = np.lexsort((_alphabetical(keys.names)[keys.ids], -keys.latest, -keys.times, keys.who))
    starts = _starts(keys.who[order])
    if most is not None:
        place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        return _lists(keys, order[place < most], size)
    first = order[starts]
    used, codes_of = np.unique(keys.ids[first], return_inverse=True)
    codes = np.full(size, -1, np.int32)
    codes[keys.who[first]] = codes_of
    return Column(codes, Dictionary(_json_texts(keys.names, used)))


def different(keys: CountedKeys, size: int) -> Column:
    """All values of each contact as a list of texts in alphabetical order."""
    return _lists(keys, np.lexsort((_alphabetical(keys.names)[keys.ids], keys.who)), size)


def _lists(keys: CountedKeys, order: Ints, size: int) -> Column:
    """The values of each contact in this *order*, which has those of one contact side by side."""
    who, starts = keys.who[order], _starts(keys.who[order])
    used, places = np.unique(keys.ids[order], return_inverse=True)
    words = pc.take(_json_texts(keys.names, used), pa.array(places))
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(np.append(starts, len(order)), pa.int32()), words), ",")
    encoded = pc.binary_join_element_wise("[", joined, "]", "").dictionary_encode()
    codes = np.full(size, -1, np.int32)
    codes[who[starts]] = encoded.indices.to_numpy()
    return Column(codes, Dictionary(encoded.dictionary))


def _json_texts(names: Sequence[str], used: Ints) -> pa.StringArray:
    return pa.array([canonical(names[each]) for each in used.tolist()], pa.string())


def _alphabetical(names: Sequence[str]) -> Ints:
    """The place of each name among all of them in order."""
    places = np.empty(len(names), np.int64)
    places[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return places


def _starts(who: Ints) -> Ints:
    """Where each contact begins in ascending *who*."""
    return np.flatnonzero(np.diff(who, prepend=-1))


def _together(parts: Sequence[tuple[Ints, Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    first, second, third = zip(*parts, strict=True) if parts else ((), (), ())
    return np.concatenate([_NONE, *first]), np.concatenate([_NONE, *second]), np.concatenate([_NONE, *third])


# --- decaying scores ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parts:
    """What a decaying score is made of: contact, time and amount (above 0) of each event. *failures*: why it cannot be said of some
    contact, whatever the moment; of whom, the arrays tell."""

    figure: Decaying
    size: int
    who: Ints
    at: Ints
    amounts: Ints
    failures: Mapping[str, Ints]

    @staticmethod
    def of(events: Timed, figure: Decaying, interned: dict[str, int], size: int) -> Parts:
        parts: list[tuple[Ints, Ints, Ints]] = []
        money: list[tuple[Ints, Ints]] = []
        too_big: list[Ints] = []
        for at, rows in events:
            counts, amounts = _amounts(rows, figure, interned, money, too_big)
            counts &= amounts > 0
            parts.append((rows.contacts[counts], at[counts], amounts[counts]))
        return Parts(figure, size, *_together(parts), _failures(figure, money, too_big, interned))

    def scores(self, now: Millis) -> Ints:
        """Millionths per contact; `RuleFailure` where they do not fit, and where a contact's amounts do not or mix currencies."""
        for why in self.failures:
            raise RuleFailure(why)
        try:
            return self._sums(now).total()
        except TooBig:
            raise RuleFailure(_too_big(self.figure)) from None

    def _sums(self, now: Millis) -> ExactSum:
        return ExactSum.summed(self.who, left(self.amounts, now - self.at, self.figure.half_life), self.size)

    def turns(self, levels: tuple[int, ...] | None, now: Millis) -> Ints:
        """Per contact when the score is next judged otherwise while no event comes or goes, as `Decaying.turn` says."""
        (scores, beyond), found = self._sums(now).clipped(), np.full(self.size, NEVER)
        level = np.where(beyond, INT64_MAX, _next_levels(levels, scores))
        level[np.concatenate([_NONE, *self.failures.values()])] = -1
        asked = np.flatnonzero(level >= 0)
        events = np.bincount(self.who, minlength=self.size)
        stays = np.where(beyond[asked], 0, stays_above(level[asked], scores[asked], events[asked], self.figure.half_life))
        found[asked] = now + stays
        for contact in asked[stays == 0].tolist():                      # only those that are about to fall below
            mine = np.flatnonzero(self.who == contact)
            amounts = list(zip(self.at[mine].tolist(), self.amounts[mine].tolist(), strict=True))
            found[contact] = self.figure.falls(amounts, int(level[contact]), now)
        return found


def _next_levels(levels: tuple[int, ...] | None, scores: Ints) -> Ints:
    """Per score the value at or below which it is next judged otherwise, -1 where it never is."""
    found = np.full(len(scores), -1, np.int64)
    for level in levels or ():
        if 0 <= level <= INT64_MAX:
            below = np.where(level < scores, level, np.where(level == scores, level - 1, -1))
            found = np.maximum(found, below)
    return found


def read_by(figure: Decaying) -> list[Path]:
    """The properties that its amounts are read from."""
    return sorted(figure_properties(figure))


def _amounts(
    rows: Rows, figure: Decaying, interned: dict[str, int], money: list[tuple[Ints, Ints]], too_big: list[Ints],
) -> tuple[Mask, Ints]:
    """Which rows have an amount, and all amounts in millionths. Who paid in which currency goes to *money*, whose amounts do not fit
    to *too_big*."""
    measure = figure.measure
    if measure is None:
        return np.ones(len(rows.contacts), bool), np.full(len(rows.contacts), MILLION)
    numbers, codes = rows.columns[measure.of].dictionary.numbers, rows.columns[measure.of].codes
    known = numbers.known[codes]
    ids = currency_ids(measure, rows, interned)
    if ids is not None and measure.currency:
        known &= ids == interned.get(measure.currency, NO_CURRENCY - 1)
    elif ids is not None:
        named = known & (ids != NO_CURRENCY)
        money.append(unique_pairs(rows.contacts[named], ids[named]))
    too_big.append(rows.contacts[known & numbers.too_big[codes]])
    return known, numbers.millionths[codes]


def _failures(
    figure: Decaying, money: list[tuple[Ints, Ints]], too_big: list[Ints], interned: dict[str, int],
) -> dict[str, Ints]:
    """Why it cannot be said of whom: several currencies, or an amount beyond int64."""
    if figure.measure is None:
        return {}
    who, codes = (np.concatenate([_NONE, *column]) for column in (zip(*money, strict=True) if money else ((), ())))
    who, codes = unique_pairs(who, codes)
    several = np.isin(who, who[1:][np.diff(who) == 0])
    names = list(interned)
    found = {mixed_currencies(figure.measure, {names[code] for code in np.unique(codes[several])}): who[several]}
    found[overflow(figure.measure.of)] = np.concatenate([_NONE, *too_big])
    return {why: contacts for why, contacts in found.items() if len(contacts)}


def _too_big(figure: Decaying) -> str:
    return overflow(() if figure.measure is None else figure.measure.of)
