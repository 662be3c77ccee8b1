"""Positions in the units of every client, and which files are ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.workspace import PositionCodec

from stepfare.config.schema import Settings, WrittenDotfile
from stepfare_lsp.places import Page, is_inside, page_of, path_of, table_of

CONFIG = Path("/home/me/.config/stepfare/config.toml")
URI = "file:///p/.stepfare.toml"
UNITS = {"utf-8": lambda text: len(text.encode()), "utf-16": lambda text: len(text.encode("utf-16-le")) // 2, "utf-32": len}
CHARS = st.sampled_from(["a", "\t", "\u00e9", "\u20ac", "\U0001f600", "\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])


def page(text: str, encoding: str = "utf-16") -> Page:
    found = page_of(URI, text, PositionCodec(types.PositionEncodingKind(encoding)), 1, CONFIG)
    assert found is not None
    return found


@given(st.lists(CHARS, max_size=30).map("".join), st.sampled_from(sorted(UNITS)), st.data())
def test_positions_and_offsets_agree_in_every_encoding(text: str, encoding: str, data: st.DataObject) -> None:
    shown = page(text, encoding)
    line = data.draw(st.integers(0, len(shown.lines) - 1))
    column = data.draw(st.integers(0, len(shown.lines[line])))
    position = shown.position(line, column)
    assert position.character == UNITS[encoding](shown.lines[line][:column])
    assert shown.column(line, position.character) == column
    assert text[: shown.offset(position)].endswith(shown.lines[line][:column])
    assert shown.offset(types.Position(line, 10_000)) == shown.offset(shown.position(line, len(shown.lines[line])))


@pytest.mark.parametrize(("line", "character"), [(99, 0), (0, 99), (1, 3)])
def test_a_position_outside_is_the_nearest_inside(line: int, character: int) -> None:
    shown = page("ab\ncd")
    assert 0 <= shown.offset(types.Position(line, character)) <= 5
    assert shown.range_of_problem(99, 99, 3).end == types.Position(1, 2)
    assert shown.range_of_problem(0, 0, 0) == types.Range(types.Position(0, 0), types.Position(0, 2))


@pytest.mark.parametrize(
    ("uri", "table"),
    [
        ("file:///p/.stepfare.toml", WrittenDotfile),
        ("untitled:.stepfare.toml", WrittenDotfile),
        ("file:///p/%2Estepfare.toml", WrittenDotfile),
        ("file:///c%3A/p/.stepfare.toml", WrittenDotfile),
        (CONFIG.as_uri(), Settings),
        ("file:///p/config.toml", None),
        ("file:///p/my.stepfare.toml", None),
        ("file:///p/.stepfare.toml/x", None),
        ("", None),
        ("http://[", None),
    ],
)
def test_our_files_are_known_by_name_and_place(uri: str, table: type | None) -> None:
    assert table_of(uri, CONFIG) is table


def test_folders_are_named_by_path_or_uri() -> None:
    assert path_of("/a/../b/") == "/b"
    assert path_of("file:///a%20b/c") == "/a b/c"
    assert path_of("relative/path") is None
    assert path_of("https://example.com/a") is None


def test_inside_is_a_matter_of_folders_not_of_letters(tmp_path: Path) -> None:
    (tmp_path / "project" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "project")
    assert is_inside(str(tmp_path / "project" / "sub"), str(tmp_path / "project"))
    assert is_inside(str(tmp_path / "link" / "sub"), str(tmp_path / "project"))
    assert not is_inside(str(tmp_path / "project2"), str(tmp_path / "project"))
    assert not is_inside("", str(tmp_path))
