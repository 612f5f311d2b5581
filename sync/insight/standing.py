"""How things stand, read from the store alone: for `status`."""

from __future__ import annotations

from typing import Any

from connectors.base import Millis
from sync.config.model import Config, Manage
from sync.evaluate.families import departed
from sync.insight.person import decode_summary
from sync.model import TargetKey
from sync.source import origins
from sync.store import memberships, outbox, segments, streams
from sync.store.store import Store


def standing(store: Store, config: Config, now: Millis) -> dict[str, Any]:
    """Age of data, members, what waits, what was given up and why, what is frozen, the last run, and what to type next."""
    found = {
        "connections": _connections(store, config, now), "streams": _streams(store, now), "segments": _segments(store, config, now),
        "targets": _targets(store, config), "dead_letters": _dead(store), "merges_held": _held(store), "last_run": _last_run(store, now),
    }
    return {**found, "next": _next(found)}


def _connections(store: Store, config: Config, now: Millis) -> dict[str, Any]:
    """Accounts, and milliseconds since all changes of each were last in (None: they never were)."""
    states = {(s.connection, s.stream): s.finished for s in streams.states(store)}
    found = {}
    for name, origin in origins(config, store).items():
        account, title = store.account(name) or ("", "")
        finished = [states.get((name, s.name)) for s in origin.capabilities.streams if s.incremental and not s.sweep]
        known = [at for at in finished if at is not None]
        whole = known and len(known) == len(finished)
        found[name] = {"account": account, "name": title, "age_ms": now - min(known) if whole else None}
    return found


def _streams(store: Store, now: Millis) -> list[dict[str, Any]]:
    return [
        {"connection": s.connection, "stream": s.stream, "age_ms": None if s.finished is None else now - s.finished,
         "rows": s.rows, "error": s.error or ""} for s in streams.states(store)
    ]


def _segments(store: Store, config: Config, now: Millis) -> dict[str, Any]:
    gone = departed(store, config)
    return {
        name: {"members": len(s.members), "age_ms": now - s.evaluated if s.evaluated else None, "failure": s.failure or "",
               "configured": name in config.segments, "enabled": name not in config.segments or config.segments[name].enabled,
               "retire": gone.get(name, "")}
        for name, s in segments.standing(store).items()
    }


def _targets(store: Store, config: Config) -> dict[str, Any]:
    letters = outbox.counts(store)
    specs = [target for segment in config.segments.values() for target in segment.targets]
    wanted = {str(TargetKey(t.segment, t.connection, t.audience, t.kind)) for t in specs}
    observed = {str(TargetKey(t.segment, t.connection, t.audience, t.kind)) for t in specs if t.manage is Manage.OBSERVE}
    disabled = {str(TargetKey(t.segment, t.connection, t.audience, t.kind)) for t in specs if not config.segments[t.segment].enabled}
    return {
        s.key: {
            "members": len(memberships.members(store, s.id)), "ours": len(memberships.owned(store, s.id)),
            "waiting": letters.get(s.key, {}).get("waiting", 0) + letters.get(s.key, {}).get("sending", 0),
            "dead": letters.get(s.key, {}).get("dead", 0),
            "applied": s.applied is not None, "complete": s.complete, "gone": s.gone, "configured": s.key in wanted,
            "observed": s.key in observed, "enabled": s.key not in disabled,
        } for s in memberships.states(store).values() if not s.key.startswith("@")
    }


def _dead(store: Store) -> list[dict[str, Any]]:
    """What was given up, counted by target and reason."""
    rows = store.rows(
        "select t.key, coalesce(o.reason, ''), count(*) from outbox o join targets t on t.id = o.target where o.state = 'dead' "
        "group by t.key, o.reason order by t.key, count(*) desc",
    )
    return [{"target": key, "reason": reason, "count": count} for key, reason, count in rows]


def _held(store: Store) -> int:
    found = store.one("select count(*) from merges where held")
    return int(found[0]) if found else 0


def _last_run(store: Store, now: Millis) -> dict[str, Any] | None:
    row = store.one("select id, command, started, exit, summary from runs order by id desc limit 1")
    if row is None:
        return None
    unused = decode_summary(row[4]).get("unused", [])
    return {"run": row[0], "command": row[1], "age_ms": now - row[2], "exit": row[3], "unused": unused}


def _next(found: dict[str, Any]) -> str:
    """Nothing pulled or never applied: a plan; changes on their way: a sync; else nothing."""
    if not found["targets"] or any(
        not t["applied"] and t["configured"] and not t["observed"] and t["enabled"] for t in found["targets"].values()
    ):
        return "segmentd plan"
    return "segmentd sync" if any(t["waiting"] for t in found["targets"].values()) else ""
