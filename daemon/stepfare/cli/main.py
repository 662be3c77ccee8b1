"""The front door of the command line: which command is where. What commands do is their own modules' business."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from stepfare import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 ok, 1 problem, 2 wrong usage, 3 the daemon is not running."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments) == ["--version"]:
        # Asked by installers and editors at every start: answered before anything is imported.
        print(f"stepfare {__version__}")
        return 0
    from stepfare.cli.bar import asked_for, show

    if form := asked_for(arguments):
        # Drawn every few seconds: it pays for nothing that a command needs.
        show(form, os.environ)
        return 0
    from stepfare.cli.front import run

    return run(arguments)
