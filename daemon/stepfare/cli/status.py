"""`stepfare status`: the daemon and today's spend, for a person, a program, or a status bar."""

from __future__ import annotations

import os

import click

from stepfare.cli import bar
from stepfare.cli.asking import ask, command_of, here, json_option, now_ms, print_message
from stepfare.control.client import Daemon, address_of
from stepfare.control.protocol import Overview

FORMATS = ("text", "json", *bar.FORMATS)


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="text for you, json for programs; statusline (in colours), tmux and plain for bars: one short line, never an error.",
)
@json_option
@command_of
def status(form: str, as_json: bool) -> None:
    """Show the daemon, today's spend and the latest sessions.

    In tmux: set -g status-right '#(stepfare status --format tmux)'. As a status line of Claude Code: stepfare status --format statusline,
    which shows the session that Claude Code names on stdin. Other bars show that of the current folder, or else the newest.
    """
    if form in bar.FORMATS and not as_json:
        bar.show(form, os.environ)
        return
    asked = here()
    message, address = ask(asked, _overview_and_address)
    if as_json or form == "json":
        print_message(message)
        return
    from stepfare.cli.render import paint, spend

    paint.show(spend.overview(message, address, now_ms()))


async def _overview_and_address(daemon: Daemon) -> tuple[Overview, str]:
    return await daemon.overview(), address_of(daemon.file)
