"""Git's own files as git writes them, read without it: what is staged, what differs, what was undone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepfare.runtime import git_files
from stepfare.runtime.git_files import blob_of, look, read_plain, staged_in
from tests.runtime.repositories import Repo, a_repository

CASES = Path(__file__).parents[1] / "cases" / "git"
"""Indexes that git itself has written, one of each version: the same files, in that of version 3 with one that is only to be added."""
FILES = {"a_py": "a = 1\n", "src__deep__b_py": "b = 2\n", "src__c_py": "c = 3\n" * 50}
RECORDED = {
    "a.py": "1337a530cbc1bd7d20aee2d80f1f174a9182417d",
    "ein Name mit Ä.py": "c1b0730e0133447badcfd47fd144e254807b06e1",
    "src/c.py": "09d7dfcfd64100b3e8ebdc1c67f4d84a3007ecc3",
    "src/deep/b.py": "a678603086571121e788f9031b5403340d4b2656",
}
LATER = {"later.py": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return a_repository(tmp_path / "repo", **FILES)


@pytest.mark.parametrize(("version", "files"), [(2, RECORDED), (3, RECORDED | LATER), (4, RECORDED | LATER)])
def test_an_index_of_any_version_tells_its_plain_files(version: int, files: dict[str, str]) -> None:
    index = (CASES / f"version_{version}.index").read_bytes()
    assert index[7] == version
    assert {path: entry.blob.hex() for path, entry in staged_in(index)} == files
    assert blob_of(b"a = 1\n").hex() == files["a.py"]


def test_an_index_that_ends_too_soon_or_is_none_tells_what_it_can(repo: Repo) -> None:
    index = repo.root / ".git" / "index"
    for case in CASES.iterdir():
        whole = case.read_bytes()
        for length in range(0, len(whole), 7):
            index.write_bytes(whole[:length])
            assert len(look(repo.git, str(repo.root), None).staged) <= len(RECORDED | LATER)
    index.write_bytes(b"DIRC" + b"\xff" * 500)
    assert look(repo.git, str(repo.root), None).staged == {}
    index.unlink()
    assert look(repo.git, str(repo.root), None).staged == {}


def test_files_that_differ_are_dirty_and_touched_ones_are_not(repo: Repo) -> None:
    assert look(repo.git, str(repo.root), None).dirty == ()
    os.utime(repo.root / "a.py", (1, 1))
    repo.write("src/c.py", "changed")
    (repo.root / "src/deep/b.py").unlink()
    repo.write("untracked.py", "x")
    assert look(repo.git, str(repo.root), None).dirty == ("src/c.py", "src/deep/b.py")


def test_of_a_large_repository_nothing_is_compared_and_of_a_larger_one_nothing_read(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("a.py", "changed")
    monkeypatch.setattr(git_files, "SCANNED_MAX", 2)
    found = look(repo.git, str(repo.root), None)
    assert (len(found.staged), found.dirty) == (3, ())
    monkeypatch.setattr(git_files, "INDEX_BYTES_MAX", 100)
    assert look(repo.git, str(repo.root), None).staged == {}


def test_what_undoes_is_counted_from_the_first_look_on(repo: Repo) -> None:
    repo.reset()
    first = look(repo.git, str(repo.root), None)
    assert first.undoings == 0
    repo.write("a.py", "a = 2\n")
    repo.commit()
    assert (second := look(repo.git, str(repo.root), first)).undoings == 0
    repo.reset()
    repo.checkout("other")
    assert (third := look(repo.git, str(repo.root), second)).undoings == 2
    assert look(repo.git, str(repo.root), third) == third


def test_an_index_that_has_not_changed_is_not_read_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = look(repo.git, str(repo.root), None)
    monkeypatch.setattr(git_files, "read_plain", lambda *_: pytest.fail("it was read"))
    assert look(repo.git, str(repo.root), first).staged is first.staged


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("words")
    os.symlink("plain", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    read = {name: read_plain(str(tmp_path / name), 5) for name in ("plain", "link", "pipe", "nothing", "no\0name", ".")}
    assert read == {"plain": b"words", "link": None, "pipe": None, "nothing": None, "no\0name": None, ".": None}
    assert read_plain(str(tmp_path / "plain"), 4) is None
