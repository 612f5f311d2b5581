"""What people, and the platform itself, do: the control endpoint's `act`. People are named by their address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.clock import Millis
from connectors.mailchimp.sandbox.mail import BOUNCE, CLICK, OPEN
from connectors.mailchimp.sandbox.mail import KINDS as MAIL_KINDS
from connectors.mailchimp.sandbox.people import (
    ARCHIVED,
    CLEANED,
    PENDING,
    SUBSCRIBED,
    TRANSACTIONAL,
    UNREADABLE,
    UNSUBSCRIBED,
    whole,
)
from connectors.mailchimp.sandbox.records import Records
from connectors.mailchimp.sandbox.segments import Segment
from connectors.mailchimp.sandbox.shop import CANCELLED, REFUNDED
from connectors.sandbox.world import CATEGORIES

STANDING = {"granted": SUBSCRIBED, "unknown": TRANSACTIONAL, "withdrawn": UNSUBSCRIBED, "suppressed": CLEANED,
            "archived": ARCHIVED, "pending": PENDING}


class Deeds(Records):
    """`act` and its deeds; each returns what the caller may need to know."""

    def act(self, deed: str, **values: Any) -> Any:
        """Carry out *deed*. ValueError, with the list, for one that is not known, and for people and tags that are not."""
        deeds = self.deeds()
        if deed not in deeds:
            raise ValueError(f"Mailchimp's sandbox knows no deed {deed!r}; it knows {', '.join(sorted(deeds))}")
        return deeds[deed](**values)

    def deeds(self) -> dict[str, Callable[..., Any]]:
        return {
            "change_email": self._change_email, "erase": self._erase, "archive": self._archive, "unarchive": self._unarchive,
            "withdraw": self._withdraw, "grant": self._grant, "suppress": self._suppress, "unreadable": self._unreadable,
            "create_profile": self._create_profile, "add_by_hand": self._add_by_hand, "remove_by_hand": self._remove_by_hand,
            "create_target": self._create_target, "delete_target": self._delete_target, "swap_account": self._swap_account,
            "revoke_key": self._revoke_key, "restore_key": self._restore_key, "drop_scope": self._drop_scope,
            "happen": self._happen, "switch": self._switch, "limits": self._limits,
        }

    # --- who and what

    def _row(self, email: str, audience: str = "") -> int:
        numbers = [self._audience(audience)] if audience else range(len(self.audiences))
        found = next((row for n in numbers if (row := self.people.find(n, email)) is not None), None)
        if found is None:
            raise ValueError(f"nobody here has the address {email!r}")
        return found

    def _audience(self, ref: str) -> int:
        """Index of an audience by id or name; the first for ""."""
        found = next((n for n, one in enumerate(self.audiences) if ref in (one.id, one.name)), None if ref else 0)
        if found is None:
            raise ValueError(f"there is no audience {ref!r}")
        return found

    def _target(self, name: str, audience: str = "") -> Segment:
        found = self.segments.named(self._audience(audience), name)
        if found is None:
            raise ValueError(f"there is no tag {name!r}")
        return found

    # --- people

    def _change_email(self, email: str, to: str) -> None:
        self.people.readdress(self._row(email), to, self.clock.now(), self.lag("members"))

    def _erase(self, email: str) -> None:
        row = self._row(email)
        self.segments.drop_rows([row])
        self.people.erase(row)

    def _to(self, email: str, status: int, compliance: bool | None = None) -> None:
        self.people.set_status(self._row(email), status, self.clock.now(), self.lag("members"), compliance=compliance)

    def _archive(self, email: str) -> None:
        self._to(email, ARCHIVED)

    def _unarchive(self, email: str) -> None:
        """Back to the status before."""
        row = self._row(email)
        self._to(email, int(self.people.rows["before"][row]), bool(self.people.rows["compliance"][row]))

    def _withdraw(self, email: str) -> None:
        """Opts out in person: from then on only the person can opt in again."""
        self._to(email, UNSUBSCRIBED, True)

    def _grant(self, email: str) -> None:
        self._to(email, SUBSCRIBED)

    def _suppress(self, email: str) -> None:
        self._to(email, CLEANED)

    def _unreadable(self, email: str) -> None:
        """A status that no documentation knows."""
        self._to(email, UNREADABLE)

    def _create_profile(self, email: str, standing: str = "granted", audience: str = "") -> dict[str, str]:
        """Somebody signs up in person, or is entered by hand; also after a permanent deletion."""
        number = self._audience(audience)
        if standing not in STANDING:
            raise ValueError(f"standing {standing!r} is none of {', '.join(STANDING)}")
        if self.people.find(number, email) is not None:
            raise ValueError(f"{email!r} is there already")
        status = STANDING[standing]
        row = self.people.add(number, email, status, self.person_of(email), self.clock.now(), self.lag("members"))
        self.people.rows["compliance"][row] = status in (UNSUBSCRIBED, CLEANED)
        self.people.rows["before"][row] = SUBSCRIBED if status == ARCHIVED else status
        self.people.forgotten.discard((number, self.people.hashes[row]))
        return {"id": f"{self.audiences[number].id}:{self.people.contacts[row]}"}

    # --- targets

    def _add_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self._by_hand(email, target, audience, True)

    def _remove_by_hand(self, email: str, target: str, audience: str = "") -> None:
        self._by_hand(email, target, audience, False)

    def _by_hand(self, email: str, target: str, audience: str, held: bool) -> None:
        """In the product's own pages, which show a change at once."""
        found, now = self._target(target, audience), self.clock.now()
        row = self.people.find(found.audience, email)
        if row is None:
            raise ValueError(f"nobody here has the address {email!r}")
        if found.change(row, held, now, 0):
            self.people.touch([row], now, self.lag("members"))

    def _create_target(self, name: str, audience: str = "") -> dict[str, Any]:
        number = self._audience(audience)
        made = self.segments.named(number, name) or self.segments.create(number, name, self.clock.now())
        return {"id": str(made.id), "audience": self.audiences[number].id}

    def _delete_target(self, name: str, audience: str = "") -> None:
        del self.segments.by_id[self._target(name, audience).id]

    # --- the account

    def _swap_account(self, id: str, name: str) -> None:  # noqa: A002 - the deed's own word
        self.account = {"id": id, "name": name}

    def _revoke_key(self, role: str = "connector") -> None:
        self.revoked.add(role)

    def _restore_key(self, role: str = "connector") -> None:
        """Also gives back what `drop_scope` took."""
        self.revoked.discard(role)
        self.dropped.clear()

    def _drop_scope(self, scope: str) -> None:
        """Keys have no scopes here, but their owner's role can be lowered: paths that begin with *scope* ("reports",
        "ecommerce", "lists") are refused with 403."""
        self.dropped.add(scope.strip("/"))

    def _switch(self, name: str, value: bool) -> None:
        if name not in self.switches:
            raise ValueError(f"no switch {name!r}; there are {', '.join(self.switches)}")
        self.switches[name] = value

    def _limits(self, off: bool = False) -> None:
        self.unlimited = off

    # --- what happens

    def _happen(
        self, email: str, kind: str, at: Millis | None = None, value: int = 0, number: int | None = None,
        campaign: str | int | None = None, quantity: int = 1, category: str = "",
    ) -> dict[str, Any]:
        """A neutral event happens now, or is said to have happened at *at*; *value* in millionths."""
        row, now = self._row(email), self.clock.now()
        when = now if at is None else at
        code = CATEGORIES.index(category) + 1 if category else 0
        if kind == "order_placed":
            return {"number": self.shop.sell("orders", row, when, value, quantity, number, code)}
        if kind in ("cart_updated", "checkout_started"):
            return {"number": self.shop.sell("carts", row, when, value, quantity, number, code)}
        if kind in ("order_refunded", "order_cancelled"):
            done = self.shop.settle_order(number or 0, REFUNDED if kind == "order_refunded" else CANCELLED, now)
            return {"found": done}
        if kind == "email_sent":
            return {"campaign": self._mail_sent(row, when, campaign)}
        if kind not in MAIL_KINDS:
            raise ValueError(f"Mailchimp cannot hold {kind!r}")
        return {"campaign": self._mailed(row, MAIL_KINDS.index(kind), when, campaign)}

    def _campaign_named(self, when: Millis, campaign: str | int) -> int:
        """The campaign of that id, number of the world or name; a new one sent *when* if there is none."""
        title = f"Newsletter {campaign}"
        found = (n for n, one in enumerate(self.mail.campaigns) if campaign in (one.id, one.number) or one.title == title)
        number = next(found, None)
        return self.mail.add_campaign(title, when) if number is None else number

    def _campaign_for(self, row: int, when: Millis, campaign: str | int | None) -> int:
        """The named one, else the latest that this person got by *when*, else a new one sent then."""
        if campaign is not None:
            return self._campaign_named(when, campaign)
        known = self.mail.campaigns
        got = self.mail.recipients["campaign"][self.mail.recipients["member"] == row].tolist()
        before = [n for n in got if known[n].sent <= when]
        return max(before, key=lambda n: known[n].sent) if before else self.mail.add_campaign("Newsletter", when)

    def _mail_sent(self, row: int, when: Millis, campaign: str | int | None) -> str:
        """Part of the named campaign, or of the one sent at that very second (a new one if there is none)."""
        same = next((n for n, one in enumerate(self.mail.campaigns) if one.sent == whole(when)), None)
        if campaign is not None:
            number = self._campaign_named(when, campaign)
        else:
            number = self.mail.add_campaign("Newsletter", when) if same is None else same
        self.mail.send(number, row)
        return self.mail.campaigns[number].id

    def _mailed(self, row: int, action: int, when: Millis, campaign: str | int | None) -> str:
        """An act upon a mail, and what follows from it for the permission."""
        number = self._campaign_for(row, when, campaign)
        recipient = self.mail.send(number, row)
        now = self.clock.now()
        self.mail.act(recipient, action, when, now, self.lag("events"), hard=self.people.status(row) == CLEANED)
        if action not in (OPEN, CLICK, BOUNCE):
            self.people.set_status(row, UNSUBSCRIBED, now, self.lag("members"), compliance=True)
        return self.mail.campaigns[number].id

