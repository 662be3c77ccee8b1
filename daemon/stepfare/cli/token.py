"""`stepfare token`: the local token, which a client sends as its API key."""

from __future__ import annotations

import os

import click

from stepfare.cli.asking import Trouble, command_of, here, json_option, print_json
from stepfare.control.client import last_daemon_file

TOKEN_VARIABLE = "STEPFARE_TOKEN"


@click.command()
@json_option
@command_of
def token(as_json: bool) -> None:
    """Print the token that clients send as their API key.

    STEPFARE_TOKEN sets it; otherwise the daemon makes one at its first start and keeps it.
    """
    found = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not found:
        file = last_daemon_file(here())
        if file is None:
            raise Trouble("no-token", f"No token has been made yet. Start the daemon once with `stepfare serve`, or set {TOKEN_VARIABLE}.")
        found = file.local_token
    if as_json:
        print_json({"local_token": found})
    else:
        click.echo(found)
