"""What an audience is made of besides people: merge fields and interests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from connectors.clock import Millis
from connectors.mailchimp.sandbox.people import token

FIELD_TYPES = ("text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown", "birthday", "zip")
TEXT_BYTES = 255
PATTERNS = {
    "number": (re.compile(r"-?\d+(\.\d+)?"), "Please enter a number"),
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}|\d{2}/\d{2}/\d{4}"), "Please enter a valid date"),
    "birthday": (re.compile(r"\d{2}/\d{2}"), "Please enter a month (01-12) and a day (01-31)"),
    "zip": (re.compile(r"\d{5}(-\d{4})?"), "Please enter a 5 digit US zip code"),
    "url": (re.compile(r"https?://\S+"), "Please enter a valid url"),
    "imageurl": (re.compile(r"https?://\S+"), "Please enter a valid url"),
}


@dataclass(slots=True)
class MergeField:
    """A field of an audience's contacts. *tag* is its key in `merge_fields`, at most ten characters."""

    id: int
    tag: str
    name: str
    kind: str = "text"
    required: bool = False
    default: str = ""
    public: bool = False
    choices: list[str] = field(default_factory=list)
    help: str = ""

    def record(self, list_id: str) -> dict[str, Any]:
        options: dict[str, Any] = {"size": 25} if self.kind == "text" else {}
        if self.kind in ("radio", "dropdown"):
            options["choices"] = self.choices
        if self.kind in ("date", "birthday"):
            options["date_format"] = "MM/DD/YYYY" if self.kind == "date" else "MM/DD"
        return {
            "merge_id": self.id, "tag": self.tag, "name": self.name, "type": self.kind, "required": self.required,
            "default_value": self.default, "public": self.public, "display_order": self.id + 1, "options": options,
            "help_text": self.help, "list_id": list_id,
        }

    def refused(self, value: Any) -> str:
        """Why *value* does not fit; "" when it does. The empty string clears a field of any type.

        Source: Mailchimp docs, "Merge fields"; the refusal of a whole write was observed: grouparoo/grouparoo fixtures.
        """
        if value == "" or value is None:
            return ""
        if self.kind == "address":
            whole = isinstance(value, dict) and all(value.get(part) for part in ("addr1", "city", "state", "zip"))
            return "" if whole else "Please enter a complete address"
        if isinstance(value, dict | list | bool):
            return "Please enter a value of the right type"
        if self.kind in ("radio", "dropdown"):
            return "" if str(value) in self.choices else "Please choose one of the given values"
        pattern, message = PATTERNS.get(self.kind, (re.compile(r"[\s\S]*"), ""))
        return "" if pattern.fullmatch(str(value)) else message

    def kept(self, value: Any) -> Any:
        """*value* as it is stored: text is cut to 255 bytes, numbers become numbers."""
        if self.kind == "number" and isinstance(value, str) and value:
            return float(value) if "." in value else int(value)
        if self.kind == "text":
            return str(value).encode()[:TEXT_BYTES].decode("utf-8", "ignore")
        return "" if value is None else value


@dataclass(slots=True)
class Audience:
    """A list of Mailchimp's. *interests*: id → name, of its one category (none: no `interests` in its members)."""

    id: str
    name: str
    created: Millis
    fields: list[MergeField]
    interests: dict[str, str] = field(default_factory=dict)
    double_optin: bool = False

    @property
    def category(self) -> str:
        return token("category", self.id)

    def field_of(self, tag: str) -> MergeField | None:
        return next((one for one in self.fields if one.tag == tag), None)

    def add_field(self, tag: str, name: str, kind: str, **more: Any) -> MergeField:
        made = MergeField(max((one.id for one in self.fields), default=0) + 1, tag, name, kind, **more)
        self.fields.append(made)
        return made


def usual_fields() -> list[MergeField]:
    """The fields every new audience has, and CITY."""
    return [
        MergeField(1, "FNAME", "First Name", public=True), MergeField(2, "LNAME", "Last Name", public=True),
        MergeField(3, "ADDRESS", "Address", "address"), MergeField(4, "PHONE", "Phone Number", "phone"),
        MergeField(5, "BIRTHDAY", "Birthday", "birthday"), MergeField(6, "CITY", "City"),
    ]


def sandbox_audiences(now: Millis) -> list[Audience]:
    """The audience that holds everybody, and an empty one."""
    shop = Audience(token("audience", "shop"), "Sandbox shop", now, usual_fields())
    shop.interests = {token("interest", name): name for name in ("Offers", "News")}
    return [shop, Audience(token("audience", "second"), "Sandbox second", now, usual_fields())]
