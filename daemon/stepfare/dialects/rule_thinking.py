"""Rules about how a model is asked to think: which it must, which it cannot, and in which words a provider wants to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from stepfare.core.prompt import EFFORTS
from stepfare.dialects import splice
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, edit, edited, is_list, text_of
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.rule_fields import THINKING_TOKENS_MIN, drop_inner, inner, left_out, set_inner, whole

_EFFORT_PLACES = {
    "openai": (("", "reasoning_effort"), ("reasoning", "effort")),
    "anthropic": (("output_config", "effort"),),
    "responses": (("reasoning", "effort"),),
}
"""Where a format says how hard to think: (object, field), the object empty where it is a top-level field."""

_CHAT_THINKING = ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget", "include_reasoning")
_CLEARING = b"clear_thinking"
_ENCRYPTED = "reasoning.encrypted_content"

_BUDGETS = {"minimal": 1024, "low": 4096, "medium": 10_000, "high": 24_000, "xhigh": 32_000, "max": 48_000}
"""Tokens of thinking for an effort, for models that are told a budget."""


def always_on(dialect: str) -> Change:
    """For models that cannot stop thinking: what switches it off goes, the rest stays."""

    def on(draft: Draft, _limits: Limits) -> str | None:
        gone: list[str] = []
        thinking = inner(draft, "thinking")
        if thinking is not None and thinking.get("type") == "disabled":
            draft.drop("thinking")
            gone.append("thinking")
        reasoning = inner(draft, "reasoning") if dialect == "openai" else None
        if reasoning is not None and reasoning.get("enabled") is False:
            gone += drop_inner(draft, "reasoning", "enabled")
        if dialect == "openai" and draft.get("enable_thinking") is False:
            draft.drop("enable_thinking")
            gone.append("enable_thinking")
        for outer, name in _EFFORT_PLACES.get(dialect, ()):
            if _effort_at(draft, outer, name) == "none":
                gone += _drop_at(draft, outer, name)
        return f"{left_out(gone)}: it always thinks" if gone else None

    return on


def adaptive_only(draft: Draft, _limits: Limits) -> str | None:
    """Anthropic's newer models decide themselves how long they think: a budget becomes an effort."""
    thinking = inner(draft, "thinking")
    if thinking is None or (thinking.get("type") != "enabled" and thinking.raw("budget_tokens") is None):
        return None
    budget = whole(thinking.get("budget_tokens"))
    values: dict[str, bytes | None] = {"type": b'"adaptive"'}
    if thinking.raw("budget_tokens") is not None:
        values["budget_tokens"] = None
    draft.set("thinking", splice.replace(thinking, values))
    if budget is not None and not _effort_at(draft, "output_config", "effort"):
        effort = next((name for name, tokens in _BUDGETS.items() if budget <= tokens), "max")
        set_inner(draft, "output_config", "effort", dumped("low" if effort == "minimal" else effort))
    return "thinking made adaptive"


def budget_only(draft: Draft, _limits: Limits) -> str | None:
    """Anthropic's older models know no adaptive thinking: an effort becomes a budget below the output limit."""
    thinking = inner(draft, "thinking")
    effort = _effort_at(draft, "output_config", "effort")
    drop_inner(draft, "output_config", "effort")
    if thinking is None or thinking.get("type") != "adaptive":
        return left_out(("output_config.effort",)) if effort else None
    most = whole(draft.get("max_tokens")) or 0
    budget = min(_BUDGETS.get(effort, _BUDGETS["high"]), most - 1)
    if budget < THINKING_TOKENS_MIN:
        draft.drop("thinking")
        return f"{left_out(('thinking',))}: the output limit is too low for it"
    draft.set("thinking", splice.replace(thinking, {"type": b'"enabled"', "budget_tokens": b"%d" % budget}))
    return f"thinking given a budget of {budget} tokens"


def no_thinking(dialect: str) -> Change:
    """For models that do not think: everything that asks for it or speaks of it."""

    def none(draft: Draft, _limits: Limits) -> str | None:
        gone: list[str] = []
        names = {"openai": _CHAT_THINKING, "anthropic": ("thinking",), "responses": ("reasoning",)}[dialect]
        for name in names:
            if draft.raw(name) is not None:
                draft.drop(name)
                gone.append(name)
        if dialect == "anthropic":
            gone += [*drop_inner(draft, "output_config", "effort"), *_no_clearing(draft), *_no_message_effort(draft)]
        if dialect == "responses":
            gone += drop_included(draft, lambda what: what == _ENCRYPTED)
        return left_out(gone) if gone else None

    return none


def no_effort(dialect: str) -> Change:
    """For models that think, but not as hard as they are told."""

    def none(draft: Draft, _limits: Limits) -> str | None:
        gone = [name for outer, inner_name in _EFFORT_PLACES.get(dialect, ()) for name in _drop_at(draft, outer, inner_name)]
        if dialect == "anthropic":
            gone += _no_message_effort(draft)
        return left_out(gone) if gone else None

    return none


def efforts_among(dialect: str, known: frozenset[str]) -> Change:
    """Says the nearest effort that the model knows; of two as near, the higher."""
    ranked = [EFFORTS.index(effort) for effort in EFFORTS if effort in known]

    def among(draft: Draft, _limits: Limits) -> str | None:
        said: list[str] = []
        for outer, name in _EFFORT_PLACES.get(dialect, ()):
            effort = _effort_at(draft, outer, name)
            if effort in EFFORTS and effort not in known and ranked:
                asked = EFFORTS.index(effort)
                # Thinking switched off is not thinking a little: where it cannot be, the least comes nearest.
                nearest = EFFORTS[min(ranked, key=lambda rank: (abs(rank - asked), -rank))]
                _set_at(draft, outer, name, nearest)
                said.append(f"effort {effort} said as {nearest}")
        return "; ".join(said) or None

    return among


def reasoning_object(draft: Draft, _limits: Limits) -> str | None:
    """OpenRouter's way: {"reasoning": {"effort": ...}}, which holds for models of every maker."""
    effort = draft.get("reasoning_effort")
    if not isinstance(effort, str):
        return None
    draft.drop("reasoning_effort")
    if not _effort_at(draft, "reasoning", "effort"):
        set_inner(draft, "reasoning", "effort", dumped(effort))
    return "reasoning_effort said as reasoning.effort"


def thinking_switch(draft: Draft, _limits: Limits) -> str | None:
    """The way of Z.ai, Moonshot and DeepSeek: {"thinking": {"type": "enabled" or "disabled"}}."""
    effort = draft.get("reasoning_effort")
    if not isinstance(effort, str):
        return None
    draft.drop("reasoning_effort")
    if draft.raw("thinking") is None:
        draft.set("thinking", dumped({"type": "disabled" if effort == "none" else "enabled"}))
    return "reasoning_effort said as thinking"


def enable_thinking(draft: Draft, _limits: Limits) -> str | None:
    """Qwen's way: {"enable_thinking": true or false}."""
    effort = draft.get("reasoning_effort")
    if not isinstance(effort, str):
        return None
    draft.drop("reasoning_effort")
    if draft.raw("enable_thinking") is None:
        draft.set("enable_thinking", b"false" if effort == "none" else b"true")
    return "reasoning_effort said as enable_thinking"


def drop_included(draft: Draft, unwanted: Callable[[str], bool]) -> list[str]:
    """Leave out what the Responses format is asked to include besides, and the list too once it is empty; says which."""
    raw = draft.raw("include")
    if raw is None or not is_list(raw):
        return []
    named = cast("list[object]", splice.loads(raw))
    gone = [what for what in named if isinstance(what, str) and unwanted(what)]
    wanted = [what for what in named if what not in gone]
    if gone and wanted:
        draft.set("include", dumped(wanted))
    elif gone:
        draft.drop("include")
    return gone


def _effort_at(draft: Draft, outer: str, name: str) -> str:
    value = draft.get(name) if not outer else None
    obj = inner(draft, outer) if outer else None
    if obj is not None:
        value = obj.get(name)
    return value if isinstance(value, str) else ""


def _set_at(draft: Draft, outer: str, name: str, effort: str) -> None:
    if outer:
        set_inner(draft, outer, name, dumped(effort))
    else:
        draft.set(name, dumped(effort))


def _drop_at(draft: Draft, outer: str, name: str) -> list[str]:
    if outer:
        return drop_inner(draft, outer, name)
    if draft.raw(name) is None:
        return []
    draft.drop(name)
    return [name]


def _no_clearing(draft: Draft) -> list[str]:
    """Of the edits of a long context, those that clear thinking, which a model without it does not know."""
    obj = inner(draft, "context_management")
    raw = obj.raw("edits") if obj is not None else None
    if obj is None or raw is None or not is_list(raw) or _CLEARING not in raw:
        return []
    edits = edited(raw, lambda one: () if text_of(splice.scan(one), "type").startswith("clear_thinking") else None)
    if edits is None:
        return []
    if splice.items(edits):
        draft.set("context_management", splice.replace(obj, {"edits": edits}))
    else:
        drop_inner(draft, "context_management", "edits")
    return ["clear_thinking"]


def _no_message_effort(draft: Draft) -> list[str]:
    """Claude Code says an effort with single messages too."""
    changed = edit(draft, "messages", _without_effort, b'"output_config"')
    return ["the effort of single messages"] if changed else []


def _without_effort(raw: bytes) -> list[bytes] | None:
    if b'"output_config"' not in raw:
        return None
    obj = splice.scan(raw)
    return None if obj.raw("output_config") is None else [splice.replace(obj, {"output_config": None})]
