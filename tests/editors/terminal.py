"""An editor in a terminal as a person has it: keys are pressed, and the screen is read."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.editors.installs import program
from tests.editors.steps import until

COLUMNS, LINES = 140, 30
COMMAND_S_MAX = 30


class Terminal:
    """What runs in it is asked nothing; it is looked at."""

    def __init__(self, tmux: Path, socket: Path, environment: Mapping[str, str]) -> None:
        self._tmux = [str(tmux), "-S", str(socket), "-f", "/dev/null"]
        self._environment = environment

    def does(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._environment, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def types(self, text: str) -> None:
        self.does("send-keys", "-l", text)

    def presses(self, *keys: str) -> None:
        self.does("send-keys", *keys)

    def screen(self) -> str:
        return self.does("capture-pane", "-p")

    def sees(self, pattern: str) -> str:
        """The whole screen once there is this on it."""
        try:
            return until(pattern, lambda: screen if re.search(pattern, screen := self.screen()) else "")
        except AssertionError:
            raise AssertionError(f"{pattern} is not to be seen on\n{self.screen()}") from None


@contextmanager
def terminal(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], socket: Path) -> Iterator[Terminal]:
    """One in which the command runs in this folder. It ends with it. Raises NotReady where there is no tmux."""
    screen = Terminal(program("tmux", "tmux"), socket, environment)
    screen.does("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "-c", str(folder), shlex.join(map(str, command)))
    try:
        yield screen
    finally:
        screen.does("kill-server", check=False)
