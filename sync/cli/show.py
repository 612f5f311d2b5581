"""Plans and outcomes as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.cli.common import counted, span, table

FOR_PEOPLE = {                                      # what a target's plan says besides numbers, shortened
    "it was never applied": "first apply", "its rule or settings were edited": "edited",
}


def show_plan(report: Mapping[str, Any]) -> str:
    """Accounts and age of data, then a line per target, what is refused and how to let it through, and the next command."""
    parts = [f"Plan {report['plan']}: nothing has been written yet", "", _connections(report), ""]
    head = ["target", "name", "members", "+", "−", "barred", "missing", "foreign", ""]
    rows = [[
        t["target"], t["name"], f"{t['members']:,}", f"{t['add']:,}", f"{t['remove']:,}", f"{t['barred']:,}", f"{t['missing']:,}",
        f"{t['foreign']:,}", _remark(t),
    ] for t in report["targets"]]
    parts.append(table([head, *rows], {2, 3, 4, 5, 6, 7}))
    for target in report["targets"]:
        parts += _notes(target)
    told = {target["target"].split("/")[0] for target in report["targets"]}
    parts += [f"{segment} waits: {why}" for segment, why in report.get("waiting", {}).items() if segment not in told]
    parts += _troubles(report)
    moves, whole = report["next"].startswith("segmentd"), not any(c["failure"] for c in report["connections"].values())
    cost = f"{counted(report['calls'], 'call')}, {_minutes(report['minutes'])}. " if report["calls"] else ""
    parts += ["", cost + (f"Next: {report['next']}" if moves else f"Nothing to apply{'' if whole else ' from what could be read'}.")]
    return "\n".join(parts)


def _remark(target: Mapping[str, Any]) -> str:
    words = ["frozen" if target["frozen_because"] else "", FOR_PEOPLE.get(target["waits"], target["waits"]),
             "refused" if target["refusals"] else "",
             "" if target["complete"] else "partial view"]
    return ", ".join(word for word in words if word)


def _minutes(minutes: float) -> str:
    return "under a minute" if minutes < 1 else f"about {minutes:.0f} min"


def _connections(report: Mapping[str, Any]) -> str:
    rows = []
    for name, c in report["connections"].items():
        age = "not pulled to the end yet" if c["data_age_ms"] is None else f"data {span(c['data_age_ms'])} old"
        rows.append([name, f"{c['name']} ({c['account']})" if c["account"] else "account not met yet",
                     f"{age}, not used: {c['failure']}" if c["failure"] else age])
    return table(rows, set())


def _notes(target: Mapping[str, Any]) -> list[str]:
    lines = []
    for refusal in target["refusals"]:
        lines.append(f"\n{target['target']} is refused by guard {refusal['guard']}: {refusal['reason']}")
        if refusal["leavers_fail"]:
            lines.append(f"  most leavers fail: {refusal['leavers_fail']}")
        lines.append(f"  it rests on {', '.join(refusal['rests_on']) or 'nothing'}; if it is meant:\n  {refusal['command']}")
    lines += [f"{target['target']}: {counted(count, 'change')} held back: {why}" for why, count in target["withheld"].items()]
    if target["frozen_because"] and target["frozen_because"] not in target["withheld"]:
        lines.append(f"{target['target']} is frozen: {target['frozen_because']}")
    if target["frozen"]:
        lines.append(f"{target['target']}: {counted(target['frozen'], 'contact')} frozen: their consent cannot be read, or they may be one "
                     "person with somebody kept out")
    return lines


def show_outcome(outcome: Mapping[str, Any]) -> str:
    """What was sent, what was not and why, and the next command."""
    lines = [
        f"{counted(outcome['changes'], 'change')}: {outcome['added']:,} added, {outcome['removed']:,} removed, "
        f"in {counted(outcome['calls'], 'call')}" + (f"; {outcome['already']:,} were so already" if outcome["already"] else ""),
    ]
    lines += [f"{key}: {counted(n, 'approved change')} wanted no more and not sent" for key, n in outcome["dropped"].items()]
    for key, why in outcome["refused"].items():
        lines.append(f"{key} waits: {why}")
        if outcome["ways"].get(key) not in (None, outcome["next"]):
            lines.append(f"  if it is meant: {outcome['ways'][key]}")
    lines += [f"{key}: {counted(n, 'change')} held back: {why}" for key, held in outcome.get("withheld", {}).items()
              for why, n in held.items()]
    lines += [f"{c} stopped: {'; '.join(whys)}" for c, whys in outcome["stopped"].items()]
    lines += _troubles(outcome)
    if outcome["dead"]:
        lines.append(f"{counted(outcome['dead'], 'change')} given up (dead letters)")
    if outcome["waiting"]:
        lines.append(f"{counted(outcome['waiting'], 'change')} left for the next run")
    if outcome["next"]:
        lines.append(f"Next: {outcome['next']}")
    return "\n".join(lines)


def _troubles(report: Mapping[str, Any]) -> list[str]:
    """What could not be read or made; what a connection as a whole could not is told once, with the connections."""
    told = report.get("connections", {})
    lines = [f"{key}: {why}" for key, why in report.get("problems", {}).items()]
    lines += [
        f"{p['connection']} {p['stream']}: {'not offered to us: ' if p['off'] else ''}{p['error']}" for p in report.get("pulled", [])
        if p["error"] and not told.get(p["connection"], {}).get("failure")
    ]
    return lines
