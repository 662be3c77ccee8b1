"""The one line of status bars: what this session cost, which tier serves, what was saved. It is drawn every few seconds, so it imports next
to nothing, asks one small question, waits a moment at most, and never fails: a bar hides a command that does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import cast
from urllib.parse import urlencode

from stepfare.cli.render.words import coins
from stepfare.paths import Paths, paths_from

FORMATS = ("statusline", "tmux", "plain")
OFF = "stepfare off"
SILENT = "stepfare does not answer"
ANSWER_S_MAX = 2.0
TOLD_S_MAX = 0.2
"""How long whoever runs the bar may take to say on stdin what it is at work on."""
TOLD_BYTES_MAX = 256 * 1024
SEPARATOR = " . "
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_NOTHING: Mapping[str, object] = {}
Paint = Callable[[str, str], str]
"""A text in a style."""
_ANSI = {
    "spent": "1",
    "frugal": "32",
    "balanced": "34",
    "premium": "35",
    "saved": "32",
    "lost": "33",
    "warn": "33",
    "bad": "1;31",
    "dim": "2",
}
_TMUX = {
    "spent": "bold",
    "frugal": "fg=green",
    "balanced": "fg=blue",
    "premium": "fg=magenta",
    "saved": "fg=green",
    "lost": "fg=yellow",
    "warn": "fg=yellow",
    "bad": "fg=red,bold",
    "dim": "dim",
}


def asked_for(arguments: Sequence[str]) -> str:
    """The format, where these arguments of the command line ask for nothing but a bar; else an empty text."""
    match arguments:
        case ["status", "--format", form] if form in FORMATS:
            return form
        case ["status", given] if given.removeprefix("--format=") in FORMATS:
            return given.removeprefix("--format=")
        case _:
            return ""


def show(form: str, environ: Mapping[str, str]) -> None:
    """Print the line."""
    try:
        told = _told() if form == "statusline" else _NOTHING
        text = line(_glance(paths_from(environ), told), form, colours=not environ.get("NO_COLOR"))
    except (TimeoutError, ValueError):
        text = SILENT
    except Exception:  # noqa: BLE001 (whatever is wrong: a bar has no room for reasons; `stepfare status` has)
        text = OFF
    print(text)


def line(glance: Mapping[str, object], form: str, *, colours: bool = True) -> str:
    """The line for a glance as the daemon told it (`protocol.Glance`)."""
    paint = _PAINTS[form] if colours or form == "tmux" else _plain
    spent_pusd, tier = glance.get("spent_pusd"), str(glance.get("tier") or "")
    parts: list[str] = []
    if glance.get("session"):
        spent = str(glance.get("unbilled") or (coins(spent_pusd) if isinstance(spent_pusd, int) else "unpriced"))
        severity = str(glance.get("severity"))
        parts.append(paint(spent, {"warning": "warn", "error": "bad"}.get(severity, "spent")))
        parts += [paint(tier, tier)] if tier else []
        parts += _saved(glance.get("saved_pusd"), paint)
    if form != "statusline" or not parts:
        parts.append(f"{glance.get('today_unbilled') or coins(_whole(glance.get('today_pusd')))} today")
    if glance.get("mode") == "simulator":
        parts.append(paint("play money", "warn"))
    return paint(SEPARATOR, "dim").join(parts)


def _saved(pusd: object, paint: Paint) -> list[str]:
    """What was saved, or paid more, against always taking the best model; nothing where it would not show."""
    saved_pusd = _whole(pusd)
    if coins(abs(saved_pusd)) in ("$0.00", "<$0.01"):
        return []
    return [paint(f"saved {coins(saved_pusd)}", "saved") if saved_pusd > 0 else paint(f"{coins(-saved_pusd)} more than premium", "lost")]


def _glance(paths: Paths, told: Mapping[str, object]) -> Mapping[str, object]:
    """What the daemon says. Raises OSError (TimeoutError among them), ValueError, KeyError."""
    file = json.loads(paths.daemon_json.read_bytes())
    session, folder = told.get("session_id"), told.get("cwd")
    # A session that is told is the one that is meant, even where nothing is known of it yet.
    query = {"session": session} if isinstance(session, str) and session else {"folder": folder if isinstance(folder, str) else os.getcwd()}
    host = str(file["host"])
    host = WILDCARDS.get(host, host)
    request = (
        f"GET /control/v1/glance?{urlencode(query)} HTTP/1.0\r\nHost: {'[' + host + ']' if ':' in host else host}:{file['port']}\r\n"
        f"Authorization: Bearer {file['control_token']}\r\n\r\n"
    )
    with socket.create_connection((host, file["port"]), timeout=ANSWER_S_MAX) as connection:
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError("the daemon refused")
    return json.loads(body)


def _told() -> Mapping[str, object]:
    """What Claude Code says on stdin of the session that the line is for; empty where nothing, or nothing of use, is said."""
    try:
        if sys.stdin.isatty():
            return {}
        descriptor, data = sys.stdin.fileno(), b""
        while len(data) < TOLD_BYTES_MAX and select.select([descriptor], [], [], TOLD_S_MAX)[0]:
            piece = os.read(descriptor, 65536)
            if not piece:
                break
            data += piece
        told: object = json.loads(data)
    except (OSError, ValueError, AttributeError):
        return {}
    return cast("dict[str, object]", told) if isinstance(told, dict) else {}


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _plain(text: str, _style: str) -> str:
    return text


def _ansi(text: str, style: str) -> str:
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m"


def _tmux(text: str, style: str) -> str:
    return f"#[{_TMUX[style]}]{text}#[default]"


_PAINTS: Mapping[str, Paint] = {"statusline": _ansi, "tmux": _tmux, "plain": _plain}
