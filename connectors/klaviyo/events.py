"""Klaviyo's event record → Event."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Event, Json, ProfileId
from connectors.klaviyo import times


def metric_names(document: Mapping[str, Json]) -> dict[str, str]:
    """Metric id → name, of the metrics that a page of events includes."""
    return {
        record["id"]: str(record["attributes"]["name"])
        for record in document.get("included") or () if record.get("type") == "metric"
    }


def event(record: Mapping[str, Json], metrics: Mapping[str, str]) -> Event | None:
    """One resource object of type "event"; None when it has no person, no time, or no metric (since revision 2026-07-15 events
    whose metric cannot be resolved are returned, too).

    An event's id is stable; its time is to the second unless `datetime` says more. Klaviyo drops properties equal to 0, null
    and "", so an absent one is unknown, not zero. Source: Klaviyo API reference, revision 2026-07-15, Get Events.
    """
    attributes = record.get("attributes") or {}
    person, metric = _related(record, "profile"), _related(record, "metric")
    at = times.read(attributes.get("datetime"))
    if at is None and isinstance(attributes.get("timestamp"), int):
        at = attributes["timestamp"] * 1000
    if person is None or metric is None or at is None:
        return None
    said = properties(attributes.get("event_properties") or {})
    return Event(record["id"], metrics.get(metric, metric), at, said, ProfileId(person))


def properties(native: Mapping[str, Json]) -> Mapping[str, Json]:
    """As Klaviyo has them, and `quantity`: the sum of the lines' quantities, where there are lines and no `quantity`.

    Source: Klaviyo guide "Integrate a platform without a pre-built Klaviyo integration": Placed Order, Started Checkout and
    Added to Cart carry `Items: [{Quantity, …}]`.
    """
    lines = native.get("Items")
    if not isinstance(lines, list) or "quantity" in native:
        return native
    counts = [line.get("Quantity") for line in lines if isinstance(line, dict)]
    whole = [count for count in counts if isinstance(count, int)]
    return {**native, "quantity": sum(whole)} if whole and len(whole) == len(lines) else native


def _related(record: Mapping[str, Json], name: str) -> str | None:
    relation = (record.get("relationships") or {}).get(name) or {}
    data = relation.get("data")
    return str(data["id"]) if isinstance(data, dict) and data.get("id") else None
