"""The shipped schema says what the checker says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepfare.config.json_schema import DOTFILE_SCHEMA_ID, SETTINGS_SCHEMA_ID, dotfile_schema, settings_schema
from stepfare.config.keys import keys_of
from stepfare.config.schema import Settings, Table, WrittenDotfile

ROOT = Path(__file__).resolve().parents[2]


def test_the_generator_agrees() -> None:
    assert subprocess.run([sys.executable, ROOT / "scripts" / "generate.py", "--check"], check=False).returncode == 0


SCHEMAS = [(dotfile_schema(), DOTFILE_SCHEMA_ID, WrittenDotfile), (settings_schema(), SETTINGS_SCHEMA_ID, Settings)]


@pytest.mark.parametrize(("schema", "schema_id", "table"), SCHEMAS, ids=["dotfile", "settings"])
def test_it_is_a_closed_schema_of_draft_07(schema: dict[str, Any], schema_id: str, table: type[Table]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == schema_id
    assert set(schema["properties"]) == set(keys_of(table))
    objects = [node for node in nodes(schema) if node.get("type") == "object" and "patternProperties" not in node]
    assert len(objects) >= 5
    assert all(node["additionalProperties"] is False for node in objects)
    described = [property_ for node in objects for property_ in node["properties"].values()]
    assert all(property_.get("description") or "$ref" in property_ for property_ in described)


@pytest.mark.parametrize("schema", [schema for schema, _, _ in SCHEMAS], ids=["dotfile", "settings"])
def test_it_uses_no_word_that_draft_07_lacks(schema: dict[str, Any]) -> None:
    words = {word for node in nodes(schema) for word in node}
    assert not words & {"$defs", "prefixItems", "deprecated"}
    assert not any(node.get("type") == "null" or ("default" in node and "type" in node) for node in nodes(schema))
    assert not any("$ref" in node and len(node) > 1 for node in nodes(schema))


def nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in nodes(item)]
    return [node, *(found for item in node.values() for found in nodes(item))] if isinstance(node, dict) else []
