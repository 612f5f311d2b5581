"""On which terms the facts in the store were read: how events were named, and how far back. When these change, the facts are
read again; until then the segments wait that rest on what is not in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from connectors.base import Millis
from sync.store import archive, streams
from sync.store.naming import Naming
from sync.store.store import Store, digest_of

LOST = "lost"                                       # in place of a naming: the facts were taken away while nobody could tell them


@dataclass(frozen=True, slots=True)
class Terms:
    """*naming*: digest of how a connection's events are called; *history*: how far back its first pull reaches; *streams*: those of
    events, which reach so far; *parts*: those of records, which may be events, too, and are read however old they are."""

    naming: str
    history: Millis
    streams: Collection[str]
    parts: Collection[str] = ()


def terms_of(naming: Naming, history: Millis, streams: Collection[str], parts: Collection[str] = ()) -> Terms:
    said = repr((sorted(naming.names.items(), key=str), sorted(naming.same.items()), sorted(naming.ignored)))
    return Terms(digest_of(said), history, streams, parts)


def agree(store: Store, terms: Mapping[int, Terms]) -> list[int]:
    """Compare with what was agreed before, by connection number; which connections' events will be read again.

    Another naming of one connection takes all facts away, since a fact does not say who told it, and every connection tells its
    own again; one that is out of the config today does so when it comes back. A longer history only starts the streams of events of
    its connection anew: what is known already stays, is not counted twice, and is all there since the shorter history began.
    """
    known = {
        number: (naming, int(history)) for key, value in store.rows("select key, value from meta where key like 'terms:%'")
        for number, (naming, _, history) in [(int(key.partition(":")[2]), value.partition(" "))]
    }
    renamed = [n for n, t in terms.items() if n in known and known[n][0] not in (LOST, t.naming)]
    behind = [n for n, t in terms.items() if n in known and (known[n][0] == LOST or known[n][1] < t.history)]
    again = sorted(terms if renamed else behind)
    lost = [n for n in known if n not in terms] if renamed else []
    with store.transaction() as db:
        if renamed:
            for table in ("events", "records", "strays", "plainly"):
                db.execute(f"delete from {table}")  # noqa: S608 - our own names
            archive.forget_all(db)
        for number in again:
            if renamed or known[number][0] == LOST:
                streams.anew(db, number, [*terms[number].streams, *terms[number].parts])
            else:
                streams.further(db, number, terms[number].streams, known[number][1])
        db.executemany("insert or replace into meta values (?, ?)", [
            (f"terms:{n}", f"{t.naming} {max(t.history, known.get(n, ('', 0))[1]) if n not in again else t.history}")
            for n, t in terms.items()
        ] + [(f"terms:{n}", f"{LOST} {known[n][1]}") for n in lost])
    return again
