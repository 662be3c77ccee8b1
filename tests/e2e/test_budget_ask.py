"""Real agents whose budget runs out in the middle of a task: each stops with the question as its last words, without asking again and
again, and does the task when the budget is extended."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stepfare.control import protocol
from stepfare.core.money import PUSD_PER_USD
from tests.e2e.agents import (
    AIDER,
    CLASSIC,
    CLAUDE_CODE,
    CLINE,
    CLINE_MESSAGES,
    CLINE_RESPONSES,
    CODEX,
    CONTINUE,
    CONTINUE_MESSAGES,
    CONTINUE_RESPONSES,
    MINI,
    OPENCODE,
    TASK,
    Agent,
    Told,
)
from tests.e2e.desk import Desk, desk_with_providers
from tests.e2e.provider import simulator
from tests.e2e.tasks import BROKEN, FIX_TASK

pytestmark = pytest.mark.e2e

ENOUGH_USD = "100"
ROOM_USD = 0.1
"""A day's budget with room for a look around on a frugal model, and none for an edit on a better one."""
ASKED_IN_WORDS = [
    CLINE,
    CLINE_MESSAGES,
    CLINE_RESPONSES,
    CONTINUE,
    CONTINUE_MESSAGES,
    CONTINUE_RESPONSES,
    CLAUDE_CODE,
    CODEX,
    OPENCODE,
    AIDER,
]
CLINE_UNASKED = replace(CLINE, id="cline-yolo", words=("--json", "--yolo", TASK))
"""It goes on until its model calls a tool that ends the run."""
REFUSED = [CLASSIC, MINI, CLINE_UNASKED]
"""Agents that would take words without an action for a mistake: they are told by an error that they take as final."""
FAMILY = {"claude-code": "anthropic", "cline-messages": "anthropic", "continue-messages": "anthropic"}


def family_of(agent: Agent) -> str:
    return FAMILY.get(agent.id, "openai")


def stopped_requests(desk: Desk) -> list[protocol.Decision]:
    """Every request that a budget stopped: the daemon keeps the decision of each call that arrives."""
    with closing(sqlite3.connect(f"file:{desk.root / 'stepfare' / 'ledger.db'}?mode=ro", uri=True)) as books:
        rows = books.execute("SELECT message FROM decisions ORDER BY row").fetchall()
    decisions = [protocol.Decision.model_validate_json(message) for (message,) in rows]
    return [one for one in decisions if any("Set by config.toml:" in words for words in one.because)]


def connected(desk: Desk, agent: Agent) -> None:
    told = json.loads(desk.stepfare("connect", *agent.connect, "--json"))
    assert [row["changed"] for row in told["clients"]] == [True]


@pytest.mark.parametrize("agent", ASKED_IN_WORDS, ids=lambda agent: agent.id)
def test_an_agent_stops_at_the_question_and_does_its_task_after_an_extension(tmp_path: Path, agent: Agent) -> None:
    budget = f"[budget]\nday_usd = {ROOM_USD}\n"
    with simulator() as provider, desk_with_providers(tmp_path, provider, [family_of(agent)], budget) as desk:
        desk.project(BROKEN)
        connected(desk, agent)
        told = desk.do(agent, FIX_TASK)
        stops = stopped_requests(desk)
        print(agent.id, "exit", told.code, "stopped requests", len(stops), [one.kind for one in stops])
        assert told.code == 0, told
        assert "stepfare budget extend" in told.output, told
        assert 1 <= len(stops) <= 2, told
        assert not desk.tests_pass()
        within_the_cap(desk)
        extended_and_done(desk, agent)


@pytest.mark.parametrize("agent", REFUSED, ids=lambda agent: agent.id)
def test_an_agent_that_must_act_is_refused_once_and_does_its_task_after_an_extension(tmp_path: Path, agent: Agent) -> None:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["openai"], "[budget]\nday_usd = 0.1\n") as desk:
        desk.project(BROKEN)
        connected(desk, agent)
        told = desk.do(agent, FIX_TASK)
        stops = stopped_requests(desk)
        print(agent.id, "exit", told.code, "stopped requests", len(stops), [one.kind for one in stops])
        assert told.code != 124, told
        assert "stepfare budget extend" in told.output + told.errors, told
        assert 1 <= len(stops) <= 2, told
        within_the_cap(desk)
        extended_and_done(desk, agent)


RESUMED = [
    (CLAUDE_CODE, replace(CLAUDE_CODE, words=(*CLAUDE_CODE.words, "--continue"))),
    (CODEX, replace(CODEX, words=(*CODEX.words[:-1], "resume", "--last", TASK))),
]


@pytest.mark.parametrize(("agent", "resumed"), RESUMED, ids=lambda agent: agent.id)
def test_the_very_session_that_was_stopped_goes_on_when_its_question_is_answered(tmp_path: Path, agent: Agent, resumed: Agent) -> None:
    budget = f"[budget]\nsession_usd = {ROOM_USD}\n"
    with simulator() as provider, desk_with_providers(tmp_path, provider, [family_of(agent)], budget) as desk:
        desk.project(BROKEN)
        connected(desk, agent)
        told = desk.do(agent, FIX_TASK)
        assert "stepfare budget extend" in told.output, told
        (stopped,) = stopped_requests(desk)
        added = protocol.Budgets.model_validate_json(desk.stepfare("budget", "extend", "--usd", ENOUGH_USD, "--json"))
        assert [(one.scope, one.subject) for one in added.extensions] == [("session", stopped.session)]
        again = desk.do(resumed, FIX_TASK)
        assert again.code == 0, again
        assert desk.tests_pass(), again
        assert [session.id for session in desk.sessions()] == [stopped.session]
        assert len(stopped_requests(desk)) == 1


def within_the_cap(desk: Desk) -> None:
    told = json.loads(desk.stepfare("budget", "--json"))
    (cap,) = [cap for cap in told["caps"] if cap["scope"] == "day"]
    assert cap["spent_pusd"] + cap["reserved_pusd"] <= cap["cap_pusd"]
    assert cap["source"].startswith("config.toml:")
    assert len(told["questions"]) == 1


def extended_and_done(desk: Desk, agent: Agent) -> Told:
    """By the command that the question names; the second run finishes the task."""
    before = len(stopped_requests(desk))
    told = protocol.Budgets.model_validate_json(desk.stepfare("budget", "extend", "--usd", ENOUGH_USD, "--day", "--json"))
    (cap,) = told.caps
    assert cap.extended_pusd == int(ENOUGH_USD) * PUSD_PER_USD
    assert told.questions == []
    again = desk.do(agent, FIX_TASK)
    assert again.code == 0, again
    assert desk.tests_pass(), again
    assert desk.changed_files() == ["shop/prices.py"]
    assert len(stopped_requests(desk)) == before
    return again
