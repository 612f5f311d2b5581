"""The CDNOW purchase history as a world: 23,570 people and their 69,659 real purchases, spread over the three platforms.

Source of the data: `data/README.md`. A person is a number there; name and address (on a reserved domain) are made from it.
"""

from __future__ import annotations

import gzip
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import DAY, Millis
from connectors.sandbox.world import KINDS, PLATFORMS, World, campaigns_table, events_table, people_table

LAST_DAY: Millis = 10_407 * DAY                     # 1998-06-30T00:00Z, the last day of the history
ORDER = KINDS.index("order_placed")
MUSIC = 1
HOLDERS = ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))     # which platforms know a person, as indexes of PLATFORMS
SPREAD = (0.12, 0.12, 0.16, 0.15, 0.2, 0.1, 0.15)
STANDING = (0.62, 0.28, 0.06, 0.03, 0.01)           # granted, unknown, withdrawn, suppressed, archived


def purchases() -> dict[str, npt.NDArray[np.int64]]:
    """The history by column, in file order: *person* (0 …), *at* (ms UTC, 00:00), *quantity*, *cents*; the row is the id."""
    text = gzip.decompress(resources.files("connectors.sandbox").joinpath("data/cdnow.csv.gz").read_bytes()).decode("ascii")
    header, *lines = text.split()
    if header != "customer_id,date,quantity,value":
        raise ValueError("the CDNOW file has other columns than expected")
    rows = [line.split(",") for line in lines]
    days = np.array([row[1] for row in rows], "datetime64[D]").astype(np.int64)
    _, person = np.unique(np.array([int(row[0]) for row in rows]), return_inverse=True)
    return {
        "person": person.astype(np.int64), "at": days * DAY, "quantity": np.array([int(row[2]) for row in rows]),
        "cents": np.array([round(float(row[3]) * 100) for row in rows]),
    }


def cdnow_world(last_day: Millis = LAST_DAY, *, people: int | None = None, mail: int = 200_000, seed: int = 1997) -> World:
    """The history moved so that its last day is *last_day* (midnight UTC), with about *mail* generated opens and clicks.

    Each purchase is held by one platform that knows the person, one in five by a second one too. *people* takes that many
    from the start of the file instead of all (with their share of the mail).
    """
    rows = purchases()
    total = int(rows["person"].max()) + 1
    count = min(people or total, total)
    kept = rows["person"] < count
    number = np.flatnonzero(kept)
    rows = {name: column[kept] for name, column in rows.items()}
    at = rows["at"] + (last_day - LAST_DAY)
    rng = np.random.default_rng(seed)
    known = _known(rng, count)
    standings = {platform: _standing(rng, known[n]) for n, platform in enumerate(PLATFORMS)}
    shop = _orders(rng, rows, at, number, known)
    letters, sent = _letters(rng, standings, at, rows["person"], mail * count // total, last_day)
    both = {name: np.concatenate([shop[name], letters[name]]) for name in shop}
    first = np.full(count, last_day)
    np.minimum.at(first, rows["person"], at)
    return World(people_table(count, first, standings, "cdnow.example"), events_table(**both), campaigns_table(sent))


def _known(rng: np.random.Generator, count: int) -> npt.NDArray[np.bool_]:
    """Platform × person: has a profile there."""
    group = rng.choice(len(HOLDERS), count, p=SPREAD)
    return np.stack([np.array([n in holders for holders in HOLDERS])[group] for n in range(len(PLATFORMS))])


def _standing(rng: np.random.Generator, known: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    return np.where(known, rng.choice(5, len(known), p=STANDING) + 1, 0)


def _orders(
    rng: np.random.Generator, rows: dict[str, npt.NDArray[np.int64]], at: npt.NDArray[np.int64], number: npt.NDArray[Any],
    known: npt.NDArray[np.bool_],
) -> dict[str, npt.NDArray[Any]]:
    there = known[:, rows["person"]]
    count = len(at)
    first = np.argmax(there * (rng.random(there.shape) + 0.001), axis=0)
    second = np.argmax(there * (rng.random(there.shape) + 0.001), axis=0)
    twice = rng.random(count) < 0.3
    holders = {p: there[n] & ((first == n) | (twice & (second == n))) for n, p in enumerate(PLATFORMS)}
    return {
        "person": rows["person"], "at": at, "kind": np.full(count, ORDER), "campaign": np.full(count, -1),
        "value": rows["cents"] * 10_000, "quantity": rows["quantity"], "number": number,
        "category": np.full(count, MUSIC), "machine": np.zeros(count, bool), **holders,
    }


def _letters(
    rng: np.random.Generator, standings: dict[str, npt.NDArray[Any]], at: npt.NDArray[np.int64], buyers: npt.NDArray[np.int64],
    mail: int, last_day: Millis,
) -> tuple[dict[str, npt.NDArray[Any]], list[tuple[str, Millis]]]:
    """A monthly newsletter per platform and what people did with it; who buys more, opens more."""
    months = 18
    sent = [
        (platform, int(last_day - (months - month) * 30 * DAY + n * DAY + DAY // 2))
        for month in range(months) for n, platform in enumerate(PLATFORMS)
    ]
    share = mail // len(sent)
    weight = 0.2 + np.bincount(buyers, minlength=len(standings["klaviyo"]))
    parts: list[dict[str, npt.NDArray[Any]]] = []
    for number, (platform, when) in enumerate(sent):
        there = np.flatnonzero((standings[platform] > 0) & (standings[platform] < 5))
        if not len(there) or not share:
            continue
        person = rng.choice(there, share, p=weight[there] / weight[there].sum())
        kind = np.where(rng.random(share) < 0.25, KINDS.index("email_clicked"), KINDS.index("email_opened"))
        moment = np.minimum(when + rng.exponential(2.0 * DAY, share).astype(np.int64), last_day + DAY - 1000) // 1000 * 1000
        parts.append({
            "person": person, "at": moment, "kind": kind, "campaign": np.full(share, number), "value": np.zeros(share, np.int64),
            "quantity": np.zeros(share, np.int64), "number": np.full(share, -1), "category": np.zeros(share, np.int64),
            "machine": (kind == KINDS.index("email_opened")) & (rng.random(share) < 0.1),
            **{p: np.full(share, p == platform) for p in PLATFORMS},
        })
    if not parts:
        names = ["person", "at", "kind", "campaign", "value", "quantity", "number", "category", "machine", *PLATFORMS]
        return {name: np.zeros(0, bool if name in ("machine", *PLATFORMS) else np.int64) for name in names}, sent
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, sent
