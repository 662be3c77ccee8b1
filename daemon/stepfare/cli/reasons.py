"""`stepfare explain`: why a step got its model."""

from __future__ import annotations

import click

from stepfare.cli.asking import Answers, Trouble, ask_or_read, command_of, here, json_option, print_message
from stepfare.cli.spend import whole_id
from stepfare.control.client import Refused
from stepfare.control.protocol import Decision

NOT_FOUND = 404


@click.command()
@click.argument("decision", metavar="[DECISION|SESSION[:STEP]|last]", default="last")
@json_option
@command_of
def explain(decision: str, as_json: bool) -> None:
    """Say why a step got its model: the evidence, the floor and who set it, each candidate's expected cost, and who was rejected.

    Without an argument it explains the last decision of all. SESSION:3 is the third step of a session, SESSION alone its last one.
    The id of a decision stands in the x-stepfare-decision header of each answer.
    """

    async def question(source: Answers) -> Decision:
        try:
            return await source.decision(decision)
        except Refused as problem:
            if problem.status != NOT_FOUND or decision == "last":
                raise
        return await source.decision(await _decision_of_step(source, decision))

    message = ask_or_read(here(), question)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, reasons

    paint.show(reasons.decision(message))


async def _decision_of_step(source: Answers, given: str) -> str:
    name, _, number = given.partition(":")
    try:
        detail = await source.session(await whole_id(source, name))
    except Trouble as problem:
        if problem.error != "not-found":
            raise
        raise Trouble(
            "not-found", f"There is no decision and no session {given}. `stepfare sessions` and `stepfare session ID` lead there."
        ) from problem
    steps = detail.steps
    if number and not (number.isdecimal() and 1 <= int(number) <= len(steps)):
        raise Trouble(
            "not-found", f"Session {detail.session.id} has no step {number}; it has {len(steps)}. `stepfare session {name}` shows them."
        )
    if not steps:
        raise Trouble("not-found", f"Session {detail.session.id} has no step yet.")
    return steps[int(number) - 1 if number else -1].decision
