"""The messages of a prompt as the Messages API takes them: user and assistant in turn, results right after their calls.

A message is written from itself and those before it, so what a conversation began with is said in the same bytes in every step. Only
what stands after the last answer is still open.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import msgspec

from stepfare.core.prompt import CallPart, FilePart, ImagePart, Message, OtherPart, Part, ResultPart, TextPart, ThoughtPart
from stepfare.core.request import Role
from stepfare.dialects import splice
from stepfare.dialects.anthropic_messages import as_json
from stepfare.dialects.base import BadRequest
from stepfare.dialects.call_ids import SIXTY_FOUR, fitted
from stepfare.dialects.toolnames import FREE_TEXT, flat_name

Block = dict[str, object]
Blocks = list[Block | msgspec.Raw]
"""Blocks of a message; a thought stands among them as its maker wrote it."""
Marks = list[tuple[Block, int]]
"""Blocks at whose end a cache mark is asked for, with its lifetime in seconds."""

BEFORE = "(The conversation goes on.)"
"""What the user says where a conversation begins with the assistant, which this API does not take."""
NO_RESULT = "No result of this call was kept."
NO_OUTPUT = "(no output)"
CALL_GONE = "Result of an earlier tool call:"
IMAGE_TYPES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_IMAGE_SIGNS = {"/9j/": "image/jpeg", "iVBOR": "image/png", "R0lG": "image/gif", "UklG": "image/webp"}
"""How base64 of each kind begins."""


@dataclass(slots=True)
class _Group:
    """What becomes one message."""

    role: Role
    parts: list[Part] = field(default_factory=list[Part])
    results: list[ResultPart] = field(default_factory=list[ResultPart])


@dataclass(slots=True)
class _Ids:
    """The ids that calls were given. One that came up before gets another ending: this API wants each once."""

    given: set[str] = field(default_factory=set[str])
    calls: int = 0

    def next(self, call_id: str) -> str:
        self.calls += 1
        plain = fitted(call_id, SIXTY_FOUR) if call_id else f"call_{self.calls}"
        unique = plain if plain not in self.given else f"{plain[:48]}_{self.calls}"
        self.given.add(unique)
        return unique


def messages_for(messages: Sequence[Message], marks: Marks) -> list[Block]:
    """The messages without the system texts that open the conversation. Cache marks that they ask for are added to `marks`."""
    ids = _Ids()
    written: list[Block] = []
    asked: list[tuple[str, str]] = []
    groups = _groups(messages)
    for group in groups:
        if group.role is Role.ASSISTANT:
            asked, blocks = _assistant(group, ids, marks)
            if group is groups[-1]:
                _trim(blocks)
            if not written:
                written.append(_said("user", [_text(BEFORE)]))
        else:
            blocks = _user(group, asked, marks)
            asked = []
        if blocks:
            written.append(_said(str(group.role.value), blocks))
    if asked:
        written.append(_said("user", [_lost(given) for _, given in asked]))
    return written or [_said("user", [_text(BEFORE)])]


def text_of(part: Part) -> str:
    """The text in a part where only texts may stand: what it says, or what stood there."""
    match part:
        case TextPart(text):
            return text
        case FilePart() if part.text:
            return part.text
        case ImagePart() | FilePart():
            return f"[{_what(part)}]"
        case _:
            return ""


def arguments_object(arguments: str) -> dict[str, object]:
    """A call's arguments as an object. What is no JSON object is told under the name of free text; nothing is an empty object."""
    if not arguments.strip():
        return {}
    try:
        value = splice.loads(arguments.encode("utf-8", "replace"))
    except BadRequest:
        return {FREE_TEXT: arguments}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {FREE_TEXT: arguments}


def encoded(value: dict[str, object]) -> msgspec.Raw:
    """An object that may hold anything, as JSON of its own: numbers of any length are said as they are."""
    return msgspec.Raw((as_json(value) or "{}").encode("utf-8", "replace"))


def unsaid(part: Part) -> str:
    """What of this part cannot be said in this format, in words; empty where it can."""
    match part:
        case ImagePart() if _image(part) is None:
            return f"an image of the type {part.media_type or 'unknown'}"
        case FilePart() if _file(part) is None:
            return f"a file of the type {part.media_type or 'unknown'}"
        case _:
            return ""


def _groups(messages: Sequence[Message]) -> list[_Group]:
    groups: list[_Group] = []
    held: list[Part] = []
    for message in messages:
        if not any(_speaks(part) for part in message.parts):
            # What was only thought belongs to what the model says next.
            held += [part for part in message.parts if isinstance(part, ThoughtPart)]
            continue
        role = Role.ASSISTANT if message.role is Role.ASSISTANT else Role.USER
        if not groups or groups[-1].role is not role:
            groups.append(_Group(role))
        group = groups[-1]
        if message.role is Role.TOOL:
            group.results += [part for part in message.parts if isinstance(part, ResultPart)]
        elif message.role is Role.SYSTEM:
            group.parts += _reminders(message.parts)
        else:
            group.parts += [*(held if role is Role.ASSISTANT else ()), *message.parts]
        held = []
    return groups


def _speaks(part: Part) -> bool:
    """Whether anything of this part stands in a message; a message of thoughts alone does not."""
    return bool(part.text.strip()) if isinstance(part, TextPart) else not isinstance(part, OtherPart | ThoughtPart)


def _reminders(parts: Iterable[Part]) -> list[Part]:
    """A system text in the middle of a conversation, where this API takes none from every client, as agents remind models of things."""
    texts = [(text_of(part), part.cache_s if isinstance(part, TextPart) else 0) for part in parts]
    return [TextPart(f"<system-reminder>\n{text}\n</system-reminder>", cache_s) for text, cache_s in texts if text.strip()]


def _assistant(group: _Group, ids: _Ids, marks: Marks) -> tuple[list[tuple[str, str]], Blocks]:
    """The blocks of an answer, and its calls: the id by which each is known, and the one that it was given."""
    asked: list[tuple[str, str]] = []
    blocks: Blocks = []
    thoughts = [part for part in group.parts if isinstance(part, ThoughtPart)]
    parts = group.parts
    if thoughts and not isinstance(parts[0], ThoughtPart):
        # This API wants an answer to begin with what was thought.
        parts = [*thoughts, *(part for part in parts if not isinstance(part, ThoughtPart))]
    for part in parts:
        if isinstance(part, ThoughtPart):
            blocks.append(msgspec.Raw(part.thought.raw))
        elif isinstance(part, CallPart):
            given = ids.next(part.id)
            asked.append((part.id, given))
            content = encoded({FREE_TEXT: part.arguments} if part.custom else arguments_object(part.arguments))
            name = flat_name(part.name, part.namespace) or "unknown"
            blocks.append(_marked({"type": "tool_use", "id": given, "name": name, "input": content}, part.cache_s, marks))
        elif (text := text_of(part)).strip():
            blocks.append(_marked(_text(text), part.cache_s if isinstance(part, TextPart) else 0, marks))
    return asked, blocks


def _user(group: _Group, asked: list[tuple[str, str]], marks: Marks) -> Blocks:
    """Results of the calls before come first; one whose call is not there becomes a text, a call without any gets one that says so."""
    open_calls = list(asked)
    results: list[Block] = []
    others: list[Block] = []
    for result in group.results:
        call = next((one for one in open_calls if one[0] == result.id), None)
        content = [block for part in result.parts for block in _content(part, marks)]
        if call is None:
            others += [_text(CALL_GONE), *(content or [_text(NO_OUTPUT)])]
            continue
        open_calls.remove(call)
        results.append(_marked(_result(call[1], content, failed=result.failed), result.cache_s, marks))
    results += [_lost(given) for _, given in open_calls]
    return [*results, *others, *(block for part in group.parts for block in _content(part, marks))]


def _trim(blocks: Blocks) -> None:
    """An answer that is to be continued may not end with white space."""
    last = blocks[-1] if blocks else None
    if isinstance(last, dict) and "text" in last:
        last["text"] = str(last["text"]).rstrip()


def _result(call_id: str, content: list[Block], *, failed: bool) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": call_id}
    if content or failed:
        result["content"] = content or [_text(NO_OUTPUT)]
    if failed:
        result["is_error"] = True
    return result


def _lost(call_id: str) -> Block:
    return _result(call_id, [_text(NO_RESULT)], failed=True)


def _content(part: Part, marks: Marks) -> Iterable[Block]:
    match part:
        case ImagePart():
            yield _marked(_image(part) or _text(text_of(part)), part.cache_s, marks)
        case FilePart():
            yield _marked(_file(part) or _text(text_of(part)), part.cache_s, marks)
        case TextPart(text) if text.strip():
            yield _marked(_text(text), part.cache_s, marks)
        case _:
            pass


def _image(part: ImagePart) -> Block | None:
    if part.url and not part.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    data = part.data or part.url.partition("base64,")[2]
    sign = next((media for start, media in _IMAGE_SIGNS.items() if data.startswith(start)), "")
    # The data know better than their label, and this API compares the two.
    media = sign or IMAGE_TYPES.get(part.media_type.lower(), "")
    if not media or not data:
        return None
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def _file(part: FilePart) -> Block | None:
    media = part.media_type.lower()
    text = part.text or (_decoded(part.data) if media.startswith("text/") or media == "application/json" else "")
    if text:
        source: Block = {"type": "text", "media_type": "text/plain", "data": text}
    elif part.data and media == "application/pdf":
        source = {"type": "base64", "media_type": media, "data": part.data}
    elif part.url:
        source = {"type": "url", "url": part.url}
    else:
        return None
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _decoded(data: str) -> str:
    try:
        return b64decode(data, validate=True).decode("utf-8", "replace")
    except (NotBase64, ValueError):
        return ""


def _what(part: ImagePart | FilePart) -> str:
    kind = "image" if isinstance(part, ImagePart) else "file"
    name = part.name if isinstance(part, FilePart) else ""
    return f"{kind} {name or part.media_type or part.url}".strip()


def _marked(block: Block, cache_s: int, marks: Marks) -> Block:
    if cache_s:
        marks.append((block, cache_s))
    return block


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _said(role: str, content: Blocks) -> Block:
    return {"role": role, "content": content}
