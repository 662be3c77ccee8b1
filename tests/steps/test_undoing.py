"""What throws changes away, and what puts back what was replaced."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import ToolCall
from stepfare.steps.shell import read_shell
from stepfare.steps.undoing import swaps_of


@pytest.mark.parametrize(
    ("command", "undone"),
    [
        ("git checkout -- src/a.py", ("src/a.py",)),
        ("git checkout HEAD -- src/a.py b.go", ("src/a.py", "b.go")),
        ("git checkout .", (".",)),
        ("git checkout -b fix/a.b", ()),
        ("git checkout main", ()),
        ("git restore src/a.py", ("src/a.py",)),
        ("git restore --staged src/a.py", ()),
        ("git restore --staged --worktree src/a.py", ("src/a.py",)),
        ("git reset --hard HEAD~1", (".",)),
        ("git reset HEAD src/a.py", ()),
        ("git stash", (".",)),
        ("git stash push -- src/a.py", ("src/a.py",)),
        ("git stash list", ()),
        ("git stash pop", ()),
        ("cd sub && git checkout -- a.py && ls", ("sub/a.py",)),
        ("bash -lc 'git restore a.py'", ("a.py",)),
        ("git diff src/a.py", ()),
    ],
)
def test_a_command_says_what_it_throws_away(command: str, undone: tuple[str, ...]) -> None:
    assert read_shell(command).undone == undone


def swap(tool: str, **arguments: object) -> tuple[tuple[int, int], ...]:
    return swaps_of(ToolCall("1", tool, json.dumps(arguments)))


def test_an_edit_and_the_edit_back_are_each_others_mirror() -> None:
    (there,), (back,) = (swap("Edit", file_path="a", old_string=old, new_string=new) for old, new in (("x", "y"), ("y", "x")))
    assert there == back[::-1]
    assert there[0] != there[1]


def test_a_patch_has_its_mirror_too() -> None:
    patch = "*** Begin Patch\n*** Update File: a.py\n@@\n-{}\n+{}\n*** End Patch"
    (there,), (back,) = (swap("apply_patch", input=patch.format(old, new)) for old, new in (("x", "y"), ("y", "x")))
    assert there == back[::-1]


def test_several_edits_of_one_call_count_each() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    assert len(swap("MultiEdit", file_path="a", edits=edits)) == 2


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"command": "ls"}', '{"old_string": "x", "new_string": "x"}'])
def test_other_calls_swap_nothing(arguments: str) -> None:
    assert swaps_of(ToolCall("1", "Edit", arguments)) == ()
