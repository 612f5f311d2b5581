"""Segments that ask the benchmarks' events for patterns, traits and ranks beside counts, so that several look at each event type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.full_pass import located, parsed, segments
from sync.language.nodes import Node
from sync.language.parse_traits import Shelf
from sync.language.parser import parse_rule
from sync.language.reader import RuleScope

TRAITS: dict[str, Any] = {
    "favourite": {"event": "product_viewed", "most_frequent": "category", "within": "180d"},
    "last_order": {"event": "order_placed", "last": True},
    "silent": {"event": "email_opened", "days_since": "last"},
    "warmth": {"event": "page_viewed", "decay": {"half_life": "14d"}, "within": "180d"},
    "orders": {"event": "order_placed", "count": True, "within": "365d"},
}
RULES: tuple[dict[str, Any], ...] = (
    {"event": "order_placed", "first": {"category": "shoes"}},
    {"event": "product_viewed", "last": {"category": "bags"}, "within": "90d"},
    {"event": "page_viewed", "in_at_least": 3, "of_last": 4, "period": "week"},
    {"event": "session_started", "streak": {"at_least": 3, "period": "7d"}},
    {"stopped": {"event": "email_opened", "active": "90d", "silent": "30d"}},
    {"resumed": {"event": "order_placed", "silent": "90d"}},
    {"sequence": [{"event": "cart_updated"}, {"not": {"event": "order_placed", "within": "3d"}}], "within": "30d"},
    {"sequence": [{"event": "product_viewed"}, {"event": "cart_updated", "within": "1d", "same": "category"}], "within": "30d"},
    {"contact": {"favourite": "winter coats"}},
    {"contact": {"silent": {"more_than": 30}, "orders": {"at_least": 1}}},
    {"contact": {"last_order": {"within_last": "90d"}}},
    {"rank": {"by": "warmth", "top": "10%"}},
)


def mixed_segments() -> dict[str, Node]:
    """Rules by name: the 40 counting ones, and a dozen others."""
    scope = RuleScope("mixed", ZoneInfo("UTC"), segments=[], connections=("klaviyo",))
    scope = replace(scope, traits=Shelf({name: located(body) for name, body in TRAITS.items()}, scope))
    made = parsed(segments())
    for number, rule in enumerate(RULES, 1):
        node, problems = parse_rule(located(rule), scope)
        if node is None:
            raise SystemExit("\n".join(map(str, problems)))
        made[f"m{number:02d}"] = node
    return made
