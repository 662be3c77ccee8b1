"""Files lie where they should, private ones are private from their first moment and never half written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from stepfare.paths import is_private, make_private_dir, paths_from, write_private


def test_one_variable_moves_everything_into_one_folder(tmp_path: Path) -> None:
    paths = paths_from({"STEPFARE_HOME": str(tmp_path / "here")})
    everything = (paths.home, paths.config_dir, paths.config_toml, paths.ledger_db, paths.daemon_json, paths.catalogue_json, paths.log_dir)
    assert [str(path.relative_to(tmp_path)) for path in everything] == [
        "here",
        "here",
        "here/config.toml",
        "here/ledger.db",
        "here/daemon.json",
        "here/catalogue.json",
        "here/log",
    ]
    assert not paths.home.exists()


def test_a_home_is_absolute_however_it_is_written(home: Path) -> None:
    assert paths_from({"STEPFARE_HOME": "~/books"}).home == home / "books"
    assert paths_from({"STEPFARE_HOME": "books"}).home == Path.cwd() / "books"


@pytest.mark.parametrize("value", ["", "relative/data"])
def test_a_useless_xdg_variable_counts_as_not_set(home: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", value)
    monkeypatch.setattr("sys.platform", "linux")
    assert paths_from({}).home == home / ".local/share/stepfare"


def test_each_thing_lies_where_the_system_wants_it(home: Path) -> None:
    paths = paths_from({"STEPFARE_HOME": ""})
    for path in (paths.ledger_db, paths.config_toml, paths.log_dir):
        assert path.is_relative_to(home)
        assert "stepfare" in path.parts
    assert paths.config_toml.parent == paths.config_dir


def test_a_private_file_is_private_and_its_folders_too(tmp_path: Path) -> None:
    os.umask(0o000)
    try:
        write_private(tmp_path / "a" / "b" / "secret", b"one")
    finally:
        os.umask(0o022)
    assert (tmp_path / "a" / "b" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert is_private(tmp_path / "a" / "b" / "secret")


def test_an_open_file_becomes_private_when_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    assert not is_private(path)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert is_private(path)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match="secret"):
        write_private(tmp_path / "secret", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_many_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    contents = [bytes([65 + n]) * 50_000 for n in range(8)]
    threads = [threading.Thread(target=write_private, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    make_private_dir(folder)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(NotADirectoryError):
        make_private_dir(tmp_path / "taken")
