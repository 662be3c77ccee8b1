"""What all commands share: asking the daemon from ordinary code, `--json`, and ending with words and an exit code."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, Protocol, TypeVar

import click

from stepfare.paths import Paths, paths_from

if TYPE_CHECKING:
    from stepfare.control.client import Daemon
    from stepfare.control.protocol import Decision, Message, Report, ReportQuestion, SessionDetail, Sessions

OK, PROBLEM, USAGE, NOT_RUNNING = 0, 1, 2, 3

T = TypeVar("T")
P = ParamSpec("P")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the answer as JSON: money in picodollars, times in ms since 1970."
)


class Trouble(Exception):
    """A command cannot do what was asked. `error` is a short stable name, `words` say what happened and what to do."""

    def __init__(self, error: str, words: str, code: int = PROBLEM) -> None:
        super().__init__(words)
        self.error = error
        self.words = words
        self.code = code


def here() -> Paths:
    """The paths of the person who called."""
    return paths_from(os.environ)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ask(paths: Paths, question: Callable[[Daemon], Awaitable[T]]) -> T:
    """Put one question to the running daemon. Raises Trouble with the words to show where it cannot be put or is refused."""
    from stepfare.control.client import Refused, Unreachable, running_daemon

    async def asked() -> T:
        async with running_daemon(paths) as daemon:
            return await question(daemon)

    try:
        return asyncio.run(asked())
    except Unreachable as problem:
        raise Trouble(
            "unreachable" if problem.running else "not-running", problem.words, PROBLEM if problem.running else NOT_RUNNING
        ) from problem
    except Refused as problem:
        raise Trouble(problem.failure.error, problem.failure.words) from problem


class Answers(Protocol):
    """What can be asked of the daemon and, when it is not running, of its books."""

    async def sessions(self, *, workspace: str | None = None, since_ms: int | None = None, limit: int | None = None) -> Sessions: ...
    async def session(self, session_id: str) -> SessionDetail: ...
    async def decision(self, decision_id: str = "last") -> Decision: ...
    async def report(self, question: ReportQuestion) -> Report: ...


def ask_or_read(paths: Paths, question: Callable[[Answers], Awaitable[T]]) -> T:
    """Put a question to the running daemon, or to the books where no daemon runs. Raises Trouble like `ask`."""
    try:
        return ask(paths, question)
    except Trouble as trouble:
        if trouble.code != NOT_RUNNING:
            raise
        from stepfare.cli.ledger_here import NoBooks, books_here
        from stepfare.store.errors import StoreError

        try:
            books = books_here(paths)
        except NoBooks:
            raise trouble from None
        except StoreError as problem:
            raise Trouble("ledger", str(problem)) from problem
    from stepfare.cli.offline import Ledger
    from stepfare.control.client import Refused

    async def read() -> T:
        async with Ledger(books, now_ms()) as ledger:
            return await question(ledger)

    click.echo("The daemon is not running; this is what the ledger says. (`stepfare serve` starts it.)", err=True)
    try:
        return asyncio.run(read())
    except Refused as problem:
        raise Trouble(problem.failure.error, problem.failure.words) from problem
    except StoreError as problem:
        raise Trouble("ledger", str(problem)) from problem


def command_of(function: Callable[P, object]) -> Callable[P, object]:
    """Ends a command that met Trouble: words on stderr, the same as JSON on stdout where JSON was asked for, and the exit code."""

    @wraps(function)
    def ended(*args: P.args, **kwargs: P.kwargs) -> object:
        try:
            return function(*args, **kwargs)
        except Trouble as trouble:
            end(trouble, as_json=bool(kwargs.get("as_json")))

    return ended


def end(trouble: Trouble, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"error": trouble.error, "words": trouble.words})
    else:
        click.echo(trouble.words, err=True)
    click.get_current_context().exit(trouble.code)


def print_message(message: Message) -> None:
    click.echo(message.model_dump_json(indent=2))


def print_json(value: Mapping[str, object]) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def told_to_reload() -> str:
    """Have the running daemon read again what was written: reloaded, or not-running where there is none. Raises Trouble."""
    try:
        ask(here(), lambda daemon: daemon.reload())
    except Trouble as trouble:
        if trouble.code != NOT_RUNNING:
            raise
        return "not-running"
    return "reloaded"
