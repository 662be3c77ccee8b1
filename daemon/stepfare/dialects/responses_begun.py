"""OpenAI Responses, an answer that one model began and another one goes on with: what of it the client has seen, and how what was left
open in it ends.

What is said behind it is the business of `responses_writer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from stepfare.dialects.passing import told_in
from stepfare.dialects.responses_items import ARGUMENTS, text_of

KINDS: Mapping[str, str] = {"message": "message", "reasoning": "reasoning"} | dict.fromkeys(ARGUMENTS, "call")
"""What the writer calls an item of that type; others it never writes itself."""


Event = tuple[str, Mapping[str, object]]
"""The kind of an event of an item (without `response.`), and what it says."""


@dataclass(slots=True)
class BegunItem:
    """An item that the client has seen begin. `parts` are its texts, those of its summary, or a call's input; `open_part` is the one that
    was not ended, or -1. `value` is the item as it was told last, which is at its end where it is `done`."""

    kind: str
    id: str
    value: dict[str, object]
    parts: list[str] = field(default_factory=list[str])
    open_part: int = -1
    done: bool = False


@dataclass(slots=True)
class Begun:
    """All that was seen: what names the response, the next sequence number, and the items in order."""

    head: dict[str, object] = field(default_factory=dict[str, object])
    number: int = 0
    items: list[BegunItem] = field(default_factory=list[BegunItem])


def begun_in(shown: Iterable[bytes]) -> Begun:
    """What these frames say. Raises Unreadable."""
    begun = Begun()
    by_place: dict[object, BegunItem] = {}
    for name, fields in told_in(shown):
        number = fields.get("sequence_number")
        begun.number = max(begun.number, number + 1 if isinstance(number, int) else begun.number + 1)
        response = _fields(fields.get("response"))
        begun.head |= {key: response[key] for key in ("id", "created_at") if response.get(key)}
        kind, place = text_of(fields.get("type")) or name, fields.get("output_index")
        if kind == "response.output_item.added":
            value = _fields(fields.get("item"))
            by_place[place] = item = BegunItem(KINDS.get(text_of(value.get("type")), "other"), text_of(value.get("id")), value)
            begun.items.append(item)
        elif (item := by_place.get(place)) is not None:
            _go_on(item, kind.removeprefix("response."), fields)
    return begun


def _go_on(item: BegunItem, kind: str, fields: Mapping[str, object]) -> None:
    match kind:
        case "content_part.added" | "reasoning_summary_part.added":
            item.open_part = len(item.parts)
            item.parts.append("")
        case "output_text.delta" | "reasoning_summary_text.delta" | "function_call_arguments.delta" | "custom_tool_call_input.delta":
            if not item.parts:
                item.parts.append("")
                item.open_part = 0
            item.parts[-1] += text_of(fields.get("delta"))
        case "content_part.done" | "reasoning_summary_part.done" | "function_call_arguments.done" | "custom_tool_call_input.done":
            item.open_part = -1
        case "output_item.done":
            item.value, item.done = _fields(fields.get("item")), True
        case _:
            pass


def ends_of(item: BegunItem) -> Iterator[Event]:
    """What ends the open part of an item that was left in the middle; from then on its `value` is the item as far as it came."""
    kind, text = text_of(item.value.get("type")), item.parts[item.open_part] if item.open_part >= 0 else ""
    if item.kind == "message":
        yield from text_ends(item.open_part, text) if item.open_part >= 0 else ()
        item.value |= {"status": "completed", "content": [text_part(part) for part in item.parts]}
    elif item.kind == "reasoning":
        yield from summary_ends(item.open_part, text) if item.open_part >= 0 else ()
        item.value |= {"summary": [summary_part(part) for part in item.parts if part]}
    else:
        if item.open_part >= 0 and kind in _INPUT_DONE:
            yield _INPUT_DONE[kind], {ARGUMENTS[kind]: text}
        item.value |= {"status": "completed"} | ({ARGUMENTS[kind]: item.parts[0]} if item.parts else {})


def text_ends(part: int, text: str) -> Iterator[Event]:
    yield "output_text.done", {"content_index": part, "text": text, "logprobs": []}
    yield "content_part.done", {"content_index": part, "part": text_part(text)}


def summary_ends(part: int, text: str) -> Iterator[Event]:
    yield "reasoning_summary_text.done", {"summary_index": part, "text": text}
    yield "reasoning_summary_part.done", {"summary_index": part, "part": summary_part(text)}


def text_part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": list[object](), "logprobs": list[object]()}


def summary_part(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}


_INPUT_DONE = {"function_call": "function_call_arguments.done", "custom_tool_call": "custom_tool_call_input.done"}


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
