"""What the schema says of a key: the ground for hover and completion."""

from __future__ import annotations

import pytest

from stepfare.config.keys import Shape, key_at, keys_of, table_at
from stepfare.config.places import KeyPath
from stepfare.config.schema import KindTiers, ModelSettings, PathRule, PriceTable, Settings, Table, WrittenDotfile


@pytest.mark.parametrize(
    ("root", "path", "shape", "values"),
    [
        (WrittenDotfile, ("steps",), Shape.TABLE, ()),
        (WrittenDotfile, ("steps", "edit"), Shape.VALUE, ("frugal", "balanced", "premium")),
        (WrittenDotfile, ("paths",), Shape.TABLES, ()),
        (WrittenDotfile, ("paths", 0, "match"), Shape.LIST, ()),
        (WrittenDotfile, ("paths", 0, "match", 3), Shape.LIST, ()),
        (WrittenDotfile, ("budget", "on_limit"), Shape.VALUE, ("ask", "frugal", "stop")),
        (Settings, ("providers",), Shape.NAMED_TABLES, ()),
        (Settings, ("providers", "lab", "dialect"), Shape.VALUE, ("openai", "responses", "anthropic")),
        (Settings, ("models", 0, "capabilities"), Shape.LIST, ("tools", "vision", "reasoning", "structured", "fill", "embed")),
        (Settings, ("privacy", "titles"), Shape.VALUE, ("true", "false")),
        (Settings, ("profiles", "nightly", "plan"), Shape.VALUE, ("frugal", "balanced", "premium")),
    ],
)
def test_a_key_is_found_by_its_path(root: type[Table], path: KeyPath, shape: Shape, values: tuple[str, ...]) -> None:
    key = key_at(root, path)
    assert key is not None
    assert (key.shape, key.values) == (shape, values)


@pytest.mark.parametrize("path", [(), ("nope",), ("steps", "nope"), ("steps", "edit", "deeper"), ("providers", "lab", "nope")])
def test_what_the_schema_lacks_is_not_found(path: KeyPath) -> None:
    assert key_at(WrittenDotfile, path) is None
    assert key_at(Settings, path) is None


def test_tables_are_found_by_their_path() -> None:
    assert table_at(WrittenDotfile, ()) is WrittenDotfile
    assert table_at(WrittenDotfile, ("paths", 3)) is PathRule
    assert table_at(Settings, ("providers",)) is None
    assert table_at(Settings, ("profiles", "x")) is KindTiers
    assert table_at(Settings, ("models", 0, "price")) is PriceTable
    assert table_at(Settings, ("models", 0)) is ModelSettings


@pytest.mark.parametrize("root", [WrittenDotfile, Settings])
def test_every_key_is_described(root: type[Table]) -> None:
    tables = [root]
    for table in tables:
        for key in keys_of(table).values():
            assert key.description.endswith((".", "postgresql://...")), (table, key.name)
            if key.table is not None and key.table not in tables:
                tables.append(key.table)
    assert len(tables) >= 5
