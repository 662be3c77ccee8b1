"""Folders, files and positions: LSP's URIs and code units on one side, paths and characters on the other."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from lsprotocol import types
from pygls import uris
from pygls.workspace import PositionCodec

from stepfare.config.check import DOTFILE_BYTES_MAX, SETTINGS_BYTES_MAX
from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.places import KeyPath, Place
from stepfare.config.read import Read, read
from stepfare.config.schema import Settings, Table, WrittenDotfile

LARGE_CHARS = 8_192

_NAME = re.compile(r"[/\\:]")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Spot:
    """A key, or a value of that key, and where it stands."""

    path: KeyPath
    place: Place
    is_value: bool


@dataclass(frozen=True)
class Page:
    """One of our files as it stands in the editor; `table` is what the file holds. What is worked out of the text is worked out once.

    Lines end where LSP says they do, which is at fewer characters than Python's own `splitlines` takes for ends.
    """

    uri: str
    path: str
    text: str
    codec: PositionCodec
    version: int | None
    table: type[Table]

    @property
    def is_dotfile(self) -> bool:
        return self.table is WrittenDotfile

    @property
    def is_large(self) -> bool:
        """Whether reading it takes longer than a request may."""
        return len(self.text) > LARGE_CHARS

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The index of each line's first character."""
        return (0, *(match.end() for match in _LINE_END.finditer(self.text)))

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends."""
        return tuple(_LINE_END.split(self.text))

    @cached_property
    def found(self) -> Read:
        """What the text holds as TOML."""
        return read(self.text, self.path, DOTFILE_BYTES_MAX if self.is_dotfile else SETTINGS_BYTES_MAX)

    @cached_property
    def spots(self) -> Mapping[int, Sequence[Spot]]:
        """The keys and values of each line, counted from 1."""
        spots: dict[int, list[Spot]] = {}
        for places, is_value in ((self.found.places.keys, False), (self.found.places.values, True)):
            for path, place in places.items():
                spots.setdefault(place.line, []).append(Spot(path, place, is_value))
        return spots

    def offset(self, position: types.Position) -> int:
        """The index into `text` of a client's position, which may lie outside of it."""
        line = min(max(0, position.line), len(self.lines) - 1)
        return self.starts[line] + self.column(line, position.character if line == position.line else 2**31)

    def line_at(self, offset: int) -> int:
        """The line, from 0, that holds the character at this index."""
        return bisect_right(self.starts, offset) - 1

    def column(self, line: int, units: int) -> int:
        """The index into a line of so many of the client's code units."""
        for index, char in enumerate(self.lines[line]):
            if units <= 0:
                return index
            units -= self.codec.client_num_units(char)
        return len(self.lines[line])

    def position(self, line: int, column: int) -> types.Position:
        """The client's position of a line and an index into it, both from 0."""
        line = min(max(0, line), len(self.lines) - 1)
        return types.Position(line, self.codec.client_num_units(self.lines[line][: max(0, column)]))

    def range(self, line: int, column: int, length: int) -> types.Range:
        """A stretch of a line, all counted in characters from 0."""
        return types.Range(self.position(line, column), self.position(line, column + length))

    def range_of_problem(self, line: int, column: int, length: int) -> types.Range:
        """The place of a problem, which counts from 1; where it has none, the first line."""
        if line < 1:
            return self.range(0, 0, len(self.lines[0]))
        return self.range(line - 1, max(1, column) - 1, max(1, length))


def page_of(uri: str, text: str, codec: PositionCodec, version: int | None, config_toml: Path) -> Page | None:
    """The file as one of ours; None for all others."""
    table = table_of(uri, config_toml)
    return None if table is None else Page(uri, path_of(uri) or "", text, codec, version, table)


def table_of(uri: str, config_toml: Path) -> type[Table] | None:
    """What kind of our files a URI names, if any."""
    if _NAME.split(unquote(uri))[-1] == DOTFILE_NAME:
        return WrittenDotfile
    path = path_of(uri)
    return Settings if path is not None and os.path.realpath(path) == os.path.realpath(config_toml) else None


def path_of(uri_or_path: str) -> str | None:
    """The path that a file URI or an absolute path names; None for anything else."""
    if os.path.isabs(uri_or_path):
        return os.path.normpath(uri_or_path)
    try:
        path = uris.to_fs_path(uri_or_path)
    except ValueError:  # not a URI at all
        return None
    return os.path.normpath(path) if path and os.path.isabs(path) else None


def uri_of(path: str | Path) -> str:
    return Path(path).as_uri()


def is_inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies below it, links resolved."""
    if not path or not folder:
        return False
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


def inside_of(path: str, folder: str) -> str | None:
    """The path relative to the folder, with forward slashes; None for the folder itself and what lies outside of it, links resolved."""
    for inner, outer in ((path, folder), (os.path.realpath(path), os.path.realpath(folder))):
        if inner.startswith(outer.rstrip(os.sep) + os.sep):
            # A link may lead out of the folder all the same.
            return os.path.relpath(inner, outer).replace(os.sep, "/") if is_inside(path, folder) else None
    return None


def project_of(folder: str) -> str:
    """The folder under whose name the daemon keeps what is spent there: the repository's root, else the folder itself."""
    at = folder
    while not os.path.lexists(os.path.join(at, ".git")):
        above = os.path.dirname(at)
        if above == at:
            return folder
        at = above
    return at
