"""What the daemon says as Markdown: a status bar's tooltip, and a page each for a session and a decision. Text in, text out.

Titles and reasons quote what people and models wrote, so nothing of them may become a link, a command or markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from stepfare.control.protocol import Cap, Decision, Overview, Session, SessionDetail, Step, Totals
from stepfare_lsp.present import PLAY_MONEY, against, clean, family_words, money, rate, spent, steps

STEPS_SHOWN_MAX = 1_000
"""Of a very long session the newest so many; the rest is summed up."""
TITLE_CHARS_MAX = 120

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$&-])")


def plain(text: str) -> str:
    """The text on one line, with no meaning to Markdown."""
    escaped = _MARKUP.sub(r"\\\1", clean(text))
    # Bare addresses are made links of as well.
    return escaped.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def title_of(session: Session) -> str:
    return clean(session.title)[:TITLE_CHARS_MAX] or session.id


def tooltip(session: Session | None, overview: Overview) -> str:
    """What a person wants to know who looks at the status bar: the session, its tiers, its pace, what was saved, how its caps stand."""
    parts = [*(_session_lines(session) if session else []), f"Today: {spent(overview.today)} in {steps(overview.today.steps)}"]
    if overview.mode == "simulator":
        parts.append(f"The simulator serves: {PLAY_MONEY}. No provider has a key.")
    return "\n\n".join(parts)


def session_tooltip(session: Session) -> str:
    return "\n\n".join(_session_lines(session))


def _session_lines(session: Session) -> list[str]:
    head = f"**{plain(title_of(session))}**" + (f" ({plain(session.client)})" if session.client not in ("", "unknown") else "")
    tiers = [f"- {tier}: {steps(bucket.steps)}, {money(bucket.spent_pusd)}" for tier, bucket in session.totals.by_tier.items()]
    pace = [f"{money(session.burn_pusd_per_hour)} an hour"] if session.burn_pusd_per_hour else []
    pin = [f"Pinned: {session.pin} or better"] if session.pin else []
    lines = [
        head,
        f"{spent(session.totals)} in {steps(session.totals.steps)}",
        family_words(session),
        "\n".join(tiers),
        *pace,
        saved(session.totals),
        *pin,
    ]
    return [line for line in [*lines, *(cap_line(cap) for cap in _caps(session))] if line]


def saved(totals: Totals) -> str:
    """Against the two baselines; nothing where neither is known."""
    return ", ".join(against(totals, "balanced", "premium"))


def cap_line(cap: Cap) -> str:
    used = cap.spent_pusd + cap.reserved_pusd
    return f"{cap.scope.capitalize()} budget: {money(used)} of {money(cap.cap_pusd)}, {money(cap.left_pusd)} left"


def _caps(session: Session) -> Sequence[Cap]:
    return session.budget.caps if session.budget else ()


def session_page(detail: SessionDetail, mode: str = "") -> str:
    """A session from its first step to its last, each with who served it, what it cost and why."""
    session = detail.session
    shown = detail.steps[-STEPS_SHOWN_MAX:]
    left_out = len(detail.steps) - len(shown)
    return "\n".join(
        [
            f"# {plain(title_of(session))}",
            "",
            *_facts(
                ("Session", f"`{session.id}`"),
                ("Client", plain(session.client)),
                ("Folder", plain(session.workspace)),
                ("Branch", plain(session.branch)),
                ("Began", _time(session.started_ms)),
                ("Last step", _time(session.last_ms)),
                ("Cost", f"{spent(session.totals)} in {steps(session.totals.steps)}" + (f" ({PLAY_MONEY})" if mode == "simulator" else "")),
                ("In all", family_words(session)),
                ("Saved", saved(session.totals)),
                ("Reserved", money(session.totals.reserved_pusd) if session.totals.reserved_pusd else ""),
                ("Pace", f"{money(session.burn_pusd_per_hour)} an hour" if session.burn_pusd_per_hour else ""),
                ("Pin", session.pin or ""),
                *((f"{cap.scope.capitalize()} budget", cap_line(cap).partition(": ")[2]) for cap in _caps(session)),
                ("Warm", ", ".join(f"{plain(one.model)} ({one.tokens:,} tokens)" for one in session.warm)),
            ),
            "",
            "| tier | steps | cost |",
            "|---|---:|---:|",
            *(f"| {tier} | {bucket.steps:,} | {money(bucket.spent_pusd)} |" for tier, bucket in session.totals.by_tier.items()),
            "",
            "## Steps",
            "",
            *([f"The first {left_out:,} steps are left out.", ""] if left_out else []),
            "| # | time (UTC) | kind | floor | served by | cost | why |",
            "|---:|---|---|---|---|---:|---|",
            *(_step_row(left_out + number, step) for number, step in enumerate(shown, 1)),
            "",
        ]
    )


def _step_row(number: int, step: Step) -> str:
    served = f"{step.tier}: {plain(step.model)}" if step.tier and step.model else "nobody yet"
    also = f" (attempt {len(step.attempts)})" if len(step.attempts) > 1 else ""
    reasons = plain("; ".join(step.because))
    return f"| {number} | {_time(step.at_ms)} | {step.kind} | {step.floor} | {served}{also} | {cost_of(step)} | {reasons} |"


def cost_of(step: Step) -> str:
    """A step's cost in words: known, not known, or not yet."""
    if step.cost_pusd is not None:
        return money(step.cost_pusd)
    return "open" if is_open(step) else "unpriced"


def is_open(step: Step) -> bool:
    return step.cost_source is None and any(one.outcome == "open" for one in step.attempts)


def decision_page(decision: Decision) -> str:
    """Why a step went where it went: the reasons, the floors, what each candidate was expected to cost, who was rejected."""
    name = decision.id or "dry run"
    chances = sorted(decision.probabilities.items(), key=lambda item: -item[1])
    gate = f"an answer is held until its action is known; an edit needs {decision.gate.needs}" if decision.gate.on else ""
    return "\n".join(
        [
            f"# Why {plain(decision.chosen or 'nobody')} served this step",
            "",
            *_facts(
                ("Decision", f"`{name}`"),
                ("Session", f"`{decision.session}`"),
                ("Kind", decision.kind),
                ("Floor", f"{decision.floor.tier} ({plain(decision.floor.source)})"),
                ("Gate", gate),
            ),
            "",
            *(f"* {plain(reason)}" for reason in decision.because),
            "",
            "## What the turn might be",
            "",
            "| kind | chance | floor | because |",
            "|---|---:|---|---|",
            *(f"| {kind} | {chance:.1%} | {_floor_cells(decision, kind)} |" for kind, chance in chances),
            "",
            "## Candidates, cheapest first",
            "",
            "| model | tier | expected | what for |",
            "|---|---|---:|---|",
            *(
                f"| {plain(one.model)} | {one.tier} | {'unpriced' if one.expected_pusd is None else money(one.expected_pusd)} "
                f"| {plain('; '.join(f'{line.what}: {line.tokens:,} tokens at {rate(line.rate)}' for line in one.arithmetic))} |"
                for one in decision.candidates
            ),
            "",
            *_rejections(decision),
        ]
    )


def _floor_cells(decision: Decision, kind: str) -> str:
    floor = decision.floors.get(kind)
    return f"{floor.tier} | {plain(floor.source)}" if floor else " | "


def _rejections(decision: Decision) -> Iterable[str]:
    if decision.rejections:
        yield from ("## Rejected", "")
        yield from (f"* {plain(one.model)}: {plain(one.words)}" for one in decision.rejections)
        yield ""


def _facts(*facts: tuple[str, str]) -> Iterable[str]:
    return (f"* {name}: {value}" for name, value in facts if value)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
