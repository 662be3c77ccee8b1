"""The wire formats by name: what each can do, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stepfare.core.attempt import Fault
from stepfare.core.request import RequestView
from stepfare.dialects import openai_chat, openai_chat_answer
from stepfare.dialects.base import UsageReported
from stepfare.dialects.heard import Heard


class Stream(Protocol):
    """One streamed answer on its way to the client."""

    heard: Heard
    tail: bytes
    """The end mark, kept back until the caller has had the last word."""

    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...
    @property
    def complete(self) -> bool: ...


CostText = Callable[[UsageReported], str | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions of one wire format; their modules say what each promises."""

    name: str
    path: str
    read_request: Callable[[bytes, Mapping[str, str]], RequestView]
    request_for: Callable[[RequestView, str], bytes]
    stream: Callable[[str, bool, CostText], Stream]
    read_body: Callable[[bytes, str, CostText], tuple[bytes, Heard]]
    write_error: Callable[[int, str, str], bytes]
    error_event: Callable[[str, str], bytes]
    read_error: Callable[[int, str, bytes], Fault]


def _chat_stream(alias: str, show_usage: bool, cost_text: CostText) -> Stream:
    return openai_chat_answer.ChatStream(alias, show_usage=show_usage, cost_text=cost_text)


OPENAI = Dialect(
    name=openai_chat.NAME,
    path=openai_chat.PATH,
    read_request=openai_chat.read_request,
    request_for=openai_chat.request_for,
    stream=_chat_stream,
    read_body=openai_chat_answer.read_body,
    write_error=openai_chat.write_error,
    error_event=openai_chat.error_event,
    read_error=openai_chat.read_error,
)

DIALECTS: Mapping[str, Dialect] = {OPENAI.name: OPENAI}
