"""Membership writes against the fewest that the platforms' batch limits allow, in calm weather and within their rates.

The first apply only adds; then the rule is edited so that many go and many come. The calls are counted by the emulated
platforms, the changes by comparing their members before and after.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import Counter

from benchmarks.figures import figure
from benchmarks.stage import NOW, Stage
from benchmarks.walk import Walk, walking
from connectors.base import DAY, Batch
from connectors.sandbox.world import random_world

BAR = 1.02
PLATFORMS = ("mailchimp", "hubspot", "klaviyo")
WRITES = {
    "mailchimp": ("POST /3.0/lists/{list}/segments/{segment}",),
    "hubspot": tuple(f"memberships/{what}" for what in ("add", "remove", "add-and-remove")),
    "klaviyo": ("POST /api/lists/{id}/relationships/profiles", "DELETE /api/lists/{id}/relationships/profiles"),
}
LIMITS = {                                          # not what the connectors say of themselves
    "mailchimp": Batch(500, 500, together=True),    # Mailchimp Marketing API, batch add or remove list members to static segment
    "hubspot": Batch(10_000, 10_000, together=True),    # no maximum is documented; counted at this
    "klaviyo": Batch(1000, 1000, together=False),   # Klaviyo API reference, Add or Remove Profiles of a List
}
PEOPLE, EVENTS = 42_000, 2_000                      # so many that HubSpot's first fill takes two calls
FIRST = "[Ada, Ben, Cleo, Dora, Emil, Finn, Greta, Hugo, Ida]"
THEN = "[Greta, Hugo, Ida, Jon, Kaya, Lars, Mia, Nils, Olga]"
TARGETS = "{mailchimp: {tag: Some}, hubspot: {list: Some}, klaviyo: {list: Some}}"


def segments(names: str) -> str:
    return f"  some:\n    contact: {{first_name: {{in: {names}}}}}\n    sync: {TARGETS}\n"


def members(walk: Walk) -> dict[str, set[str]]:
    """Platform → who is on the target now."""
    tables = {name: walk.stage.controls.rows(name, "members").to_pylist() for name in PLATFORMS}
    return {name: {row["profile"] for row in table if row["name"] == "Some"} for name, table in tables.items()}


def writes(walk: Walk) -> Counter[str]:
    """Platform → membership writes so far."""
    found: Counter[str] = Counter()
    for name in PLATFORMS:
        routes = walk.stage.controls.calls(name).get("connector", {}).get("by_route", {})
        found[name] = sum(count for route, count in routes.items() if any(route.endswith(end) for end in WRITES[name]))
    return found


def fewest(batch: Batch, adds: int, removes: int) -> int:
    if batch.together:
        return max(math.ceil(adds / batch.adds), math.ceil(removes / batch.removes))
    return math.ceil(adds / batch.adds) + math.ceil(removes / batch.removes)


def main() -> int:
    """Print the figures; 1 when one is short."""
    made, least = Counter[str](), Counter[str]()
    with Stage(PLATFORMS) as stage, tempfile.TemporaryDirectory() as folder, walking(stage, folder) as walk:
        stage.load(random_world(11, PEOPLE, EVENTS, NOW - DAY))
        for names in (FIRST, THEN):
            walk.write(segments(names))
            before, already = members(walk), writes(walk)
            walk.apply()
            walk.clock.advance(60)                  # until jobs and listings have caught up
            after = members(walk)
            for name in PLATFORMS:
                adds, removes = len(after[name] - before[name]), len(before[name] - after[name])
                if not adds or (names == THEN and not removes):
                    raise SystemExit(f"{name}: {adds} adds and {removes} removes are not what was meant")
                least[name] += fewest(LIMITS[name], adds, removes)
                made[name] += writes(walk)[name] - already[name]
    held = [figure(f"push_{name}_writes", made[name] / least[name], BAR) for name in PLATFORMS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
