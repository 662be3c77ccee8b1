"""`stepfare doctor`: every finding with ok, warn or bad, and what to do."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stepfare.cli.asking import PROBLEM, command_of, here, json_option, print_json


@click.command()
@json_option
@command_of
def doctor(as_json: bool) -> None:
    """Look for what may be wrong, and say what to do. Changes nothing, shows no key; exit code 1 where something is bad."""
    # Late: this is the one command that looks into every room.
    from stepfare.cli.checks import every_check

    found = list(every_check(here(), os.environ, Path.cwd()))
    bad = sum(check.state == "bad" for check in found)
    if as_json:
        findings = [{"about": each.about, "state": each.state, "words": each.words, "todo": each.todo} for each in found]
        print_json({"bad": bad, "checks": findings})
    else:
        from stepfare.cli.render import checks, paint

        paint.show(checks.findings(found))
    if bad:
        click.get_current_context().exit(PROBLEM)
