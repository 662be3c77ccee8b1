"""The rules of Google's OpenAI-compatible port for Gemini. `RULES` is the table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepfare.simulator.fields import Fields, fields_of, items_of, text_of, without, words_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule, named
from stepfare.simulator.seals import opened
from stepfare.simulator.strict_chat import calls_of, functions_of, messages_of, only

FUNCTION_NAME = re.compile(r"\A[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}\Z")
FIELDS = words_of(
    "model messages max_tokens max_completion_tokens temperature top_p n stop stream stream_options tools tool_choice response_format"
    " reasoning_effort presence_penalty frequency_penalty seed user parallel_tool_calls logprobs top_logprobs extra_body modalities audio"
    " service_tier web_search_options"
)
MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "extra_content")
CALL_FIELDS = ("id", "type", "function", "index", "extra_content")
PART_FIELDS = ("type", "text", "image_url", "input_audio", "file")
SCHEMA_FIELDS = words_of(
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties minLength maxLength"
    " pattern example anyOf propertyOrdering default items minimum maximum"
)
SIGNS_CALLS = ("gemini-3", "gemini-4")
"""Models that want their thought signatures back with the calls of the turn that goes on."""
END: Fields = {"role": "user"}
"""Where all calls must have been answered."""
DUMMY_SIGNATURES = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""What is taken for a call that another model made."""


def thinks(ask: Ask) -> bool:
    return named(ask.name, "gemini-2.5", "gemini-3", "gemini-4") and ask.body.get("reasoning_effort") != "none"


def _cannot_find(name: str, place: str = "") -> Refused:
    where = f" at '{place}'" if place else ""
    return Refused(400, f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.')


def _unknown(name: str, _value: object) -> Refused:
    return _cannot_find(name)


def _messages(ask: Ask) -> Iterator[Refused]:
    if not messages_of(ask):
        yield Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    for i, message in enumerate(messages_of(ask)):
        place = f"messages[{i}]"
        for name in without(message, *MESSAGE_FIELDS):
            yield _cannot_find(name, place)
        for j, part in enumerate(items_of(message.get("content"))):
            for name in without(fields_of(part), *PART_FIELDS):
                yield _cannot_find(name, f"{place}.content[{j}]")
        for j, call in enumerate(calls_of(message)):
            for name in without(call, *CALL_FIELDS):
                yield _cannot_find(name, f"{place}.tool_calls[{j}]")
        if message.get("role") not in ("system", "developer", "user", "assistant", "tool"):
            yield Refused(400, "Please use a valid role: user, model.")
    if not any(message.get("role") in ("user", "tool", "assistant") for message in messages_of(ask)):
        yield Refused(400, "* GenerateContentRequest.contents: contents is not specified")


def _pairs(ask: Ask) -> Iterator[Refused]:
    waiting: list[str] | None = None
    answered = 0
    for message in [*messages_of(ask), END]:
        if message.get("role") == "tool":
            if waiting is None or text_of(message.get("tool_call_id")) not in waiting:
                yield Refused(400, "Please ensure that function response turn comes immediately after a function call turn.")
            answered += 1
            continue
        if waiting is not None and answered != len(waiting):
            words = "the number of function response parts is equal to the number of function call parts of the function call turn."
            yield Refused(400, f"Please ensure that {words}")
        ids = [text_of(call.get("id")) for call in calls_of(message)]
        waiting, answered = (ids or None), 0


def _tools(ask: Ask) -> Iterator[Refused]:
    for i, function in functions_of(ask):
        place = f"tools[0].function_declarations[{i}]"
        if not FUNCTION_NAME.match(text_of(function.get("name"))):
            must = "Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:),"
            yield Refused(400, f"* {place}.name: Invalid function name. {must} or dashes (-), with a maximum length of 128.")
        for name in without(function, "name", "description", "parameters", "strict"):
            yield _cannot_find(name, place)
        yield from _schema(fields_of(function.get("parameters")), f"{place}.parameters")


def _schema(schema: Fields, place: str) -> Iterator[Refused]:
    for name in without(schema, *SCHEMA_FIELDS):
        yield _cannot_find(name, place)
    if isinstance(schema.get("type"), list):
        yield Refused(
            400, f"Invalid JSON payload received. Unknown name \"type\" at '{place}': Proto field is not repeating, cannot start list."
        )
    if schema.get("enum") is not None and not all(isinstance(value, str) for value in items_of(schema["enum"])):
        yield Refused(400, f"Invalid value at '{place}.enum[0]' (TYPE_STRING), {items_of(schema['enum'])[0]}")
    for i, (name, inner) in enumerate(fields_of(schema.get("properties")).items()):
        del name
        yield from _schema(fields_of(inner), f"{place}.properties[{i}].value")
    if isinstance(schema.get("items"), dict):
        yield from _schema(fields_of(schema["items"]), f"{place}.items")
    for i, inner in enumerate(items_of(schema.get("anyOf"))):
        yield from _schema(fields_of(inner), f"{place}.any_of[{i}]")


def _signatures(ask: Ask) -> Iterator[Refused]:
    """The first call of each step since the human's last words bears what the model signed it with; no call bears anything else."""
    messages = messages_of(ask)
    current = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=0)
    for i, message in enumerate(messages):
        for j, call in enumerate(calls_of(message)):
            signature = text_of(fields_of(fields_of(call.get("extra_content")).get("google")).get("thought_signature"))
            if signature and signature not in DUMMY_SIGNATURES:
                seal = opened(signature, "call")
                if seal is None or seal.model != ask.name:
                    yield Refused(400, "Corrupted thought signature.")
            elif not signature and i > current and j == 0 and named(ask.name, *SIGNS_CALLS):
                name = text_of(fields_of(call.get("function")).get("name"))
                what = "This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance."
                where = f"Additional data, function call `default_api:{name}` , position {i + 1}."
                more = "Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
                yield Refused(400, f"Function call is missing a thought_signature in functionCall parts. {what} {where} {more}")


def _effort(ask: Ask) -> Iterator[Refused]:
    effort = ask.body.get("reasoning_effort")
    if effort is not None and effort not in ("none", "minimal", "low", "medium", "high"):
        yield Refused(400, f"Invalid reasoning_effort: {effort}. Supported values are: none, minimal, low, medium, high.")
    if effort == "none" and named(ask.name, "gemini-2.5-pro", *SIGNS_CALLS):
        yield Refused(400, "Budget 0 is invalid. This model only works in thinking mode.")


RULES = (
    Rule("no field is unknown", only(FIELDS, _unknown)),
    Rule("messages hold nothing unknown", _messages),
    Rule("results stand behind their calls, as many as they are", _pairs),
    Rule("functions have names and schemas of the small kind", _tools),
    Rule("models that always think are not told not to", _effort),
    Rule("calls of the turn that goes on bear the signature that the model gave them", _signatures),
)
