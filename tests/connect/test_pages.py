"""The pages on agents name the fields that `connect` really writes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from stepfare.cli.connect import yaml_text
from stepfare.cli.connect.clients import CLIENTS, names
from stepfare.cli.connect.edits import ValuesEdit
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World

PAGES = Path(__file__).parents[2] / "integrations" / "agents"
ENDPOINT = Endpoint("http://127.0.0.1:4884/v1", "TOKEN", 128000)


def _client(identity: str) -> Client:
    return next(client for client in CLIENTS if client.id == identity)


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)


def _written(client: Client, dialect: str | None = None) -> list[str]:
    endpoint = replace(ENDPOINT, dialect=dialect or client.dialects[0])
    edits = client.edits(World(Path("/nowhere"), {}), Place(Scope.USER), endpoint)
    return [edit.applied(None) for edit in edits]


@pytest.mark.parametrize(
    ("client", "dialect", "first"), [("cline", "openai", 0), ("cline", "anthropic", 1), ("cline-classic", "openai", 2)]
)
def test_the_page_on_cline_shows_the_files_as_they_are_written(client: str, dialect: str, first: int) -> None:
    written = [cast("dict[str, object]", json.loads(text)) for text in _written(_client(client), dialect)]
    shown = [cast("dict[str, object]", json.loads(block)) for block in _blocks("cline.md", "json")][first : first + len(written)]
    assert [_timeless(document) for document in shown] == [_timeless(document) for document in written]


def test_the_page_on_continue_shows_the_model_as_it_is_written() -> None:
    shown = yaml_text.parse(_blocks("continue.md", "yaml")[0])
    assert yaml_text.models_of(yaml_text.parse(_written(_client("continue"))[0])) == yaml_text.models_of(shown)


@pytest.mark.parametrize(
    ("client", "page", "languages"),
    [
        ("claude-code", "claude-code.md", ["json"]),
        ("codex", "codex.md", ["toml"]),
        ("aider", "aider.md", ["yaml", "json"]),
        ("opencode", "opencode.md", ["json"]),
        ("kilo", "opencode.md", ["json"]),
        ("qwen", "qwen.md", ["json"]),
        ("mini-swe-agent", "mini-swe-agent.md", ["ini"]),
    ],
)
def test_a_page_shows_the_files_as_they_are_written(client: str, page: str, languages: list[str]) -> None:
    for language, written in zip(languages, _written(_client(client)), strict=True):
        shown = _blocks(page, language)[0]
        if language == "json":  # where several models differ in nothing but their names, a page may show some of them
            assert _within(json.loads(shown), json.loads(written))
        else:
            assert shown == written


def test_every_client_has_a_page_that_names_it() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES.glob("*.md"))
    assert [name for name in names() if f"`{name}`" not in pages and f"stepfare connect {name}" not in pages] == []
    edits = [
        edit
        for client in CLIENTS
        for edit in client.edits(World(Path("/nowhere"), {}), Place(Scope.USER), replace(ENDPOINT, dialect=client.dialects[0]))
    ]
    assert [edit.path.name for edit in edits if edit.path.name not in pages] == []
    anchors = [edit.anchor[-1] for edit in edits if isinstance(edit, ValuesEdit)]
    assert [anchor for anchor in anchors if anchor not in pages] == []


def _timeless(document: dict[str, object]) -> str:
    return re.sub(r'"updatedAt": "[^"]*"', '"updatedAt": ""', json.dumps(document))


def _within(shown: object, written: object) -> bool:
    """Whether everything that is shown is written, and nothing but names of models is left out."""
    if isinstance(shown, dict) and isinstance(written, dict):
        return all(key in written and _within(value, written[key]) for key, value in cast("dict[str, object]", shown).items()) and all(
            key in shown or key.rpartition("/")[2] in ("frugal", "balanced", "careful", "premium", "ladder")
            for key in cast("dict[str, object]", written)
        )
    return shown == written
