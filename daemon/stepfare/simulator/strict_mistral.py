"""The rules of Mistral's chat completions: a closed schema, ids of nine characters, and an order of roles. `RULES` is the table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stepfare.simulator.fields import Fields, fields_of, items_of, text_of, without, words_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule
from stepfare.simulator.strict_chat import calls_of, functions_of, messages_of, only

CALL_ID = re.compile(r"\A[a-zA-Z0-9]{9}\Z")
FUNCTION_NAME = re.compile(r"\A[a-zA-Z0-9_-]{1,64}\Z")
ORDER, BAD_CALL, EMPTY = "3230", "3280", "3240"

FIELDS = words_of(
    "model messages temperature top_p max_tokens stream stop random_seed metadata response_format tools tool_choice presence_penalty"
    " frequency_penalty n prediction parallel_tool_calls prompt_mode reasoning_effort guardrails safe_prompt prompt_cache_key"
    " stream_options"
)
END: Fields = {"role": ""}
"""Where all calls must have been answered."""
MESSAGE_FIELDS = {
    "system": ("role", "content"),
    "user": ("role", "content"),
    "assistant": ("role", "content", "tool_calls", "prefix"),
    "tool": ("role", "content", "tool_call_id", "name"),
}
AFTER = {
    "": ("system", "user", "assistant"),
    "system": ("system", "user", "assistant"),
    "user": ("user", "system", "assistant"),
    "assistant": ("user", "system", "assistant", "tool"),
    "tool": ("tool", "assistant"),
}
"""Which role may follow which."""


def extra_forbidden(place: Sequence[str | int], value: object) -> Refused:
    """A field too many, as the library says it that holds bodies to their schema there."""
    found = {"type": "extra_forbidden", "loc": ["body", *place], "msg": "Extra inputs are not permitted", "input": value}
    return Refused(422, "Extra inputs are not permitted", detail={"detail": [found]})


def _unknown(name: str, value: object) -> Refused:
    return extra_forbidden([name], value)


def _nested(ask: Ask) -> Iterator[Refused]:
    for name, value in without(fields_of(ask.body.get("stream_options"))).items():
        yield extra_forbidden(["stream_options", name], value)
    for i, message in enumerate(messages_of(ask)):
        role = text_of(message.get("role"))
        if role not in MESSAGE_FIELDS:
            known = ", ".join(f"'{name}'" for name in MESSAGE_FIELDS)
            words = f"Input tag '{role}' found using 'role' does not match any of the expected tags: {known}"
            found = {"type": "union_tag_invalid", "loc": ["body", "messages", i], "msg": words, "input": message}
            yield Refused(422, words, detail={"detail": [found]})
            continue
        for name, value in without(message, *MESSAGE_FIELDS[role]).items():
            yield extra_forbidden(["messages", i, role, name], value)
        for j, part in enumerate(items_of(message.get("content"))):
            for name, value in without(fields_of(part), "type", "text", "image_url", "document_url", "input_audio", "thinking").items():
                yield extra_forbidden(["messages", i, role, "content", j, name], value)


def _order(ask: Ask) -> Iterator[Refused]:
    before = ""
    for message in messages_of(ask):
        role = text_of(message.get("role"))
        if role not in AFTER.get(before, ()):
            yield Refused(400, f"Unexpected role '{role}' after role '{before}'", ORDER)
        before = role
    last = messages_of(ask)[-1] if messages_of(ask) else {}
    if last.get("role") not in ("user", "tool") and last.get("prefix") is not True:
        must = "Expected last role User or Tool (or Assistant with prefix True) for serving but got"
        yield Refused(400, f"{must} {last.get('role')}", ORDER)


def _calls(ask: Ask) -> Iterator[Refused]:
    waiting: list[str] = []
    for message in [*messages_of(ask), END]:
        role = message.get("role")
        if role == "tool":
            yield from _call_id(text_of(message.get("tool_call_id")))
            if message.get("tool_call_id") not in waiting:
                yield Refused(400, "Unexpected tool call id " + text_of(message.get("tool_call_id")) + " in tool results", BAD_CALL)
            else:
                waiting.remove(text_of(message["tool_call_id"]))
            continue
        if waiting:
            yield Refused(400, "Not the same number of function calls and responses", ORDER)
        waiting = []
        for call in calls_of(message):
            yield from _call_id(text_of(call.get("id")))
            waiting.append(text_of(call.get("id")))
        if role == "assistant" and not message.get("content") and not calls_of(message):
            yield Refused(400, "Assistant message must have either content or tool_calls, but not none.", EMPTY)


def _call_id(call_id: str) -> Iterator[Refused]:
    if not CALL_ID.match(call_id):
        yield Refused(400, f"Tool call id was {call_id} but must be a-z, A-Z, 0-9, with a length of 9.", BAD_CALL)


def _names(ask: Ask) -> Iterator[Refused]:
    for _, function in functions_of(ask):
        name = text_of(function.get("name"))
        if not FUNCTION_NAME.match(name):
            must = "must be a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64."
            yield Refused(400, f"Function name was {name} but {must}", BAD_CALL)


RULES = (
    Rule("no field is unknown", only(FIELDS, _unknown)),
    Rule("nor within messages and options of a stream", _nested),
    Rule("ids of calls are nine letters and digits; calls and results come in pairs", _calls),
    Rule("roles keep their order, and a user or a tool speaks last", _order),
    Rule("tools have names of up to 64 letters, digits, _ and -", _names),
)
