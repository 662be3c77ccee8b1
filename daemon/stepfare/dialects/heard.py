"""What an answer was, folded from its stream events: text, tool calls, usage, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stepfare.core.digest import reply_digest
from stepfare.core.request import ToolCall
from stepfare.dialects.base import (
    Faulted,
    Finished,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

TEXT_CHARS_KEPT = 256 * 1024


@dataclass(slots=True)
class Heard:
    """Grows while an answer streams. `started` is the commit point: content was heard. Text beyond TEXT_CHARS_KEPT is counted, not kept."""

    started: bool = False
    output_chars: int = 0
    usage: UsageReported | None = None
    finished: str = ""
    fault: Faulted | None = None
    _texts: list[str] = field(default_factory=list[str])
    _text_chars: int = 0
    _calls: dict[int, tuple[str, str, list[str]]] = field(default_factory=dict[int, tuple[str, str, list[str]]])

    def hear(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            match event:
                case TextDelta(text):
                    self._content(len(text))
                    if self._text_chars < TEXT_CHARS_KEPT:
                        self._texts.append(text)
                        self._text_chars += len(text)
                case ThinkingDelta(text):
                    self._content(len(text))
                case ToolCallStarted(index, call_id, name):
                    self._content(len(name))
                    self._calls.setdefault(index, (call_id, name, []))
                case ToolCallDelta(index, arguments):
                    self._content(len(arguments))
                    self._calls.setdefault(index, ("", "", []))[2].append(arguments)
                case UsageReported():
                    self.usage = event  # A later report replaces an earlier one: some providers repeat it in every chunk.
                case Finished(reason):
                    self.finished = reason
                    self.started = True  # An empty answer is an answer.
                case Faulted():
                    self.fault = event

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(call_id, name, "".join(pieces)) for _, (call_id, name, pieces) in sorted(self._calls.items()))

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(call_id for _, (call_id, _, _) in sorted(self._calls.items()) if call_id)

    @property
    def reply_digest(self) -> str:
        """By which the client's next request, which repeats this text, is recognised; empty where there was none."""
        return reply_digest(self.text)

    def _content(self, chars: int) -> None:
        if chars:
            self.started = True
            self.output_chars += chars
