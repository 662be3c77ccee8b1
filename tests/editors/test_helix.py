"""Helix with the shipped configuration, as it is, in a terminal: problems, mending, hints, commands, and the spend that the ledger says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepfare_lsp.present import money
from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.debian import newer
from tests.editors.installs import program
from tests.editors.steps import step
from tests.editors.terminal import terminal

pytestmark = pytest.mark.editors_extended

SHIPPED = Path(__file__).parents[2] / "integrations" / "helix"
DOTFILE = '[steps]\nanswer = "balanced"\nedti = "premium"\n'


def test_what_helix_shows_is_what_the_ledger_says(desk: Desk, tmp_path: Path) -> None:
    helix = needed(lambda: newer("hx"))
    needed(lambda: program("tmux", "tmux"))
    place = desk.home / ".config" / "helix"
    place.mkdir(parents=True)
    for name in ("languages.toml", "config.toml"):
        (place / name).write_bytes((SHIPPED / name).read_bytes())
    # The third step of its README.
    queries = place / "runtime/queries/stepfare"
    queries.mkdir(parents=True)
    (queries / "highlights.scm").write_text("; inherits: toml\n")
    desk.project({".stepfare.toml": DOTFILE})
    step(desk, "What does this do?")
    with terminal([helix, ".stepfare.toml"], desk.folder, desk.environment, tmp_path / "tmux") as screen:
        screen.sees(r"● 1 +1 sel")
        screen.types(":lsp-workspace-command")
        screen.presses("Enter")
        listed = screen.sees(r"stepfare\.sessionSpend")
        assert {"stepfare.explainLast", "stepfare.pinSession", "stepfare.todaySpend"} <= set(re.findall(r"stepfare\.\w+", listed))
        screen.presses("Escape")

        def says(command: str, pattern: str) -> str:
            screen.types(f":lsp-workspace-command {command}")
            screen.presses("Enter")
            return screen.sees(pattern)

        says("stepfare.todaySpend", r"Today: \S+ in 1 step\b")
        step(desk, "And what does that do?")
        session = desk.sessions()[0]
        says("stepfare.sessionSpend", re.escape(f'"And what does that do?": {money(session.totals.spent_pusd)} in 1 step'))
        says("stepfare.explainLast", "answer step")
        screen.types(":3")
        screen.presses("Enter")
        screen.sees(r"Did you mean \"edit\"")
        screen.types(" a")
        screen.sees(r"Change to edit")
        screen.presses("Enter")
        screen.sees(r"(?m)edit = \"premium\"\s*$")
        # Helix asks for hints when it opens a file, and again when the text changes.
        screen.sees(r"answer = \"balanced\" .*balanced, \S+ in \d+ days")
        screen.types(":w")
        screen.presses("Enter")
        screen.sees("written")
        assert (desk.folder / ".stepfare.toml").read_text() == DOTFILE.replace("edti", "edit")
        screen.types(":q")
        screen.presses("Enter")
