"""What an answer was, folded from its events: text, calls, usage, and when it began."""

from __future__ import annotations

import pytest

from stepfare.core.digest import reply_digest
from stepfare.core.money import Usage
from stepfare.core.request import ToolCall
from stepfare.dialects import heard as heard_module
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
from stepfare.dialects.heard import Heard


def heard(*events: StreamEvent) -> Heard:
    found = Heard()
    found.hear(events)
    return found


def test_text_and_thinking_are_counted_and_only_text_is_kept() -> None:
    found = heard(ThinkingDelta("hm "), TextDelta("Hello "), TextDelta("there"))
    assert (found.text, found.output_chars, found.started) == ("Hello there", 14, True)
    assert found.reply_digest == reply_digest("Hello there")


@pytest.mark.parametrize(
    ("event", "started"),
    [
        (TextDelta("x"), True),
        (TextDelta(""), False),
        (ThinkingDelta("x"), True),
        (ToolCallStarted(0, "c", "read"), True),
        (ToolCallDelta(0, "{"), True),
        (Finished("stop"), True),
        (UsageReported(Usage(1)), False),
        (Faulted("no"), False),
    ],
)
def test_the_commit_point_is_the_first_content_or_the_end(event: StreamEvent, started: bool) -> None:
    assert heard(event).started is started


def test_an_answer_of_nothing_but_calls_has_no_reply_to_recognise() -> None:
    assert heard(ToolCallStarted(0, "c", "read"), Finished("tool_calls")).reply_digest == ""


@pytest.mark.parametrize(
    ("events", "calls"),
    [
        # Interleaved pieces of parallel calls.
        (
            [
                ToolCallStarted(0, "a", "read"),
                ToolCallStarted(1, "b", "edit"),
                ToolCallDelta(1, "{1"),
                ToolCallDelta(0, "{0"),
                ToolCallDelta(1, "}"),
                ToolCallDelta(0, "}"),
            ],
            [ToolCall("a", "read", "{0}"), ToolCall("b", "edit", "{1}")],
        ),
        # Every call with the index 0, told apart by its id.
        (
            [ToolCallStarted(0, "a", "read"), ToolCallDelta(0, "{0}"), ToolCallStarted(0, "b", "read"), ToolCallDelta(0, "{1}")],
            [ToolCall("a", "read", "{0}"), ToolCall("b", "read", "{1}")],
        ),
        # Id and name repeated with every piece.
        (
            [
                ToolCallStarted(0, "a", "read"),
                ToolCallDelta(0, "{"),
                ToolCallStarted(0, "a", "read"),
                ToolCallDelta(0, "}"),
                ToolCallStarted(0, "", "read"),
            ],
            [ToolCall("a", "read", "{}")],
        ),
        # The id first, the name later; and arguments before either.
        ([ToolCallStarted(0, "a", ""), ToolCallStarted(0, "", "read"), ToolCallDelta(0, "{}")], [ToolCall("a", "read", "{}")]),
        ([ToolCallDelta(0, "{"), ToolCallStarted(0, "a", "read"), ToolCallDelta(0, "}")], [ToolCall("a", "read", "{}")]),
        ([ToolCallDelta(3, "{}")], [ToolCall("", "", "{}")]),
    ],
)
def test_calls_are_put_together_from_their_pieces(events: list[StreamEvent], calls: list[ToolCall]) -> None:
    found = heard(*events)
    assert list(found.calls) == calls
    assert list(found.call_ids) == [call.id for call in calls if call.id]


def test_a_later_report_of_usage_replaces_an_earlier_one() -> None:
    found = heard(UsageReported(Usage(10, output_tokens=1)), UsageReported(Usage(10, output_tokens=5)))
    assert found.usage == UsageReported(Usage(10, output_tokens=5))


def test_a_fault_is_kept_beside_what_was_heard() -> None:
    found = heard(TextDelta("Half"), Faulted("overloaded", 503))
    assert (found.text, found.fault, found.finished) == ("Half", Faulted("overloaded", 503), "")


def test_what_is_too_long_is_counted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_module, "TEXT_CHARS_KEPT", 100)
    monkeypatch.setattr(heard_module, "ARGUMENT_CHARS_KEPT", 100)
    found = heard(*[TextDelta("x" * 60)] * 50, *[ToolCallDelta(0, "y" * 60)] * 50)
    assert found.output_chars == 6000
    assert len(found.text) == 120
    assert len(found.calls[0].arguments) == 120
