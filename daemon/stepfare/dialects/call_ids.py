"""Ids of tool calls in the form that a provider accepts. An id becomes what its own text makes of it, so that a call and its result,
this step and the next, agree without any memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from stepfare.dialects import elements, splice
from stepfare.dialects.draft import Draft

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MINTED_CHARS = 24
"""Of the part of a long id that tells it from others: 140 bits."""


@dataclass(frozen=True, slots=True)
class IdForm:
    """The ids that a provider accepts, and how one of ours is begun; `chars` is how long it then is."""

    pattern: re.Pattern[str]
    prefix: str
    chars: int


NINE = IdForm(re.compile(r"[a-zA-Z0-9]{9}"), "", 9)
"""Mistral: nine letters and digits."""
FORTY = IdForm(re.compile(r"[a-zA-Z0-9_-]{1,40}"), "call_", 5 + _MINTED_CHARS)
"""OpenAI's chat completions: up to 40 characters."""
SIXTY_FOUR = IdForm(re.compile(r"[a-zA-Z0-9_-]{1,64}"), "call_", 5 + _MINTED_CHARS)
"""Anthropic and OpenAI's Responses: letters, digits, `_` and `-`; Responses takes up to 64."""


def fitted(call_id: str, form: IdForm) -> str:
    """The id in this form: itself where it has it, else one made of its digest."""
    if form.pattern.fullmatch(call_id):
        return call_id
    number = int.from_bytes(sha256(call_id.encode("utf-8", "replace")).digest(), "big")
    minted: list[str] = []
    for _ in range(form.chars - len(form.prefix)):
        number, digit = divmod(number, len(_DIGITS))
        minted.append(_DIGITS[digit])
    return form.prefix + "".join(minted)


def fitter(dialect: str, form: IdForm) -> Callable[[Draft], bool]:
    """What gives all calls and results of a request ids of this form, and says whether any had another. Messages without such stay."""
    match dialect:
        case "openai":
            key, one, marks = "messages", _chat_message, (b'"tool_calls"', b'"tool_call_id"')
        case "anthropic":
            key, one, marks = "messages", _anthropic_message, (b'"tool_use"', b'"tool_use_id"')
        case "responses":
            key, one, marks = "input", _item, (b'"call_id"',)
        case _:
            return lambda _draft: False
    change = elements.remembering(lambda raw: one(raw, form))
    return lambda draft: elements.edit(draft, key, change, *marks)


def _item(raw: bytes, form: IdForm) -> list[bytes] | None:
    return _with_fitted(raw, "call_id", form)


def _chat_message(raw: bytes, form: IdForm) -> list[bytes] | None:
    if b'"tool_call_id"' not in raw and b'"tool_calls"' not in raw:
        return None
    obj = splice.scan(raw)
    values: dict[str, bytes | None] = {}
    if obj.raw("tool_call_id") is not None:
        values["tool_call_id"] = _fitted_raw(obj, "tool_call_id", form)
    calls = obj.raw("tool_calls")
    if calls is not None and elements.is_list(calls):
        values["tool_calls"] = elements.edited(calls, lambda call: _with_fitted(call, "id", form)) or calls
    new = elements.with_own_fields(obj, values)
    return None if new is None else [new]


def _anthropic_message(raw: bytes, form: IdForm) -> list[bytes] | None:
    if b'"tool_use_id"' not in raw and b'"tool_use"' not in raw:
        return None
    obj = splice.scan(raw)
    content = obj.raw("content")
    if content is None or not elements.is_list(content):
        return None
    blocks = elements.edited(content, lambda block: _anthropic_block(block, form))
    return None if blocks is None else [splice.replace(obj, {"content": blocks})]


def _anthropic_block(raw: bytes, form: IdForm) -> list[bytes] | None:
    key = _ID_FIELDS.get(elements.text_of(splice.scan(raw), "type"))
    return _with_fitted(raw, key, form) if key else None


_ID_FIELDS = {"tool_use": "id", "tool_result": "tool_use_id"}
"""Calls that the provider itself ran have ids of a form of their own, which nobody else made."""


def _with_fitted(raw: bytes, key: str, form: IdForm) -> list[bytes] | None:
    obj = splice.scan(raw)
    if obj.raw(key) is None:
        return None
    new = elements.with_own_fields(obj, {key: _fitted_raw(obj, key, form)})
    return None if new is None else [new]


def _fitted_raw(obj: splice.JsonObject, key: str, form: IdForm) -> bytes | None:
    """The bytes of that field; the very ones that stand there where its id is already acceptable, however they spell it."""
    value = obj.get(key)
    if not isinstance(value, str):
        return obj.raw(key)
    new = fitted(value, form)
    return obj.raw(key) if new == value else elements.dumped(new)
