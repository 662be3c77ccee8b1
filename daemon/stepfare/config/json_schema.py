"""The JSON Schemas of both files, for tools that know nothing of stepfare; made from the same tables that check them."""

from __future__ import annotations

import json
from typing import Any, cast

from stepfare.config.schema import Settings, Table, WrittenDotfile

DOTFILE_SCHEMA_ID = "urn:stepfare:dotfile:1"
SETTINGS_SCHEMA_ID = "urn:stepfare:settings:1"

_LEFT_OUT = ("title", "default")


def dotfile_schema() -> dict[str, Any]:
    """The schema of a project's `.stepfare.toml` in draft-07, the one that every tool reads."""
    return _schema(WrittenDotfile, DOTFILE_SCHEMA_ID, ".stepfare.toml")


def settings_schema() -> dict[str, Any]:
    """The schema of the user's own `config.toml`."""
    return _schema(Settings, SETTINGS_SCHEMA_ID, "config.toml")


def dotfile_schema_text() -> str:
    """The schema as it is shipped."""
    return _text(dotfile_schema())


def settings_schema_text() -> str:
    return _text(settings_schema())


def _schema(table: type[Table], schema_id: str, title: str) -> dict[str, Any]:
    generated = table.model_json_schema(ref_template="#/definitions/{model}")
    definitions = generated.pop("$defs", {})
    body = cast("dict[str, Any]", _plain(generated))
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": schema_id}
    return {**head, **body, "title": title, "definitions": _plain(definitions)}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _plain(node: Any) -> Any:
    """Without what only our own checker needs: titles, defaults, and `null`, which TOML has no word for."""
    if isinstance(node, list):
        return [_plain(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    told = cast("dict[str, Any]", node)
    table = dict[str, Any]({key: value for key, value in told.items() if key not in _LEFT_OUT or isinstance(value, dict)})
    options: list[dict[str, Any]] = [option for option in table.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del table["anyOf"]
        table = {**options[0], **table}
    if "$ref" in table and len(table) > 1:  # draft-07 looks at nothing beside a $ref
        table["allOf"] = [{"$ref": table.pop("$ref")}]
    return {key: _plain(value) for key, value in table.items()}
