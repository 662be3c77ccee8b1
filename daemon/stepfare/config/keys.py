"""What each key of a file may hold, read off the schema: for unknown keys, for hover and for completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from stepfare.config.places import KeyPath
from stepfare.config.schema import Table


class Shape(StrEnum):
    """How a key is written: `key = ...`, `[key]`, `[key.NAME]` or `[[key]]`."""

    VALUE = "value"
    LIST = "list"
    TABLE = "table"
    NAMED_TABLES = "named tables"
    TABLES = "tables"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table. `values` are all that it may have, where they can be listed; `table` is what it leads to, where it is one."""

    name: str
    shape: Shape
    description: str
    required: bool = False
    values: tuple[str, ...] = ()
    example: str = ""
    table: type[Table] | None = None


def keys_of(table: type[Table]) -> Mapping[str, Key]:
    """The keys of a table in their order."""
    return {
        name: _key(name, field.annotation, field.description or "", required=field.is_required(), default=field.get_default())
        for name, field in table.model_fields.items()
    }


def table_at(root: type[Table], path: Iterable[str | int]) -> type[Table] | None:
    """The table that stands at a path of names and indexes; None where there is none."""
    table: type[Table] | None = root
    skip_name = False
    for part in path:
        if isinstance(part, int):
            continue
        if skip_name:
            skip_name = False
            continue
        key = None if table is None else keys_of(table).get(part)
        if key is None:
            return None
        table, skip_name = key.table, key.shape is Shape.NAMED_TABLES
    return None if skip_name else table


def key_at(root: type[Table], path: KeyPath) -> Key | None:
    """The key at a path; None where the schema has none. An index stands for the list that it is in."""
    names = [part for part in path if isinstance(part, str)]
    for end in range(len(names), 0, -1):
        table = table_at(root, names[: end - 1])
        if table is not None and names[end - 1] in table.model_fields:
            return keys_of(table)[names[end - 1]] if end == len(names) else None
    return None


def _key(name: str, annotation: Any, description: str, *, required: bool, default: object) -> Key:
    inner = _bare(annotation)
    origin, arguments = get_origin(inner), get_args(inner)
    if _is_table(inner):
        return Key(name, Shape.TABLE, description, required, table=inner)
    if origin is dict:
        return Key(name, Shape.NAMED_TABLES, description, required, table=_bare(arguments[1]))
    if origin is tuple and arguments[1:] == (...,):
        item = _bare(arguments[0])
        if _is_table(item):
            return Key(name, Shape.TABLES, description, required, table=item)
        return Key(name, Shape.LIST, description, required, values=_listed(item))
    shown = "" if default is None or required else str(default)
    return Key(name, Shape.VALUE, description, required, values=("true", "false") if inner is bool else _listed(inner), example=shown)


def _bare(annotation: Any) -> Any:
    """The type without its marks and without None."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            annotation = next(part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Table)


def _listed(annotation: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in get_args(annotation)) if get_origin(annotation) is Literal else ()
