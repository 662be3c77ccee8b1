"""How the control API answers: a message of the protocol, or a failure in words."""

from __future__ import annotations

from aiohttp import web

from stepfare.control import protocol


def message(said: protocol.Message, status: int = 200) -> web.Response:
    return web.Response(status=status, text=said.model_dump_json(), content_type="application/json")


def failure(status: int, error: str, words: str) -> web.Response:
    """`error` is a short stable name, `words` are for a person."""
    return message(protocol.Failure(error=error, words=words), status)
