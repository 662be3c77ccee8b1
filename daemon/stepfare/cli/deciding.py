"""`stepfare decide`: what the daemon would decide on a request, with nothing sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import click

from stepfare.cli.asking import USAGE, Trouble, ask, command_of, here, json_option, print_message
from stepfare.control.protocol import Decide

DialectName = Literal["openai", "responses", "anthropic"]
DIALECTS: tuple[DialectName, ...] = ("openai", "responses", "anthropic")


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--dialect", type=click.Choice(DIALECTS), help="The request's format; told from the request where it is left out.")
@click.option(
    "--earlier",
    "earlier_files",
    type=click.File("r", encoding="utf-8"),
    multiple=True,
    help="A request of an earlier step of the same session; give it once for each, the oldest first.",
)
@click.option("--workspace", type=click.Path(exists=True, file_okay=False, resolve_path=True), help="The folder that the agent works in.")
@json_option
@command_of
def decide(file: TextIO, dialect: DialectName | None, earlier_files: tuple[TextIO, ...], workspace: str | None, as_json: bool) -> None:
    """Say what would be decided on the request in FILE (- for stdin). Nothing is sent, nothing is booked, nothing is remembered."""
    body = _body(file)
    question = Decide(
        dialect=dialect or dialect_of(body), body=dict(body), workspace=workspace, earlier=[dict(_body(one)) for one in earlier_files]
    )
    message = ask(here(), lambda daemon: daemon.decide(question))
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, reasons

    paint.show(reasons.decision(message))


def dialect_of(body: Mapping[str, Any]) -> DialectName:
    """The format that this request looks like."""
    if "input" in body:
        return "responses"
    tools = cast("list[object]", body["tools"]) if isinstance(body.get("tools"), list) else []
    named_so = any(isinstance(tool, dict) and "input_schema" in tool for tool in tools)
    return "anthropic" if named_so or "system" in body else "openai"


def _body(file: TextIO) -> Mapping[str, Any]:
    name = Path(file.name).name
    try:
        body: object = json.load(file)
    except (ValueError, RecursionError) as problem:
        raise Trouble("usage", f"{name} is not JSON: {problem}. It has to hold the body of one request.", USAGE) from problem
    if not isinstance(body, dict):
        raise Trouble("usage", f"{name} does not hold a JSON object: it has to hold the body of one request.", USAGE)
    return cast("dict[str, Any]", body)
