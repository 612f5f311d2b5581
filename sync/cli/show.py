"""Plans and outcomes as text."""

from __future__ import annotations

from typing import Any

from sync.cli.common import span, table


def show_plan(report: dict[str, Any]) -> str:
    """Accounts and age of data, then a line per target, what is refused and how to let it through, and the next command."""
    parts = [f"Plan {report['plan']}: nothing has been written yet", "", _connections(report["connections"]), ""]
    head = ["target", "name", "members", "+", "−", "barred", "missing", "foreign"]
    rows = [[
        t["target"], t["name"], f"{t['members']:,}", f"{t['add']:,}", f"{t['remove']:,}", f"{t['barred']:,}", f"{t['missing']:,}",
        f"{t['foreign']:,}",
    ] for t in report["targets"]]
    parts.append(table([head, *rows], {2, 3, 4, 5, 6, 7}))
    for target in report["targets"]:
        parts += _notes(target)
    parts += [f"{key}: {why}" for key, why in report["problems"].items()]
    calls = report["calls"]
    parts += ["", f"{calls} call{'s' * (calls != 1)}, about {report['minutes']} min. Next: {report['next']}"]
    return "\n".join(parts)


def _connections(connections: dict[str, Any]) -> str:
    rows = []
    for name, c in connections.items():
        state = f"not used: {c['failure']}" if c["failure"] else f"data {span(c['data_age_ms'])} old" if c["data_age_ms"] is not None \
            else "not pulled to the end yet"
        rows.append([name, f"{c['name']} ({c['account']})" if c["account"] else "account not met yet", state])
    return table(rows, set())


def _notes(target: dict[str, Any]) -> list[str]:
    lines = []
    for refusal in target["refusals"]:
        lines.append(f"\n{target['target']} is refused by guard {refusal['guard']}: {refusal['reason']}")
        if refusal["leavers_fail"]:
            lines.append(f"  most leavers fail: {refusal['leavers_fail']}")
        lines.append(f"  it rests on {', '.join(refusal['rests_on']) or 'nothing'}; if it is meant: {refusal['command']}")
    lines += [f"{target['target']}: {count} changes held back: {why}" for why, count in target["withheld"].items()]
    if target["frozen"]:
        lines.append(f"{target['target']}: {target['frozen']} contacts are frozen: their consent cannot be read")
    return lines


def show_outcome(outcome: dict[str, Any]) -> str:
    """What was sent, what was not and why, and the next command."""
    lines = [
        f"{outcome['changes']:,} changes: {outcome['added']:,} added, {outcome['removed']:,} removed, in {outcome['calls']:,} calls"
        + (f"; {outcome['already']:,} were so already" if outcome["already"] else ""),
    ]
    lines += [f"{key}: {count:,} approved changes are wanted no more and were not sent" for key, count in outcome["dropped"].items()]
    lines += [f"{key} waits: {why}" for key, why in outcome["refused"].items()]
    lines += [f"{key}: {n} changes held back: {why}" for key, held in outcome.get("withheld", {}).items() for why, n in held.items()]
    lines += [f"{c} stopped: {'; '.join(whys)}" for c, whys in outcome["stopped"].items()]
    lines += [f"{key}: {why}" for key, why in outcome.get("problems", {}).items()]
    lines += [f"{p['connection']} {p['stream']}: {p['error']}" for p in outcome.get("pulled", []) if p["error"]]
    if outcome["dead"]:
        lines.append(f"{outcome['dead']:,} changes were given up (dead letters)")
    if outcome["waiting"]:
        lines.append(f"{outcome['waiting']:,} changes wait for the next run")
    if outcome["next"]:
        lines.append(f"Next: {outcome['next']}")
    return "\n".join(lines)
