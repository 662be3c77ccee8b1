"""The rules of Anthropic's Messages API. `RULES` is the table, in the order in which a call is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepfare.simulator import bound_thinking
from stepfare.simulator.fields import Fields, fields_of, integer_of, is_number, items_of, parts_of, text_of, without, words_of
from stepfare.simulator.prefixes import HOUR_S, MARK, mark_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule, named
from stepfare.simulator.strict_anthropic_turns import broken_pairs, broken_roles, broken_texts

TOOL_NAME = re.compile(r"\A[a-zA-Z0-9_-]{1,128}\Z")
MARKS_MAX = 4
BUDGET_MIN = 1024

ALWAYS_THINKS = ("claude-opus-5-5", "claude-fable-5-1", "claude-fable-5-2", "claude-mythos-5")
NO_DISABLED = (*ALWAYS_THINKS, "claude-sonnet-5-5")
BETWEEN_TOOLS = ("claude-sonnet-5-5",)
NO_FORCED_TOOL = (*ALWAYS_THINKS, "claude-sonnet-5-5")
ADAPTIVE = words_of(
    "claude-opus-4-6 claude-opus-4-7 claude-opus-4-8 claude-sonnet-4-6 claude-opus-5 claude-sonnet-5 claude-haiku-5 claude-fable-5"
    " claude-mythos-5"
)
"""Models that think as much as they see fit; the others only within a budget."""
NO_BUDGET = (
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-haiku-5",
    "claude-fable-5",
    "claude-mythos-5",
)
NO_SAMPLING = NO_BUDGET
NO_PREFILL = ("claude-opus-4-6", "claude-sonnet-4-6", *NO_BUDGET)

FIELDS = words_of(
    "model max_tokens messages cache_control container diagnostics inference_geo metadata output_config service_tier speed stop_sequences"
    " stream system temperature thinking tool_choice tools top_k top_p"
)
BETA_FIELDS = {"context_management": "context-management", "mcp_servers": "mcp-client", "betas": "\0"}
"""Top-level fields that need a beta, by how its name begins."""
MESSAGE_FIELDS = frozenset({"role", "content"})
BLOCK_FIELDS = {
    "text": "text citations cache_control",
    "image": "source cache_control",
    "document": "source title context citations cache_control",
    "tool_use": "id name input cache_control caller toolset_name",
    "tool_result": "tool_use_id content is_error cache_control",
    "thinking": "thinking signature",
    "redacted_thinking": "data",
}
"""Blocks with all that may stand in them; other kinds belong to tools that run at Anthropic."""
TOOL_FIELDS = words_of(
    "name description input_schema cache_control type strict defer_loading input_examples allowed_callers eager_input_streaming"
)
MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def _unknown_fields(ask: Ask) -> Iterator[Refused]:
    betas = ask.headers.get("anthropic-beta", "")
    for name in ask.body:
        if name not in FIELDS and not (name in BETA_FIELDS and BETA_FIELDS[name] in betas):
            yield Refused(400, f"{name}: Extra inputs are not permitted")
    for name in without(fields_of(ask.body.get("metadata")), "user_id"):
        yield Refused(400, f"metadata.{name}: Extra inputs are not permitted")
    for i, item in enumerate(items_of(ask.body.get("messages"))):
        for name in without(fields_of(item), *MESSAGE_FIELDS):
            if name != "output_config" or "per-turn-control" not in betas:
                yield Refused(400, f"messages.{i}.{name}: Extra inputs are not permitted")


def _unknown_in_blocks(ask: Ask) -> Iterator[Refused]:
    for place, block in _blocks(ask.body):
        kind = text_of(block.get("type"))
        if kind in BLOCK_FIELDS:
            for name in without(block, "type", *BLOCK_FIELDS[kind].split()):
                yield Refused(400, f"{place}.{kind}.{name}: Extra inputs are not permitted")
        elif not kind.endswith(("_tool_use", "_tool_result", "_result", "_reference", "container_upload", "compaction", "fallback")):
            known = ", ".join(f"'{name}'" for name in BLOCK_FIELDS)
            yield Refused(400, f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}")


def _limits(ask: Ask) -> Iterator[Refused]:
    body = ask.body
    if "max_tokens" not in body:
        yield Refused(400, "max_tokens: Field required")
    limit = integer_of(body.get("max_tokens"))
    if limit is None:
        yield Refused(400, "max_tokens: Input should be a valid integer")
    elif limit < 0:
        yield Refused(400, "max_tokens: Input should be greater than or equal to 0")
    elif limit > ask.model.max_output_tokens:
        most = ask.model.max_output_tokens
        yield Refused(400, f"max_tokens: {limit} > {most}, which is the maximum allowed number of output tokens for {ask.name}")


def _sampling(ask: Ask) -> Iterator[Refused]:
    body = ask.body
    for name in ("temperature", "top_p", "top_k"):
        if body.get(name) is None:
            continue
        if named(ask.name, *NO_SAMPLING):
            yield Refused(400, f"`{name}` is deprecated for this model.")
        if not is_number(body[name]):
            yield Refused(400, f"{name}: Input should be a valid number")
    if thinks(ask) and body.get("temperature") not in (None, 1):
        words = "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
        yield Refused(400, words)
    if is_number(body.get("temperature")) and not 0 <= float(str(body["temperature"])) <= 1:
        yield Refused(400, "temperature: range: 0..1")
    if body.get("temperature") is not None and body.get("top_p") is not None:
        yield Refused(400, "`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    for i, sequence in enumerate(items_of(body.get("stop_sequences"))):
        if not text_of(sequence).strip():
            yield Refused(400, f"stop_sequences.{i}: each stop sequence must contain non-whitespace")


def _thinking(ask: Ask) -> Iterator[Refused]:
    thinking = fields_of(ask.body.get("thinking"))
    kind = text_of(thinking.get("type"))
    instead = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    if not thinking:
        return
    if kind not in ("enabled", "disabled", "adaptive", "between_tools"):
        known = "'adaptive', 'between_tools', 'disabled', 'enabled'"
        yield Refused(400, f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}")
    if kind == "disabled" and named(ask.name, *BETWEEN_TOOLS):
        instead = 'Use "thinking.type.between_tools" to turn off up-front thinking.'
    not_taken = (
        (kind == "disabled" and named(ask.name, *NO_DISABLED))
        or (kind == "enabled" and named(ask.name, *NO_BUDGET))
        or (kind == "between_tools" and not named(ask.name, *BETWEEN_TOOLS))
    )
    if not_taken:
        yield Refused(400, f'"thinking.type.{kind}" is not supported for this model. {instead}')
    if kind == "adaptive" and not named(ask.name, *ADAPTIVE):
        yield Refused(400, "adaptive thinking is not supported on this model")
    if kind == "enabled":
        budget = integer_of(thinking.get("budget_tokens"))
        if budget is None:
            yield Refused(400, "thinking.enabled.budget_tokens: Field required")
        elif budget < BUDGET_MIN:
            yield Refused(400, f"thinking.enabled.budget_tokens: Input should be greater than or equal to {BUDGET_MIN}")
        elif budget >= (integer_of(ask.body.get("max_tokens")) or budget + 1):
            yield Refused(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    for name in without(thinking, "type", "budget_tokens", "display", "block_binding"):
        yield Refused(400, f"thinking.{kind}.{name}: Extra inputs are not permitted")


def _effort(ask: Ask) -> Iterator[Refused]:
    config = fields_of(ask.body.get("output_config"))
    effort = config.get("effort")
    if effort is not None and not named(ask.name, *ADAPTIVE, "claude-opus-4-5"):
        yield Refused(400, "This model does not support the effort parameter.")
    if effort is not None and effort not in ("low", "medium", "high", "xhigh", "max"):
        yield Refused(400, "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if fields_of(ask.body.get("thinking")).get("type") == "between_tools" and effort in ("xhigh", "max"):
        yield Refused(400, f'"thinking.type.between_tools" is not supported with effort "{effort}".')
    for name in without(config, "effort", "format"):
        yield Refused(400, f"output_config.{name}: Extra inputs are not permitted")


def _tool_choice(ask: Ask) -> Iterator[Refused]:
    choice = fields_of(ask.body.get("tool_choice"))
    kind = choice.get("type")
    if not choice:
        return
    if not items_of(ask.body.get("tools")):
        yield Refused(400, "tool_choice: tool_choice may only be specified while providing tools.")
    if kind in ("any", "tool") and (named(ask.name, *NO_FORCED_TOOL) or thinks(ask)):
        yield Refused(400, "Thinking may not be enabled when tool_choice forces tool use.")
    if kind == "tool" and choice.get("name") not in [fields_of(tool).get("name") for tool in items_of(ask.body.get("tools"))]:
        yield Refused(400, f"Tool '{choice.get('name')}' not found in provided tools")
    if kind not in ("auto", "any", "tool", "none"):
        yield Refused(400, f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags")


def _tools(ask: Ask) -> Iterator[Refused]:
    names: list[object] = []
    for i, item in enumerate(items_of(ask.body.get("tools"))):
        tool = fields_of(item)
        names.append(tool.get("name"))
        if tool.get("type") not in (None, "custom"):
            continue
        place = f"tools.{i}.custom"
        if not TOOL_NAME.match(text_of(tool.get("name"))):
            yield Refused(400, f"{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        schema = fields_of(tool.get("input_schema"))
        if "input_schema" not in tool:
            yield Refused(400, f"{place}.input_schema: Field required")
        elif schema.get("type") != "object":
            yield Refused(400, f"{place}.input_schema.type: Input should be 'object'")
        if any(name in schema for name in ("oneOf", "allOf", "anyOf")):
            yield Refused(400, f"{place}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level")
        for name in without(tool, *TOOL_FIELDS):
            yield Refused(400, f"{place}.{name}: Extra inputs are not permitted")
        if tool.get("defer_loading") is True and MARK in tool:
            yield Refused(400, f"{place}: Tools with defer_loading cannot have cache_control set")
    if len(set(map(str, names))) < len(names):
        yield Refused(400, "tools: Tool names must be unique.")


def _marks(ask: Ask) -> Iterator[Refused]:
    found = 1 if isinstance(ask.body.get(MARK), dict) else 0
    shortest_s = HOUR_S
    for place, block in _marked_places(ask.body):
        if block.get(MARK) is None:
            continue
        found += 1
        kind = text_of(block.get("type"))
        mark = fields_of(block[MARK])
        if mark.get("type") != "ephemeral":
            yield Refused(
                400, f"{place}.cache_control: Input tag '{mark.get('type')}' found using 'type' does not match any of the expected tags"
            )
        if mark.get("ttl") not in (None, "5m", "1h"):
            yield Refused(400, f"{place}.cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
        if kind in ("thinking", "redacted_thinking"):
            yield Refused(400, f"{place}.{kind}.cache_control: Extra inputs are not permitted")
        if kind == "text" and not text_of(block.get("text")):
            yield Refused(400, f"{place}.text: cache_control cannot be set for empty text blocks")
        if mark_of(block) > shortest_s:
            words = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
            order = "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            yield Refused(400, f"{place}.cache_control.ttl: {words} {order}")
        shortest_s = min(shortest_s, mark_of(block))
    if found > MARKS_MAX:
        yield Refused(400, f"A maximum of {MARKS_MAX} blocks with cache_control may be provided. Found {found}.")


def _images(ask: Ask) -> Iterator[Refused]:
    for place, block in _blocks(ask.body):
        source = fields_of(block.get("source"))
        if block.get("type") != "image":
            continue
        if source.get("type") == "base64" and source.get("media_type") not in MEDIA_TYPES:
            words = "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
            yield Refused(400, f"{place}.image.source.base64.media_type: {words}")
        if source.get("type") not in ("base64", "url", "file"):
            yield Refused(400, f"{place}.image.source: Field required")


def _prefill(ask: Ask) -> Iterator[Refused]:
    turns = [fields_of(item) for item in items_of(ask.body.get("messages")) if fields_of(item).get("role") != "system"]
    if not turns or turns[-1].get("role") != "assistant":
        return
    if named(ask.name, *NO_PREFILL) or thinks(ask):
        yield Refused(400, "This model does not support assistant message prefill. The conversation must end with a user message.")
    blocks = parts_of(turns[-1].get("content"))
    if blocks and text_of(blocks[-1].get("text")) != text_of(blocks[-1].get("text")).rstrip():
        yield Refused(400, "messages: final assistant content cannot end with trailing whitespace")


def _thinks_first(ask: Ask) -> Iterator[Refused]:
    """Within a budget of its own, a model must be shown again what it thought before its last calls."""
    turns = [(i, fields_of(item)) for i, item in enumerate(items_of(ask.body.get("messages")))]
    said = [(i, parts_of(turn.get("content"))) for i, turn in turns if turn.get("role") == "assistant"]
    if fields_of(ask.body.get("thinking")).get("type") != "enabled" or not said:
        return
    i, blocks = said[-1]
    first = blocks[0].get("type") if blocks else ""
    if any(block.get("type") == "tool_use" for block in blocks) and first not in ("thinking", "redacted_thinking"):
        expected = f"Expected `thinking` or `redacted_thinking`, but found `{first}`."
        must = "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        yield Refused(
            400, f"messages.{i}.content.0.type: {expected} {must} (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def thinks(ask: Ask) -> bool:
    """Whether this model thinks in answer to this request."""
    if named(ask.name, *ALWAYS_THINKS):
        return True
    kind = fields_of(ask.body.get("thinking")).get("type")
    if kind is None:
        return named(ask.name, "claude-opus-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5")
    return kind in ("enabled", "adaptive")


def shows_thoughts(ask: Ask) -> bool:
    """Whether thinking blocks carry text, not only their signature."""
    display = fields_of(ask.body.get("thinking")).get("display")
    return display in ("summarized", "updates") if display is not None else not named(ask.name, *bound_thinking.BOUND)


def _blocks(body: Fields) -> Iterator[tuple[str, Fields]]:
    for i, item in enumerate(items_of(body.get("messages"))):
        for j, block in enumerate(parts_of(fields_of(item).get("content"))):
            yield f"messages.{i}.content.{j}", block


def _marked_places(body: Fields) -> Iterator[tuple[str, Fields]]:
    for i, tool in enumerate(items_of(body.get("tools"))):
        yield f"tools.{i}", fields_of(tool)
    for i, block in enumerate(items_of(body.get("system"))):
        yield f"system.{i}", fields_of(block)
    for place, block in _blocks(body):
        yield place, block
        for j, part in enumerate(parts_of(block.get("content")) if block.get("type") == "tool_result" else ()):
            yield f"{place}.tool_result.content.{j}", part


def _version(ask: Ask) -> Iterator[Refused]:
    if "anthropic-version" not in ask.headers:
        yield Refused(400, "anthropic-version: header is required")


COUNT_RULES = (
    Rule("the version of the API is said in a header", _version),
    Rule("no field is unknown, and some need a beta", _unknown_fields),
    Rule("roles are user and assistant, beginning with user; system only with a beta and after a user's turn", broken_roles),
    Rule("blocks are of known kinds and hold nothing unknown", _unknown_in_blocks),
    Rule("texts are not empty", broken_texts),
    Rule("calls and results come in pairs, under unique ids of letters, digits, _ and -", broken_pairs),
    Rule("images are of four kinds", _images),
    Rule("tools have names of up to 128 letters, digits, _ and -, once each, and a schema of an object", _tools),
    Rule("tools are forced only on models that do not think", _tool_choice),
    Rule("thinking is asked for as the model takes it", _thinking),
    Rule("effort is asked only of models that know it", _effort),
    Rule("at most four cache marks, none on thinking or nothing, those for an hour first", _marks),
    Rule("what a model thought comes back unchanged, to that model, in that conversation", bound_thinking.broken),
    Rule("within a budget, the last calls come with what was thought before them", _thinks_first),
    Rule("newer models are not given the beginning of their answer", _prefill),
)
"""What holds for counting tokens too."""

RULES = (
    COUNT_RULES[0],
    Rule("a limit is set, within what the model can give", _limits),
    *COUNT_RULES[1:],
    Rule("newer models are not sampled otherwise", _sampling),
)
