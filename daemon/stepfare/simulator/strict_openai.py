"""The rules of OpenAI's chat completions. `RULES` is the table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepfare.simulator.fields import Fields, fields_of, integer_of, is_number, items_of, text_of, without, words_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule, named
from stepfare.simulator.strict_chat import PairWords, calls_of, functions_of, messages_of, none_of, only, pairs

NAME = re.compile(r"\A[a-zA-Z0-9_-]+\Z")
NAME_CHARS_MAX = 64
CALL_ID_CHARS_MAX = 40
TOOLS_MAX = 128
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

REASONING = ("gpt-5", "gpt-6", "o1", "o3", "o4", "codex-mini", "gpt-chat-latest")
NO_TOOLS_WHILE_REASONING = ("gpt-5.6", "gpt-6")
"""Models that reason unless told otherwise, and take no function tools in chat completions while they do."""
NO_TOOLS_WITH_EFFORT = ("gpt-5.4", "gpt-5.5", *NO_TOOLS_WHILE_REASONING)

FIELDS = words_of(
    "model messages audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata"
    " modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention"
    " reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools"
    " top_logprobs top_p user verbosity web_search_options"
)
ROLES = ("system", "assistant", "user", "function", "tool", "developer")
MESSAGE_FIELDS = ("role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "tool_call_id")
PART_FIELDS = {
    "text": ("type", "text"),
    "image_url": ("type", "image_url"),
    "input_audio": ("type", "input_audio"),
    "file": ("type", "file"),
    "refusal": ("type", "refusal"),
}
CALL_FIELDS = ("id", "type", "function", "custom", "index")


def reasons(ask: Ask) -> bool:
    return named(ask.name, *REASONING) and "chat-latest" not in ask.name


def thinks(ask: Ask) -> bool:
    return reasons(ask) and ask.body.get("reasoning_effort") != "none"


def _unsupported(_ask: Ask, name: str) -> Refused:
    instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
    return Refused(400, f"Unsupported parameter: '{name}' is not supported with this model.{instead}", "unsupported_parameter", name)


def _unknown(name: str, _value: object) -> Refused:
    return Refused(400, f"Unrecognized request argument supplied: {name}")


def unknown_parameter(place: str) -> Refused:
    return Refused(400, f"Unknown parameter: '{place}'.", "unknown_parameter", place)


def too_long(place: str, most: int, size: int) -> Refused:
    words = f"string too long. Expected a string with maximum length {most}, but got a string with length {size} instead."
    return Refused(400, f"Invalid '{place}': {words}", "string_above_max_length", place)


def bad_name(place: str) -> Refused:
    words = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    return Refused(400, f"Invalid '{place}': {words}", "invalid_value", place)


def _required(ask: Ask) -> Iterator[Refused]:
    if not isinstance(ask.body.get("messages"), list):
        yield Refused(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    elif not ask.body["messages"]:
        words = "empty array. Expected an array with minimum length 1, but got an empty array instead."
        yield Refused(400, f"Invalid 'messages': {words}", "empty_array", "messages")


def _messages(ask: Ask) -> Iterator[Refused]:
    for i, message in enumerate(messages_of(ask)):
        place = f"messages[{i}]"
        role = message.get("role")
        if role not in ROLES:
            known = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'"
            yield Refused(400, f"Invalid value: '{role}'. Supported values are: {known}.", "invalid_value", f"{place}.role")
        for name in without(message, *MESSAGE_FIELDS):
            yield unknown_parameter(f"{place}.{name}")
        content = message.get("content")
        if content is None and not (role == "assistant" and (message.get("tool_calls") or message.get("function_call"))):
            yield Refused(400, "Invalid value for 'content': expected a string, got null.", None, f"messages.[{i}].content")
        for j, item in enumerate(items_of(content)):
            yield from _part(f"{place}.content[{j}]", fields_of(item))


def _part(place: str, part: Fields) -> Iterator[Refused]:
    kind = text_of(part.get("type"))
    if kind not in PART_FIELDS:
        known = "'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'"
        yield Refused(400, f"Invalid value: '{kind}'. Supported values are: {known}.", "invalid_value", place)
        return
    for name in without(part, *PART_FIELDS[kind]):
        yield unknown_parameter(f"{place}.{name}")


def _calls(ask: Ask) -> Iterator[Refused]:
    for i, message in enumerate(messages_of(ask)):
        if message.get("tool_calls") == []:
            place = f"messages[{i}].tool_calls"
            words = "empty array. Expected an array with minimum length 1, but got an empty array instead."
            yield Refused(400, f"Invalid '{place}': {words}", "empty_array", place)
        for j, call in enumerate(calls_of(message)):
            place = f"messages[{i}].tool_calls[{j}]"
            call_id = text_of(call.get("id"))
            if len(call_id) > CALL_ID_CHARS_MAX:
                yield too_long(f"{place}.id", CALL_ID_CHARS_MAX, len(call_id))
            if call.get("type") not in ("function", "custom"):
                yield Refused(400, f"Missing required parameter: '{place}.type'.", "missing_required_parameter", f"{place}.type")
            for name in without(call, *CALL_FIELDS):
                yield unknown_parameter(f"{place}.{name}")
            name = text_of(fields_of(call.get("function") or call.get("custom")).get("name"))
            if not NAME.match(name):
                yield bad_name(f"{place}.function.name")


def _unanswered(i: int, ids: list[str]) -> Refused:
    must = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    missing = f"The following tool_call_ids did not have response messages: {', '.join(ids)}"
    return Refused(400, f"{must} {missing}", None, f"messages.[{i + 1}].role")


def _uncalled(i: int, _call_id: str) -> Refused:
    words = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
    return Refused(400, words, None, f"messages.[{i}].role")


def _tools(ask: Ask) -> Iterator[Refused]:
    if len(items_of(ask.body.get("tools"))) > TOOLS_MAX:
        size = len(items_of(ask.body.get("tools")))
        words = f"array too long. Expected an array with maximum length {TOOLS_MAX}, but got an array with length {size} instead."
        yield Refused(400, f"Invalid 'tools': {words}", "array_above_max_length", "tools")
    for i, item in enumerate(items_of(ask.body.get("tools"))):
        kind = fields_of(item).get("type")
        if kind not in ("function", "custom"):
            known = "'function' and 'custom'"
            yield Refused(400, f"Invalid value: '{kind}'. Supported values are: {known}.", "invalid_value", f"tools[{i}].type")
        for name in without(fields_of(item), "type", "function", "custom"):
            yield unknown_parameter(f"tools[{i}].{name}")
    for i, function in functions_of(ask):
        yield from function_tool(f"tools[{i}].function", function)


def function_tool(place: str, function: Fields, *also: str) -> Iterator[Refused]:
    """The rules of a function on offer, wherever it stands."""
    name = text_of(function.get("name"))
    if not name:
        yield Refused(400, f"Missing required parameter: '{place}.name'.", "missing_required_parameter", f"{place}.name")
    elif not NAME.match(name):
        yield bad_name(f"{place}.name")
    elif len(name) > NAME_CHARS_MAX:
        yield too_long(f"{place}.name", NAME_CHARS_MAX, len(name))
    for extra in without(function, "name", "description", "parameters", "strict", *also):
        yield unknown_parameter(f"{place}.{extra}")
    schema = function.get("parameters")
    if schema is not None and fields_of(schema).get("type") != "object":
        got = fields_of(schema).get("type")
        words = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
        yield Refused(400, f"Invalid schema for function '{name}': {words}", "invalid_function_parameters", f"{place}.parameters")
    if function.get("strict") is True:
        yield from _strict(fields_of(schema), f"function '{name}'", "invalid_function_parameters", f"{place}.parameters")


def _strict(schema: Fields, what: str, code: str, param: str, path: tuple[str, ...] = ()) -> Iterator[Refused]:
    """A strict schema closes every object and requires all that is in it."""
    context = "(" + ", ".join(f"'{step}'" for step in path) + ("," if len(path) == 1 else "") + ")"
    properties = fields_of(schema.get("properties"))
    if schema.get("type") == "object" or properties:
        if schema.get("additionalProperties") is not False:
            words = "'additionalProperties' is required to be supplied and to be false."
            yield Refused(400, f"Invalid schema for {what}: In context={context}, {words}", code, param)
        missing = [name for name in properties if name not in items_of(schema.get("required"))]
        if missing:
            words = "'required' is required to be supplied and to be an array including every key in properties."
            yield Refused(400, f"Invalid schema for {what}: In context={context}, {words} Missing '{missing[0]}'.", code, param)
    for name, inner in properties.items():
        yield from _strict(fields_of(inner), what, code, param, (*path, "properties", name))
    if isinstance(schema.get("items"), dict):
        yield from _strict(fields_of(schema["items"]), what, code, param, (*path, "items"))


def output_form(form: Fields, place: str) -> Iterator[Refused]:
    """The rules of a JSON schema that the answer must fit."""
    if not NAME.match(text_of(form.get("name"))):
        if "name" not in form:
            yield Refused(400, f"Missing required parameter: '{place}.name'.", "missing_required_parameter", f"{place}.name")
        yield bad_name(f"{place}.name")
    if form.get("strict") is True:
        yield from _strict(fields_of(form.get("schema")), f"response_format '{form.get('name')}'", "invalid_json_schema", place)


def _form(ask: Ask) -> Iterator[Refused]:
    form = fields_of(ask.body.get("response_format"))
    if form and form.get("type") not in ("text", "json_object", "json_schema"):
        known = "'json_object', 'json_schema', and 'text'"
        yield Refused(400, f"Invalid value: '{form.get('type')}'. Supported values are: {known}.", "invalid_value", "response_format.type")
    if form.get("type") == "json_schema":
        yield from output_form(fields_of(form.get("json_schema")), "response_format.json_schema")


def _tools_only(ask: Ask) -> Iterator[Refused]:
    for name in ("tool_choice", "parallel_tool_calls"):
        if ask.body.get(name) is not None and not ask.body.get("tools") and ask.body[name] not in ("none", "auto"):
            yield Refused(400, f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", None, name)


def _stream_options(ask: Ask) -> Iterator[Refused]:
    if ask.body.get("stream_options") is not None and ask.body.get("stream") is not True:
        yield Refused(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None, "stream_options")


def _reasoning(ask: Ask) -> Iterator[Refused]:
    effort = ask.body.get("reasoning_effort")
    if not reasons(ask):
        if effort is not None:
            yield Refused(400, "Unrecognized request argument supplied: reasoning_effort")
        return
    if effort is not None and effort not in EFFORTS:
        known = "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'"
        yield Refused(400, f"Invalid value: '{effort}'. Supported values are: {known}.", "invalid_value", "reasoning_effort")
    given = effort if effort is not None else "default"
    silent = named(ask.name, *NO_TOOLS_WHILE_REASONING)
    if functions_of(ask) and given != "none" and named(ask.name, *NO_TOOLS_WITH_EFFORT) and (silent or effort is not None):
        what = f"Function tools with reasoning_effort are not supported for {ask.name} in /v1/chat/completions."
        instead = "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        yield Refused(400, f"{what} {instead}", None, "reasoning_effort")
    temperature = ask.body.get("temperature")
    if temperature is not None and temperature != 1:
        words = f"'temperature' does not support {temperature} with this model. Only the default (1) value is supported."
        yield Refused(400, f"Unsupported value: {words}", "unsupported_value", "temperature")


def _limits(ask: Ask) -> Iterator[Refused]:
    if ask.body.get("max_tokens") is not None and ask.body.get("max_completion_tokens") is not None:
        words = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        yield Refused(400, words, "invalid_parameter_combination", "max_tokens")
    for name in ("max_tokens", "max_completion_tokens"):
        limit = integer_of(ask.body.get(name))
        most = ask.model.max_output_tokens
        if limit is not None and limit > most:
            words = f"This model supports at most {most} completion tokens, whereas you provided {limit}."
            yield Refused(400, f"{name} is too large: {limit}. {words}", "invalid_value", name)
        if limit is not None and limit < 1:
            words = f"integer below minimum value. Expected a value >= 1, but got {limit} instead."
            yield Refused(400, f"Invalid '{name}': {words}", "integer_below_min_value", name)
    temperature = ask.body.get("temperature")
    if is_number(temperature) and not 0 <= float(str(temperature)) <= 2:
        words = f"decimal above maximum value. Expected a value <= 2, but got {temperature} instead."
        yield Refused(400, f"Invalid 'temperature': {words}", "decimal_above_max_value", "temperature")


NOT_WHILE_REASONING = ("max_tokens", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "stop")

RULES = (
    Rule("no field is unknown", only(FIELDS, _unknown)),
    Rule("there are messages", _required),
    Rule("messages have known roles, known fields, known parts, and say something", _messages),
    Rule("calls have ids of at most 40 characters and names of letters, digits, _ and -", _calls),
    Rule("calls and results come in pairs, at once", pairs(PairWords(_unanswered, _uncalled))),
    Rule("tools have names of up to 64 letters, digits, _ and -, schemas of an object, closed where strict", _tools),
    Rule("what says how to use tools comes with tools", _tools_only),
    Rule("options of a stream come with a stream", _stream_options),
    Rule("a schema for the answer has a name, and is closed where strict", _form),
    Rule("models that reason take no limits and samplings of the old kind", none_of(NOT_WHILE_REASONING, _unsupported, reasons)),
    Rule("models that reason take temperature 1, and the newest no function tools here while they do", _reasoning),
    Rule("limits are within what the model can give", _limits),
)
