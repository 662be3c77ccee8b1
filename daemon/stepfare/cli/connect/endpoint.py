"""Finds out what a client must be told: the daemon's address, the local token, and the smallest context window behind it.

The token and the port outlive the daemon's runs in `daemon.json`, so that a client stays connected over restarts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import cast
from urllib.parse import urlsplit

from pydantic import ValidationError

from stepfare.cli.connect.place import MODEL, Endpoint
from stepfare.control import protocol
from stepfare.control.client import DAEMON_FILE_BYTES_MAX
from stepfare.paths import Paths, is_private

PORT = 4884
CONTEXT_TOKENS = 128_000
"""What is told where nobody can be asked: no model that does agents' work today has less."""
CONTEXT_TOKENS_MIN = 4_096
ASK_S_MAX = 3.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
WINDOW_NAMES = ("context_length", "context_window", "context_tokens", "max_model_len")


class NoEndpoint(Exception):
    """It is not known what to tell a client. `words` say what to do."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def endpoint_from(paths: Paths, environ: Mapping[str, str], url: str | None) -> Endpoint:
    """What clients are to be told; `url` overrides the address. The window is 0 where nobody answered. Raises NoEndpoint."""
    file = _daemon_file(paths)
    token = environ.get("STEPFARE_TOKEN", "").strip() or (file.local_token if file else "")
    if not token:
        raise NoEndpoint(
            f"No token is known: the daemon has never run here ({paths.daemon_json} is missing). "
            "Start it once with `stepfare serve`, or set STEPFARE_TOKEN, then connect again."
        )
    base_url = with_version(url) if url is not None else _local_url(file, environ)
    return Endpoint(base_url, token, ask_for_window(base_url, token))


def with_version(url: str) -> str:
    """The address as clients want it, ending in /v1. Raises NoEndpoint where it is none."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise NoEndpoint(f"`{url}` is not an address that a client could use. Write it like http://127.0.0.1:{PORT}.")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}" + ("" if path.endswith("/v1") else "/v1")


def ask_for_window(base_url: str, token: str) -> int:
    """The context window to tell a client, in tokens; 0 where nobody answers."""
    parts = urlsplit(base_url)
    assert parts.hostname is not None, base_url
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=ASK_S_MAX)
    try:
        health = _asked(connection, f"{parts.path.removesuffix('/v1')}/health", token)
        if isinstance(health, dict) and cast("dict[str, object]", health).get("mode") == "simulator":
            # The simulator's window tells nothing of the models that will answer once there is a key.
            return CONTEXT_TOKENS
        return _window_in(_asked(connection, f"{parts.path}/models", token))
    except (OSError, HTTPException, ValueError):
        return 0
    finally:
        connection.close()


def _asked(connection: HTTPConnection, path: str, token: str) -> object:
    """The JSON that is answered; None for a refusal."""
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read(ANSWER_BYTES_MAX)
    return cast(object, json.loads(body)) if answer.status == 200 else None


def _window_in(listing: object) -> int:
    data = cast("dict[str, object]", listing).get("data") if isinstance(listing, dict) else None
    rows = [cast("dict[str, object]", row) for row in cast("list[object]", data) if isinstance(row, dict)] if isinstance(data, list) else []
    named = [row for row in rows if row.get("id") == MODEL] or rows
    windows = [value for row in named for name in WINDOW_NAMES if isinstance(value := row.get(name), int) and value >= CONTEXT_TOKENS_MIN]
    return min(windows, default=0)


def _local_url(file: protocol.DaemonFile | None, environ: Mapping[str, str]) -> str:
    named = environ.get("STEPFARE_PORT", "").strip()
    port = file.port if file else int(named) if named.isdecimal() and int(named) > 0 else PORT
    host = file.host if file else "127.0.0.1"
    if host in ("0.0.0.0", "::"):  # every address of the machine; a client on it takes the nearest
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def _daemon_file(paths: Paths) -> protocol.DaemonFile | None:
    """The file of the running daemon, or of the one that ran last."""
    try:
        if not is_private(paths.daemon_json):
            raise NoEndpoint(f"{paths.daemon_json} can be read or written by others, so it is not trusted. Restart the daemon.")
        with paths.daemon_json.open("rb") as file:
            return protocol.DaemonFile.model_validate_json(file.read(DAEMON_FILE_BYTES_MAX))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as problem:
        raise NoEndpoint(f"{paths.daemon_json} cannot be read. Remove it and restart the daemon: {problem}") from problem
