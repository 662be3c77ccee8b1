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
    "exceed context limit",
    "exceed_context_size",
    "range of input length",
    "max_new_tokens` must be",
)
# How some say with status 400 what others say with 401.
_KEY_MARKS = ("incorrect api key", "invalid api key", "api key not valid", "api_key_invalid")
ERROR_CHARS_MAX = 300
"""What of a provider's error is told in words."""
ERROR_BYTES_READ = 4096
ERROR_DEPTH_MAX = 4
CONTENT_TYPE_CHARS_MAX = 100


def read_error(status: int, content_type: str, body: bytes) -> Fault:
    """Why the provider gave no answer, from its status and body; the retry time is the caller's to add. The fault keeps the
    body only where it is an error in this format, which clients may be shown."""
    value = _error_value(body)
    words = _error_words(value) or ("" if value is not None or _is_page(content_type, body) else _plain_words(body))
    said = f": {words}" if words else f" with {content_type[:CONTENT_TYPE_CHARS_MAX] or 'no content type'}"
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


def read_reported(words: str, status: int, code: str) -> Fault:
    """What an error means that came within an answer of status 200, before any content: the same as by the status it would have had."""
    said = f"{words} {code}".lower()
    status = status or next((status for marks, status in _STATUSES if any(mark in code.lower() for mark in marks)), 0)
    if any(mark in said for mark in _OVERFLOW_MARKS):
        return Fault(Failure.OVERFLOW, f"the prompt is too long for it: {words}", status or 400)
    if "insufficient_quota" in said or any(mark in said for mark in _KEY_MARKS):
        return Fault(Failure.KEY, f"it reported an error: {words}", status or 401)
    failure = _FAILURES.get(status, Failure.REFUSED if 400 <= status < 500 else Failure.DOWN)
    return Fault(failure, f"it reported an error: {words}", status or 200)


def has_shape(dialect: str, body: bytes) -> bool:
    """Whether clients of this format can read this body of an error: gateways answer in another one's."""
    value = _error_value(body)
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    error = fields.get("error")
    inner = cast("dict[str, object]", error) if isinstance(error, dict) else {}
    named = dialect != "anthropic" or (fields.get("type") == "error" and isinstance(inner.get("type"), str))
    return named and isinstance(inner.get("message"), str)


_STATUSES = (
    (("overloaded", "slow_down", "unavailable"), 503),
    (("rate_limit", "rate-limit", "usage_limit"), 429),
    (("authentication", "invalid_api_key", "permission", "billing", "insufficient_quota"), 401),
    (("invalid_request", "invalid_prompt", "context_length"), 400),
)
"""The statuses that errors would have had, had they come before the stream, by parts of their codes."""

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
