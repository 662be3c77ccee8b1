"""Real coding agents do real tasks through the real daemon, against the simulator that plays a model over real HTTP.

Each test has a home, a project and a daemon of its own; the agent is set up by `stepfare connect` alone. What the books say is held against
what the agent itself counted and against what became of the files.
"""

from __future__ import annotations

import json

import pytest

from stepfare.control import protocol
from tests.e2e.agents import CLASSIC, CLINE, CONTINUE, Agent, Told
from tests.e2e.desk import Desk

pytestmark = pytest.mark.e2e

EXPLAIN_TASK = "Read this project and explain to me what the function total in shop/prices.py does. Do not change any file."
FIX_TASK = "The tests of this project fail. Find out why, fix the code in shop/prices.py, and run the tests until they pass."

PRICES = '''"""What a basket costs."""


def total(amounts):
    """The sum of all amounts."""
    result = 0
    for amount in amounts:
        result = result + amount
    return result


def discounted(price, percent):
    """The price after taking off so many percent."""
    return price - price * percent / 100


def is_free_of_postage(price, limit):
    """Whether the price reaches the limit."""
    return price >= limit
'''
# Two slips in two places: one edit is not enough, so that a second edit follows a first.
BROKEN_PRICES = PRICES.replace("result + amount", "result - amount").replace("price >= limit", "price > limit")
TESTS = """import unittest

from shop.prices import discounted, is_free_of_postage, total


class PricesTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total([1, 2, 3]), 6)
        self.assertEqual(total([]), 0)

    def test_discounted(self):
        self.assertEqual(discounted(200, 10), 180)

    def test_postage(self):
        self.assertTrue(is_free_of_postage(50, 50))
        self.assertFalse(is_free_of_postage(49, 50))


if __name__ == "__main__":
    unittest.main()
"""
AROUND = {
    "README.md": "# shop\n\nA small shop. Run the tests with `python3 -m unittest`.\n",
    "shop/__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_prices.py": TESTS,
}
WHOLE = {**AROUND, "shop/prices.py": PRICES}
BROKEN = {**AROUND, "shop/prices.py": BROKEN_PRICES}


@pytest.mark.parametrize("agent", [CLINE, CONTINUE, CLASSIC], ids=lambda agent: agent.id)
def test_a_question_about_the_code_is_answered_on_frugal_models(desk: Desk, agent: Agent) -> None:
    desk.project(WHOLE)
    told = _done(desk, agent, EXPLAIN_TASK)
    detail = _booked(desk, agent, told)
    assert desk.changed_files() == []
    assert "total" in told.final
    kinds = [step.kind for step in detail.steps]
    assert set(kinds) == {"explore", "summarize"}
    assert kinds[-1] == "summarize"
    _reads_are_frugal(detail)
    _settings_go_back(desk, agent)


@pytest.mark.parametrize("agent", [CLINE, CONTINUE, CLASSIC], ids=lambda agent: agent.id)
def test_failing_tests_are_mended_and_the_books_say_how(desk: Desk, agent: Agent) -> None:
    desk.project(BROKEN)
    assert not desk.tests_pass()
    told = _done(desk, agent, FIX_TASK)
    assert desk.tests_pass(), told
    assert desk.changed_files() == ["shop/prices.py"]
    detail = _booked(desk, agent, told)
    kinds = [step.kind for step in detail.steps]
    assert {"explore", "edit", "run", "summarize"} <= set(kinds) <= {"explore", "edit", "run", "recover", "summarize"}
    assert kinds[-1] == "summarize"
    _reads_are_frugal(detail)
    # An edit after repeated failures is called recover. The first edit cannot be foreseen; those that follow one get a better model.
    edits = [step for step in detail.steps if step.kind in ("edit", "recover")]
    assert len(edits) >= 2
    assert [step.tier for step in edits[1:]] == ["balanced"] * (len(edits) - 1)


def test_two_tasks_with_the_same_words_are_two_sessions(desk: Desk) -> None:
    desk.project(WHOLE)
    first = _done(desk, CONTINUE, EXPLAIN_TASK)
    second = desk.do(CONTINUE, EXPLAIN_TASK)
    assert second.code == 0, second
    sessions = desk.sessions()
    assert [session.totals.steps for session in sessions] == [second.calls, first.calls]


def _reads_are_frugal(detail: protocol.SessionDetail) -> None:
    """Looking around is served by frugal models."""
    assert {step.tier for step in detail.steps if step.kind == "explore"} == {"frugal"}


def _settings_go_back(desk: Desk, agent: Agent) -> None:
    """There were no settings before. Of a file that the agent itself wrote into since, only our values go."""
    token = desk.stepfare("token").strip()
    gone = json.loads(desk.stepfare("disconnect", agent.client, "--json"))
    outcomes = [file["outcome"] for file in gone["clients"][0]["files"]]
    assert outcomes == (["cleaned", "removed"] if agent is CLASSIC else ["removed"])
    left = [path for path in desk.home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert left == []


def _done(desk: Desk, agent: Agent, task: str) -> Told:
    """The agent, connected by the one command that a person would give, has done the task to its end."""
    told_of = json.loads(desk.stepfare("connect", agent.client if agent is not CLINE else "cline3", "--json"))
    assert [row["changed"] for row in told_of["clients"]] == [True]
    told = desk.do(agent, task)
    assert told.code == 0, told
    assert told.calls >= 2, told
    assert told.final, told
    return told


def _booked(desk: Desk, agent: Agent, told: Told) -> protocol.SessionDetail:
    """The one session that the books hold, once it is seen to be whole: every call a step, every step explained, every cost summed."""
    sessions = desk.sessions()
    assert [session.client for session in sessions] == [agent.id], told
    session = sessions[0]
    assert (session.totals.steps, session.project) == (told.calls, str(desk.folder)), told
    detail = desk.session(session.id)
    assert len(detail.steps) == told.calls
    assert all(step.cost_pusd is not None and step.cost_source in ("provider-billed", "usage-priced") for step in detail.steps)
    assert sum(step.cost_pusd or 0 for step in detail.steps) == detail.session.totals.spent_pusd > 0
    assert (detail.session.totals.reserved_pusd, detail.session.totals.lost_pusd) == (0, 0)
    for step in detail.steps:
        decision = desk.explain(step.decision)
        assert (decision.session, decision.chosen) == (session.id, step.model)
        assert decision.because
        assert decision.floor.words
    assert desk.stepfare("ledger", "verify")
    return detail
