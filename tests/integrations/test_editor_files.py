"""Every configuration that is shipped for an editor can be read, starts a server that exists, and for our file."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stepfare.config.dotfile import DOTFILE_NAME
from stepfare_lsp.__main__ import parser

FOLDER = Path(__file__).resolve().parents[2] / "integrations"
PAGES = ("helix", "jetbrains", "kate", "sublime", "vim", "zed")


def read(name: str) -> Any:
    """The file as its editor reads it: TOML, or JSON in which lines may be comments."""
    text = (FOLDER / name).read_text()
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def at(value: Any, *path: str | int) -> Any:
    for part in path:
        value = value[part]
    return value


COMMANDS: Mapping[str, tuple[str | int, ...]] = {
    "helix/languages.toml": ("language-server", "stepfare"),
    "kate/settings.json": ("servers", "toml", "command"),
    "vim/coc-settings.json": ("languageserver", "stepfare"),
    "sublime/LSP.sublime-settings": ("clients", "stepfare", "command"),
    "jetbrains/template.json": ("programArgs", "default"),
}


def command_of(said: Any) -> Sequence[str]:
    match said:
        case {"command": program, "args": arguments}:
            return [program, *arguments]
        case str():
            return shlex.split(said)
        case _:
            return said


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_is_one_that_the_server_takes(name: str) -> None:
    program, *arguments = command_of(at(read(name), *COMMANDS[name]))
    assert program == "stepfare-lsp"
    assert parser().parse_args(arguments).stdio


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("helix/languages.toml", ("language", 0, "file-types", 0, "glob")),
        ("kate/settings.json", ("servers", "toml", "rootIndicationFileNames", 0)),
        ("vim/coc-settings.json", ("languageserver", "stepfare", "rootPatterns", 0)),
        ("jetbrains/template.json", ("fileTypeMappings", 0, "fileType", "patterns", 0)),
    ],
)
def test_the_file_is_ours(name: str, path: tuple[str | int, ...]) -> None:
    assert at(read(name), *path) == DOTFILE_NAME


def test_helix_names_the_server_that_it_defines_and_shows_what_it_says() -> None:
    languages = read("helix/languages.toml")
    assert set(languages["language-server"]) == set(languages["language"][0]["language-servers"])
    assert read("helix/config.toml")["editor"]["lsp"]["display-inlay-hints"] is True


def test_zeds_extension_offers_the_server_that_its_settings_name() -> None:
    extension, crate = read("zed/extension.toml"), read("zed/Cargo.toml")
    assert set(read("zed/settings.json")["lsp"]) == set(extension["language_servers"]) == {"stepfare"}
    source = FOLDER / "zed" / crate["lib"]["path"]
    assert 'const PROGRAM: &str = "stepfare-lsp";' in source.read_text()


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_at_is_there(page: str) -> None:
    text = (FOLDER / page / "README.md").read_text()
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (FOLDER / page / target).exists()] == []
