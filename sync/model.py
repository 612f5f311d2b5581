"""The domain in frozen types; knows nobody.

    SegmentdError                 whatever stops a command and is somebody's to mend; anything else is a bug of ours
      ├─ StoreError               the store cannot be used as it is: damaged, older than it should be, held by another, full
      └─ PlanRefused              a guard said no: target, numbers, threshold, the way through
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType, cast

ContactId = NewType("ContactId", int)               # dense from 0, never reused: the index into every array
Email = NewType("Email", str)                       # canonical; comes only out of canonical_email()

LONGEST_ADDRESS = 320                               # RFC 3696, erratum 1690: 64 + 1 + 255
_USUAL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]++@[a-z0-9.-]++")     # as it should be already
_ALL_USUAL = re.compile(rf"(?:{_USUAL.pattern}\n)*+")
_BLANK = re.compile(r"[\s\x00-\x1f]")


def canonical_email(text: str | None) -> Email | None:
    """*text* trimmed, NFC, lower-case; None when it is no address. Dots and plus-parts stay: they are different people."""
    if not text:
        return None
    if len(text) <= LONGEST_ADDRESS and _USUAL.fullmatch(text):
        return Email(text)
    email = (text if text.isascii() else unicodedata.normalize("NFC", text.strip())).strip().lower()
    name, at, domain = email.rpartition("@")
    if not (name and at and domain) or len(email) > LONGEST_ADDRESS or _BLANK.search(email):
        return None
    return Email(email)


def canonical_emails(texts: Sequence[str]) -> Sequence[Email | None]:
    """`canonical_email` of each of *texts*; where all are as they should be, that is found in one step."""
    lines = "".join([f"{text}\n" for text in texts])
    alike = lines.count("\n") == len(texts) and max(map(len, texts), default=0) <= LONGEST_ADDRESS
    if alike and _ALL_USUAL.fullmatch(lines):
        return cast("Sequence[Email]", texts)
    return list(map(canonical_email, texts))


class ExitCode(IntEnum):
    """How a command went, for scripts and timers."""

    OK = 0
    FAILED = 1                                      # a platform or the store said no
    CONFIG = 2                                      # the YAML or the command line is wrong
    REFUSED = 3                                     # something waits for a person: a guard, an edited rule, a first apply
    DEAD_LETTERS = 4                                # some changes were given up
    BUG = 70                                        # please report
    LATER = 75                                      # try again later: the store is held, the disk is full, a platform is down
    STOPPED = 130                                   # Ctrl-C


class SegmentdError(Exception):
    """Stops a command; the text says what to do. *code* is the exit code."""

    code = ExitCode.FAILED


class StoreError(SegmentdError):
    """The store cannot be used as it is."""


class StoreBusy(StoreError):
    """Another process has the store open for writing."""

    code = ExitCode.LATER


class StoreFull(StoreError):
    """The disk has no room; nothing was half done."""

    code = ExitCode.LATER


class PlanRefused(SegmentdError):
    code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class TargetKey:
    """Where a segment is mirrored: the name of a target in outbox, ownership, guards and messages."""

    segment: str
    connection: str
    audience: str                                   # the config's short name, or ""
    kind: str                                       # "tag" | "list"

    def __str__(self) -> str:
        return "/".join(part for part in (self.segment, self.connection, self.audience, self.kind) if part)
