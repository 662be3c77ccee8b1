"""The caps in force and what is used of them; what people added; which questions are open. Nothing here knows a request.

What other daemons spend from the same books is folded in as it is heard of; whether a reservation still finds room is for the books to
say, who are asked with `claims`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stepfare.config.check import Checked
from stepfare.config.schema import BudgetSettings, Settings
from stepfare.core.budget import WARN_AT_DEFAULT, Cap, Question, Scope
from stepfare.core.entry import Entry, Extended, Reserved
from stepfare.core.session import Session
from stepfare.ledger.claims import Claim, Heap, Purse
from stepfare.runtime.spend import Pace, PeriodSpend, Used
from stepfare.runtime.workspaces import Workspace

QUESTIONS_MAX = 100
"""Open questions; the oldest go first."""
SETTINGS_FILE = "config.toml"
FRUGAL = "frugal"
OF_USER: Mapping[Scope, str] = {
    Scope.SESSION: "session_usd",
    Scope.DAY: "day_usd",
    Scope.MONTH: "month_usd",
    Scope.TEAM: "team_month_usd",
    Scope.PROJECT: "project_day_usd",
    Scope.PROJECT_MONTH: "project_month_usd",
}
"""The key of the user's [budget] for each scope; a project's file has `session_usd`, and `day_usd` and `month_usd` of the project."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Who acts how at a cap, and what is used of it."""

    scope: Scope
    limit_pusd: int
    source: str
    used: Used
    subject: str = ""
    since_ms: int = 0


class Budgets:
    """Changed by entries of the journal and by questions; all on the event loop."""

    def __init__(self, day_start_ms: int, month_start_ms: int, team_start_ms: int = 0, user: str = "") -> None:
        self.day = PeriodSpend(day_start_ms, user)
        self.month = PeriodSpend(month_start_ms, user)
        self.team = PeriodSpend(team_start_ms)
        self.pace = Pace()
        self.extensions: dict[str, Extended] = {}
        """All that was ever added, by its id: people did it, so they are few."""
        self._questions: dict[str, Question] = {}

    def belong_to(self, user: str) -> None:
        """From now on days and months are those of this user, of all who share the books. Nothing was folded in yet."""
        self.day.whose = self.month.whose = user

    def begin(self, day_start_ms: int, month_start_ms: int, team_start_ms: int = 0) -> None:
        """What day and what month it is now, here and for the team."""
        self.day.begin(day_start_ms)
        self.month.begin(month_start_ms)
        self.team.begin(team_start_ms)

    def apply(self, entry: Entry) -> None:
        self.day.apply(entry)
        self.month.apply(entry)
        self.team.apply(entry)
        self.pace.apply(entry)
        if isinstance(entry, Extended):
            self._extend(entry)
        if isinstance(entry, Reserved) and not entry.side:
            self._questions.pop(entry.session, None)  # It goes on: there is room for it again.

    def apart(self) -> Budgets:
        """A copy for a dry run, which goes its own way."""
        other = Budgets(self.day.start_ms, self.month.start_ms)
        other.day, other.month, other.team = self.day.apart(), self.month.apart(), self.team.apart()
        other.pace, other.extensions = self.pace, self.extensions
        return other

    def caps(
        self, settings: Checked[Settings], session: Session | None, workspace: Workspace, merged: Sequence[str] = ()
    ) -> tuple[Cap, ...]:
        """The caps that hold for a session in that workspace, the user's own first. Without a session, those that hold anyway. What was
        added for one of those that it is `merged` with holds for all; what they spent is in the session."""
        user = settings.value.budget
        project = workspace.dotfile.budget if workspace.dotfile else None
        on_limit = (project.on_limit if project else None) or user.on_limit or "ask"
        warn_at = (project.warn_at if project else None) or user.warn_at or WARN_AT_DEFAULT
        return tuple(self._cap(rule, on_limit, warn_at, merged) for rule in self._rules(user, settings, session, workspace))

    def _rules(self, user: BudgetSettings, settings: Checked[Settings], session: Session | None, workspace: Workspace) -> Iterator[_Rule]:
        def cited(key: str) -> str:
            line = settings.lines.get(f"budget.{key}")
            return f"{SETTINGS_FILE}:{line}" if line else SETTINGS_FILE

        limits: list[tuple[Scope, int | None, str]] = [(scope, getattr(user, key), cited(key)) for scope, key in OF_USER.items()]
        if workspace.dotfile is not None:
            caps, cite = workspace.dotfile.budget, workspace.dotfile.cite
            limits += [
                (Scope.SESSION, caps.session_pusd, cite("budget.session_usd")),
                (Scope.PROJECT, caps.day_pusd, cite("budget.day_usd")),
                (Scope.PROJECT_MONTH, caps.month_pusd, cite("budget.month_usd")),
            ]
        for scope, limit_pusd, source in limits:
            subject = workspace.project if scope.of_project else session.id if session and scope is Scope.SESSION else ""
            if limit_pusd is not None and (subject or not scope.has_subject):
                yield _Rule(scope, limit_pusd, source, self._used(scope, session, workspace.project), subject, self.since_ms(scope))

    def _used(self, scope: Scope, session: Session | None, project: str) -> Used:
        if scope is Scope.SESSION:
            return Used(session.spent_pusd + session.lost_pusd, session.reserved_pusd) if session else Used()
        period = self._periods[scope]
        return period.used(project if scope.of_project else None)

    def _cap(self, rule: _Rule, on_limit: str, warn_at: float, merged: Sequence[str]) -> Cap:
        subjects = (rule.subject, *merged) if rule.scope is Scope.SESSION else (rule.subject,)
        extended_pusd = sum(one.pusd for one in self._extensions_of(rule.scope, subjects, rule.since_ms))
        return Cap(
            scope=rule.scope,
            cap_pusd=rule.limit_pusd + extended_pusd,
            used_pusd=rule.used.pusd,
            source=rule.source,
            on_limit=on_limit,
            warn_at=warn_at,
            subject=rule.subject,
            reserved_pusd=rule.used.reserved_pusd,
            extended_pusd=extended_pusd,
        )

    @property
    def _periods(self) -> Mapping[Scope, PeriodSpend]:
        return {
            Scope.PROJECT: self.day,
            Scope.PROJECT_MONTH: self.month,
            Scope.DAY: self.day,
            Scope.MONTH: self.month,
            Scope.TEAM: self.team,
        }

    def since_ms(self, scope: Scope) -> int:
        """When the period of that scope began; 0 for a session."""
        return 0 if scope is Scope.SESSION else self._periods[scope].start_ms

    def claims(self, caps: Sequence[Cap], tier: int, merged: Sequence[str] = ()) -> tuple[Claim, ...]:
        """What a call to a model of that tier must find room for in the books, whoever else spends from them."""
        return tuple(
            Claim(
                Purse(*self._purse(cap), self.since_ms(Scope(cap.scope)), tuple(merged) if cap.scope == Scope.SESSION else ()),
                cap.cap_pusd,
                cap.used_pusd,
            )
            for cap in caps
            if cap.on_limit != FRUGAL or tier  # The user chose to go on with frugal models.
        )

    def _purse(self, cap: Cap) -> tuple[Heap, str]:
        match Scope(cap.scope):
            case Scope.SESSION:
                return Heap.SESSION, cap.subject
            case Scope.PROJECT | Scope.PROJECT_MONTH:
                return Heap.PROJECT, cap.subject
            case Scope.DAY | Scope.MONTH:
                return Heap.USER, self.day.whose
            case Scope.TEAM:
                return Heap.ALL, ""

    def ask(self, question: Question) -> bool:
        """A cap asks the user of that session; False where it asks already."""
        known = self._questions.pop(question.session, None)
        self._questions[question.session] = question
        while len(self._questions) > QUESTIONS_MAX:
            del self._questions[next(iter(self._questions))]
        return known is None or [(cap.scope, cap.subject) for cap, _ in known.asks] != [
            (cap.scope, cap.subject) for cap, _ in question.asks
        ]

    def _extend(self, one: Extended) -> None:
        """What asked for it asks no more. Said twice, it counts once."""
        self.extensions.setdefault(one.extension, one)
        for session, question in list(self._questions.items()):
            if any((cap.scope, cap.subject) == (one.scope, one.subject) for cap, _ in question.asks):
                del self._questions[session]

    def _extensions_of(self, scope: Scope, subjects: Sequence[str], since_ms: int) -> Iterator[Extended]:
        """What was added to that cap since then. A day and a month are those of their user, in books that several share."""
        for one in self.extensions.values() if self.extensions else ():
            theirs = scope in (Scope.DAY, Scope.MONTH) and self.day.whose and one.user not in ("", self.day.whose)
            if one.scope is scope and one.subject in subjects and one.at_ms >= since_ms and not theirs:
                yield one

    def questions(self) -> tuple[Question, ...]:
        """Those that are open, the newest first. What asked for a day or a month that is over is answered by the calendar."""
        return tuple(
            question
            for question in reversed(self._questions.values())
            if all(question.at_ms >= self.since_ms(Scope(cap.scope)) for cap, _ in question.asks)
        )
