"""Core values and rows of the books as control messages; nothing is decided here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from stepfare.control import protocol
from stepfare.core.decision import Decision
from stepfare.core.entry import KEPT_WARM, SUBSCRIPTION, Lost, Settled, Voided
from stepfare.core.model import PriceRow
from stepfare.core.money import Rates
from stepfare.core.problem import Problem
from stepfare.core.session import Session
from stepfare.core.step import Tier
from stepfare.ledger.totals import Bucket, Names, Totals, by_weight
from stepfare.routing.gate import SOURCE
from stepfare.runtime.spend import HOUR_MS, PACE_MS, PACE_MS_MIN
from stepfare.runtime.state import State
from stepfare.runtime.told import record_of
from stepfare.store.queries import AttemptRow, SessionRow, StepRow
from stepfare.store.reports import Report


def totals(value: Totals) -> protocol.Totals:
    def buckets(parts: Mapping[str, Bucket]) -> dict[str, protocol.Bucket]:
        return {name: protocol.Bucket(steps=one.steps, spent_pusd=one.spent_pusd) for name, one in parts.items()}

    return protocol.Totals(
        steps=value.steps,
        spent_pusd=value.spent_pusd,
        reserved_pusd=value.reserved_pusd,
        lost_pusd=value.lost_pusd,
        unpriced_steps=value.unpriced_steps,
        always_premium_pusd=value.always_premium_pusd,
        always_balanced_pusd=value.always_balanced_pusd,
        switch_writes_pusd=value.switch_writes_pusd,
        input_tokens=value.input_tokens,
        cache_read_tokens=value.cache_read_tokens,
        cache_write_tokens=value.cache_write_tokens,
        output_tokens=value.output_tokens,
        unpriced_tokens=value.unpriced_tokens,
        estimated_pusd=value.estimated_pusd,
        estimated_low_pusd=value.estimated_low_pusd,
        estimated_high_pusd=value.estimated_high_pusd,
        escalations=value.escalations,
        escalated_pusd=value.escalated_pusd,
        subscription_steps=value.subscription_steps,
        by_tier=buckets(value.by_tier),
        by_model=buckets(value.by_model),
        by_kind=buckets(value.by_kind),
    )


def report(value: Report, asked: protocol.ReportQuestion) -> protocol.Report:
    rows = [report_row(names, part) for names, part in by_weight(value.parts, asked.by)]
    return protocol.Report(
        by=list(asked.by), since_ms=asked.since_ms, until_ms=asked.until_ms, rows=rows, whole=report_row((), value.whole)
    )


def report_row(names: Names, value: Totals) -> protocol.ReportRow:
    return protocol.ReportRow(
        names=list(names),
        totals=totals(value),
        saved_on_premium_pusd=value.saved_on_premium_pusd,
        saved_on_balanced_pusd=value.saved_on_balanced_pusd,
        cache_hit_rate=value.cache_hit_rate,
        pusd_per_million_tokens=value.pusd_per_million_tokens,
    )


def session(row: SessionRow, live: Session | None, caps: Sequence[protocol.Cap], now_ms: int, burn: int | None = None) -> protocol.Session:
    """A session of the books, with what the daemon's memory adds: warm caches, the caps that hold for it, and how fast it spends
    (`burn`, in picodollars an hour; where there is no daemon, what it spent an hour if it is still at it)."""
    opened = row.opened
    if burn is None:
        age_ms = max(row.last_ms - opened.at_ms, PACE_MS_MIN)
        burn = row.totals.spent_pusd * HOUR_MS // age_ms if now_ms - row.last_ms < PACE_MS else 0
    warm = [one for one in live.warm.values() if one.tokens_at(now_ms)] if live else []
    return protocol.Session(
        id=opened.session,
        title=opened.title,
        client=opened.client,
        parent=opened.parent or None,
        workspace=opened.workspace,
        project=opened.project,
        branch=opened.branch,
        repository=opened.repository,
        started_ms=opened.at_ms,
        last_ms=row.last_ms,
        totals=totals(row.totals),
        burn_pusd_per_hour=burn,
        budget=budget(caps),
        warm=[protocol.Warm(model=one.model, tokens=one.tokens_at(now_ms), until_ms=one.until_ms) for one in warm],
    )


def budget(caps: Sequence[protocol.Cap]) -> protocol.Budget | None:
    """The caps of a session, with the lowest of each scope."""
    if not caps:
        return None
    lowest = {one.scope: one.cap_pusd for one in sorted(caps, key=lambda one: -one.cap_pusd)}
    return protocol.Budget(
        session_pusd=lowest.get("session"),
        project_day_pusd=lowest.get("project"),
        project_month_pusd=lowest.get("project-month"),
        day_pusd=lowest.get("day"),
        month_pusd=lowest.get("month"),
        warn_at=caps[0].warn_at,
        on_limit=caps[0].on_limit,
        caps=list(caps),
    )


def step(row: StepRow, record: bytes | None) -> protocol.Step:
    """One step: the last attempt tells what served it, the stored decision why."""
    serving = _serving(row)
    last = serving[-1]
    reserved, closing = last.reserved, last.closing
    settled = closing if isinstance(closing, Settled) else None
    decision = protocol.Decision.model_validate_json(record) if record else None
    closed = _settled(row)
    usage = settled.usage if settled else None
    return protocol.Step(
        decision=reserved.decision,
        session=row.session,
        at_ms=row.attempts[0].reserved.at_ms,
        kind=settled.kind if settled else reserved.kind,
        predicted=reserved.kind,
        probabilities=decision.probabilities if decision else {},
        floor=tier_name(Tier.of(reserved.floor)),
        floor_source=reserved.floor_source,
        tier=tier_name(Tier.of(reserved.tier)),
        model=reserved.model,
        attempts=[attempt(one) for one in row.attempts],
        usage=protocol.StepUsage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            audio_tokens=usage.audio_tokens,
            web_searches=usage.web_searches,
        )
        if usage
        else None,
        cost_pusd=_cost(closed),
        cost_source=_source(settled) if settled else None,
        cost_confidence=settled.confidence if settled else "",
        cost_low_pusd=settled.low_pusd if settled else None,
        cost_high_pusd=settled.high_pusd if settled else None,
        doubts=list(settled.doubts) if settled else [],
        service=settled.service if settled else "",
        escalated=_was_escalated(closed),
        held_ms=sum(one.held_ms for one in closed),
        because=[*(decision.because if decision else []), *_escalations(serving), *_kept(row)],
    )


def notch(row: StepRow) -> protocol.Notch:
    """One step at a glance, which says what `step` says of it."""
    serving, closed = _serving(row)[-1], _settled(row)
    reserved, closing = serving.reserved, serving.closing
    return protocol.Notch(
        decision=reserved.decision,
        at_ms=row.attempts[0].reserved.at_ms,
        kind=closing.kind if isinstance(closing, Settled) else reserved.kind,
        tier=tier_name(Tier.of(reserved.tier)),
        model=reserved.model,
        cost_pusd=_cost(closed),
        escalated=_was_escalated(closed),
    )


def _serving(row: StepRow) -> Sequence[AttemptRow]:
    """The attempts to serve it. A call that kept a cache alive is paid for by its step, and has not served it."""
    return [one for one in row.attempts if one.reserved.side != KEPT_WARM] or row.attempts


def _settled(row: StepRow) -> Sequence[Settled]:
    return [one.closing for one in row.attempts if isinstance(one.closing, Settled)]


def _cost(closed: Sequence[Settled]) -> int | None:
    """What a step cost, as far as it is closed; None where that is not known."""
    costs = [one.cost_pusd for one in closed]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _was_escalated(closed: Sequence[Settled]) -> bool:
    return any(one.outcome == "escalated" for one in closed)


def _kept(row: StepRow) -> list[str]:
    """Which caches were kept alive after it, and how often."""
    pings = Counter(one.reserved.model for one in row.attempts if isinstance(one.closing, Settled) and one.closing.outcome == KEPT_WARM)
    return [f"the cache of {model} was kept alive {times} x in the pause that followed" for model, times in pings.items()]


def _source(settled: Settled) -> str:
    """Where the cost is from. What nobody bills is called free: it is no sum of dollars."""
    if settled.source == SUBSCRIPTION:
        return SUBSCRIPTION
    free = settled.cost_pusd == 0 and settled.usage.input_tokens > 0 and settled.source != "provider-billed"
    return "free" if free else settled.source


def _escalations(attempts: Sequence[AttemptRow]) -> list[str]:
    """How the gate gave the step from one model to the next."""
    said: list[str] = []
    for one, after in pairwise(attempts):
        if isinstance(one.closing, Settled) and one.closing.outcome == "escalated":
            floor, use = after.reserved.floor, after.reserved.floor_source != SOURCE
            why = f"was of kind {one.closing.kind}, which needs {floor}" if use else f"({one.closing.kind}) was of no use"
            said.append(f"what {one.reserved.model} answered {why}: it was dropped, and {after.reserved.model} was asked")
    return said


def attempt(row: AttemptRow) -> protocol.Attempt:
    closing = row.closing
    match closing:
        case Settled():
            outcome, cost, first, total = closing.outcome, closing.cost_pusd, closing.first_byte_ms, closing.total_ms
        case Voided():
            outcome, cost, first, total = closing.outcome, 0, None, closing.total_ms
        case Lost():
            outcome, cost, first, total = "lost", None, None, None
        case None:
            outcome, cost, first, total = "open", None, None, None
    return protocol.Attempt(
        id=row.reserved.attempt, model=row.reserved.model, outcome=outcome, cost_pusd=cost, first_byte_ms=first, total_ms=total
    )


def decision(value: Decision) -> protocol.Decision:
    return protocol.Decision.model_validate_json(record_of(value))


def problem(value: Problem) -> protocol.Problem:
    severity = "warning" if value.severity == "warning" else "error"
    return protocol.Problem(source=value.source, line=value.line, column=value.column, severity=severity, words=value.words)


def providers(state: State, started_ms: int, now_ms: int) -> list[protocol.ProviderState]:
    """The providers in use; those without a key are left to `doctor`."""
    used = dict.fromkeys(candidate.provider.id for candidate in state.candidates())
    rows: list[protocol.ProviderState] = []
    for name in used:
        health = state.health.get(name)
        if health is not None and health.resting(now_ms):
            rows.append(protocol.ProviderState(id=name, state="resting", since_ms=health.since_ms, why=health.why))
        else:
            rows.append(protocol.ProviderState(id=name, state="ok", since_ms=started_ms))
    return rows


def price_rows(row: PriceRow) -> list[protocol.PriceRow]:
    """A row and its length steps, each with the time in which it holds; then those of its other services."""
    hours = "" if row.hours is None else "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in row.hours)
    return [
        price_row(rates, above_tokens, row.from_ms, hours, service)
        for service, price in (("", row.price), *row.price.services.items())
        for above_tokens, rates in ((0, price.base), *((step.above_tokens, step.rates) for step in price.steps))
    ]


def price_row(rates: Rates, above_tokens: int = 0, from_ms: int = 0, hours: str = "", service: str = "") -> protocol.PriceRow:
    return protocol.PriceRow(
        input=rates.input,
        cache_read=rates.cache_read,
        cache_write=rates.cache_write,
        cache_write_1h=rates.cache_write_1h,
        output=rates.output,
        audio=rates.audio,
        web_search=rates.web_search,
        service=service,
        above_tokens=above_tokens,
        from_ms=from_ms,
        hours=hours,
    )


def tier_name(tier: Tier) -> protocol.TierName:
    names: dict[Tier, protocol.TierName] = {Tier.FRUGAL: "frugal", Tier.BALANCED: "balanced", Tier.PREMIUM: "premium"}
    return names[tier]
