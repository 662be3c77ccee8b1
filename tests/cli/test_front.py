"""The front door: every command can be reached, and asking for little costs little."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from stepfare import __version__
from stepfare.cli.front import COMMANDS, front
from tests.cli.conftest import Run


@pytest.mark.parametrize("name", [row.name for row in COMMANDS if row.name != "lsp"])
def test_every_command_explains_itself(run: Run, name: str) -> None:
    ran = run(name, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: stepfare {name}")
    if name not in ("ledger", "session"):  # Their commands say it.
        assert "--json" in ran.out


def test_every_row_of_the_table_leads_to_a_command() -> None:
    for row in COMMANDS:
        command = front.get_command(click.Context(front), row.name)
        assert command is not None
        assert command.name == row.name


def test_help_lists_the_commands_and_the_exit_codes(run: Run) -> None:
    out = run("--help").out
    for row in COMMANDS:
        assert row.help in out
    assert "3 the daemon is not running" in out


def test_a_mistyped_command_is_met_with_the_near_one(run: Run) -> None:
    ran = run("sesions")
    assert ran.code == 2
    assert "Did you mean 'sessions'?" in ran.err


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("status", "--format", "xml"), ("sessions", "--limit", "0"), ("serve", "--port", "70000")]
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage:" in ran.err


def imported(*arguments: str) -> set[str]:
    code = "import sys; from stepfare.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_version_is_told_without_importing_anything(stepfare_home: object) -> None:
    assert imported("--version").isdisjoint({"click", "pydantic", "aiohttp", "rich", "asyncio"})


def test_help_imports_no_command(stepfare_home: object) -> None:
    assert imported("--help").isdisjoint({"pydantic", "aiohttp", "rich", "stepfare.cli.serve", "stepfare.runtime"})


def test_asking_with_the_daemon_down_imports_no_room_of_the_daemon(stepfare_home: object) -> None:
    assert imported("status").isdisjoint({"aiohttp", "rich", "stepfare.server", "stepfare.runtime", "stepfare.store"})


def test_a_bar_imports_next_to_nothing(stepfare_home: object) -> None:
    heavy = {"click", "pydantic", "aiohttp", "asyncio", "rich", "http.client", "stepfare.control"}
    assert imported("status", "--format", "tmux").isdisjoint(heavy)


def test_the_version_is_the_same_by_every_way_of_asking(run: Run) -> None:
    assert run("--version").out == f"stepfare {__version__}\n"
    as_module = subprocess.run([sys.executable, "-m", "stepfare", "--version"], capture_output=True, text=True, check=True)
    assert as_module.stdout == f"stepfare {__version__}\n"


def test_a_reader_who_has_seen_enough_is_no_error(stepfare_home: object) -> None:
    done = subprocess.run(f"{sys.executable} -m stepfare --help | head -n 1", shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: stepfare")
    assert done.stderr == ""
