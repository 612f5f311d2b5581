"""People as the full pass reads them: columns built the plain way, for fixtures and for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sync.evaluate.snapshot import ADDRESSES, CONSENTS, MEMBERSHIPS, MOVES, PASTS, ArrowSnapshot
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.person import Event, Person
from sync.language.values import Path, canonical, look, path_text


def snapshot_of(people: Sequence[Person], rules: Sequence[Node], dead: Sequence[int] = ()) -> ArrowSnapshot:
    """*people* as columns, contact id = place in the list; the ids in *dead* are given out but erased."""
    wanted = [needs(rule) for rule in rules]
    paths = {path for need in wanted for path in need.fields}
    properties = {path for need in wanted for event in need.events for path in event.properties}
    alive = np.ones(len(people), bool)
    alive[list(dead)] = False
    return ArrowSnapshot(
        alive=alive,
        known_since=np.array([person.known_since for person in people], np.int64),
        sample_keys=[person.sample_key for person in people],
        field_columns={path: texts([look(person.fields, path) for person in people]) for path in paths},
        event_table=event_table(people, sorted(properties)),
        consent_table=pa.Table.from_pylist(
            [{"contact": who, **{name: getattr(fact, name) for name in CONSENTS.names[1:]}}
             for who, person in enumerate(people) for fact in person.consents], CONSENTS),
        membership_table=pa.Table.from_pylist(
            [{"contact": who, **{name: getattr(fact, name) for name in MEMBERSHIPS.names[1:]}}
             for who, person in enumerate(people) for fact in person.memberships], MEMBERSHIPS),
        move_tables={name: move_table(people, name) for need in wanted for name in need.moves},
        past_tables={past.path: past_table(people, past.path) for need in wanted for past in need.pasts},
        kept_members={
            name: np.flatnonzero([person.kept.get(name, False) for person in people])
            for name in {name for person in people for name in person.kept}
        },
        address_table=pa.Table.from_pylist(
            [{"contact": who, "address": address} for who, person in enumerate(people) for address in person.addresses], ADDRESSES),
    )


def move_table(people: Sequence[Person], segment: str) -> pa.Table:
    """Who entered and left *segment*, by time."""
    rows = sorted(
        (move.at, who, move.entered) for who, person in enumerate(people) for move in person.moves if move.segment == segment
    )
    return pa.Table.from_pylist([{"contact": who, "at": at, "entered": entered} for at, who, entered in rows], MOVES)


def past_table(people: Sequence[Person], path: Path) -> pa.Table:
    """What the field *path* held, by contact and time."""
    rows = [(who, past) for who, person in enumerate(people) for past in sorted(person.pasts.get(path, ()), key=lambda past: past.at)]
    return pa.table([
        pa.array([who for who, _ in rows], pa.int32()), pa.array([past.at for _, past in rows], pa.int64()),
        texts([past.value for _, past in rows]), pa.array([past.changed for _, past in rows], pa.bool_()),
    ], schema=PASTS)


def texts(values: Sequence[object]) -> pa.DictionaryArray:
    return pa.array([None if value is None else canonical(value) for value in values], pa.string()).dictionary_encode()


def event_table(people: Sequence[Person], properties: Sequence[tuple[str, ...]]) -> pa.Table:
    """All events once, sorted by type and time; the record keeps a fact's first report."""
    seen: dict[object, tuple[int, Event]] = {}
    for who, person in enumerate(people):
        for event in person.events:
            seen.setdefault((who, event.type, event.id or (event.at, canonical(event.properties))), (who, event))
    rows = sorted(seen.values(), key=lambda row: (row[1].type, row[1].at))
    columns = {path_text(path): texts([look(event.properties, path) for _, event in rows]) for path in properties}
    return pa.table({
        "contact": pa.array([who for who, _ in rows], pa.int32()),
        "at": pa.array([event.at for _, event in rows], pa.int64()),
        "type": pa.array([event.type for _, event in rows], pa.string()).dictionary_encode(),
        **columns,
    })
