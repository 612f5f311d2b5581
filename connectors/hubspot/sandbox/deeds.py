"""What people and the platform itself do, on order of the control endpoint. People are named by address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from connectors.clock import Millis
from connectors.hubspot.sandbox.kinds import CONTACT
from connectors.hubspot.sandbox.mail import BOUNCE, CLICK, KINDS, OPEN, SENT, SPAMREPORT, STATUSCHANGE
from connectors.hubspot.sandbox.member_calls import MemberCalls
from connectors.hubspot.sandbox.members import MANUAL, List
from connectors.hubspot.sandbox.people import NEWSLETTER, SUBSCRIBED
from connectors.hubspot.sandbox.permission import Permission
from connectors.hubspot.sandbox.records import ARCHIVED
from connectors.hubspot.sandbox.shop import NAMED, Sales
from connectors.hubspot.sandbox.times import money

SALES = {"order_placed": "orders", "cart_updated": "carts", "checkout_started": "carts"}
ENGAGED = {SENT: "sent", OPEN: "opened", CLICK: "clicked", BOUNCE: "bounced"}
FIRST_NUMBER = 1 << 40                              # of orders and carts that happen without a number


class Deeds(Permission, MemberCalls):
    """`act(deed, **values)`"""

    def act(self, deed: str, **values: Any) -> Any:
        """Do it now; ValueError for an unknown deed, or for somebody who is not here."""
        known: dict[str, Callable[..., Any]] = {name[5:]: getattr(self, name) for name in dir(self) if name.startswith("deed_")}
        if deed not in known:
            raise ValueError(f"HubSpot's sandbox has no deed {deed!r}; it has {', '.join(sorted(known))}")
        return known[deed](**values) or {}

    def _somebody(self, email: str) -> int:
        row = self.people.at_address(email)
        if row < 0:
            raise ValueError("nobody here has that address")
        return row

    # --- people

    def deed_change_email(self, email: str, to: str) -> None:
        """The same contact has another address from now on."""
        row = self._somebody(email)
        if self.people.at_address(to) >= 0:
            raise ValueError("somebody has that address already")
        with self.change(self.people, row):
            self.set_email(row, to)

    def deed_erase(self, email: str) -> None:
        self.erase_row(self._somebody(email))

    def deed_archive(self, email: str) -> None:
        self.archive_row(self.people, self._somebody(email))

    def deed_unarchive(self, email: str) -> None:
        wanted = email.strip().lower()
        archived = np.flatnonzero(self.people.rows["state"] == ARCHIVED).tolist()
        row = next((row for row in archived if self.people.text["email"][row].lower() == wanted), -1)
        if row < 0:
            raise ValueError("nobody in the archive has that address")
        self.restore_row(row)

    def deed_merge(self, winner: str, loser: str) -> dict[str, str]:
        """The ids before and after."""
        old = self._somebody(winner), self._somebody(loser)
        new = self.merge_rows(*old)
        return {"winner": CONTACT.id_of(old[0]), "loser": CONTACT.id_of(old[1]), "id": CONTACT.id_of(new)}

    def deed_create_profile(self, email: str, standing: str = "unknown") -> dict[str, str]:
        """Somebody new, with a standing of the world's words."""
        if self.people.at_address(email) >= 0:
            raise ValueError("somebody has that address already")
        row, now = self.create_contact(email), self.clock.now()
        if standing in ("granted", "archived"):
            self.people.subscribe(row, NEWSLETTER, SUBSCRIBED, now)
        if standing == "withdrawn":
            self.people.opt_out(row, now)
        if standing == "suppressed":
            self.people.rows["hard"][row] = 1
        if standing == "archived":
            self.archive_row(self.people, row)
        self.follow(row)
        return {"id": CONTACT.id_of(row)}

    def deed_set_property(self, email: str, name: str, value: str) -> None:
        """Somebody edits a contact in the app; the property need not be writable through the API."""
        row = self._somebody(email)
        with self.change(self.people, row):
            self.people.set(row, name, value)

    # --- permission

    def deed_withdraw(self, email: str) -> None:
        self.opt_out(self._somebody(email))

    def deed_grant(self, email: str) -> None:
        """Subscribes to the newsletter; lifts an opt-out."""
        self.change_status(self._somebody(email), NEWSLETTER, SUBSCRIBED)

    def deed_suppress(self, email: str) -> None:
        """A hard bounce."""
        self.bounce_hard(self._somebody(email))

    def deed_unreadable(self, email: str) -> None:
        """The opt-out has a value that no documentation knows."""
        self.deed_set_property(email, "hs_email_optout", "paused")

    # --- lists

    def deed_add_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self.let(self._list(target), [self._somebody(email)], True)

    def deed_remove_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self.let(self._list(target), [self._somebody(email)], False)

    def deed_create_target(self, name: str, audience: str = "") -> dict[str, str]:
        made = self.lists.add(name, MANUAL, self.clock.now())
        made.fit(len(self.people))
        return {"id": str(made.id)}

    def deed_delete_target(self, name: str, audience: str = "") -> None:
        self._list(name).deleted = self.clock.now()

    def _list(self, name: str) -> List:
        found = self.lists.named(name)
        if found is None:
            raise ValueError("no list has that name")
        found.fit(len(self.people))
        return found

    # --- facts

    def deed_happen(
        self, email: str, kind: str, at: Millis | None = None, value: int = 0, number: int | None = None,
        campaign: int | None = None, quantity: int = 1, category: str = "", machine: bool = False,
    ) -> dict[str, str]:
        """A neutral event; *value* in millionths of a dollar, *campaign* the world's number."""
        row, when = self._somebody(email), self.clock.now() if at is None else at
        if kind in SALES:
            return self._sold(self.stores[SALES[kind]], row, when, value, number, quantity, category)
        if kind == "order_refunded":
            return self._refunded(number, value)
        if kind not in KINDS[:6]:
            raise ValueError(f"HubSpot holds no event {kind!r}; it holds {', '.join([*KINDS[:6], *SALES, 'order_refunded'])}")
        return self._mailed(row, KINDS.index(kind), when, -1 if campaign is None else campaign, machine)

    def _sold(
        self, sales: Any, row: int, at: Millis, value: int, number: int | None, quantity: int, category: str,
    ) -> dict[str, str]:
        """A cart with a known number is changed, anything else is new."""
        known = sales.named(number) if number is not None else -1
        columns = {"value": value, "quantity": quantity, "category": NAMED.index(category), "at": at, "contact": row}
        if known >= 0:
            with self.change(sales, known):
                for name, content in columns.items():
                    sales.rows[name][known] = content
            return {"id": sales.kind.id_of(known)}
        number = FIRST_NUMBER + len(sales) if number is None else number
        now, lines = self.clock.now(), self.shop.lines
        line = lines.add(now, sale=len(sales), cart=int(sales is self.shop.carts), real=1,
                         **{name: columns[name] for name in ("value", "quantity", "category")})
        made = self.added(sales, sales.add(now, number=number, line=line + 1, **columns))
        self.added(lines, line)
        return {"id": sales.kind.id_of(made)}

    def _refunded(self, number: int | None, value: int) -> dict[str, str]:
        orders: Sales = self.shop.orders
        row = orders.named(-1 if number is None else number)
        if number is None or row < 0:
            raise ValueError("a refund needs the number of an order that is here")
        with self.change(orders, row):
            orders.set(row, "hs_refund_amount", money(value or int(orders.rows["value"][row])))
        return {"id": orders.kind.id_of(row)}

    def _mailed(self, row: int, kind: int, at: Millis, campaign: int, machine: bool) -> dict[str, str]:
        place = self.mail.campaign(campaign)
        if place < 0 <= campaign:
            place = self.mail.add_campaign(campaign, f"Newsletter {campaign + 1}", at)
            self.people.letters.append(self.mail.campaigns[place].title)
        visible = self.clock.now() + self.sky.lag("events")
        event = self.mail.add(kind, self.address(row), at, visible, place, machine=int(machine))
        if kind in ENGAGED:
            with self.change(self.people, row):
                self.people.engaged(row, ENGAGED[kind], at, place)
        if kind == STATUSCHANGE:
            self.opt_out(row, event=event)
        if kind == SPAMREPORT:
            self.complained(row, event)
        return {"id": self.mail.identity(event)["id"]}

    def deed_late_event(self, email: str, kind: str, at: Millis, visible: Millis) -> dict[str, str]:
        """A mail event of *at* that the API shows from *visible* on."""
        event = self.mail.add(KINDS.index(kind), self.address(self._somebody(email)), at, visible)
        return {"id": self.mail.identity(event)["id"]}

    def deed_same_time(self, count: int, at: Millis) -> None:
        """An import touched the first *count* contacts in one millisecond."""
        column = self.people.rows["modified"]
        column[:count] = at

    # --- the account

    def deed_swap_account(self, id: str | int, name: str) -> None:  # noqa: A002 - the name every platform's deed has
        """Another account answers behind the key; HubSpot's ids are numbers."""
        digits = "".join(one for one in str(id) if one.isdigit())
        self.account = {"id": int(digits or "2000002"), "name": name}

    def deed_revoke_key(self, role: str = "connector") -> None:
        self.revoked.add(role)

    def deed_restore_key(self, role: str = "connector") -> None:
        """The key works again, with all its scopes."""
        self.revoked.discard(role)
        self.dropped.pop(role, None)

    def deed_drop_scope(self, scope: str, role: str = "connector") -> None:
        self.dropped.setdefault(role, set()).add(scope)

    def deed_limits(self, off: bool = True) -> None:
        self.limits.enforced = not off

    def deed_burst(self, calls: int) -> None:
        """Calls in 10 s by plan: 100, 110, 190 or 250."""
        self.limits.set_burst(calls)

    def deed_daily(self, calls: int) -> None:
        """Calls a day by plan."""
        self.limits.daily = calls

    def deed_switch(self, name: str, value: Any) -> None:
        """One of the behaviours that sources disagree on, see `ground.SWITCHES`."""
        if name not in self.switches:
            raise ValueError(f"no switch {name!r}; there are {', '.join(self.switches)}")
        self.switches[name] = value
