"""OpenAI Responses, one item of an input: what it is as a turn, and the digest by which it is recognised again.

Reading whole requests is left to `responses_request`, reading them for a bridge to `responses_prompt`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

import msgspec

from stepfare.core.request import Block, Image, Opaque, Role, Text, ToolCall, ToolResult, Turn
from stepfare.dialects import splice, turns
from stepfare.dialects.base import BadRequest

ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}

ARGUMENTS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
}
"""Items that call a tool which the client runs, and where each says what to do."""
BUILT_IN = {"local_shell_call": "local_shell", "shell_call": "shell", "apply_patch_call": "apply_patch", "computer_call": "computer"}
"""Names for the tools of calls that name none."""
CLIENT_TOOLS = frozenset(BUILT_IN.values())
"""Tools that OpenAI describes and the client runs."""
OUTPUTS = frozenset(f"{kind}_output" for kind in ARGUMENTS)

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_RENEWED = ("id", "status")
"""What a client may invent anew for an item that it repeats, where the item says more of itself than that."""
_BREAKPOINT = "prompt_cache_breakpoint"
_ITS_OWN = frozenset(
    ("additional_tools", "message", "function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output")
)
_LIST = re.compile(rb'"(?:content|output)"[ \t\r\n]*:[ \t\r\n]*\[')
_CHANGING = (b'"id"', b'"status"', b'"prompt_cache_breakpoint"')


def kind_of(fields: Mapping[str, object]) -> str:
    """The type of an item; a message may leave it out, and so may a reference, which holds nothing but an id."""
    kind = fields.get("type")
    if isinstance(kind, str) and kind:
        return kind
    return "message" if "role" in fields else "item_reference" if "id" in fields else "unknown"


def read_turn(raw: bytes) -> Turn:
    """One item. Lenient: what is not understood becomes Opaque, never an error."""
    fields = splice.object_of(raw)
    if fields is None:
        return Turn(Role.USER, (Opaque("unreadable"),))
    kind = kind_of(fields)
    if kind == "message":
        return Turn(ROLES.get(str(fields.get("role")), Role.USER), _content(fields.get("content")))
    if kind in ARGUMENTS:
        name = text_of(fields.get("name")) or BUILT_IN.get(kind, "")
        return Turn(Role.ASSISTANT, (ToolCall(call_id_of(fields), name, text_of(fields.get(ARGUMENTS[kind]))),))
    if kind in OUTPUTS:
        output = fields.get("output")
        others = () if isinstance(output, str) else tuple(block for block in _content(output) if not isinstance(block, Text))
        failed = kind == "apply_patch_call_output" and fields.get("status") == "failed"
        return Turn(Role.TOOL, (ToolResult(call_id_of(fields), output_text(output), failed), *others))
    return Turn(_opaque_role(kind), (Opaque(kind),))


def call_id_of(fields: Mapping[str, object]) -> str:
    """What joins a call and its output. The output of a local shell names the call in its own id."""
    return text_of(fields.get("call_id")) or (text_of(fields.get("id")) if fields.get("type") == "local_shell_call_output" else "")


def output_text(output: object) -> str:
    """What a tool gave back, as text: a text, parts that hold texts, or what a shell said."""
    if isinstance(output, list):
        return "\n".join(text for part in cast("list[object]", output) if (text := part_text(part)))
    return text_of(output)


def part_text(part: object) -> str:
    """The text of a part of a message or of an output; empty for one that is none."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    fields = cast("dict[str, object]", part)
    if fields.get("type") in _TEXTS or ("type" not in fields and "text" in fields):
        return text_of(fields.get("text"))
    if fields.get("type") == "refusal":
        return text_of(fields.get("refusal"))
    return "\n".join(text for key in ("stdout", "stderr") if (text := text_of(fields.get(key))))


def text_of(value: object) -> str:
    """A text as it is; nothing for null; anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def has_parts(raw: bytes) -> bool:
    """Whether this item's content or output is a list; within a string the quotes of the key would be escaped."""
    return any(_LIST.match(raw, raw.find(key)) is not None for key in (b'"content"', b'"output"') if key in raw)


def digest(raw: bytes, parts: bool) -> bytes:
    """16 bytes that are equal for items that differ only in cache marks, or in the id and status that clients invent."""
    if any(key in raw for key in _CHANGING):
        raw = _lasting(raw)
    return turns.digest(raw, parts=parts)


def _lasting(raw: bytes) -> bytes:
    """The item without what may change from request to request, compact; what cannot be read stays as it is."""
    try:
        item = splice.loads(raw)
        if not isinstance(item, dict):
            return raw
        fields = cast("dict[str, object]", item)
        left_out = _RENEWED if kind_of(fields) in _ITS_OWN else ()
        lasting = {key: _unmarked(value) for key, value in fields.items() if key not in left_out}
        return msgspec.json.encode(lasting)
    except (BadRequest, RecursionError, OverflowError):
        return raw


def _unmarked(value: object) -> object:
    """Parts without their cache marks."""
    if not isinstance(value, list):
        return value
    parts = cast("list[object]", value)
    return [
        {key: inner for key, inner in cast("dict[str, object]", part).items() if key != _BREAKPOINT} if isinstance(part, dict) else part
        for part in parts
    ]


def _content(content: object) -> tuple[Block, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if not isinstance(content, list):
        return ()
    return tuple(_block(part) for part in cast("list[object]", content))


def _block(part: object) -> Block:
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        return Opaque("unknown")
    kind = text_of(cast("dict[str, object]", part).get("type")) or "unknown"
    if text := part_text(cast("dict[str, object]", part)):
        return Text(text)
    return Image() if kind in ("input_image", "image_url", "computer_screenshot") else Text("") if kind in _TEXTS else Opaque(kind)


def _opaque_role(kind: str) -> Role:
    if kind == "additional_tools":
        return Role.SYSTEM
    return Role.ASSISTANT if kind == "reasoning" or kind.endswith("_call") else Role.USER
