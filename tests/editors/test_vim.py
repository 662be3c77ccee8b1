"""Vim with ALE: .stepfare.toml is checked, and the status line equals the ledger."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stepfare_lsp.present import coins
from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.installs import program
from tests.editors.noting import play
from tests.editors.steps import step
from tests.installs import NotReady

pytestmark = pytest.mark.editors

PLUGIN = Path(__file__).parents[2] / "integrations" / "vim"
SCRIPTS = Path(__file__).parent / "vim"
ALE = Path("/usr/share/vim-ale")


def vim() -> Path:
    """The program, where ALE is beside it. Raises NotReady."""
    path = program("vim.nox", "vim-nox")
    if not ALE.is_dir():
        raise NotReady("ALE is not here; on Debian it comes with `apt install vim-ale`.")
    return path


def test_what_vim_shows_is_what_the_ledger_says(desk: Desk, tmp_path: Path) -> None:
    path = needed(vim)
    (desk.folder / ".stepfare.toml").write_text('profile = "cheapo"\n\n[steps]\nedti = "premium"\n')
    (desk.folder / "other.toml").write_text('profile = "cheapo"\n')
    desk.project({})
    place = desk.home / ".vim" / "pack" / "stepfare" / "start"
    place.mkdir(parents=True)
    (place / "stepfare").symlink_to(PLUGIN)
    programs = Path(sys.executable).parent
    told = play(
        [path, "-u", SCRIPTS / "vimrc", "-N", "-es", "-S", SCRIPTS / "script.vim"],
        desk.folder,
        tmp_path / "notes",
        {**desk.environment, "SCRIPT_SERVER": str(programs / "stepfare-lsp"), "SCRIPT_PROGRAM": str(programs / "stepfare")},
        {"take-a-step": lambda: step(desk, "What does this do?")},
    )
    assert told["filetype"] == "toml"
    assert [(line, kind) for line, kind, _ in told["diagnostics"]] == [(1, "E"), (4, "W")]
    session = desk.sessions()[0]
    assert told["status-line"].startswith(f"{coins(session.totals.spent_pusd)} . balanced")
    assert any("answer" in line for line in told["explain"])
    assert "pinned to premium" in " ".join(told["pin"])
    assert session.pin == "premium"
    assert told["completion"] == ["explain", "extend"]
    assert told["other"] == 0
