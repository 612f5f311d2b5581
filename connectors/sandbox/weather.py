"""How calls go wrong: by weather (seeded), and on order through the control endpoint.

`calm`: nothing fails, the documented lags are short. `stormy`: server errors, throttling we did not cause, connections cut
before, in and after an answer, late visibility.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from connectors.clock import HOUR, MINUTE, SECOND, Millis

BEFORE = frozenset({"drop_before"})                 # nothing happened
DROPS = frozenset({"drop_before", "drop_after"})    # no answer
OVERLAYS = frozenset({"html", "redirect", "cut"})   # the effect happened; the answer is spoiled


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. *kind*: "drop_before", "drop_after", "cut", "html", "redirect", or the status of a vendor's
    error answer ("429", "500", "503", "html403" …), which then has no effect."""

    kind: str

    @property
    def before(self) -> bool:
        return self.kind in BEFORE

    @property
    def drops(self) -> bool:
        return self.kind in DROPS

    @property
    def status(self) -> bool:
        return self.kind not in DROPS | OVERLAYS


@dataclass(frozen=True, slots=True)
class Climate:
    """*chances*: kind of fault → probability per call. *lags*: what is how late at most, in milliseconds."""

    chances: dict[str, float]
    lags: dict[str, Millis]


CLIMATES = {
    "calm": Climate({}, {"search": 1 * SECOND, "events": 0, "members": 0, "jobs": 2 * SECOND}),
    "stormy": Climate(
        {"500": 0.006, "503": 0.006, "502": 0.003, "429": 0.006, "drop_before": 0.003, "drop_after": 0.004,
         "cut": 0.004, "html": 0.002},
        {"search": 90 * SECOND, "events": 50 * MINUTE, "members": 20 * SECOND, "jobs": 30 * SECOND},
    ),
}
LONGEST_LAG: Millis = HOUR


@dataclass(slots=True)
class Order:
    """Faults somebody asked for: the next *left* calls whose "METHOD /path" matches, after letting *skip* of them pass."""

    kind: str
    pattern: re.Pattern[str]
    left: int
    skip: int = 0


@dataclass(slots=True)
class Sky:
    """The weather over all platforms; call it under the application's lock."""

    weather: str = "calm"
    seed: int = 1
    orders: dict[str, list[Order]] = field(default_factory=dict)
    lags: dict[str, Millis] = field(default_factory=dict)           # set by hand, outrank the climate's
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.change(self.weather, self.seed)

    def change(self, weather: str, seed: int | None = None) -> None:
        """KeyError for a weather there is not."""
        self.weather, self.climate = weather, CLIMATES[weather]
        if seed is not None:
            self._random = random.Random(seed)  # noqa: S311 - weather, not secrets

    climate: Climate = CLIMATES["calm"]

    def order(self, platform: str, kind: str, count: int = 1, match: str = "", skip: int = 0) -> None:
        self.orders.setdefault(platform, []).append(Order(kind, re.compile(match), count, skip))

    def fault_for(self, platform: str, method: str, path: str) -> Fault | None:
        for order in self.orders.get(platform, []):
            if order.left > 0 and order.pattern.search(f"{method} {path}"):
                if order.skip > 0:
                    order.skip -= 1
                    continue
                order.left -= 1
                return Fault(order.kind)
        draw = self._random.random() if self.climate.chances else 1.0
        for kind, chance in self.climate.chances.items():
            if draw < chance:
                return Fault(kind)
            draw -= chance
        return None

    def lag(self, what: str) -> Millis:
        """How late this one record of *what* ("search", "events", "members", "jobs") becomes visible: differs per record."""
        most = self.lags.get(what, self.climate.lags.get(what, 0))
        return most if what in self.lags else round(most * self._random.random()) if self.weather != "calm" else most
