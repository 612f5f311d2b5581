"""`include:`: segments and traits that stand in further files. Everything else is said in the one file that includes them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from sync.config import keys, scalars
from sync.config.form import Form, Notes, shown
from sync.config.reading import read
from sync.language.literals import is_null
from sync.located import Listing, Mapping, Place, Scalar, Value

MOST_FILES = 1000


def included(notes: Notes, held: Mapping, path: Path) -> tuple[tuple[str, ...], dict[Path, Mapping]]:
    """The patterns of `include:` as written, and each file that they match with the map it holds, in the order of the patterns
    and then by name; whatever is wrong goes to *notes*. *path*: the file that includes."""
    said = held.get("include")
    notes.origins["include"] = said.place if said else None
    patterns = tuple(_patterns(notes, said)) if said is not None else ()
    found: dict[Path, Mapping] = {}
    seen = {path.resolve(): (str(path), "")}
    for pattern in patterns:
        for each in _matches(notes, pattern):
            if len(found) == MOST_FILES:
                notes.complain(pattern.place, f"'include' matches more than {MOST_FILES} files")
                return tuple(p.text for p in patterns), found
            if _first_time(notes, pattern, each, seen):
                file = path.parent / each
                inner, problems = read(file, start="`segments:`")
                notes.problems += problems
                if inner is not None:
                    Form(notes, inner, keys.INCLUDED, str(file), "an included file", elsewhere=_only_above(path))
                    found[file] = inner
    return tuple(p.text for p in patterns), found


def gathered(notes: Notes, held: Mapping, others: dict[Path, Mapping], key: str, example: str) -> Mapping:
    """What all files say under *key* (a map of names) as one map; a name that stands in two files is a problem that shows both
    places, and its first entry is kept."""
    entries: dict[str, tuple[Scalar, Value]] = {}
    first = held.get(key)
    for part in (held, *others.values()):
        said = part.get(key)
        names = notes.mapping(said, f"'{key}'", example) if said is not None else None
        for name, value in names.entries if names else ():
            if name.text in entries:
                earlier = entries[name.text][0].place
                message = f"{shown(Scalar(name.text, False, name.place))} stands twice under `{key}:`"
                notes.complain(name.place, message, f"first at {earlier}; names are unique over all files")
            else:
                entries[name.text] = name, value
    return Mapping(tuple(entries.values()), first.place if first else held.place)


def _patterns(notes: Notes, said: Value) -> Iterator[Scalar]:
    """The patterns that are texts."""
    if isinstance(said, Scalar) and is_null(said):
        notes.complain(said.place, "'include' takes a path, not nothing", "for example include: segments/*.yaml")
        return
    for each in said.items if isinstance(said, Listing) else (said,):
        if isinstance(each, Scalar) and scalars.text(notes, each, "include") is not None:
            yield each
        elif not isinstance(each, Scalar):
            scalars.expected(notes, each, "include", "a path or a list of paths", "for example include: segments/*.yaml")


def _matches(notes: Notes, pattern: Scalar) -> list[str]:
    """Files that *pattern* names, relative to the folder of the configuration; names that start with a dot (an editor's) are no
    match of a star."""
    found = sorted(glob.glob(os.path.expanduser(pattern.text), root_dir=notes.folder, recursive=True))  # noqa: PTH111, PTH207
    files = [each for each in found if (notes.folder / each).is_file()]
    if not files:
        what = "is a folder" if found and (notes.folder / found[0]).is_dir() else "matches no file"
        hint = f"write {pattern.text.rstrip('/')}/*.yaml" if what == "is a folder" else "paths are relative to this file"
        notes.complain(pattern.place, f"'include': {shown(pattern)} {what}", hint)
    return files


def _first_time(notes: Notes, pattern: Scalar, each: str, seen: dict[Path, tuple[str, str]]) -> bool:
    """Whether this file was not taken in before, by this name or another."""
    real = (notes.folder / each).resolve()
    if real not in seen:
        seen[real] = each, pattern.text
        return True
    earlier, by = seen[real]
    if not by:
        notes.complain(pattern.place, f"'include': {shown(pattern)} takes in the configuration itself", "name a folder of its own")
    elif by != pattern.text or earlier != each:
        name = each if earlier == each else f"{each} (the same file as {earlier})"
        notes.complain(pattern.place, f"'include' takes in {name} twice", f"first by {by!r}")
    return False


def _only_above(path: Path) -> dict[str, str]:
    return {
        key: "only one file includes others" if key == "include" else f"an included file holds segments and traits; say it in {path}"
        for key in (*keys.TOP.keys, *keys.TOP.later) if key not in (*keys.INCLUDED.keys, *keys.INCLUDED.later)
    }


def where(place: Place, beside: Place) -> str:
    """*place* in a hint at *beside*: with its file where that is another one."""
    return f"{place.line}:{place.column}" if place.file == beside.file else str(place)
