"""`stepfare learn`: fits what tells steps apart to the user's own sessions, and keeps it only where it proves better there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from stepfare.cli.asking import Trouble, command_of, here, json_option, print_message, told_to_reload

if TYPE_CHECKING:
    from stepfare.control.protocol import Learned, LearnedFigures
    from stepfare.paths import Paths
    from stepfare.steps.learning import Judgement

FIGURE_DIGITS = 4


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would come of it, and keep nothing.")
@click.option("--forget", is_flag=True, help="Go back to the weights that ship.")
@json_option
@command_of
def learn(dry_run: bool, forget: bool, as_json: bool) -> None:
    """Fit what tells steps apart to your own sessions. What is learnt is tried on sessions that were held back, and is kept only where it
    foretells them better than what ships. Reads the ledger, daemon or not; nothing leaves this machine."""
    message = _forgotten(here(), dry_run=dry_run) if forget else _learnt(here(), dry_run=dry_run)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import learning, paint

    paint.show(learning.learned(message))


def _learnt(paths: Paths, *, dry_run: bool) -> Learned:
    from stepfare.cli.books import existing_books
    from stepfare.cli.examples import examples
    from stepfare.control.protocol import Learned
    from stepfare.paths import write_private
    from stepfare.steps.classify import WEIGHTS
    from stepfare.steps.learning import correction_text
    from stepfare.steps.learning import learn as fit
    from stepfare.store.errors import StoreError

    try:
        rows = asyncio.run(examples(existing_books(), _progress()))
    except StoreError as problem:
        raise Trouble("ledger", str(problem)) from problem
    if rows and sys.stderr.isatty():
        click.echo(f"learning from {len(rows):,} steps ...", err=True)
    learnt = fit(rows, WEIGHTS)
    kept = learnt.kept and not dry_run
    if kept:
        try:
            write_private(paths.weights_json, correction_text(learnt.weights).encode())
        except OSError as problem:
            words = f"What was learnt cannot be kept in {paths.weights_json}: {problem.strerror or problem}. Everything stays as it was."
            raise Trouble("not-written", words) from problem
    return Learned(
        verdict="better" if learnt.kept else "not-better" if learnt.taught is not None else "too-little",
        kept=kept,
        because=learnt.words,
        sessions=len({row.session for row in rows}),
        steps=len(rows),
        held_back_steps=learnt.taught.steps if learnt.taught is not None else 0,
        shipped=_figures(learnt.shipped),
        own=_figures(learnt.taught),
        file=str(paths.weights_json),
        daemon=told_to_reload() if kept else "",
    )


def _forgotten(paths: Paths, *, dry_run: bool) -> Learned:
    from stepfare.control.protocol import Learned

    there = paths.weights_json.exists()
    if there and not dry_run:
        try:
            paths.weights_json.unlink(missing_ok=True)
        except OSError as problem:
            words = f"{paths.weights_json} cannot be removed: {problem.strerror or problem}. What was learnt stays in force."
            raise Trouble("not-removed", words) from problem
    kept = there and dry_run
    because = ("what was learnt would be forgotten" if kept else "what was learnt is forgotten") if there else "nothing had been learnt"
    daemon = told_to_reload() if there and not dry_run else ""
    return Learned(verdict="forgotten", kept=kept, because=because, file=str(paths.weights_json), daemon=daemon)


def _figures(value: Judgement | None) -> LearnedFigures | None:
    from stepfare.control.protocol import LearnedFigures

    if value is None:
        return None
    auc = None if value.auc_edit is None else round(value.auc_edit, FIGURE_DIGITS)
    return LearnedFigures(auc_edit=auc, log_loss=round(value.log_loss, FIGURE_DIGITS))


def _progress() -> Callable[[int, int], None]:
    """Tells a person how far reading is; nobody else."""
    if not sys.stderr.isatty():
        return lambda _done, _of: None

    def shown(done: int, of: int) -> None:
        click.echo(f"\rread {done:,} of {of:,} sessions" + ("\n" if done >= of else ""), err=True, nl=False)

    return shown
