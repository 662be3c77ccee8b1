"""What a refusal teaches: the name of a rule under which the same request would not have been refused. Whoever made the call keeps what
was learned, by model, and tries again; here nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stepfare.core.attempt import Failure, Fault
from stepfare.core.prompt import EFFORTS
from stepfare.dialects.refusals import Refusal, path_of, refusal_of
from stepfare.dialects.rule_learned import may_drop
from stepfare.dialects.rules import RULES

ONCE = frozenset({"thoughts-refused", "thinking-off-now"})
"""Lessons about one conversation, not about the model: for the next try of this step only."""

STATUSES = (400, 422)


@dataclass(frozen=True, slots=True)
class _Wording:
    """Who says this is taught that rule."""

    words: re.Pattern[str]
    rule: str


def _says(words: str, rule: str) -> _Wording:
    return _Wording(re.compile(words, re.IGNORECASE | re.DOTALL), rule)


# Order matters: the first that fits wins, and what is about one thing stands before what is about anything.
_WORDINGS = (
    # Thoughts of others, or of one's own where they are missed.
    _says(r"invalid `?signature`? in `?thinking`? block|corrupted thought signature", "thoughts-refused"),
    _says(r"`?redacted_thinking`? blocks .{0,60}cannot be modified", "thoughts-refused"),
    _says(r"encrypted.content.{0,200}could not be (verified|decrypted|parsed)", "thoughts-refused"),
    _says(r"provided without its required ('reasoning'|following) item|item with id 'rs_[^']*' not found", "thoughts-refused"),
    _says(r"items? with id '[^']*' not found", "no-item-ids"),
    _says(r"expected `?thinking`? or `?redacted_thinking`?, but found", "thinking-off-now"),
    _says(
        r"thinking.{0,30} must be passed back|missing `?reasoning_content`? field|reasoning_content is missing", "keep-reasoning-history"
    ),
    _says(r"missing a `?thought_signature", "google-thought-signatures"),
    # How to think.
    _says(r"thinking\.type\.disabled\W* is not supported|thinking (can ?not|can't) be disabled", "thinking-always-on"),
    _says(r"thinking\.type\.enabled\W* is not supported", "thinking-adaptive-only"),
    _says(r"thinking\.type\.adaptive\W* is not supported|adaptive thinking is not supported", "thinking-budget-only"),
    _says(r"does not support the effort parameter", "no-effort"),
    # Calling tools.
    _says(r"tool call id was .{0,100} length of 9", "tool-ids-9"),
    _says(r"tool_calls\S*\.id\W* .{0,40}maximum length 40|tool_call_id\W* .{0,40}maximum length 40", "tool-ids-40"),
    _says(r"(tool_use(\.id|_id)|call_id)\W .{0,60}(should match pattern|maximum length 64)", "tool-ids-64"),
    _says(r"only allowed when 'tools'|\[\] is too short - 'tools'|invalid 'tools': empty array", "no-empty-tools"),
    _says(
        r"(does not|doesn't) support (this|forced) tool.?choice|tool_choice.{0,60}(forces? tool use|is incompatible)",
        "no-forced-tool-choice",
    ),
    _says(r"(response mime type|json mode).{0,80}(is unsupported|cannot be combined)", "no-response-format-with-tools"),
    _says(r"response_format type is unavailable|response_format.{0,40}unknown variant `json_schema`", "no-json-schema"),
    _says(r"required. is required to be supplied and to be an array including every key", "no-strict"),
    _says(r"function_?declarations?\[", "no-schema-extras"),
    # Messages.
    _says(r"assistant message prefill|conversation must end with a user message|expected last role user or tool", "no-prefill"),
    _says(r"does not support 'system'", "developer-role"),
    _says(r"(unknown variant|unexpected role|unknown role:?|does not support) [`']?developer|'developer' is not one of", "system-role"),
    _says(r"unexpected role 'user' after role 'tool'", "no-user-after-tool"),
    _says(r"unexpected role 'system' after|system message must be (at the beginning|the first)", "merge-system"),
    _says(r"messages\.\d+\.role: input should be 'user' or 'assistant'", "merge-system"),
    _says(r"non-empty content|content blocks must (be non-empty|contain non-whitespace)", "no-empty-content"),
    _says(r"image urls? .{0,30}only allowed for messages with role 'user'", "no-images-in-tools"),
    _says(r"messages\[\d+\].{0,40}missing field `content`", "no-null-content"),
    _says(
        r"messages\[\d+\](\.content)?\W.{0,60}(expected a string|any variant of untagged enum|unknown variant `image_url`)",
        "string-content",
    ),
    # The rest.
    _says(r"`?temperature`? and `?top_p`? cannot both", "one-sampling-value"),
    _says(r"for the `?anthropic-beta`? header", "no-betas"),
)

# Rules about a parameter wherever it stands, by its own name: models that refuse one refuse its kin.
_FAMILIES = {
    **dict.fromkeys(("temperature", "top_p", "top_k"), "no-temperature"),
    **dict.fromkeys(("presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"), "no-penalties"),
    **dict.fromkeys(("stop", "stop_sequences"), "no-stop"),
    **dict.fromkeys(("parallel_tool_calls", "disable_parallel_tool_use"), "no-parallel-flag"),
    **dict.fromkeys(("reasoning_effort", "effort"), "no-effort"),
    "stream_options": "no-stream-options",
    "strict": "no-strict",
    "cache_control": "no-cache-marks",
}
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "reasoning_text", "thinking", "thinking_blocks")

_INSTEAD = re.compile(r"'(\w+)' is not supported.{0,60}\buse '(\w+)' instead", re.IGNORECASE)
_RENAMED = {("max_tokens", "max_completion_tokens"): "max-completion-tokens", ("max_completion_tokens", "max_tokens"): "max-tokens"}

_LIMIT_KEYS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_LIMITS = (
    re.compile(r"max_\w+: \d+ > (\d+), which is the maximum"),
    re.compile(r"(?:max_\w+ is too large|max_\w+).{0,80}supports? at most (\d+)"),
    re.compile(r"range of max_\w+ (?:is|should be) \[\d+, ?(\d+)\]", re.IGNORECASE),
    re.compile(r"max_\w+\W{0,2} must be less than or equal to `?(\d+)"),
    re.compile(r"max_\w+\W{0,3}:? integer above maximum value.{0,40}<= (\d+)"),
)

_EFFORT = re.compile(
    r"effort.{0,200}?(?:supported values are|must be one of|input should be|expected one of|expected)(.{0,120})", re.IGNORECASE | re.DOTALL
)
_QUOTED = re.compile(r"[`'\"](\w+)[`'\"]")

_NAMED = (
    re.compile(r"unrecognized request arguments? supplied: (\w+(?:\.\w+)*(?:, \w+(?:\.\w+)*)*)", re.IGNORECASE),
    re.compile(r"(?:unknown|unsupported|unexpected) (?:parameter|field|argument|property)s?:? [`'\"]([\w.\[\]]+)[`'\"]", re.IGNORECASE),
    re.compile(r"(?:does not support parameter|argument not supported on this model:) `?(\w+)", re.IGNORECASE),
    re.compile(r"unknown name \"([^\"]+)\"(?: at '([^']+)')?", re.IGNORECASE),
    re.compile(r"property '([\w.]+)' is unsupported", re.IGNORECASE),
    re.compile(r"\('([\w.]+)' was unexpected\)", re.IGNORECASE),
    re.compile(r"([\w.]+): extra inputs are not permitted", re.IGNORECASE),
    re.compile(r"[`'\"]?([\w.]+)[`'\"]? (?:is deprecated for this model|is not supported (?:with|by|for|on) this model)", re.IGNORECASE),
    re.compile(r"unsupported value: '([\w.\[\]]+)' does not support", re.IGNORECASE),
    re.compile(r"invalid (temperature|top_p)\b", re.IGNORECASE),
)
_IN_MESSAGE = re.compile(r"'messages\.(\d+)' : property '(\w+)'")
_REFUSED_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"})
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def lesson_of(dialect: str, fault: Fault, draft_keys: Collection[str]) -> str | None:
    """The rule that this refusal teaches about the model; None where it teaches none that loses nothing. `draft_keys` are the top-level
    keys of the body that was refused."""
    if fault.failure is not Failure.REFUSED or fault.status not in STATUSES:
        return None
    refusal = refusal_of(fault)
    said = (
        _by_words(refusal, dialect)
        or _by_limit(refusal, draft_keys)
        or _by_effort(refusal)
        or _by_instead(refusal, draft_keys)
        or next(_by_name(refusal, dialect, draft_keys), None)
    )
    rule = RULES.get(said or "")
    return said if rule is None or dialect in rule.changes else None


def _by_words(refusal: Refusal, dialect: str) -> str | None:
    if "invalid_encrypted_content" in refusal.codes:
        return "thoughts-refused"
    found = (wording.rule for wording in _WORDINGS if wording.words.search(refusal.words))
    return next((rule for rule in found if dialect in RULES[rule].changes), None)


def _by_limit(refusal: Refusal, keys: Collection[str]) -> str | None:
    most = next((found[1] for limit in _LIMITS if (found := limit.search(refusal.words))), None)
    key = next((key for key in _LIMIT_KEYS if key in keys), None)
    return f"clamp:{key}:{most}" if most and key and int(most) > 0 else None


def _by_effort(refusal: Refusal) -> str | None:
    tail = _EFFORT.search(refusal.words)
    known = [effort for effort in EFFORTS if tail and effort in _QUOTED.findall(tail[1])]
    return f"effort:{','.join(known)}" if known else None


def _by_instead(refusal: Refusal, keys: Collection[str]) -> str | None:
    found = _INSTEAD.search(refusal.words)
    if found is None or found[1] not in keys:
        return None
    return _RENAMED.get((found[1], found[2]), f"rename:{found[1]}:{found[2]}")


def _by_name(refusal: Refusal, dialect: str, keys: Collection[str]) -> Iterator[str]:
    """What each parameter that is named as refused teaches, the first first."""
    for path in _paths(refusal):
        first, last = path.partition(".")[0], path.rpartition(".")[2]
        if first not in keys:
            continue
        if first == "tool_choice" and path == first:
            yield "no-forced-tool-choice" if "unsupported_parameter" not in refusal.codes else "drop:tool_choice"
        elif first in ("messages", "input") and last in _THOUGHTS:
            yield "drop-reasoning-history"
        elif first == "tools" and any(part in path for part in (".parameters.", ".input_schema.")):
            yield "no-schema-extras"
        elif last in _FAMILIES and dialect in RULES[_FAMILIES[last]].changes:
            yield _FAMILIES[last]
        elif may_drop(path, dialect):
            yield f"drop:{path}"


def _paths(refusal: Refusal) -> Iterator[str]:
    if refusal.codes & _REFUSED_CODES:
        yield from refusal.params
    for found in _IN_MESSAGE.finditer(refusal.words):
        yield f"messages.*.{found[2]}"
    for named in _NAMED:
        for found in named.finditer(refusal.words):
            at = found[2] if named.groups > 1 and found[2] else ""
            for name in found[1].split(","):
                path = path_of(f"{at}.{name.strip(' .')}" if at else name.strip(" ."))
                yield path
                yield _CAMEL.sub(lambda big: f"_{big[1].lower()}", path)
