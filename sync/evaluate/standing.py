"""Consent, tags and lists asked of everybody at once: what stands, and since when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from connectors.base import Millis
from sync.evaluate.columns import Column, Columns
from sync.evaluate.edges import cut
from sync.evaluate.snapshot import Ints, Mask
from sync.evaluate.turns import NEVER, turns
from sync.language.who import ConsentIs, MemberOf, Suppressed
from sync.language.window import Window

CONSENT_WORDS = ("channel", "scope", "connection")
MEMBER_WORDS = ("connection", "audience", "kind", "name")


def consent(node: ConsentIs, table: pa.Table, columns: Columns, size: int, now: Millis) -> Mask:
    """Who has the consent asked for. *table*: rows of `CONSENTS`."""
    contacts, asked = _contacts(table), _rows(node.asks, table, CONSENT_WORDS, columns)
    withdrawn = _having(contacts, asked & _rows(lambda state: state == "withdrawn", table, ("state",), columns), size)
    granted = _having(contacts, asked & _rows(lambda state: state == "granted", table, ("state",), columns), size) & ~withdrawn
    found = {"withdrawn": withdrawn, "granted": granted}.get(node.state, ~withdrawn & ~granted)
    if node.window is None:
        return found
    who, at = _since(table, asked & _rows(node.says, table, ("state",), columns))
    return found & _having(who, held(node.window, at, now), size)


def consent_turns(node: ConsentIs, table: pa.Table, columns: Columns, size: int, now: Millis) -> Ints:
    """Per contact when the window begins or ceases to hold what was said (`NEVER`: it does not)."""
    rows = _rows(node.asks, table, CONSENT_WORDS, columns) & _rows(node.says, table, ("state",), columns)
    return _turns(node.window, *_since(table, rows), size, now)


def suppressed(node: Suppressed, table: pa.Table, size: int) -> Mask:
    """Who must not be contacted, or who may."""
    found = _having(_contacts(table), table.column("suppressed").to_numpy().astype(bool), size)
    return found if node.expected else ~found


def members(node: MemberOf, table: pa.Table, columns: Columns, size: int, now: Millis) -> Mask:
    """Who is on the tag or list. *table*: rows of `MEMBERSHIPS`."""
    who, at = _since(table, _rows(node.asks, table, MEMBER_WORDS, columns))
    return _having(who, np.ones(len(who), bool) if node.window is None else held(node.window, at, now), size)


def members_turns(node: MemberOf, table: pa.Table, columns: Columns, size: int, now: Millis) -> Ints:
    """Per contact when the window begins or ceases to hold a membership (`NEVER`: it does not)."""
    return _turns(node.window, *_since(table, _rows(node.asks, table, MEMBER_WORDS, columns)), size, now)


def held(window: Window, at: Ints, now: Millis) -> Mask:
    """Which of the moments *at*, in any order, the window holds."""
    order = np.argsort(at, kind="stable")
    start, end = cut(at[order], window, now)
    found = np.zeros(len(at), bool)
    found[order[start:end]] = True
    return found


def _turns(window: Window | None, contacts: Ints, at: Ints, size: int, now: Millis) -> Ints:
    found = np.full(size, NEVER)
    if window is not None:
        np.minimum.at(found, contacts, turns(window, at, now))
    return found


def _contacts(table: pa.Table) -> Ints:
    contacts: Ints = table.column("contact").to_numpy().astype(np.int64)
    return contacts


def _since(table: pa.Table, rows: Mask) -> tuple[Ints, Ints]:
    """Contact and moment of the *rows* that have one."""
    told = table.column("at").is_valid().to_numpy() & rows
    return _contacts(table)[told], table.column("at").fill_null(0).to_numpy()[told]


def _having(contacts: Ints, rows: Mask, size: int) -> Mask:
    """Contacts that have a row among those that *rows* picks."""
    mask = np.zeros(size, bool)
    mask[contacts[rows]] = True
    return mask


def _rows(question: Callable[..., bool], table: pa.Table, names: Sequence[str], columns: Columns) -> Mask:
    """Which rows answer *question*, asked of the plain texts in the columns *names*, with yes: once per distinct combination."""
    words: list[Column] = [columns.read(table.column(name)) for name in names]
    size = len(words[0].codes)
    combined: Ints = np.zeros(size, np.int64)
    for column in words:
        combined = combined * (len(column.dictionary) + 1) + column.codes + 1
    _, first, place = np.unique(combined, return_index=True, return_inverse=True)
    answers = [question(*(column.dictionary.texts[column.codes[row]] for column in words)) for row in first]
    return np.array(answers, bool)[place] if size else np.zeros(0, bool)
