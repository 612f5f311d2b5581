"""Changes of permission with their traces: the record, the timeline, the DYNAMIC list."""

from __future__ import annotations

from connectors.hubspot.sandbox.changing import Changing
from connectors.hubspot.sandbox.mail import BOUNCE, STATUSCHANGE
from connectors.hubspot.sandbox.people import SUBSCRIBED

_SUBSCRIBED, _UNSUBSCRIBED, _BOUNCED = range(3)     # places in mail.CHANGES
_TYPE, _PORTAL, _BOUNCE, _SPAM = range(4)           # places in mail.WHATS


class Permission(Changing):
    """What people say to being mailed."""

    def change_status(self, row: int, subscription: int, status: int) -> None:
        """The status of one subscription type, see `people.STATUSES`."""
        with self.change(self.people, row):
            self.people.subscribe(row, subscription, status, self.clock.now())
        if status:
            self._trace(row, _SUBSCRIBED if status == SUBSCRIBED else _UNSUBSCRIBED, _TYPE, subscription)
        self.follow(row)

    def opt_out(self, row: int, campaign: int = -1, what: int = _PORTAL, event: int = -1) -> None:
        """Out of everything. Without an *event* that says so, a STATUSCHANGE is made."""
        now = self.clock.now()
        with self.change(self.people, row):
            self.people.opt_out(row, now)
        if event < 0:
            event = self.mail.add(STATUSCHANGE, self.address(row), now, now + self.sky.lag("events"), campaign)
        self._trace(row, _UNSUBSCRIBED, what, event=event)
        self.follow(row)

    def bounce_hard(self, row: int, campaign: int = -1) -> None:
        """The address takes no mail any more."""
        now = self.clock.now()
        with self.change(self.people, row):
            self.people.rows["hard"][row] = 1
            self.people.engaged(row, "bounced", now, campaign)
        event = self.mail.add(BOUNCE, self.address(row), now, now + self.sky.lag("events"), campaign, hard=1)
        self._trace(row, _BOUNCED, _BOUNCE, event=event)
        self.follow(row)

    def complained(self, row: int, event: int) -> None:
        self.opt_out(row, what=_SPAM, event=event)

    def address(self, row: int) -> int:
        """The number of a contact's own address."""
        return self.mail.address(self.people.text["email"][row], row)

    def _trace(self, row: int, change: int, what: int, subscription: int = 0, event: int = -1) -> None:
        now = self.clock.now()
        self.mail.change(change, what, self.address(row), now, now + self.sky.lag("events"), subscription, event)
