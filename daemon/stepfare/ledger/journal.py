"""The legal order of entries: an attempt is reserved, then settled, voided or lost, and nothing is ever said twice.

The rule is `moved`; `post` folds it into a balance. What the entries add up to in reports is the business of `totals`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided


class Phase(StrEnum):
    """What an entry says of its attempt; `opened` speaks of a session instead, `extended` of a cap."""

    OPENED = "opened"
    RESERVED = "reserved"
    SETTLED = "settled"
    VOIDED = "voided"
    LOST = "lost"
    EXTENDED = "extended"


PHASE_OF: Mapping[type[Entry], Phase] = {
    Opened: Phase.OPENED,
    Reserved: Phase.RESERVED,
    Settled: Phase.SETTLED,
    Voided: Phase.VOIDED,
    Lost: Phase.LOST,
    Extended: Phase.EXTENDED,
}


def phase_of(entry: Entry) -> Phase:
    return PHASE_OF[type(entry)]


def key_of(entry: Entry) -> str:
    """What tells the entry from others of its phase and session: the attempt, or the extension."""
    match entry:
        case Opened():
            return ""
        case Extended():
            return entry.extension
        case _:
            return entry.attempt


def moved(before: Phase | None, entry: Reserved | Settled | Voided | Lost) -> bool:
    """Whether the entry takes its attempt on from `before` (None: never heard of); False where it was posted already.

    Raises AssertionError for what only a mistake of ours can bring: a close without a reservation, or two different closes.
    """
    if isinstance(entry, Reserved):
        return before is None  # A reservation that comes again after the close is a replay of the journal.
    phase = phase_of(entry)
    assert before is not None, f"attempt {entry.attempt} is {phase}, but was never reserved"
    assert before in (Phase.RESERVED, phase), f"attempt {entry.attempt} is {phase}, but was already {before}"
    return before is Phase.RESERVED


@dataclass(frozen=True, slots=True)
class Balance:
    """Money in three heaps that never overlap: spent (settled), reserved (open) and lost. All in picodollars.

    `unpriced` counts closed attempts whose cost nobody knows; they are in none of the heaps, and not free either.
    """

    spent_pusd: int = 0
    lost_pusd: int = 0
    unpriced: int = 0
    open: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """Ceiling of every open attempt; None where its model is unpriced."""
    closed: Mapping[str, Phase] = field(default_factory=dict[str, Phase])
    sessions: frozenset[str] = frozenset()

    @property
    def reserved_pusd(self) -> int:
        return sum(ceiling_pusd or 0 for ceiling_pusd in self.open.values())


def post(balance: Balance, entry: Entry) -> Balance:
    """The balance after this entry; the same balance where the entry says nothing new. AssertionError: see `moved`."""
    if isinstance(entry, Opened):
        return balance if entry.session in balance.sessions else balance_of((entry,), balance)
    if isinstance(entry, Extended):
        return balance  # It moves no money.
    before = Phase.RESERVED if entry.attempt in balance.open else balance.closed.get(entry.attempt)
    return balance_of((entry,), balance) if moved(before, entry) else balance


def balance_of(entries: Iterable[Entry], start: Balance | None = None) -> Balance:
    """`post` over all entries, copying the heaps once rather than at every entry."""
    start = start or Balance()
    spent_pusd, lost_pusd, unpriced = start.spent_pusd, start.lost_pusd, start.unpriced
    still_open, closed, sessions = dict(start.open), dict(start.closed), set(start.sessions)
    for entry in entries:
        if isinstance(entry, Opened):
            sessions.add(entry.session)
            continue
        if isinstance(entry, Extended):
            continue
        before = Phase.RESERVED if entry.attempt in still_open else closed.get(entry.attempt)
        if not moved(before, entry):
            continue
        if isinstance(entry, Reserved):
            still_open[entry.attempt] = entry.ceiling_pusd
            continue
        del still_open[entry.attempt]
        closed[entry.attempt] = phase_of(entry)
        match entry:
            case Settled():
                spent_pusd += entry.cost_pusd or 0
                unpriced += entry.cost_pusd is None
            case Lost():
                lost_pusd += entry.ceiling_pusd or 0
                unpriced += entry.ceiling_pusd is None
            case Voided():
                pass
    return Balance(spent_pusd, lost_pusd, unpriced, still_open, closed, frozenset(sessions))
