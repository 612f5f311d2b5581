"""A secret is found where the reference says, and its content is in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.config.errors import ConfigError
from sync.config.model import SecretRef
from sync.config.secrets import holds_secret, resolve, without_secrets
from sync.located import Place

CANARY = "canary-7f3a"


def failure(ref: SecretRef, environment: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve(ref, environment)
    assert CANARY not in str(caught.value)
    assert int(caught.value.code) == 2
    return str(caught.value)


def test_an_environment_variable_gives_its_text() -> None:
    assert resolve(SecretRef("env", "KEY"), {"KEY": CANARY}).reveal() == CANARY


def test_a_file_gives_its_text_without_the_newline_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(CANARY + "\n")
    assert resolve(SecretRef("file", str(path)), {}).reveal() == CANARY
    path.write_text(CANARY + "\r\n")
    assert resolve(SecretRef("file", str(path)), {}).reveal() == CANARY


def test_a_credential_is_looked_for_where_systemd_puts_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, fallen_back = tmp_path / "given", tmp_path / "etc"
    given.mkdir()
    fallen_back.mkdir()
    monkeypatch.setattr("sync.config.secrets.CREDENTIALS", fallen_back)
    (fallen_back / "klaviyo").write_text("second")
    ref, environment = SecretRef("credential", "klaviyo"), {"CREDENTIALS_DIRECTORY": str(given)}
    assert resolve(ref, environment).reveal() == "second"
    (given / "klaviyo").write_text("first")
    assert resolve(ref, environment).reveal() == "first"


def test_a_secret_that_is_not_there_is_told_with_its_place_and_where_it_was_looked_for(tmp_path: Path) -> None:
    ref = SecretRef("credential", "klaviyo", Place("config.yaml", 4, 9))
    said = failure(ref, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert said.startswith("config.yaml:4:9: the secret {credential: klaviyo} is not there; looked for ")
    assert str(tmp_path / "klaviyo") in said
    assert failure(SecretRef("env", "KEY"), {}).endswith("the secret {env: KEY} is not set")


@pytest.mark.parametrize(("held", "said"), [
    (b"", "is empty"), (b"\n", "is empty"), (CANARY.encode() + b"\nmore", "control characters or several lines"),
    (CANARY.encode() * 1000, "larger than 8 KiB"), (CANARY.encode() + b"\x00", "control characters"),
    (CANARY.encode() + b"\xff", "is no UTF-8 text"),
])
def test_what_cannot_be_a_key_is_refused_without_showing_it(tmp_path: Path, held: bytes, said: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(held)
    assert said in failure(SecretRef("file", str(path)), {})


def test_a_directory_is_no_secret(tmp_path: Path) -> None:
    assert "cannot be read" in failure(SecretRef("file", str(tmp_path)), {})


@pytest.mark.parametrize("text", [
    "pk_0123456789abcdef0123456789abcdef01", "pat-na1-00000000-1111-2222-3333-444444444444",
    "0123456789abcdef0123456789abcdef-us21",
])
def test_keys_as_the_platforms_spell_them_are_recognised_anywhere(text: str) -> None:
    assert holds_secret(f"my key is {text}.")
    assert text not in without_secrets(f"my key is {text}.")


@pytest.mark.parametrize("text", ["pk_", "Patagonia", "9e67587f52", "klaviyo", "pat-a-cake"])
def test_other_words_are_no_keys(text: str) -> None:
    assert not holds_secret(text)
