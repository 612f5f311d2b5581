"""Dictionary columns: every question is asked once per distinct value and spread over the rows by code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import Millis
from sync.evaluate.plain import compares, compares_words, instants_pass, instants_turn, numbers_pass, words_pass
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.turns import NEVER
from sync.language.predicates import Predicate
from sync.language.values import INT64_MAX, PLACES, Json, Path, canonical, decode, distinct_keys, instant_text, number_text, read_number

_PLAIN = r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"
_INSTANT = r'^"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{1,3})?(Z|[+]00:00)"$'
_WORD = r'^"[A-Za-z_][ !#-\[\]-~]*"$'               # ASCII without quotes and backslashes; what begins so is no numeral and no date
Codes = npt.NDArray[np.int32]


class Dictionary:
    """Distinct values of a column and, per question, the answer for each; the last entry stands for absent."""

    def __init__(self, texts: Any) -> None:
        self.column = texts                                            # pa.StringArray; kept so that its address stays taken
        self._answers: dict[Predicate, Mask] = {}
        self._keys: Keys | None = None

    def __len__(self) -> int:
        return len(self.column)

    @cached_property
    def texts(self) -> list[str | None]:
        return [*self.column.to_pylist(), None]

    @cached_property
    def values(self) -> list[Json]:
        return list(map(self.value, range(len(self) + 1)))

    def value(self, code: int) -> Json:
        """The value of one code, decoded."""
        text = self.texts[code] if code < len(self) else None
        return None if text is None else decode(text)

    def answers(self, predicate: Predicate, now: Millis) -> Mask:
        """Per code whether the value passes; only for predicates that look at no other field."""
        if predicate not in self._answers:
            self._answers[predicate] = self._compared(predicate, now) if compares(predicate) else self._asked(predicate, now)
        return self._answers[predicate]

    def turns(self, predicate: Predicate, now: Millis) -> Ints:
        """Per code the first instant after now at which the answer may differ (`NEVER`: none)."""
        if not predicate.timed:
            return np.full(len(self) + 1, NEVER)
        is_instant, times = self.plain_instants
        found = instants_turn(predicate, times, now) if compares(predicate) else np.full(len(self) + 1, NEVER)
        for code in np.flatnonzero(~is_instant if compares(predicate) else np.ones(len(self) + 1, bool)).tolist():
            turn = predicate.turn(self.value(code), {}, now)
            found[code] = NEVER if turn is None else turn
        return found

    def _asked(self, predicate: Predicate, now: Millis) -> Mask:
        return np.fromiter((predicate.holds(value, {}, now) for value in self.values), bool, len(self) + 1)

    def _compared(self, predicate: Predicate, now: Millis) -> Mask:
        """The same for predicates that compare: plain numerals, instants and words at once, whatever else there is one by one."""
        is_number, millionths = self.plain_numbers
        is_instant, times = self.plain_instants
        answers = np.where(is_number, numbers_pass(predicate, millionths), instants_pass(predicate, times, now))
        asked = is_number | is_instant
        if compares_words(predicate):
            is_word, words = self.plain_words
            answers[is_word] = words_pass(predicate, words)
            asked |= is_word
        for code in np.flatnonzero(~asked).tolist():
            answers[code] = predicate.holds(self.value(code), {}, now)
        return answers

    @cached_property
    def plain_numbers(self) -> tuple[Mask, Ints]:
        """Which codes are numerals of at most 12 digits and 6 places, and their millionths (0 for the rest)."""
        plain, millionths = np.zeros(len(self) + 1, bool), np.zeros(len(self) + 1, np.int64)
        if len(self):
            found = pc.fill_null(pc.match_substring_regex(self.column, _PLAIN), False)
            plain[:-1] = found.to_numpy(zero_copy_only=False)
            decimals = pc.cast(pc.filter(self.column, found), pa.decimal128(18, PLACES))
            words = np.frombuffer(decimals.buffers()[1] or b"", np.int64, 2 * len(decimals), 16 * decimals.offset)
            millionths[plain] = words[::2]                              # 18 digits fit the low word of the 128 bits
        return plain, millionths

    @cached_property
    def plain_instants(self) -> tuple[Mask, Ints]:
        """Which codes are instants in UTC as platforms write them, and their milliseconds (0 for the rest)."""
        plain, times = np.zeros(len(self) + 1, bool), np.zeros(len(self) + 1, np.int64)
        if len(self):
            found = pc.fill_null(pc.match_substring_regex(self.column, _INSTANT), False)
            local = pc.utf8_slice_codeunits(pc.replace_substring_regex(pc.filter(self.column, found), "(Z|[+]00:00)\"$", ""), 1)
            try:
                read = pc.cast(local, pa.timestamp("ms"))
            except pa.ArrowInvalid:                                     # 30 February among them: each by itself
                return plain, times
            plain[:-1] = found.to_numpy(zero_copy_only=False)
            times[plain] = pc.cast(read, pa.int64()).to_numpy(zero_copy_only=False)
        return plain, times

    @cached_property
    def plain_words(self) -> tuple[Mask, Any]:
        """Which codes are texts that are plain words, and the JSON texts of those."""
        plain = np.zeros(len(self) + 1, bool)
        found = pc.fill_null(pc.match_substring_regex(self.column.cast(pa.string()), _WORD), False)
        plain[:-1] = found.to_numpy(zero_copy_only=False)
        return plain, pc.filter(self.column, found)

    def tells(self, question: Callable[[Json], bool]) -> Mask:
        """Per code the answer to *question*."""
        return np.fromiter(map(question, self.values), bool, len(self) + 1)

    @cached_property
    def numbers(self) -> Numbers:
        return Numbers(self)

    def keys(self, interned: dict[str, int]) -> Keys:
        """Per code what `distinct` counts in it; *interned* numbers each key that was ever met in this pass."""
        if self._keys is None:
            self._keys = Keys(self, interned)
        return self._keys


class Numbers:
    """Millionths per code of a dictionary (0 where there is no number), and which codes hold one or overflow int64."""

    def __init__(self, dictionary: Dictionary) -> None:
        plain, millionths = dictionary.plain_numbers
        self.known: Mask = plain.copy()
        self.millionths: Ints = millionths.copy()
        self.too_big: Mask = np.zeros(len(plain), bool)
        for code in np.flatnonzero(~plain).tolist():
            number = read_number(dictionary.value(code))
            self.known[code] = number is not None
            if number is not None and -INT64_MAX - 1 <= number <= INT64_MAX:
                self.millionths[code] = number
            else:
                self.too_big[code] = number is not None
        self.unit = int(np.gcd.reduce(self.millionths)) or 1            # every number is a multiple of it


class Instants(Dictionary):
    """Times that are no texts yet: known_since."""

    def __init__(self, times: Ints) -> None:
        super().__init__(pa.nulls(len(times), pa.string()))
        self._times = times

    @cached_property
    def texts(self) -> list[str | None]:
        return [*(canonical(instant_text(at)) for at in self._times.tolist()), None]

    @cached_property
    def plain_instants(self) -> tuple[Mask, Ints]:
        known = np.ones(len(self) + 1, bool)
        known[-1] = False
        return known, np.append(self._times, 0)


class Amounts(Dictionary):
    """Numbers that are no texts yet: millionths that a trait came to."""

    def __init__(self, millionths: Ints) -> None:
        super().__init__(pa.nulls(len(millionths), pa.string()))
        self._millionths = millionths

    @cached_property
    def texts(self) -> list[str | None]:
        return [*(number_text(number) for number in self._millionths.tolist()), None]

    @cached_property
    def plain_numbers(self) -> tuple[Mask, Ints]:
        known = np.ones(len(self) + 1, bool)
        known[-1] = False
        return known, np.append(self._millionths, 0)


class Keys:
    """The distinct keys of each code, as numbers: *ids[start : start + length]* are those of one code."""

    def __init__(self, dictionary: Dictionary, interned: dict[str, int]) -> None:
        found = [[interned.setdefault(key, len(interned)) for key in distinct_keys(value)] for value in dictionary.values]
        self.lengths: Ints = np.fromiter(map(len, found), np.int64, len(found))
        self.starts: Ints = np.cumsum(self.lengths) - self.lengths
        self.ids: Ints = np.fromiter((key for keys in found for key in keys), np.int64, int(self.lengths.sum()))

    def of(self, contacts: Ints, codes: Codes) -> tuple[Ints, Ints]:
        """Each contact beside each key that its row holds."""
        lengths = self.lengths[codes]
        before = np.cumsum(lengths) - lengths
        within = np.arange(int(lengths.sum())) - np.repeat(before, lengths)
        return np.repeat(contacts, lengths), self.ids[np.repeat(self.starts[codes], lengths) + within]


class Column:
    """Codes of rows into a dictionary; -1, which numpy reads as its last entry, is absent."""

    def __init__(self, codes: Codes, dictionary: Dictionary) -> None:
        self.codes = codes
        self.dictionary = dictionary

    def take(self, rows: slice | Mask | Ints) -> Column:
        return Column(self.codes[rows], self.dictionary)

    def passes(self, predicate: Predicate, now: Millis) -> Mask:
        return self.dictionary.answers(predicate, now)[self.codes]

    def turns(self, predicate: Predicate, now: Millis) -> Ints:
        return self.dictionary.turns(predicate, now)[self.codes]


class Columns:
    """Turns Arrow columns into `Column`s; equal dictionaries become one, so that their answers are shared."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], Dictionary] = {}
        self.interned: dict[str, int] = {}

    def read(self, column: Any) -> Column:
        """A column from a dictionary array or plain strings, chunked or not."""
        if isinstance(column, pa.ChunkedArray):
            column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            if isinstance(column, pa.ChunkedArray):                     # of no chunks
                column = pa.array([], pa.string())
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        indices = column.indices.cast(pa.int32())
        filled = pc.fill_null(indices, -1) if indices.null_count else indices
        return Column(filled.to_numpy(zero_copy_only=False), self._dictionary(column.dictionary))

    def again(self, column: Column) -> Column:
        """A column of texts that was read elsewhere, with answers of its own."""
        return Column(column.codes, self._dictionary(column.dictionary.column))

    def _dictionary(self, texts: Any) -> Dictionary:
        key = (*(0 if buffer is None else buffer.address for buffer in texts.buffers()), texts.offset, len(texts))
        if key not in self._known:
            self._known[key] = Dictionary(texts)                        # which keeps the buffers, so their addresses stay theirs
        return self._known[key]


def passes(path: Path, predicate: Predicate, columns: Mapping[Path, Column], now: Millis) -> Mask:
    """Which rows pass; predicates that compare with other fields are asked once per distinct combination."""
    others = sorted(predicate.others() - {path})
    if not predicate.others():
        return columns[path].passes(predicate, now)
    paths = [path, *others]
    combined, first = _combinations([columns[each] for each in paths])
    records = ({each: columns[each].dictionary.values[columns[each].codes[row]] for each in paths} for row in first)
    answers = np.fromiter((predicate.holds(values[path], nest(values), now) for values in records), bool, len(first))
    return answers[combined]


def _combinations(columns: Sequence[Column]) -> tuple[Ints, Ints]:
    """Per row the number of its combination of values, and per combination one row that has it."""
    combined = np.zeros(len(columns[0].codes), np.int64)
    first: Ints = np.zeros(0, np.int64)
    for column in columns:
        key = combined * (len(column.dictionary) + 1) + column.codes + 1
        _, first, combined = np.unique(key, return_index=True, return_inverse=True)
    return combined, first


def nest(values: Mapping[Path, Json]) -> dict[str, Json]:
    """A record in which each path leads to its value; a path below another one's value is already in that."""
    record: dict[str, Json] = {}
    for path in sorted(values, key=len):
        inner: Json = record
        for part in path[:-1]:
            inner = inner.setdefault(part, {}) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.setdefault(path[-1], values[path])
    return record
