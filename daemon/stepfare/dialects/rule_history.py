"""Rules about what models thought earlier: left out, missed, or signed."""

from __future__ import annotations

from stepfare.dialects import elements, splice
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, is_list, is_object, text_of
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.rule_messages import each, first_only

NOT_RECORDED = "(not recorded)"
"""In place of thinking that another model did: nobody's words are put into the mouth of this one."""
GOOGLE_UNSIGNED = "skip_thought_signature_validator"
"""Google's own word for a call that none of its models signed."""

_CHAT_THOUGHTS = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
    "thinking_blocks",
    "reasoning_text",
    "reasoning_opaque",
)
_THOUGHT_BLOCKS = ("thinking", "redacted_thinking")


def no_thoughts(dialect: str) -> Change:
    """What models thought earlier is not sent again. A message that was nothing but thinking goes with it."""
    match dialect:
        case "openai":
            marks = [f'"{name}"'.encode() for name in _CHAT_THOUGHTS]
            return each(dialect, _chat_without_thoughts, "earlier thinking left out", *marks)
        case "anthropic":
            return each(dialect, _anthropic_without_thoughts, "earlier thinking left out", b'"thinking"', b'"redacted_thinking"')
        case _:
            return each(dialect, _responses_without_thoughts, "earlier thinking left out", b'"reasoning"')


def _chat_without_thoughts(raw: bytes) -> list[bytes] | None:
    if b'"assistant"' not in raw:
        return None
    obj = splice.scan(raw)
    gone: dict[str, bytes | None] = {name: None for name in _CHAT_THOUGHTS if obj.raw(name) is not None}
    return [splice.replace(obj, gone)] if gone else None


def _anthropic_without_thoughts(raw: bytes) -> list[bytes] | None:
    obj = splice.scan(raw)
    content = obj.raw("content")
    if text_of(obj, "role") != "assistant" or content is None or not is_list(content):
        return None
    said = elements.edited(content, lambda block: () if text_of(splice.scan(block), "type") in _THOUGHT_BLOCKS else None)
    if said is None:
        return None
    return [splice.replace(obj, {"content": said})] if splice.items(said) else []


def _responses_without_thoughts(raw: bytes) -> list[bytes] | None:
    return [] if b'"reasoning"' in raw and text_of(splice.scan(raw), "type") == "reasoning" else None


def no_item_ids() -> Change:
    """Ids of earlier items are left out: they refer to what a provider stored, or tie an item to a thought that is not sent."""

    def one(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        if obj.raw("id") is None or text_of(obj, "type") in ("reasoning", "item_reference"):
            return None
        return [splice.replace(obj, {"id": None})]

    return each("responses", one, "ids of earlier items left out", b'"id"')


def thoughts_refused(dialect: str) -> Change:
    """All that was thought earlier, and in Responses the ids that tie what was said to it."""

    thoughts, ids = no_thoughts(dialect), no_item_ids()

    def drop(draft: Draft, limits: Limits) -> str | None:
        said = thoughts(draft, limits)
        if said and dialect == "responses":
            ids(draft, limits)
        return said

    return drop


def thoughts_recorded(dialect: str) -> Change:
    """For models that refuse an earlier answer without its thinking: where another model gave it, its place is held."""

    def chat(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        if text_of(obj, "role") != "assistant" or text_of(obj, "reasoning_content"):
            return None
        return [splice.replace(obj, {"reasoning_content": dumped(NOT_RECORDED)})]

    def anthropic(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        content = obj.raw("content")
        if text_of(obj, "role") != "assistant" or content is None:
            return None
        blocks = splice.items(content) if is_list(content) else [b'{"type":"text","text":' + content + b"}"]
        if any(text_of(splice.scan(block), "type") in _THOUGHT_BLOCKS for block in blocks):
            return None
        held = dumped({"type": "thinking", "thinking": NOT_RECORDED, "signature": ""})
        return [splice.replace(obj, {"content": b"[" + b",".join((held, *blocks)) + b"]"})]

    one = chat if dialect == "openai" else anthropic
    return each(dialect, one, "the place of thinking that another model did held", b'"assistant"')


def google_signatures() -> Change:
    """Google signs the first call of a message, and refuses one without a signature: what another model called says so."""

    def one(raw: bytes) -> list[bytes] | None:
        if b'"tool_calls"' not in raw:
            return None
        obj = splice.scan(raw)
        calls = obj.raw("tool_calls")
        if calls is None or not is_list(calls) or b'"thought_signature"' in calls or not splice.items(calls):
            return None
        first = splice.scan(splice.items(calls)[0])
        extra = first.raw("extra_content")
        google = {"google": dumped({"thought_signature": GOOGLE_UNSIGNED})}
        signed = splice.replace(splice.scan(extra if extra is not None and is_object(extra) else b"{}"), google)
        new = elements.edited(calls, first_only(splice.replace(first, {"extra_content": signed})))
        return None if new is None else [splice.replace(obj, {"tool_calls": new})]

    return each("openai", one, "calls of other models marked as unsigned", b'"tool_calls"')
