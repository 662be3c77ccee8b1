"""What was spent since a period began, by project, and how fast: what caps are held against. Folds of the journal that forget.

Where a period begins is for the caller to say; which cap holds for whom is the business of `budgets`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.ledger.totals import Spending

SESSIONS_MAX = 10_000
"""Sessions whose project is remembered; the oldest go first, and what they spend then counts for no project."""
PACE_MS = 15 * 60_000
"""How far back a pace looks: what was spent before says nothing of how fast it goes now."""
PACE_MS_MIN = 5 * 60_000
"""Who has just begun burns as if it had gone on for so long: one dear step is no trend."""
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Used:
    """What counts against a cap, in picodollars. `spent_pusd` includes what was lost sight of in a crash."""

    spent_pusd: int = 0
    reserved_pusd: int = 0

    @property
    def pusd(self) -> int:
        return self.spent_pusd + self.reserved_pusd

    def plus(self, spent_pusd: int, reserved_pusd: int = 0) -> Used:
        return Used(self.spent_pusd + spent_pusd, self.reserved_pusd + reserved_pusd)


NOTHING = Used()


class Payer(NamedTuple):
    """What a session's spending counts for."""

    project: str
    who: str


_NOBODY = Payer("", "")


class PeriodSpend:
    """What was used in one period. Open reservations are carried over into the next: they are settled there.
    What was closed before the period counts for nothing, so that a journal of other days can be folded in."""

    def __init__(self, start_ms: int, whose: str = "") -> None:
        self.start_ms = start_ms
        self.whose = whose
        """Whose spending counts; everybody's where empty. That of a project always does."""
        self._all = NOTHING
        self._by_project: dict[str, Used] = {}
        self._open: dict[str, tuple[Payer, int]] = {}
        self._payers: dict[str, Payer] = {}

    def begin(self, start_ms: int) -> None:
        """A new period begins where `start_ms` is not that of this one."""
        if start_ms == self.start_ms:
            return
        self.start_ms = start_ms
        self._all = NOTHING
        self._by_project = {}
        for payer, ceiling in self._open.values():
            self._add(payer, 0, ceiling)

    def start_from(self, spent: Spending, still_open: Iterable[tuple[Payer, Reserved]] = ()) -> None:
        """What the books say was spent in this period, and what is open, before anything else is folded in."""
        self._all = Used(sum(pusd for who, pusd in spent.by_user.items() if self._counts(who)))
        self._by_project = {project: Used(pusd) for project, pusd in spent.by_project.items()}
        self._open = {}
        for payer, reserved in still_open:
            self._open[reserved.attempt] = (payer, reserved.ceiling_pusd or 0)
            self._add(payer, 0, reserved.ceiling_pusd or 0)

    def used(self, project: str | None = None) -> Used:
        """Of one project or of all."""
        return self._all if project is None else self._by_project.get(project, NOTHING)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Opened():
                self._payers[entry.session] = Payer(entry.project, entry.user)
                if len(self._payers) > SESSIONS_MAX:
                    del self._payers[next(iter(self._payers))]
            case Reserved():
                if entry.attempt not in self._open:
                    payer, ceiling = self._payers.get(entry.session, _NOBODY), entry.ceiling_pusd or 0
                    self._open[entry.attempt] = (payer, ceiling)
                    self._add(payer, 0, ceiling)
            case Settled():
                self._close(entry.attempt, entry.cost_pusd or 0, entry.at_ms)
            case Voided():
                self._close(entry.attempt, 0, entry.at_ms)
            case Lost():
                self._close(entry.attempt, entry.ceiling_pusd or 0, entry.at_ms)
            case Extended():
                pass

    def apart(self) -> PeriodSpend:
        """A copy that goes its own way."""
        other = PeriodSpend(self.start_ms, self.whose)
        other._all = self._all
        other._by_project, other._open, other._payers = self._by_project.copy(), self._open.copy(), self._payers.copy()
        return other

    def _close(self, attempt: str, pusd: int, at_ms: int) -> None:
        reserved = self._open.pop(attempt, None)
        if reserved is not None:
            payer, ceiling = reserved
            self._add(payer, pusd if at_ms >= self.start_ms else 0, -ceiling)

    def _add(self, payer: Payer, spent_pusd: int, reserved_pusd: int) -> None:
        if self._counts(payer.who):
            self._all = self._all.plus(spent_pusd, reserved_pusd)
        self._by_project[payer.project] = self._by_project.get(payer.project, NOTHING).plus(spent_pusd, reserved_pusd)

    def _counts(self, who: str) -> bool:
        return not self.whose or who in ("", self.whose)


class Pace:
    """What each session spent of late, by the minute: the rate at which it burns money now."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, int]] = {}

    def apply(self, entry: Entry) -> None:
        if isinstance(entry, Settled) and entry.cost_pusd:
            minute = self._minutes.setdefault(entry.at_ms // MINUTE_MS, {})
            minute[entry.session] = minute.get(entry.session, 0) + entry.cost_pusd
            while len(self._minutes) > PACE_MS // MINUTE_MS + 1:
                del self._minutes[min(self._minutes)]

    def pusd_per_hour(self, now_ms: int, session: str | None = None) -> int:
        """Of one session or of all; 0 for who has spent nothing in the last quarter of an hour."""
        first_of_all = (now_ms - PACE_MS) // MINUTE_MS
        spent: dict[int, int] = {}
        for minute, by_session in self._minutes.items():
            pusd = sum(by_session.values()) if session is None else by_session.get(session, 0)
            if pusd and minute > first_of_all:
                spent[minute] = pusd
        if not spent:
            return 0
        since_ms = now_ms - min(spent) * MINUTE_MS
        return sum(spent.values()) * HOUR_MS // max(PACE_MS_MIN, since_ms)
