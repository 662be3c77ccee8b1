"""OpenAI Responses, a request read as a prompt: the client's half of a bridge. Writing one is left to `responses_input`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from stepfare.core.prompt import (
    EFFORTS,
    FIVE_MINUTES_S,
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OtherPart,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    Thought,
    ThoughtPart,
)
from stepfare.core.request import RequestView, Role
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.responses_items import ARGUMENTS, BUILT_IN, OUTPUTS, ROLES, call_id_of, kind_of, output_text, part_text, text_of
from stepfare.dialects.responses_request import items_of, offered
from stepfare.dialects.responses_tools import read_tools
from stepfare.dialects.thoughts import digest_of

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_SEALED = re.compile(r"gAAAA[\w=-]{16,}|[\w+/=-]{64,}")
"""Encrypted content: one unbroken run of base64; what people and models write to each other has spaces in it."""

_AT_THE_PROVIDER = {
    "previous_response_id": "the earlier answer that it continues, which is stored with OpenAI",
    "conversation": "the conversation that it continues, which is stored with OpenAI",
    "prompt": "the prompt template that it names, which is stored with OpenAI",
}
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


def read_prompt(view: RequestView) -> Prompt:
    """A request that was read here, free of its format."""
    obj = splice.JsonObject(view.raw, view.spans)
    reading = _Reading()
    instructions = obj.get("instructions")
    if isinstance(instructions, str) and instructions:
        reading.add(Role.SYSTEM, TextPart(instructions))
    for raw in items_of(view):
        reading.item(raw)
    told = read_tools(offered(view), obj.get("tool_choice"))
    for key, words in _AT_THE_PROVIDER.items():
        if obj.raw(key) not in (None, b"null"):
            reading.lose(key, words, essential=True)
    if obj.get("background") is True:
        reading.lose("background", "its answer in the background, which is fetched from OpenAI later", essential=True)
    reasoning, text = _fields(obj.get("reasoning")), _fields(obj.get("text"))
    parallel = obj.get("parallel_tool_calls")
    service = text_of(obj.get("service_tier"))
    return Prompt(
        messages=reading.messages(),
        tools=told.offers,
        tool_choice=told.choice,
        parallel=parallel if isinstance(parallel, bool) else None,
        stream=view.stream,
        max_output_tokens=view.max_output_tokens,
        temperature=_number(obj.get("temperature")),
        top_p=_number(obj.get("top_p")),
        effort=effort if (effort := text_of(reasoning.get("effort"))) in EFFORTS else "",
        show_thoughts=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
        form=_form(_fields(text.get("format"))),
        cache_key=text_of(obj.get("prompt_cache_key")),
        service="" if service in ("auto", "default") else service,
        losses=(*told.losses, *reading.losses),
    )


class _Reading:
    """Items in order become messages: those of one assistant turn are joined, as are the outputs that follow it."""

    def __init__(self) -> None:
        self._messages: list[tuple[Role, list[Part]]] = []
        self._losses: dict[str, Loss] = {}

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(self._losses.values())

    def messages(self) -> tuple[Message, ...]:
        return tuple(Message(role, tuple(parts)) for role, parts in self._messages)

    def lose(self, what: str, words: str, *, essential: bool = False) -> None:
        self._losses.setdefault(what, Loss(what, words, essential))

    def add(self, role: Role, *parts: Part) -> None:
        if not parts:
            return
        if role in (Role.ASSISTANT, Role.TOOL) and self._messages and self._messages[-1][0] is role:
            self._messages[-1][1].extend(parts)
        else:
            self._messages.append((role, list(parts)))

    def item(self, raw: bytes) -> None:
        """One item. What no other format can say is told as a loss."""
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


def thought_of(raw: bytes, fields: Mapping[str, object]) -> Thought:
    """A reasoning item as its maker wrote it."""
    texts = [part_text(part) for key in ("summary", "content") for part in _list(fields.get(key))]
    text = "\n\n".join(found for found in texts if found)
    return Thought("responses", raw, digest_of(text_of(fields.get("encrypted_content")) or text_of(fields.get("id")) or text), text)


def data_url(url: str) -> tuple[str, str]:
    """The media type and the base64 of a data URL; two empty texts for any other."""
    found = _DATA_URL.match(url)
    return (found[1], url[found.end() :]) if found else ("", "")


def _form(form: Mapping[str, object]) -> OutputForm | None:
    match form.get("type"):
        case "json_schema":
            schema, strict = form.get("schema"), form.get("strict")
            shape = cast("dict[str, object]", schema) if isinstance(schema, dict) else {}
            return OutputForm(text_of(form.get("name")), shape, strict if isinstance(strict, bool) else None)
        case "json_object":
            return OutputForm()
        case _:
            return None


def _cache_s(fields: Mapping[str, object]) -> int:
    """What a cache mark of OpenAI's asks for, in the lifetimes that other formats know: their short one and their long one."""
    mark = fields.get("prompt_cache_breakpoint")
    if not isinstance(mark, dict):
        return 0
    return HOUR_S if cast("dict[str, object]", mark).get("ttl") == "12h" else FIVE_MINUTES_S


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
