"""`status`, `explain`, `events`, `runs`: they only read the store, also while the daemon works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from connectors.base import Clock, instant
from sync.cli.common import emit, options, read_config, span, table
from sync.model import SegmentdError
from sync.store.store import Store


@click.command()
@options
@click.pass_obj
def status(clock: Clock, path: Path | None, as_json: bool) -> None:
    """How old the data is, who is in each segment, what waits, what was given up, what is frozen."""
    config = read_config(path)
    with Store.reader(Path(config.settings.store)) as store:
        found = _status(store, clock.now())
    emit(found, as_json, lambda: _show_status(found))


def _status(store: Store, now: int) -> dict[str, Any]:
    from sync.store import memberships, outbox, streams

    letters = outbox.counts(store)
    states = [s for s in memberships.states(store).values() if not s.key.startswith("@")]
    held = store.one("select count(*) from merges where held")
    return {
        "streams": [
            {"connection": s.connection, "stream": s.stream, "age_ms": None if s.finished is None else now - s.finished,
             "rows": s.rows, "error": s.error or ""} for s in streams.states(store)
        ],
        "segments": {
            name: {"members": len(s.members), "age_ms": now - s.evaluated, "failure": s.failure or ""}
            for name, s in memberships.segments(store).items()
        },
        "targets": {
            s.key: {
                "members": len(memberships.members(store, s.id)), "ours": len(memberships.owned(store, s.id)),
                "applied": s.applied is not None, "complete": s.complete, "gone": s.gone, **letters.get(s.key, {}),
            } for s in states
        },
        "merges_held": held[0] if held else 0,
    }


def _show_status(found: dict[str, Any]) -> str:
    streams = [[s["connection"], s["stream"], f"{span(s['age_ms'])} ago" if s["age_ms"] is not None else "not to the end yet",
                s["error"]] for s in found["streams"]]
    segments = [[name, f"{s['members']:,}", s["failure"]] for name, s in found["segments"].items()]
    targets = [[key, f"{t['members']:,}", f"{t['ours']:,}", str(t.get("waiting", 0)), str(t.get("dead", 0)), _remark(t)]
               for key, t in found["targets"].items()]
    parts = [
        table([["connection", "stream", "pulled", ""], *streams], set()), "",
        table([["segment", "members", ""], *segments], {1}), "",
        table([["target", "members", "ours", "waiting", "dead", ""], *targets], {1, 2, 3, 4}),
    ]
    if found["merges_held"]:
        parts.append(f"\n{found['merges_held']} merges of contacts are held for a person: more than 20 came in one pull")
    return "\n".join(parts)


def _remark(target: dict[str, Any]) -> str:
    if target["gone"]:
        return "gone from the platform: frozen"
    if not target["applied"]:
        return "never applied"
    return "" if target["complete"] else "view is partial: nobody is removed"


@click.command()
@options
@click.argument("email")
@click.argument("segment")
@click.pass_obj
def explain(clock: Clock, path: Path | None, as_json: bool, email: str, segment: str) -> None:
    """Why the contact with address EMAIL is in SEGMENT, or not: every condition with its answer and what it counted."""
    from sync.insight.person import contact_of, person_of
    from sync.language.explain import explain as explained
    from sync.source import origins

    config = read_config(path)
    if segment not in config.segments:
        raise click.UsageError(f"no segment {segment!r} in the config; it has {', '.join(config.segments)}")
    with Store.reader(Path(config.settings.store)) as store:
        contact = contact_of(store, email)
        if contact is None:
            raise SegmentdError("no contact has this address; `segmentd status` says how old the data is")
        person = person_of(store, config, origins(config, store), contact)
    tree = explained(config.segments[segment].rule, person, clock.now())
    found = {"segment": segment, "contact": contact, "member": tree.holds, "tree": _as_data(tree)}
    verdict = "is in" if tree.holds else "is not in"
    emit(found, as_json, lambda: "\n".join([f"{email} {verdict} {segment}", *tree.lines(1)]))


def _as_data(tree: Any) -> dict[str, Any]:
    return {"text": tree.text, "holds": tree.holds, "value": tree.value, "failure": tree.failure,
            "children": [_as_data(child) for child in tree.children]}


@click.command()
@options
@click.pass_obj
def events(clock: Clock, path: Path | None, as_json: bool) -> None:
    """Which events there are, how many and since when, and the built-in names with what each platform calls them."""
    from sync.insight.person import native_events
    from sync.source import naming_of

    del clock
    config = read_config(path)
    store_path = Path(config.settings.store)
    counted: dict[str, tuple[int, int, int]] = {}
    if store_path.exists():
        with Store.reader(store_path) as store:
            counted = {name: (count, first, last) for name, count, first, last in native_events(store)}
    told: dict[str, list[str]] = {name: [] for name in counted}
    for connection in config.connections:
        naming = naming_of(config, connection)
        for native, event in naming.names.items():
            if event.name not in naming.ignored:
                told.setdefault(event.name, []).append(f"{connection}: {native}")
    rows = [
        (name, counted.get(name, (0, 0, 0))[0], _moment(counted, name, 1), _moment(counted, name, 2), told[name]) for name in sorted(told)
    ]
    found = [{"event": e, "count": count, "first": first, "last": last, "told_by": by} for e, count, first, last, by in rows]
    lines = [[e, f"{count:,}", first, last, ", ".join(by)] for e, count, first, last, by in rows]
    emit(found, as_json, lambda: table([["event", "count", "first", "last", "told by"], *lines], {1}))


def _moment(counted: dict[str, tuple[int, int, int]], name: str, which: int) -> str:
    return f"{instant(counted[name][which]):%Y-%m-%d %H:%M}" if name in counted else ""


@click.command()
@options
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.pass_obj
def runs(clock: Clock, path: Path | None, as_json: bool, last: int) -> None:
    """What was run, when, and how it went."""
    from sync.insight.person import decode_summary

    del clock
    config = read_config(path)
    with Store.reader(Path(config.settings.store)) as store:
        rows = store.rows("select id, command, started, ended, exit, summary from runs order by id desc limit ?", last)
    found = [
        {"run": r[0], "command": r[1], "started": instant(r[2]).isoformat(), "seconds": None if r[3] is None else (r[3] - r[2]) / 1000,
         "exit": r[4], **decode_summary(r[5])} for r in rows
    ]
    lines = [[str(f["run"]), f["command"], f["started"][:19], "cut off" if f["exit"] is None else str(f["exit"]),
              ", ".join(f"{k} {v}" for k, v in f.items() if k not in ("run", "command", "started", "seconds", "exit"))] for f in found]
    emit(found, as_json, lambda: table([["run", "command", "started", "exit", ""], *lines], {0, 3}))
