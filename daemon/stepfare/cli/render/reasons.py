"""A decision as blocks of text: the evidence, the floor, the candidates with their arithmetic, the rejections."""

from __future__ import annotations

from stepfare.cli.render.paint import Block, Cell, Column, Line, Span, Table, line, tier
from stepfare.cli.render.words import chance, clean, count, money, rate
from stepfare.control.protocol import Candidate, Decision, Floor, Rejection

LABEL_WIDTH = 6
CHANCE_SHOWN_MIN = 0.01
REASONS_OF_REJECTION = {
    "below-floor": "below the floor",
    "context": "too small a window",
    "capability": "cannot do it",
    "health": "resting",
    "denied": "denied",
    "budget": "over budget",
    "no-key": "no key",
    "not-chosen": "not listed",
}


def decision(message: Decision) -> list[Block]:
    what = f"Decision {message.id}" if message.id else "Dry run"
    blocks: list[Block] = [
        line(Span(what, "head"), f" of session {message.session}" if message.session else ""),
        line("Served by ", Span(message.chosen, "head"), *_tier_of(message))
        if message.chosen
        else line(Span("Nobody can serve this step.", "bad")),
        line(),
        line(Span("Step", "head"), f"  {message.kind}{_chances(message)}", hang=LABEL_WIDTH),
        _floor(message.floor),
    ]
    if message.gate.on:
        needs = f" an action that needs {message.gate.needs} goes to the next tier" if message.gate.needs else ""
        blocks.append(line(Span("Gate", "head"), f"  held until the action is known;{needs}", hang=LABEL_WIDTH))
    if message.because:
        blocks += [line(), line(Span("Why", "head")), *(line(f"- {clean(words)}", indent=2, hang=4) for words in message.because)]
    if message.candidates:
        blocks += [line(), line(Span("Candidates", "head"), ", cheapest first, with what this step was expected to cost")]
        for number, candidate in enumerate(message.candidates, 1):
            blocks += _candidate(number, candidate)
    if message.rejections:
        blocks += [line(), line(Span("Rejected", "head")), _rejections(message.rejections)]
    return blocks


def _floor(floor: Floor) -> Line:
    return line(Span("Floor", "head"), " ", tier(floor.tier), f", set by {floor.source}: {clean(floor.words)}", hang=LABEL_WIDTH)


def _tier_of(message: Decision) -> tuple[Cell, ...]:
    served = next((candidate.tier for candidate in message.candidates if candidate.model == message.chosen), None)
    return (" (", tier(served), ")") if served else ()


def _chances(message: Decision) -> str:
    likely = sorted(message.probabilities.items(), key=lambda pair: -pair[1])
    said = [f"{kind} {chance(probability)}" for kind, probability in likely if probability >= CHANCE_SHOWN_MIN]
    return f" ({', '.join(said)})" if len(said) > 1 else ""


def _candidate(number: int, candidate: Candidate) -> list[Block]:
    head = line(f"{number}. {candidate.model} (", tier(candidate.tier), f")  {money(candidate.expected_pusd)}", indent=2)
    if not candidate.arithmetic:
        return [head]
    # Without titles: the lines speak for themselves.
    columns = (Column(""), Column("", right=True), Column(""), Column("", right=True), Column(""), Column("", right=True))
    rows = tuple(
        (clean(part.what), f"{count(part.tokens)} tokens", "x", f"{rate(part.rate)}/M", "=", money(part.pusd))
        for part in candidate.arithmetic
    )
    return [head, Table(columns, rows, indent=5)]


def _rejections(rejections: list[Rejection]) -> Table:
    columns = (Column(""), Column(""), Column("", wrap=True))
    return Table(
        columns, tuple((each.model, REASONS_OF_REJECTION.get(each.reason, each.reason), clean(each.words)) for each in rejections), indent=2
    )
