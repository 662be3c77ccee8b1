"""What the daemon and the checker say, as an editor shows it: control messages become lines of words, problems become diagnostics."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from lsprotocol import types

from stepfare.control.protocol import Cap, Decision, ModelInfo, Overview, PriceRow, Proposal, Question, Session, Sessions, Totals
from stepfare.core.problem import Problem
from stepfare_lsp.places import Page

PUSD_PER_USD = 1_000_000_000_000
RATE_PER_USD = 1_000_000
"""A rate of a million picodollars per token is a dollar per million tokens."""
SMALL_SUM_DIGITS = 4
TITLE_CHARS_MAX = 48
SESSIONS_NAMED_MAX = 3
SOURCE = "stepfare"
PLAY_MONEY = "play money"
UNPRICED = "unpriced"
START_IT = "In this editor: the command stepfare.startDaemon."


def diagnostic(problem: Problem, page: Page) -> types.Diagnostic:
    """A problem at its place in the text that the editor holds."""
    return types.Diagnostic(
        range=page.range_of_problem(problem.line, problem.column, problem.length),
        message=problem.words,
        severity=types.DiagnosticSeverity.Error if problem.severity == "error" else types.DiagnosticSeverity.Warning,
        code=problem.code,
        source=SOURCE,
    )


def coins(pusd: int) -> str:
    """For status bars, which want few and steady digits: `$0.42`; less than a cent is `<$0.01`."""
    return "<$0.01" if 0 < pusd < PUSD_PER_USD // 100 else f"${_rounded(Decimal(pusd) / PUSD_PER_USD, 2):,f}"


def money(pusd: int) -> str:
    """`$12.34` from a dollar on, four significant digits below: `$0.4213`, `$0.00001250`."""
    usd = Decimal(abs(pusd)) / PUSD_PER_USD
    places = 2 if usd == 0 or usd >= 1 else SMALL_SUM_DIGITS - 1 - usd.adjusted()
    return f"{'-' if pusd < 0 else ''}${_rounded(usd, places):,f}"


def rate(pusd_per_token: int) -> str:
    """Dollars per million tokens, all digits that count: `$3.00`, `$0.0125`."""
    exact = (Decimal(pusd_per_token) / RATE_PER_USD).normalize()
    return f"${_rounded(exact, max(2, -int(exact.as_tuple().exponent))):,f}"


def steps(number: int) -> str:
    return "1 step" if number == 1 else f"{number:,} steps"


def spent(totals: Totals) -> str:
    """The sum that is known. Steps without a price alone make no sum: they are unpriced, never $0."""
    if totals.steps and totals.unpriced_steps == totals.steps and not totals.spent_pusd:
        return UNPRICED
    if totals.unbilled:
        return totals.unbilled
    unpriced = f" and {steps(totals.unpriced_steps)} without a known price" if totals.unpriced_steps else ""
    return money(totals.spent_pusd) + unpriced


def in_short(totals: Totals) -> str:
    """The same for a status bar."""
    said = spent(totals)
    return said if said in (UNPRICED, totals.unbilled) else coins(totals.spent_pusd)


def against(totals: Totals, *tiers: str) -> list[str]:
    """How it stands against one of these tiers always, a loss said as plainly as a saving; nothing where it is the same, or not known."""
    would_be = {"balanced": totals.always_balanced_pusd, "premium": totals.always_premium_pusd}
    saved = [(tier, would_be[tier] - totals.spent_pusd) for tier in tiers if would_be[tier]]
    return [f"{money(abs(pusd))} {'less' if pusd > 0 else 'more'} than always {tier}" for tier, pusd in saved if pusd]


def whole(session: Session) -> Totals:
    """The sums that a person takes for those of this session: with its subagents."""
    return session.family.totals if session.family else session.totals


def family_words(session: Session) -> str:
    """What it cost together with its subagents, its forks and whom it works for; empty where it works alone."""
    if session.family is None:
        return ""
    others = len(session.family.sessions) - 1
    return f"{spent(session.family.totals)} together with {others} other session{'s' if others > 1 else ''} of its task"


def session_line(session: Session, mode: str = "") -> str:
    totals = session.totals
    tiers = ", ".join(f"{name} {bucket.steps}" for name, bucket in totals.by_tier.items())
    parts = [f"{_name(session)}: {spent(totals)} in {steps(totals.steps)}" + (f" ({tiers})" if tiers else "")]
    parts += [*filter(None, [family_words(session)]), *against(totals, "balanced")]
    if session.budget is not None and session.budget.session_pusd is not None:
        parts.append(f"cap {money(session.budget.session_pusd)}")
    return "; ".join([*parts, *_play(mode)])


def today_line(overview: Overview) -> str:
    totals = overview.today
    lost = [f"{money(totals.lost_pusd)} at most lost sight of in a crash"] if totals.lost_pusd else []
    return "; ".join([f"Today: {spent(totals)} in {steps(totals.steps)}", *against(totals, "balanced"), *lost, *_play(overview.mode)])


def sessions_line(found: Sessions, where: str) -> str:
    if not found.sessions:
        return f"No sessions {where} yet."
    named = [f"{_name(one)} {in_short(one.totals)}" for one in found.sessions[:SESSIONS_NAMED_MAX]]
    more = len(found.sessions) - len(named)
    count = "1 session" if len(found.sessions) == 1 else f"{len(found.sessions)} sessions"
    return f"{count} {where}: {'; '.join(named)}{f'; and {more} more' if more > 0 else ''}"


def decision_line(decision: Decision) -> str:
    served = next((one for one in decision.candidates if one.model == decision.chosen), None)
    who = f"{served.model} ({served.tier})" if served else decision.chosen or "no model"
    return clean(f"{decision.kind} step, floor {decision.floor.tier}: {who}. {'; '.join(decision.because)}")


def status_line(overview: Overview) -> str:
    providers = ", ".join(f"{one.id} {one.state}" for one in overview.providers if one.state != "no-key")
    wrong = len(overview.problems)
    problems = [f"{wrong} problem{'s' if wrong > 1 else ''} in settings: {clean(overview.problems[0].words)}"] if wrong else []
    mode = "serves the simulator (no provider key)" if overview.mode == "simulator" else "is running"
    return "; ".join([f"stepfare {overview.version} {mode}", f"{in_short(overview.today)} today", *filter(None, [providers]), *problems])


def pin_question(session: Session) -> str:
    return f"Which tier shall serve all that comes of {_name(session)} at least?"


def pinned_line(session: Session) -> str:
    if session.pin is None:
        return f"{_name(session)} is no longer pinned: project and profile say its tiers again."
    return f"{_name(session)} is pinned: {session.pin} or better serves all that comes of it, from the next step on."


def left_of(cap: Cap) -> str:
    return f"{money(cap.left_pusd)} of {money(cap.cap_pusd)} left"


def question_line(question: Question) -> str:
    """Who was stopped, and by what."""
    who = "An agent" if question.client in ("", "unknown") else question.client
    return clean(f"{who} waits: {question.words}")


def add_button(question: Question) -> str:
    """`Add $1.00`, or both sums where two budgets stand in the way."""
    return "Add " + " and ".join(money(one.pusd) for one in question.proposals)


def extended_line(proposals: Sequence[Proposal]) -> str:
    said = " and ".join(f"{money(one.pusd)} to the {one.scope} budget" for one in proposals)
    return f"Added {said}. A session that was stopped goes on with its next message."


def price_words(price: PriceRow | None) -> str:
    """`$3.00 in, $15.00 out per million tokens`; what nobody knows is unpriced."""
    return "unpriced" if price is None else f"{rate(price.input)} in, {rate(price.output)} out per million tokens"


def model_line(model: ModelInfo) -> str:
    state = "" if model.state == "in-play" else f" ({model.state})"
    return f"`{model.id}` {model.tier}, {price_words(model.price_now)}{state}"


def clean(text: str) -> str:
    """The text on one line, without control characters: a title comes from a prompt."""
    return " ".join("".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in text).split())


def _name(session: Session) -> str:
    title = clean(session.title) or session.id
    return f'"{title[:TITLE_CHARS_MAX]}{"..." if len(title) > TITLE_CHARS_MAX else ""}"'


def _play(mode: str) -> list[str]:
    return [PLAY_MONEY] if mode == "simulator" else []


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
