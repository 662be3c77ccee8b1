"""What came of learning as blocks of text: the verdict, what it stands on, and what is in force now."""

from __future__ import annotations

from stepfare.cli.render.paint import Block, Column, Span, Table, line
from stepfare.cli.render.words import clean, counted, short_path
from stepfare.control.protocol import Learned, LearnedFigures

VERDICTS = {
    "better": ("Your own sessions teach more than what ships", "good"),
    "not-better": ("Your own sessions teach no more than what ships", "head"),
    "too-little": ("There is too little to learn from yet", "head"),
    "forgotten": ("The weights that ship serve", "head"),
}


def learned(message: Learned) -> list[Block]:
    verdict, style = VERDICTS[message.verdict]
    because = clean(message.because)
    blocks: list[Block] = [line(Span(verdict, style), f". {because[:1].upper()}{because[1:]}.")]
    if message.verdict != "forgotten":
        seen = f"{counted(message.steps, 'step')} of {counted(message.sessions, 'session')}"
        held_back = f", the latest {message.held_back_steps:,} of them held back to judge by" if message.held_back_steps else ""
        blocks += [line(), line(f"Learnt from {seen}{held_back}.")]
    if message.shipped is not None:
        blocks.append(_figures(message.shipped, message.own))
    return [*blocks, line(), line(_now(message))]


def _figures(shipped: LearnedFigures, own: LearnedFigures | None) -> Table:
    columns = (Column("ON STEPS HELD BACK"), Column("LOSS", right=True), Column("EDITS RANKED RIGHT", right=True))
    rows = [("the weights that ship", shipped)] + ([("with what was learnt", own)] if own is not None else [])
    return Table(
        columns, tuple((name, f"{one.log_loss:.3f}", "" if one.auc_edit is None else f"{one.auc_edit:.3f}") for name, one in rows), 2
    )


def _now(message: Learned) -> str:
    file = short_path(message.file)
    match message.verdict, message.kept:
        case "forgotten", True:
            done = f"{file} is still there (--dry-run)."
        case "forgotten", False:
            done = f"{file} is gone." if message.daemon else f"There is no {file}."
        case "better", True:
            done = f"It is kept in {file} and in force from the next step on; `stepfare learn --forget` goes back."
        case "better", False:
            done = "Nothing was kept (--dry-run)."
        case _:
            done = "Everything stays as it was."
    told = {"reloaded": " The running daemon has taken it up.", "not-running": " The daemon takes it up when it starts."}
    return done + told.get(message.daemon, "")
