"""OpenAI Responses, an answer that one model began and another one goes on with: what of it the client has seen.

What is said behind it is the business of `responses_writer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from stepfare.dialects.passing import told_in
from stepfare.dialects.responses_items import ARGUMENTS, text_of

KINDS: Mapping[str, str] = {"message": "message", "reasoning": "reasoning"} | dict.fromkeys(ARGUMENTS, "call")
"""What the writer calls an item of that type; others it never writes itself."""


@dataclass(slots=True)
class BegunItem:
    """An item that the client has seen begin. `parts` are its texts, those of its summary, or a call's input; `open_part` is the one that
    was not ended, or -1. `done` is the item as it was told at its end."""

    kind: str
    id: str
    value: dict[str, object]
    parts: list[str] = field(default_factory=list[str])
    open_part: int = -1
    done: dict[str, object] | None = None


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
            item.done = _fields(fields.get("item"))
        case _:
            pass


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
