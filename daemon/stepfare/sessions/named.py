"""Which session a client says that a request is of: in its headers or, where a proxy has taken those off, in the body.

Who is searched for where no client says anything is the business of `identify`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from stepfare.core.request import RequestView, Role, Text

BODY_FIELD_BYTES_MAX = 16 * 1024
"""Of a field of the body that is read for ids: real ones have a few hundred bytes."""

# A subagent is a session of its own: its id stands before that of the session which it shares with its parent.
_CLIENT_IDS = (
    "x-stepfare-session",
    "x-claude-code-agent-id",
    "x-claude-code-session-id",
    "thread-id",
    "session-id",
    "session_id",
    "x-session-id",
    "x-session-affinity",
    # Each client's own: Kilo Code, Roo Code, Zoo, Copilot's command line, Open WebUI, Coder.
    "x-kilocode-taskid",
    "x-roo-task-id",
    "x-zoo-session-id",
    "x-client-session-id",
    "x-openwebui-chat-id",
    "x-coder-chat-id",
)
_PARENT_IDS = ("x-parent-session-id", "x-codex-parent-thread-id")
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OLD_USER_ID = re.compile(r"\Auser_[0-9a-f]+_account_[\w-]*_session_([\w-]+)\Z")
_SUBAGENT = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\bcc_is_subagent=true")


@dataclass(frozen=True, slots=True)
class Named:
    """`session` is empty where the client does not say; it may name a parent all the same."""

    session: str = ""
    parent: str = ""


def named(view: RequestView) -> Named:
    """What the client says of this request's session."""
    headers = view.headers
    session = next((_safe(headers[name]) for name in _CLIENT_IDS if headers.get(name)), "")
    if session:
        return Named(session, _parent(headers))
    reader = _BODIES.get(view.dialect)
    return reader(view) if reader is not None else Named()


def _parent(headers: Mapping[str, str]) -> str:
    if headers.get("x-claude-code-agent-id"):
        above = headers.get("x-claude-code-parent-agent-id") or headers.get("x-claude-code-session-id")
        return _safe(above) if above else ""
    return next((_safe(headers[name]) for name in _PARENT_IDS if headers.get(name)), "")


def _in_messages(view: RequestView) -> Named:
    """Claude Code's session stands in what it tells of its user. A subagent tells its parent's, and has no id of its own there."""
    told = _field(view, "metadata").get("user_id")
    old = _OLD_USER_ID.match(told) if isinstance(told, str) else None
    session = old.group(1) if old is not None else _text(_object(told).get("session_id"))
    if not session:
        return Named()
    return Named(parent=_safe(session)) if _is_subagent(view) else Named(_safe(session))


def _is_subagent(view: RequestView) -> bool:
    first = view.turns[0] if view.turns else None
    return (
        first is not None
        and first.role is Role.SYSTEM
        and any(isinstance(block, Text) and _SUBAGENT.match(block.text) for block in first.blocks)
    )


def _in_responses(view: RequestView) -> Named:
    """Codex repeats in its bodies what it tells in its headers."""
    told = _object(_field(view, "client_metadata").get("x-codex-turn-metadata"))
    thread, parent = _text(told.get("thread_id")) or _text(told.get("session_id")), _text(told.get("parent_thread_id"))
    if not thread:
        return Named()
    return Named(_safe(thread), _safe(parent) if parent and parent != thread else "")


_BODIES = {"anthropic": _in_messages, "responses": _in_responses}


def _field(view: RequestView, key: str) -> Mapping[str, object]:
    """An object at the top level of the body; empty where there is none."""
    span = next((span for span in view.spans if span.key == key), None)
    if span is None or span.end - span.start > BODY_FIELD_BYTES_MAX:
        return {}
    return _object(view.raw[span.start : span.end])


def _object(told: object) -> Mapping[str, object]:
    """The object that this JSON text says; empty for anything else."""
    if not isinstance(told, str | bytes) or len(told) > BODY_FIELD_BYTES_MAX:
        return {}
    try:
        said: object = json.loads(told)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", said) if isinstance(said, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _safe(value: str) -> str:
    """A client's id as it may stand in our books: as it is where it is plain, else its digest."""
    return value if _PLAIN_ID.fullmatch(value) else "x" + blake2b(value.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
