"""OpenAI Responses bodies as requests to play: instructions, items, tools in namespaces and custom ones in the normal form of `reading`."""

from __future__ import annotations

from collections.abc import Iterator

from stepfare.core.model import Model
from stepfare.simulator.fields import Fields, fields_of, integer_of, items_of, parts_of, text_of
from stepfare.simulator.prefixes import responses_prefixes
from stepfare.simulator.reading import Call, Function, Message, Part, Request, ResponseFormat, ToolFunction
from stepfare.simulator.refused import Refused

ROLES = {"developer": "system", "system": "system", "assistant": "assistant"}
CALLS = {"function_call": False, "custom_tool_call": True}
"""Items that are calls, and whether their input is free text."""


def read_responses(body: Fields, model: Model, family: str = "", *, thinks: bool | None = None) -> Request:
    """Raises `Refused` where there is nothing to answer."""
    messages = _joined([*_instructions(body), *(message for item in items(body) for message in _message(item))])
    if not messages:
        raise Refused(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")
    offered = [*items_of(body.get("tools")), *(tool for item in items(body) for tool in _added(item))]
    return Request(
        model=model,
        messages=messages,
        tools=tuple(tool for item in offered for tool in _tools(fields_of(item))),
        tool_choice=_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        stream=body.get("stream") is True,
        wants_usage=True,
        max_tokens=integer_of(body.get("max_output_tokens")),
        response_format=_form(body),
        prefixes=responses_prefixes(body),
        dialect="responses",
        family=family,
        thinks=thinks,
    )


def too_long() -> Refused:
    words = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return Refused(400, words, "context_length_exceeded", "input")


def items(body: Fields) -> list[Fields]:
    """The input as items; a bare string is one message of the user."""
    given = body.get("input")
    said: Fields = {"role": "user", "content": given}
    return [said] if isinstance(given, str) else [fields_of(item) for item in items_of(given)]


def _instructions(body: Fields) -> Iterator[Message]:
    if text_of(body.get("instructions")):
        yield Message("system", text_of(body["instructions"]))


def _message(item: Fields) -> Iterator[Message]:
    kind = text_of(item.get("type")) or "message"
    if kind in ("message", "agent_message"):
        parts = [_part(part) for part in parts_of(item.get("content"))]
        yield Message(ROLES.get(text_of(item.get("role")), "user"), parts)
    elif kind in CALLS:
        custom = CALLS[kind]
        function = Function(text_of(item.get("name")), text_of(item.get("input" if custom else "arguments")))
        call = Call(function, text_of(item.get("call_id")), text_of(item.get("namespace")), custom)
        yield Message("assistant", tool_calls=[call])
    elif kind in ("function_call_output", "custom_tool_call_output"):
        parts = [_part(part) for part in parts_of(item.get("output"))]
        yield Message("tool", parts, tool_call_id=text_of(item.get("call_id")))
    elif kind == "reasoning":
        summary = "\n".join(text_of(fields_of(part).get("text")) for part in items_of(item.get("summary")))
        if summary:
            yield Message("assistant", reasoning_content=summary)


def _part(part: Fields) -> Part:
    kind = text_of(part.get("type"))
    text = text_of(part.get("text")) or text_of(part.get("encrypted_content"))
    return Part("image_url" if "image" in kind else "text", text, text_of(part.get("refusal")))


def _joined(messages: list[Message]) -> tuple[Message, ...]:
    """What the assistant thought, said and called in a row is one turn of its."""
    turns: list[Message] = []
    for message in messages:
        last = turns[-1] if turns else None
        if last is None or last.role != "assistant" or message.role != "assistant" or (last.tool_calls and message.content):
            turns.append(message)
            continue
        content = [*_parts(last), *_parts(message)]
        calls = [*(last.tool_calls or []), *(message.tool_calls or [])]
        thought = "\n".join(filter(None, (last.reasoning_content, message.reasoning_content)))
        turns[-1] = Message("assistant", content or None, thought or None, tool_calls=calls or None)
    return tuple(turns)


def _parts(message: Message) -> list[Part]:
    return message.content if isinstance(message.content, list) else []


def _added(item: Fields) -> list[object]:
    return items_of(item.get("tools")) if item.get("type") == "additional_tools" else []


def _tools(tool: Fields, namespace: str = "") -> Iterator[ToolFunction]:
    kind, name = tool.get("type"), text_of(tool.get("name"))
    if kind == "namespace":
        for inner in items_of(tool.get("tools")):
            yield from _tools(fields_of(inner), name)
    elif kind == "function":
        yield ToolFunction(name, text_of(tool.get("description")), fields_of(tool.get("parameters")), namespace)
    elif kind == "custom":
        yield ToolFunction(name, text_of(tool.get("description")), None, namespace, custom=True)


def _choice(choice: object) -> str:
    if isinstance(choice, str):
        return choice
    return text_of(fields_of(choice).get("name")) or "auto"


def _form(body: Fields) -> ResponseFormat | None:
    form = fields_of(fields_of(body.get("text")).get("format"))
    kind = text_of(form.get("type"))
    if kind not in ("json_schema", "json_object"):
        return None
    return ResponseFormat(kind, {"schema": form["schema"]} if "schema" in form else None)
