"""Rules with an argument, as a provider's refusal teaches them and as a row of the catalogue may name them: `drop:seed`,
`drop:messages.*.name`, `rename:seed:random_seed`, `clamp:max_tokens:8192`, `only:model,messages`, `effort:low,high`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from stepfare.core.prompt import EFFORTS
from stepfare.dialects import elements, splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import is_list, is_object, named
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.rule_fields import MEANING, REQUIRED, clamping, keeping, left_out, renaming
from stepfare.dialects.rule_thinking import efforts_among

PATH_PARTS_MAX = 8
DIGITS_MAX = 9

_FIELD = re.compile(r"[\w-]+")

_SAID = named(
    "role content type text id name namespace function parameters input_schema input arguments output source call_id data url",
    "tool_calls tool_call_id tool_use_id description image_url format",
)
"""Fields within messages and tools that carry what they say; learning to leave these out would be losing it."""


def drop(argument: str, dialect: str) -> Change | None:
    """Leaves out the value at a path, where `*` stands for every element of a list; None where it carries meaning."""
    path = argument.split(".")
    if not may_drop(argument, dialect):
        return None

    def change(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw(path[0])
        if raw is None:
            return None
        if len(path) == 1:
            draft.drop(path[0])
            return left_out((argument,))
        mark = f'"{path[-1]}"'.encode()
        new = _without(raw, path[1:], mark) if mark in raw else None
        if new is None:
            return None
        if new == b"{}":
            draft.drop(path[0])
        else:
            draft.set(path[0], new)
        return left_out((argument,))

    return change


def may_drop(path: str, dialect: str) -> bool:
    """Whether this may be left out without losing what the request says."""
    first, *rest = path.split(".")
    if len(rest) >= PATH_PARTS_MAX or not _FIELD.fullmatch(first) or not all(part == "*" or _FIELD.fullmatch(part) for part in rest):
        return False
    if not rest:
        return first not in REQUIRED.get(dialect, MEANING)
    inside = first in ("messages", "input", "system", "tools")
    return rest[-1] != "*" and first not in ("model", "instructions", "stream") and not (inside and rest[-1] in _SAID)


def _without(raw: bytes, path: Sequence[str], mark: bytes) -> bytes | None:
    name, rest = path[0], path[1:]
    if mark not in raw:
        return None
    if name == "*":
        return elements.edited(raw, lambda item: _as_list(_without(item, rest, mark))) if is_list(raw) and rest else None
    obj = splice.scan(raw) if is_object(raw) else None
    inner = obj.raw(name) if obj is not None else None
    if obj is None or inner is None:
        return None
    if not rest:
        return splice.replace(obj, {name: None})
    new = _without(inner, rest, mark)
    return None if new is None else splice.replace(obj, {name: new})


def _as_list(new: bytes | None) -> list[bytes] | None:
    return None if new is None else [new]


def rename(argument: str, _dialect: str) -> Change | None:
    old, _, new = argument.partition(":")
    return renaming(old, new) if old and new and ":" not in new and {old, new}.isdisjoint(MEANING) else None


def clamp(argument: str, _dialect: str) -> Change | None:
    key, _, most = argument.partition(":")
    return clamping(key, int(most)) if key and key not in MEANING and most.isdecimal() and len(most) <= DIGITS_MAX else None


def only(argument: str, dialect: str) -> Change | None:
    keys = frozenset(argument.split(","))
    return keeping(keys | REQUIRED.get(dialect, MEANING)) if all(keys) else None


def effort(argument: str, dialect: str) -> Change | None:
    known = frozenset(argument.split(","))
    return efforts_among(dialect, known) if known <= set(EFFORTS) else None


LEARNED: Mapping[str, Callable[[str, str], Change | None]] = {
    "drop": drop,
    "rename": rename,
    "clamp": clamp,
    "only": only,
    "effort": effort,
}
"""What stands before the colon; each makes a rule of what stands behind it, or None where that makes no sense."""


def learned(name: str, dialect: str) -> Change | None:
    """The rule of that name and argument; None where it is none."""
    kind, colon, argument = name.partition(":")
    make = LEARNED.get(kind) if colon else None
    try:
        return make(argument, dialect) if make else None
    except BadRequest:
        return None
