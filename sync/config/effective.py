"""What the configuration comes to: every effective value and the place it came from, for `segmentd config`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction

from sync.config.model import Config, ConnectionSpec, Daily, EventSpec, SecretRef, SegmentSpec, TargetSpec
from sync.config.scalars import span_text
from sync.config.segments import key_of
from sync.language.describe import describe_trait
from sync.language.values import path_text
from sync.located import Place

_SPANS = {"settings.history", "guards.stale", "schedule.pull.changes", "schedule.pull.complete", "schedule.seal"}


def effective(config: Config) -> list[tuple[str, str, Place | None]]:
    """(dotted key, value as it is written, where the file says it: None for a default), in the order of the file's parts.

    Secrets are shown as references. A value that a target takes from `defaults:` or `guards:` has their place.
    """
    rows = [("version", "1")]
    for part in ("settings", "consent", "guards", "schedule"):
        rows += _values(part, getattr(config, part))
    for connection in config.connections.values():
        rows += _connection(connection)
    for name, event in config.events.items():
        rows += _event(name, event)
    for name, field in config.fields.items():
        rows += [(f"fields.{name}.first_of", ", ".join(field.first_of)), *([(f"fields.{name}.as", "country")] if field.country else [])]
    rows += [("include", ", ".join(config.include))] if config.include else []
    for trait in config.traits.values():
        rows += [(f"traits.{trait.name}", describe_trait(trait.trait))]
    for family in config.families.values():
        path = f"segments.{family.template.name}.for_each"
        rows += [(f"{path}.property", path_text(family.property)), (f"{path}.at_least", str(family.at_least))]
        rows += _segment(family.template)
    for segment in config.segments.values():
        rows += _segment(segment)
    return [(key, value, config.origins.get(key)) for key, value in rows]


def _connection(spec: ConnectionSpec) -> Iterator[tuple[str, str]]:
    path = f"connections.{spec.name}"
    yield f"{path}.kind", spec.kind
    for key in ("key", "account", "base_url", "share"):
        if (value := getattr(spec, key)) != "":
            yield f"{path}.{key}", written(value)
    if spec.audiences:
        yield f"{path}.audiences", ", ".join(f"{short}: {name}" for short, name in spec.audiences.items())
        yield f"{path}.default_audience", spec.default_audience
    for key, option in spec.options.items():
        yield f"{path}.{key}", written(option)


def _event(name: str, spec: EventSpec) -> Iterator[tuple[str, str]]:
    path = f"events.{name}"
    if spec.sources:
        yield f"{path}.from", ", ".join(f"{connection}: {native}" for connection, native in spec.sources.items())
    if spec.same:
        yield f"{path}.same", spec.same
    if spec.keep is not None:
        yield f"{path}.keep", span_text(spec.keep)
    properties = [*spec.properties.items()]
    for where, held in spec.on_connection.items():
        properties += [(f"{neutral} ({where})", native) for neutral, native in held.items()]
    if properties:
        yield f"{path}.properties", ", ".join(f"{neutral}: {native}" for neutral, native in properties)


def _segment(segment: SegmentSpec) -> Iterator[tuple[str, str]]:
    path = f"segments.{segment.name}"
    if segment.description:
        yield f"{path}.description", segment.description
    yield f"{path}.timezone", segment.timezone
    yield f"{path}.enabled", written(segment.enabled)
    if segment.was:
        yield f"{path}.was", segment.was
    if segment.retires:
        yield f"{path}.retire", "remove"
    for target in segment.targets:
        yield from _target(target)


def _target(target: TargetSpec) -> Iterator[tuple[str, str]]:
    path = f"segments.{key_of(target)}"
    yield f"{path}.{target.kind}", target.name
    for key in ("manage", "existing", "missing", "require", "subscription"):
        if (value := getattr(target, key)) != "":
            yield f"{path}.{key}", written(value)
    for name in ("removes", "adds"):
        yield from _values(f"{path}.guards.{name}", getattr(target.guards, name))


def _values(path: str, held: object) -> Iterator[tuple[str, str]]:
    """Every leaf of a dataclass under its dotted key."""
    if not is_dataclass(held) or isinstance(held, Daily | SecretRef):
        if held != "":
            yield path, span_text(held) if path in _SPANS and isinstance(held, int) else written(held)
        return
    for each in fields(held):
        yield from _values(f"{path}.{each.name.rstrip('_')}", getattr(held, each.name))


def written(value: object) -> str:
    """A value as the file would write it."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Fraction):
        return f"{float(value * 100):.6f}".rstrip("0").rstrip(".") + "%"
    if isinstance(value, Daily):
        return f"daily {value.hour:02d}:{value.minute:02d}"
    if isinstance(value, SecretRef):
        return f"{{{value.kind}: {value.name}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
