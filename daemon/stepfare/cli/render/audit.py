"""The audit's verdict as blocks of text: whether routing helped, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

from stepfare.cli.render.paint import Block, Column, Span, Table, line
from stepfare.cli.render.replay import dollars, percent
from stepfare.cli.render.words import counted
from stepfare.control.protocol import Audit, Share

VERDICTS: Mapping[str, tuple[str, str]] = {
    "helped": ("Routing helped", "ok"),
    "did not help": ("Routing did not help", "bad"),
    "no evidence": ("No evidence that routing helped", "warn"),
}
SESSIONS_SHOWN_MAX = 10


def audit(message: Audit) -> list[Block]:
    words, style = VERDICTS[message.verdict]
    blocks: list[Block] = [
        line(Span(words, style), f": {message.because}."),
        line(f"{counted(len(message.sessions), 'session')}, {counted(message.steps, 'step')}."),
    ]
    if message.left_out:
        blocks.append(line(f"{counted(message.left_out, 'session')} left out: too little is known of what they used."))
    rows = (
        ("as it was routed", dollars(message.routed_usd), "", ""),
        ("the balanced model alone", dollars(message.always_balanced_usd), _saved(message.saved), "of which was saved"),
        ("the premium model alone", dollars(message.always_premium_usd), _saved(message.saved_of_premium), "of which was saved"),
        ("the same tiers, dealt at random", dollars(message.shuffled_usd), _saved(message.beside_chance), "of balanced dearer than routed"),
    )
    blocks += [line(), Table((Column("BY THE COST MODEL"), Column("COST", right=True), Column("", right=True), Column("")), rows)]
    if message.booked_usd is not None:
        blocks += [line(), line(f"The books say {dollars(message.booked_usd)}.")]
    return [*blocks, line(), line(Span("The dearest beside balanced", "head")), _dearest(message)]


def _dearest(message: Audit) -> Table:
    columns = (
        Column("SESSION"),
        Column("AGENT"),
        Column("STEPS", right=True),
        Column("ROUTED", right=True),
        Column("BALANCED", right=True),
        Column("", right=True),
    )
    dearest = sorted(message.sessions, key=lambda one: one.always_balanced_usd - one.routed_usd)[:SESSIONS_SHOWN_MAX]
    return Table(
        columns,
        tuple(
            (
                one.id,
                one.agent,
                str(one.steps),
                dollars(one.routed_usd),
                dollars(one.always_balanced_usd),
                percent(one.routed_usd / one.always_balanced_usd if one.always_balanced_usd else None),
            )
            for one in dearest
        ),
    )


def _saved(share: Share) -> str:
    return f"{100 * share.share:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
