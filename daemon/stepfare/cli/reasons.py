"""`stepfare explain`: why a step got its model."""

from __future__ import annotations

import click

from stepfare.cli.asking import ask, command_of, here, json_option, print_message


@click.command()
@click.argument("decision", metavar="[DECISION|last]", default="last")
@json_option
@command_of
def explain(decision: str, as_json: bool) -> None:
    """Say why a step got its model: the evidence, the floor and who set it, each candidate's expected cost, and who was rejected.

    Without an argument it explains the last decision. The id of any other stands in the x-stepfare-decision header of its answer,
    and in `stepfare session ID --json`.
    """
    message = ask(here(), lambda daemon: daemon.decision(decision))
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, reasons

    paint.show(reasons.decision(message))
