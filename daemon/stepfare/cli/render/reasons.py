"""A decision as blocks of text: the evidence, the floors, the gate's plan, the candidates with their arithmetic, the rejections."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.cli.render.paint import Block, Cell, Column, Line, Span, Table, line, tier
from stepfare.cli.render.words import chance, clean, count, lasting, money, money_like, rate
from stepfare.control.protocol import Candidate, Contribution, Decision, Floor, Gate, Rejection, TierName

LABEL_WIDTH = 7
CHANCE_SHOWN_MIN = 0.01
CONTRIBUTIONS_SHOWN = 4
"""Of those that speak for an edit, and of those that speak against one."""
CONTRIBUTION_SHOWN_MIN = 0.05
HELD = "; held until its action is known"
"""How a floor goes on that is enough to begin with."""
REASONS_OF_REJECTION = {
    "below-floor": "below the floor",
    "context": "too small a window",
    "capability": "cannot do it",
    "format": "cannot be told",
    "health": "resting",
    "denied": "denied",
    "budget": "over budget",
    "no-key": "no key",
    "not-chosen": "not listed",
}


def decision(message: Decision) -> list[Block]:
    what = f"Decision {message.id}" if message.id else "Dry run"
    served = "Served by " if message.id else "Would be served by "
    blocks: list[Block] = [
        line(Span(what, "head"), f" of session {message.session}" if message.session else ""),
        line(served, Span(message.chosen, "head"), *_tier_of(message))
        if message.chosen
        else line(Span("Nobody can serve this step.", "bad")),
        line(),
        _labelled("Step", f"{message.kind}{_chances(message)}"),
        *_evidence(message.contributions),
        _labelled("Floor", tier(message.floor.tier), f", set by {message.floor.source}: {clean(_floor_words(message))}"),
        *_gate(message.gate, message.floors),
    ]
    reasons = [words for words in message.because if words != message.floor.words]
    if reasons:
        blocks += [line(), line(Span("Why", "head")), *(line(f"- {clean(words)}", indent=2, hang=4) for words in reasons)]
    if len({(one.tier, one.source) for one in message.floors.values()}) > 1:
        blocks += [line(), line(Span("Floors", "head"), ", by what the turn turns out to be"), _floors(message.floors)]
    if message.candidates:
        blocks += [
            line(),
            line(Span("Candidates", "head"), ", the first choice first, with what this step was expected to cost (tokens x price)"),
        ]
        for number, candidate in enumerate(message.candidates, 1):
            blocks += _candidate(number, candidate)
    if message.rejections:
        blocks += [line(), line(Span("Rejected", "head")), _rejections(message.rejections)]
    return blocks


def _floor_words(message: Decision) -> str:
    """Without what the gate's own line tells."""
    return message.floor.words.partition(HELD)[0] if message.gate.on else message.floor.words


def _labelled(label: str, *cells: Cell) -> Line:
    return line(Span(label.ljust(LABEL_WIDTH), "head"), *cells, hang=LABEL_WIDTH)


def _tier_of(message: Decision) -> tuple[Cell, ...]:
    served = next((candidate.tier for candidate in message.candidates if candidate.model == message.chosen), None)
    return (" (", tier(served), ")") if served else ()


def _chances(message: Decision) -> str:
    likely = sorted(message.probabilities.items(), key=lambda pair: -pair[1])
    said = [f"{kind} {chance(probability)}" for kind, probability in likely if probability >= CHANCE_SHOWN_MIN]
    return f" ({', '.join(said)})" if len(said) > 1 else ""


def _evidence(contributions: Sequence[Contribution]) -> list[Block]:
    """What spoke for an edit and what against one, in log-odds."""
    told = [one for one in contributions if abs(one.log_odds) >= CONTRIBUTION_SHOWN_MIN]
    sides = (("For an edit: ", [one for one in told if one.log_odds > 0]), ("Against one: ", [one for one in told if one.log_odds < 0]))
    return [
        line(label, ", ".join(f"{clean(one.words)} {one.log_odds:+.1f}" for one in side[:CONTRIBUTIONS_SHOWN]), indent=LABEL_WIDTH)
        for label, side in sides
        if side
    ]


def _gate(gate: Gate, floors: dict[str, Floor]) -> list[Block]:
    if not gate.on:
        return [_labelled("Gate", "off: the answer passes as it comes")] if floors else []
    needs = f"; an edit needs {gate.needs}" if gate.needs else ""
    return [_labelled("Gate", f"a lower model's answer is held, {lasting(gate.hold_ms)} at most, until its action is known{needs}")]


def _floors(floors: dict[str, Floor]) -> Table:
    """Each floor once, with the kinds of turns that it holds for, and who says so."""
    kinds: dict[tuple[TierName, str], list[str]] = {}
    for kind, floor in floors.items():
        kinds.setdefault((floor.tier, _whose(kind, floor)), []).append(kind)
    columns = (Column(""), Column(""), Column("", wrap=True))
    rows = sorted(kinds.items(), key=lambda row: _TIERS.index(row[0][0]))
    return Table(columns, tuple((tier(name), ", ".join(of), clean(words)) for (name, words), of in rows), indent=2)


_TIERS: tuple[TierName, ...] = ("frugal", "balanced", "premium")


def _whose(kind: str, floor: Floor) -> str:
    """Who set this floor, in words that are the same for all kinds that a profile names."""
    return floor.words.removesuffix(f": {kind} is {floor.tier}")


def _candidate(number: int, candidate: Candidate) -> list[Block]:
    head = line(f"{number}. {candidate.model} (", tier(candidate.tier), f")  {money(candidate.expected_pusd)}", indent=2)
    if not candidate.arithmetic:
        return [head]
    # Without titles: the lines speak for themselves. All sums of a candidate have as many digits, so that the eye can add them.
    columns = (Column("", shrink=True), Column("", right=True), Column(""), Column("", right=True), Column(""), Column("", right=True))
    largest = max(abs(part.pusd) for part in candidate.arithmetic)
    rows = tuple(
        (
            clean(part.what),
            count(part.tokens) if part.tokens else "",
            "x" if part.tokens else "",
            f"{rate(part.rate)}/M" if part.tokens else "",
            "-" if part.pusd < 0 else "+" if place else "",
            money_like(abs(part.pusd), largest),
        )
        for place, part in enumerate(candidate.arithmetic)
    )
    return [head, Table(columns, rows, indent=5)]


def _rejections(rejections: list[Rejection]) -> Table:
    columns = (Column(""), Column(""), Column("", wrap=True))
    return Table(
        columns, tuple((each.model, REASONS_OF_REJECTION.get(each.reason, each.reason), clean(each.words)) for each in rejections), indent=2
    )
