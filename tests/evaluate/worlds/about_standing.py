"""Random conditions on where somebody stands, and on what was before."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sync.language.values import instant_text
from tests.evaluate.worlds.about_events import window
from tests.evaluate.worlds.drawn import Rule, asked
from tests.language.support import NOW


def some_window(rng: Random) -> Rule:
    return rng.choice([
        {"within": rng.choice(["1w", "30d"])}, {"older_than": rng.choice(["90s", "2h"])}, {"ago": ["30d", "90s"]},
        {"until": instant_text(NOW)},
    ])


LEAVES: dict[str, Callable[[Random], Rule]] = {
    "member_of": lambda rng: {"member_of": rng.choice([{"mailchimp": {"tag": "VIP"}}, {"klaviyo": {"list": "Café"}},
                                                       {"mailchimp": {"tag": "Cafe\u0301", "audience": "de"}}])},
    "consent: granted": lambda rng: {"consent": {"channel": "email", "is": "granted"}},
    "consent: withdrawn": lambda rng: {"consent": {"channel": rng.choice(["email", "sms"]), "is": "withdrawn"}},
    "consent: unknown": lambda rng: {"consent": {"channel": "email", "is": "unknown"}},
    "consent: connection": lambda rng: {"consent": {"channel": "email", "is": rng.choice(["granted", "unknown"]),
                                                    "connection": rng.choice(["mailchimp", "hubspot"])}},
    "suppressed": lambda rng: {"suppressed": rng.choice([True, False])},
    "has_been": asked("plan", {"has_been": "gold", "for": "2h"}, {"has_been": ["gold", "basic"], "for": "1d"},
                      {"has_been": {"is_not": "basic"}, "for": "1w"}, {"has_been": {"starts_with": "gold"}, "for": "90s"}),
    "changed": lambda rng: {"contact": {"plan": {
        "changed": rng.choice([True, True, False]),
        **rng.choice([{}, {}, {"from": {"is_set": False}}, {"to": "gold"}, {"from": {"is_not": "basic"}, "to": ["gold", "basic"]}]),
        **window(rng),
    }}},
    "member_of: since when": lambda rng: {"member_of": {"mailchimp": {"tag": "Café"}, **some_window(rng)}},
    "consent: since when": lambda rng: {"consent": {"channel": "email", "is": rng.choice(["withdrawn", "withdrawn", "unknown", "granted"]),
                                                    **some_window(rng)}},
    "sample": lambda rng: {"sample": {"share": rng.choice(["20%", "50%", "80%"]), "salt": rng.choice("abc")}},
}
