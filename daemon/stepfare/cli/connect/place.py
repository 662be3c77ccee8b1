"""The values that connecting is about: the daemon's address as a client needs it, where settings may be written, and what a client is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

from stepfare.cli.connect.edits import Edit

MODEL = "auto"
OPENAI, ANTHROPIC, RESPONSES = "openai", "anthropic", "responses"
"""The wire formats: OpenAI chat completions, Anthropic Messages, OpenAI Responses."""
PACKAGE_PARENTS_MAX = 5
PACKAGE_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a client reaches the daemon. `base_url` ends in /v1; `context_tokens` is the smallest window behind it.

    `dialect` is the wire format to speak, for clients that have a choice; `statusline` says whether a client that has a status line is to
    show in it what a session costs.
    """

    base_url: str
    token: str
    context_tokens: int
    model: str = MODEL
    dialect: str = OPENAI
    statusline: bool = False

    @property
    def root_url(self) -> str:
        """The address without /v1, for clients that add it themselves."""
        return self.base_url.removesuffix("/v1")


class Scope(StrEnum):
    """Where settings are written: for the user, for one project, or into a file that the user names."""

    USER = "user"
    PROJECT = "project"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Place:
    """A scope with its folder or file; `at` is of no meaning for the user's scope."""

    scope: Scope
    at: Path = Path()


@dataclass(frozen=True, slots=True)
class World:
    """What the search for clients and their files may look at."""

    home: Path
    environ: Mapping[str, str]

    def folder(self, variable: str, *otherwise: str) -> Path:
        """The folder that the variable names, or the one below the home folder."""
        named = self.environ.get(variable, "").strip()
        return Path(named).expanduser().absolute() if named else self.home.joinpath(*otherwise)

    def program(self, name: str) -> Program | None:
        """The program that this name starts, with its package's version where a package.json lies above it."""
        found = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        if found is None:
            return None
        for parent in list(Path(found).resolve().parents)[:PACKAGE_PARENTS_MAX]:
            if (version := _version_in(parent / "package.json")) is not None:
                return Program(Path(found), version)
        return Program(Path(found), "")

    def extension(self, identity: str) -> Path | None:
        """The newest folder of a VS Code extension, in any of the editors of that family."""
        roots = [self.home / name / "extensions" for name in (".vscode", ".vscode-insiders", ".vscode-oss", ".cursor", ".windsurf")]
        found = [folder for root in roots if root.is_dir() for folder in root.glob(f"{identity}-*")]
        return max(found, default=None, key=lambda folder: folder.name)

    def seen(self, path: Path, *programs: str) -> str:
        """What there is of a client, in words: its settings file, else one of its programs; empty where there is neither."""
        if path.is_file():
            return f"its settings in {path}"
        found = next((program for name in programs if (program := self.program(name)) is not None), None)
        return f"the program {found.path}" + (f", version {found.version}" if found.version else "") if found else ""


@dataclass(frozen=True, slots=True)
class Program:
    path: Path
    version: str

    @property
    def major(self) -> int | None:
        head = self.version.partition(".")[0]
        return int(head) if head.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Client:
    """One agent that can be connected: a row of the table.

    `names` are what a user may call it; several rows may share a name, then those that are found on this machine are meant, or the
    first where none is. `edits` says what must stand in which file; `trace` what was found of the client (empty: nothing). `dialects` are
    the wire formats that it can be made to speak, the usual one first.
    """

    id: str
    title: str
    names: tuple[str, ...]
    scopes: tuple[Scope, ...]
    edits: Callable[[World, Place, Endpoint], tuple[Edit, ...]]
    trace: Callable[[World], str]
    hints: Callable[[World, Place], tuple[str, ...]]
    """What is left for the user to know or to do after connecting."""
    dialects: tuple[str, ...] = (OPENAI,)
    has_statusline: bool = False
    """Whether it can show what a command of ours prints."""


def _version_in(path: Path) -> str | None:
    try:
        if path.stat().st_size > PACKAGE_BYTES_MAX:
            return None
        package = cast(object, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    version = cast("dict[str, object]", package).get("version") if isinstance(package, dict) else None
    return version if isinstance(version, str) else None
