"""Addresses of a few contacts for an operator's eyes: masked unless asked for."""

from __future__ import annotations

from collections.abc import Sequence

from sync.store.store import Store


def addresses_of(store: Store, contacts: Sequence[int], *, masked: bool) -> list[str]:
    """An address of each of *contacts* (few), "" where it has none: its primary one if it can be."""
    found = [store.one("select address from addresses where contact = ? order by role = 'primary' desc, address limit 1", contact)
             for contact in contacts]
    texts = ["" if row is None else str(row[0]) for row in found]
    return [mask(text) for text in texts] if masked else texts


def mask(address: str) -> str:
    """`a…@example.com` of an address: enough to recognise somebody one knows, not enough to write to them."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else address[:1] + "…" * bool(address)
