"""Whole tasks over real HTTP, every tool call really carried out: the file changes, the test passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest

from stepfare.simulator.app import running
from stepfare.simulator.options import MARK, MOVES_MAX
from tests.simulator.clients import Agent, ClassicCline, Cline, ClineToTheEnd, Continue, Factory, OnlyBash, ask, shell, text, tool

ARITH = '''"""Small arithmetic helpers."""


def add(a, b):
    return a - b


def scale(values, factor):
    return [value * factor for value in values]
'''
ARITH_TEST = """import unittest

from calc.arith import add, scale


class ArithTest(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 3), 5)

    def test_scale(self):
        self.assertEqual(scale([1, 2], 3), [3, 6])
"""
UNITTEST = {
    "README.md": "# Calc\n\nA tiny calculator.\n",
    "calc/__init__.py": "",
    "calc/arith.py": ARITH,
    "tests/__init__.py": "",
    "tests/test_arith.py": ARITH_TEST,
}
BASKET = """def total(prices):
    result = 0
    for price in prices:
        result += price


def is_free(amount):
    return amount > 50
"""
BASKET_TEST = """from shop.basket import is_free, total


def test_total():
    assert total([1, 2]) == 3


def test_free_from_fifty():
    assert is_free(50)
    assert not is_free(49)
"""
TWO_MISTAKES = {"shop/basket.py": BASKET, "test_basket.py": BASKET_TEST}
SOURCES_APART = {"src/shop/basket.py": BASKET, "tests/unit/test_basket.py": BASKET_TEST}


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


async def played(make: Factory, folder: Path, task: str, **settings: str) -> tuple[Agent, str]:
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = make(base_url, folder)
        for name, value in settings.items():
            setattr(agent, name, value)
        return agent, await agent.work(session, task)


@pytest.mark.parametrize("make", [Cline, ClineToTheEnd, Continue, ClassicCline, OnlyBash])
async def test_each_family_of_tools_fixes_the_failing_test(make: Factory, tmp_path: Path) -> None:
    agent, said = await played(make, project(tmp_path, UNITTEST), "Fix the failing test in this project")
    assert "return a + b" in (tmp_path / "calc/arith.py").read_text()
    code, output = shell("python3 -B -m unittest tests/test_arith.py", tmp_path)
    assert code == 0, output
    tests = [command for command in agent.commands if "unittest" in command]
    assert len(tests) == 2, "once to see it fail, once to see it pass"
    if make is not OnlyBash:
        assert said.startswith(MARK)
        assert "pass now" in said
        assert "-1 != 5" in said, "quotes what failed"


@pytest.mark.parametrize(("make", "missing"), [(Cline, ""), (Continue, "pytest"), (ClassicCline, "pytest")])
async def test_two_mistakes_are_repaired_one_after_the_other_with_pytest_or_without(make: Factory, missing: str, tmp_path: Path) -> None:
    agent, said = await played(make, project(tmp_path, TWO_MISTAKES), "Please make the tests pass", missing=missing)
    code, output = shell("python3 -B -c 'import test_basket as t; t.test_total(); t.test_free_from_fifty()'", tmp_path)
    assert code == 0, output
    assert "return result" in said
    assert "amount >= 50" in said
    assert agent.used.count("editor") + agent.used.count("Edit") + agent.used.count("replace_in_file") == 2


async def test_where_the_sources_lie_apart_it_finds_a_way_to_run_the_tests(tmp_path: Path) -> None:
    agent, said = await played(Continue, project(tmp_path, SOURCES_APART), "Please make the tests pass", missing="pytest")
    assert "pass now" in said
    assert agent.commands[-1].startswith("PYTHONPATH=src python3 -B -c 'import tests.unit.test_basket as t")
    assert len(agent.commands) <= 6


@pytest.mark.parametrize("make", [Cline, Continue, ClassicCline])
async def test_a_question_is_answered_by_quotes_and_changes_nothing(make: Factory, tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    agent, said = await played(make, tmp_path, "Explain what the arith module does")
    assert said.startswith(MARK)
    assert "`calc/arith.py`" in said
    assert "Small arithmetic helpers." in said
    assert "add(a, b)" in said
    assert {path: (tmp_path / path).read_text() for path in UNITTEST} == UNITTEST
    assert not {"editor", "Edit", "Write", "replace_in_file"} & set(agent.used)


async def test_classic_cline_without_a_listing_lists_first_and_ends_by_attempt_completion(tmp_path: Path) -> None:
    agent, _ = await played(ClassicCline, project(tmp_path, UNITTEST), "Explain what the arith module does", lists_files="")
    assert agent.used[0] == "list_files"
    assert agent.used[-1] == "attempt_completion"


async def test_plan_mode_in_classic_cline_ends_with_a_plan_and_no_change(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    agent, said = await played(ClassicCline, tmp_path, "Fix the failing test", mode="PLAN MODE")
    assert agent.used[-1] == "plan_mode_respond"
    assert "`-` between `a` and `b` becomes `+`" in said, "the plan comes from what was read"
    assert (tmp_path / "calc/arith.py").read_text() == UNITTEST["calc/arith.py"]
    assert agent.commands == []


async def test_plan_mode_with_native_tools_ends_with_a_text(tmp_path: Path) -> None:
    system = 'Working directory: {folder}\n<context name="planMode">Only plan.</context>'
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Continue(base_url, tmp_path)
        agent.messages = [{"role": "system", "content": system.format(folder=tmp_path)}]
        project(tmp_path, UNITTEST)
        said = await agent.work(session, "Fix the failing test")
    assert "1. Run `python3 -B -m unittest tests/test_arith.py`" in said
    assert (tmp_path / "calc/arith.py").read_text() == UNITTEST["calc/arith.py"]


async def test_the_end_is_claimed_as_verified_only_where_a_run_passed(tmp_path: Path) -> None:
    good, _ = await played(ClineToTheEnd, project(tmp_path / "good", UNITTEST), "Fix the failing test")
    strange = {
        **UNITTEST,
        "calc/arith.py": "import os\n\n\ndef add(a, b):\n    return os.getpid()\n\n\ndef scale(v, f):\n    return [x * f for x in v]\n",
    }
    bad, _ = await played(ClineToTheEnd, project(tmp_path / "bad", strange), "Fix the failing test")
    assert isinstance(good, ClineToTheEnd)
    assert isinstance(bad, ClineToTheEnd)
    assert good.submitted is not None
    assert bad.submitted is not None
    assert (good.submitted["verified"], bad.submitted["verified"]) == (True, False)
    assert "could not repair" in bad.submitted["summary"]


async def test_what_it_cannot_repair_it_leaves_alone_and_says_so(tmp_path: Path) -> None:
    files = {
        **UNITTEST,
        "calc/arith.py": "def add(a, b):\n    return str(a) + str(b) + 'x' * 7\n\n\ndef scale(v, f):\n    return [x * f for x in v]\n",
    }
    _, said = await played(Continue, project(tmp_path, files), "Fix the failing test")
    assert "could not repair" in said
    assert "I changed nothing" in said
    assert (tmp_path / "calc/arith.py").read_text() == files["calc/arith.py"]


async def test_a_tool_that_is_broken_is_replaced_by_another_way(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Continue(base_url, tmp_path)
        agent.broken = frozenset({"List", "Edit", "Read"})
        said = await agent.work(session, "Fix the failing test")
    assert "pass now" in said
    assert "Write" in agent.used, "where editing fails, it writes the file"
    assert agent.used.count("Edit") == 1, "it does not insist"
    assert "ls -R" in agent.commands


async def test_where_everything_fails_it_ends_soon_and_says_so(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Continue(base_url, tmp_path)
        agent.broken = frozenset({"List", "Edit", "Read", "Write", "Bash"})
        said = await agent.work(session, "Fix the failing test")
    assert said.startswith(MARK)
    assert "changed nothing" in said
    assert len(agent.used) < MOVES_MAX


class Declining(Continue):
    def do(self, name: str, arguments: object) -> str:
        return "The user denied this operation"


async def test_the_human_may_decline(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Declining(base_url, tmp_path)
        said = await agent.work(session, "Fix the failing test")
    assert "declined" in said
    assert len(agent.used) == 1


async def test_a_client_that_allows_one_call_at_a_time_gets_one(tmp_path: Path) -> None:
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Cline(base_url, project(tmp_path, UNITTEST))
        agent.messages.append({"role": "user", "content": "Explain the arith module"})
        many = await ask(session, base_url, agent.body())
        one = await ask(session, base_url, {**agent.body(), "parallel_tool_calls": False})
    assert len(many["tool_calls"]) == 2
    assert len(one["tool_calls"]) == 1


async def test_the_next_move_depends_on_the_request_alone(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Cline(base_url, tmp_path)
        await agent.work(session, "Fix the failing test")
    replayed: list[str] = []
    for index, message in enumerate(agent.messages):
        if message["role"] != "assistant":
            continue
        # A simulator that never saw this session continues it as the other one did.
        async with running() as base_url, aiohttp.ClientSession() as session:
            again = await ask(session, base_url, {**agent.body(), "messages": agent.messages[:index]})
        assert again["content"] == message["content"]
        assert [call["function"] for call in again.get("tool_calls", [])] == [call["function"] for call in message.get("tool_calls", [])]
        replayed.append(again["content"])
    assert len(replayed) >= 6


async def test_a_second_task_in_the_same_conversation_starts_its_own_play(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Continue(base_url, tmp_path)
        await agent.work(session, "Explain what the arith module does")
        said = await agent.work(session, "Now fix the failing test")
    assert "pass now" in said


async def test_the_premium_model_shows_marked_reasoning_and_bears_its_echo(tmp_path: Path) -> None:
    project(tmp_path, UNITTEST)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Continue(base_url, tmp_path, "simulator/premium")
        said = await agent.work(session, "Fix the failing test")
    thoughts = [message["reasoning_content"] for message in agent.messages if message["role"] == "assistant"]
    assert all(thought.startswith(MARK) for thought in thoughts)
    assert "pass now" in said


class Qwen(Continue):
    """Lists the workspace by its absolute path, and marks folders before their names."""

    tools: ClassVar[list[dict[str, Any]]] = [
        tool("list_directory", ["path"], path=text("The absolute path to the directory to list")),
        *(offered for offered in Continue.tools if offered["function"]["name"] != "List"),
    ]

    def do(self, name: str, arguments: dict[str, Any]) -> str:
        if name != "list_directory":
            return super().do(name, arguments)
        rows = [f"[DIR] {item.name}" if item.is_dir() else item.name for item in sorted(Path(arguments["path"]).iterdir())]
        return f"Listed {len(rows)} item(s) in {arguments['path']}:\n---\n" + "\n".join(rows)


async def test_a_listing_by_its_absolute_path_is_the_workspace(tmp_path: Path) -> None:
    agent, said = await played(Qwen, project(tmp_path, UNITTEST), "Fix the failing test")
    assert "pass now" in said
    assert agent.used.count("list_directory") == 3, "the workspace and its two folders, each once"


class Blind(Continue):
    def do(self, name: str, arguments: dict[str, Any]) -> str:
        return "Nothing to see" if name == "List" else super().do(name, arguments)


async def test_a_listing_that_shows_nothing_is_tried_another_way(tmp_path: Path) -> None:
    agent, said = await played(Blind, project(tmp_path, UNITTEST), "Fix the failing test")
    assert "pass now" in said
    assert (agent.used[:2], agent.commands[0]) == (["List", "Bash"], "ls -R")


class Forgetful(Continue):
    """What it reads looks different from every file."""

    def do(self, name: str, arguments: dict[str, Any]) -> str:
        if name == "Bash" and "unittest" in arguments["command"]:
            return "It ran, and nobody knows how."
        return super().do(name, arguments)


async def test_what_leads_nowhere_is_not_repeated_for_ever(tmp_path: Path) -> None:
    agent, said = await played(Forgetful, project(tmp_path, UNITTEST), "Fix the failing test")
    assert "could not run the tests" in said
    assert len(agent.used) < 15
