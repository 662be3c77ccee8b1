"""`stepfare lsp`: becomes the language server, which is a program of its own and knows the daemon only through its doors."""

from __future__ import annotations

import os
import subprocess
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lsp(arguments: tuple[str, ...]) -> None:
    """Run the language server for editors, on stdin and stdout; the same as `stepfare-lsp`, which also explains the arguments."""
    # -P: an editor starts this in the project's folder, whose modules must not be taken for ours.
    command = [sys.executable, "-P", "-m", "stepfare_lsp", *arguments]
    if os.name != "nt":  # There a process cannot become another one: the editor would lose sight of it.
        sys.stdout.flush()
        os.execv(sys.executable, command)
    click.get_current_context().exit(subprocess.run(command, check=False).returncode)
