"""Data made to fit a table of the schema: what does not fit is left out, item by item, and said in words that say what would fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stepfare.config.keys import table_at
from stepfare.config.notes import Notes, did_you_mean
from stepfare.config.places import KeyPath
from stepfare.config.schema import Table

ROUNDS_MAX = 12
"""Each round leaves something out, and what is left out may bring the next complaint: an item, its list, its table."""

_ECHOED = re.compile(r"[A-Za-z0-9_./*!? -]{0,24}")
"""What may be repeated in a problem: nothing that could be a key pasted in the wrong place."""

_WRITTEN_AS_TABLES = ("paths", "models", "price_steps", "price_from")
_PATTERN_WORDS = {"url": "must be sqlite or postgresql://..."}

TableT = TypeVar("TableT", bound=Table)

_EXPECTED = {
    "string_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "too_short": "must have at least one item",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list in [ ]",
    "model_type": "must be a table",
    "dict_type": "must be a table",
}


@dataclass(frozen=True, slots=True)
class Fitted(Generic[TableT]):
    """The table, and for each list of the data the indexes that its items had before some were left out."""

    table: TableT
    kept: Mapping[KeyPath, tuple[int, ...]]

    def index(self, path: KeyPath, position: int) -> int:
        """Where the item at this position of the list stood in the file."""
        return self.kept.get(path, range(position + 1))[position]


def fitted(table: type[TableT], data: Mapping[str, Any], notes: Notes, instead: Mapping[KeyPath, object] | None = None) -> Fitted[TableT]:
    """Read `data` as that table. `instead` has what stands in for a value that is left out, where an absence would mean the wrong thing."""
    fit = _Fit(table, data, notes, instead or {})
    for _ in range(ROUNDS_MAX):
        kept: dict[KeyPath, tuple[int, ...]] = {}
        try:
            return Fitted(table.model_validate(fit.remaining(data, (), kept)), kept)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                fit.leave_out(details, kept)
    notes.add((), "wrong-value", "Too much in this file does not fit: nothing of it is used.")
    return Fitted(table(), {})


@dataclass
class _Fit:
    """What was left out so far; `around` has all the paths on the way to it, whose complaints only follow from that."""

    table: type[Table]
    data: Mapping[str, Any]
    notes: Notes
    instead: Mapping[KeyPath, object]
    left_out: set[KeyPath] = field(default_factory=set[KeyPath])
    around: set[KeyPath] = field(default_factory=set[KeyPath])

    def leave_out(self, details: ErrorDetails, kept: Mapping[KeyPath, tuple[int, ...]]) -> None:
        """Leave out what an error speaks of, and say so unless it was said."""
        path, of_key = _original(details["loc"], self.data, kept)
        missing = details["type"] == "missing"
        if path not in self.around:
            if self.notes.full:
                self.notes.add_unsaid()
            elif missing:
                self.notes.add(path[:-1], "wrong-value", f"`{path[-1]}` is missing: this `{_dotted(path[:-1])}` is left out.", key=True)
            elif details["type"] == "extra_forbidden":
                self.notes.add(path, "unknown-key", self.unknown(path), severity="warning", key=True)
            else:
                then = "Until it is right, nothing passes it." if path in self.instead else "It is left out."
                self.notes.add(path, "wrong-value", f"{_wrong(details, path, of_key=of_key)} {then}", key=of_key)
        gone = path[:-1] if missing else path
        self.left_out.add(gone)
        self.around.update(gone[:end] for end in range(1, len(gone) + 1))

    def unknown(self, path: KeyPath) -> str:
        table = table_at(self.table, path[:-1])
        known = list(table.model_fields) if table else []
        where = f"[{_dotted(path[:-1])}]" if path[:-1] else "the top level"
        name = str(path[-1])
        return f"`{_echo(name)}` is not a key of {where}; it is left out.{did_you_mean(name, known)} Known here: {', '.join(known)}."

    def remaining(self, value: Any, path: KeyPath, kept: dict[KeyPath, tuple[int, ...]]) -> Any:
        """A copy without what is left out; `kept` learns which items of each list stayed."""
        if isinstance(value, dict):
            return {
                key: self.instead[at] if (at := (*path, key)) in self.left_out else self.remaining(child, at, kept)
                for key, child in cast("dict[str, Any]", value).items()
                if (*path, key) not in self.left_out or (*path, key) in self.instead
            }
        if isinstance(value, list):
            items = cast("list[Any]", value)
            kept[path] = tuple(index for index in range(len(items)) if (*path, index) not in self.left_out)
            return [self.remaining(items[index], (*path, index), kept) for index in kept[path]]
        return value


def _dotted(path: KeyPath) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _wrong(details: ErrorDetails, path: KeyPath, *, of_key: bool) -> str:
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    kind, value = details["type"], details["input"]
    context = details.get("ctx", {})
    if of_key:
        return f"`{_echo(name)}` is not a name that can stand here: lower-case letters, digits, - and _, 64 at most."
    if kind == "literal_error":
        allowed = re.findall("'([^']*)'", str(context.get("expected", "")))
        said = f'"{_echo(value)}" is not a value of `{name}`' if isinstance(value, str) else f"`{name}` must be a text"
        return f"{said}.{did_you_mean(value, allowed) if isinstance(value, str) else ''} Allowed: {', '.join(allowed)}."
    if kind == "wrong":
        return f"`{name}` {context['words']}."
    if kind == "string_pattern_mismatch":
        return f"`{name}` {_PATTERN_WORDS.get(name, 'must be a PROVIDER/MODEL, such as openai/gpt-5-mini')}."
    if kind == "tuple_type" and path[-1] in _WRITTEN_AS_TABLES:
        return f"`{name}` must be written as [[{name}]]."
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"`{name}` must be {'at least' if kind.startswith('greater') else 'at most'} {bound}."
    if kind in ("too_long", "string_too_long"):
        return f"`{name}` is too long: at most {context.get('max_length', context.get('actual_length'))} are taken."
    return f"`{name}` {_EXPECTED.get(kind, details['msg'])}."


def _echo(value: str) -> str:
    return value if _ECHOED.fullmatch(value) else "..."


def _original(loc: tuple[str | int, ...], data: object, kept: Mapping[KeyPath, tuple[int, ...]]) -> tuple[KeyPath, bool]:
    """The path in the file that an error speaks of, and whether it speaks of the key itself."""
    path: KeyPath = ()
    for part in loc:
        if part == "[key]":
            return path, True
        index = kept[path][part] if isinstance(part, int) and path in kept else part
        if isinstance(data, Mapping):
            data = cast("Mapping[object, object]", data).get(index)
        elif isinstance(data, list) and isinstance(index, int):
            data = cast("list[object]", data)[index]
        else:  # a lone text that was taken for a list of one
            break
        path = (*path, index)
    return path, False
