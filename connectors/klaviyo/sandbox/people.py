"""The profiles: columns for what is filtered, lists of text for what is shown, a dict only for what few have.

A profile's row is its identity here and never changes; a profile that was merged away or erased keeps its row, dead.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.clock import DAY, MINUTE, Millis
from connectors.klaviyo.sandbox.identity import long_id, long_ids, short_ids
from connectors.sandbox.columns import Columns
from connectors.sandbox.world import STANDINGS

Rows = npt.NDArray[np.int64]

NEVER_SUBSCRIBED, SUBSCRIBED, UNSUBSCRIBED, UNREADABLE = range(4)
CONSENTS = ("NEVER_SUBSCRIBED", "SUBSCRIBED", "UNSUBSCRIBED", "PAUSED_BY_POLICY")   # the last one no documentation knows
LIFTED = ("UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED")     # by subscribing. Source: Klaviyo OpenAPI, bulk subscribe
BOUNCES = ("HARD_BOUNCE", "SPAM_COMPLAINT", "USER_SUPPRESSED", "HARD_BOUNCE", "INVALID_EMAIL")
TEXTS = ("email", "phone_number", "first_name", "last_name", "city", "country")
CREATED_LATER = 1 << 31         # numbers of profiles that were not in the world

# standing → consent; klaviyo has no archived profiles, those count as granted
_CONSENT_OF = {"granted": SUBSCRIBED, "archived": SUBSCRIBED, "unknown": NEVER_SUBSCRIBED, "withdrawn": UNSUBSCRIBED,
               "suppressed": SUBSCRIBED, "": NEVER_SUBSCRIBED}


def iso(at: Millis, space: bool = False) -> str:
    """An instant as Klaviyo spells it; *space*: the spelling with a space, which live answers hold as well."""
    return datetime.fromtimestamp(at // 1000, UTC).isoformat(" " if space else "T")


def whole(at: Millis) -> Millis:
    """Cut to the second, the finest that filters tell apart."""
    return at // 1000 * 1000


class People:
    """All profiles of the account. Changes keep the indexes true; none of them checks what a call may do."""

    def __init__(self) -> None:
        self.columns = Columns({
            "person": "i4", "created": "i8", "updated": "i8", "last_event": "i8", "alive": "?", "consent": "i1",
            "consent_at": "i8", "suppressed_at": "i8", "list_suppressed_at": "i8",
        })
        self.ids: list[str] = []
        self.text: dict[str, list[str]] = {name: [] for name in TEXTS}
        self.extra: dict[int, dict[str, Any]] = {}                  # external_id, title, properties … of those who have them
        self.suppressions: dict[int, dict[str, Millis]] = {}        # row → reason → since
        self.list_suppressions: dict[int, dict[str, Millis]] = {}   # row → list id → since; the reason is UNSUBSCRIBE
        self.by_id: dict[str, int] = {}
        self.by_email: dict[str, int] = {}
        self.by_phone: dict[str, int] = {}
        self.by_external: dict[str, int] = {}
        self.by_device: dict[str, int] = {}                         # anonymous id → row
        self.persons: dict[str, int] = {}                           # every address of the world, also of people not here
        self._later = CREATED_LATER

    def __len__(self) -> int:
        return len(self.columns)

    # filling

    def load(self, people: pa.Table, everybody: pa.Table, now: Millis) -> None:
        """Replace all by the *people* of a world; *everybody* tells whose an address is that comes later."""
        self.__init__()  # type: ignore[misc]
        person = people["person"].to_numpy().astype(np.int64)
        standing = _standing(people["klaviyo"])
        created = whole_column(people["created"].to_numpy())
        consent = np.array([_CONSENT_OF[name] for name in STANDINGS], np.int8)[standing]
        moved = created + person * 7919 % 86_400 * 1000
        decided = created + DAY + person * 104_729 % 86_400 * 1000
        suppressed = np.isin(standing, [STANDINGS.index("withdrawn"), STANDINGS.index("suppressed")])
        self.columns.extend(
            person=person, created=created, updated=np.maximum(created, np.minimum(moved, whole(now - MINUTE))),
            alive=np.ones(len(person), bool), consent=consent, consent_at=np.where(consent == NEVER_SUBSCRIBED, 0, created),
            suppressed_at=np.where(suppressed, np.minimum(decided, whole(now - MINUTE)), 0),
        )
        self._load_texts(people, person)
        self._load_consents(standing, person)
        self.persons = dict(zip(map(str.lower, everybody["email"].to_pylist()), everybody["person"].to_pylist(), strict=True))

    def _load_texts(self, people: pa.Table, person: Rows) -> None:
        self.ids = long_ids(person)
        for row, identity in zip(old := np.flatnonzero(person % 101 == 13), short_ids(person[old], 1), strict=True):
            self.ids[row] = identity
        for name in ("email", "first_name", "last_name", "city", "country"):
            self.text[name] = _shared(people[name])
        self.text["phone_number"] = [_phone(number) for number in person.tolist()]
        self.by_id = {identity: row for row, identity in enumerate(self.ids)}
        self.by_email = {email.lower(): row for row, email in enumerate(self.text["email"]) if email}
        self.by_phone = {phone: row for row, phone in enumerate(self.text["phone_number"]) if phone}

    def _load_consents(self, standing: npt.NDArray[Any], person: Rows) -> None:
        since = self.columns["suppressed_at"]
        for row in np.flatnonzero(standing == STANDINGS.index("withdrawn")).tolist():
            self.suppressions[row] = {"UNSUBSCRIBE": int(since[row])}
            if person[row] % 3 == 0:                # the old property that unsubscribing does not always clear
                self._legacy_consent(row)
        for row in np.flatnonzero(standing == STANDINGS.index("suppressed")).tolist():
            self.suppressions[row] = {BOUNCES[int(person[row]) % len(BOUNCES)]: int(since[row])}
        for row in np.flatnonzero((standing == STANDINGS.index("granted")) & (person % 4 == 1)).tolist():
            self._legacy_consent(row)

    def _legacy_consent(self, row: int) -> None:
        at = iso(int(self.columns["created"][row]), space=True)
        self.extra[row] = {"properties": {"$consent": ["email"], "$consent_timestamp": at}}

    # single profiles

    def create(self, now: Millis) -> int:
        """A new, empty profile; its row."""
        row = self.columns.append(person=-1, created=whole(now), updated=whole(now), alive=True)
        self.ids.append(long_id(self._later))
        self._later += 1
        for texts in self.text.values():
            texts.append("")
        self.by_id[self.ids[row]] = row
        return row

    def find(self, identity: str) -> int:
        """The row of a living profile's id, or -1."""
        row = self.by_id.get(identity, -1)
        return row if row >= 0 and self.columns["alive"][row] else -1

    def found_by(self, *, email: str = "", phone_number: str = "", external_id: str = "") -> set[int]:
        """Rows that hold any of these identifiers."""
        found = (self.by_email.get(email.strip().lower()), self.by_phone.get(phone_number), self.by_external.get(external_id))
        return {row for row in found if row is not None}

    def name(self, row: int, field: str, value: str) -> None:
        """Set one of the plain texts or the external id; "" clears it."""
        if field == "external_id":
            self._index(self.by_external, self.extra.get(row, {}).get("external_id") or "", value, row)
            self.extra.setdefault(row, {})["external_id"] = value or None
            return
        before = self.text[field][row]
        if field == "email":
            self._index(self.by_email, before.lower(), value.lower(), row)
            if value and self.columns["person"][row] < 0:
                self.columns["person"][row] = self.persons.get(value.lower(), -1)
        elif field == "phone_number":
            self._index(self.by_phone, before, value, row)
        self.text[field][row] = value

    @staticmethod
    def _index(index: dict[str, int], before: str, after: str, row: int) -> None:
        if index.get(before) == row:
            del index[before]
        if after:
            index[after] = row

    def touch(self, row: int, now: Millis) -> None:
        """The profile changed: `updated` moves."""
        self.columns["updated"][row] = whole(now)
        self.columns.moved()

    def bury(self, row: int) -> None:
        """The profile is no more: merged away or erased. Its identifiers are free."""
        for field in ("email", "phone_number", "external_id"):
            self.name(row, field, "")
        self.columns["alive"][row] = False

    # permission

    def suppress(self, row: int, reason: str, now: Millis) -> None:
        self.suppressions.setdefault(row, {})[reason] = whole(now)
        self._suppressed_moved(row)

    def lift(self, row: int, reasons: Iterable[str]) -> None:
        kept = {reason: at for reason, at in self.suppressions.get(row, {}).items() if reason not in set(reasons)}
        self.suppressions[row] = kept
        self._suppressed_moved(row)

    def leave_list(self, row: int, list_id: str, now: Millis) -> None:
        """No mail to this list any more; the profile at large stays as it was."""
        self.list_suppressions.setdefault(row, {})[list_id] = whole(now)
        self.columns["list_suppressed_at"][row] = whole(now)
        self.columns.moved()

    def subscribe(self, row: int, at: Millis) -> None:
        """Consent given; lifts what subscribing lifts. `updated` does not move: it is not documented to."""
        self.columns["consent"][row], self.columns["consent_at"][row] = SUBSCRIBED, whole(at)
        self.lift(row, LIFTED)

    def unsubscribe(self, row: int, at: Millis) -> None:
        self.columns["consent"][row], self.columns["consent_at"][row] = UNSUBSCRIBED, whole(at)
        self.suppress(row, "UNSUBSCRIBE", at)

    def barred(self, row: int) -> bool:
        """Withdrawn, or suppressed for whatever reason."""
        return bool(self.columns["consent"][row] == UNSUBSCRIBED or self.suppressions.get(row))

    def _suppressed_moved(self, row: int) -> None:
        if not self.suppressions[row]:
            del self.suppressions[row]
        self.columns["suppressed_at"][row] = max(self.suppressions.get(row, {}).values(), default=0)
        self.columns.moved()


def whole_column(instants: npt.NDArray[Any]) -> Rows:
    cut: Rows = instants.astype(np.int64) // 1000 * 1000
    return cut


def _standing(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Indexes into STANDINGS of a dictionary column, whatever its dictionaries."""
    names, codes = codes_of(column)
    standing: npt.NDArray[Any] = np.array([STANDINGS.index(name) for name in names], np.int8)[codes]
    return standing


def codes_of(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[Any]]:
    """The words of a dictionary column and an index into them per row; without rows, one word that nobody has."""
    whole_column = pa.chunked_array(column).unify_dictionaries() if column.num_chunks else column
    if not len(whole_column):
        return [""], np.zeros(0, np.int8)
    combined = whole_column.combine_chunks()
    combined = combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
    return combined.dictionary.to_pylist(), combined.indices.to_numpy(zero_copy_only=False)


def _shared(column: pa.ChunkedArray) -> list[str]:
    """The texts, equal ones as one object."""
    seen: dict[str, str] = {}
    return [seen.setdefault(text, text) for text in column.to_pylist()]


def _phone(person: int) -> str:
    """One in ten has a number; one in fifty an old one as nobody would write it today.

    Source: observed, github.com issue klaviyo/klaviyo-api-python#48.
    """
    if person % 50 == 7:
        return f"(555) {person // 10_000 % 1000:03d}-{person % 10_000:04d}"
    return f"+1555{person % 10_000_000:07d}" if person % 10 == 3 else ""
