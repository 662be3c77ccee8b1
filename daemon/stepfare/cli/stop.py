"""`stepfare stop`: ends the running daemon, which finishes its books first."""

from __future__ import annotations

import os
import signal
import time

import click

from stepfare.cli.asking import Trouble, ask, command_of, here, json_option, print_json
from stepfare.control.client import Daemon, lives
from stepfare.control.protocol import DaemonFile

STOP_S_MAX = 30.0
LOOK_EVERY_S = 0.05


@click.command()
@json_option
@command_of
def stop(as_json: bool) -> None:
    """End the running daemon. Answers under way are broken off, their cost is booked."""
    # Only a process that answers with the daemon's own token is ended: the number in an old file may be anybody's by now.
    file = ask(here(), _answering)
    os.kill(file.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S_MAX
    while lives(file.pid):
        if time.monotonic() > deadline:
            raise Trouble(
                "still-running",
                f"The daemon (process {file.pid}) was asked to end and is still there after {STOP_S_MAX:.0f} s. "
                f"It may be writing to a slow disk; `kill -9 {file.pid}` ends it at once, and open calls are then booked as lost.",
            )
        time.sleep(LOOK_EVERY_S)
    if as_json:
        print_json({"stopped": file.pid})
    else:
        click.echo(f"The daemon (process {file.pid}) has ended.")


async def _answering(daemon: Daemon) -> DaemonFile:
    await daemon.overview()
    return daemon.file
