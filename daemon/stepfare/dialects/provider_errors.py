"""Why a provider gave no answer, read from its status and body, in whichever of the formats' shapes it says so."""

from __future__ import annotations

from typing import cast

from stepfare.core.attempt import Failure, Fault
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest

# How providers say that a prompt is too long for the model, in lower case.
_OVERFLOW_MARKS = (
    "context_length",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many tokens",
    "exceeds max length",
    "exceeded model token limit",
    "exceeds the maximum number of tokens",
    "maximum prompt length",
    "reduce the length of the messages",
)
# How some say with status 400 what others say with 401.
_KEY_MARKS = ("incorrect api key", "invalid api key", "api key not valid", "api_key_invalid")
ERROR_CHARS_MAX = 300
"""What of a provider's error is told in words."""
ERROR_BYTES_READ = 4096
ERROR_DEPTH_MAX = 4


def read_error(status: int, content_type: str, body: bytes) -> Fault:
    """Why the provider gave no answer, from its status and body; the retry time is the caller's to add. The fault keeps the
    body only where it is an error in this format, which clients may be shown."""
    value = _error_value(body)
    words = _error_words(value) or ("" if value is not None or _is_page(content_type, body) else _plain_words(body))
    said = f": {words}" if words else f" with {content_type or 'no content type'}"
    shown = body if isinstance(value, dict) and words else b""
    text = body[:ERROR_BYTES_READ].decode("utf-8", "replace").lower()
    if status == 413 or (status in (400, 422) and any(mark in text for mark in _OVERFLOW_MARKS)):
        return Fault(Failure.OVERFLOW, f"the prompt is too long for it{said}", status, body=shown)
    if status == 400 and any(mark in text for mark in _KEY_MARKS):
        return Fault(Failure.KEY, f"it answered {status}{said}", status, body=shown)
    if status == 429 and "insufficient_quota" in text:
        return Fault(Failure.KEY, f"its account has no credit left{said}", status, body=shown)
    failure = _FAILURES.get(status, Failure.REFUSED if 400 <= status < 500 else Failure.DOWN)
    return Fault(failure, f"it answered {status}{said}", status, body=shown)


_FAILURES = {
    401: Failure.KEY,
    402: Failure.KEY,
    403: Failure.KEY,
    404: Failure.DOWN,  # A model that this provider does not have: another may.
    408: Failure.DOWN,
    409: Failure.BUSY,
    425: Failure.BUSY,
    429: Failure.BUSY,
    498: Failure.BUSY,  # Groq, where a cheaper tier of service has no room.
    503: Failure.BUSY,
    529: Failure.BUSY,
}


def _error_value(body: bytes) -> object:
    try:
        return splice.loads(body) if body else None
    except BadRequest:
        return None


def _error_words(value: object, depth: int = 0) -> str:
    """What an error says, wherever the provider put it."""
    if isinstance(value, list) and value:
        value = cast("list[object]", value)[0]  # Google's wraps it in a list.
    if isinstance(value, str):
        return " ".join(value.split())[:ERROR_CHARS_MAX]
    if not isinstance(value, dict) or depth > ERROR_DEPTH_MAX:
        return ""
    fields = cast("dict[str, object]", value)
    found = next((words for key in ("error", "message", "detail", "msg") if (words := _error_words(fields.get(key), depth + 1))), "")
    metadata = fields.get("metadata")
    raw = cast("dict[str, object]", metadata).get("raw") if isinstance(metadata, dict) else None
    if found and isinstance(raw, str) and raw:
        found = f"{found} ({' '.join(raw.split())})"  # OpenRouter's own message says only that its provider failed.
    return found[:ERROR_CHARS_MAX]


def _plain_words(body: bytes) -> str:
    return " ".join(body[:ERROR_BYTES_READ].decode("utf-8", "replace").split())[:ERROR_CHARS_MAX]


def _is_page(content_type: str, body: bytes) -> bool:
    return "html" in content_type or body[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))
