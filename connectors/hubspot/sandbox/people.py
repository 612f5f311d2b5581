"""Contacts: identity by address, permission, and the engagement that HubSpot counts on the record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from connectors.clock import Millis
from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.records import LIVE, MERGED, Maker, Records, Rows
from connectors.hubspot.sandbox.times import isos

NOT_SPECIFIED, SUBSCRIBED, UNSUBSCRIBED = range(3)
STATUSES = ("NOT_SPECIFIED", "SUBSCRIBED", "UNSUBSCRIBED")
NEWSLETTER, PRODUCT = 3001, 3002                    # ids of the account's subscription types
SUBSCRIPTIONS = {NEWSLETTER: "Newsletter", PRODUCT: "Product news"}
OPTED_OUT, OPTED_IN_AGAIN = 1, 2                    # of column "optout"; 0: nothing was ever said
COUNTERS = {"sent": "hs_email_delivered", "opened": "hs_email_open", "clicked": "hs_email_click", "bounced": "hs_email_bounce"}
DATES = {"sent": "send", "opened": "open", "clicked": "click"}
HARD = "UNKNOWN_USER"
TEXTS = ("email", "firstname", "lastname", "city", "country", "lifecyclestage")


class People(Records):
    """All contacts. `by_email` finds the living ones, by their own and by additional addresses."""

    def __init__(self) -> None:
        status = {f"status_{one}": "u1" for one in SUBSCRIPTIONS} | {f"status_at_{one}": "i8" for one in SUBSCRIPTIONS}
        marks = {"person": "i4", "optout": "u1", "optout_at": "i8", "hard": "u1", "last_mail": "i4"}
        counts = dict.fromkeys(COUNTERS, "i4")
        dates = {f"{when}_{what}": "i8" for what in DATES for when in ("first", "last")}
        super().__init__(CONTACT, marks | status | counts | dates, TEXTS)
        self.by_email: dict[str, int] = {}
        self.letters: list[str] = []                # names of campaigns, by number
        self.made |= {
            "hs_email_optout": lambda rows: _told(self.rows["optout"][rows], (None, "true", "false")),
            "hs_email_hard_bounce_reason_enum": lambda rows: _told(self.rows["hard"][rows], (None, HARD)),
            "hs_marketable_status": lambda rows: _told(
                self.rows[f"status_{NEWSLETTER}"][rows] == SUBSCRIBED, ("false", "true")),
            "hs_email_last_email_name": self._last_letter,
            "hs_email_domain": lambda rows: [self.text["email"][row].partition("@")[2] or None for row in rows.tolist()],
            **{f"hs_email_optout_{one}": self._refused(one) for one in SUBSCRIPTIONS},
            **{name: self._count(column) for column, name in COUNTERS.items()},
            **{
                f"hs_email_{when}_{DATES[what]}_date": self._date(f"{when}_{what}")
                for what in DATES for when in ("first", "last")
            },
        }

    # --- computed properties

    def _count(self, column: str) -> Maker:
        return lambda rows: [str(count) if count else None for count in self.rows[column][rows].tolist()]

    def _date(self, column: str) -> Maker:
        def made(rows: Rows) -> Sequence[str | None]:
            at = self.rows[column][rows]
            return [text if there else None for text, there in zip(isos(at), (at > 0).tolist(), strict=True)]

        return made

    def _refused(self, subscription: int) -> Maker:
        column = f"status_{subscription}"
        return lambda rows: _told(self.rows[column][rows] == UNSUBSCRIBED, (None, "true"))

    def _last_letter(self, rows: Rows) -> Sequence[str | None]:
        return [self.letters[number - 1] if number else None for number in self.rows["last_mail"][rows].tolist()]

    # --- addresses

    def at_address(self, email: str) -> int:
        """The living contact with that address, or -1; case does not count."""
        return self.by_email.get(email.strip().lower(), -1)

    def additional(self, row: int) -> list[str]:
        return [one for one in self.get(row, "hs_additional_emails").split(";") if one]

    def set_email(self, row: int, email: str) -> None:
        """Give a contact another address of its own, or none; additional ones stay."""
        old = self.text["email"][row].lower()
        if self.by_email.get(old) == row:
            del self.by_email[old]
        self.text["email"][row] = email
        if email:
            self.by_email[email.lower()] = row

    def name_again(self, row: int) -> None:
        """Let a contact that lives again be found by its addresses, as far as nobody else has them."""
        for email in (self.text["email"][row], *self.additional(row)):
            if email:
                self.by_email.setdefault(email.lower(), row)

    def unname(self, row: int) -> None:
        """A contact that does not live any more is not found by address."""
        for email in (self.text["email"][row], *self.additional(row)):
            if self.by_email.get(email.lower()) == row:
                del self.by_email[email.lower()]

    # --- permission

    def barred(self, row: int) -> bool:
        """Opted out of everything, or undeliverable."""
        return bool(self.rows["optout"][row] == OPTED_OUT or self.rows["hard"][row])

    def state(self, row: int) -> str:
        """The native word for the permission: an unreadable one as it stands, else the bounce, the opt-out, the status."""
        odd = self.extra.get(row, {}).get("hs_email_optout")
        if odd:
            return odd
        if self.rows["hard"][row]:
            return "BOUNCED"
        if self.rows["optout"][row] == OPTED_OUT:
            return STATUSES[UNSUBSCRIBED]
        return STATUSES[self.rows[f"status_{NEWSLETTER}"][row]]

    def subscribe(self, row: int, subscription: int, status: int, at: Millis) -> None:
        """Set the status of one subscription type; subscribing lifts an opt-out of everything."""
        self.rows[f"status_{subscription}"][row] = status
        self.rows[f"status_at_{subscription}"][row] = at
        if status == SUBSCRIBED and self.rows["optout"][row] == OPTED_OUT:
            self.rows["optout"][row] = OPTED_IN_AGAIN
        self.extra.get(row, {}).pop("hs_email_optout", None)

    def opt_out(self, row: int, at: Millis) -> None:
        """Out of everything, wins over each status."""
        self.rows["optout"][row], self.rows["optout_at"][row] = OPTED_OUT, at
        self.extra.get(row, {}).pop("hs_email_optout", None)

    # --- engagement

    def engaged(self, row: int, what: str, at: Millis, letter: int) -> None:
        """Count something that happened with a mail: "sent", "opened", "clicked" or "bounced". *letter*: campaign number or -1."""
        rows = self.rows
        rows[what][row] += 1
        if what in DATES:
            first = rows[f"first_{what}"][row]
            rows[f"first_{what}"][row] = min(first, at) if first else at
            rows[f"last_{what}"][row] = max(rows[f"last_{what}"][row], at)
        if letter >= 0:
            rows["last_mail"][row] = letter + 1

    # --- merging

    def merge(self, winner: int, loser: int, at: Millis, keep_id: bool) -> int:
        """One contact out of two; the new row (with *keep_id*, the winner's own). The winner's values win.

        Source: HubSpot changelog, "Updated merge functionality for contacts and companies": a merge makes a new record.
        """
        addresses = [self.text["email"][loser], *self.additional(winner), *self.additional(loser)]
        ids = [*self._absorbed(winner), *self._absorbed(loser), *([] if keep_id else [winner]), loser]
        row = winner if keep_id else self.add(int(self.rows["created"][winner]), person=self.rows["person"][winner])
        gone = [loser] if keep_id else [winner, loser]
        texts = {name: self.text[name][winner] or self.text[name][loser] for name in TEXTS}
        extra = self.extra.get(loser, {}) | self.extra.get(winner, {})
        self._merge_columns(row, winner, loser)
        for old in gone:
            self.unname(old)
            self.rows["state"][old], self.survivor[old] = MERGED, row
            self.clear(old)
        for name, value in texts.items():
            self.text[name][row] = value
        extra["hs_merged_object_ids"] = ";".join(dict.fromkeys(self.kind.id_of(one) for one in ids))
        extra["hs_additional_emails"] = ";".join(dict.fromkeys(one for one in addresses if one))
        self.extra[row] = extra
        self.rows["modified"][row] = at
        self.name_again(row)
        return row

    def _absorbed(self, row: int) -> list[int]:
        found = self.get(row, "hs_merged_object_ids").split(";")
        return [self.kind.row_of(one, len(self)) for one in found if one]

    def _merge_columns(self, row: int, winner: int, loser: int) -> None:
        rows = self.rows
        for name in COUNTERS:
            rows[name][row] = rows[name][winner] + rows[name][loser]
        for name in DATES:
            for when, better in (("first", min), ("last", max)):
                known = [at for at in (rows[f"{when}_{name}"][winner], rows[f"{when}_{name}"][loser]) if at]
                rows[f"{when}_{name}"][row] = better(known) if known else 0
        strict = winner if rows["optout"][winner] == OPTED_OUT else loser if rows["optout"][loser] == OPTED_OUT else winner
        for name in ("optout", "optout_at"):
            rows[name][row] = rows[name][strict]
        for name in ("hard", "last_mail", *(f"status_{one}" for one in SUBSCRIPTIONS), *(f"status_at_{one}" for one in SUBSCRIPTIONS)):
            rows[name][row] = rows[name][winner] or (rows[name][loser] if name != "hard" else 0)

    # --- filling

    def load(self, columns: dict[str, Any], texts: dict[str, list[str]]) -> None:
        """Append many contacts at once."""
        start = len(self)
        self.rows.extend(**columns)
        for name in TEXTS:
            self.text[name] += texts[name]
        live = np.flatnonzero(self.rows["state"][start:] == LIVE).tolist()
        emails = texts["email"]
        self.by_email.update((emails[n].lower(), start + n) for n in live)


def _told(codes: Any, words: Sequence[str | None]) -> list[str | None]:
    return [words[code] for code in codes.tolist()]
