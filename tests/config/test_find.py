"""Which project's file holds for a folder."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from stepfare.config.find import find_dotfile

HOME = PurePosixPath("/home/me")


@pytest.mark.parametrize(
    ("present", "start", "found"),
    [
        (["/home/me/repo/.git", "/home/me/repo/.stepfare.toml"], "/home/me/repo/a/b", "/home/me/repo/.stepfare.toml"),
        (
            ["/home/me/repo/.git", "/home/me/repo/.stepfare.toml", "/home/me/repo/a/.stepfare.toml"],
            "/home/me/repo/a/b",
            "/home/me/repo/a/.stepfare.toml",
        ),
        (["/home/me/repo/.git", "/home/me/.stepfare.toml"], "/home/me/repo/a", None),
        (["/home/me/.stepfare.toml"], "/home/me/loose/a", "/home/me/.stepfare.toml"),
        (["/home/.stepfare.toml", "/.stepfare.toml"], "/home/me/loose/a", None),
        (["/srv/app/.stepfare.toml"], "/srv/app/sub", "/srv/app/.stepfare.toml"),
        ([], "/srv/app", None),
    ],
)
def test_the_nearest_file_holds_up_to_repository_and_home(present: list[str], start: str, found: str | None) -> None:
    files = {PurePosixPath(path) for path in present}
    assert find_dotfile(PurePosixPath(start), HOME, files.__contains__) == (None if found is None else PurePosixPath(found))


def test_the_way_up_is_bounded() -> None:
    asked: list[object] = []
    assert find_dotfile(PurePosixPath("/" + "a/" * 500), HOME, lambda path: asked.append(path) is not None) is None
    assert len(asked) < 500
