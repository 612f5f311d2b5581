"""Ids as Klaviyo's look: ULID-like for profiles and campaigns, short for lists and metrics; the same for the same number.

Source: shapes in Klaviyo's API docs; short ids of old profiles: observed in a vendor's help page (support.ipaas.com).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)
_PAIRS = [chr(_ALPHABET[n >> 5]) + chr(_ALPHABET[n & 31]) for n in range(1024)]
_SHORT = np.frombuffer(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789", np.uint8)[:32]
_EVENT_SPACE = 1 << 50
_EVENT_STEP = 0x2545F4914F6CD1D % _EVENT_SPACE | 1
_EVENT_BACK = pow(_EVENT_STEP, -1, _EVENT_SPACE)
_EVENT_FIRST = 0x1B873593CC9E2


def _digits(numbers: npt.NDArray[np.uint64], count: int, alphabet: npt.NDArray[np.uint8] = _ALPHABET) -> npt.NDArray[np.uint8]:
    shifts = np.arange(count - 1, -1, -1, dtype=np.uint64) * np.uint64(5)
    return alphabet[((numbers[:, None] >> shifts) & np.uint64(31)).astype(np.intp)]


def _mixed(numbers: npt.NDArray[np.uint64], salt: int) -> npt.NDArray[np.uint64]:
    mixed = (numbers + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    return mixed * np.uint64(0xBF58476D1CE4E5B9)


def long_ids(numbers: npt.NDArray[Any]) -> list[str]:
    """26 characters each, ascending with their number."""
    wide = numbers.astype(np.uint64)
    head = np.tile(np.frombuffer(b"01H", np.uint8), (len(wide), 1))
    parts = [head, _digits(wide, 8), _digits(_mixed(wide, 1), 12), _digits(_mixed(wide, 2), 3)]
    return _texts(np.hstack(parts))


def short_ids(numbers: npt.NDArray[Any], salt: int) -> list[str]:
    """6 characters each, different for different numbers below 2**30; *salt* keeps kinds apart."""
    wide = (numbers.astype(np.uint64) * np.uint64(0x2C1B3C6D) + np.uint64(salt * 0x1F351)) & np.uint64((1 << 30) - 1)
    return _texts(_digits(wide, 6, _SHORT))


def _texts(characters: npt.NDArray[np.uint8]) -> list[str]:
    width = characters.shape[1]
    texts: list[str] = np.ascontiguousarray(characters).view(f"S{width}").ravel().astype(f"U{width}").tolist()
    return texts


def long_id(number: int) -> str:
    return long_ids(np.array([number]))[0]


def short_id(number: int, salt: int) -> str:
    return short_ids(np.array([number]), salt)[0]


def event_id(row: int) -> str:
    """11 characters that say nothing of order; `event_row` takes them back."""
    code = (row * _EVENT_STEP + _EVENT_FIRST) % _EVENT_SPACE
    return "4" + "".join(_PAIRS[(code >> shift) & 1023] for shift in (40, 30, 20, 10, 0))


def event_row(identity: str) -> int:
    """The row of an event's id; -1 when it is none."""
    code = 0
    for character in identity[1:]:
        digit = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(character)
        if digit < 0:
            return -1
        code = code << 5 | digit
    good = len(identity) == 11 and identity[0] == "4"
    return (code - _EVENT_FIRST) * _EVENT_BACK % _EVENT_SPACE if good else -1


def event_uuid(row: int, second: int) -> str:
    """A version 1 uuid; its time is the event's own second, not when it came in."""
    ticks = second * 10_000_000 + 0x01B21DD213814000
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF
    return f"{low:08x}-{middle:04x}-1{high:03x}-8001-{row:012x}"
