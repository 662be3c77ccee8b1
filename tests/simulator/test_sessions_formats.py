"""Whole tasks in Anthropic Messages and OpenAI Responses, every call really carried out, in the shapes in which agents send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.simulator.app import running
from stepfare.simulator.options import MARK
from tests.simulator.clients import shell
from tests.simulator.clients_messages import ClassicNative, ClaudeCode, MessagesAgent
from tests.simulator.clients_responses import Codex, CodexCode
from tests.simulator.test_sessions import UNITTEST, project

TWICE = {
    **UNITTEST,
    "calc/arith.py": UNITTEST["calc/arith.py"].replace("value * factor for", "value + factor for"),
}
FIX = "The tests of this project fail. Find out why, fix the code, and run the tests until they pass."
EXPLAIN = "Explain what the arith module does. Do not change any file."


async def played(make: Any, folder: Path, task: str, **settings: Any) -> tuple[Any, str]:
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = make(base_url, folder)
        for name, value in settings.items():
            setattr(agent, name, value)
        return agent, await agent.work(session, task)


EDITS = {ClaudeCode: "Edit", ClassicNative: "replace_in_file", Codex: "exec_command", CodexCode: "exec"}


@pytest.mark.parametrize("make", list(EDITS))
async def test_each_agent_mends_two_places_and_runs_the_tests_until_they_pass(make: type[Any], tmp_path: Path) -> None:
    agent, said = await played(make, project(tmp_path, TWICE), FIX)
    code, output = shell("python3 -B -m unittest", tmp_path)
    assert code == 0, output
    assert said.startswith(f"{MARK}The tests pass now.")
    assert len([command for command in agent.commands if "unittest" in command]) == 3
    assert EDITS[make] in agent.used
    assert not any("cat >" in command for command in agent.commands), "it edits, and writes nothing anew"
    if isinstance(agent, Codex):
        assert agent.patched == 2


@pytest.mark.parametrize("make", list(EDITS))
async def test_each_agent_answers_a_question_and_changes_nothing(make: type[Any], tmp_path: Path) -> None:
    _, said = await played(make, project(tmp_path, TWICE), EXPLAIN)
    assert "`add(a, b)`" in said
    assert "changed nothing" not in said, "nobody asked for a change"
    assert all((tmp_path / name).read_text() == text for name, text in TWICE.items())


async def test_a_placeholder_is_never_called_even_where_a_call_is_insisted_on(tmp_path: Path) -> None:
    class Insisting(ClaudeCode):
        more = {"tool_choice": {"type": "any"}}  # noqa: RUF012
        tools = [offered for offered in ClaudeCode.tools if offered["name"] in ("DeferredToolPlaceholder", "ToolSearch")]  # noqa: RUF012

    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Insisting(base_url, tmp_path)
        agent.begin("Hello!")
        content = await agent.ask(session)
    assert [block["name"] for block in content if block["type"] == "tool_use"] == ["ToolSearch"]


async def test_counts_of_tokens_beside_results_are_no_part_of_a_file(tmp_path: Path) -> None:
    agent, said = await played(ClaudeCode, project(tmp_path, TWICE), FIX, reminders=True)
    assert "pass now" in said
    assert agent.used.count("Edit") == 2


async def test_plan_mode_told_by_a_system_message_ends_with_a_plan(tmp_path: Path) -> None:
    agent, said = await played(ClaudeCode, project(tmp_path, TWICE), FIX, plan="Plan mode is active. Do not execute yet.")
    assert "1. Run `python3 -B -m unittest" in said
    assert set(agent.used) == {"Bash", "Read"}
    assert not any("unittest" in command for command in agent.commands)


async def test_once_plan_mode_is_over_the_work_begins(tmp_path: Path) -> None:
    plan = "Plan mode is active. Do not execute yet.\n\n## Exited Plan Mode\n\nYou have exited plan mode."
    _, said = await played(ClaudeCode, project(tmp_path, TWICE), FIX, plan=plan)
    assert "pass now" in said


async def test_a_tool_for_structured_output_ends_the_task(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"summary": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["summary", "count"],
    }
    offered = {"name": "StructuredOutput", "description": "Return the answer", "input_schema": schema}
    project(tmp_path, TWICE)

    class Structured(ClaudeCode):
        tools = [*ClaudeCode.tools, offered]  # noqa: RUF012

        def tell(self, calls: list[dict[str, Any]]) -> str:
            return json.dumps(calls[0]["input"]) if calls[0]["name"] == "StructuredOutput" else super().tell(calls)

    _, said = await played(Structured, tmp_path, EXPLAIN)
    assert json.loads(said)["summary"].startswith(MARK)
    assert json.loads(said)["count"] == 1


@pytest.mark.parametrize("make", [Codex, CodexCode])
async def test_where_patches_fail_the_file_is_written(make: type[Any], tmp_path: Path) -> None:
    agent, said = await played(make, project(tmp_path, TWICE), FIX, patches_fail=True)
    assert "pass now" in said
    assert agent.patched == 0
    assert sum("cat > calc/arith.py" in command for command in agent.commands) == 2


async def test_a_form_for_the_answer_is_kept_beside_tools(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"], "additionalProperties": False}

    class Formal(Codex):
        def body(self) -> dict[str, Any]:
            return {**super().body(), "text": {"format": {"type": "json_schema", "name": "out", "strict": True, "schema": schema}}}

    agent, said = await played(Formal, project(tmp_path, TWICE), EXPLAIN)
    assert json.loads(said)["summary"].startswith(MARK)
    assert agent.used, "it looked before it answered"


async def test_classic_cline_with_native_tools_gets_one_call_a_turn(tmp_path: Path) -> None:
    agent, _ = await played(ClassicNative, project(tmp_path, TWICE), FIX)
    turns = [message for message in agent.messages if message["role"] == "assistant"]
    assert all(sum(block["type"] == "tool_use" for block in turn["content"]) == 1 for turn in turns)


async def test_after_a_compaction_the_task_goes_on_from_the_summary(tmp_path: Path) -> None:
    project(tmp_path, TWICE)
    async with running() as base_url, aiohttp.ClientSession() as session:
        first = ClaudeCode(base_url, tmp_path)
        first.begin(FIX)
        await first.ask(session)
        asked = "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools. Your task is to create a detailed summary of the conversation."
        first.messages[-1]["content"] = [block for block in first.messages[-1]["content"] if block["type"] == "text"]
        first.messages.append({"role": "user", "content": asked})
        (told,) = [block["text"] for block in await first.ask(session) if block["type"] == "text"]
        second = ClaudeCode(base_url, tmp_path)
        said = await second.work(
            session, f"This session is being continued from a previous conversation that ran out of context.\n\n{told}"
        )
    assert "pass now" in said


async def test_a_cut_answer_is_resumed_within_its_task(tmp_path: Path) -> None:
    project(tmp_path, TWICE)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent: MessagesAgent = ClaudeCode(base_url, tmp_path)
        agent.begin(FIX)
        calls = [block for block in await agent.ask(session) if block["type"] == "tool_use"]
        agent.tell(calls)
        cut = "Your response above was cut off mid-stream. Resume directly from where it stopped."
        agent.messages[-1]["content"].append({"type": "text", "text": cut})
        content = await agent.ask(session)
    assert next(block["name"] for block in content if block["type"] == "tool_use") == "Read", "it does not begin again"
