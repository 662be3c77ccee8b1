"""The rules of OpenAI's Responses. `RULES` is the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stepfare.simulator import strict_openai
from stepfare.simulator.fields import Fields, fields_of, integer_of, items_of, text_of, without, words_of
from stepfare.simulator.read_responses import items
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule
from stepfare.simulator.seals import opened
from stepfare.simulator.strict_openai import EFFORTS, NAME, bad_name, function_tool, output_form, too_long, unknown_parameter

CALL_ID_CHARS_MAX = 64
OUTPUT_TOKENS_MIN = 16
STORED = "_s"
"""How ids end of items that were stored together with the reasoning before them."""
NUMBERED = "n"
"""What stands in them between the answer that they belong to and their number in it."""

FIELDS = words_of(
    "model input instructions access_programs background background_options context_management conversation image include max_output_tokens"
    " max_tool_calls metadata moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options"
    " prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text tool_choice tools"
    " top_logprobs top_p truncation user client_metadata"
)
ITEM_FIELDS = {
    "message": "id role content status phase",
    "reasoning": "id summary content encrypted_content status",
    "function_call": "id call_id name arguments status namespace caller async",
    "function_call_output": "id call_id output status caller name namespace",
    "custom_tool_call": "id call_id name input status namespace caller async",
    "custom_tool_call_output": "id call_id output status caller name namespace",
    "item_reference": "id",
    "additional_tools": "id role tools",
    "agent_message": "id author recipient content other_recipients trigger_turn role",
}
"""Items with all that may stand in them; other known kinds belong to tools that run at OpenAI."""
OTHER_ITEMS = words_of(
    "file_search_call computer_call computer_call_output web_search_call tool_search_call tool_search_output compaction compaction_trigger"
    " image_generation_call code_interpreter_call local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call"
    " apply_patch_call_output mcp_list_tools mcp_approval_request mcp_approval_response mcp_call program program_output"
)
ID_BEGINS = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
CALLS = {"function_call": "function call", "custom_tool_call": "custom tool call"}
OUTPUTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
CONTENT = {
    "user": ("input_text", "input_image", "input_file"),
    "assistant": ("output_text", "refusal"),
}
FUNCTION_ALSO = ("type", "defer_loading", "output_schema", "allowed_callers")
TOOLS_ELSEWHERE = words_of(
    "file_search computer computer_use_preview web_search web_search_preview mcp code_interpreter image_generation local_shell shell"
    " apply_patch tool_search programmatic_tool_calling"
)


def thinks(ask: Ask) -> bool:
    return strict_openai.reasons(ask) and fields_of(ask.body.get("reasoning")).get("effort") != "none"


def _kind(item: Fields) -> str:
    return text_of(item.get("type")) or ("message" if "role" in item else "item_reference")


def _known(ask: Ask) -> Iterator[Refused]:
    for name in without(ask.body, *FIELDS):
        yield unknown_parameter(name)
    for name in without(fields_of(ask.body.get("stream_options")), "include_obfuscation"):
        yield unknown_parameter(f"stream_options.{name}")
    if ask.body.get("input") in (None, "", []) and not ask.body.get("previous_response_id") and not ask.body.get("prompt"):
        yield Refused(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input")


def _stored(ask: Ask) -> Iterator[Refused]:
    """Nothing is kept here: what refers to it cannot be found."""
    previous = ask.body.get("previous_response_id")
    if previous is not None:
        words = f"Previous response with id '{previous}' not found."
        yield Refused(400, words, "previous_response_not_found", "previous_response_id")
    for item in items(ask.body):
        if _kind(item) == "item_reference" or (_kind(item) == "reasoning" and not item.get("encrypted_content") and not _is_stored(item)):
            kept = "Items are not persisted when `store` is set to false."
            what = "Try again with `store` set to true, or remove this item from your input."
            yield Refused(404, f"Item with id '{item.get('id')}' not found. {kept} {what}", None, "input")


def _is_stored(item: Fields) -> bool:
    return text_of(item.get("id")).endswith(STORED)


def _items(ask: Ask) -> Iterator[Refused]:
    if isinstance(ask.body.get("input"), str):
        return
    for i, item in enumerate(items(ask.body)):
        place, kind = f"input[{i}]", _kind(item)
        if kind not in ITEM_FIELDS:
            if kind not in OTHER_ITEMS:
                known = ", ".join(f"'{name}'" for name in (*ITEM_FIELDS, *OTHER_ITEMS))
                yield Refused(400, f"Invalid value: '{kind}'. Supported values are: {known}.", "invalid_value", f"{place}.type")
            continue
        for name in without(item, "type", *ITEM_FIELDS[kind].split()):
            yield unknown_parameter(f"{place}.{name}")
        begins = ID_BEGINS.get(kind)
        item_id = item.get("id")
        if begins is not None and isinstance(item_id, str):
            if not item_id.startswith(begins):
                words = f"Invalid '{place}.id': '{item_id}'. Expected an ID that begins with '{begins}'."
                yield Refused(400, words, "invalid_value", f"{place}.id")
            if len(item_id) > CALL_ID_CHARS_MAX:
                yield too_long(f"{place}.id", CALL_ID_CHARS_MAX, len(item_id))
        if kind == "message":
            yield from _message(place, item)
        if kind == "reasoning" and not isinstance(item.get("summary"), list):
            yield Refused(400, f"Missing required parameter: '{place}.summary'.", "missing_required_parameter", f"{place}.summary")
        if kind in CALLS or kind in OUTPUTS:
            yield from _call(place, kind, item)


def _message(place: str, item: Fields) -> Iterator[Refused]:
    role = item.get("role")
    if role not in ("user", "assistant", "system", "developer"):
        known = "'assistant', 'system', 'developer', and 'user'"
        yield Refused(400, f"Invalid value: '{role}'. Supported values are: {known}.", "invalid_value", f"{place}.role")
    content = item.get("content")
    if content is None:
        yield Refused(400, f"Missing required parameter: '{place}.content'.", "missing_required_parameter", f"{place}.content")
    known = CONTENT["assistant"] if role == "assistant" else CONTENT["user"]
    for j, part in enumerate(items_of(content)):
        kind = fields_of(part).get("type")
        if kind not in known:
            listed = " and ".join(f"'{name}'" for name in known) if len(known) == 2 else ", ".join(f"'{name}'" for name in known)
            yield Refused(400, f"Invalid value: '{kind}'. Supported values are: {listed}.", "invalid_value", f"{place}.content[{j}]")
        if "cache_control" in fields_of(part):
            yield unknown_parameter(f"{place}.content[{j}].cache_control")


def _call(place: str, kind: str, item: Fields) -> Iterator[Refused]:
    call_id = text_of(item.get("call_id"))
    if not call_id:
        yield Refused(400, f"Missing required parameter: '{place}.call_id'.", "missing_required_parameter", f"{place}.call_id")
    if len(call_id) > CALL_ID_CHARS_MAX:
        yield too_long(f"{place}.call_id", CALL_ID_CHARS_MAX, len(call_id))
    if kind in CALLS and not NAME.match(text_of(item.get("name"))):
        yield bad_name(f"{place}.name")
    needed = {"function_call": "arguments", "custom_tool_call": "input"}.get(kind, "output")
    if needed not in item:
        yield Refused(400, f"Missing required parameter: '{place}.{needed}'.", "missing_required_parameter", f"{place}.{needed}")


def _pairs(ask: Ask) -> Iterator[Refused]:
    given = items(ask.body)
    for kind, words in CALLS.items():
        called = [text_of(item.get("call_id")) for item in given if _kind(item) == kind]
        answered = [text_of(item.get("call_id")) for item in given if OUTPUTS.get(_kind(item)) == kind]
        for call_id in called:
            if call_id not in answered:
                yield Refused(400, f"No tool output found for {words} {call_id}.", None, "input")
        for call_id in answered:
            if call_id not in called:
                yield Refused(400, f"No tool call found for {words} output with call_id {call_id}.", None, "input")


def _reasoning_items(ask: Ask) -> Iterator[Refused]:
    given = items(ask.body)
    for i, item in enumerate(given):
        if _kind(item) != "reasoning":
            continue
        encrypted = item.get("encrypted_content")
        if encrypted is not None:
            seal = opened(text_of(encrypted), "encrypted")
            if seal is None or (seal.model, seal.account) != (ask.name, ask.account):
                short = f"{text_of(encrypted)[:4]}...{text_of(encrypted)[-4:]}"
                why = "Reason: Encrypted content could not be decrypted or parsed."
                yield Refused(400, f"The encrypted content {short} could not be verified. {why}", "invalid_encrypted_content")
        if not _followed(given, i):
            words = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            yield Refused(400, words, None, "input")


def _followed(given: Sequence[Fields], i: int) -> bool:
    """Whether the model's own words or calls stand behind this reasoning, other reasoning at most between."""
    after = next((item for item in given[i + 1 :] if _kind(item) != "reasoning"), None)
    return after is not None and (_kind(after).endswith("_call") or (_kind(after) == "message" and after.get("role") == "assistant"))


def _reasoned_items(ask: Ask) -> Iterator[Refused]:
    """What was stored as said after reasoning is not taken without it."""
    known = {text_of(item.get("id")) for item in items(ask.body) if _kind(item) == "reasoning"}
    for item in items(ask.body):
        if _kind(item) in (*CALLS, "message") and _is_stored(item):
            needed = f"rs_{text_of(item['id']).partition('_')[2].partition(NUMBERED)[0]}{STORED}"
            if needed not in known:
                words = f"Item '{item.get('id')}' of type '{_kind(item)}' was provided without its required 'reasoning' item: '{needed}'."
                yield Refused(400, words, None, "input")


def _tools(ask: Ask) -> Iterator[Refused]:
    for i, item in enumerate(items_of(ask.body.get("tools"))):
        yield from _tool(f"tools[{i}]", fields_of(item))


def _tool(place: str, tool: Fields) -> Iterator[Refused]:
    kind = text_of(tool.get("type"))
    if kind == "function":
        yield from function_tool(place, tool, *FUNCTION_ALSO)
    elif kind == "custom":
        if not NAME.match(text_of(tool.get("name"))):
            yield bad_name(f"{place}.name")
        for name in without(tool, "type", "name", "description", "format", "defer_loading", "allowed_callers"):
            yield unknown_parameter(f"{place}.{name}")
    elif kind == "namespace":
        for name in ("name", "description"):
            if not isinstance(tool.get(name), str):
                yield Refused(400, f"Missing required parameter: '{place}.{name}'.", "missing_required_parameter", f"{place}.{name}")
        for j, inner in enumerate(items_of(tool.get("tools"))):
            yield from _tool(f"{place}.tools[{j}]", fields_of(inner))
    elif kind not in TOOLS_ELSEWHERE:
        known = ", ".join(f"'{name}'" for name in ("function", "custom", "namespace", *TOOLS_ELSEWHERE))
        yield Refused(400, f"Invalid value: '{kind}'. Supported values are: {known}.", "invalid_value", f"{place}.type")


def _parameters(ask: Ask) -> Iterator[Refused]:
    limit = integer_of(ask.body.get("max_output_tokens"))
    if limit is not None and limit < OUTPUT_TOKENS_MIN:
        words = f"integer below minimum value. Expected a value >= {OUTPUT_TOKENS_MIN}, but got {limit} instead."
        yield Refused(400, f"Invalid 'max_output_tokens': {words}", "integer_below_min_value", "max_output_tokens")
    reasoning = fields_of(ask.body.get("reasoning"))
    if strict_openai.reasons(ask):
        for name in ("temperature", "top_p"):
            if ask.body.get(name) is not None:
                yield Refused(400, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter", name)
    elif reasoning.get("effort") is not None:
        words = "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        yield Refused(400, words, "unsupported_parameter", "reasoning.effort")
    effort = reasoning.get("effort")
    if effort is not None and effort not in EFFORTS:
        known = "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'"
        yield Refused(400, f"Invalid value: '{effort}'. Supported values are: {known}.", "invalid_value", "reasoning.effort")
    for name in without(reasoning, "effort", "summary", "generate_summary", "context", "mode"):
        yield unknown_parameter(f"reasoning.{name}")
    text = fields_of(ask.body.get("text"))
    for name in without(text, "format", "verbosity"):
        yield unknown_parameter(f"text.{name}")
    if fields_of(text.get("format")).get("type") == "json_schema":
        yield from output_form(fields_of(text.get("format")), "text.format")


RULES = (
    Rule("no parameter is unknown, and there is an input", _known),
    Rule("items are of known kinds, with known fields, ids that tell their kind and call ids of at most 64 characters", _items),
    Rule("nothing is asked for that was not stored", _stored),
    Rule("calls and outputs come in pairs", _pairs),
    Rule(
        "encrypted reasoning comes back to the model and the organisation that it was made for, followed by what it led to",
        _reasoning_items,
    ),
    Rule("stored items come with the reasoning before them", _reasoned_items),
    Rule("tools are of known kinds, with names of letters, digits, _ and -", _tools),
    Rule("parameters are those of the model, within their bounds", _parameters),
)
