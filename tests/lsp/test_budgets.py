"""A budget that stops an agent asks in the editor too; what is added there lets the next step go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from stepfare.control.client import find_daemon
from stepfare.control.protocol import Proposal, Question
from stepfare_lsp import present
from tests.lsp.editor import WAIT_S_MAX, editor
from tests.lsp.test_online import House, free_port, stepfare

USD = 1_000_000_000_000


@pytest.fixture
async def house(stepfare_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    """A daemon with a budget that is too small for any step, and a project."""
    monkeypatch.setenv("STEPFARE_PORT", str(free_port()))
    project = tmp_path / "project"
    project.mkdir()
    stepfare_home.mkdir(exist_ok=True)
    (stepfare_home / "config.toml").write_text("[budget]\nsession_usd = 0.01\n[local]\ndiscover = false\n")
    house = House(stepfare_home, project)
    await asyncio.to_thread(stepfare, "serve", "--detach")
    yield house
    if find_daemon(house.paths) is not None:
        stepfare("stop")


async def test_the_editor_asks_and_a_button_lets_the_agent_go_on(house: House) -> None:
    async with editor(house.project) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "simulator")
        shown.answer_with = "Add $2.00"
        answer = await house.step("Explain this project.")
        assert answer["x-stepfare-budget"] == "session reached"
        await shown.until(lambda: shown.questions)
        (question,) = shown.questions
        assert question.message == "An agent waits: the session budget leaves no room for this step."
        assert [action.title for action in question.actions or ()] == ["Add $2.00", "Not now"]
        async with asyncio.timeout(WAIT_S_MAX):
            if not shown.said:
                await shown.client.wait_for_notification(types.WINDOW_SHOW_MESSAGE)
        assert shown.said[-1].startswith("Added $2.00 to the session budget.")
        again = await house.step("Explain this project.")
        assert "x-stepfare-budget" not in again
        assert again["x-stepfare-session"] == answer["x-stepfare-session"]
        assert len(shown.questions) == 1


async def test_the_command_extends_what_is_asked_for_or_named(house: House, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with editor(elsewhere) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "simulator")
        assert await shown.run("extendBudget") is None
        assert "No session waits" in shown.said[-1]
        await house.step("Explain this project.")
        told: dict[str, Any] = await shown.run("extendBudget", {"usd": "1.5"})
        assert told["extensions"][0]["pusd"] == 3 * USD // 2
        answer = await house.step("Explain this project.")
        assert "x-stepfare-budget" not in answer
        told = await shown.run("extendBudget", {"scope": "session", "session": answer["x-stepfare-session"], "usd": 2})
        assert told["caps"][0]["extended_pusd"] == 7 * USD // 2
        assert await shown.run("extendBudget", {"scope": "day", "usd": 2}) is None
        assert "no day budget is set" in shown.said[-1]
        # A question of an agent that works elsewhere is not this editor's.
        assert shown.questions == []


async def test_wrong_arguments_are_an_error(stepfare_home: Path, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [{"scope": "year", "usd": 1}, {"scope": "day"}, {"usd": "much"}, {"usd": -1}, {"usd": True}]
    async with editor(tmp_path, capabilities=types.ClientCapabilities()) as shown:
        for given in wrong:
            with pytest.raises(JsonRpcException, match="extendBudget"):
                await shown.run("extendBudget", given)


def test_two_budgets_that_stand_in_the_way_are_one_question() -> None:
    asked = [Proposal(scope="session", subject="s", pusd=USD), Proposal(scope="day", pusd=5 * USD)]
    question = Question(session="s", client="cline", at_ms=1, words="the session and day budget leaves no room.", proposals=asked)
    assert present.question_line(question) == "cline waits: the session and day budget leaves no room."
    assert present.add_button(question) == "Add $1.00 and $5.00"
    assert present.extended_line(asked).startswith("Added $1.00 to the session budget and $5.00 to the day budget.")
