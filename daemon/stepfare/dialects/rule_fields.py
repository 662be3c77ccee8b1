"""Rules about single top-level values of a request: limits, sampling, flags, keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from stepfare.dialects import splice
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, is_object, named
from stepfare.dialects.limits import Change, Limits

MEANING = named("model messages input system instructions tools stream prompt suffix previous_response_id conversation")
"""What a request is. No rule leaves these out, whatever a provider says of them."""
REQUIRED = {"anthropic": MEANING | {"max_tokens"}}
"""The same with what a format cannot do without, where there is more."""
OUTPUT_LIMITS = {"openai": ("max_tokens", "max_completion_tokens"), "anthropic": ("max_tokens",), "responses": ("max_output_tokens",)}
THINKING_TOKENS_MIN = 1024
"""Anthropic's smallest thinking budget, which must be below the output limit."""

KNOWN = {
    "openai": named(
        "model messages tools tool_choice parallel_tool_calls stream stream_options max_tokens max_completion_tokens temperature",
        "top_p stop n presence_penalty frequency_penalty seed response_format reasoning_effort",
    ),
    "anthropic": named(
        "model messages system tools tool_choice stream max_tokens temperature top_p top_k stop_sequences metadata",
        "thinking output_config",
    ),
    "responses": named(
        "model input instructions tools tool_choice parallel_tool_calls stream store include reasoning text max_output_tokens",
        "temperature top_p truncation metadata previous_response_id",
    ),
}
"""Top-level fields that every provider of a format knows; what else OpenAI and Anthropic have is news to the strict ones."""


def left_out(keys: Iterable[str]) -> str:
    return f"{', '.join(keys)} left out"


def dropping(*keys: str) -> Change:
    """Leaves out these fields."""

    def drop(draft: Draft, _limits: Limits) -> str | None:
        gone = [key for key in keys if draft.raw(key) is not None]
        for key in gone:
            draft.drop(key)
        return left_out(gone) if gone else None

    return drop


def renaming(old: str, new: str) -> Change:
    """Says a field by its other name, unless that stands already."""

    def rename(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw(old)
        if raw is None:
            return None
        draft.drop(old)
        if draft.raw(new) is not None:
            return left_out((old,))
        draft.set(new, raw)
        return f"{old} said as {new}"

    return rename


def keeping(keys: frozenset[str]) -> Change:
    """Leaves out all other fields, except what a request is."""

    def keep(draft: Draft, _limits: Limits) -> str | None:
        gone = [key for key in draft.keys() if key not in keys and key not in MEANING]  # noqa: SIM118  (a draft is no mapping)
        for key in gone:
            draft.drop(key)
        return left_out(gone) if gone else None

    return keep


def clamping(key: str, most: int) -> Change:
    """Holds a number to this maximum."""

    def clamp(draft: Draft, _limits: Limits) -> str | None:
        value = whole(draft.get(key))
        if value is None or value <= most:
            return None
        draft.set(key, b"%d" % most)
        return f"{key} {value} lowered to {most}"

    return clamp


def clamp_output(draft: Draft, dialect: str, limits: Limits) -> str | None:
    """The output limit held to the model's maximum, and Anthropic's thinking budget below it."""
    if limits.max_output_tokens <= 0:
        return None
    said = [clamping(key, limits.max_output_tokens)(draft, limits) for key in OUTPUT_LIMITS.get(dialect, ())]
    if dialect == "anthropic":
        said.append(_budget_below_limit(draft))
    return "; ".join(words for words in said if words) or None


def _budget_below_limit(draft: Draft) -> str | None:
    raw, most = draft.raw("thinking"), whole(draft.get("max_tokens"))
    if raw is None or most is None or not is_object(raw):
        return None
    thinking = splice.scan(raw)
    budget = whole(thinking.get("budget_tokens"))
    if budget is None or budget < most:
        return None
    if most <= THINKING_TOKENS_MIN:
        draft.drop("thinking")
        return left_out(("thinking",))
    draft.set("thinking", splice.replace(thinking, {"budget_tokens": b"%d" % (most - 1)}))
    return f"thinking.budget_tokens {budget} lowered to {most - 1}"


def one_sampling_value(draft: Draft, _limits: Limits) -> str | None:
    """Some models take either temperature or top_p: the first is what people set."""
    if draft.raw("temperature") is None or draft.raw("top_p") is None:
        return None
    draft.drop("top_p")
    return left_out(("top_p",))


def cache_key(draft: Draft, limits: Limits) -> str | None:
    return set_where_missing(draft, "prompt_cache_key", limits.cache_key)


def session_id(draft: Draft, limits: Limits) -> str | None:
    return set_where_missing(draft, "session_id", limits.cache_key)


def set_where_missing(draft: Draft, key: str, value: str) -> str | None:
    if not value or draft.raw(key) is not None:
        return None
    draft.set(key, dumped(value))
    return f"{key} added"


def no_json_schema(draft: Draft, _limits: Limits) -> str | None:
    """For models that can be held to JSON, but to no schema of it."""
    raw = draft.raw("response_format")
    if raw is None or not is_object(raw) or splice.scan(raw).get("type") != "json_schema":
        return None
    draft.set("response_format", b'{"type":"json_object"}')
    return "response_format asks for JSON without its schema"


def whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def fields(value: object) -> dict[str, object]:
    """A decoded object; empty for anything else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def inner(draft: Draft, key: str) -> splice.JsonObject | None:
    """The object under that key, to be looked into."""
    raw = draft.raw(key)
    return splice.scan(raw) if raw is not None and is_object(raw) else None


def drop_inner(draft: Draft, key: str, *names: str) -> list[str]:
    """Leave out fields of the object under that key, and it too once it is empty; says which, dotted."""
    obj = inner(draft, key)
    gone = [name for name in names if obj is not None and obj.raw(name) is not None]
    if obj is None or not gone:
        return []
    if {span.key for span in obj.spans} <= set(gone):
        draft.drop(key)
    else:
        draft.set(key, splice.replace(obj, dict.fromkeys(gone)))
    return [f"{key}.{name}" for name in gone]


def set_inner(draft: Draft, key: str, name: str, raw: bytes) -> None:
    """Set one field of the object under that key, which is made where it is missing."""
    obj = inner(draft, key) or splice.scan(b"{}")
    draft.set(key, splice.replace(obj, {name: raw}))
