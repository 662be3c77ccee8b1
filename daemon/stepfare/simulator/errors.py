"""Errors in each provider's own shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from stepfare.simulator.refused import Refused
from stepfare.simulator.values import Json, JsonObject

OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
GOOGLE_STATUS = {
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    529: "UNAVAILABLE",
}


def anthropic_type(status: int) -> str:
    return ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")


def _openai(refused: Refused, _request_id: str) -> JsonObject:
    status = refused.status
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": refused.words, "type": kind, "param": refused.param, "code": refused.code}}


def _anthropic(refused: Refused, request_id: str) -> JsonObject:
    return {"type": "error", "error": {"type": anthropic_type(refused.status), "message": refused.words}, "request_id": request_id}


def _google(refused: Refused, _request_id: str) -> list[Json]:
    status = GOOGLE_STATUS.get(refused.status, "INVALID_ARGUMENT" if refused.status < 500 else "INTERNAL")
    return [{"error": {"code": refused.status, "message": refused.words, "status": status}}]


def _mistral(refused: Refused, _request_id: str) -> JsonObject:
    message: Json = cast(Json, refused.detail) if refused.detail else refused.words
    kind = "invalid_request_error" if refused.status < 500 else "internal_server_error"
    return {
        "object": "error",
        "message": message,
        "type": kind,
        "param": refused.param,
        "code": refused.code,
        "raw_status_code": refused.status,
    }


def _xai(refused: Refused, _request_id: str) -> JsonObject:
    return {"code": refused.code or "The request could not be served", "error": refused.words}


def _openrouter(refused: Refused, request_id: str) -> JsonObject:
    if "provider_name" not in refused.detail:
        return {"error": {"message": refused.words, "code": refused.status}, "user_id": f"user_{request_id}"}
    raw = '{"error":{"message":' + _quoted(refused.words) + "}}"
    metadata: JsonObject = {"raw": raw, "provider_name": str(refused.detail["provider_name"])}
    return {"error": {"message": "Provider returned error", "code": refused.status, "metadata": metadata}, "user_id": f"user_{request_id}"}


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


_SHAPES: Mapping[str, Callable[[Refused, str], Json]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "google": _google,
    "mistral": _mistral,
    "xai": _xai,
    "openrouter": _openrouter,
}


def error_body(shape: str, refused: Refused, request_id: str = "") -> Json:
    """The body of a refusal, in one of the shapes that families name."""
    return _SHAPES[shape](refused, request_id)
