"""The control API as an OpenAPI document, made from its own table of routes and the messages that they carry."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic.json_schema import models_json_schema

from stepfare import __version__
from stepfare.control import protocol

OPENAPI = "3.1.0"
SECURITY = "control_token"
_PARAMETER = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_REF = "#/components/schemas/{model}"
_JSON = "application/json"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the control API. `answer` is the message of a good answer (None: a stream of `protocol.Event`s, or this document),
    `asked` that of its body, `query` the parameters that it understands."""

    method: str
    path: str
    handler: Handler
    answer: type[protocol.Message] | None = None
    asked: type[protocol.Message] | None = None
    query: tuple[str, ...] = ()


def document(routes: Iterable[Route], root: str) -> Mapping[str, Any]:
    """The whole document, with every schema that an operation refers to."""
    rows = list(routes)
    messages = {message for row in rows for message in (row.answer, row.asked) if message is not None}
    named = sorted({*messages, protocol.Failure, protocol.Event}, key=lambda message: message.__name__)
    _, schemas = models_json_schema([(message, "serialization") for message in named], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(_PARAMETER.sub(r"{\1}", f"{root}/{row.path}"), {})[row.method.lower()] = _operation(row)
    return {
        "openapi": OPENAPI,
        "info": {"title": "stepfare control API", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {SECURITY: {"type": "http", "scheme": "bearer", "description": "control_token of daemon.json"}},
        },
        "security": [{SECURITY: []}],
    }


def _operation(row: Route) -> dict[str, Any]:
    places = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PARAMETER.findall(row.path)]
    asked = [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in row.query]
    summary = " ".join((row.handler.__doc__ or row.handler.__name__.replace("_", " ")).split())
    words = _PARAMETER.sub(r"of_\1", row.path)
    operation: dict[str, Any] = {
        "operationId": "_".join((row.method.lower(), *re.findall("[a-z]+", words))),
        "summary": summary,
        "parameters": [*places, *asked],
        "responses": {"200": _good(row), "default": _carrying(protocol.Failure, "what was wrong, and what to do")},
    }
    if row.asked is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(row.asked)}}}
    return operation


def _good(row: Route) -> dict[str, Any]:
    if row.answer is not None:
        return _carrying(row.answer, row.answer.__name__)
    if row.path == "events":
        stream = {"type": "string", "description": "server-sent events; the data of each is an Event"}
        return {"description": "the feed", "content": {"text/event-stream": {"schema": stream}}}
    return {"description": "this document", "content": {_JSON: {"schema": {"type": "object"}}}}


def _carrying(message: type[protocol.Message], words: str) -> dict[str, Any]:
    return {"description": words, "content": {_JSON: {"schema": _ref(message)}}}


def _ref(message: type[protocol.Message]) -> dict[str, str]:
    return {"$ref": _REF.format(model=message.__name__)}
