"""`status`, `events`, `runs`: they only read the store, also while the daemon works."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import click

from connectors.base import Clock
from sync.cli.common import counted, emit, iso, moment, options, read_config, reading, span, table, typed

UNENDED = "under way or cut off"                    # a run without an exit code


@click.command()
@options
@click.pass_obj
def status(clock: Clock, path: Path | None, as_json: bool) -> None:
    """How old the data is, who is in each segment, what waits, what was given up, what is frozen."""
    from sync.evaluate.families import with_families
    from sync.insight.standing import standing

    config = read_config(path)
    with reading(config) as store:
        found = standing(store, with_families(store, config), clock.now())
    found["next"] = typed(found["next"])
    emit(found, as_json, lambda: _show_status(found))


def _show_status(found: dict[str, Any]) -> str:
    streams = [[s["connection"], s["stream"], "not to the end yet" if s["age_ms"] is None else f"{span(s['age_ms'])} ago",
                f"{s['rows']:,}", s["error"]] for s in found["streams"]]
    segments = [[name, f"{s['members']:,}", "never" if s["age_ms"] is None else f"{span(s['age_ms'])} ago", _segment_remark(s)]
                for name, s in found["segments"].items()]
    targets = [[key, f"{t['members']:,}", f"{t['ours']:,}", f"{t['waiting']:,}", f"{t['dead']:,}", _remark(t)]
               for key, t in found["targets"].items()]
    parts = [
        table([["connection", "account", "data"], *_connections(found)], set()), "",
        table([["connection", "stream", "pulled", "rows", ""], *streams], {3}), "",
        table([["segment", "members", "evaluated", ""], *segments], {1}), "",
        table([["target", "members", "ours", "waiting", "dead", ""], *targets], {1, 2, 3, 4}),
    ]
    parts += [f"{d['target']}: {counted(d['count'], 'change')} given up: {d['reason']}" for d in found["dead_letters"]]
    if found["merges_held"]:
        parts.append(f"{counted(found['merges_held'], 'merge')} of contacts held for a person: more than 20 came in one pull; "
                     f"{typed('segmentd merges')} shows them")
    return "\n".join([*parts, "", _last_run(found), *([f"Next: {found['next']}"] if found["next"] else [])])


def _connections(found: dict[str, Any]) -> list[list[str]]:
    return [[name, f"{c['name']} ({c['account']})" if c["account"] else "not met yet",
             "not pulled to the end yet" if c["age_ms"] is None else f"{span(c['age_ms'])} old"]
            for name, c in found["connections"].items()]


def _last_run(found: dict[str, Any]) -> str:
    last = found["last_run"]
    if last is None:
        return "Nothing was run yet."
    how = UNENDED if last["exit"] is None else f"exit code {last['exit']}"
    unused = f"; not used: {', '.join(last['unused'])}" if last["unused"] else ""
    return f"Last run: {last['command']}, {span(last['age_ms'])} ago, {how}{unused}."


def _segment_remark(segment: dict[str, Any]) -> str:
    gone = "" if segment["configured"] else f"no longer in the config: `segmentd retire {quote(segment['retire'])}` forgets it"
    disabled = "" if segment["enabled"] else "disabled: it stays as it is"
    return "; ".join(part for part in (segment["failure"], gone, disabled) if part)


def _remark(target: dict[str, Any]) -> str:
    if not target["configured"]:
        return "no longer in the config: frozen"
    if not target["enabled"]:
        return "disabled: frozen"
    if target["gone"]:
        return "gone from the platform: frozen"
    if target["observed"]:
        return "only observed"
    if not target["applied"]:
        return "never applied"
    return "" if target["complete"] else "view is partial: nobody is removed"


@click.command()
@options
@click.pass_obj
def events(clock: Clock, path: Path | None, as_json: bool) -> None:
    """Which events there are, how many and since when, and the built-in names with what each platform calls them."""
    from sync.insight.person import native_events
    from sync.source import naming_of

    del clock
    config = read_config(path)
    counts: dict[str, tuple[int, int, int]] = {}
    if Path(config.settings.store).exists():
        with reading(config) as store:
            counts = {name: (count, first, last) for name, count, first, last in native_events(store)}
    told: dict[str, list[str]] = {name: [] for name in counts}
    for connection in config.connections:
        naming = naming_of(config, connection)
        for native, event in naming.names.items():
            if event.name not in naming.ignored:
                told.setdefault(event.name, []).append(f"{connection}: {native}")
    rows = [(name, *(counts.get(name) or (0, None, None)), told[name]) for name in sorted(told)]
    found = [{"event": e, "count": n, "first": iso(first), "last": iso(last), "told_by": by} for e, n, first, last, by in rows]
    lines = [[e, f"{n:,}", moment(first)[:16], moment(last)[:16], ", ".join(by)] for e, n, first, last, by in rows]
    emit(found, as_json, lambda: table([["event", "count", "first (UTC)", "last (UTC)", "told by"], *lines], {1}))


@click.command()
@options
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.pass_obj
def runs(clock: Clock, path: Path | None, as_json: bool, last: int) -> None:
    """What was run, when, and how it went; the newest first."""
    from sync.insight.person import decode_summary

    del clock
    config = read_config(path)
    with reading(config) as store:
        rows = store.rows("select id, command, started, ended, exit, summary from runs order by id desc limit ?", last)
    found = [
        {"run": r[0], "command": r[1], "started": iso(r[2]), "seconds": None if r[3] is None else (r[3] - r[2]) / 1000,
         "exit": r[4], "summary": decode_summary(r[5])} for r in rows
    ]
    lines = [[str(r[0]), r[1], moment(r[2]), "" if r[3] is None else f"{(r[3] - r[2]) / 1000:,.1f}",
              UNENDED if r[4] is None else str(r[4]), _summary(decode_summary(r[5]))] for r in rows]
    emit(found, as_json, lambda: table([["run", "command", "started (UTC)", "seconds", "exit", ""], *lines], {0, 3, 4}))


def _summary(held: dict[str, Any]) -> str:
    """What came of a run as one line, whatever somebody wrote as the reason."""
    text = ", ".join(f"{key} {' '.join(map(str, value)) if isinstance(value, list) else value}" for key, value in held.items()
                     if value not in ("", []))
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
