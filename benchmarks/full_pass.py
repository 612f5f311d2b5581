"""Full pass of 40 segments over 100,000 contacts and 5,000,000 events against one DuckDB query per segment.

Both read the same Arrow table sorted by type and time, in this process, in turns; what counts is CPU time (user and
system, all threads), the median of the rounds' ratios. Before that, both must count the same members in every segment.
DuckDB is given a typed column for amounts beside the JSON texts that ours reads, because that is what it is fastest on.

    python -m benchmarks.full_pass [--rounds 5] [--contacts 100000] [--events 5000000]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.figures import figure
from sync.evaluate.full_pass import Result, full_pass
from sync.evaluate.snapshot import ArrowSnapshot
from sync.language.nodes import Node
from sync.language.parser import parse_rule
from sync.language.reader import RuleScope
from sync.located import Listing, Mapping, Place, Scalar, Value

BAR = 0.35
DAY = 86_400_000
NOW = 1_780_000_000_000
SPAN = 548 * DAY
TYPES = (                                          # share of all events, as stores see them
    ("email_sent", 0.26), ("email_opened", 0.22), ("page_viewed", 0.17), ("product_viewed", 0.12), ("email_clicked", 0.07),
    ("cart_updated", 0.05), ("session_started", 0.04), ("order_placed", 0.03), ("checkout_started", 0.02),
    ("review_written", 0.01), ("order_refunded", 0.005), ("email_unsubscribed", 0.005),
)
CATEGORIES = (
    "shoes", "winter coats", "winter boots", "shirts", "bags", "home", "garden", "toys", "books", "music", "sport", "sale",
)
COUNTRIES = ("DE", "AT", "CH", "NL", "FR", "PL", "IT", "DK")
PLANS = ("free", "basic", "plus", "gold")


# --- the world ---------------------------------------------------------------------------------------------------------------


def world(contacts: int, events: int, seed: int = 7) -> tuple[ArrowSnapshot, pa.Table]:
    """A snapshot, and its contacts as a table of typed columns for SQL. Activity is log-normal, times spread over 18 months."""
    rng = np.random.default_rng(seed)
    table = event_table(rng, contacts, events)
    columns = {
        "country": rng.choice(COUNTRIES, contacts, p=np.array([40, 10, 8, 12, 12, 8, 6, 4]) / 100),
        "plan": rng.choice(PLANS, contacts, p=[0.6, 0.2, 0.15, 0.05]),
        "city": np.array([f"City {number}" for number in range(5000)])[rng.integers(0, 5000, contacts)],
        "points": rng.integers(0, 2000, contacts),
        **{f"field_{number}": rng.integers(0, 50, contacts) for number in range(11)},
    }
    fields = {("klaviyo", name): _json_column(values) for name, values in columns.items()}
    snapshot = ArrowSnapshot(
        alive=np.ones(contacts, bool), known_since=np.full(contacts, NOW - SPAN, np.int64), sample_keys=range_keys(contacts),
        field_columns=fields, event_table=table,
    )
    people = {"contact": pa.array(np.arange(contacts), pa.int32()), **{name: pa.array(held) for name, held in columns.items()}}
    return snapshot, pa.table(people)


def range_keys(contacts: int) -> list[str]:
    return [f"person{number}@example.com" for number in range(contacts)]


def event_table(rng: np.random.Generator, contacts: int, events: int) -> pa.Table:
    """Sorted by type and time: contact, at, type, value and category as JSON texts, and amount as a number for SQL."""
    activity = np.cumsum(rng.lognormal(0, 1.6, contacts))
    who = np.searchsorted(activity, rng.random(events) * activity[-1]).astype(np.int32)
    names, shares = zip(*sorted(TYPES), strict=True)
    kind = np.repeat(np.arange(len(names), dtype=np.int32), np.diff(np.round(np.cumsum([0, *shares]) * events)).astype(int))
    at = NOW - SPAN + rng.integers(0, SPAN, events)
    at = np.concatenate([np.sort(at[kind == code]) for code in range(len(names))])
    cents = np.minimum(rng.lognormal(8.2, 0.9, events).astype(np.int64), 99_999)
    valued = np.isin(kind, [names.index(name) for name in ("order_placed", "cart_updated", "order_refunded", "product_viewed")])
    amounts = [f"{number // 100}.{number % 100:02d}" for number in range(100_000)]
    category = pa.array(rng.choice(len(CATEGORIES), events).astype(np.int32))
    return pa.table({
        "contact": pa.array(who), "at": pa.array(at),
        "type": pa.DictionaryArray.from_arrays(pa.array(kind), pa.array(names)),
        "value": pa.DictionaryArray.from_arrays(pa.array(cents.astype(np.int32), mask=~valued), pa.array(amounts)),
        "category": pa.DictionaryArray.from_arrays(category, pa.array([f'"{name}"' for name in CATEGORIES])),
        "amount": pa.array(cents, mask=~valued),
    })


def _json_column(values: np.ndarray[Any, Any]) -> pa.DictionaryArray:
    distinct, codes = np.unique(values, return_inverse=True)
    texts = [str(each) if values.dtype.kind == "i" else f'"{each}"' for each in distinct]
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(texts))


# --- the segments --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    rule: Any
    sql: str


def events_sql(where: str, days: int | None = None, having: str = "") -> str:
    """Contacts with such events, for `contact in (…)`."""
    window = f" and \"at\" > {NOW - days * DAY}" if days else ""
    grouped = f" group by contact having {having}" if having else ""
    return f"select contact from events where {where}{window} and \"at\" <= {NOW}{grouped}"


def count(name: str, least: int, days: int, category: str = "") -> Segment:
    rule: dict[str, Any] = {"event": name, "count": {"at_least": least}, "within": f"{days}d"}
    where = f"type = '{name}'"
    if category:
        rule["where"] = {"category": category}
        where += f" and category = '\"{category}\"'"
    return Segment(rule, f"contact in ({events_sql(where, days, f'count(*) >= {least}')})")


def never(name: str, days: int | None) -> Segment:
    rule: dict[str, Any] = {"not": {"event": name} | ({"within": f"{days}d"} if days else {})}
    happened = events_sql(f"type = '{name}'", days)
    return Segment(rule, f"contact not in ({happened})")


def spent(least: int, days: int | None, category: str = "") -> Segment:
    rule: dict[str, Any] = {"event": "order_placed", "sum": {"of": "value", "at_least": least}}
    rule |= {"within": f"{days}d"} if days else {}
    where = "type = 'order_placed'"
    if category:
        rule["where"] = {"category": {"starts_with": category}}
        where += f" and category like '\"{category}%'"
    return Segment(rule, f"contact in ({events_sql(where, days, f'sum(amount) >= {least * 100}')})")


def lapsed(name: str, far: int, near: int) -> Segment:
    """Last such event between two ages."""
    rule = {"all": [{"event": name, "ago": [f"{far}d", f"{near}d"]}, {"not": {"event": name, "within": f"{near}d"}}]}
    where = f"type = '{name}'"
    then, since = f"{events_sql(where, far)} and \"at\" <= {NOW - near * DAY}", events_sql(where, near)
    return Segment(rule, f"contact in ({then}) and contact not in ({since})")


def who(field: str, *values: str) -> Segment:
    listed = ", ".join(f"'{value}'" for value in values)
    return Segment({"contact": {f"klaviyo.{field}": list(values)}}, f"{field} in ({listed})")


def points(least: int) -> Segment:
    return Segment({"contact": {"klaviyo.points": {"at_least": least}}}, f"points >= {least}")


def dear(days: int, price: int) -> Segment:
    where = f"type = 'product_viewed' and amount > {price * 100}"
    rule = {"event": "product_viewed", "where": {"value": {"more_than": price}}, "count": {"at_least": 2}, "within": f"{days}d"}
    return Segment(rule, f"contact in ({events_sql(where, days, 'count(*) >= 2')})")


def both(*parts: Segment) -> Segment:
    return Segment({"all": [part.rule for part in parts]}, " and ".join(f"({part.sql})" for part in parts))


def either(*parts: Segment) -> Segment:
    return Segment({"any": [part.rule for part in parts]}, " or ".join(f"({part.sql})" for part in parts))


def segments() -> dict[str, Segment]:
    """40 of the kinds that stores have: recency, frequency, money, interest, lapse, and people's fields."""
    german = who("country", "DE", "AT", "CH")
    made = [
        count("email_opened", 1, 30), count("email_opened", 3, 90), count("email_opened", 10, 180), count("email_clicked", 1, 7),
        count("email_clicked", 2, 60), count("product_viewed", 3, 14), count("product_viewed", 5, 30, "shoes"),
        count("page_viewed", 10, 90), count("order_placed", 1, 30), count("order_placed", 2, 180), count("order_placed", 3, 365),
        never("order_placed", None), never("order_placed", 180), never("email_opened", 90), never("email_unsubscribed", None),
        spent(100, 90), spent(500, 365), spent(1000, None), spent(80, 180, "winter"), spent(50, 90, "shoes"),
        lapsed("order_placed", 365, 90), lapsed("email_opened", 180, 60), lapsed("page_viewed", 120, 30),
        both(german, count("email_opened", 1, 30)), both(german, spent(200, 365)),
        both(who("plan", "gold"), never("order_placed", 60)),
        both(points(1000), count("session_started", 2, 60)), both(who("plan", "free"), count("page_viewed", 5, 30)),
        both(count("cart_updated", 1, 7), never("order_placed", 7)),
        both(count("checkout_started", 1, 14), never("order_placed", 14)),
        both(count("product_viewed", 2, 14, "bags"), never("order_placed", 30), german),
        either(spent(500, 365), who("plan", "gold")), either(count("review_written", 1, 365), points(1900)),
        both(count("email_opened", 1, 60), never("email_clicked", 60)),
        both(count("email_sent", 5, 60), never("email_opened", 60)),
        both(count("order_refunded", 1, 180), spent(300, 365)), dear(30, 80), dear(90, 200),
        both(either(count("email_clicked", 1, 14), count("page_viewed", 2, 14)), german, never("order_refunded", 90)),
        both(count("product_viewed", 3, 60, "winter boots"), spent(60, 365), never("email_unsubscribed", None)),
    ]
    return {f"s{number:02d}": segment for number, segment in enumerate(made, 1)}


def parsed(definitions: dict[str, Segment]) -> dict[str, Node]:
    """The segments' rules as nodes."""
    nodes = {}
    for name, segment in definitions.items():
        scope = RuleScope(name, ZoneInfo("UTC"), segments=list(definitions), connections=("klaviyo",))
        node, problems = parse_rule(located(segment.rule), scope)
        if node is None:
            raise SystemExit("\n".join(map(str, problems)))
        nodes[name] = node
    return nodes


def located(value: Any) -> Value:
    """A Python value as if it stood in a file."""
    place = Place("benchmark", 1, 1)
    if isinstance(value, dict):
        return Mapping(tuple((Scalar(key, True, place), located(held)) for key, held in value.items()), place)
    if isinstance(value, list | tuple):
        return Listing(tuple(map(located, value)), place)
    return Scalar(str(value), not isinstance(value, str), place)


# --- measuring ----------------------------------------------------------------------------------------------------------------


def cpu_of(work: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    """CPU seconds of all threads that *work* takes with what is *given*, and its result."""
    before = time.process_time()
    result = work(*given)
    return time.process_time() - before, result


def query_all(connection: duckdb.DuckDBPyConnection, definitions: dict[str, Segment]) -> dict[str, int]:
    """Members of each segment by SQL, fetched; their numbers."""
    found = {}
    for name, segment in definitions.items():
        members = connection.execute(f"select contact from people where {segment.sql}").fetchnumpy()["contact"]
        found[name] = len(members)
    return found


def compare(result: Result, counted: dict[str, int]) -> list[str]:
    """Where the two disagree."""
    ours = {name: int(mask.sum()) for name, mask in result.members.items()}
    wrong = [f"{name}: failed: {why}" for name, why in result.failures.items()]
    return wrong + [f"{name}: ours {ours.get(name)}, SQL {sql}" for name, sql in counted.items() if ours.get(name) != sql]


def main() -> int:
    """Print the figure; 1 when it is short or the two disagree."""
    parser = argparse.ArgumentParser(description="full pass against one DuckDB query per segment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--verbose", action="store_true", help="print each round's CPU seconds and each segment's size")
    asked = parser.parse_args()
    snapshot, people = world(asked.contacts, asked.events)
    definitions = segments()
    nodes = parsed(definitions)
    connection = duckdb.connect()
    connection.register("events", snapshot.event_table)
    connection.register("people", people)
    counted, result = query_all(connection, definitions), full_pass(snapshot, nodes, NOW)
    if wrong := compare(result, counted):
        print("\n".join(["the two disagree:", *wrong]), file=sys.stderr)
        return 1
    ratios = []
    for _ in range(asked.rounds):
        theirs, _ = cpu_of(lambda: query_all(connection, definitions))
        ours, _ = cpu_of(lambda: full_pass(ArrowSnapshot(**vars_of(snapshot)), nodes, NOW))
        ratios.append(ours / theirs)
        if asked.verbose:
            print(f"  ours {ours:.3f} s, DuckDB {theirs:.3f} s CPU", file=sys.stderr)
    if asked.verbose:
        print("  members: " + ", ".join(f"{name} {number}" for name, number in counted.items()), file=sys.stderr)
    return 0 if figure("full_pass_40_segments", statistics.median(ratios), BAR) else 1


def vars_of(snapshot: ArrowSnapshot) -> dict[str, Any]:
    """The snapshot's tables alone: a fresh one made of them has nothing computed yet."""
    return {name: getattr(snapshot, name) for name in ArrowSnapshot.__dataclass_fields__}


if __name__ == "__main__":
    sys.exit(main())
