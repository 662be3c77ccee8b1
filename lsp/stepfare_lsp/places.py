"""Folders, files and positions: LSP's URIs and code units on one side, paths and characters on the other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lsprotocol import types
from pygls import uris
from pygls.workspace import PositionCodec

from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.schema import Settings, Table, WrittenDotfile

_NAME = re.compile(r"[/\\:]")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Page:
    """One of our files as it stands in the editor. `lines` are without their ends; `table` is what the file holds.

    Lines end where LSP says they do, which is at fewer characters than Python's own `splitlines` takes for ends.
    """

    uri: str
    path: str
    text: str
    lines: tuple[str, ...]
    codec: PositionCodec
    version: int | None
    table: type[Table]

    @property
    def is_dotfile(self) -> bool:
        return self.table is WrittenDotfile

    def offset(self, position: types.Position) -> int:
        """The index into `text` of a client's position, which may lie outside of it."""
        line = min(max(0, position.line), len(self.lines) - 1)
        starts = [0, *(match.end() for match in _LINE_END.finditer(self.text))]
        return starts[line] + self.column(line, position.character if line == position.line else 2**31)

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
    return None if table is None else Page(uri, path_of(uri) or "", text, tuple(_LINE_END.split(text)), codec, version, table)


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
