"""Campaigns, who got them, and what people did with them: one row per recipient, one per act.

`key` of an act is its recipient's row and its second in one number, so that all acts of a page of recipients are found by
bisection. Acts that come late wait apart until they are visible.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import Millis
from connectors.mailchimp.sandbox.people import Rows, token, whole
from connectors.sandbox.columns import Columns

OPEN, CLICK, BOUNCE, UNSUBSCRIBE, ABUSE = range(5)
ACTIONS = ("open", "click", "bounce", "unsubscribe", "abuse")
KINDS = ("email_opened", "email_clicked", "email_bounced", "email_unsubscribed", "email_complained")
ONCE = (BOUNCE, UNSUBSCRIBE, ABUSE)                 # at most one per recipient; bounces so since 2020-12 (release note)
SECONDS = 33                                        # bits of a key for the second
URLS = tuple(f"https://shop.example/{page}" for page in ("", "new", "music", "winter-coats", "winter-boots", "shoes", "books"))


@dataclass(slots=True)
class Campaign:
    """*number*: of the world, -1 for one that began here. Not *sent*: a draft, which has no report."""

    id: str
    title: str
    sent: Millis
    number: int = -1
    audience: int = 0


@dataclass(slots=True)
class Sums:
    """What a report says of one campaign."""

    recipients: int
    counts: list[int]                               # acts per action
    unique: list[int]                               # recipients with at least one, per action
    last: list[Millis]                              # latest act per action, 0 when there is none
    hard: int


@dataclass(slots=True)
class Mail:
    """Recipients in the order they were written to, acts in any order."""

    campaigns: list[Campaign] = field(default_factory=list)
    recipients: Columns = field(default_factory=lambda: Columns({"campaign": "i4", "member": "i4"}))
    acts: Columns = field(default_factory=lambda: Columns(
        {"key": "i8", "action": "i1", "url": "i2", "ip": "i4", "hard": "?"}))
    version: int = 0
    _recipient_of: dict[tuple[int, int], int] | None = None
    _late: list[tuple[Millis, int, dict[str, Any]]] = field(default_factory=list)
    _sums: dict[int, Sums] = field(default_factory=dict)
    _sorted: tuple[Rows, npt.NDArray[np.int64]] | None = None

    # --- filling

    def load(self, campaign: npt.NDArray[Any], member: npt.NDArray[Any], kind: npt.NDArray[Any], at: npt.NDArray[Any],
             machine: npt.NDArray[Any], hard: npt.NDArray[np.bool_]) -> None:
        """Mail events sorted by time; *kind* is 0 for sent, else 1 + action. Whoever did something had been sent it."""
        pairs, recipient = np.unique(campaign.astype(np.int64) << 32 | member, return_inverse=True)
        self.recipients.extend(campaign=pairs >> 32, member=pairs & 0xFFFFFFFF)
        acting = kind > 0
        recipient, action, second = recipient[acting], kind[acting] - 1, at[acting] // 1000
        kept = self._first_only(recipient, action)
        recipient, action, second = recipient[kept], action[kept], second[kept]
        who = self.recipients["member"][recipient]
        number = np.arange(len(recipient))
        self.acts.extend(
            key=recipient << SECONDS | second, action=action, url=(number * 7 + who) % len(URLS),
            ip=np.where(machine[acting][kept], 1 << 8, 0) + who % 250, hard=hard[who],
        )
        self.version += 1

    @staticmethod
    def _first_only(recipient: npt.NDArray[Any], action: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        kept = np.ones(len(recipient), bool)
        for one in ONCE:
            rows = np.flatnonzero(action == one)
            _, first = np.unique(recipient[rows], return_index=True)
            kept[rows] = False
            kept[rows[first]] = True
        return kept

    def send(self, campaign: int, member: int) -> int:
        """The recipient's row, new or known."""
        if self._recipient_of is None:
            pairs = zip(self.recipients["campaign"].tolist(), self.recipients["member"].tolist(), strict=True)
            self._recipient_of = {pair: row for row, pair in enumerate(pairs)}
        found = self._recipient_of.get((campaign, member))
        if found is None:
            found = self._recipient_of[campaign, member] = self.recipients.append(campaign=campaign, member=member)
            self._changed()
        return found

    def act(self, recipient: int, action: int, at: Millis, now: Millis, lag: Millis, *, hard: bool = False) -> bool:
        """Somebody did something; reports notice after *lag*. False when it can happen only once and did."""
        if action in ONCE and (np.isin(self.of([recipient])["action"], action).any() or self._waits(recipient, action)):
            return False
        row = {"key": recipient << SECONDS | at // 1000, "action": action, "url": recipient % len(URLS),
               "ip": int(self.recipients["member"][recipient]) % 250, "hard": hard}
        heapq.heappush(self._late, (now + lag, len(self.acts) + len(self._late), row))
        self.settle(now)
        return True

    def _waits(self, recipient: int, action: int) -> bool:
        return any(row["key"] >> SECONDS == recipient and row["action"] == action for _, _, row in self._late)

    def settle(self, now: Millis) -> None:
        while self._late and self._late[0][0] <= now:
            self.acts.append(**heapq.heappop(self._late)[2])
            self._changed()

    def all_acts(self) -> dict[str, npt.NDArray[Any]]:
        """Every act, also those not visible yet."""
        waiting = [row for _, _, row in self._late]
        return {
            name: np.concatenate([self.acts[name], np.array([row[name] for row in waiting], self.acts[name].dtype)])
            for name in self.acts.types
        }

    def _changed(self) -> None:
        self.version += 1
        self._sums.clear()
        self._sorted = None

    # --- asking

    def find(self, campaign_id: str) -> int | None:
        return next((n for n, one in enumerate(self.campaigns) if one.id == campaign_id), None)

    def add_campaign(self, title: str, sent: Millis, number: int = -1) -> int:
        identity = number if number >= 0 else f"own {len(self.campaigns)}"
        self.campaigns.append(Campaign(token("campaign", identity), title, whole(sent), number))
        return len(self.campaigns) - 1

    def recipients_of(self, campaign: int) -> Rows:
        order = self.recipients.order("campaign")
        known = self.recipients["campaign"][order]
        return order[np.searchsorted(known, campaign, "left") : np.searchsorted(known, campaign, "right")]

    def of(self, recipients: Rows | list[int]) -> dict[str, npt.NDArray[Any]]:
        """Acts of these recipients, grouped in their order and by time: *slot* (index into *recipients*), *at*, action …"""
        order, keys = self._by_key()
        wanted = np.asarray(recipients, np.int64)
        low, high = np.searchsorted(keys, wanted << SECONDS), np.searchsorted(keys, (wanted + 1) << SECONDS)
        counts = high - low
        slot = np.repeat(np.arange(len(wanted)), counts)
        start = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) if len(wanted) else low
        rows = order[start + np.arange(len(slot))] if len(slot) else order[:0]
        found = {name: self.acts[name][rows] for name in ("action", "url", "ip", "hard")}
        at = (self.acts["key"][rows] & ((1 << SECONDS) - 1)) * 1000
        return {"slot": slot, "at": at, **found}

    def _by_key(self) -> tuple[Rows, npt.NDArray[np.int64]]:
        if self._sorted is None:
            order = self.acts.order("key")
            self._sorted = (order, self.acts["key"][order])
        return self._sorted

    def sums(self, campaign: int) -> Sums:
        """Counts and latest times; kept until something happens."""
        if campaign not in self._sums:
            recipients = self.recipients_of(campaign)
            acts = self.of(recipients)
            counts, unique, last = [], [], []
            for action in range(len(ACTIONS)):
                mine = acts["action"] == action
                counts.append(int(mine.sum()))
                unique.append(len(np.unique(acts["slot"][mine])))
                last.append(int(acts["at"][mine].max()) if counts[-1] else 0)
            hard = int(((acts["action"] == BOUNCE) & acts["hard"]).sum())
            self._sums[campaign] = Sums(len(recipients), counts, unique, last, hard)
        return self._sums[campaign]

    def rates(self, members: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Share of campaigns opened and clicked, per member."""
        who = self.recipients["member"]
        got = np.maximum(np.bincount(who, minlength=members), 1)
        recipient = self.acts["key"] >> SECONDS
        shares = []
        for action in (OPEN, CLICK):
            once = np.unique(recipient[self.acts["action"] == action])
            shares.append(np.bincount(who[once], minlength=members) / got)
        return shares[0], shares[1]
