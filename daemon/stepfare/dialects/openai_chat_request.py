"""OpenAI chat completions, written from a prompt: the body of a request as strictly as OpenAI reads it.

What single providers and models want otherwise is for the rules that are applied afterwards, cache marks for those who originate them.
Each group of messages, a call of tools with its results, is written from itself alone: so the bytes of a conversation's beginning stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.core.prompt import (
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OtherPart,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import Role
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.openai_chat_thoughts import with_thoughts
from stepfare.dialects.toolnames import FREE_TEXT_SCHEMA, as_arguments, flat_name

STOPS_MAX = 4
EFFORT_WORDS: Mapping[str, str] = {"max": "xhigh"}
"""Efforts that this format calls otherwise."""
NO_RESULT = "No result of this call was kept."
NO_PARAMETERS: Mapping[str, object] = {"type": "object", "properties": {}}
FORM_NAME = "answer"
"""A schema must have a name here."""

_SAYS_FAILED = re.compile(r"\b(?:error|exception|fail(?:ed|ure)?|traceback|denied|fatal|invalid|not found)\b", re.IGNORECASE)
_SAID_CHARS = 400
"""A result says at its beginning that it is an error."""
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def write_prompt(prompt: Prompt, care: Care) -> Draft:
    """The body that asks this. It says nothing that the client did not, but for usage in streams."""
    draft = Draft()
    draft.set("model", splice.dumps(care.upstream))
    draft.set("messages", b"[" + b",".join(_conversation(prompt.messages)) + b"]")
    values = {
        **_tools(prompt),
        "response_format": _form(prompt),
        "max_completion_tokens": _limit(prompt, care),
        "temperature": prompt.temperature,
        "top_p": prompt.top_p,
        "stop": list(prompt.stop[:STOPS_MAX]) or None,
        "reasoning_effort": EFFORT_WORDS.get(prompt.effort, prompt.effort) or None,
        "prompt_cache_key": prompt.cache_key or None,
        "service_tier": prompt.service or None,
        "stream": prompt.stream or None,
        "stream_options": {"include_usage": True} if prompt.stream else None,
    }
    for key, value in values.items():
        if value is not None:
            draft.set(key, splice.dumps(value))
    return draft


def losses(prompt: Prompt) -> tuple[Loss, ...]:
    """What of this prompt chat completions cannot say."""
    found: dict[str, Loss] = {}
    if len(prompt.stop) > STOPS_MAX:
        found["stop"] = Loss("stop", f"more than {STOPS_MAX} stop sequences")
    for part in _all_parts(prompt.messages):
        if isinstance(part, FilePart) and part.url:
            found["file"] = Loss("file", "a document by its address", essential=True)
        elif isinstance(part, OtherPart):
            found[part.kind] = Loss(part.kind, f"a part of the kind {part.kind}")
    return tuple(found.values())


def _all_parts(messages: Iterable[Message]) -> Iterator[Part]:
    for message in messages:
        for part in message.parts:
            yield part
            if isinstance(part, ResultPart):
                yield from part.parts


@dataclass
class _Group:
    """An assistant's message with its calls, and the results that answer them."""

    message: bytes
    ids: list[str] = field(default_factory=list[str])
    sent: list[str] = field(default_factory=list[str])
    """The same as they are written: an id must not be empty here."""
    results: dict[int, ResultPart] = field(default_factory=dict[int, ResultPart])

    def take(self, result: ResultPart) -> bool:
        """Whether this result answers a call of this group that has none yet."""
        for place, call_id in enumerate(self.ids):
            if call_id == result.id and place not in self.results:
                self.results[place] = result
                return True
        return False

    def said(self) -> Iterator[bytes]:
        yield self.message
        shown: list[Part] = []
        for place, call_id in enumerate(self.sent):
            result = self.results.get(place)
            text = NO_RESULT if result is None else _result_text(result, shown)
            yield splice.dumps({"role": "tool", "tool_call_id": call_id, "content": text})
        if shown:
            yield _said("user", shown)


def _conversation(messages: Sequence[Message]) -> Iterator[bytes]:
    """The messages, with the results right after the calls that they answer, as this format wants them."""
    group: _Group | None = None
    later: list[bytes] = []  # What stood between the calls and their results.
    for place, message in enumerate(messages):
        if message.role is Role.TOOL:
            said = [_orphan(part) for part in message.parts if isinstance(part, ResultPart) and not (group and group.take(part))]
        elif message.role is Role.ASSISTANT:
            if group is not None:
                yield from group.said()
            yield from later
            group, later, said = (_assistant(message, place) if _speaks(message) else None), [], []
        else:
            said = [_said("system" if message.role is Role.SYSTEM else "user", message.parts)] if _speaks(message) else []
        if group is None:
            yield from said
        else:
            later += said
    if group is not None:
        yield from group.said()
    yield from later


def _speaks(message: Message) -> bool:
    """Whether anything of it can be said here; providers refuse empty messages."""
    return any(not isinstance(part, OtherPart) and (not isinstance(part, TextPart) or part.text) for part in message.parts)


def _assistant(message: Message, place: int) -> _Group:
    calls = [part for part in message.parts if isinstance(part, CallPart)]
    sent = [part.id or f"call_{place}_{number}" for number, part in enumerate(calls)]
    text = _joined(message.parts)
    fields: dict[str, object] = {"role": "assistant", "content": text if text or not calls else None}
    if calls:
        fields["tool_calls"] = [_call(call, call_id) for call, call_id in zip(calls, sent, strict=True)]
    thoughts = [part.thought for part in message.parts if isinstance(part, ThoughtPart)]
    raw = splice.dumps(fields)
    return _Group(with_thoughts(raw, thoughts) if thoughts else raw, [call.id for call in calls], sent)


def _call(call: CallPart, call_id: str) -> dict[str, object]:
    arguments = as_arguments(call.arguments) if call.custom else _arguments(call.arguments)
    return {"id": call_id, "type": "function", "function": {"name": flat_name(call.name, call.namespace), "arguments": arguments}}


def _arguments(text: str) -> str:
    """The arguments as they are where they are an object; a call that broke off is said as a whole one, for some providers read them."""
    try:
        whole = isinstance(splice.loads(text.encode("utf-8", "replace")), dict)
    except BadRequest:
        whole = False
    return text if whole else as_arguments(text) if text.strip() else "{}"


def _result_text(result: ResultPart, shown: list[Part]) -> str:
    """The result as text; what is no text is added to `shown`, which follows in a message of its own."""
    said: list[str] = []
    for part in result.parts:
        if isinstance(part, TextPart):
            said.append(part.text)
        elif isinstance(part, FilePart) and part.text:
            said.append(_document(part))
        else:
            shown.append(part)
            said.append("(image below)" if isinstance(part, ImagePart) else "(file below)")
    text = "\n".join(said)
    return f"Error: {text}" if result.failed and not _SAYS_FAILED.search(text[:_SAID_CHARS]) else text


def _orphan(result: ResultPart) -> bytes:
    """A result whose call is not there: no message of role tool may hold it."""
    shown: list[Part] = []
    text = _result_text(result, shown)
    return _said("user", (TextPart(f"Result of an earlier tool call:\n{text}"), *shown))


def _said(role: str, parts: Sequence[Part]) -> bytes:
    """A message of the system or the user. A single text is a string, as every provider takes it."""
    if role == "system":
        return splice.dumps({"role": role, "content": _joined(parts)})
    content = [said for part in parts if (said := _content(part)) is not None]
    plain = content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content
    return splice.dumps({"role": role, "content": plain})


def _content(part: Part) -> dict[str, object] | None:
    match part:
        case TextPart(text) if text:
            return {"type": "text", "text": text}
        case ImagePart():
            place: dict[str, object] = {"url": part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"}
            if part.detail:
                place["detail"] = part.detail
            return {"type": "image_url", "image_url": place}
        case FilePart() if part.text:
            return {"type": "text", "text": _document(part)}
        case FilePart():
            media_type = part.media_type or "application/pdf"
            named = part.name or "file." + _NOT_A_NAME.sub("", media_type.rpartition("/")[2])
            return {"type": "file", "file": {"filename": named, "file_data": part.url or f"data:{media_type};base64,{part.data}"}}
        case _:
            return None


def _document(part: FilePart) -> str:
    return f"{part.name}:\n{part.text}" if part.name else part.text


def _joined(parts: Iterable[Part]) -> str:
    return "\n\n".join(part.text for part in parts if isinstance(part, TextPart) and part.text)


def _tools(prompt: Prompt) -> dict[str, object]:
    if not prompt.tools:
        return {}
    choice: object = prompt.tool_choice or None
    if prompt.tool_choice.startswith("tool:"):
        wanted = prompt.tool_choice.removeprefix("tool:")
        flat = next((flat_name(tool.name, tool.namespace) for tool in prompt.tools if tool.name == wanted), flat_name(wanted))
        choice = {"type": "function", "function": {"name": flat}}
    return {"tools": [_tool(tool) for tool in prompt.tools], "tool_choice": choice, "parallel_tool_calls": prompt.parallel}


def _tool(tool: ToolOffer) -> dict[str, object]:
    schema = FREE_TEXT_SCHEMA if tool.custom else tool.schema or NO_PARAMETERS
    function: dict[str, object] = {"name": flat_name(tool.name, tool.namespace)}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(schema)
    if tool.strict is not None and not tool.custom:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _form(prompt: Prompt) -> object:
    form = prompt.form
    if form is None:
        return None
    if form.schema is None:
        return {"type": "json_object"}
    named: dict[str, object] = {"name": _NOT_A_NAME.sub("_", form.name)[:64] or FORM_NAME, "schema": dict(form.schema)}
    if form.strict is not None:
        named["strict"] = form.strict
    return {"type": "json_schema", "json_schema": named}


def _limit(prompt: Prompt, care: Care) -> int | None:
    wanted = prompt.max_output_tokens
    return wanted if wanted is None or care.max_output_tokens <= 0 else min(wanted, care.max_output_tokens)
