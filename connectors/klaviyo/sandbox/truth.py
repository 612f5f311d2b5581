"""The account as it is, for whoever compares: outside paging, lag and weather."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from connectors.klaviyo.sandbox.event_writes import EventWrites
from connectors.klaviyo.sandbox.happenings import KIND_OF
from connectors.klaviyo.sandbox.identity import event_id
from connectors.klaviyo.sandbox.people import CONSENTS


class Truth(EventWrites):
    """rows("profiles" | "events" | "members")."""

    def rows(self, table: str) -> Any:
        """Living profiles, their events, the members of lists. KeyError for any other table."""
        self.settle()
        return {"profiles": self._profile_rows, "events": self._event_rows, "members": self._member_rows_now}[table]()

    def _profile_rows(self) -> pa.Table:
        people = self.people
        rows = np.flatnonzero(people.columns["alive"]).tolist()
        consent = people.columns["consent"]
        return pa.table({
            "person": pa.array(people.columns["person"][rows], pa.int32()),
            "id": pa.array([people.ids[row] for row in rows], pa.string()),
            "audience": pa.array([""] * len(rows), pa.string()),
            "email": pa.array([people.text["email"][row] for row in rows], pa.string()),
            "live": pa.array([True] * len(rows), pa.bool_()),
            "state": pa.array([CONSENTS[consent[row]] for row in rows], pa.string()),
            "barred": pa.array([people.barred(row) for row in rows], pa.bool_()),
            "fields": pa.array([orjson.dumps(self.attributes(row)).decode() for row in rows], pa.string()),
        })

    def _event_rows(self) -> pa.Table:
        events, columns = self.events, self.events.columns
        profile = columns["profile"]
        rows = np.flatnonzero(self.people.columns["alive"][profile]) if len(events) else np.zeros(0, np.int64)
        names = [metric.name for metric in events.metrics]
        metric = columns["metric"][rows]
        listed = rows.tolist()
        return pa.table({
            "person": pa.array(self.people.columns["person"][profile[rows]], pa.int32()),
            "id": pa.array([event_id(row) for row in listed], pa.string()),
            "native": _words(names, metric),
            "at": pa.array(columns["at"][rows], pa.int64()),
            "kind": _words([KIND_OF.get(name, "") for name in names], metric),
            "properties": pa.array([orjson.dumps(events.properties(row)).decode() for row in listed], pa.string()),
        })

    def _member_rows_now(self) -> pa.Table:
        alive = self.people.columns["alive"]
        parts = [(group, row) for group in self.lists.rows() for row in group.members().tolist() if alive[row]]
        person = self.people.columns["person"]
        return pa.table({
            "kind": pa.array(["list"] * len(parts), pa.string()), "id": pa.array([group.id for group, _ in parts], pa.string()),
            "name": pa.array([group.name for group, _ in parts], pa.string()),
            "audience": pa.array([""] * len(parts), pa.string()),
            "profile": pa.array([self.people.ids[row] for _, row in parts], pa.string()),
            "person": pa.array([int(person[row]) for _, row in parts], pa.int32()),
        })


def _words(names: list[str], codes: Any) -> pa.Array:
    return pa.array([names[code] for code in codes.tolist()], pa.string())
