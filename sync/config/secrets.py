"""Secrets are references in the config and become text only where a connection is opened.

Nothing here puts a secret's content in a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from connectors.base import Secret
from sync.config.errors import ConfigError
from sync.config.model import SecretRef
from sync.located import Place, Problem

LARGEST = 8 * 1024
CREDENTIALS = Path("/etc/segmentd/credentials")     # where systemd's LoadCredential= of our unit reads them, too
_SHAPES = re.compile(
    r"pk_[0-9a-f]{12,}|pat-[a-z]{2,3}[0-9]+-[0-9a-f-]{12,}|[0-9a-f]{32}-us[0-9]+|sk_(?:live|test)_\w{8,}", re.IGNORECASE,
)
"""Private keys as the platforms spell them.

Source: Klaviyo developer guide "Authenticate API requests" (pk_…), HubSpot developer docs "Private apps" (pat-REGION-…),
Mailchimp developer guide "About API keys" (32 hex digits, a dash and the data centre).
"""


def holds_secret(text: str) -> bool:
    """Whether *text* has something in it that looks like a platform's key."""
    return _SHAPES.search(text) is not None


def without_secrets(text: str) -> str:
    """*text* with everything that looks like a key taken out."""
    return _SHAPES.sub("…", text)


def resolve(ref: SecretRef, environment: Mapping[str, str] | None = None) -> Secret:
    """The secret that *ref* names. Raises ConfigError that names the reference, never the content."""
    text = _held(ref, os.environ if environment is None else environment)
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _failed(ref, "is empty")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise _failed(ref, "holds control characters or several lines")
    return Secret(text)


def _held(ref: SecretRef, environment: Mapping[str, str]) -> str:
    if ref.kind == "env":
        if ref.name not in environment:
            raise _failed(ref, "is not set")
        return _bounded(ref, environment[ref.name].encode("utf-8", "surrogateescape"))
    for path in _paths(ref, environment):
        try:
            with path.open("rb") as file:
                return _bounded(ref, file.read(LARGEST + 1))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _failed(ref, f"cannot be read ({error.strerror})") from None
    raise _failed(ref, "is not there", "looked for " + " and ".join(map(str, _paths(ref, environment))))


def _paths(ref: SecretRef, environment: Mapping[str, str]) -> list[Path]:
    if ref.kind == "file":
        return [Path(ref.name)]
    given = environment.get("CREDENTIALS_DIRECTORY")
    return [*([Path(given) / ref.name] if given else []), CREDENTIALS / ref.name]


def _bounded(ref: SecretRef, held: bytes) -> str:
    if len(held) > LARGEST:
        raise _failed(ref, "is larger than 8 KiB")
    try:
        return held.decode("utf-8")
    except UnicodeDecodeError:
        raise _failed(ref, "is no UTF-8 text") from None


def _failed(ref: SecretRef, what: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(ref.place or Place("config", 1, 1), f"the secret {{{ref.kind}: {ref.name}}} {what}", hint)])
