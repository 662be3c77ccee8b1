"""OpenAI Responses, one item of an input read for a bridge: the parts that it gives a prompt, and what of it no other format can say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from stepfare.core.prompt import (
    FIVE_MINUTES_S,
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    OtherPart,
    Part,
    ResultPart,
    TextPart,
    Thought,
    ThoughtPart,
)
from stepfare.core.request import Role
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.remembered import Remembered
from stepfare.dialects.responses_items import ARGUMENTS, BUILT_IN, OUTPUTS, ROLES, call_id_of, kind_of, output_text, part_text, text_of
from stepfare.dialects.thoughts import digest_of

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_SEALED = re.compile(r"gAAAA[\w=-]{16,}|[\w+/=-]{64,}")
"""Encrypted content: one unbroken run of base64; what people and models write to each other has spaces in it."""

_ESSENTIAL_ITEMS = {
    "item_reference": "an item that it only names, which is stored with OpenAI",
    "prompt": "the prompt template that it names, which is stored with OpenAI",
    "compaction": "the history that OpenAI compacted, which is encrypted",
    "compaction_summary": "the history that OpenAI compacted, which is encrypted",
    "context_compaction": "the history that OpenAI compacted, which is encrypted",
    "compaction_trigger": "its call for OpenAI's own compaction",
    "computer_call": "a use of a computer",
    "computer_call_output": "a picture of a computer's screen",
}


@dataclass(frozen=True, slots=True)
class ItemRead:
    """What an item says: parts of a message of that role, and losses. An item may give none of either."""

    role: Role
    parts: tuple[Part, ...]
    losses: tuple[Loss, ...]


def read_item(raw: bytes) -> ItemRead:
    """One item. What was read of an earlier step's items is not read again."""
    return _READ.of(raw)


class _Reading:
    """One item on its way: what was found in it so far."""

    def __init__(self) -> None:
        self._role = Role.USER
        self._parts_read: list[Part] = []
        self._losses: dict[str, Loss] = {}

    def read(self, raw: bytes) -> ItemRead:
        self.item(raw)
        return ItemRead(self._role, tuple(self._parts_read), tuple(self._losses.values()))

    def lose(self, what: str, words: str, *, essential: bool = False) -> None:
        self._losses.setdefault(what, Loss(what, words, essential))

    def add(self, role: Role, *parts: Part) -> None:
        self._role = role
        self._parts_read += parts

    def item(self, raw: bytes) -> None:
        try:
            value = splice.loads(raw)
        except BadRequest:
            value = None
        if not isinstance(value, dict):
            self.lose("unreadable", "an item that cannot be read")
            return
        fields = cast("dict[str, object]", value)
        kind = kind_of(fields)
        if kind == "message":
            role = ROLES.get(text_of(fields.get("role")), Role.USER)
            self.add(role, *self._parts(fields.get("content")))
        elif kind == "reasoning":
            self.add(Role.ASSISTANT, ThoughtPart(thought_of(raw, fields)))
        elif kind in _ESSENTIAL_ITEMS:
            self.lose(kind, _ESSENTIAL_ITEMS[kind], essential=True)
        elif kind in ARGUMENTS:
            name, custom = text_of(fields.get("name")) or BUILT_IN.get(kind, ""), kind == "custom_tool_call"
            arguments = text_of(fields.get(ARGUMENTS[kind]))
            self.add(Role.ASSISTANT, CallPart(call_id_of(fields), name, arguments, text_of(fields.get("namespace")), custom))
        elif kind in OUTPUTS:
            self.add(Role.TOOL, self._result(kind, fields))
        elif kind == "agent_message":
            self._agent_message(fields)
        elif kind != "additional_tools":
            self.lose(kind, f'an item of the type "{kind}"')

    def _result(self, kind: str, fields: Mapping[str, object]) -> ResultPart:
        output = fields.get("output")
        in_parts = isinstance(output, list) and kind != "shell_call_output"
        found = self._parts(cast("object", output)) if in_parts else [TextPart(output_text(fields.get("output")))]
        parts = tuple(part for part in found if isinstance(part, TextPart | ImagePart | FilePart))
        failed = kind == "apply_patch_call_output" and fields.get("status") == "failed"
        return ResultPart(call_id_of(fields), parts, failed, kind == "custom_tool_call_output")

    def _agent_message(self, fields: Mapping[str, object]) -> None:
        """What one agent writes to another. Where no one encrypted it, its encrypted content is the plain text."""
        content = fields.get("content")
        parts: list[Part] = []
        for part in cast("list[object]", content) if isinstance(content, list) else [content]:
            inner = _fields(part)
            secret = text_of(inner.get("encrypted_content"))
            if inner.get("type") != "encrypted_content":
                parts += self._parts([part])
            elif _SEALED.fullmatch(secret):
                self.lose("agent_message", "what another agent wrote, which is encrypted", essential=True)
            elif secret:
                parts.append(TextPart(secret))
        self.add(Role.USER, *parts)

    def _parts(self, content: object) -> list[Part]:
        if isinstance(content, str):
            return [TextPart(content)] if content else []
        if not isinstance(content, list):
            return []
        return [found for part in cast("list[object]", content) if (found := self._part(part)) is not None]

    def _part(self, part: object) -> Part | None:
        text = part_text(part)
        if text:
            return TextPart(text, _cache_s(_fields(part)))
        fields = _fields(part)
        kind = text_of(fields.get("type"))
        if kind == "input_image":
            url = text_of(fields.get("image_url"))
            media_type, data = data_url(url)
            if url:
                detail = text_of(fields.get("detail")).removeprefix("auto")
                return ImagePart(media_type, data, "" if data else url, detail, _cache_s(fields))
            self.lose("file_id", "a file that it only names, which is stored with OpenAI", essential=True)
            return OtherPart(kind)
        if kind == "input_file":
            return self._file(fields)
        if kind and "text" not in kind and kind != "refusal":
            self.lose(kind, f'a part of the type "{kind}"', essential=kind == "input_audio")
            return OtherPart(kind)
        return None

    def _file(self, fields: Mapping[str, object]) -> Part:
        data, url, name = (text_of(fields.get(key)) for key in ("file_data", "file_url", "filename"))
        if not data and not url:
            self.lose("file_id", "a file that it only names, which is stored with OpenAI", essential=True)
            return OtherPart("input_file")
        media_type, plain = data_url(data)
        return FilePart(media_type, plain or data, url, name=name, cache_s=_cache_s(fields))


_READ = Remembered(lambda raw: _Reading().read(raw))


def thought_of(raw: bytes, fields: Mapping[str, object]) -> Thought:
    """A reasoning item as its maker wrote it."""
    texts = [part_text(part) for key in ("summary", "content") for part in _list(fields.get(key))]
    text = "\n\n".join(found for found in texts if found)
    return Thought("responses", raw, digest_of(text_of(fields.get("encrypted_content")) or text_of(fields.get("id")) or text), text)


def data_url(url: str) -> tuple[str, str]:
    """The media type and the base64 of a data URL; two empty texts for any other."""
    found = _DATA_URL.match(url)
    return (found[1], url[found.end() :]) if found else ("", "")


def _cache_s(fields: Mapping[str, object]) -> int:
    """What a cache mark of OpenAI's asks for, in the lifetimes that other formats know: their short one and their long one."""
    mark = fields.get("prompt_cache_breakpoint")
    if not isinstance(mark, dict):
        return 0
    return HOUR_S if cast("dict[str, object]", mark).get("ttl") == "12h" else FIVE_MINUTES_S


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
