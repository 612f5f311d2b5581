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
from sync.evaluate.snapshot import Ints, Mask
from sync.language.predicates import Predicate
from sync.language.values import INT64_MAX, Json, Path, decode, distinct_keys, read_number

Codes = npt.NDArray[np.int32]


class Dictionary:
    """Distinct values of a column and, per question, the answer for each; the last entry stands for absent."""

    def __init__(self, texts: Any) -> None:
        self._texts = texts                                             # pa.StringArray; kept so that its address stays taken
        self._answers: dict[Predicate, Mask] = {}
        self._keys: Keys | None = None

    def __len__(self) -> int:
        return len(self._texts)

    @cached_property
    def texts(self) -> list[str | None]:
        return [*self._texts.to_pylist(), None]

    @cached_property
    def values(self) -> list[Json]:
        return [None if text is None else decode(text) for text in self.texts]

    def answers(self, predicate: Predicate, now: Millis) -> Mask:
        """Per code whether the value passes; only for predicates that look at no other field."""
        if predicate not in self._answers:
            self._answers[predicate] = np.fromiter((predicate.holds(v, {}, now) for v in self.values), bool, len(self) + 1)
        return self._answers[predicate]

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
        read = [read_number(value) for value in dictionary.values]
        self.known: Mask = np.fromiter((number is not None for number in read), bool, len(read))
        fits = [0 if number is None or not -INT64_MAX - 1 <= number <= INT64_MAX else number for number in read]
        self.millionths: Ints = np.array(fits, np.int64)
        self.too_big: Mask = np.fromiter((n is not None and not -INT64_MAX - 1 <= n <= INT64_MAX for n in read), bool, len(read))
        self.unit = int(np.gcd.reduce(self.millionths)) or 1            # every number is a multiple of it


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


class Columns:
    """Turns Arrow columns into `Column`s; equal dictionaries become one, so that their answers are shared."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], Dictionary] = {}
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

    def _dictionary(self, texts: Any) -> Dictionary:
        buffers = texts.buffers()
        key = (buffers[-1].address if buffers[-1] else 0, texts.offset, len(texts))
        if not key[0]:
            return Dictionary(texts)
        return self._known.setdefault(key, Dictionary(texts))


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
