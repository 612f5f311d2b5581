"""The segments that families have in a story: one for each value that somebody in it tells of, be they ever so few."""

from __future__ import annotations

from collections.abc import Mapping

from sync.config.families import expanded
from sync.config.model import Config, FamilySpec
from sync.language.person import Person
from sync.language.values import distinct_keys, look


def with_told(config: Config, people: Mapping[str, Person]) -> Config:
    """*config* with a segment of each family for every value in the events of *people*, those to come included."""
    return expanded(config, {name: _told(family, people) for name, family in config.families.items()}, {}) if config.families else config


def _told(family: FamilySpec, people: Mapping[str, Person]) -> set[str]:
    events = [event for person in people.values() for event in person.events if family.event.filter.names.takes(event.type)]
    return {key for event in events for key in distinct_keys(look(event.properties, family.property))}
