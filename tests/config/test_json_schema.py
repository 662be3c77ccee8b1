"""The shipped schema says what the checker says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stepfare.config.json_schema import DOTFILE_SCHEMA_ID, dotfile_schema, dotfile_schema_text
from stepfare.config.keys import keys_of
from stepfare.config.schema import WrittenDotfile

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_schema_is_fresh() -> None:
    shipped = ROOT / "integrations" / "schemas" / "stepfare.schema.json"
    assert shipped.read_text(encoding="utf-8") == dotfile_schema_text(), "run scripts/generate.py"


def test_the_generator_agrees() -> None:
    assert subprocess.run([sys.executable, ROOT / "scripts" / "generate.py", "--check"], check=False).returncode == 0


def test_it_is_a_closed_schema_of_draft_07() -> None:
    schema = dotfile_schema()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == DOTFILE_SCHEMA_ID
    assert set(schema["properties"]) == set(keys_of(WrittenDotfile))
    objects = [node for node in nodes(schema) if node.get("type") == "object"]
    assert len(objects) == 5
    assert all(node["additionalProperties"] is False for node in objects)
    assert all(property_.get("description") for node in objects for property_ in node["properties"].values())


def test_it_uses_no_word_that_draft_07_lacks() -> None:
    text = json.dumps(dotfile_schema())
    assert not any(f'"{word}"' in text for word in ("$defs", "prefixItems", "null", "default", "deprecated"))
    assert not any("$ref" in node and len(node) > 1 for node in nodes(dotfile_schema()))


def nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in nodes(item)]
    return [node, *(found for item in node.values() for found in nodes(item))] if isinstance(node, dict) else []
