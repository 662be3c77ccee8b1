"""Where secrets are looked up, at the moment in which they go on the wire. No value and no log ever holds one."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path


class NoKey(Exception):
    """The reference leads nowhere; the message says so without repeating a secret."""


KEY_FILE_BYTES_MAX = 16 * 1024
KEYRING_SERVICE = "stepfare"
SECRET_CHARS_MIN = 6
"""Anything shorter is no key, and may stand in any text."""


def look_up(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret of `env:NAME`, `keyring:NAME` or `file:PATH`; an empty reference is an empty secret. Raises NoKey."""
    if not reference:
        return ""
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            secret = environ.get(name, "")
            missing = f"the environment variable {name} is not set"
        case "keyring":
            secret, missing = _from_keyring(name), f"the keyring holds no entry {name!r} of service {KEYRING_SERVICE!r}"
        case "file":
            secret, missing = _from_file(name)
        case _:
            raise NoKey("a key is written as env:NAME, keyring:NAME or file:PATH")
    secret = secret.strip()
    if not secret:
        raise NoKey(missing)
    if not secret.isprintable() or not secret.isascii():
        raise NoKey(f"the key of {kind}:{name} has characters that no key has")
    return secret


def present(reference: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a secret can be found there now."""
    try:
        look_up(reference, environ)
    except NoKey:
        return False
    return True


def without(secret: str, body: bytes) -> bytes:
    """The bytes with the secret blotted out, should a provider repeat it."""
    return body.replace(secret.encode(), b"[key]") if len(secret) >= SECRET_CHARS_MIN else body


def auth_headers(auth: str, secret: str) -> dict[str, str]:
    """How the secret is put on the wire."""
    if not secret or auth == "none":
        return {}
    return {auth: secret} if auth in ("x-api-key", "api-key") else {"authorization": f"Bearer {secret}"}


def _from_keyring(name: str) -> str:
    import keyring  # Slow to import, and few people need it.
    import keyring.errors

    backend = keyring.get_keyring()
    if type(backend).__name__.startswith("Plaintext"):
        raise NoKey("the only keyring here stores secrets in clear; use file:PATH with mode 0600, or env:NAME")
    try:
        return keyring.get_password(KEYRING_SERVICE, name) or ""
    except keyring.errors.KeyringError as error:
        raise NoKey(f"the keyring cannot be read ({type(error).__name__}); use env:NAME or file:PATH") from None


def _from_file(name: str) -> tuple[str, str]:
    path = Path(name)
    try:
        path = path.expanduser()
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise NoKey(f"the key file {path} is no plain file")
        if mode & 0o077:
            raise NoKey(f"the key file {path} can be read by others; run: chmod 600 {path}")
        with path.open("rb") as file:
            return file.read(KEY_FILE_BYTES_MAX).decode("utf-8", "replace"), f"the key file {path} is empty"
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NoKey(f"the key file {path} cannot be read: {why}") from None
