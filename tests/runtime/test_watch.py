"""Changes are noticed at once, told once, and only those that matter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from watchdog.observers import Observer

from stepfare.runtime import watch as watch_module
from stepfare.runtime.watch import CALM_S, Watch

NAMES = ("config.toml", ".stepfare.toml")


class Told:
    """How often a change was told; a test may wait for the next time."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._next.set()

    async def once_more(self) -> int:
        async with asyncio.timeout(10):
            await self._next.wait()
        self._next.clear()
        await asyncio.sleep(5 * CALM_S)  # A second telling of the same change would come now.
        return self.count


@asynccontextmanager
async def watching(*folders: Path) -> AsyncGenerator[Told]:
    told = Told()
    watch = Watch(dict.fromkeys(NAMES, told))
    for folder in folders:
        watch.add(folder)
    try:
        yield told
    finally:
        await asyncio.to_thread(watch.close)


async def test_a_file_written_in_several_strokes_is_told_once(tmp_path: Path) -> None:
    async with watching(tmp_path) as told:
        path = tmp_path / "config.toml"
        for _ in range(3):
            with path.open("w") as file:
                for stroke in ("[steps]\n", "edit = ", '"premium"\n'):
                    file.write(stroke)
                    file.flush()
        assert await told.once_more() == 1


async def test_each_way_of_changing_a_file_is_noticed(tmp_path: Path) -> None:
    async with watching(tmp_path) as told:
        path = tmp_path / ".stepfare.toml"
        path.write_text("a = 1\n")
        assert await told.once_more() == 1
        (tmp_path / "new").write_text("a = 2\n")
        (tmp_path / "new").replace(path)  # As most editors save.
        assert await told.once_more() == 2
        path.rename(tmp_path / "away")
        assert await told.once_more() == 3
        (tmp_path / "away").rename(path)
        assert await told.once_more() == 4
        path.unlink()
        assert await told.once_more() == 5


async def test_other_files_and_mere_reading_are_nobodys_business(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("a = 1\n")
    below = tmp_path / "below"
    below.mkdir()
    async with watching(tmp_path) as told:
        path.read_text()
        (tmp_path / "ledger.db").write_text("x")
        (below / "config.toml").write_text("x")
        os.utime(tmp_path)
        (tmp_path / ".stepfare.toml").write_text("the one that counts")
        assert await told.once_more() == 1


async def test_several_folders_are_watched_each_once(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    async with watching(one, other, one) as told:
        (one / "config.toml").write_text("x")
        assert await told.once_more() == 1
        (other / ".stepfare.toml").write_text("x")
        assert await told.once_more() == 2


async def test_a_folder_that_is_not_there_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    async with watching(tmp_path / "none", tmp_path / "file", tmp_path) as told:
        (tmp_path / "config.toml").write_text("x")
        assert await told.once_more() == 1


async def test_only_so_many_folders_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "FOLDERS_MAX", 1)
    other = tmp_path / "other"
    other.mkdir()
    async with watching(tmp_path, other) as told:
        (other / "config.toml").write_text("x")
        (tmp_path / "config.toml").write_text("x")
        assert await told.once_more() == 1


async def test_where_the_system_gives_no_more_watches_changes_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watch_module, "POLL_S", 0.05)
    monkeypatch.setattr(Observer, "schedule", refuse)
    async with watching(tmp_path) as told:
        assert "the system gives no more watches" in caplog.text
        (tmp_path / "config.toml").write_text("x")
        assert await told.once_more() >= 1


async def test_after_the_end_nothing_is_told(tmp_path: Path) -> None:
    async with watching(tmp_path) as told:
        (tmp_path / "config.toml").write_text("x")
        await told.once_more()
    (tmp_path / "config.toml").write_text("y")
    await asyncio.sleep(5 * CALM_S)
    assert told.count == 1
