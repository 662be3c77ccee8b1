"""OpenAI chat completions, written from stream events: the answer half of a bridge."""

from __future__ import annotations

from stepfare.core.request import RequestView
from stepfare.dialects.base import CostText, StreamEvent


class ChatWriter:
    def __init__(self, view: RequestView, answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> None:
        raise NotImplementedError

    def write(self, event: StreamEvent) -> bytes:
        raise NotImplementedError

    def end(self) -> bytes:
        raise NotImplementedError


def write_body(view: RequestView, events: tuple[StreamEvent, ...], answer_id: str, at_ms: int, maker: str, cost_text: CostText) -> bytes:
    raise NotImplementedError
