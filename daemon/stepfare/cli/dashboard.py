"""`stepfare dashboard`: a link that opens the dashboard once, handed to the browser of this machine where there is one."""

from __future__ import annotations

import os
import sys
import webbrowser

import click

from stepfare.cli.asking import ask, command_of, here, json_option, print_message

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
"""One of them is set where programs can open windows; elsewhere a browser of the terminal would take the terminal away."""


@click.command()
@click.option("--no-browser", is_flag=True, help="Print the link only.")
@json_option
@command_of
def dashboard(no_browser: bool, as_json: bool) -> None:
    """Open the dashboard in your browser: spend, sessions step by step with their reasons, budgets.

    The link works once, within a minute; the browser then stays admitted for twelve hours, or until the daemon ends.
    """
    made = ask(here(), lambda daemon: daemon.dashboard_link())
    if as_json:
        print_message(made)
        return
    click.echo(made.url)
    opened = not no_browser and _has_screen() and webbrowser.open(made.url)
    seconds = made.lasts_ms // 1000
    words = "It is opened in your browser." if opened else f"Open it in a browser of this machine, once, within {seconds} s."
    click.echo(words, err=True)


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in SCREENS)
