"""Where secrets are looked up: each way, each way of failing in words, and never a word that repeats one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest

from stepfare.upstream.keys import KEY_FILE_BYTES_MAX, KEYRING_SERVICE, NoKey, auth_headers, look_up, present

SECRET = "sk-very-secret-0123456789"


def words(reference: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(NoKey) as told:
        look_up(reference, environ or {})
    assert not present(reference, environ or {})
    assert SECRET not in str(told.value)
    return str(told.value)


def key_file(folder: Path, content: bytes = SECRET.encode(), mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


def test_no_reference_is_no_secret() -> None:
    assert look_up("", {}) == ""
    assert present("", {})


def test_a_key_of_the_environment() -> None:
    assert look_up("env:LAB_KEY", {"LAB_KEY": f" {SECRET}\n"}) == SECRET
    assert present("env:LAB_KEY", {"LAB_KEY": SECRET})
    assert words("env:LAB_KEY") == "the environment variable LAB_KEY is not set"
    assert words("env:LAB_KEY", {"LAB_KEY": "  "}) == "the environment variable LAB_KEY is not set"


def test_a_key_in_a_file_of_ones_own(tmp_path: Path, home: Path) -> None:
    assert look_up(key_file(tmp_path, SECRET.encode() + b"\r\n")) == SECRET
    key_file(home)
    assert look_up("file:~/key") == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    reference = key_file(tmp_path, mode=mode)
    assert words(reference) == f"the key file {tmp_path}/key can be read by others; run: chmod 600 {tmp_path}/key"


def test_a_file_without_a_key_is_told(tmp_path: Path) -> None:
    assert words(key_file(tmp_path, b" \n")) == f"the key file {tmp_path}/key is empty"
    assert words(f"file:{tmp_path}/none") == f"the key file {tmp_path}/none cannot be read: No such file or directory"
    assert words(f"file:{tmp_path}") == f"the key file {tmp_path} is no plain file"
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert words(f"file:{tmp_path}/pipe") == f"the key file {tmp_path}/pipe is no plain file"
    assert "cannot be read" in words("file:~nobody-of-that-name/key")
    assert "cannot be read" in words("file:/tmp/\0")


def test_a_link_to_a_key_is_followed(tmp_path: Path) -> None:
    key_file(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    assert look_up(f"file:{tmp_path}/link") == SECRET


@pytest.mark.parametrize(
    "content", [SECRET.encode() + b"\nsecond line", SECRET.encode() + b"\x00", "clé-".encode() + SECRET.encode(), b"\xff" * 9]
)
def test_what_no_key_looks_like_is_not_sent(tmp_path: Path, content: bytes) -> None:
    reference = key_file(tmp_path, content)
    assert words(reference) == f"the key of {reference} has characters that no key has"


def test_a_file_is_read_no_further_than_a_key_is_long(tmp_path: Path) -> None:
    assert look_up(key_file(tmp_path, b"k" * 10_000_000)) == "k" * KEY_FILE_BYTES_MAX


@pytest.mark.parametrize("reference", [SECRET, f"sk:{SECRET}", f"ENV:{SECRET}", f":{SECRET}"])
def test_a_key_written_in_the_place_of_its_reference_is_not_repeated(reference: str) -> None:
    assert words(reference) == "a key is written as env:NAME, keyring:NAME or file:PATH"


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    locked = False

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked(f"{SECRET} is locked")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


class PlaintextRing(Ring):
    pass


@pytest.fixture
def ring() -> Ring:
    found = Ring()
    keyring.set_keyring(found)
    return found


@pytest.fixture(autouse=True)
def own_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def test_a_key_in_the_keyring(ring: Ring) -> None:
    ring.set_password(KEYRING_SERVICE, "lab", SECRET)
    assert look_up("keyring:lab") == SECRET
    assert words("keyring:other") == "the keyring holds no entry 'other' of service 'stepfare'"


def test_a_locked_keyring_is_told_without_what_it_says(ring: Ring) -> None:
    ring.locked = True
    assert words("keyring:lab") == "the keyring cannot be read (KeyringLocked); use env:NAME or file:PATH"


def test_a_machine_without_a_keyring_is_told() -> None:
    assert words("keyring:lab") == "the keyring cannot be read (NoKeyringError); use env:NAME or file:PATH"


def test_a_keyring_that_writes_secrets_in_clear_is_not_used() -> None:
    plain = PlaintextRing()
    plain.set_password(KEYRING_SERVICE, "lab", SECRET)
    keyring.set_keyring(plain)
    assert words("keyring:lab").startswith("the only keyring here stores secrets in clear")


@pytest.mark.parametrize(
    ("auth", "secret", "headers"),
    [
        ("bearer", "k", {"authorization": "Bearer k"}),
        ("x-api-key", "k", {"x-api-key": "k"}),
        ("api-key", "k", {"api-key": "k"}),
        ("none", "k", {}),
        ("bearer", "", {}),
        ("x-api-key", "", {}),
        ("api-key", "", {}),
    ],
)
def test_how_a_key_goes_on_the_wire(auth: str, secret: str, headers: dict[str, str]) -> None:
    assert auth_headers(auth, secret) == headers
