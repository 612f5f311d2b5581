"""Which segments name which, in what order they can be evaluated, and how deep they go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from sync.language.moves import Moved
from sync.language.needs import needs
from sync.language.nodes import InSegment, Node
from sync.language.rank import traits_of
from sync.located import Place, Problem

DEEPEST = 200                       # conditions inside conditions, through `segment:` too: the oracle and `explain` go down by recursion


def referenced_segments(node: Node) -> frozenset[str]:
    """Names of the segments that *node* asks directly."""
    return needs(node).segments


def order(nodes: Mapping[str, Node], places: Mapping[str, Place]) -> tuple[list[str], list[Problem]]:
    """Names so that each comes after those it asks, in the given order otherwise; a Problem for each ring of references, and for
    segments that go deeper than DEEPEST.

    *places* tells where a segment stands in its file. Names that are no key of *nodes* are left to the parser.
    """
    ordered, rings = sequence(nodes)
    said = [Problem(places[ring[0]], "segments ask each other in a ring: " + " → ".join(_spelt(ring, nodes))) for ring in rings]
    if not rings:
        said += [
            Problem(places[name], f"segment '{name}' holds {depth} conditions inside each other, those of the segments it asks "
                    f"counted; at most {DEEPEST} are read", "ask fewer segments one through another")
            for name, depth in _too_deep(nodes, ordered)
        ]
    return ordered, said


def _spelt(ring: list[str], nodes: Mapping[str, Node]) -> Iterator[str]:
    """*ring* with the traits through which its segments ask each other."""
    yield ring[0]
    for name, other in pairwise(ring):
        yield from (f"trait {trait}" for trait in _through(nodes[name], other) or ())
        yield other


def _through(node: Node, other: str) -> list[str] | None:
    """The traits through which *node* asks the segment *other*, outermost first; None where it does not ask it."""
    if isinstance(node, InSegment | Moved) and node.name == other:
        return []
    named = traits_of(node)
    below = [([name], child) for name, trait in named for child in trait.children] or [([], child) for child in node.children]
    found = ((names, _through(child, other)) for names, child in below)
    return next((names + further for names, further in found if further is not None), None)


def sequence(nodes: Mapping[str, Node]) -> tuple[list[str], list[list[str]]]:
    """Names so that each comes after those it asks, and every ring found, first name repeated at its end."""
    ordered: dict[str, None] = {}
    rings: list[list[str]] = []
    for first in nodes:
        trail = {first: _asked(nodes, first)} if first not in ordered else {}
        while trail:
            name = next(reversed(trail))
            other = next(trail[name], None)
            if other is None:
                ordered[name] = None
                del trail[name]
            elif other in trail:
                names = list(trail)
                rings.append([*names[names.index(other):], other])
            elif other not in ordered:
                trail[other] = _asked(nodes, other)
    return list(ordered), rings


def _asked(nodes: Mapping[str, Node], name: str) -> Iterator[str]:
    return iter(sorted(referenced_segments(nodes[name]) & nodes.keys()))


def layers(nodes: Mapping[str, Node]) -> list[list[str]]:
    """Names in layers, each in the given order: a segment stands in a later one than those whose record of who entered and left
    it asks, directly or through others. So each layer can be answered once the moves of those before it are on record."""
    layer: dict[str, int] = {}
    for name in sequence(nodes)[0]:
        what = needs(nodes[name])
        layer[name] = max((layer.get(other, 0) + (other in what.moves) for other in what.segments), default=0)
    return [[name for name in nodes if layer[name] == each] for each in sorted(set(layer.values()))]


def _too_deep(nodes: Mapping[str, Node], ordered: list[str]) -> Iterator[tuple[str, int]]:
    """The segments that are the first to go too deep (those that ask them are not told of), and how deep."""
    depths: dict[str, int] = {}
    for name in ordered:
        depth = _depth(nodes[name], depths)
        if depth > DEEPEST:
            yield name, depth
        depths[name] = 0 if depth > DEEPEST else depth


def _depth(node: Node, depths: Mapping[str, int]) -> int:
    below = max((_depth(child, depths) for child in node.children), default=0)
    return 1 + max(below, depths.get(node.name, 0) if isinstance(node, InSegment | Moved) else 0)
