"""`stepfare report`: what was spent, by whatever is asked for, as a table or as text for other programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Literal, TypeAlias, get_args

import click

from stepfare.cli.asking import USAGE, Answers, Trouble, ask_or_read, command_of, here, now_ms, print_message
from stepfare.cli.spend import project_folders, since_ms, whole_id
from stepfare.control.protocol import Grouping, Report, ReportQuestion, ReportRow
from stepfare.core.money import usd_text
from stepfare.ledger.export import csv_row, no_formula
from stepfare.ledger.hledger import Spent, of_days

Form: TypeAlias = Literal["table", "csv", "json", "jsonl", "hledger"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
_GROUPINGS: Mapping[str, Grouping] = {name: name for name in GROUPINGS}
HLEDGER_BY: tuple[Grouping, ...] = ("day", "project", "model")
"""A journal has the finest of what its accounts say; hledger itself sums by the rest."""
NESTED_MAX = 3


def _groupings(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[Grouping, ...] | None:
    if given is None:
        return None
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in _GROUPINGS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(GROUPINGS)}.", context, parameter)
    if len(set(names)) < len(names) or len(names) > NESTED_MAX:
        raise click.BadParameter(f"Name {NESTED_MAX} different ones at most.", context, parameter)
    return tuple(_GROUPINGS[name] for name in names)


@click.command()
@click.option(
    "--by",
    callback=_groupings,
    help=f"What a row is: {', '.join(GROUPINGS)}; or some of them with commas between, each within the one before. By day if not given.",
)
@click.option("--since", default="30d", show_default=True, help="From when: 30m, 12h, 7d, 2w, today, month, a day like 2026-09-21, or all.")
@click.option("--until", help="To before when, written like --since; to now if not given.")
@click.option("--project", type=click.Path(exists=True, file_okay=False), help="Only the project in this folder.")
@click.option("--session", "session_id", metavar="ID|last", help="Only this session.")
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Form)),
    default="table",
    show_default=True,
    help="table for you; csv, json, jsonl for programs; hledger for plain text accounting (a transaction a day, by project and model).",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@command_of
def report(
    by: tuple[Grouping, ...] | None, since: str, until: str | None, project: str | None, session_id: str | None, form: Form, as_json: bool
) -> None:
    """Show what was spent by day, month, session, project, branch, client, kind, tier, model or provider, and what was saved.

    The rows always make up the whole. What has no known price is in no sum, and is said beside; so is what was estimated.
    """
    form = "json" if as_json else form
    if form == "hledger" and by is not None:
        raise Trouble("usage", "--format hledger has its own order (day, project, model); leave --by out. hledger sums by the rest.", USAGE)
    groups, now = HLEDGER_BY if form == "hledger" else by or ("day",), now_ms()
    from_ms, to_ms = since_ms(since, now), None if until is None else since_ms(until, now, "--until")

    async def question(source: Answers) -> Report:
        session = None if session_id is None else await whole_id(source, session_id)
        folder = None if project is None else project_folders(project)[-1]
        return await source.report(ReportQuestion(by=groups, since_ms=from_ms or 0, until_ms=to_ms, session=session, project=folder))

    message = ask_or_read(here(), question)
    if form == "json":
        print_message(message)
        return
    if form == "table":
        from stepfare.cli.render import paint
        from stepfare.cli.render.report import table

        paint.show(table(message))
        return
    for piece in WRITTEN[form](message):
        sys.stdout.write(piece)


def _flat(message: Report, row: ReportRow) -> dict[str, str | int | float | None]:
    """A row as one level of names and values: its names, dollars as an exact decimal, sums, and what follows from them."""
    names = dict(zip(message.by, row.names, strict=False))
    sums = row.totals.model_dump(exclude={"by_tier", "by_model", "by_kind"})
    return {**names, "spent_usd": usd_text(row.totals.spent_pusd), **sums, **row.model_dump(exclude={"names", "totals"})}


def _csv(message: Report) -> Iterator[str]:
    yield csv_row([*message.by, *_flat(message, message.whole)])
    for row in message.rows:
        yield csv_row(
            no_formula(cell) if name in message.by and isinstance(cell, str) else cell for name, cell in _flat(message, row).items()
        )


def _jsonl(message: Report) -> Iterator[str]:
    for row in message.rows:
        yield json.dumps(_flat(message, row), ensure_ascii=False) + "\n"


def _hledger(message: Report) -> Iterator[str]:
    rows = ((row.names, row.totals) for row in message.rows)
    yield from of_days(
        Spent(day, project, model, sums.spent_pusd, sums.estimated_pusd > 0, sums.unpriced_steps, sums.lost_pusd)
        for (day, project, model), sums in rows
    )


WRITTEN: Mapping[str, Callable[[Report], Iterator[str]]] = {"csv": _csv, "jsonl": _jsonl, "hledger": _hledger}
