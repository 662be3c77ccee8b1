"""Real coding agents do real tasks through the real daemon, against the simulator that plays a model over real HTTP.

Each test has a home, a project and a daemon of its own; the agent is set up by `stepfare connect` alone. What the books say is held against
what the agent itself counted and against what became of the files.
"""

from __future__ import annotations

import json

import pytest

from stepfare.control import protocol
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
    Agent,
)
from tests.e2e.bookkeeping import booked, done
from tests.e2e.desk import Desk
from tests.e2e.tasks import BROKEN, EXPLAIN_TASK, FIX_TASK, WHOLE

pytestmark = pytest.mark.e2e

AGENTS = [
    *(CLINE, CLINE_MESSAGES, CLINE_RESPONSES, CLASSIC),
    *(CONTINUE, CONTINUE_MESSAGES, CONTINUE_RESPONSES),
    *(CLAUDE_CODE, CODEX, OPENCODE, AIDER, MINI),
]


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.id)
def test_a_question_about_the_code_is_answered_on_frugal_models(desk: Desk, agent: Agent) -> None:
    desk.project(WHOLE)
    told = done(desk, agent, EXPLAIN_TASK)
    detail = booked(desk, agent, told)
    assert desk.changed_files() == []
    assert "total" in told.final
    kinds = [step.kind for step in detail.steps]
    if agent.has_tools:
        assert {"explore", "summarize"} <= set(kinds) <= {"explore", "summarize", "run", "side"}
        assert kinds[-1] == "summarize"
    else:
        assert set(kinds) == {"answer"}
    _reads_are_frugal(agent, detail)
    _settings_go_back(desk, agent)


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.id)
def test_failing_tests_are_mended_and_the_books_say_how(desk: Desk, agent: Agent) -> None:
    desk.project(BROKEN)
    assert not desk.tests_pass()
    told = done(desk, agent, FIX_TASK)
    assert desk.tests_pass(), told
    assert desk.changed_files() == ["shop/prices.py"]
    detail = booked(desk, agent, told)
    kinds = [step.kind for step in detail.steps]
    if agent.has_tools:
        assert {"explore", "edit", "run", "summarize"} <= set(kinds) <= {"explore", "edit", "run", "recover", "summarize", "side"}
        assert kinds[-1] == "summarize"
    else:
        assert {"edit", "side"} <= set(kinds) <= {"answer", "edit", "side"}
    _reads_are_frugal(agent, detail)
    # An edit after repeated failures is called recover.
    edits = [step for step in detail.steps if step.kind in ("edit", "recover")]
    assert {step.tier for step in edits} == {"balanced"}
    if agent.has_tools:
        assert len(edits) >= 2


def test_two_tasks_with_the_same_words_are_two_sessions(desk: Desk) -> None:
    desk.project(WHOLE)
    first = done(desk, CONTINUE, EXPLAIN_TASK)
    second = desk.do(CONTINUE, EXPLAIN_TASK)
    assert second.code == 0, second
    sessions = desk.sessions()
    assert [session.totals.steps for session in sessions] == [second.calls, first.calls]


def _reads_are_frugal(agent: Agent, detail: protocol.SessionDetail) -> None:
    """Looking around is served by frugal models. Of an agent that is left alone with a shell nobody can foretell when it will edit."""
    reads = [step.tier for step in detail.steps if step.kind == "explore"]
    assert set(reads[:1] if agent is MINI else reads) <= {"frugal"}


def _settings_go_back(desk: Desk, agent: Agent) -> None:
    """There were no settings before. Of a file that the agent itself wrote into since, only our values go."""
    gone = json.loads(desk.stepfare("disconnect", agent.connect[0], "--json"))
    outcomes = [file["outcome"] for file in gone["clients"][0]["files"]]
    assert outcomes == (["cleaned", "removed"] if agent is CLASSIC else ["removed"] * len(outcomes))
    token = desk.token
    left = [path for path in desk.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert left == []
