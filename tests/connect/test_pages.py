"""The pages on agents name the fields that `connect` really writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import cast

import pytest

from stepfare.cli.connect import yaml_text
from stepfare.cli.connect.clients import CLIENTS, names
from stepfare.cli.connect.edits import JsonEdit
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

PAGES = Path(__file__).parents[2] / "integrations" / "agents"
ENDPOINT = Endpoint("http://127.0.0.1:4884/v1", "TOKEN", 128000)


def _client(identity: str) -> Client:
    return next(client for client in CLIENTS if client.id == identity)


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)


def _written(client: Client) -> list[str]:
    edits = client.edits(World(Path("/nowhere"), {}), Place(Scope.USER), ENDPOINT)
    return [edit.applied(None) for edit in edits]


@pytest.mark.parametrize(("client", "first"), [("cline", 0), ("cline-classic", 1)])
def test_the_page_on_cline_shows_the_files_as_they_are_written(client: str, first: int) -> None:
    written = [cast("dict[str, object]", json.loads(text)) for text in _written(_client(client))]
    shown = [cast("dict[str, object]", json.loads(block)) for block in _blocks("cline.md", "json")][first : first + len(written)]
    assert [_timeless(document) for document in shown] == [_timeless(document) for document in written]


def test_the_page_on_continue_shows_the_model_as_it_is_written() -> None:
    shown = yaml_text.parse(_blocks("continue.md", "yaml")[0])
    assert yaml_text.models_of(yaml_text.parse(_written(_client("continue"))[0])) == yaml_text.models_of(shown)


def test_every_client_has_a_page_that_names_it() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES.glob("*.md"))
    assert [name for name in names() if f"`{name}`" not in pages and f"stepfare connect {name}" not in pages] == []
    edits = [edit for client in CLIENTS for edit in client.edits(World(Path("/nowhere"), {}), Place(Scope.USER), ENDPOINT)]
    assert [edit.path.name for edit in edits if edit.path.name not in pages] == []
    anchors = [edit.anchor[-1] for edit in edits if isinstance(edit, JsonEdit)]
    assert [anchor for anchor in anchors if anchor not in pages] == []


def _timeless(document: dict[str, object]) -> str:
    return re.sub(r'"updatedAt": "[^"]*"', '"updatedAt": ""', json.dumps(document))
