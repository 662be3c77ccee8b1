"""Rules about the tools that a request offers, and about which of them it demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast

from stepfare.dialects import elements, splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, is_list, is_object, text_of
from stepfare.dialects.hosted import SERVER_RUN
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.plain_schema import plain
from stepfare.dialects.rule_fields import drop_inner, fields, inner, left_out
from stepfare.dialects.rule_thinking import drop_included

TOOL_LISTS_KEPT = 16
"""Lists of tools whose plain form is remembered: a session offers the same with every step."""

_AUTO = {"openai": b'"auto"', "responses": b'"auto"'}
_FREE = ("auto", "none")
_TOOL_FLAGS = {
    "openai": ("tool_choice", "parallel_tool_calls"),
    "anthropic": ("tool_choice",),
    "responses": ("tool_choice", "parallel_tool_calls", "max_tool_calls"),
}


def no_forced_choice(dialect: str) -> Change:
    """A model that will not be made to call a tool is left free to."""

    def free(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw("tool_choice")
        choice = draft.get("tool_choice")
        if raw is None or choice in _FREE or choice is None:
            return None
        said = fields(choice)
        kind, name = said.get("type", choice), _chosen(said)
        if kind in _FREE:
            return None
        if kind == "allowed_tools":
            return _allowed_freely(draft, raw)
        new = _AUTO.get(dialect)
        if new is None:
            new = splice.replace(splice.scan(raw), {"type": b'"auto"'} | ({"name": None} if "name" in said else {}))
        draft.set("tool_choice", new)
        return f"tool_choice {name or kind} made auto"

    return free


def _chosen(choice: Mapping[str, object]) -> str:
    name = choice.get("name", fields(choice.get("function")).get("name"))
    return name if isinstance(name, str) else ""


def _allowed_freely(draft: Draft, raw: bytes) -> str | None:
    """`allowed_tools` narrows the tools, which stays, and may demand one of them."""
    obj = splice.scan(raw)
    nested = obj.raw("allowed_tools")
    at = splice.scan(nested) if nested is not None and is_object(nested) else obj
    if at.get("mode") != "required":
        return None
    new = splice.replace(at, {"mode": b'"auto"'})
    draft.set("tool_choice", splice.replace(obj, {"allowed_tools": new}) if at is not obj else new)
    return "tool_choice required made auto"


def no_parallel_flag(dialect: str) -> Change:
    """For providers that know no word for one call at a time."""

    def drop(draft: Draft, _limits: Limits) -> str | None:
        if dialect == "anthropic":
            gone = drop_inner(draft, "tool_choice", "disable_parallel_tool_use")
            return left_out(gone) if gone else None
        if draft.raw("parallel_tool_calls") is None:
            return None
        draft.drop("parallel_tool_calls")
        return left_out(("parallel_tool_calls",))

    return drop


def no_empty_tools(dialect: str) -> Change:
    """Without tools, flags about tools are refused, and so is an empty list of them."""

    def drop(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw("tools")
        if raw is not None and raw != b"null" and (not is_list(raw) or splice.items(raw)):
            return None
        gone = [key for key in ("tools", *_TOOL_FLAGS[dialect]) if draft.raw(key) is not None]
        for key in gone:
            draft.drop(key)
        return f"{left_out(gone)}: no tools are offered" if gone else None

    return drop


def no_server_tools(dialect: str) -> Change:
    """Tools that only their inventor's servers run are not offered, nor demanded, nor asked about."""

    def drop(draft: Draft, limits: Limits) -> str | None:
        gone: list[str] = []
        types: set[str] = set()

        def one(raw: bytes) -> list[bytes] | None:
            obj = splice.scan(raw)
            kind = text_of(obj, "type")
            if not kind.startswith(SERVER_RUN[dialect]):
                return None
            types.add(kind)
            gone.append(text_of(obj, "name") or kind)
            return []

        if not elements.edit(draft, "tools", one):
            return None
        if dialect == "responses":
            drop_included(draft, lambda what: what.startswith(tuple(f"{kind}_call." for kind in (*types, *SERVER_RUN[dialect]))))
        choice = fields(draft.get("tool_choice"))
        if choice.get("type") in types or _chosen(choice) in gone:
            no_forced_choice(dialect)(draft, limits)
        no_empty_tools(dialect)(draft, limits)
        return f"{left_out(gone)}: only another provider runs them"

    return drop


def no_strict(dialect: str) -> Change:
    """For providers that do not hold arguments to their schema, and refuse the word."""
    return _each_tool(dialect, ("strict",), "tools' strict left out", b'"strict"')


def no_tool_betas(draft: Draft, _limits: Limits) -> str | None:
    """What only Anthropic itself knows of a tool: that it is loaded later, who may call it, how its input streams."""
    marks = ("defer_loading", "allowed_callers", "input_examples", "eager_input_streaming")
    return _each_tool("anthropic", marks, "what is beta of tools left out", *(f'"{mark}"'.encode() for mark in marks))(draft, _limits)


def no_schema_extras(dialect: str) -> Change:
    """Tool schemas in plain words."""

    def simplify(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw("tools")
        if raw is None or not is_list(raw):
            return None
        new = _with_plain_schemas(raw, dialect)
        if new is None:
            return None
        draft.set("tools", new)
        return "tools' schemas said in plain words"

    return simplify


@lru_cache(maxsize=TOOL_LISTS_KEPT)
def _with_plain_schemas(raw: bytes, dialect: str) -> bytes | None:
    key = "input_schema" if dialect == "anthropic" else "parameters"

    def simplify(obj: splice.JsonObject) -> bytes | None:
        schema = obj.get(key)
        if not isinstance(schema, dict):
            return None
        given = cast("dict[str, object]", schema)
        made = plain(given)
        return None if made == given else splice.replace(obj, {key: dumped(made)})

    return _tools_edited(raw, dialect, simplify)


def _each_tool(dialect: str, names: tuple[str, ...], words: str, *marks: bytes) -> Change:
    def change(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw("tools")
        if raw is None or not is_list(raw) or not any(mark in raw for mark in marks):
            return None

        def without(obj: splice.JsonObject) -> bytes | None:
            gone = [name for name in names if obj.raw(name) is not None]
            return splice.replace(obj, dict.fromkeys(gone)) if gone else None

        new = _tools_edited(raw, dialect, without)
        if new is None:
            return None
        draft.set("tools", new)
        return words

    return change


def _tools_edited(raw: bytes, dialect: str, change: Callable[[splice.JsonObject], bytes | None]) -> bytes | None:
    """The list with each function changed, wherever the format describes it: chat in `function`, Responses also within namespaces."""

    def one(tool: bytes) -> list[bytes] | None:
        obj = splice.scan(tool)
        for key, within in (("function", dialect == "openai"), ("tools", dialect == "responses")):
            nested = obj.raw(key) if within else None
            if nested is None:
                continue
            try:
                new = change(splice.scan(nested)) if key == "function" else elements.edited(nested, one)
            except BadRequest:
                return None
            return None if new is None else [splice.replace(obj, {key: new})]
        new = change(obj)
        return None if new is None else [new]

    return elements.edited(raw, one)


def no_form_with_tools(dialect: str) -> Change:
    """Some models give either JSON of a form or tool calls: an agent needs its calls."""

    def drop(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw("tools")
        if raw is None or not is_list(raw) or not splice.items(raw):
            return None
        if dialect == "openai":
            gone = ["response_format"] if draft.raw("response_format") is not None else []
            draft.drop("response_format")
        else:
            outer = "output_config" if dialect == "anthropic" else "text"
            form = inner(draft, outer)
            plain_text = form is not None and fields(form.get("format")).get("type") == "text"
            gone = [] if plain_text else drop_inner(draft, outer, "format")
        return f"{left_out(gone)}: tools are offered" if gone else None

    return drop
