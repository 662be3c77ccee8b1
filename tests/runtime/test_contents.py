"""Files that an agent changes: which of them go back, told from their contents alone, and which are never looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stepfare.runtime import contents as contents_module
from stepfare.runtime.contents import Contents
from stepfare.runtime.git_files import Repository, look
from tests.runtime.repositories import a_repository


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], None]:
    """Writes the file, at another time whatever the clock says."""
    times = iter(range(1_000, 100_000))

    def written(text: str) -> None:
        (tmp_path / "a.py").write_text(text)
        at_s = next(times)
        os.utime(tmp_path / "a.py", (at_s, at_s))

    return written


def after(contents: Contents, edited: tuple[str, ...] = (), read: tuple[str, ...] = (), repository: Repository | None = None) -> int:
    contents.look(read, edited, repository)
    return contents.reverts


def test_a_change_that_is_taken_back_counts_once(tmp_path: Path, write: Callable[[str], None]) -> None:
    contents = Contents(str(tmp_path))
    write("before")
    assert after(contents, read=("a.py",)) == 0
    write("after")
    assert after(contents, edited=("a.py",)) == 0
    write("before")
    assert [after(contents), after(contents)] == [1, 1]
    write("another try")
    assert after(contents, edited=("a.py",)) == 1
    write("before")
    assert after(contents) == 2


@pytest.mark.parametrize("path", ["a.py", "./x/../a.py"])
def test_a_file_is_known_however_it_is_named(tmp_path: Path, write: Callable[[str], None], path: str) -> None:
    contents = Contents(str(tmp_path))
    write("before")
    after(contents, read=(str(tmp_path / "a.py"),))
    write("after")
    after(contents, edited=(path,))
    write("before")
    assert after(contents) == 1


def test_what_a_human_changes_to_and_fro_is_no_revert_of_the_agent(tmp_path: Path, write: Callable[[str], None]) -> None:
    contents = Contents(str(tmp_path))
    for text in ("one", "two", "one"):
        write(text)
        assert after(contents, read=("a.py",)) == 0


def test_a_change_that_is_put_back_again_was_no_revert(tmp_path: Path, write: Callable[[str], None]) -> None:
    contents = Contents(str(tmp_path))
    for text, edited, reverts in (("before", (), 0), ("after", ("a.py",), 0), ("before", (), 1), ("after", (), 0), ("before", (), 1)):
        write(text)
        assert after(contents, edited, ("a.py",)) == reverts


def test_two_changes_are_taken_back_one_after_the_other(tmp_path: Path, write: Callable[[str], None]) -> None:
    contents = Contents(str(tmp_path))
    for text, reverts in (("1", 0), ("2", 0), ("3", 0), ("2", 1), ("1", 2)):
        write(text)
        assert after(contents, ("a.py",)) == reverts


def test_a_file_that_was_there_and_is_there_again_has_gone_back(tmp_path: Path, write: Callable[[str], None]) -> None:
    contents = Contents(str(tmp_path))
    write("before")
    after(contents, read=("a.py",))
    (tmp_path / "a.py").unlink()
    assert after(contents, edited=("a.py",)) == 0
    write("before")
    assert after(contents) == 1


def test_what_is_staged_is_what_a_file_held_before(tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "repo", a_py="before\n", b_py="b\n")
    contents = Contents(str(repo.root))
    repo.write("a.py", "after, and longer\n")
    seen = look(repo.git, str(repo.root), None)
    assert after(contents, ("a.py",), repository=seen) == 0
    assert contents.dirty(seen) == ("a.py",)
    repo.restore("a.py")
    assert after(contents, repository=look(repo.git, str(repo.root), seen)) == 1
    assert contents.dirty(seen) == ()


def test_files_that_cannot_be_watched_are_told_by_what_git_undid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = a_repository(tmp_path / "repo", a_py="before\n")
    monkeypatch.setattr(contents_module, "FILE_BYTES_MAX", 3)
    contents = Contents(str(repo.root))
    seen = look(repo.git, str(repo.root), None)
    assert after(contents, ("a.py",), repository=seen) == 0
    repo.reset()
    seen = look(repo.git, str(repo.root), seen)
    assert [after(contents, repository=seen), after(contents, repository=seen)] == [1, 1]


def test_nothing_outside_the_folder_or_behind_a_link_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "a.py").write_text("secret")
    os.symlink(outside / "a.py", inside / "link.py")
    os.symlink(outside, inside / "folder")
    monkeypatch.setattr(contents_module, "read_plain", lambda *_: pytest.fail("it was read"))
    for path in ("link.py", "folder/a.py", "../outside/a.py", str(outside / "a.py"), "/etc/passwd", "no\0name", ".", ""):
        after(Contents(str(inside)), (path,), (path,))


def test_a_folder_that_is_itself_reached_by_a_link_is_looked_into(tmp_path: Path, write: Callable[[str], None]) -> None:
    os.symlink(tmp_path, tmp_path.parent / f"{tmp_path.name}-link")
    contents = Contents(f"{tmp_path}-link")
    for text, reverts in (("before", 0), ("after", 0), ("before", 1)):
        write(text)
        assert after(contents, ("a.py",)) == reverts


def test_files_and_contents_are_bounded(tmp_path: Path, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents_module, "CONTENTS_MAX", 2)
    contents = Contents(str(tmp_path))
    for text in ("1", "2", "3"):
        write(text)
        after(contents, ("a.py",))
    write("1")
    assert after(contents) == 0, "what is forgotten is a revert that is not told"
    monkeypatch.setattr(contents_module, "FILES_MAX", 3)
    after(contents, tuple(f"{number}.py" for number in range(10)))
    assert len(contents._files) == 3
