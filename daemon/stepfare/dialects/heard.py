"""What an answer was, folded from its stream events: text, tool calls, usage, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stepfare.core.digest import reply_digest
from stepfare.core.prompt import Thought
from stepfare.core.request import ToolCall
from stepfare.dialects.base import (
    Faulted,
    Finished,
    Searched,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ThoughtMade,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from stepfare.dialects.toolnames import ToolName, as_free_text

TEXT_CHARS_KEPT = 256 * 1024
ARGUMENT_CHARS_KEPT = 1024 * 1024
"""Of all tool calls of an answer together; what is longer is counted, not kept."""
THOUGHTS_KEPT = 64
"""Of one answer; models think in a few pieces."""


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    pieces: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Heard:
    """Grows while an answer streams. `started` is the commit point: content was heard. Text beyond TEXT_CHARS_KEPT is counted, not kept."""

    started: bool = False
    output_chars: int = 0
    thinking_chars: int = 0
    """Those of `output_chars` that the model thought."""
    usage: UsageReported | None = None
    reported_chars: int = 0
    """How much of the answer had been heard when its usage was last reported."""
    searches: int = 0
    """Which the provider began itself, reported or not."""
    finished: str = ""
    fault: Faulted | None = None
    thoughts: list[Thought] = field(default_factory=list[Thought])
    names: Mapping[str, ToolName] = field(default_factory=dict[str, ToolName])
    """What the client calls a tool, where the provider was told another name for it."""
    before: str = ""
    """What the client has read of this answer already, by the model that began it."""
    _texts: list[str] = field(default_factory=list[str])
    _text_chars: int = 0
    _argument_chars: int = 0
    _calls: list[_Call] = field(default_factory=list[_Call])
    _open: dict[int, _Call] = field(default_factory=dict[int, _Call])
    """The call that each index of the stream means now."""

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
                    self.thinking_chars += len(text)
                case ThoughtMade(thought):
                    self.started = True
                    if len(self.thoughts) < THOUGHTS_KEPT:
                        self.thoughts.append(thought)
                case ToolCallStarted(index, call_id, name):
                    self._content(len(name))
                    self._begin(index, call_id, name)
                case ToolCallDelta(index, arguments):
                    self._content(len(arguments))
                    self._go_on(index, arguments)
                case UsageReported():
                    self._reported(event)
                case Searched(searches):
                    self.searches = searches
                case Finished(reason):
                    self.finished = reason
                    self.started = True  # An empty answer is an answer.
                case Faulted():
                    self.fault = event

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def text_chars(self) -> int:
        return self._text_chars

    @property
    def argument_chars(self) -> int:
        return self._argument_chars

    @property
    def call_count(self) -> int:
        return len(self._calls)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """In the order in which they began, as the client knows them."""
        return tuple(self._known(call) for call in self._calls)

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(call.id for call in self._calls if call.id)

    @property
    def reply_digest(self) -> str:
        """By which the client's next request, which repeats the whole text, is recognised; empty where there was none."""
        return reply_digest(self.before + self.text)

    def _known(self, call: _Call) -> ToolCall:
        arguments = "".join(call.pieces)
        tool = self.names.get(call.name)
        if tool is None:
            return ToolCall(call.id, call.name, arguments)
        return ToolCall(call.id, tool.name, as_free_text(arguments) if tool.custom else arguments)

    def _reported(self, report: UsageReported) -> None:
        """A later report replaces an earlier one, since counts are totals so far: some providers repeat them in every chunk. One that
        counts no prompt takes nothing back."""
        if self.usage is None or report.usage.input_tokens or not self.usage.usage.input_tokens:
            self.usage = report
            self.reported_chars = self.output_chars

    def _content(self, chars: int) -> None:
        if chars:
            self.started = True
            self.output_chars += chars

    def _begin(self, index: int, call_id: str, name: str) -> None:
        call = self._open.get(index)
        # Some providers give every call the index 0: another id is another call. Others repeat id and name in every piece.
        if call is None or (call_id and call.id and call_id != call.id):
            self._open[index] = call = _Call(call_id, name)
            self._calls.append(call)
        call.id, call.name = call.id or call_id, call.name or name

    def _go_on(self, index: int, arguments: str) -> None:
        if index not in self._open:
            self._begin(index, "", "")
        if self._argument_chars < ARGUMENT_CHARS_KEPT:
            self._open[index].pieces.append(arguments)
            self._argument_chars += len(arguments)
