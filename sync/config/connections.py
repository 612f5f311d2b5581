"""The `connections:` part: accounts, where their keys are kept, and what their platform can do."""

from __future__ import annotations

import re
from collections.abc import Mapping as Mapped
from fractions import Fraction

from connectors import registry
from connectors.base import Capabilities, Json
from sync.config import keys, scalars
from sync.config.form import Form, Notes, shown, word
from sync.config.model import ConnectionSpec, SecretRef
from sync.config.secrets import holds_secret
from sync.language.literals import is_null
from sync.language.words import suggestion
from sync.located import Mapping, Scalar, Value

_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,254}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def capabilities(kind: str) -> Capabilities | None:
    """What the platform of *kind* can do; None when no connector of that kind can be loaded. Imports no SDK."""
    try:
        return registry.kind(kind).capabilities
    except Exception:  # noqa: BLE001  a third party's module may fail in any way; the config names it, so the config is told
        return None


def read_connections(notes: Notes, value: Value) -> dict[str, ConnectionSpec]:
    """Every connection that could be read; wrong ones are left out."""
    held = notes.mapping(value, "'connections'", "connections: {klaviyo: {}}")
    if held is None:
        return {}
    if not held.entries:
        notes.complain(held.place, "'connections' names no connection", "for example connections: {klaviyo: {}}")
    found = {}
    for name, account in held.entries:
        if not scalars.is_name(name.text):
            notes.complain(name.place, f"the connection {word(name)} needs a plain name", "a to z, 0 to 9 and _, a letter first")
        elif (spec := _connection(notes, name, account)) is not None:
            found[name.text] = spec
    _one_key_each(notes, held, found)
    return found


def _connection(notes: Notes, name: Scalar, value: Value) -> ConnectionSpec | None:
    example = f"{name.text}: {{key: {{credential: {name.text}}}}}"
    if isinstance(value, Scalar) and not is_null(value):                # may be the secret: never echoed
        notes.complain(value.place, f"connection '{name.text}' takes a map, and no secret", f"for example {example}")
        return None
    held = notes.mapping(value, f"connection '{name.text}'", example)
    if held is None:
        return None
    path = f"connections.{name.text}"
    kind = _kind(notes, name, held)
    notes.origins[f"{path}.kind"] = place.place if (place := held.get("kind")) else None
    if kind is None:
        return None
    able = capabilities(kind)
    if able is None:
        hint = "reinstall the package it comes with"
        notes.complain(held.place, f"the connector '{kind}' is installed but cannot be loaded", hint)
        return None
    form = Form(notes, held, keys.CONNECTION, path, f"connection '{name.text}'", more=able.options, elsewhere=_unfit(able))
    none: dict[str, str] = {}
    audiences = form.read("audiences", _audiences, none) if able.audiences else none
    return ConnectionSpec(
        name=name.text, kind=kind,
        key=form.read("key", _secret, SecretRef("credential", name.text)),
        account=form.read("account", scalars.text, ""),
        base_url=form.read("base_url", scalars.base_url, ""),
        share=form.read("share", scalars.share, Fraction(4, 5)),
        audiences=audiences,
        default_audience=_default_audience(form, audiences) if able.audiences else "",
        options={key: form.read(key, _option, None) for key in sorted(able.options) if held.get(key) is not None},
    )


def _kind(notes: Notes, name: Scalar, held: Mapping) -> str | None:
    """The kind that is said, else the connection's own name."""
    said = held.get("kind")
    kind = scalars.text(notes, said, "kind") if said is not None else name.text
    known = registry.kinds()
    if kind is None or kind in known:
        return kind
    if said is not None:
        notes.complain(said.place, f"no connector of the kind {shown(said)} is installed", suggestion(kind, known))
    else:
        near = suggestion(kind, known)
        hint = near if near.startswith("did") else "add `kind:`, one of " + ", ".join(known)
        notes.complain(name.place, f"connection '{kind}' does not say its kind, and no connector has that name", hint)
    return None


def _unfit(able: Capabilities) -> dict[str, str]:
    """Keys that other kinds have and this one does not → why."""
    unfit = {} if able.audiences else dict.fromkeys(("audiences", "default_audience"), f"{able.title} has no audiences")
    for kind in registry.kinds():
        other = capabilities(kind)
        for key in (other.options if other else frozenset()) - able.options:
            unfit.setdefault(key, f"it belongs to connections of kind {kind}")
    return unfit


def _option(notes: Notes, value: Value, key: str) -> Json:
    return scalars.plain_json(value)


def _secret(notes: Notes, value: Value, key: str) -> SecretRef | None:
    """A reference. What stands in its place is never echoed: it may be the secret."""
    example = "write {credential: NAME}, {file: PATH} or {env: NAME}"
    if not isinstance(value, Mapping):
        notes.complain(value.place, "a secret does not belong in this file", example)
        return None
    if len(value.entries) != 1 or value.entries[0][0].text not in keys.KEY.keys:
        notes.complain(value.place, "'key' takes one reference to a secret", example)
        return None
    kind, held = value.entries[0][0].text, value.entries[0][1]
    said = held.text if isinstance(held, Scalar) else ""
    if holds_secret(said):
        notes.complain(held.place, f"'{kind}' takes a name, and this looks like the secret itself", example)
    elif not _fits(kind, said):
        what = {"env": "the name of an environment variable", "credential": "a file name without /", "file": "a path"}[kind]
        notes.complain(held.place, f"'{kind}' takes {what}", example)
    else:
        return SecretRef(kind, str(notes.folder / said) if kind == "file" else said, held.place)
    return None


def _fits(kind: str, said: str) -> bool:
    if kind == "file":
        return bool(said.strip()) and not any(ord(character) < 32 for character in said)
    return (_VARIABLE if kind == "env" else _CREDENTIAL).fullmatch(said) is not None


def _audiences(notes: Notes, value: Value, key: str) -> dict[str, str] | None:
    held = notes.mapping(value, f"'{key}'", "audiences: {shop: Shop customers}")
    if held is None:
        return None
    found: dict[str, str] = {}
    for short, ref in held.entries:
        if not scalars.is_name(short.text):
            hint = "a to z, 0 to 9 and _, a letter first"
            notes.complain(short.place, f"the audience {word(short)} needs a plain short name", hint)
        elif (name := scalars.text(notes, ref, short.text)) is not None:
            twin = next((other for other, same in found.items() if same == name), None)
            if twin is not None:
                notes.complain(ref.place, f"'{twin}' and '{short.text}' are the same audience", "give it one short name")
            found[short.text] = name
    return found


def _default_audience(form: Form, audiences: Mapped[str, str]) -> str:
    """The one that is said; the only one, if there is only one; else ""."""
    if form.held.get("default_audience") is not None:
        return form.read("default_audience", scalars.choice(tuple(audiences) or ("an audience named under `audiences:`",)), "")
    form.notes.origins[f"{form.path}.default_audience"] = None
    return next(iter(audiences)) if len(audiences) == 1 else ""


def _one_key_each(notes: Notes, held: Mapping, found: Mapped[str, ConnectionSpec]) -> None:
    """Two connections of one kind with one key are one account under two names: their targets could fight."""
    seen: dict[tuple[str, str, str, str], str] = {}
    for name, spec in found.items():
        account = (spec.kind, spec.base_url, spec.key.kind, spec.key.name)
        if account in seen:
            other = next(key.place for key, _ in held.entries if key.text == seen[account])
            here = next(key.place for key, _ in held.entries if key.text == name)
            hint = f"first at {other.line}:{other.column}; use one connection, or another `key:`"
            notes.complain(here, f"'{seen[account]}' and '{name}' are one account: same kind and same key", hint)
        seen.setdefault(account, name)
