"""What a tree of sessions and steps shows, worded here so that no editor words it. Messages in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.control.protocol import Session, SessionDetail, Step
from stepfare_lsp.markdown import cost_of, is_open, plain, session_tooltip, title_of
from stepfare_lsp.present import clean, in_short, steps
from stepfare_lsp.wire import Icon, Row, Rows

STEPS_MAX = 500
"""Of a very long session the newest so many."""
SERVED = frozenset({"ok", "kept-warm"})


def of_sessions(sessions: Sequence[Session]) -> Rows:
    return Rows(rows=[_session(session) for session in sessions])


def of_steps(detail: SessionDetail) -> Rows:
    """The steps of a session, the newest first, as sessions come."""
    return Rows(rows=[_step(step) for step in reversed(detail.steps[-STEPS_MAX:])])


def _session(session: Session) -> Row:
    running = bool(session.totals.reserved_pusd)
    client = "" if session.client in ("", "unknown") else clean(session.client)
    return Row(
        id=session.id,
        label=title_of(session),
        description=" . ".join(filter(None, [in_short(session.totals), steps(session.totals.steps), client])),
        tooltip=session_tooltip(session),
        icon="running" if running else "session",
        expandable=True,
    )


def _step(step: Step) -> Row:
    reasons = "\n".join(f"- {plain(reason)}" for reason in step.because)
    tried = [f"Asked in vain: {plain(one.model)} ({plain(one.outcome)})" for one in step.attempts if _in_vain(one.outcome)]
    return Row(
        id=step.decision,
        label=f"{step.kind} {cost_of(step)}",
        description=clean(f"{step.tier}: {step.model}") if step.tier and step.model else "",
        tooltip="\n\n".join(filter(None, [f"Floor {step.floor} ({plain(step.floor_source)})", reasons, *tried])),
        icon=_icon(step),
    )


def _in_vain(outcome: str) -> bool:
    return outcome not in SERVED and outcome != "open"


def _icon(step: Step) -> Icon:
    if is_open(step):
        return "running"
    if step.tier is None or all(_in_vain(one.outcome) for one in step.attempts):
        return "error"
    return step.tier
