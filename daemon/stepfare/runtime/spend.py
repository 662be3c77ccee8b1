"""What was spent today, by project: what day caps are held against. A fold of the journal that forgets at midnight."""

from __future__ import annotations

from stepfare.core.entry import Entry, Lost, Opened, Reserved, Settled, Voided

SESSIONS_MAX = 10_000
"""Sessions whose project is remembered; the oldest go first, and what they spend then counts for no project."""


class DaySpend:
    """Used means settled, reserved and lost together. Open reservations are carried over midnight: they are settled in the new day.
    What was closed before today counts for nothing, so that a journal of days can be folded in."""

    def __init__(self, day_start_ms: int) -> None:
        self._day_start_ms = day_start_ms
        self._used: dict[str, int] = {}
        self._open: dict[str, tuple[str, int]] = {}
        self._projects: dict[str, str] = {}

    def begin(self, day_start_ms: int) -> None:
        """A new day begins where `day_start_ms` is not today's."""
        if day_start_ms == self._day_start_ms:
            return
        self._day_start_ms = day_start_ms
        self._used = {}
        for project, ceiling in self._open.values():
            self._add(project, ceiling)

    def used_pusd(self, project: str | None = None) -> int:
        """Picodollars of today, of one project or of all."""
        return sum(self._used.values()) if project is None else self._used.get(project, 0)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Opened():
                self._projects[entry.session] = entry.project
                if len(self._projects) > SESSIONS_MAX:
                    del self._projects[next(iter(self._projects))]
            case Reserved():
                if entry.attempt not in self._open:
                    project = self._projects.get(entry.session, "")
                    self._open[entry.attempt] = (project, entry.ceiling_pusd or 0)
                    self._add(project, entry.ceiling_pusd or 0)
            case Settled():
                self._close(entry.attempt, entry.cost_pusd or 0, entry.at_ms)
            case Voided():
                self._close(entry.attempt, 0, entry.at_ms)
            case Lost():
                self._close(entry.attempt, entry.ceiling_pusd or 0, entry.at_ms)

    def _close(self, attempt: str, pusd: int, at_ms: int) -> None:
        reserved = self._open.pop(attempt, None)
        if reserved is not None:
            project, ceiling = reserved
            self._add(project, (pusd if at_ms >= self._day_start_ms else 0) - ceiling)

    def _add(self, project: str, pusd: int) -> None:
        self._used[project] = self._used.get(project, 0) + pusd
