"""`stepfare budget`: how the caps stand, setting them, and adding to one."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import get_args

import click

from stepfare.cli.asking import USAGE, Trouble, ask, command_of, here, json_option, now_ms, print_json, print_message, told_to_reload
from stepfare.cli.spend import whole_id
from stepfare.control.client import Daemon, Refused
from stepfare.control.protocol import Budgets, Extend, Proposal, ScopeName
from stepfare.core.money import PUSD_PER_USD

BY = "cli"
_SCOPES: dict[str, ScopeName] = {scope: scope for scope in get_args(ScopeName)}
NO_SESSION = "no-session"


@click.group(invoke_without_command=True)
@click.option("--session", "session_id", metavar="ID", help="Only the caps that hold for this session.")
@json_option
@click.pass_context
@command_of
def budget(context: click.Context, session_id: str | None, as_json: bool) -> None:
    """Show each budget: what is spent, reserved and left, how fast it goes, who set it; and what waits for an answer.

    Yours are set with `stepfare budget set`, or in config.toml under [budget]: session_usd, project_day_usd, project_month_usd, day_usd,
    month_usd, team_month_usd, warn_at, on_limit. A project's own are in its .stepfare.toml: session_usd, day_usd, month_usd.
    """
    if context.invoked_subcommand is None:
        _show(session_id, as_json=as_json)


@budget.command("show")
@click.option("--session", "session_id", metavar="ID", help="Only the caps that hold for this session.")
@json_option
@command_of
def show(session_id: str | None, as_json: bool) -> None:
    """Show each budget; the same as `stepfare budget`."""
    _show(session_id, as_json=as_json)


@budget.command("set")
@click.option("--session", "session_usd", metavar="USD", help="What one session may cost.")
@click.option("--project", "project_day_usd", metavar="USD", help="What a day in one project may cost, in each of them.")
@click.option("--project-month", "project_month_usd", metavar="USD", help="What a month in one project may cost, in each of them.")
@click.option("--day", "day_usd", metavar="USD", help="What a day may cost.")
@click.option("--month", "month_usd", metavar="USD", help="What a month may cost.")
@click.option("--team-month", "team_month_usd", metavar="USD", help="What all who share the books may spend in a month.")
@json_option
@command_of
def set_(as_json: bool, **usd: str | None) -> None:
    """Set caps in your own config.toml, in dollars; `off` removes one. The rest of the file stays as it is, and the running daemon keeps to
    them from its next decision on.

    A project's own caps stand in its .stepfare.toml and are not changed; they can only lower yours.
    """
    from stepfare.cli.budget_setting import set_caps

    wanted = {key: text for key, text in usd.items() if text is not None}
    if not wanted:
        raise Trouble("usage", "Say which cap, and how much: `stepfare budget set --day 25`, or `--day off` to have none.", USAGE)
    path = here().config_toml
    caps = set_caps(path, wanted)
    daemon = told_to_reload()
    if as_json:
        told = {f"{key.removesuffix('_usd')}_pusd": pusd for key, pusd in caps.items()}
        print_json({"file": str(path), "set": told, "daemon": daemon})
        return
    click.echo(f"Set in {path}.")
    if daemon == "reloaded":
        _show(None, as_json=False)
    else:
        click.echo("The daemon is not running; it keeps to it from its start on.")


@budget.command("extend")
@click.argument("usd", required=False)
@click.option("--usd", "usd_option", metavar="USD", help="How many dollars to add. Without it, what the open question proposes.")
@click.option("--session", "session_id", metavar="ID", help="Extend the budget of this session, for as long as it goes on.")
@click.option("--project", type=click.Path(), help="Extend the budget of the project in this folder: today's, or with --month its month's.")
@click.option("--day", is_flag=True, help="Extend today's budget.")
@click.option("--month", is_flag=True, help="Extend this month's budget.")
@json_option
@command_of
def extend(
    usd: str | None, usd_option: str | None, session_id: str | None, project: str | None, day: bool, month: bool, as_json: bool
) -> None:
    """Add to a budget once, so that a stopped session goes on. No settings are changed; what was added stands in the ledger.

    Without saying whose, the newest open question is answered: `stepfare budget` shows it.
    """
    sum_ = usd or usd_option
    pusd = _pusd(sum_) if sum_ else None
    named = [
        (scope, subject)
        for scope, subject, given in (
            ("session", session_id or "", session_id is not None),
            ("project-month" if month else "project", str(Path(project or ".").resolve()), project is not None),
            ("day", "", day),
            ("month", "", month and project is None),
        )
        if given
    ]
    if len(named) > 1:
        raise Trouble("usage", "Extend one budget at a time: --session, --project, --day or --month.", USAGE)
    if named and pusd is None:
        raise Trouble("usage", "Say how much: `stepfare budget extend --usd 1.00 ...`.", USAGE)

    async def question(daemon: Daemon) -> tuple[Budgets, list[Proposal]]:
        wanted = await _wanted(daemon, named, pusd)
        told = Budgets()
        for one in wanted:
            told = await daemon.extend(one.scope, one.subject, Extend(pusd=one.pusd, by=BY))
        return told, wanted

    message, added = ask(here(), question)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import budget as rendering
    from stepfare.cli.render import paint

    paint.show([*rendering.added(added), *rendering.budgets(message, now_ms())])


async def _wanted(daemon: Daemon, named: list[tuple[str, str]], pusd: int | None) -> list[Proposal]:
    """What to add to which budget. Raises Trouble where nobody asks and nothing is named, and Refused."""
    if not named:
        questions = (await daemon.budgets()).questions
        if not questions:
            raise Trouble("nobody-asks", "No session waits for an answer. Say which budget: --session ID, --project DIR, --day or --month.")
        return [one if pusd is None else one.model_copy(update={"pusd": pusd}) for one in questions[0].proposals]
    assert pusd is not None
    (scope, subject) = named[0]
    if scope == "session":
        subject = await _session(daemon, subject)
    return [Proposal(scope=_SCOPES[scope], subject=subject, pusd=pusd)]


async def _session(daemon: Daemon, given: str) -> str:
    """The session's whole id. One that was stopped at its first step is in no ledger yet, but the daemon knows it."""
    try:
        await daemon.budgets(given)
    except Refused as refused:
        if refused.failure.error != NO_SESSION:
            raise
        return await whole_id(daemon, given)
    return given


def _show(session_id: str | None, *, as_json: bool) -> None:
    async def question(daemon: Daemon) -> Budgets:
        return await daemon.budgets(await _session(daemon, session_id) if session_id else None)

    message = ask(here(), question)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import budget as rendering
    from stepfare.cli.render import paint

    paint.show(rendering.budgets(message, now_ms()))


def _pusd(text: str) -> int:
    try:
        pusd = Decimal(text.strip().removeprefix("$")) * PUSD_PER_USD
    except InvalidOperation:
        raise Trouble("usage", f"{text!r} is no sum of dollars. Write one such as 1.50.", USAGE) from None
    if not pusd.is_finite() or pusd <= 0 or pusd != pusd.to_integral_value():
        raise Trouble("usage", f"{text!r} cannot be added. Write a sum above 0 such as 1.50.", USAGE)
    return int(pusd)
