"""What several chat-completions providers ask alike: known fields, roles, and calls with their results in order. Each brings its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stepfare.simulator.fields import Fields, fields_of, items_of, text_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Check


def messages_of(ask: Ask) -> list[Fields]:
    return [fields_of(item) for item in items_of(ask.body.get("messages"))]


def calls_of(message: Fields) -> list[Fields]:
    return [fields_of(call) for call in items_of(message.get("tool_calls"))]


def functions_of(ask: Ask) -> list[tuple[int, Fields]]:
    """The functions on offer, with their places among the tools."""
    tools = [fields_of(tool) for tool in items_of(ask.body.get("tools"))]
    return [(i, fields_of(tool.get("function"))) for i, tool in enumerate(tools) if tool.get("type", "function") == "function"]


def only(known: Iterable[str], refusal: Callable[[str, object], Refused]) -> Check:
    """No top-level field but these."""
    names = frozenset(known)

    def check(ask: Ask) -> Iterator[Refused]:
        for name, value in ask.body.items():
            if name not in names:
                yield refusal(name, value)

    return check


def none_of(names: Iterable[str], refusal: Callable[[Ask, str], Refused], when: Callable[[Ask], bool]) -> Check:
    """None of these fields for models of which `when` holds; null counts as left out."""
    refused = tuple(names)

    def check(ask: Ask) -> Iterator[Refused]:
        for name in refused:
            if ask.body.get(name) is not None and when(ask):
                yield refusal(ask, name)

    return check


@dataclass(frozen=True, slots=True)
class PairWords:
    """How a provider says that calls and results do not fit: for calls whose ids were not answered, and for a result without its call."""

    unanswered: Callable[[int, list[str]], Refused]
    uncalled: Callable[[int, str], Refused]


def pairs(words: PairWords) -> Check:
    """Every turn with calls is followed at once by one result for each of them, and there are no other results."""

    def check(ask: Ask) -> Iterator[Refused]:
        waiting: list[str] = []
        since = 0
        for i, message in enumerate(messages_of(ask)):
            if message.get("role") == "tool":
                call_id = text_of(message.get("tool_call_id"))
                if call_id not in waiting:
                    yield words.uncalled(i, call_id)
                else:
                    waiting.remove(call_id)
                continue
            if waiting:
                yield words.unanswered(since, waiting)
            waiting = [text_of(call.get("id")) for call in calls_of(message)]
            since = i
        if waiting:
            yield words.unanswered(since, waiting)

    return check
