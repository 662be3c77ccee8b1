"""Budgets as blocks of text: how each cap stands, what was added, and what waits for an answer."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.cli.render.paint import Block, Cell, Column, Span, Table, line
from stepfare.cli.render.words import ago, clean, money, share, short_path
from stepfare.control.protocol import Budgets, Cap, Proposal, Question

SESSIONS_SHOWN = 5
AT_LIMIT = {"ask": "asks", "frugal": "goes on with frugal models", "stop": "refuses"}
NAMES = {
    "session": "a session",
    "project": "a day in a project",
    "project-month": "a month in a project",
    "day": "a day",
    "month": "a month",
    "team": "a month of the team",
}
NONE = "No budget is set. `stepfare budget set --day 10` sets one; a project's own stand in its .stepfare.toml, under [budget]."


def budgets(message: Budgets, now_ms: int) -> list[Block]:
    if not message.caps:
        return [line(NONE)]
    of_sessions = [cap for cap in message.caps if cap.scope == "session"]
    shown = [cap for cap in message.caps if cap.scope != "session"] + of_sessions[:SESSIONS_SHOWN]
    columns = (
        Column("BUDGET OF"),
        Column("CAP", right=True),
        Column("SPENT", right=True),
        Column("RESERVED", right=True),
        Column("LEFT", right=True),
        Column("AN HOUR", right=True, spare=True),
        Column("AT THE CAP", spare=True),
        Column("SET BY", wrap=True),
    )
    blocks: list[Block] = [Table(columns, tuple(_cap(cap) for cap in shown))]
    if len(of_sessions) > SESSIONS_SHOWN:
        blocks.append(line(Span("More sessions: `stepfare budget --session ID`", "dim")))
    for question in message.questions:
        blocks += [line(), *_question(question, now_ms)]
    if message.extensions:
        blocks += [line(), line(Span("Added this month", "head"))]
        blocks += [
            line(f"{money(one.pusd)} to the {one.scope} budget{_whose(one.subject)}, {ago(one.at_ms, now_ms)} ({clean(one.by)})", indent=2)
            for one in message.extensions
        ]
    return blocks


def added(proposals: Sequence[Proposal]) -> list[Block]:
    lines: list[Block] = [line(Span(f"Added {money(one.pusd)} to the {one.scope} budget{_whose(one.subject)}.", "ok")) for one in proposals]
    return [*lines, line("A session that was stopped goes on with its next message."), line()]


def standing(cap: Cap) -> tuple[Cell, ...]:
    """One cap as a sentence, for the page of something else."""
    more = f", {money(cap.extended_pusd)} of it added" if cap.extended_pusd else ""
    reserved = f", {money(cap.reserved_pusd)} reserved" if cap.reserved_pusd else ""
    style = "bad" if not cap.left_pusd else "warn" if cap.warned else ""
    said = f"{money(cap.spent_pusd)} of {money(cap.cap_pusd)} {NAMES.get(cap.scope, cap.scope)}"
    return (Span(said, style) if style else said, f"{reserved}{more} ({short_path(cap.source)})")


def agent(client: str) -> str:
    return "An agent" if client in ("", "unknown") else clean(client)


def _cap(cap: Cap) -> tuple[Cell, ...]:
    folder = short_path(cap.subject)
    whose = {
        "session": cap.subject,
        "project": f"{folder} today",
        "project-month": f"{folder} this month",
        "day": "today",
        "month": "this month",
        "team": "the team this month",
    }
    used = share(cap.spent_pusd, cap.cap_pusd)
    style = "bad" if not cap.left_pusd else "warn" if cap.warned else ""
    more = f", {money(cap.extended_pusd)} added" if cap.extended_pusd else ""
    spent = f"{money(cap.spent_pusd)} ({used})"
    return (
        clean(whose.get(cap.scope, cap.scope)),
        money(cap.cap_pusd),
        Span(spent, style) if style else spent,
        money(cap.reserved_pusd),
        money(cap.left_pusd),
        money(cap.burn_pusd_per_hour) if not cap.scope.startswith("project") else "",
        AT_LIMIT[cap.on_limit],
        f"{short_path(cap.source)}{more}",
    )


def _question(question: Question, now_ms: int) -> list[Block]:
    who = agent(question.client)
    sums = " and ".join(f"{money(one.pusd)} more for the {one.scope} budget{_whose(one.subject)}" for one in question.proposals)
    return [
        line(Span(f"{who} waits", "warn"), f" (asked {ago(question.at_ms, now_ms)}): {clean(question.words)}"),
        line(f"`stepfare budget extend` adds {sums}.", indent=2),
    ]


def _whose(subject: str) -> str:
    return f" of {short_path(clean(subject))}" if subject else ""
