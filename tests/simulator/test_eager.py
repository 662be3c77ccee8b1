"""Models that edit too early, in the tools of each client: the edit is really carried out, and bears the name of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.core.step import Tier
from stepfare.simulator.app import running
from stepfare.simulator.eager import signature
from stepfare.simulator.options import SimulatorOptions
from stepfare.simulator.reading import own_model
from tests.simulator.clients import ClassicCline, Cline, ClineToTheEnd, Continue, OnlyBash, ask
from tests.simulator.clients_files import Aider
from tests.simulator.clients_messages import ClassicNative, ClaudeCode
from tests.simulator.clients_responses import Codex, CodexCode
from tests.simulator.test_sessions import UNITTEST, project

FIX = "The tests of this project fail. Find out why, fix the code in calc/arith.py, and run the tests until they pass."
EXPLAIN = "Explain what the arith module does. Do not change any file."
SIGNED = signature(own_model("balanced"))
"""What these clients' model signs with; the other two are asked by nobody."""

WITH_TOOLS = (Cline, ClineToTheEnd, Continue, ClassicCline, OnlyBash, ClaudeCode, ClassicNative, Codex, CodexCode)


async def played(make: Any, folder: Path, task: str, eager: Tier, **settings: Any) -> Any:
    async with running(SimulatorOptions(eager=frozenset({eager}))) as base_url, aiohttp.ClientSession() as session:
        agent = make(base_url, project(folder, UNITTEST))
        for name, value in settings.items():
            setattr(agent, name, value)
        await agent.work(session, task)
        return agent


def signed_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py") if SIGNED in path.read_text())


@pytest.mark.parametrize("make", WITH_TOOLS)
async def test_the_edit_lands_in_the_file_before_anything_was_run(make: Any, tmp_path: Path) -> None:
    agent = await played(make, tmp_path, FIX, Tier.BALANCED)
    assert signed_files(tmp_path) == ["calc/arith.py"]
    first = next((index for index, command in enumerate(agent.commands) if "unittest" in command), 0)
    assert all("unittest" not in command for command in agent.commands[:first])


@pytest.mark.parametrize("form", ["blocks", "fenced", "whole", "diff", "patch"])
async def test_it_lands_in_every_form_of_edits_as_text(form: str, tmp_path: Path) -> None:
    async with running(SimulatorOptions(eager=frozenset({Tier.BALANCED}))) as base_url, aiohttp.ClientSession() as session:
        agent = Aider(base_url, project(tmp_path, UNITTEST), "calc/arith.py")
        agent.form = form
        await agent.work(session, FIX)
    assert SIGNED in agent.said[0]
    assert signed_files(tmp_path) == ["calc/arith.py"]


@pytest.mark.parametrize("make", WITH_TOOLS)
async def test_models_of_other_tiers_are_as_patient_as_ever(make: Any, tmp_path: Path) -> None:
    await played(make, tmp_path, FIX, Tier.FRUGAL)
    assert signed_files(tmp_path) == []
    assert "return a + b" in (tmp_path / "calc/arith.py").read_text()


@pytest.mark.parametrize("make", [Cline, ClassicCline, ClaudeCode, Codex])
async def test_who_only_asks_gets_no_edit(make: Any, tmp_path: Path) -> None:
    await played(make, tmp_path, EXPLAIN, Tier.BALANCED)
    assert {path: (tmp_path / path).read_text() for path in UNITTEST} == UNITTEST


async def test_it_looks_around_until_it_can_name_the_file_and_then_edits_alone_or_behind_a_look(tmp_path: Path) -> None:
    made: list[list[tuple[str, bool]]] = []
    async with running(SimulatorOptions(eager=frozenset({Tier.BALANCED}))) as base_url, aiohttp.ClientSession() as session:
        # The patient model's moves are carried out; what the eager one would have done in its place is only written down.
        agent = Cline(base_url, project(tmp_path, UNITTEST), "simulator/premium")
        agent.messages.append({"role": "user", "content": FIX})
        for _ in range(6):
            eager = await ask(session, base_url, {**agent.body(), "model": "simulator/balanced"})
            made.append([(call["function"]["name"], SIGNED in call["function"]["arguments"]) for call in eager["tool_calls"]])
            message = await ask(session, base_url, agent.body())
            agent.messages.append(message)
            for call in message["tool_calls"]:
                result = agent.do(call["function"]["name"], json.loads(call["function"]["arguments"]))
                agent.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    assert made == [
        [("run_commands", False), ("search_codebase", False)],
        # What nobody read yet can only be written anew: by the shell, where no tool does it.
        [("run_commands", True)],
        [("read_files", False), ("run_commands", True)],
        [("run_commands", False)],
        [("editor", True)],
        [("run_commands", False)],
    ]


async def test_one_call_at_a_time_means_the_edit_alone(tmp_path: Path) -> None:
    agent = await played(ClassicNative, tmp_path, FIX, Tier.BALANCED)
    assert all(sum(block["type"] == "tool_use" for block in turn["content"]) <= 1 for turn in agent.messages if turn["role"] == "assistant")
    assert signed_files(tmp_path) == ["calc/arith.py"]
