"""A screen that nobody sees, for an editor with windows: started for one program, and photographed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.editors.installs import program

SIZE = "1200x760x24"
PICTURE_S_MAX = 60
END_S_MAX = 15


@dataclass(frozen=True, slots=True)
class Display:
    """`number` is the one of the X server."""

    number: int
    environment: Mapping[str, str]

    def picture(self, path: Path) -> None:
        subprocess.run([program("import", "imagemagick"), "-window", "root", path], env=self.environment, check=True, timeout=PICTURE_S_MAX)


@contextmanager
def display(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path) -> Iterator[Display]:
    """One on which the command runs in this folder, with a message bus of its own. Raises NotReady."""
    server, bus = program("Xvfb", "xvfb"), program("dbus-run-session", "dbus")
    program("import", "imagemagick")
    with ExitStack() as stack:
        said = stack.enter_context(log.open("wb"))
        # It names the number that it chose on its standard output once it listens.
        screen = subprocess.Popen(
            [server, "-displayfd", "1", "-screen", "0", SIZE, "-nolisten", "tcp"], env=environment, stdout=subprocess.PIPE, stderr=said
        )
        stack.callback(_end, screen)
        assert screen.stdout is not None
        number = int(screen.stdout.readline())
        run = folder.parent / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        environment = {**environment, "DISPLAY": f":{number}", "XDG_RUNTIME_DIR": str(run)}
        shown = subprocess.Popen([bus, "--", *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        stack.callback(_end, shown)
        yield Display(number, environment)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
