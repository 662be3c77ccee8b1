"""The rules of DeepSeek, xAI and OpenRouter: each tolerates unknown fields and is strict about little. The tables are at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepfare.core.model import Capability
from stepfare.simulator.fields import Fields, fields_of, integer_of, items_of, parts_of, text_of
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule, named
from stepfare.simulator.seals import opened
from stepfare.simulator.strict_anthropic_turns import broken_pairs
from stepfare.simulator.strict_chat import PairWords, calls_of, functions_of, messages_of, none_of, pairs

NAME = re.compile(r"\A[a-zA-Z0-9_-]{1,64}\Z")
DEEPSEEK = "invalid_request_error"
DEEPSEEK_ROLES = ("system", "user", "assistant", "tool", "latest_reminder")
MARKS_MAX = 4


# DeepSeek


def deepseek_thinks(ask: Ask) -> bool:
    """It does unless it is told not to."""
    kind = fields_of(ask.body.get("thinking")).get("type")
    return kind != "disabled" and Capability.REASONING in ask.model.capabilities


def _deepseek_messages(ask: Ask) -> Iterator[Refused]:
    takes_images = Capability.VISION in ask.model.capabilities
    for i, message in enumerate(messages_of(ask)):
        role = message.get("role")
        failed = f"Failed to deserialize the JSON body into the target type: messages[{i}]"
        if role not in DEEPSEEK_ROLES:
            known = ", ".join(f"`{name}`" for name in DEEPSEEK_ROLES)
            yield Refused(400, f"{failed}.role: unknown variant `{role}`, expected one of {known}", DEEPSEEK)
        for part in items_of(message.get("content")):
            kind = fields_of(part).get("type")
            if kind != "text" and not (kind == "image_url" and takes_images):
                yield Refused(400, f"{failed}: unknown variant `{kind}`, expected `text`", DEEPSEEK)
        if role == "assistant" and message.get("content") is None and not calls_of(message):
            yield Refused(400, "Invalid assistant message: content or tool_calls must be set", DEEPSEEK)


def _deepseek_reasoning(ask: Ask) -> Iterator[Refused]:
    for message in messages_of(ask):
        if calls_of(message) and not isinstance(message.get("reasoning_content"), str) and deepseek_thinks(ask):
            yield Refused(400, "The `reasoning_content` in the thinking mode must be passed back to the API.", DEEPSEEK)


def _deepseek_thinking_blocks(ask: Ask) -> Iterator[Refused]:
    for message in messages_of(ask):
        kinds = [block.get("type") for block in parts_of(message.get("content"))]
        if "tool_use" in kinds and "thinking" not in kinds and deepseek_thinks(ask):
            yield Refused(400, "The `content[].thinking` in the thinking mode must be passed back to the API.", DEEPSEEK)


def _deepseek_tool_choice(ask: Ask) -> Iterator[Refused]:
    choice = ask.body.get("tool_choice")
    forced = choice == "required" or (fields_of(choice).get("type") in ("function", "any", "tool"))
    if forced and deepseek_thinks(ask):
        yield Refused(400, "Thinking mode does not support this tool_choice", DEEPSEEK)


def _deepseek_limits(ask: Ask) -> Iterator[Refused]:
    limit = integer_of(ask.body.get("max_tokens"))
    if limit is not None and not 1 <= limit <= ask.model.max_output_tokens:
        words = f"the valid range of max_tokens is [1, {ask.model.max_output_tokens}]"
        yield Refused(400, f"Invalid max_tokens value, {words}", DEEPSEEK)


def _deepseek_names(ask: Ask) -> Iterator[Refused]:
    for i, function in functions_of(ask):
        if not NAME.match(text_of(function.get("name"))):
            words = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            yield Refused(400, f"Invalid 'tools[{i}].function.name': {words}", DEEPSEEK)


def _deepseek_unanswered(_i: int, _ids: list[str]) -> Refused:
    must = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
    return Refused(400, f"{must} (insufficient tool messages following tool_calls message)", DEEPSEEK)


def _deepseek_uncalled(_i: int, _call_id: str) -> Refused:
    return Refused(400, "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'", DEEPSEEK)


# xAI


def xai_thinks(ask: Ask) -> bool:
    return named(ask.name, "grok-3-mini", "grok-4", "grok-build") and "non-reasoning" not in ask.name


def _xai_unsupported(ask: Ask, name: str) -> Refused:
    shown = {"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}.get(name, name)
    return Refused(400, f"Model {ask.name} does not support parameter {shown}.", "Client specified an invalid argument")


def _xai_messages(ask: Ask) -> Iterator[Refused]:
    for message in messages_of(ask):
        if not message.get("content") and not calls_of(message) and message.get("role") != "tool":
            yield Refused(400, "Each message must have at least one content element.", "Client specified an invalid argument")


# OpenRouter


def openrouter_thinks(ask: Ask) -> bool:
    reasoning = fields_of(ask.body.get("reasoning"))
    told_not_to = reasoning.get("enabled") is False or "none" in (reasoning.get("effort"), ask.body.get("reasoning_effort"))
    return Capability.REASONING in ask.model.capabilities and not told_not_to


def maker_of(ask: Ask) -> str:
    """The maker of a model at OpenRouter, as its name says."""
    return ask.name.partition("/")[0]


def openrouter_details_format(maker: str) -> str:
    return {
        "anthropic": "anthropic-claude-v1",
        "openai": "openai-responses-v1",
        "google": "google-gemini-v1",
        "x-ai": "xai-responses-v1",
    }.get(maker, "unknown")


def _passed_on(ask: Ask, words: str, code: str | None = None) -> Refused:
    """What the maker behind OpenRouter refuses."""
    return Refused(400, words, code, detail={"provider_name": maker_of(ask)})


def _openrouter_details(ask: Ask) -> Iterator[Refused]:
    """Reasoning of the maker's own format is checked by the maker; that of others is left out on the way."""
    own = openrouter_details_format(maker_of(ask))
    for i, message in enumerate(messages_of(ask)):
        for item in items_of(message.get("reasoning_details")):
            detail = fields_of(item)
            if detail.get("format") != own or own == "unknown":
                continue
            secret = text_of(detail.get("signature")) or text_of(detail.get("data"))
            seal = opened(secret, "thinking") or opened(secret, "encrypted")
            if secret and (seal is None or seal.model != ask.name):
                yield _passed_on(ask, _INVALID[own].format(i=i, short=f"{secret[:4]}...{secret[-4:]}"))


_INVALID = {
    "anthropic-claude-v1": "messages.{i}.content.0: Invalid `signature` in `thinking` block",
    "openai-responses-v1": "The encrypted content {short} could not be verified.",
    "google-gemini-v1": "Corrupted thought signature.",
    "xai-responses-v1": "Invalid encrypted reasoning content.",
}


def _openrouter_pairs(ask: Ask) -> Iterator[Refused]:
    for refused in _OPENROUTER_PAIRS(ask):
        yield _passed_on(ask, refused.words)


def _openrouter_unanswered(i: int, ids: list[str]) -> Refused:
    return Refused(400, f"messages.{i}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(ids)}.")


def _openrouter_uncalled(i: int, call_id: str) -> Refused:
    return Refused(400, f"messages.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}.")


_OPENROUTER_PAIRS = pairs(PairWords(_openrouter_unanswered, _openrouter_uncalled))


def _openrouter_marks(ask: Ask) -> Iterator[Refused]:
    holders: list[Fields] = [*messages_of(ask), *(fields_of(tool) for tool in items_of(ask.body.get("tools")))]
    holders += [part for message in messages_of(ask) if isinstance(message.get("content"), list) for part in parts_of(message["content"])]
    found = sum("cache_control" in holder for holder in holders)
    if found > MARKS_MAX and maker_of(ask) == "anthropic":
        yield _passed_on(ask, f"A maximum of {MARKS_MAX} blocks with cache_control may be provided. Found {found}.")


def _openrouter_names(ask: Ask) -> Iterator[Refused]:
    for i, function in functions_of(ask):
        if not NAME.match(text_of(function.get("name"))):
            yield _passed_on(ask, f"tools.{i}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")


DEEPSEEK_CHAT = (
    Rule("roles and parts are of the few known kinds", _deepseek_messages),
    Rule("calls and results come in pairs, at once", pairs(PairWords(_deepseek_unanswered, _deepseek_uncalled))),
    Rule("what was thought before calls comes back while thinking", _deepseek_reasoning),
    Rule("no tool is forced while thinking", _deepseek_tool_choice),
    Rule("tools have names of letters, digits, _ and -", _deepseek_names),
    Rule("limits are within what the model can give", _deepseek_limits),
)
DEEPSEEK_MESSAGES = (
    Rule("calls and results come in pairs", broken_pairs),
    Rule("what was thought before calls comes back while thinking", _deepseek_thinking_blocks),
    Rule("no tool is forced while thinking", _deepseek_tool_choice),
)
XAI_CHAT = (
    Rule(
        "models that reason take no penalties and no stop sequences",
        none_of(("presence_penalty", "frequency_penalty", "stop"), _xai_unsupported, xai_thinks),
    ),
    Rule("every message says something", _xai_messages),
)
OPENROUTER_CHAT = (
    Rule("calls and results come in pairs", _openrouter_pairs),
    Rule("reasoning comes back to the model that made it", _openrouter_details),
    Rule("tools have names of up to 64 letters, digits, _ and -", _openrouter_names),
    Rule("Anthropic's models take at most four cache marks", _openrouter_marks),
)
