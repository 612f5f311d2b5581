"""Marketing mail: campaigns, what happened to each message, and the timeline of permission. Rows in columns.

Source: HubSpot legacy API docs, "Email Events API overview" and "Get email events"; legacy reference, subscriptions timeline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors.clock import SECOND, Millis
from connectors.sandbox.columns import Columns

TYPES = ("SENT", "OPEN", "CLICK", "BOUNCE", "STATUSCHANGE", "SPAMREPORT", "DELIVERED", "UNBOUNCE")
SENT, OPEN, CLICK, BOUNCE, STATUSCHANGE, SPAMREPORT, DELIVERED, UNBOUNCE = range(8)
KINDS = ("email_sent", "email_opened", "email_clicked", "email_bounced", "email_unsubscribed", "email_complained", "", "")
FIRST_CAMPAIGN, FIRST_EMAIL = 4001, 9001            # emailCampaignId and the marketing e-mail's id are different numbers
EVENT = {
    "created": "i8", "visible": "i8", "kind": "u1", "campaign": "i4", "address": "i4", "machine": "u1", "hard": "u1", "sent": "i4",
    "successor": "i4", "serial": "i4",
}
CHANGE = {"created": "i8", "visible": "i8", "address": "i4", "change": "u1", "what": "u1", "subscription": "i4", "event": "i4"}
CHANGES = ("SUBSCRIBED", "UNSUBSCRIBED", "BOUNCED")
WHATS = ("SUBSCRIPTION_STATUS", "PORTAL_STATUS", "PORTAL_BOUNCE", "PORTAL_SPAM")
Ints = npt.NDArray[np.int64]
Wanted = Callable[[Ints], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Campaign:
    """One mailing; *number* is the world's."""

    number: int
    title: str
    at: Millis


class Newest:
    """Rows with columns *created*, *visible* and *address*, read newest first between two instants, both inclusive."""

    def __init__(self, types: dict[str, str]) -> None:
        self.rows = Columns(types)
        self._known: tuple[Ints, Ints] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def _sorted(self) -> tuple[Ints, Ints]:
        """Rows by time, and their times."""
        order = self.rows.order("created")
        if self._known is None or self._known[0] is not order:
            self._known = (order, self.rows["created"][order])
        return self._known

    def page(self, lo: Millis, hi: Millis, limit: int, after: tuple[Millis, int] | None, wanted: Wanted) -> list[int]:
        """At most *limit* wanted rows, newest first, of those that come *after* the row with that time and number."""
        order, created = self._sorted()
        first, last = int(np.searchsorted(created, lo, "left")), int(np.searchsorted(created, hi, "right"))
        if after is not None:
            start, end = np.searchsorted(created, after[0], "left"), np.searchsorted(created, after[0], "right")
            last = min(last, int(start + np.searchsorted(order[start:end], after[1])))
        found: list[int] = []
        chunk = limit * 2
        while last > first and len(found) < limit:
            part = order[max(first, last - chunk) : last][::-1]
            found += part[wanted(part)].tolist()
            last, chunk = last - chunk, chunk * 2
        return found[:limit]


class Mail:
    """Campaigns, addresses, events and changes of permission. An event knows its address, not its contact: `contact` says whose
    an address is now, -1 once that person was erased."""

    def __init__(self) -> None:
        self.campaigns: list[Campaign] = []
        self.events, self.changes = Newest(EVENT), Newest(CHANGE)
        self.addresses: list[str] = []
        self.contact = Columns({"row": "i4"})
        self._address: dict[str, int] = {}
        self._serial = 0

    # --- addresses

    def address(self, email: str, row: int) -> int:
        """The number of an address, which from now on is that contact's."""
        number = self._address.setdefault(email.lower(), len(self.addresses))
        if number == len(self.addresses):
            self.addresses.append(email)
            self.contact.append(row=row)
        self.contact["row"][number] = row
        return number

    def known(self, email: str) -> int:
        """The number of an address, or -1."""
        return self._address.get(email.strip().lower(), -1)

    def moved(self, old: int, new: int) -> None:
        """Everything of one contact is another's; -1 when it is nobody's any more."""
        column = self.contact["row"]
        column[column == old] = new

    def whose(self, addresses: Ints) -> Ints:
        found: Ints = self.contact["row"][addresses].astype(np.int64)
        return found

    # --- campaigns

    def campaign(self, number: int) -> int:
        """The place of the world's campaign *number*, or -1."""
        return next((n for n, one in enumerate(self.campaigns) if one.number == number), -1)

    def add_campaign(self, number: int, title: str, at: Millis) -> int:
        self.campaigns.append(Campaign(number, title, at))
        return len(self.campaigns) - 1

    # --- events

    def add(self, kind: int, address: int, at: Millis, visible: Millis, campaign: int = -1, **more: Any) -> int:
        """One event; its row."""
        self._serial += 1
        sent = self._sent(campaign, address) if kind != SENT else 0
        return self.events.rows.append(
            created=at, visible=visible, kind=kind, campaign=campaign, address=address, sent=sent, serial=self._serial, **more,
        )

    def change(self, change: int, what: int, address: int, at: Millis, visible: Millis, subscription: int = 0, event: int = -1) -> None:
        """One entry of the timeline; *event* is the row of what caused it."""
        self.changes.rows.append(
            created=at, visible=visible, address=address, change=change, what=what, subscription=subscription, event=event + 1,
        )

    def _sent(self, campaign: int, address: int) -> int:
        if campaign < 0:
            return 0
        rows = self.events.rows
        found = np.flatnonzero((rows["campaign"] == campaign) & (rows["address"] == address) & (rows["kind"] == SENT))
        return int(found[0]) + 1 if len(found) else 0

    def identity(self, row: int) -> dict[str, Any]:
        """What names an event: `id` is unique only together with `created`."""
        rows = self.events.rows
        serial, campaign, address = (int(rows[name][row]) for name in ("serial", "campaign", "address"))
        return {"id": event_id(serial, campaign, address), "created": int(rows["created"][row])}

    # --- filling

    def load(self, emails: list[str], campaigns: list[Campaign], columns: dict[str, npt.NDArray[Any]]) -> None:
        """All at once. Address *n* is contact *n*'s; *columns*: created, kind, campaign, address, machine, hard, in order of
        time. Beside what the world tells, one in ten messages has its DELIVERED, and one open in 250 was corrected later: its
        first version names its successor and shares its id."""
        self.addresses = list(emails)
        self._address = {email.lower(): n for n, email in enumerate(emails)}
        self.contact.extend(row=np.arange(len(emails)))
        self.campaigns = campaigns
        count = len(columns["created"])
        if not count:
            return
        serial = np.arange(1, count + 1)
        rows = self.events.rows
        rows.extend(**columns, serial=serial, sent=_sent_rows(columns), visible=columns["created"])
        self._extras(columns, serial)
        self._serial = count + 1
        self._changes_of(columns)

    def _extras(self, columns: dict[str, npt.NDArray[Any]], serial: Ints) -> None:
        rows = self.events.rows
        opened = np.flatnonzero((columns["kind"] == OPEN) & (serial % 250 == 7))
        self._echo(opened, OPEN, -30 * SECOND, serial=serial[opened], successor=opened + 1, sent=rows["sent"][opened])
        sent = np.flatnonzero((columns["kind"] == SENT) & (columns["address"] % 10 == 3))
        self._echo(sent, DELIVERED, 9 * SECOND, serial=serial[sent] + (1 << 28), sent=sent + 1)
        soft = np.flatnonzero((columns["kind"] == BOUNCE) & (columns["hard"] == 0) & (serial % 5 == 0))
        self._echo(soft, UNBOUNCE, 3600 * SECOND, serial=serial[soft] + (1 << 29))

    def _echo(self, of: Ints, kind: int, later: Millis, **more: Any) -> None:
        if not len(of):
            return
        rows = self.events.rows
        at = rows["created"][of] + later
        self.events.rows.extend(
            created=at, visible=at, kind=np.full(len(of), kind), campaign=rows["campaign"][of].copy(),
            address=rows["address"][of].copy(), **more,
        )

    def _changes_of(self, columns: dict[str, npt.NDArray[Any]]) -> None:
        """The timeline of opt-outs, complaints and hard bounces among the events."""
        for kind, change, what in ((STATUSCHANGE, 1, 1), (SPAMREPORT, 1, 3), (BOUNCE, 2, 2)):
            found = np.flatnonzero((columns["kind"] == kind) & ((columns["hard"] > 0) | (kind != BOUNCE)))
            if len(found):
                at = columns["created"][found]
                self.changes.rows.extend(
                    created=at, visible=at, address=columns["address"][found], change=np.full(len(found), change),
                    what=np.full(len(found), what), event=found + 1,
                )


def event_id(serial: int, campaign: int, address: int) -> str:
    return f"{serial:08x}-{campaign + 1:04x}-4000-8000-{address:012x}"


def _sent_rows(columns: dict[str, npt.NDArray[Any]]) -> Ints:
    """For each event the row plus 1 of the SENT of its campaign and address, 0 where there is none."""
    key = columns["campaign"].astype(np.int64) << 32 | columns["address"].astype(np.int64)
    sent = np.flatnonzero(columns["kind"] == SENT)
    found = np.zeros(len(key), np.int64)
    if not len(sent):
        return found
    order = np.argsort(key[sent], kind="stable")
    known = key[sent][order]
    at = np.minimum(np.searchsorted(known, key), len(known) - 1)
    there = (known[at] == key) & (columns["kind"] != SENT)
    found[there] = sent[order][at[there]] + 1
    return found
