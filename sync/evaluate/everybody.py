"""Everybody's order for one contact that is looked at by itself: what `explain` asks of a store."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Millis
from sync.evaluate.full_pass import full_pass
from sync.evaluate.snapshot import Snapshot
from sync.evaluate.turns import NEVER
from sync.evaluate.world import World
from sync.language.needs import needs
from sync.language.nodes import Node
from sync.language.rank import Rank, Ranked, Top


class EverybodyIn:
    """All contacts of *snapshot*, put in order by arrays at whatever moment is asked. *rules*: the segments that points may ask."""

    def __init__(self, snapshot: Snapshot, rules: Mapping[str, Node]) -> None:
        self._snapshot, self._rules = snapshot, rules
        self._known: dict[tuple[Ranked, Millis], World] = {}

    def place(self, ranked: Ranked, contact: int, now: Millis) -> tuple[int, int] | None:
        places, count = self._world(ranked, now).places(ranked)
        return (int(places[contact]), count) if places[contact] else None

    def turn(self, ranked: Ranked, now: Millis) -> Millis | None:
        turn = self._world(ranked, now).next_order(ranked)
        return None if turn == NEVER else turn

    def _world(self, ranked: Ranked, now: Millis) -> World:
        """The world of one moment; only the latest is kept, since it holds arrays of everybody."""
        if (ranked, now) not in self._known:
            node = Rank(ranked, Top(1))
            asked = self._asked(node)
            members = full_pass(self._snapshot, asked, now).members if asked else {}
            world = World(self._snapshot, now, members, self._rules)
            world.scan([node])
            self._known = {(ranked, now): world}
        return self._known[ranked, now]

    def _asked(self, node: Node) -> dict[str, Node]:
        """The segments that *node* asks, and all that those ask."""
        found: dict[str, Node] = {}
        ahead = sorted(needs(node).segments)
        while ahead:
            name = ahead.pop()
            if name in self._rules and name not in found:
                found[name] = self._rules[name]
                ahead += sorted(needs(found[name]).segments)
        return found
