"""`stepfare status`: the daemon and today's spend, for a person, a program, or a status bar."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import click

from stepfare.cli.asking import Trouble, ask, command_of, here, json_option, now_ms, print_message
from stepfare.control.client import Daemon, Refused, address_of
from stepfare.control.protocol import Overview, Session, SessionDetail

FORMATS = ("text", "json", "tmux", "statusline")
OFF = "stepfare off"


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="text for you, json for programs, tmux and statusline for bars: one short line, exit code 0 even when the daemon is off.",
)
@json_option
@command_of
def status(form: str, as_json: bool) -> None:
    """Show the daemon, today's spend and the latest sessions.

    In tmux: set -g status-right '#(stepfare status --format tmux)'. As a status line of Claude Code: stepfare status --format statusline.
    Bars show the session of the current folder, or else the newest.
    """
    if form in ("tmux", "statusline") and not as_json:
        click.echo(_bar())
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


def _bar() -> str:
    from stepfare.cli.render import spend

    try:
        return spend.bar(*ask(here(), _overview_and_newest))
    except Trouble:
        # A bar hides a command that fails, and has no room for reasons; `stepfare status` has.
        return OFF


async def _overview_and_newest(daemon: Daemon) -> tuple[Overview, SessionDetail | None]:
    message = await daemon.overview()
    newest = _of_folder(message.sessions, os.getcwd())
    if newest is None:
        return message, None
    try:
        return message, await daemon.session(newest.id)
    except Refused:
        return message, SessionDetail(session=newest, steps=[])


def _of_folder(sessions: list[Session], folder: str) -> Session | None:
    """The newest session whose workspace holds this folder, else the newest of all."""
    around = {str(path) for path in (PurePath(folder), *PurePath(folder).parents, Path(folder).resolve())}
    return next((session for session in sessions if session.workspace in around), sessions[0] if sessions else None)
