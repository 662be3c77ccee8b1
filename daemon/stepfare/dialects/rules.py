"""Named rules that change a request which a model or its provider would refuse. A row of the catalogue names those that it needs, and
a refusal may teach another (`lessons`); which rules hold for whom is not known here.

A rule that finds nothing to do changes no byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.dialects.base import BadRequest
from stepfare.dialects.call_ids import FORTY, NINE, SIXTY_FOUR, IdForm, fitter
from stepfare.dialects.draft import Draft
from stepfare.dialects.hosted import NO_SERVER_TOOLS
from stepfare.dialects.limits import NO_LIMITS, Change, Limits
from stepfare.dialects.rule_fields import (
    KNOWN,
    cache_key,
    clamp_output,
    dropping,
    keeping,
    no_json_schema,
    one_sampling_value,
    renaming,
    session_id,
)
from stepfare.dialects.rule_history import google_signatures, no_item_ids, no_thoughts, thoughts_recorded, thoughts_refused
from stepfare.dialects.rule_images import no_images_in_tools
from stepfare.dialects.rule_learned import LEARNED, learned
from stepfare.dialects.rule_messages import (
    instructions_as,
    known_message_fields,
    merge_system,
    no_betas,
    no_cache_marks,
    no_empty_content,
    no_null_content,
    no_prefill,
    no_user_after_tool,
    string_content,
)
from stepfare.dialects.rule_thinking import (
    adaptive_only,
    always_on,
    budget_only,
    enable_thinking,
    no_effort,
    no_thinking,
    reasoning_object,
    thinking_switch,
)
from stepfare.dialects.rule_tools import (
    no_empty_tools,
    no_forced_choice,
    no_form_with_tools,
    no_parallel_flag,
    no_schema_extras,
    no_server_tools,
    no_strict,
    no_tool_betas,
)

CHAT, ANTHROPIC, RESPONSES = "openai", "anthropic", "responses"
DIALECTS = (CHAT, ANTHROPIC, RESPONSES)


@dataclass(frozen=True, slots=True)
class Rule:
    """`words` say what the rule is for; `changes` what it does to a request of each dialect that it speaks of.

    `adds_header` is a header that names the session to the provider; `drops_headers` are those of a client that must not pass.
    """

    words: str
    changes: Mapping[str, Change] = field(default_factory=dict[str, Change])
    adds_header: str = ""
    drops_headers: tuple[str, ...] = ()


def _fitting(form: IdForm) -> Mapping[str, Change]:
    def fitting(fit: Callable[[Draft], bool]) -> Change:
        return lambda draft, _limits: "ids of tool calls adapted" if fit(draft) else None

    return {dialect: fitting(fitter(dialect, form)) for dialect in DIALECTS}


def _betas(draft: Draft, limits: Limits) -> str | None:
    said = (no_betas(draft, limits), no_tool_betas(draft, limits))
    return "; ".join(words for words in said if words) or None


_SAMPLING = ("temperature", "top_p", "top_k")
_PENALTIES = ("presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs")

RULES: Mapping[str, Rule] = {
    # How long the answer may be. It is always held to the model's maximum, where that is known.
    "max-tokens": Rule("takes max_tokens only", {CHAT: renaming("max_completion_tokens", "max_tokens")}),
    "max-completion-tokens": Rule("takes max_completion_tokens only", {CHAT: renaming("max_tokens", "max_completion_tokens")}),
    # How words are drawn.
    "no-temperature": Rule("refuses temperature, top_p and top_k", dict.fromkeys(DIALECTS, dropping(*_SAMPLING))),
    "one-sampling-value": Rule("refuses temperature and top_p together", dict.fromkeys(DIALECTS, one_sampling_value)),
    "no-penalties": Rule("refuses penalties, logit_bias and logprobs", dict.fromkeys(DIALECTS, dropping(*_PENALTIES))),
    "no-stop": Rule("refuses stop sequences", {CHAT: dropping("stop"), ANTHROPIC: dropping("stop_sequences"), RESPONSES: dropping("stop")}),
    # Tools.
    "no-forced-tool-choice": Rule("will not be made to call a tool", {name: no_forced_choice(name) for name in DIALECTS}),
    "no-parallel-flag": Rule("knows no word for one call at a time", {name: no_parallel_flag(name) for name in DIALECTS}),
    "no-empty-tools": Rule("refuses words about tools where none are offered", {name: no_empty_tools(name) for name in DIALECTS}),
    NO_SERVER_TOOLS: Rule("runs no tools of other providers' servers", {name: no_server_tools(name) for name in DIALECTS}),
    "no-strict": Rule("refuses strict in tools", {name: no_strict(name) for name in DIALECTS}),
    "no-schema-extras": Rule("understands plain words of JSON schema only", {name: no_schema_extras(name) for name in DIALECTS}),
    "no-response-format-with-tools": Rule("gives JSON of a form or calls tools", {name: no_form_with_tools(name) for name in DIALECTS}),
    "no-json-schema": Rule("can be held to JSON, not to a schema", {CHAT: no_json_schema}),
    "tool-ids-9": Rule("takes tool-call ids of nine letters and digits", _fitting(NINE)),
    "tool-ids-40": Rule("takes tool-call ids of 40 letters, digits, _ and - at most", _fitting(FORTY)),
    "tool-ids-64": Rule("takes tool-call ids of 64 letters, digits, _ and - at most", _fitting(SIXTY_FOUR)),
    "google-thought-signatures": Rule("refuses calls of other models unless they are marked", {CHAT: google_signatures()}),
    # Thinking.
    "thinking-always-on": Rule("refuses to stop thinking", {name: always_on(name) for name in DIALECTS}),
    "thinking-adaptive-only": Rule("thinks as long as it likes: takes an effort, no budget", {ANTHROPIC: adaptive_only}),
    "thinking-budget-only": Rule("takes a budget for thinking, no effort", {ANTHROPIC: budget_only}),
    "no-thinking": Rule("does not think, and refuses to be asked", {name: no_thinking(name) for name in DIALECTS}),
    "no-effort": Rule("refuses to be told how hard to think", {name: no_effort(name) for name in DIALECTS}),
    "reasoning-object": Rule("takes reasoning.effort in place of reasoning_effort", {CHAT: reasoning_object}),
    "thinking-switch": Rule("takes thinking.type in place of reasoning_effort", {CHAT: thinking_switch}),
    "enable-thinking": Rule("takes enable_thinking in place of reasoning_effort", {CHAT: enable_thinking}),
    "drop-reasoning-history": Rule("refuses to be sent what was thought earlier", {name: no_thoughts(name) for name in DIALECTS}),
    "keep-reasoning-history": Rule(
        "refuses an earlier answer without its thinking", {name: thoughts_recorded(name) for name in (CHAT, ANTHROPIC)}
    ),
    "thoughts-refused": Rule("refused thoughts of this conversation", {name: thoughts_refused(name) for name in DIALECTS}),
    "thinking-off-now": Rule("cannot think on in this turn", {name: no_thinking(name) for name in DIALECTS}),
    # Messages.
    "no-prefill": Rule("begins every answer itself", {name: no_prefill(name) for name in DIALECTS}),
    "developer-role": Rule("takes instructions as developer", {name: instructions_as(name, "developer") for name in (CHAT, RESPONSES)}),
    "system-role": Rule("takes instructions as system", {name: instructions_as(name, "system") for name in (CHAT, RESPONSES)}),
    "merge-system": Rule("takes one system message, the first", {name: merge_system(name) for name in DIALECTS}),
    "no-empty-content": Rule("refuses empty texts", {name: no_empty_content(name) for name in DIALECTS}),
    "no-null-content": Rule("misses a content beside tool calls", {CHAT: no_null_content()}),
    "string-content": Rule("reads a content as one string", {CHAT: string_content()}),
    "no-images-in-tools": Rule("takes images from the user only", {name: no_images_in_tools(name) for name in DIALECTS}),
    "no-user-after-tool": Rule("wants the assistant's word between results and the user's", {CHAT: no_user_after_tool}),
    "known-message-fields": Rule("refuses unknown fields in messages", {CHAT: known_message_fields()}),
    "no-item-ids": Rule("does not know the ids of earlier items", {RESPONSES: no_item_ids()}),
    "no-cache-marks": Rule("refuses cache_control", {name: no_cache_marks(name) for name in DIALECTS}),
    # The rest of the request.
    "no-stream-options": Rule("refuses stream_options", {CHAT: dropping("stream_options"), RESPONSES: dropping("stream_options")}),
    "known-fields": Rule("refuses unknown fields", {name: keeping(KNOWN[name]) for name in DIALECTS}),
    "no-betas": Rule("knows nothing of Anthropic's betas", {ANTHROPIC: _betas}, drops_headers=("anthropic-beta",)),
    # Which requests belong together, so that they meet the same warm cache.
    "cache-key": Rule("takes prompt_cache_key", dict.fromkeys((CHAT, RESPONSES), cache_key)),
    "session-id": Rule("takes session_id in the body", dict.fromkeys(DIALECTS, session_id)),
    "grok-conversation": Rule("takes the header x-grok-conv-id", adds_header="x-grok-conv-id"),
    "session-affinity": Rule("takes the header x-session-affinity", adds_header="x-session-affinity"),
}
"""All rules without an argument, by name. In a row of the catalogue their words complete the sentence "this model ...".
Besides them there are those with an argument: `rule_learned.LEARNED`."""


def apply(draft: Draft, dialect: str, names: Sequence[str], limits: Limits = NO_LIMITS) -> tuple[str, ...]:
    """Change the request as these rules say, in their order, and hold its output limit to the model's. Returns what was changed, in
    words for a person. A rule of an unknown name, or that does not speak of this dialect, changes nothing."""
    said: list[str] = []
    for name in dict.fromkeys(names):
        change = _change(name, dialect)
        words = _tried(change, draft, limits) if change else None
        if words:
            said.append(words)
    words = _tried(lambda draft, limits: clamp_output(draft, dialect, limits), draft, limits)
    return (*said, words) if words else tuple(said)


def is_rule(name: str) -> bool:
    """Whether there is a rule of this name; one with an argument must make sense in some dialect."""
    return name in RULES or any(learned(name, dialect) is not None for dialect in DIALECTS)


def with_headers(headers: Mapping[str, str], names: Sequence[str], cache_key: str = "") -> Mapping[str, str]:
    """Headers for the provider: those of the client that it refuses left out, and the session named where it wants to be told.
    Names of headers are lower case. A header that the client sent itself stays."""
    said = dict(headers)
    for rule in (RULES[name] for name in names if name in RULES):
        for name in rule.drops_headers:
            said.pop(name, None)
        if rule.adds_header and cache_key:
            said.setdefault(rule.adds_header, cache_key)
    return said


def _change(name: str, dialect: str) -> Change | None:
    rule = RULES.get(name)
    return learned(name, dialect) if rule is None else rule.changes.get(dialect)


def _tried(change: Change, draft: Draft, limits: Limits) -> str | None:
    """A request may be too odd for a rule: then it goes as it is, and the provider has its say."""
    try:
        return change(draft, limits)
    except (BadRequest, RecursionError):
        return None


__all__ = ["LEARNED", "RULES", "Limits", "Rule", "apply", "is_rule", "with_headers"]
