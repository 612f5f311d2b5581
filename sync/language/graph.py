"""Which segments name which, and in what order they can be evaluated."""

from __future__ import annotations

from collections.abc import Mapping

from sync.language.needs import needs
from sync.language.nodes import Node
from sync.located import Place, Problem


def referenced_segments(node: Node) -> frozenset[str]:
    """Names of the segments that *node* asks directly."""
    return needs(node).segments


def order(nodes: Mapping[str, Node], places: Mapping[str, Place]) -> tuple[list[str], list[Problem]]:
    """Names so that each comes after those it asks, in the given order otherwise; a Problem for each ring of references.

    *places* tells where a segment stands in its file. Names that are no key of *nodes* are left to the parser.
    """
    ordered, rings = sequence(nodes)
    said = [Problem(places[ring[0]], "segments ask each other in a ring: " + " → ".join(ring)) for ring in rings]
    return ordered, said


def sequence(nodes: Mapping[str, Node]) -> tuple[list[str], list[list[str]]]:
    """Names so that each comes after those it asks, and every ring found, first name repeated at its end."""
    ordered: dict[str, None] = {}
    rings: list[list[str]] = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            rings.append([*trail[trail.index(name):], name])
        elif name not in ordered:
            for other in sorted(referenced_segments(nodes[name]) & nodes.keys()):
                visit(other, (*trail, name))
            ordered[name] = None

    for name in nodes:
        visit(name, ())
    return list(ordered), rings
