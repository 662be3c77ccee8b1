"""`stepfare session`: an id is shown, a command is done."""

from __future__ import annotations

import pytest

from stepfare.cli.front import run


@pytest.mark.parametrize(
    "arguments", [["split", "last", "1"], ["merge", "one"], ["rename", "one"], ["unmerge"], ["pin", "one", "cheap"], ["unpin"]]
)
def test_what_cannot_be_said_is_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", *arguments]) == 2
    assert "Usage: stepfare session" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rename", "merge", "unmerge", "split", "pin", "unpin", "show"])
def test_every_command_has_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", command, "--help"]) == 0
    assert f"stepfare session {command}" in capsys.readouterr().out


def test_what_is_no_command_is_a_session(stepfare_home: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", "merged"]) == 3
    assert "No daemon is running" in capsys.readouterr().err
