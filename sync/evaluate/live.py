"""Memberships in the store, kept true from one full pass on: what is taken in and the passing of time change them at once.

For the one writer. Everything that a tick reads and writes is one transaction, so that what it counted and what it wrote
are of the same moment; where that fails nothing was written, and the next tick begins with a full pass.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from connectors.base import Millis
from sync.config.model import Config
from sync.evaluate.following import Followed, Lost, StoreSource
from sync.evaluate.full_pass import Result
from sync.evaluate.lives import renamed
from sync.evaluate.run import Evaluation, Ground, digests_of, grounds_of, shape_of
from sync.evaluate.snapshot import BEGINNING, Ints, Mask
from sync.evaluate.tick import Diff, TickEngine
from sync.evaluate.trees import Record
from sync.language.needs import needs
from sync.source import Origin
from sync.store import changes, entries, segments
from sync.store.store import Store


class Live:
    """Follows *store* under *config*. Nothing is answered, and nothing listened to, before the first `evaluation`. *source*: where it is
    read from."""

    def __init__(self, store: Store, config: Config, sources: Mapping[str, Origin]) -> None:
        self._store, self._sources = store, sources
        self._take(config)
        self._grounds: Mapping[str, Ground] = {}
        self.source: Followed = StoreSource(lambda: replace(self._snapshot))     # of its own moment: what one has read is not read again
        self._engine: TickEngine | None = None
        self._following = False                     # since the first evaluation
        self._latest: Millis = BEGINNING            # of the moments that were asked about: no answer is of an earlier one
        self._told: set[str] = set()                # segments of which the engine knows who is in them by the store

    def _take(self, config: Config) -> None:
        """Go by *config* from here on."""
        self._config = config
        self._rules = {name: segment.rule for name, segment in config.segments.items()}
        self._digests = digests_of(config, self._sources)
        self._looked_at = {name for rule in self._rules.values() for name in needs(rule).segments}
        self._shape = shape_of(config, self._sources, self._rules.values())
        self._snapshot = self._shape.snapshot(self._store)

    @property
    def next_due(self) -> Millis | None:
        """When time alone may change something next; None before the first evaluation, or when nothing will."""
        if self._following and self._engine is None:
            return 0
        return self._engine.next_due if self._engine else None

    def tick(self, now: Millis) -> Diff | None:
        """Take in what was committed, let time pass until *now*, and write who entered and left. None when nothing was to be done. A
        clock that goes back is waited for.

        Raises StoreError; then the next one begins anew.
        """
        if not self._following:
            return None
        self._latest = now = max(now, self._latest)
        due = self.next_due
        if (due is None or due > now) and not changes.waiting(self._store):
            return None
        try:
            return self._advance(self._engine, now) if self._engine is not None else self._fill(now)
        except Lost:
            return self._fill(now)
        except BaseException:
            self._engine = None                     # it may count what was never committed
            raise

    def _advance(self, engine: TickEngine, now: Millis) -> Diff:
        self._snapshot = self._shape.snapshot(self._store)
        failed, at = dict(engine.failures), max(now, engine.frontier.now)
        with self._store.transaction() as db, self.source.changes(engine.properties) as heard:
            with self._record(db, at) as record:
                diff = engine.advance(now, heard, record)
            self._note_failures(db, diff, failed)
            segments.stamp(db, at)
        return diff

    def _adopt(self, engine: TickEngine, now: Millis, before: Mapping[str, str]) -> None:
        """Go on with other rules: those of a family's new segments, or without those that are gone. *before*: digests of the rules until
        then, by which people move who move until then."""
        failed, at = dict(engine.failures), max(now, engine.frontier.now)
        try:
            with self._store.transaction() as db, self.source.changes(engine.properties) as heard:
                with self._record(db, at, before) as record:
                    engine.advance(at, heard, record)
                with self._record(db, at) as record:
                    diff = engine.adopt(self._rules, record)
                segments.unsettle(db, self._rules)
                self._told &= self._rules.keys()
                self._note_failures(db, diff, {name: why for name, why in failed.items() if name in self._rules})
                segments.stamp(db, at)
        except Lost:
            self._engine = None
        except BaseException:
            self._engine = None
            raise

    def _fill(self, now: Millis) -> Diff:
        changes.listen(self._store)
        self._engine, self._snapshot = None, self._shape.snapshot(self._store)
        with self._store.transaction() as db, changes.taken(db):
            segments.unsettle(db, self._rules)
            standing = self._standing(db)
            with self._record(db, now) as record:
                engine = TickEngine(self.source, self._rules, now, standing=standing, record=record)
            self._note_failures(db, engine.start, {})
            segments.stamp(db, now)
        self._engine = engine
        return engine.start

    def _standing(self, db: sqlite3.Connection) -> dict[str, Mask]:
        """Members as they stand in the store, by contact id."""
        (size,) = db.execute("select coalesce(max(id), -1) + 1 from contacts").fetchone()
        found = {}
        for name, held in segments.standing(self._store).items():
            if name in self._rules:
                found[name] = np.zeros(size, bool)
                found[name][held.members] = True
        self._told = set(found)
        return found

    @contextmanager
    def _record(self, db: sqlite3.Connection, now: Millis, digests: Mapping[str, str] | None = None) -> Iterator[Record]:
        """Keeps what a tick says: at once where another segment looks at it, else all together when the block ends. *digests*: of the
        rules by which it says so, where these are not the config's."""
        merges, moves, rules = entries.merges(db), list[segments.Move](), digests or self._digests

        def record(name: str, members: Mask, came: Ints, went: Ints) -> None:
            if name not in self._rules:             # the config has it no longer
                return
            rule, settled = rules[name], not self._grounds[name].waiting
            if name not in self._told:
                segments.write(db, name, rule, _numbers(members), now, settled=settled)
                self._told.add(name)
                return
            move = segments.Move(name, rule, came.astype(np.int32), went.astype(np.int32), lambda: _numbers(members), settled)
            if name in self._looked_at:
                segments.move(db, [move], now, merges)
            else:
                moves.append(move)

        yield record
        segments.move(db, moves, now, merges)

    def _note_failures(self, db: sqlite3.Connection, diff: Diff, before: Mapping[str, str]) -> None:
        for name, why in diff.failures.items():
            if before.get(name) != why:
                segments.fail(db, name, why)
        for name in before.keys() - diff.failures.keys():
            self._stand(db, name, diff.frontier.now)

    def _stand(self, db: sqlite3.Connection, name: str, at: Millis) -> None:
        segments.stand(db, name, self._digests[name], at, settled=not self._grounds[name].waiting)

    def evaluation(self, config: Config, now: Millis) -> Evaluation:
        """What stands at *now* under *config*, with all that is known of the data below it; in the place of a full pass. Raises
        StoreError."""
        edited, before = {name: segment.rule for name, segment in config.segments.items()} != self._rules, self._digests
        self._take(config)
        self._grounds = grounds_of(self._store, config, self._sources, now)
        self._following = True
        if edited and self._engine is not None:
            self._adopt(self._engine, max(now, self._latest), before)
        self.tick(now)
        if self._engine is None:
            raise RuntimeError("a tick left no engine")
        engine, at = self._engine, self._latest
        with self._store.transaction() as db:
            for name in self._rules:
                if name not in engine.failures:
                    self._stand(db, name, at)
            segments.stamp(db, at)                  # a pull that changed nothing let the tick be: it was a pull all the same
        members = {name: mask for name, mask in engine.members.items() if name not in engine.failures}
        return Evaluation(at, Result(members, dict(engine.failures), {}), self._digests, self._grounds,
                          renamed(self._store, self._config, self._digests))


def _numbers(members: Mask) -> segments.Members:
    return np.flatnonzero(members).astype(np.int32)
