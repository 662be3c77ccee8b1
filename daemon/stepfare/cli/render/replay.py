"""What another policy would have cost, as blocks of text: a table for each price set, and of what the gap to the optimum is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line, tier
from stepfare.cli.render.words import count, counted, money
from stepfare.control.protocol import Replay, ReplayedStep, ReplayFigures
from stepfare.core.money import PUSD_PER_USD

POLICIES: Mapping[str, str] = {
    "planner": "The daemon's own planner",
    "gate": "The gate alone (frugal first, asked again where an edit needs more)",
    "touch": "The gate, and a warm balanced cache used before it dies",
    "frugal": "Always the frugal model",
    "balanced": "Always the balanced model",
    "premium": "Always the premium model",
    "optimum": "The cheapest way that there was",
}
SETS: Mapping[str, str] = {
    "A": "A: Opus 5.5, Sonnet 5.5, Haiku 5.5",
    "C": "C: Opus 4.8, Sonnet 4.6, Haiku 4.5",
    "O": "O: GPT-5.6 sol, terra, luna",
    "catalogue": "Your own models and prices",
}
LIFETIMES: Mapping[str, str] = {
    "5m": "caches opened for five minutes",
    "1h": "caches opened for an hour",
    "free": "caches opened for five minutes or an hour",
}
PARTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("probes",), "answers asked in vain"),
    (("expired",), "writing again what had expired"),
    # Which of two models meets a text first is chance: what counts is that each of them has to write it once.
    (("new", "carried"), "writing what a model had not held before"),
    (("reads",), "reading caches"),
    (("output",), "output"),
    (("kept",), "keeping caches alive in pauses"),
)
"""Of what costs are made, in words."""
POINTS_SHOWN_MIN = 0.05
ROUND_FROM_USD = 100


def replay(message: Replay) -> list[Block]:
    floors = "edits need it, all else frugal" if message.floors == "edits" else "each kind by the profile"
    joined = ", rows of one call joined" if message.merged else ""
    blocks: list[Block] = [
        line(Span(POLICIES[message.policy], "head"), f", profile {message.profile} ({floors}), {LIFETIMES[message.lifetime]}{joined}")
    ]
    if message.left_out:
        blocks.append(line(f"{counted(message.left_out, 'session')} left out: too little is known of what they used."))
    for name, groups in message.sets.items():
        blocks += [line(), line(Span(SETS[name], "head")), _table(groups), *_notes(groups)]
        for title, beside in (
            ("Without calls that keep caches alive", message.without_pings),
            (f"With {LIFETIMES['free']}", message.lifetimes_free),
        ):
            if name in beside:
                blocks += [line(f"{title}:", indent=2), *_beside(beside[name])]
        if name in message.steps:
            blocks += [line(), _steps(message.steps[name])]
    return blocks


def _table(groups: Mapping[str, ReplayFigures]) -> Table:
    titles = ("SESSIONS", "STEPS", "PREMIUM", "BALANCED", "FRUGAL", "THIS", "", "OPTIMUM", "WORST", ">1.02")
    rows = tuple(
        (
            name,
            count(one.sessions),
            count(one.steps),
            _round(one.always_premium_usd),
            _round(one.always_balanced_usd),
            _round(one.always_frugal_usd),
            _round(one.policy_usd),
            percent(one.share_of_balanced),
            percent(one.optimum_share),
            "" if one.worst_session is None else f"{one.worst_session:.2f}",
            count(one.sessions_above_102),
        )
        for name, one in groups.items()
    )
    return Table((Column("", shrink=True), *(Column(title, right=True) for title in titles)), rows)


def _steps(steps: Sequence[ReplayedStep]) -> Table:
    booked = any(one.booked_usd is not None for one in steps)
    titles = [Column("STEP", right=True), Column("KIND"), Column("NEEDS"), Column("SERVED BY"), Column("COST", right=True)]
    more = [Column("REALLY"), Column("PAID", right=True)] if booked else []
    rows: list[tuple[Cell, ...]] = []
    for number, one in enumerate(steps, 1):
        asked = " after " + ", ".join(one.probes) if one.probes else ""
        row: tuple[Cell, ...] = (str(number), one.kind, tier(one.needs), f"{one.model}{asked}", dollars(one.usd))
        paid = "" if one.booked_usd is None else dollars(one.booked_usd)
        rows.append((*row, tier(one.booked_tier), paid) if booked else row)
    return Table((*titles, *more), tuple(rows))


def _notes(groups: Mapping[str, ReplayFigures]) -> Iterable[Block]:
    for name, one in groups.items():
        edits = "no edit below its floor" if not one.edits_below_floor else f"{counted(one.edits_below_floor, 'edit')} below their floor"
        said = [
            f"{counted(one.escalations, 'answer')} asked in vain",
            *([f"{counted(one.pings, 'call')} to keep caches alive"] if one.pings else []),
            edits,
            f"{dollars(one.switch_writes_usd)} for writes because the model changed",
        ]
        if one.sessions_above_102:
            said.append(f"{100 * one.excess_share:.3f} % of the spend above 1.02 x balanced")
        if one.booked_usd is not None:
            said.append(f"really paid {dollars(one.booked_usd)}")
        yield line(Span(name, "head"), ": ", "; ".join(said) + ".", indent=2, hang=4)
        if gap := _gap(one):
            yield line(gap, indent=4, hang=4)


def _gap(one: ReplayFigures) -> str:
    """Of what the distance to the optimum is made, in points of always-balanced."""
    if not one.always_balanced_usd or not one.policy_parts_usd:
        return ""
    mine, best = one.policy_parts_usd, one.optimum_parts_usd
    points = [(100 * sum(mine[name] - best[name] for name in names) / one.always_balanced_usd, words) for names, words in PARTS]
    whole = sum(gap for gap, _ in points)
    if abs(whole) < POINTS_SHOWN_MIN:
        return ""
    # The optimum foresees every step, and makes no call between two of them.
    where = f"{whole:.1f} points above" if whole > 0 else f"{-whole:.1f} points below"
    shown = sorted((pair for pair in points if abs(pair[0]) >= POINTS_SHOWN_MIN), reverse=True)
    return (
        f"{where} the optimum{' of such as keep nothing alive' if one.pings else ''}: "
        + ", ".join(f"{gap:+.1f} {words}" for gap, words in shown)
        + "."
    )


def _beside(groups: Mapping[str, ReplayFigures]) -> Iterable[Block]:
    for name, one in groups.items():
        yield line(f"{name}: {dollars(one.policy_usd)} ({percent(one.share_of_balanced)}), optimum {percent(one.optimum_share)}", indent=4)


def dollars(usd: float) -> str:
    """A sum of a message, as sums are shown."""
    return money(round(Decimal(str(usd)) * PUSD_PER_USD))


def _round(usd: float) -> str:
    """A sum in a table of many: whole dollars from a hundred on."""
    return f"${round(usd):,}" if usd >= ROUND_FROM_USD else dollars(usd)


def percent(share: float | None) -> str:
    """A share with one digit; nothing where there is none."""
    return "" if share is None else f"{100 * share:.1f} %"
