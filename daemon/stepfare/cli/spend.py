"""`stepfare sessions` and `stepfare session`: what each task cost, and each of its steps."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from stepfare.cli.asking import USAGE, Answers, Trouble, ask, ask_or_read, command_of, here, json_option, now_ms, print_message
from stepfare.control.client import Daemon, Refused
from stepfare.control.protocol import Said, SessionDetail, Sessions, TierName

UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
SESSIONS_MAX = 50
PREFIX_SEARCH_MAX = 1000


@click.command()
@click.option("--project", type=click.Path(exists=True, file_okay=False), help="Only sessions of the project in this folder.")
@click.option(
    "--since",
    default="7d",
    show_default=True,
    help="Only sessions active since: 30m, 12h, 7d, 2w, today, month, a day like 2026-09-21, or all.",
)
@click.option("--limit", type=click.IntRange(1), default=SESSIONS_MAX, show_default=True, help="So many at most, the newest.")
@json_option
@command_of
def sessions(project: str | None, since: str, limit: int, as_json: bool) -> None:
    """List sessions and what they cost, the newest first."""
    now = now_ms()
    after_ms = since_ms(since, now)

    async def question(source: Answers) -> Sessions:
        found = Sessions(sessions=[])
        # An agent may have been started in the folder itself or at the top of its repository: the nearest that has sessions counts.
        for folder in project_folders(project) if project else [None]:
            found = await source.sessions(workspace=folder, since_ms=after_ms, limit=limit)
            if found.sessions:
                break
        return found

    message = ask_or_read(here(), question)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, spend

    if not message.sessions and (project or since != "all"):
        where = f" in {spend.short_path(str(Path(project).resolve()))}" if project else ""
        click.echo(f"No sessions{where} since {since}. All of them: `stepfare sessions --since all`.")
        return
    paint.show(spend.sessions(message.sessions, now))
    if len(message.sessions) == limit:
        click.echo(f"Only the newest {limit}; more with --limit.")


class _Session(click.Group):
    """A session's id may stand where a command could: then it is shown."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Session, context_settings={"help_option_names": ["-h", "--help"]})
def session() -> None:
    """Show one session step by step, or say what it is called, what it belongs to and where it ends.

    `stepfare session ID` shows it. What is said changes nothing in the books, and can be taken back.
    """


@session.command()
@click.argument("session_id", metavar="[ID|last]", default="last")
@json_option
@command_of
def show(session_id: str, as_json: bool) -> None:
    """Show one session, step by step: the last one, or the one with this id or with an id that begins so."""

    async def question(source: Answers) -> SessionDetail:
        return await source.session(await whole_id(source, session_id))

    message = ask_or_read(here(), question)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, spend

    paint.show(spend.session(message, now_ms()))


@session.command()
@click.argument("session_id", metavar="ID|last")
@click.argument("title")
@json_option
@command_of
def rename(session_id: str, title: str, as_json: bool) -> None:
    """Call a session TITLE. An empty one ("") gives it back the title that it began with."""
    _say(session_id, lambda daemon, whole: daemon.rename(whole, title), "Session {} is called so from now on.", as_json=as_json)


@session.command()
@click.argument("session_id", metavar="ID|last")
@click.argument("into", metavar="INTO")
@json_option
@command_of
def merge(session_id: str, into: str, as_json: bool) -> None:
    """Make a session part of another one, INTO. `stepfare session unmerge ID` takes it out again."""

    async def say(daemon: Daemon, whole: str) -> Said:
        return await daemon.merge(whole, await whole_id(daemon, into))

    _say(session_id, say, "It is part of session {} now, and goes on there.", as_json=as_json)


@session.command()
@click.argument("session_id", metavar="ID")
@json_option
@command_of
def unmerge(session_id: str, as_json: bool) -> None:
    """Take a merged session out again; ID is the one that it had."""
    _say(session_id, lambda daemon, whole: daemon.unmerge(whole), "Session {} is one of its own again.", as_json=as_json, merged=True)


@session.command()
@click.argument("session_id", metavar="ID|last")
@click.argument("step", type=click.IntRange(2))
@json_option
@command_of
def split(session_id: str, step: int, as_json: bool) -> None:
    """Make what came from STEP on a session of its own. To merge it into the first again undoes it."""
    _say(session_id, lambda daemon, whole: daemon.split(whole, step), "From there on it is session {}.", as_json=as_json)


@session.command()
@click.argument("session_id", metavar="ID|last")
@click.argument("tier", type=click.Choice(get_args(TierName)))
@json_option
@command_of
def pin(session_id: str, tier: TierName, as_json: bool) -> None:
    """Let TIER serve every coming step of a session, whatever it is for."""
    _say(
        session_id,
        lambda daemon, whole: daemon.pin(whole, tier),
        f"Session {{}} is pinned to {tier} from its next step on.",
        as_json=as_json,
    )


@session.command()
@click.argument("session_id", metavar="ID|last")
@json_option
@command_of
def unpin(session_id: str, as_json: bool) -> None:
    """Let each step of a session have the tier that is right for it again."""
    _say(session_id, lambda daemon, whole: daemon.unpin(whole), "Session {} is pinned no more.", as_json=as_json)


def _say(given: str, say: Callable[[Daemon, str], Awaitable[Said]], words: str, *, as_json: bool, merged: bool = False) -> None:
    """Say something of a session to the daemon. `merged` is that it is not listed, since it is part of another one."""

    async def question(daemon: Daemon) -> Said:
        return await say(daemon, given if merged else await whole_id(daemon, given))

    said = ask(here(), question)
    if as_json:
        print_message(said)
    else:
        click.echo(words.format(said.session))


async def whole_id(source: Answers, given: str) -> str:
    """The id of the session meant by `last`, an id, or the beginning of one. Raises Trouble and Refused."""
    if given == "last":
        newest = (await source.sessions(limit=1)).sessions
        if not newest:
            raise Trouble("not-found", "There is no session yet.")
        return newest[0].id
    try:
        return (await source.session(given)).session.id
    except Refused as problem:
        if problem.status != 404:
            raise
        ids = [each.id for each in (await source.sessions(limit=PREFIX_SEARCH_MAX)).sessions if each.id.startswith(given)]
        if len(ids) > 1:
            shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            raise Trouble("ambiguous", f"{len(ids)} sessions begin with {given}: {shown}. Write more of the id.") from problem
        if not ids:
            raise Trouble("not-found", f"There is no session {given}. `stepfare sessions` lists them.") from problem
        return ids[0]


def since_ms(text: str, now: int, option: str = "--since") -> int | None:
    """The time that `--since` means; None is the beginning. Raises Trouble."""
    if text == "all":
        return None
    if text in ("today", "month"):
        midnight = datetime.fromtimestamp(now / 1000).replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ006
        return int((midnight if text == "today" else midnight.replace(day=1)).timestamp() * 1000)
    if match := re.fullmatch(r"(\d{1,6})\s*([mhdw])", text.strip().lower()):
        return max(0, now - int(match[1]) * UNITS_MS[match[2]])
    try:
        # A day without a time begins at this machine's midnight.
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as problem:
        raise Trouble(
            "usage", f"{option} {text!r} is no time. Write 30m, 12h, 7d, 2w, today, month, a day like 2026-09-21, or all.", USAGE
        ) from problem


def project_folders(folder: str) -> list[str]:
    """The folder, and the top of the repository that it lies in."""
    start = Path(folder).resolve()
    top = next((path for path in (start, *start.parents) if (path / ".git").exists()), start)
    return [str(start)] if top == start else [str(start), str(top)]
