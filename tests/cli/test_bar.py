"""The line of status bars: the session that is meant, few words, and never an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from stepfare.cli.bar import FORMATS, asked_for, line
from stepfare.control.protocol import Glance
from tests.cli.conftest import Run
from tests.control.fake_daemon import FakeDaemon

USD = 1_000_000_000_000
HERE = Glance(mode="live", today_pusd=3 * USD, session="s1", spent_pusd=42 * USD // 100, saved_pusd=11 * USD // 10, tier="balanced")


def shown(glance: Glance, form: str = "plain", *, colours: bool = True) -> str:
    return line(glance.model_dump(), form, colours=colours)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "$0.42 . balanced . saved $1.10 . $3.00 today"),
        ({"saved_pusd": -2 * USD}, "$0.42 . balanced . $2.00 more than premium . $3.00 today"),
        ({"saved_pusd": USD // 1000}, "$0.42 . balanced . $3.00 today"),
        ({"spent_pusd": None, "saved_pusd": 0}, "unpriced . balanced . $3.00 today"),
        ({"tier": None, "mode": "simulator", "saved_pusd": 0}, "$0.42 . $3.00 today . play money"),
        ({"session": None}, "$3.00 today"),
    ],
)
def test_a_bar_says_spent_tier_and_saved(changed: Mapping[str, object], expected: str) -> None:
    assert shown(HERE.model_copy(update=dict(changed))) == expected


def test_each_bar_has_its_own_colours_and_claude_code_no_room_for_today() -> None:
    assert shown(HERE, "statusline", colours=False) == "$0.42 . balanced . saved $1.10"
    assert shown(HERE, "statusline").startswith("\x1b[1m$0.42\x1b[0m\x1b[2m . \x1b[0m\x1b[34mbalanced")
    assert shown(HERE, "tmux").startswith("#[bold]$0.42#[default]#[dim] . #[default]#[fg=blue]balanced#[default]")
    spent = [shown(HERE.model_copy(update={"severity": severity}), "tmux").partition("$")[0] for severity in ("warning", "error")]
    assert spent == ["#[fg=yellow]", "#[fg=red,bold]"]


def test_a_bar_is_known_by_its_arguments() -> None:
    assert asked_for(["status", "--format", "tmux"]) == asked_for(["status", "--format=tmux"]) == "tmux"
    for arguments in ([], ["status"], ["status", "--json"], ["status", "--format", "json"], ["sessions", "--format", "tmux"]):
        assert asked_for(arguments) == ""


def test_a_bar_asks_for_the_session_of_its_folder(run: Run, fake: FakeDaemon) -> None:
    fake.answer(f"glance?folder={quote_plus(os.getcwd())}", HERE)
    assert run("status", "--format", "plain").out == "$0.42 . balanced . saved $1.10 . $3.00 today\n"
    assert [one.authorization for one in fake.asked] == ["Bearer control-token-of-the-test"]


def run_for(told: bytes | None, home: Path, *, form: str = "statusline") -> subprocess.CompletedProcess[bytes]:
    """The line as Claude Code has it drawn: a process of its own that is told of the session on stdin."""
    environ = {**os.environ, "STEPFARE_HOME": str(home), "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "stepfare", "status", "--format", form]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        if told is None:
            assert process.stdin is not None
            out, err = process.stdout.read() if process.stdout else b"", process.stderr.read() if process.stderr else b""
            process.stdin.close()
        else:
            out, err = process.communicate(told)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ({"session_id": "9f2c-1", "cwd": "/srv/shop", "cost": {"total_cost_usd": 0.1}}, "session=9f2c-1"),
        ({"cwd": "/srv/my shop"}, "folder=%2Fsrv%2Fmy+shop"),
    ],
)
def test_claude_code_is_shown_the_session_that_it_names(stepfare_home: Path, fake: FakeDaemon, told: object, asked: str) -> None:
    fake.answer(f"glance?{asked}", HERE)
    ran = run_for(json.dumps(told).encode(), stepfare_home)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"$0.42 . balanced . saved $1.10\n", b"")


@pytest.mark.parametrize("told", [None, b"", b"{", b"[]", b'{"session_id": 7}', b"\xff"])
def test_whatever_is_said_on_stdin_the_line_is_drawn(stepfare_home: Path, fake: FakeDaemon, told: bytes | None) -> None:
    fake.answer(f"glance?folder={quote_plus(os.getcwd())}", HERE)
    ran = run_for(told, stepfare_home)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"$0.42 . balanced . saved $1.10\n", b"")


@pytest.mark.parametrize("form", FORMATS)
def test_a_bar_never_fails(stepfare_home: Path, form: str) -> None:
    ran = run_for(b"{}", stepfare_home, form=form)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"stepfare off\n", b"")


def test_a_daemon_that_answers_something_else_is_no_trouble(run: Run, fake: FakeDaemon) -> None:
    assert run("status", "--format", "tmux").out == "stepfare does not answer\n"
    fake.write_file(port=1)
    assert run("status", "--format", "tmux").out == "stepfare off\n"
