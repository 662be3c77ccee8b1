"""Neovim as somebody gets it who follows the plugin's README, from nothing to the spend of a real run of Cline in the status line."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.agents import CLINE, end_marked
from tests.e2e.desk import Desk
from tests.e2e.tasks import BROKEN, EXPLAIN_TASK
from tests.editors.conftest import needed
from tests.editors.installs import neovim, program
from tests.editors.steps import ledger_sum
from tests.editors.terminal import terminal

pytestmark = pytest.mark.editors

ROOT = Path(__file__).parents[2]
README = ROOT / "integrations" / "neovim" / "README.md"
INSTALL = "uv tool install stepfare"
"""What a test cannot do: it has the programs already."""
NEW_USER_S_MAX = 120


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of this language."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, named, text in found if named == language]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_from_nothing_to_the_spend_of_a_real_run(tmp_path: Path, pictures: Path) -> None:
    nvim = needed(neovim)
    needed(lambda: program("tmux", "tmux"))
    desk = Desk(tmp_path, keys={"STEPFARE_PORT": str(free_port()), "STEPFARE_LOCAL": "off"})
    for folder in (desk.home, desk.folder, tmp_path / "stepfare"):
        folder.mkdir(mode=0o700)
    desk.project(BROKEN)
    CLINE.path()  # There is a Cline; how long a download takes is none of ours.
    commands = "".join(blocks(""))
    assert commands.startswith(INSTALL)
    began_s = time.monotonic()
    try:
        words = ["sh", "-e", "-c", "\n".join(commands.splitlines()[1:])]
        subprocess.run(words, cwd=ROOT, env=desk.environment, check=True, timeout=NEW_USER_S_MAX, stdout=subprocess.DEVNULL)
        settings = desk.home / ".config" / "nvim"
        settings.mkdir(parents=True)
        (settings / "init.lua").write_text("".join(blocks("lua")))
        name = next(name for name in BROKEN if name.endswith(".py"))
        with terminal([nvim, name], desk.folder, desk.environment, tmp_path / "tmux") as screen:
            screen.sees(r"\$0\.00 today \. play money")
            told = desk.do(CLINE, EXPLAIN_TASK)
            assert told.code == 0, told
            seen = screen.sees(rf"{re.escape(ledger_sum(desk))} \. \w+ \. play money")
            took_s = time.monotonic() - began_s
            (pictures / "neovim.txt").write_text(seen)
            screen.types(":Stepfare explain")
            screen.presses("Enter")
            screen.sees("step, ")
            print(f"from nothing to the spend of a real run: {took_s:.0f} s")
            screen.presses("Enter")
            screen.types(":qa")
            screen.presses("Enter")
    finally:
        end_marked(desk.mark)
    assert took_s < NEW_USER_S_MAX
