"""What was spent as a journal of hledger (plain text accounting), exact to the picodollar: by attempt, or by day.

An expense stands under `expenses:ai:PROJECT:MODEL`, what is owed for it under `liabilities:ai:PROVIDER`; the simulator's play money
under `expenses:simulator` and `liabilities:simulator`. What was estimated is marked pending (`!`). What has no price is no amount, and
what was lost sight of neither: both are said in comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePath

from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.money import usd_text
from stepfare.ledger.calendar import OffsetAt, day_of
from stepfare.ledger.groups import provider_of
from stepfare.ledger.totals import ESTIMATED

HEADER = """\
; The books of stepfare, for hledger. Amounts are exact, to the picodollar (12 decimals).
commodity USD 1000.000000000000

"""
SIMULATOR = "simulator"
NO_PROJECT = "no project"


@dataclass(frozen=True, slots=True)
class Spent:
    """What one model cost in one project (a path) on one day: an amount and, apart from it, what no amount says."""

    day: str
    project: str
    model: str
    pusd: int
    estimated: bool = False
    unpriced_steps: int = 0
    lost_pusd: int = 0


def of_days(spent: Iterable[Spent]) -> Iterator[str]:
    """Pieces of text that make up the journal: a transaction for each day, which come one after the other."""
    yield HEADER
    for day, group in groupby(spent, lambda one: one.day):
        yield _transaction(day, "stepfare", list(group))


def of_entries(entries: Iterable[Entry], offset_at: OffsetAt) -> Iterator[str]:
    """The same with a transaction for each attempt that was settled or lost, from entries in journal order."""
    yield HEADER
    projects: dict[str, str] = {}
    still_open: dict[str, Reserved] = {}
    for entry in entries:
        match entry:
            case Opened():
                projects.setdefault(entry.session, entry.project)
            case Reserved():
                still_open[entry.attempt] = entry
            case Voided():
                still_open.pop(entry.attempt, None)
            case Extended():
                pass  # A cap is no account.
            case Settled() | Lost():
                reserved = still_open.pop(entry.attempt, None)
                if reserved is not None:
                    yield _of_attempt(reserved, entry, projects.get(entry.session, ""), offset_at)


def _of_attempt(reserved: Reserved, entry: Settled | Lost, project: str, offset_at: OffsetAt) -> str:
    day = day_of(entry.at_ms + offset_at(entry.at_ms))
    tags = f"session:{_plain(entry.session)}, attempt:{_plain(entry.attempt)}"
    if isinstance(entry, Lost):
        one = Spent(day, project, reserved.model, 0, unpriced_steps=int(entry.ceiling_pusd is None), lost_pusd=entry.ceiling_pusd or 0)
        return _transaction(day, _plain(reserved.kind), [one], tags)
    one = Spent(day, project, reserved.model, entry.cost_pusd or 0, entry.source == ESTIMATED, int(entry.cost_pusd is None))
    return _transaction(day, _plain(entry.kind), [one], tags)


def _transaction(day: str, words: str, spent: Sequence[Spent], tags: str = "") -> str:
    owed: dict[str, int] = {}
    lines = [f"{day} {'!' if any(one.estimated for one in spent) else '*'} {words}{f'  ; {tags}' if tags else ''}"]
    for one in spent:
        kind = SIMULATOR if provider_of(one.model) == SIMULATOR else "ai"
        account = f"{kind}:{_part(PurePath(one.project).name or NO_PROJECT)}:{_part(one.model)}"
        if one.pusd:
            lines.append(f"    expenses:{account}  USD {usd_text(one.pusd)}")
            owing = f"liabilities:{kind}" if kind == SIMULATOR else f"liabilities:{kind}:{_part(provider_of(one.model))}"
            owed[owing] = owed.get(owing, 0) + one.pusd
        if one.unpriced_steps:
            lines.append(f"    ; {account}: {one.unpriced_steps} without a known price")
        if one.lost_pusd:
            lines.append(f"    ; {account}: USD {usd_text(one.lost_pusd)} at most, lost sight of when the daemon died")
    lines += [f"    {account}  USD {usd_text(-pusd)}" for account, pusd in owed.items()]
    return "\n".join(lines) + "\n\n"


def _part(name: str) -> str:
    """A name as one part of an account's: a colon would divide it, and two spaces or a semicolon end it."""
    return _plain(name).replace(":", "-").replace(";", "-") or "-"


def _plain(text: str) -> str:
    """The text on one line with single spaces, nothing in it that begins a comment or ends a tag."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split()).replace(";", "-").replace(",", "-")
