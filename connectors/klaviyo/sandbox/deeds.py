"""What people and the platform itself do, on order of the control endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.clock import Millis
from connectors.klaviyo.sandbox.happenings import MAIL, NAMES, SUPPRESSED_BY_HAND
from connectors.klaviyo.sandbox.identity import short_id
from connectors.klaviyo.sandbox.job_calls import JobCalls
from connectors.klaviyo.sandbox.people import UNREADABLE

_FIRST_NUMBER = 1 << 40         # of orders and carts that somebody makes happen without giving a number


class Deeds(JobCalls):
    """act(deed, **values); people are named by address."""

    def act(self, deed: str, **values: Any) -> Any:
        """Do it now; ValueError for an unknown deed, or for somebody who is not here."""
        known: dict[str, Callable[..., Any]] = {
            name[5:]: getattr(self, name) for name in dir(self) if name.startswith("deed_")
        }
        if deed not in known:
            raise ValueError(f"Klaviyo's sandbox has no deed {deed!r}; it has {', '.join(sorted(known))}")
        self.settle()
        return known[deed](**values) or {}

    def _row(self, email: str) -> int:
        row = self.people.by_email.get(email.strip().lower(), -1)
        if row < 0:
            raise ValueError("nobody here has that address")
        return row

    # people

    def deed_change_email(self, email: str, to: str) -> None:
        """The same profile has another address from now on."""
        row = self._row(email)
        if to.lower() in self.people.by_email:
            raise ValueError("somebody has that address already")
        self.people.name(row, "email", to)
        self.people.touch(row, self.clock.now())

    def deed_erase(self, email: str) -> None:
        self.erase(self._row(email))

    def deed_merge(self, winner: str, loser: str) -> dict[str, str]:
        """At once; the ids, so that a test can ask for the old one."""
        rows = self._row(winner), self._row(loser)
        self.merge(*rows)
        return {"winner": self.people.ids[rows[0]], "loser": self.people.ids[rows[1]]}

    def deed_create_profile(self, email: str, standing: str = "unknown") -> dict[str, str]:
        """Somebody new, with a standing of the world's words."""
        now = self.clock.now()
        row = self.people.create(now)
        self.apply(row, {"email": email}, {})
        if standing in ("granted", "archived", "suppressed"):
            self.people.subscribe(row, now)
        if standing == "withdrawn":
            self.people.unsubscribe(row, now)
        if standing == "suppressed":
            self.people.suppress(row, "HARD_BOUNCE", now)
        return {"id": self.people.ids[row]}

    # permission

    def deed_withdraw(self, email: str) -> None:
        self.unsubscribed(self._row(email))

    def deed_grant(self, email: str) -> None:
        self.subscribed(self._row(email))

    def deed_suppress(self, email: str, reason: str = "USER_SUPPRESSED") -> None:
        row = self._row(email)
        self.people.suppress(row, reason, self.clock.now())
        self.consent_changed(row)
        self.happened(row, self.events.metric(SUPPRESSED_BY_HAND, self.clock.now()), self.clock.now())

    def deed_unreadable(self, email: str) -> None:
        """The consent has a value that no documentation knows."""
        row = self._row(email)
        self.people.columns["consent"][row] = UNREADABLE
        self.people.touch(row, self.clock.now())

    # lists

    def deed_add_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self.change_members(self.lists.named(target), [self._row(email)], joining=True)

    def deed_remove_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self.change_members(self.lists.named(target), [self._row(email)], joining=False)

    def deed_create_target(self, name: str, audience: str = "") -> dict[str, str]:
        return {"id": self.add_list(name).id}

    def deed_delete_target(self, name: str, audience: str = "") -> None:
        del self.lists.by_id[self.lists.named(name).id]

    def deed_create_flow(self, target: str, name: str) -> dict[str, str]:
        """A flow that starts when somebody joins the list *target*."""
        identity = short_id(next(self._order), 5)
        self.flows[identity] = (name, self.lists.named(target).id)
        return {"id": identity}

    # facts

    def deed_happen(
        self, email: str, kind: str, at: Millis | None = None, value: int = 0, number: int | None = None,
        campaign: int | None = None, quantity: int = 1,
    ) -> dict[str, str]:
        """A neutral event; *value* in millionths of a dollar."""
        if kind not in NAMES:
            raise ValueError(f"no event {kind!r}; there are {', '.join(NAMES)}")
        now = self.clock.now()
        metric = self.events.metric(NAMES[kind], now)
        if number is None and kind not in MAIL:
            number = _FIRST_NUMBER + len(self.events)
        row = self.happened(
            self._row(email), metric, now if at is None else at, value=value, quantity=quantity,
            number=-1 if number is None else number, campaign=-1 if campaign is None else campaign,
        )
        return {"id": self.events.identity(row)}

    # the account

    def deed_swap_account(self, id: str, name: str) -> None:  # noqa: A002 - the name every platform's deed has
        self.account = {"id": id, "name": name}

    def deed_revoke_key(self, role: str = "connector") -> None:
        self.revoked.add(role)

    def deed_restore_key(self, role: str = "connector") -> None:
        """The key works again, with all its scopes."""
        self.revoked.discard(role)
        self.dropped.pop(role, None)

    def deed_drop_scope(self, scope: str, role: str = "connector") -> None:
        self.dropped.setdefault(role, set()).add(scope)

    def deed_limits(self, off: bool = True) -> None:
        self.budgets.enforced = not off

    def deed_switch(self, name: str, value: int) -> None:
        """One of the behaviours that sources disagree on, see `state.SWITCHES`."""
        if name not in self.switches:
            raise ValueError(f"no switch {name!r}; there are {', '.join(self.switches)}")
        self.switches[name] = value
