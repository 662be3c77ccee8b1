"""`stepfare ledger`: the books as text for other programs, the proof that they are whole, and what other prices would have made of them.
All read the file, daemon or not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stepfare.cli.asking import PROBLEM, USAGE, Trouble, command_of, here, json_option, now_ms, print_json, print_message
from stepfare.cli.ledger_here import NoBooks, books_here
from stepfare.core.entry import Entry
from stepfare.ledger.chain import Verdict
from stepfare.ledger.export import Format, export, export_decisions
from stepfare.runtime.clock import offset_at
from stepfare.store import queries
from stepfare.store.backup import back_up
from stepfare.store.database import Database
from stepfare.store.errors import StoreError
from stepfare.store.readers import Readers
from stepfare.store.sqlite_file import SqliteFile
from stepfare.store.verify import verify_books

BATCH_ROWS = 1_000
HASH_SHOWN_CHARS = 16


@click.group()
def ledger() -> None:
    """Export the books, copy them, prove that they are whole, or price them anew. Works with the daemon running or not."""


@ledger.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "json", "jsonl", "hledger")),
    default="csv",
    show_default=True,
    help="What to write to stdout.",
)
@click.option("--decisions", "reasons", is_flag=True, help="The reasons of every decision instead of the entries; not as hledger.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@command_of
def export_ledger(form: Format, reasons: bool, as_json: bool) -> None:
    """Write every entry of the journal to stdout, in its order. Money is in picodollars, trillionths of a dollar (hledger: in dollars)."""
    form = "json" if as_json else form
    if reasons and form == "hledger":
        raise Trouble("usage", "Reasons are no bookings: --decisions goes with csv, json or jsonl.", USAGE)
    books = existing_books()
    try:
        pieces = export_decisions(decisions(books), form) if reasons and form != "hledger" else export(entries(books), form, offset_at)
        for piece in pieces:
            sys.stdout.write(piece)
    except StoreError as problem:
        raise Trouble("ledger", str(problem)) from problem


@ledger.command("backup")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@command_of
def back_up_ledger(path: Path, as_json: bool) -> None:
    """Copy the books as they are at this moment to a new FILE, for you alone, and prove that the copy is whole.

    A running daemon goes on writing. The copy has its head beside it (FILE.head): keep the two together. To go back to it, stop the daemon
    and put both in the place of ledger.db and ledger.head.
    """
    books = existing_books()
    if not isinstance(books, SqliteFile):
        raise Trouble("backup", f"The books are on the server {books.name}: back them up there, with pg_dump.")
    try:
        verdict = back_up(books.path, path.absolute(), None if as_json or not sys.stderr.isatty() else _progress())
    except StoreError as problem:
        raise Trouble("backup", str(problem)) from problem
    _tell(str(path.absolute()), verdict, as_json=as_json)


@ledger.command("verify")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@command_of
def verify_ledger(path: Path | None, as_json: bool) -> None:
    """Prove that the books are whole: every entry hashed to the one before it, in legal order, none missing at the end, all sums right.

    FILE is a backup to look at instead.
    """
    books = SqliteFile(path.absolute()) if path else existing_books()
    try:
        verdict = verify_books(books, None if as_json or not sys.stderr.isatty() else _progress())
    except StoreError as problem:
        raise Trouble("ledger", f"Nothing was proved: {problem}") from problem
    _tell(books.name, verdict, as_json=as_json)


def _tell(name: str, verdict: Verdict, *, as_json: bool) -> None:
    """Say what a check found of the books of that name; the exit code says it too."""
    if as_json:
        found = {"ledger": name, "whole": verdict.whole, "entries": verdict.rows, "head": verdict.head.hash.hex()}
        print_json({**found, "problems": list(verdict.problems)})
    elif verdict.whole:
        said = (
            f"{verdict.rows:,} entries, each hashed to the one before it; the last hash begins {verdict.head.hash.hex()[:HASH_SHOWN_CHARS]}"
        )
        click.echo(f"The books are whole: {said}.")
    else:
        click.echo(f"The books at {name} are NOT whole. Sound are the first {verdict.rows:,} entries; then:", err=True)
        for words in verdict.problems:
            click.echo(f"- {words}", err=True)
        click.echo("Nothing was changed. Keep a copy of them and of their head files, then restore both from a backup.", err=True)
    if not verdict.whole:
        click.get_current_context().exit(PROBLEM)


@ledger.command("reprice")
@click.option(
    "--prices", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A price table: a catalogue.json, yours or kept."
)
@click.option("--catalogue", type=click.Choice(("now",)), help="The prices in force now, those of config.toml included. The default.")
@click.option(
    "--since", default="all", show_default=True, help="Only what was booked since: 30m, 12h, 7d, 2w, today, month, a day, or all."
)
@json_option
@command_of
def reprice_ledger(file: Path | None, catalogue: str | None, since: str, as_json: bool) -> None:
    """Show what another price table would have said of every attempt, per model, beside what was booked: each at the price of the moment
    at which it was sent. Nothing is written: what was booked stays booked."""
    from stepfare.cli.repricing import at_hand, prices_of, repriced_books
    from stepfare.cli.spend import since_ms

    if file and catalogue:
        raise Trouble("usage", "--prices and --catalogue name two tables; give one of them.", USAGE)
    books = existing_books()
    table = prices_of(file) if file else at_hand(here())
    after_ms = since_ms(since, now_ms()) or 0
    message = repriced_books(lambda from_ms: entries(books, from_ms), table, after_ms)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint, repricing

    paint.show(repricing.repriced(message))


@ledger.command("move")
@click.argument("url")
@click.option("--password", metavar="REFERENCE", help="Where the server's password is: env:NAME, keyring:NAME or file:PATH.")
@json_option
@command_of
def move_ledger(url: str, password: str | None, as_json: bool) -> None:
    """Move the books of this machine to a PostgreSQL server, URL like postgresql://USER@HOST/DATABASE, into an empty database. The file is
    verified before, the server's books after; the file is left as it is. No daemon may run meanwhile."""
    from stepfare.cli.moving import moved_books

    found = moved_books(here(), url, password, None if as_json or not sys.stderr.isatty() else _progress())
    if as_json:
        print_json(found.told)
    else:
        click.echo(found.words)


@ledger.command("roles")
@command_of
def ledger_roles() -> None:
    """Print the SQL that gives each role of a shared ledger the least that it needs. Read it, then run it as a superuser."""
    from stepfare.store.postgres_roles import script

    click.echo(script(), nl=False)


def existing_books() -> Database:
    """The books of the person who called. Raises Trouble where there are none."""
    try:
        return books_here(here())
    except StoreError as problem:
        raise Trouble("no-ledger" if isinstance(problem, NoBooks) else "ledger", str(problem)) from problem


def entries(books: Database, since_ms: int = 0) -> Iterator[Entry]:
    """The journal from its first entry, or from the first of that time, to the last that is there when it is reached. Raises StoreError."""
    readers, after = Readers(books), 0
    try:
        with asyncio.Runner() as runner:
            while batch := runner.run(readers.ask(queries.entries_after(after, since_ms, None, BATCH_ROWS))):
                yield from (row.entry for row in batch)
                after = batch[-1].row
    finally:
        readers.close()


def decisions(books: Database) -> Iterator[bytes]:
    """The messages of all decisions that are kept, in the order in which they were made. Raises StoreError."""
    readers, after = Readers(books), 0
    try:
        with asyncio.Runner() as runner:
            while batch := runner.run(readers.ask(queries.decisions_after(after, BATCH_ROWS))):
                yield from (message for _, message in batch)
                after = batch[-1][0]
    finally:
        readers.close()


def _progress() -> Callable[[int, int], None]:
    def shown(done: int, of: int) -> None:
        end = "\n" if done >= of else ""
        click.echo(f"\rchecked {done:,} of {of:,} entries{end}", err=True, nl=False)

    return shown
