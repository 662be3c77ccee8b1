"""What the daemon's books must say of a run, held against what the agent itself counted and against a provider's own bill."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from stepfare.control import protocol
from tests.e2e.agents import Agent, Told
from tests.e2e.desk import Desk
from tests.e2e.provider import Simulator


def done(desk: Desk, agent: Agent, task: str) -> Told:
    """The agent, connected by the one command that a person would give, has done the task to its end."""
    told_of = json.loads(desk.stepfare("connect", *agent.connect, "--json"))
    assert [row["changed"] for row in told_of["clients"]] == [True]
    told = desk.do(agent, task)
    assert told.code == 0, told
    assert told.calls >= 2, told
    assert told.final, told
    return told


def booked(desk: Desk, agent: Agent, told: Told) -> protocol.SessionDetail:
    """The one session that the books hold, once it is seen to be whole: every call a step, every step explained, every cost summed."""
    sessions = desk.sessions()
    assert [session.client for session in sessions] == [agent.books], told
    session = sessions[0]
    assert session.totals.steps == told.calls, told
    assert session.project == (str(desk.folder) if agent.says_where else ""), told
    detail = desk.session(session.id)
    assert len(detail.steps) == told.calls
    assert all(step.cost_pusd is not None and step.cost_source in ("provider-billed", "usage-priced") for step in detail.steps)
    assert sum(step.cost_pusd or 0 for step in detail.steps) == detail.session.totals.spent_pusd > 0
    assert (detail.session.totals.reserved_pusd, detail.session.totals.lost_pusd) == (0, 0)
    for step in detail.steps:
        decision = desk.explain(step.decision)
        assert (decision.session, decision.chosen) == (session.id, step.attempts[0].model)
        assert step.model == step.attempts[-1].model
        assert step.model in {candidate.model for candidate in decision.candidates}
        assert decision.because
        assert decision.floor.words
    assert desk.stepfare("ledger", "verify")
    return detail


def as_billed(desk: Desk, simulator: Simulator) -> None:
    """Every call of the provider's bill is an entry of the books with the same model, tokens and price, and there is no other entry.

    What an answer that was broken off had cost by then is not always told: the books then hold an estimate, and the bill lies within
    its bounds."""
    entries, bill = desk.ledger(), simulator.bill()
    models = {entry["attempt"]: entry["model"] for entry in entries if entry["phase"] == "reserved"}
    settled = [{"model": models[entry["attempt"]], **entry} for entry in entries if entry["phase"] == "settled"]
    assert [(line["outcome"], line["fault"]) for line in bill if line["outcome"] not in ("ok", "cancelled")] == []
    assert len(settled) == len(models) == len(bill)
    shown = Counter(_line(row) for row in settled if row["outcome"] == "ok")
    others = [line for line in bill if not _taken(shown, _line(line))]
    assert not +shown
    for row, line in zip((row for row in settled if row["outcome"] != "ok"), others, strict=True):
        bounds = [row[name] if row[name] is not None else row["cost_pusd"] for name in ("low_pusd", "high_pusd")]
        low, high = cast("list[int]", bounds)
        assert (row["outcome"], row["model"]) == ("escalated", line["model"])
        assert low <= cast(int, line["cost_pusd"]) <= high, (row, line)


def _taken(left: Counter[str], line: str) -> bool:
    """Whether one of these was left, and is now taken."""
    left[line] -= 1
    return left[line] >= 0


def _line(row: Mapping[str, object]) -> str:
    return json.dumps([row["model"], row["cost_pusd"], row["usage"]], sort_keys=True)


def families_of(detail: protocol.SessionDetail) -> Sequence[str]:
    """The providers that served, each once, in order of their first step."""
    return list(dict.fromkeys((step.model or "").partition("/")[0] for step in detail.steps))
