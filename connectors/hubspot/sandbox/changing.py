"""What changes a record, whoever wants it: values, archive, erasure, merges; with all that hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from connectors.clock import Millis
from connectors.hubspot.sandbox.people import NEWSLETTER, SUBSCRIBED
from connectors.hubspot.sandbox.records import ARCHIVED, ERASED, LIVE, Records
from connectors.hubspot.sandbox.search import Search
from connectors.hubspot.sandbox.shop import NOBODY


class Changing(Search):
    """Every change of a record goes through here, so that the search index, addresses and lists follow."""

    @contextmanager
    def change(self, store: Records, row: int, at: Millis | None = None) -> Any:
        """A write to an existing record: its time moves (to *at*, else to now), and search learns of it late."""
        store.index.before(row)
        yield
        store.rows["modified"][row] = max(int(store.rows["modified"][row]), self.clock.now() if at is None else at)
        store.index.after(row, self.searchable())

    def added(self, store: Records, row: int) -> int:
        """A record is new."""
        store.index.after(row, self.searchable())
        return row

    # --- contacts

    def person_of(self, email: str) -> int:
        """The world's person with that address, or -1."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.everybody is None or not email:
            return -1
        found: int = pc.index(self.everybody, pa.scalar(email, self.everybody.type)).as_py()
        return found

    def create_contact(self, email: str) -> int:
        """A new contact, not yet in search."""
        row = self.people.add(self.clock.now(), person=self.person_of(email))
        if email:
            self.people.set_email(row, email)
            self.mail.address(email, row)
        return self.added(self.people, row)

    def set_email(self, row: int, email: str) -> None:
        self.people.set_email(row, email)
        if email:
            self.mail.address(email, row)

    def archive_row(self, store: Records, row: int) -> None:
        """Out of lists and search at once; its history stays, and it can come back."""
        store.rows["state"][row], store.rows["archived"][row] = ARCHIVED, self.clock.now()
        if store is self.people:
            self.people.unname(row)
            self.lists.drop(row)

    def restore_row(self, row: int) -> None:
        """A contact from the archive; its lists do not come back."""
        self.people.rows["state"][row] = LIVE
        self.people.name_again(row)
        with self.change(self.people, row):
            self.follow(row)

    def erase_row(self, row: int) -> None:
        """Gone for good: nothing of it is left anywhere. Source: HubSpot API reference, Contacts, GDPR delete."""
        self.people.unname(row)
        self.blocked.add(self.people.text["email"][row].lower())
        self.people.rows["state"][row] = ERASED
        self.people.clear(row)
        self.lists.drop(row)
        self.mail.moved(row, NOBODY)
        self._carry_sales([row], NOBODY)

    def merge_rows(self, winner: int, loser: int) -> int:
        """Two contacts are one, under a new id unless the account keeps the winner's."""
        keep = bool(self.switches["merge_keeps_id"])
        if keep:
            self.people.index.before(winner)
        row = self.people.merge(winner, loser, self.clock.now(), keep)
        self.people.index.after(row, self.searchable())
        for old in {winner, loser} - {row}:
            self.mail.moved(old, row)
        self._carry_sales([winner, loser], row)
        self.lists.carry([winner, loser], row, len(self.people))
        self.follow(row)
        return row

    def _carry_sales(self, old: Sequence[int], new: int) -> None:
        for store in (self.shop.orders, self.shop.carts, self.deals):
            column = store.rows["contact"]
            for row in old:
                column[column == row] = new
            for people in store.also.values():
                if not people.isdisjoint(old):
                    people.difference_update(old)
                    people |= {new} - {NOBODY}

    def follow(self, row: int) -> None:
        """The DYNAMIC list computes itself anew for one contact."""
        one, now = self.lists.dynamic, self.clock.now()
        one.fit(len(self.people))
        rows = self.people.rows
        on = rows[f"status_{NEWSLETTER}"][row] == SUBSCRIBED and rows["state"][row] == LIVE and not self.people.barred(row)
        if on != bool(one.joined[row]):
            one.change(row, now if on else 0, now + self.sky.lag("members"))
