"""What was spent, as blocks of text: the overview, the list of sessions, one session step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from stepfare.cli.render.budget import agent, standing
from stepfare.cli.render.paint import Block, Cell, Column, Line, Span, Table, line, tier
from stepfare.cli.render.words import ago, clean, count, counted, lasting, money, share, short_path
from stepfare.control import protocol
from stepfare.control.protocol import Overview, Session, SessionDetail, Step, Totals

LABEL_WIDTH = 10
OVERVIEW_SESSIONS_MAX = 8
TIERS: tuple[protocol.TierName, ...] = ("frugal", "balanced", "premium")
PLAY_MONEY = "Simulator: no provider key was found, so a built-in simulator answers and nothing real is paid. All sums are play money."
UNBILLED = ("free", "subscription")
SIMULATED = "simulator/"
"""How the names of models begin that are none."""
NO_SESSIONS = "No sessions yet. Point a coding agent at the daemon: `stepfare connect --list` shows how."

OUTCOMES = {
    "ok": "",
    "open": "",
    "cut": "the answer broke off",
    "hang-up": "the client hung up",
    "busy": "was busy",
    "down": "was down",
    "slow": "was too slow",
    "refused": "refused the request",
    "overflow": "found the prompt too long",
    "key": "did not take the key",
    "lost": "was lost when the daemon died",
}
"""How an attempt ended, in words that follow the model's name."""


def overview(message: Overview, address: str, now_ms: int) -> list[Block]:
    """The state of the daemon: mode, today's spend, providers, problems, the latest sessions."""
    blocks: list[Block] = [
        line(Span(f"stepfare {message.version}", "head"), f" on {address}, up {lasting(max(0, now_ms - message.started_ms))}"),
    ]
    if message.mode == "simulator":
        blocks.append(line(Span(PLAY_MONEY, "warn")))
    blocks.append(line())
    blocks.extend(_labelled("Today", spend(message.today)))
    blocks.extend(_labelled("Tiers", [_tiers(message.today)] if message.today.by_tier else []))
    blocks.extend(_labelled("Budget", [standing(cap) for cap in message.budgets]))
    blocks.extend(_labelled("Asks", [_asks(question) for question in message.questions]))
    blocks.extend(_labelled("Providers", [_provider(provider, now_ms) for provider in message.providers]))
    blocks.extend(_labelled("Problems", [problem_line(problem) for problem in message.problems]))
    blocks.append(line())
    blocks.extend(sessions(message.sessions[:OVERVIEW_SESSIONS_MAX], now_ms))
    if len(message.sessions) > OVERVIEW_SESSIONS_MAX:
        blocks.append(line(Span("More: `stepfare sessions`", "dim")))
    return blocks


def sessions(messages: Sequence[Session], now_ms: int) -> list[Block]:
    if not messages:
        return [line(NO_SESSIONS)]
    columns = (
        Column("SESSION"),
        Column("LAST STEP"),
        Column("STEPS", right=True),
        Column("SPENT", right=True),
        Column("AGENT", spare=True),
        Column("PROJECT", spare=True),
        Column("TITLE", wrap=True),
    )
    rows = tuple(
        (
            session.id,
            ago(session.last_ms, now_ms),
            count(session.totals.steps),
            _played(session.totals) + spent(session.totals),
            clean(session.client),
            _name(session.project or session.workspace),
            clean(session.title),
        )
        for session in messages
    )
    return [Table(columns, rows)]


def session(message: SessionDetail, now_ms: int) -> list[Block]:
    one = message.session
    blocks: list[Block] = [line(Span(f"Session {one.id}", "head"), f": {title}" if (title := clean(one.title)) else "")]
    where = short_path(one.workspace) + (f" ({clean(one.branch)})" if one.branch else "")
    agent = clean(one.client) or "an unknown agent"
    times = f"started {ago(one.started_ms, now_ms)}, last step {ago(one.last_ms, now_ms)}"
    blocks.append(line(f"{agent}{f' in {where}' if where else ''}, {times}"))
    if one.parent:
        blocks.append(line(f"Part of session {one.parent}"))
    blocks.append(line())
    spend_lines = spend(one.totals)
    if one.family:
        others = counted(len(one.family.sessions) - 1, "other session")
        spend_lines.append((f"{spent(one.family.totals)} together with {others} of its task",))
    if one.burn_pusd_per_hour:
        spend_lines.append((f"{money(one.burn_pusd_per_hour)} an hour at its pace of late",))
    blocks.extend(_labelled("Spent", spend_lines))
    blocks.extend(_labelled("Budget", _budget(one)))
    blocks.extend(_labelled("Pinned", [(tier(one.pin), " for the whole session")] if one.pin else []))
    blocks.extend(_labelled("Prompt", _prompt(one.totals)))
    warm = [warm for warm in one.warm if warm.until_ms > now_ms]
    blocks.extend(
        _labelled("Warm", [(f"{each.model}: {counted(each.tokens, 'token')} for {lasting(each.until_ms - now_ms)} more",) for each in warm])
    )
    blocks.append(line())
    if not message.steps:
        return [*blocks, line("No steps yet.")]
    return [
        *blocks,
        _steps(message.steps),
        line(),
        line(Span(f"Why a step got its model: `stepfare explain {one.id}:{len(message.steps)}`", "dim")),
    ]


def spend(totals: Totals) -> list[tuple[Cell, ...]]:
    """What a total says, a sentence each: spent, what it would have been, what is open, what was lost."""
    lines: list[tuple[Cell, ...]] = [(Span(spent(totals), "head"), f" for {counted(totals.steps, 'step')}", _unpriced(totals))]
    if played_pusd := play_pusd(totals):
        share_of_it = "all" if played_pusd == totals.spent_pusd else money(played_pusd)
        lines.append((Span(f"{share_of_it} of it is the simulator's play money", "warn"),))
    compared = [
        _against(totals.spent_pusd, what, name)
        for what, name in ((totals.always_premium_pusd, "always premium"), (totals.always_balanced_pusd, "always balanced"))
        if what and what != totals.spent_pusd
    ]
    if compared:
        lines.append((", ".join(compared),))
    if totals.switch_writes_pusd:
        lines.append((f"{money(totals.switch_writes_pusd)} of it rewrote caches because the model changed",))
    if totals.reserved_pusd:
        lines.append((f"{money(totals.reserved_pusd)} at most for answers still under way",))
    if totals.lost_pusd:
        lines.append((f"{money(totals.lost_pusd)} at most, lost sight of when the daemon died",))
    return lines


def spent(totals: Totals) -> str:
    """The sum that is known. Steps without a price alone make no sum: they are unpriced, never $0. What nobody bills by tokens is none."""
    if totals.steps and totals.unpriced_steps == totals.steps and not totals.spent_pusd:
        return money(None)
    return totals.unbilled or money(totals.spent_pusd)


def problem_line(problem: protocol.Problem) -> tuple[Cell, ...]:
    place = f":{problem.line}:{problem.column}" if problem.line and problem.column else f":{problem.line}" if problem.line else ""
    return (
        Span(problem.severity, "bad" if problem.severity == "error" else "warn"),
        f" {short_path(problem.source)}{place}: {clean(problem.words)}",
    )


def _name(folder: str) -> str:
    """A folder by its last name: lists are for recognising, the session's own page has the whole path."""
    return clean(PurePath(folder).name)


def _against(spent_pusd: int, would_be_pusd: int, name: str) -> str:
    saved_pusd = would_be_pusd - spent_pusd
    if saved_pusd < 0:
        # Said as plainly as a saving: whoever reads this may want to change the profile.
        return f"{money(-saved_pusd)} more than {name}"
    return f"{money(saved_pusd)} ({share(saved_pusd, would_be_pusd)}) less than {name}"


def play_pusd(totals: Totals) -> int:
    return sum(bucket.spent_pusd for model, bucket in totals.by_model.items() if model.startswith(SIMULATED))


def _played(totals: Totals) -> str:
    """Marks sums with play money in them, where a list has no room for a sentence."""
    return "play " if play_pusd(totals) else ""


def _unpriced(totals: Totals) -> Cell:
    some = totals.unpriced_steps > 0 and spent(totals) != money(None)
    return Span(f", {count(totals.unpriced_steps)} of them without a known price", "warn") if some else ""


def _tiers(totals: Totals) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    for name in TIERS:
        if bucket := totals.by_tier.get(name):
            steps = counted(bucket.steps, "step")
            sums = f" {steps}" if totals.unbilled else f" {money(bucket.spent_pusd)} ({steps})"
            cells += [", " if cells else "", tier(name), sums]
    return tuple(cells)


def _provider(provider: protocol.ProviderState, now_ms: int) -> tuple[Cell, ...]:
    style = {"ok": "ok", "no-key": "dim"}.get(provider.state, "warn")
    since = f" for {lasting(now_ms - provider.since_ms)}" if provider.state == "resting" and now_ms > provider.since_ms else ""
    return (f"{provider.id} ", Span(provider.state, style), since, f": {clean(provider.why)}" if provider.why else "")


def _budget(one: Session) -> list[tuple[Cell, ...]]:
    return [standing(cap) for cap in one.budget.caps] if one.budget is not None else []


def _asks(question: protocol.Question) -> tuple[Cell, ...]:
    return (Span(clean(question.words), "warn"), f" {agent(question.client)} waits: `stepfare budget extend`")


def _prompt(totals: Totals) -> list[tuple[Cell, ...]]:
    if not totals.input_tokens:
        return []
    read = share(totals.cache_read_tokens, totals.input_tokens)
    return [(f"{counted(totals.input_tokens, 'token')} in, {read} of them read from caches; {counted(totals.output_tokens, 'token')} out",)]


def _steps(steps: Sequence[Step]) -> Table:
    columns = (
        Column("#", right=True),
        Column("KIND"),
        Column("TIER"),
        Column("MODEL", shrink=True),
        Column("IN", right=True, spare=True),
        Column("CACHED", right=True, spare=True),
        Column("OUT", right=True, spare=True),
        Column("COST", right=True),
        Column("WHY", wrap=True),
    )
    return Table(columns, tuple(_step(number, step) for number, step in enumerate(steps, 1)))


def _step(number: int, step: Step) -> tuple[Cell, ...]:
    usage = step.usage
    tokens = ("", "", "") if usage is None else tuple(count(n) for n in (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens))
    return (str(number), step.kind, tier(step.tier), step.model or "", *tokens, cost(step), _why(step))


def cost(step: Step) -> Cell:
    """What a step cost: `~` where it was estimated; `open` while nobody can know, `lost` where nobody ever will."""
    if step.cost_source in UNBILLED and not step.cost_pusd:
        return str(step.cost_source)
    if step.cost_pusd is not None:
        return ("~" if step.cost_source == "estimated" else "") + money(step.cost_pusd)
    if step.usage is not None:
        return Span(money(None), "warn")
    outcomes = [attempt.outcome for attempt in step.attempts]
    if "lost" in outcomes:
        return Span("lost", "bad")
    # Attempts that ended without usage were refused or never sent: nobody billed them.
    return "open" if not outcomes or "open" in outcomes else "none"


def _why(step: Step) -> str:
    parts = [f"{step.predicted} was foreseen"] if step.predicted != step.kind else []
    parts.extend(step.because[:1])
    if step.escalated:
        parts.append("the first answer needed a better model and was taken back")
    parts.extend(_troubles(step))
    return clean("; ".join(parts))


def _troubles(step: Step) -> Iterable[str]:
    for attempt in step.attempts:
        if words := OUTCOMES.get(attempt.outcome, attempt.outcome):
            yield words if attempt.outcome in ("cut", "hang-up") else f"{attempt.model} {words}"


def _labelled(label: str, lines: Sequence[tuple[Cell, ...]]) -> list[Line]:
    """Lines under one label at the left, the label on the first only."""
    return [line((label if at == 0 else "").ljust(LABEL_WIDTH), *cells, hang=LABEL_WIDTH) for at, cells in enumerate(lines)]
