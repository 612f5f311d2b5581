"""From located values to predicates: `contact:` and `where:` fields, counts and aggregates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal, cast

from sync.language import parse_occasions
from sync.language.countries import country_code
from sync.language.literals import boolean, is_null
from sync.language.predicates import (
    Compare,
    Each,
    IsSet,
    Limit,
    NumberTest,
    Operand,
    Predicate,
    Size,
    Test,
    WhenRelative,
    compile_pattern,
)
from sync.language.reader import Reader
from sync.language.values import MILLION, Path, parse_path, read_number, read_span
from sync.language.window import Ahead, OlderThan, Within
from sync.language.words import (
    DATE_OPERATORS,
    EACH_OPERATORS,
    MODIFIERS,
    NEGATIVES,
    NUMBER_OPERATORS,
    OPERATORS,
    ORDER_OPERATORS,
    PAST_WORDS,
    RELATIVE_OPERATORS,
    TEXT_OPERATORS,
    nearest,
    suggestion,
)
from sync.located import Listing, Mapping, Scalar, Value

_RELATIVES: dict[str, type[Within | Ahead | OlderThan]] = {"within_last": Within, "within_next": Ahead, "older_than": OlderThan}


_SPECIAL: dict[str, Callable[[Reader, Value], Test | None]] = {
    "anniversary_within": parse_occasions.anniversary_within, "anniversary": parse_occasions.anniversary, "near": parse_occasions.near,
}


@dataclass(frozen=True, slots=True)
class Fields:
    """Whose fields are asked: the contact's are checked against what the config knows, an event's may be any."""

    checked: bool


def fields(reader: Reader, value: Mapping, whose: Fields) -> tuple[tuple[Path, Predicate], ...] | None:
    """Each named field with its predicate; None when one of them is wrong."""
    found = [(path := field_path(reader, key, whose), asked(reader, path, key.text, held, whose)) for key, held in value.entries]
    right = tuple((path, test) for path, test in found if path is not None and test is not None)
    return right if len(right) == len(found) else None


def asked(reader: Reader, path: Path | None, word: str, value: Value, whose: Fields) -> Predicate | None:
    """What is asked of the field *path*, under *word*; names of countries are codes where the field holds such."""
    test = predicate(reader, word, value, whose)
    if test is None or not whose.checked or path is None or len(path) > 1 or path[0] not in reader.scope.countries:
        return test
    return replace(test, tests=tuple(_country(reader, each, value) for each in test.tests))


def _country(reader: Reader, test: Test, value: Value) -> Test:
    if not isinstance(test, Compare) or test.operator != "in":
        return test
    for operand in test.operands:
        if country_code(operand.text) is None:
            reader.complain(value.place, f"'{operand.text}' is no country", "for example DE, or Germany")
    return replace(test, operands=tuple(replace(each, text=country_code(each.text) or each.text) for each in test.operands))


def field_path(reader: Reader, key: Scalar, whose: Fields) -> Path | None:
    """The path that *key* names; a contact's field must begin with a neutral name or a connection."""
    path, scope = parse_path(key.text), reader.scope
    if "" in path:
        reader.complain(key.place, f"'{key.text}' is no field name", "dots separate parts; a literal dot is \\.")
        return None
    if whose.checked and path[0] in scope.traits and len(path) > 1:
        reader.complain(key.place, f"'{path[0]}' is a computed trait and has no parts")
        return None
    known = {*scope.fields, *scope.connections, *scope.traits}
    if whose.checked and path[0] not in known:
        reader.complain(key.place, f"unknown field or connection '{path[0]}'", suggestion(path[0], known))
        return None
    return path


def predicate(reader: Reader, name: str, value: Value, whose: Fields) -> Predicate | None:
    """What is asked of the field *name*: a value, a list of values, or a map of operators."""
    zone = reader.scope.zone
    if not isinstance(value, Mapping):
        operands = reader.literals(value, f"'{name}'")
        return None if operands is None else Predicate((Compare("in", operands),), zone)
    if not _operators_only(reader, name, value):
        return None
    if isinstance(found := _modifiers(reader, value), bool):
        return None
    missing, ignore_case = found
    asked = [(key, held) for key, held in value.entries if key.text not in MODIFIERS]
    tests = [_test(reader, key, held, ignore_case, whose) for key, held in asked]
    if not tests:
        reader.complain(value.place, f"'{name}' is asked nothing", "for example {is_set: true}")
    right = tuple(test for test in tests if test is not None)
    return Predicate(right, zone, missing) if right and len(right) == len(tests) else None


def _operators_only(reader: Reader, name: str, value: Mapping) -> bool:
    wrong = [key for key, _ in value.entries if key.text not in (*OPERATORS, *MODIFIERS)]
    if before := [key for key in wrong if key.text in PAST_WORDS]:
        word = before[0].text
        reader.complain(before[0].place, f"'{word}' asks what a field of the contact was before: it stands directly under that field")
        return False
    for key in wrong:
        near = nearest(key.text, (*OPERATORS, *MODIFIERS))
        hint = f"did you mean '{near}'?" if near else f"a nested field is written '{name}.{key.text}'"
        reader.complain(key.place, f"unknown predicate '{key.text}' for '{name}'", hint)
    if not value.entries:
        reader.complain(value.place, f"'{name}' is asked nothing", "for example {is_set: true}")
    return not wrong and bool(value.entries)


def _modifiers(reader: Reader, value: Mapping) -> tuple[bool | None, bool] | bool:
    """What `missing` and `ignore_case` say; False when one is wrong or fits none of the operators beside it."""
    missing, fold, asked = value.get("missing"), value.get("ignore_case"), set(value.keys())
    word = None if missing is None else reader.one_of(missing, ("match", "fail"), "value of 'missing'", value.place)
    truth = None if fold is None else boolean(fold) if isinstance(fold, Scalar) else None
    if fold is not None and truth is None:
        reader.complain(fold.place, "'ignore_case' takes true or false")
    if missing is not None and "is_set" in asked:
        reader.complain(missing.place, "'missing' beside 'is_set' says the same thing twice")
        return False
    cases = {*TEXT_OPERATORS, "is", "is_not", "in", "not_in"}
    if truth and not asked & cases:
        reader.complain(cast(Scalar, fold).place, "'ignore_case' needs a text operator beside it")
        return False
    if (missing is not None and word is None) or (fold is not None and truth is None):
        return False
    return (None if word is None else word == "match"), bool(truth)


def _test(reader: Reader, key: Scalar, value: Value, ignore_case: bool, whose: Fields) -> Test | None:
    operator = key.text
    if operator == "during":
        period = reader.period(value, "'during'", past=False)
        return None if period is None else WhenRelative(period)
    if operator in RELATIVE_OPERATORS:
        span = reader.length(value, f"'{operator}'")
        return None if span is None else WhenRelative(_RELATIVES[operator](span))
    if operator in _SPECIAL:
        return _SPECIAL[operator](reader, value)
    if operator in EACH_OPERATORS:
        return _each(reader, operator, value, whose)
    if operator == "size":
        number = number_test(reader, "size", value, whole=True)
        return None if number is None else Size(number)
    if operator == "is_set":
        truth = boolean(value) if isinstance(value, Scalar) else None
        if truth is None:
            reader.complain(value.place, "'is_set' takes true or false")
        return None if truth is None else IsSet(truth)
    return _compare(reader, operator, value, ignore_case, whose)


# --- comparing ---------------------------------------------------------------------------------------------------------------


def _compare(reader: Reader, operator: str, value: Value, ignore_case: bool, whose: Fields) -> Compare | None:
    positive = NEGATIVES.get(operator, "in" if operator == "is" else operator)
    negated = operator in NEGATIVES
    if isinstance(value, Mapping):
        other = _other_field(reader, operator, value, whose)
        return None if other is None else Compare(positive, (), other, negated, ignore_case)
    read = _limits if operator in (*ORDER_OPERATORS, *DATE_OPERATORS) else _values
    operands = read(reader, operator, value)
    if operands is None or (operator == "matches" and not _patterns_compile(reader, operands, value)):
        return None
    return Compare(positive, operands, None, negated, ignore_case)


def _values(reader: Reader, operator: str, value: Value) -> tuple[Operand, ...] | None:
    """What `is`, `in` and the text operators compare with; only `is` and `is_not` insist on one value."""
    if operator in ("is", "is_not") and isinstance(value, Listing):
        wider = "in" if operator == "is" else "not_in"
        reader.complain(value.place, f"'{operator}' takes one value", f"for a list write '{wider}'")
        return None
    return reader.literals(value, f"'{operator}'")


def _other_field(reader: Reader, operator: str, value: Mapping, whose: Fields) -> Path | None:
    if operator in ("between", "matches"):
        reader.complain(value.place, f"'{operator}' cannot be compared with another field")
        return None
    if not reader.keys(value, ("field",), f"'{operator}'"):
        return None
    name = value.entries[0][1] if value.entries else None
    if not isinstance(name, Scalar) or is_null(name):
        reader.complain(value.place, f"'{operator}' takes a value or {{field: NAME}}")
        return None
    return field_path(reader, name, whose)


def _limits(reader: Reader, operator: str, value: Value) -> tuple[Operand, ...] | None:
    """One number or date, or for `between` two of a sort in order."""
    if operator == "between":
        if not isinstance(value, Listing) or len(value.items) != 2:
            reader.complain(value.place, "'between' takes two values", "for example [10, 20]; both ends belong to it")
            return None
        ends = [_limit(reader, operator, item) for item in value.items]
        pair = tuple(end for end in ends if end is not None)
        return pair if len(pair) == 2 and _in_order(reader, pair, value) else None
    limit = _limit(reader, operator, value)
    return None if limit is None else (limit,)


def _limit(reader: Reader, operator: str, value: Value) -> Operand | None:
    operand = reader.literal(value, f"'{operator}'")
    if operand is None:
        return None
    dated = read_span(operand.text, reader.scope.zone) is not None and operand.kind != "boolean"
    if operator in DATE_OPERATORS and not dated:
        reader.complain(value.place, f"'{operator}' takes a day or an instant", "for example 2026-11-20 or 2026-11-20T08:00Z")
        return None
    if operand.number is None and not dated:
        reader.complain(value.place, f"'{operator}' takes a number or a date, not '{operand.text}'")
        return None
    return operand


def _in_order(reader: Reader, pair: tuple[Operand, ...], value: Value) -> bool:
    low, high = (operand.number for operand in pair)
    if low is None or high is None:
        spans = [read_span(operand.text, reader.scope.zone) for operand in pair]
        if spans[0] is None or spans[1] is None:
            reader.complain(value.place, "'between' takes two numbers or two dates, not one of each")
            return False
        low, high = spans[0][0], spans[1][0]
    if low > high:
        reader.complain(value.place, "the first value of 'between' is beyond the second, so nothing is between them")
    return low <= high


def _patterns_compile(reader: Reader, operands: tuple[Operand, ...], value: Value) -> bool:
    import re2

    for operand in operands:
        try:
            compile_pattern(operand.text, ignore_case=False)
        except re2.error as error:
            said = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
            reader.complain(value.place, f"'{operand.text}' is no RE2 pattern: {said}")
            return False
    return True


def _each(reader: Reader, operator: str, value: Value, whose: Fields) -> Each | None:
    """`any: PREDICATE`, or `any: {field of an element: PREDICATE, …}`."""
    quantifier = cast(Literal["any", "all", "none"], operator)
    words = (*OPERATORS, *MODIFIERS)
    if isinstance(value, Mapping) and value.entries and not set(value.keys()) & set(words):
        for key, _ in value.entries:
            if near := nearest(key.text, words, cutoff=0.8):
                reader.complain(key.place, f"unknown predicate '{key.text}' for '{operator}'", f"did you mean '{near}'?")
                return None
        own = fields(reader, value, Fields(checked=False))
        return None if own is None else Each(quantifier, None, own)
    test = predicate(reader, operator, value, whose)
    return None if test is None else Each(quantifier, test)


# --- numbers -----------------------------------------------------------------------------------------------------------------


def number_test(reader: Reader, name: str, value: Value, *, whole: bool, beside: Collection[str] = ()) -> NumberTest | None:
    """What is asked of a count or an aggregate; *beside* are keys of the same map that others have read."""
    if not isinstance(value, Mapping):
        numbers = _numbers(reader, name, value, whole)
        return None if numbers is None else NumberTest((Limit("in", numbers),))
    if not reader.keys(value, (*NUMBER_OPERATORS, "missing", *beside), f"'{name}'"):
        return None
    asked = [(key, held) for key, held in value.entries if key.text in NUMBER_OPERATORS]
    limits = [_number_limit(reader, key.text, held, whole) for key, held in asked]
    word = value.get("missing")
    missing = None if word is None else reader.one_of(word, ("match", "fail"), "value of 'missing'", value.place)
    if not limits:
        reader.complain(value.place, f"'{name}' is compared with nothing", f"for example {name}: {{at_least: 3}}")
    right = tuple(limit for limit in limits if limit is not None)
    if not right or len(right) < len(limits) or (word is not None and missing is None):
        return None
    return NumberTest(right, None if missing is None else missing == "match")


def _number_limit(reader: Reader, operator: str, value: Value, whole: bool) -> Limit | None:
    if operator == "between" and (not isinstance(value, Listing) or len(value.items) != 2):
        reader.complain(value.place, "'between' takes two values", "for example [10, 20]; both ends belong to it")
        return None
    if isinstance(value, Listing) and operator not in ("in", "not_in", "between"):
        reader.complain(value.place, f"'{operator}' takes one number")
        return None
    numbers = _numbers(reader, operator, value, whole)
    if numbers is None:
        return None
    if operator == "between" and numbers[0] > numbers[1]:
        reader.complain(value.place, "the first value of 'between' is beyond the second, so nothing is between them")
        return None
    positive = NEGATIVES.get(operator, "in" if operator == "is" else operator)
    return Limit(positive, numbers, operator in NEGATIVES)


def _numbers(reader: Reader, name: str, value: Value, whole: bool) -> tuple[int, ...] | None:
    operands = reader.literals(value, f"'{name}'")
    if operands is None:
        return None
    numbers = tuple(number for operand in operands if (number := _number(operand)) is not None)
    if len(numbers) < len(operands):
        reader.complain(value.place, f"'{name}' takes a number, without thousands marks")
        return None
    if whole and any(number % MILLION or number < 0 for number in numbers):
        reader.complain(value.place, f"'{name}' counts, so it takes a whole number from 0 up")
        return None
    return numbers


def _number(operand: Operand) -> int | None:
    return read_number(operand.text) if operand.kind == "number" else None
