"""The line that a status bar shows, `stepfare/spend`: sent when it changes, at most once a second, and what a step cost at once.

That a step begins, or that a daemon was found, is news too; it must not make the news of what the step cost wait. So a cost waits for
the last cost that was told only, and everything else for the last news of any kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stepfare.control.protocol import Overview, Session, Severity
from stepfare_lsp.link import Connecting, Offline, Online, State
from stepfare_lsp.markdown import tooltip
from stepfare_lsp.places import is_inside
from stepfare_lsp.present import PLAY_MONEY, clean, in_short, whole
from stepfare_lsp.wire import Spend

METHOD = "stepfare/spend"
PAUSE_S_MIN = 1.0
SESSIONS_KEPT_MAX = 200
OFF = "stepfare is off"


def newest_session(sessions: Sequence[Session], folders: Sequence[str]) -> Session | None:
    """The session that was active last in these folders; without folders, anywhere. Sessions come newest first."""
    return next((one for one in sessions if not folders or any(is_inside(one.workspace, folder) for folder in folders)), None)


def spend_of(state: State, folders: Sequence[str], tier: str | None = None) -> Spend | None:
    """The notification for a state; None while nothing is known yet. `tier` is what served the newest session last."""
    match state:
        case Connecting():
            return None
        case Offline(words):
            return Spend(text=OFF, mode="offline", tooltip=words)
        case Online(_, overview):
            session = newest_session(overview.sessions, folders)
            totals = whole(session) if session else overview.today
            text = " . ".join(filter(None, [in_short(totals), tier])) if session else f"{in_short(totals)} today"
            return Spend(
                text=f"{text} . {PLAY_MONEY}" if overview.mode == "simulator" else text,
                session=session.id if session else None,
                title=clean(session.title) if session else "",
                workspace=session.workspace if session else "",
                spent_pusd=totals.spent_pusd if session else None,
                today_pusd=overview.today.spent_pusd,
                tier=tier if session else None,
                severity=_severity(session, overview),
                mode=overview.mode,
                tooltip=tooltip(session, overview),
                version=overview.version,
            )


def _severity(session: Session | None, overview: Overview) -> Severity:
    if session and session.family:
        return session.family.severity
    caps = session.budget.caps if session and session.budget else overview.budgets
    if any(cap.left_pusd <= 0 for cap in caps):
        return "error"
    return "warning" if any(cap.warned for cap in caps) else "info"


def _rose(before: Overview, after: Overview) -> bool:
    """Whether a step was paid between two overviews."""
    known = {session.id: session.totals.spent_pusd for session in before.sessions}

    def paid(session: Session) -> bool:
        # One that was not listed before is a new one, or an old one that came up again and paid nothing yet.
        totals = session.totals
        return totals.spent_pusd > known.get(session.id, 0 if totals.steps <= 1 else totals.spent_pusd)

    return after.today.spent_pusd > before.today.spent_pusd or any(paid(session) for session in after.sessions)


@dataclass(frozen=True, slots=True)
class _Seen:
    """How many steps each tier had served of a session, and which served last as far as that tells."""

    counts: Mapping[str, int]
    tier: str | None


class SpendLine:
    """Decides when the line goes out. `ask_tier` is asked, at most once a session, where sums alone do not tell which tier served last."""

    def __init__(
        self,
        send: Callable[[Spend], None],
        folders: Callable[[], Sequence[str]],
        ask_tier: Callable[[str], None],
        *,
        pause_s: float = PAUSE_S_MIN,
    ) -> None:
        self._send = send
        self._folders = folders
        self._ask_tier = ask_tier
        self._pause_s = pause_s
        self._seen: dict[str, _Seen] = {}
        self._asked: set[str] = set()
        self._state: State = Connecting()
        self._cost_rose = False
        """Whether something was paid since the line was last told."""
        self._sent: Spend | None = None
        self._sent_s = self._cost_sent_s = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def update(self, state: State) -> None:
        """A new state of the daemon."""
        before, self._state = self._state, state
        if isinstance(state, Online):
            self._cost_rose |= isinstance(before, Online) and _rose(before.overview, state.overview)
            for session in state.overview.sessions:
                self._notice(session)
        self.refresh()

    def tier_known(self, session: str, tier: str) -> None:
        """The daemon's answer to what `ask_tier` asked; a step that came since then knows better."""
        seen = self._seen.get(session)
        if seen is not None and seen.tier is None:
            self._seen[session] = _Seen(seen.counts, tier)
            self.refresh()

    def refresh(self) -> None:
        """Send what the line says now, if that is news, as soon as may be."""
        self.stop()
        spend = self._now()
        if spend is None or spend == self._sent:
            return
        now_s = asyncio.get_running_loop().time()
        wait_s = (self._cost_sent_s if self._cost_rose else self._sent_s) + self._pause_s - now_s
        if wait_s > 0:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.refresh)
            return
        self._sent, self._sent_s = spend, now_s
        self._cost_sent_s = now_s if self._cost_rose else self._cost_sent_s
        self._cost_rose = False
        self._send(spend)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> Spend | None:
        """What the line says; asks for the tier where nobody knows it yet."""
        state, folders = self._state, self._folders()
        session = newest_session(state.overview.sessions, folders) if isinstance(state, Online) else None
        if session is None:
            return spend_of(state, folders)
        tier = self._seen[session.id].tier if session.id in self._seen else None
        if tier is None and session.totals.steps and session.id not in self._asked:
            self._asked.add(session.id)
            self._ask_tier(session.id)
        return spend_of(state, folders, tier)

    def _notice(self, session: Session) -> None:
        counts = {tier: bucket.steps for tier, bucket in session.totals.by_tier.items() if bucket.steps}
        before = self._seen.pop(session.id, None)
        grown = [tier for tier, number in counts.items() if number > (before.counts.get(tier, 0) if before else 0)]
        if before is not None and not grown:
            tier = before.tier
        else:
            # Several tiers at once: between two looks, or before the first. Then somebody has to be asked.
            tier = grown[0] if len(grown) == 1 else None
            self._asked.discard(session.id)
        self._seen[session.id] = _Seen(counts, tier)
        while len(self._seen) > SESSIONS_KEPT_MAX:
            gone = next(iter(self._seen))
            del self._seen[gone]
            self._asked.discard(gone)
