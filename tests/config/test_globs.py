"""Gitignore-style globs: the same verdicts as a library that follows git, without its slowness."""

from __future__ import annotations

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.config.globs import GLOB_CHARS_MAX, BadGlob, compiled, relative


@pytest.mark.parametrize(
    ("globs", "file", "index"),
    [
        (["migrations/**"], "migrations/0001.sql", 0),
        (["migrations/**"], "db/migrations/0001.sql", None),
        (["*.sql"], "db/migrations/0001.sql", 0),
        (["src/crypto"], "src/crypto/deep/aes.py", 0),
        (["crypto/"], "src/crypto/aes.py", 0),
        (["crypto/"], "src/crypto", None),
        (["/Makefile"], "Makefile", 0),
        (["/Makefile"], "sub/Makefile", None),
        (["**/secret/**"], "a/b/secret/c", 0),
        (["a/**/z"], "a/z", 0),
        (["a/**/z"], "a/b/c/z", 0),
        (["a/**/b/**/z"], "a/b/c/b/x/z", 0),
        (["src/*", "!src/*.md"], "src/a.md", None),
        (["src/*", "!src/*.md", "src/SECURITY.md"], "src/SECURITY.md", 2),
        (["[a-c]?[!x].py"], "b1y.py", 0),
        (["[a-c]?[!x].py"], "b1x.py", None),
        (["\\!odd"], "!odd", 0),
        (["a b "], "a b", 0),
        (["src/**"], "./src/a.py", 0),
        (["src/**"], "src\\a.py", 0),
        (["**"], "/etc/passwd", None),
        (["**"], "../up.py", None),
        (["**"], "~/x", None),
        (["**"], "C:\\x", None),
        (["**"], "", None),
    ],
)
def test_the_last_glob_that_matches_decides(globs: list[str], file: str, index: int | None) -> None:
    assert compiled(globs).matching(file) == index


@pytest.mark.parametrize(
    "glob", ["", " ", "!", "/", "//", "a//b", "# x", "./a", "a/../b", "a[", "a\\", "[z-a]", "x" * (GLOB_CHARS_MAX + 1)]
)
def test_a_glob_that_can_mean_nothing_is_refused_in_words(glob: str) -> None:
    with pytest.raises(BadGlob) as refused:
        compiled([glob])
    assert str(refused.value)


def test_a_path_too_long_to_be_one_is_outside() -> None:
    assert relative("a/" * 2000) is None


@pytest.mark.parametrize("glob", ["a*" * 100 + "b", "**/a" * 60 + "/**/b", "a*a*/**/" * 30 + "*b", "*a/" * 80 + "b", "?*" * 120 + "/b"])
def test_a_hostile_glob_is_answered_at_once(glob: str) -> None:
    globs = compiled([glob])
    # A backtracking matcher would still be at it when the universe ends.
    verdicts = [globs.matching(file) for file in ("a" * 1000, "a/" * 500, "a" * 500 + "/" + "a/a" * 150)]
    assert verdicts == [None, None, None]


NAMES = st.text("ab.", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
FILES = st.lists(NAMES, min_size=1, max_size=5).map("/".join)
PARTS = st.one_of(NAMES, st.sampled_from(["**", "*", "a*", "*b", "a*b", "*a*", "?", "a?", "[ab]", "[!a]*", "a**b"]))
GLOBS = st.tuples(st.sampled_from(["", "/"]), st.lists(PARTS, min_size=1, max_size=5).map("/".join), st.sampled_from(["", "/"])).map(
    "".join
)


@given(GLOBS, FILES)
def test_verdicts_are_those_of_git(glob: str, file: str) -> None:
    theirs = pathspec.GitIgnoreSpec.from_lines([glob]).match_file(file)
    assert (compiled([glob]).matching(file) is not None) == theirs
