"""Chats about files without tools, as aider holds them, with every answer really applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stepfare.simulator.app import running
from stepfare.simulator.options import MARK
from tests.simulator.clients import shell
from tests.simulator.clients_files import Aider
from tests.simulator.test_sessions import UNITTEST, project
from tests.simulator.test_sessions_formats import TWICE

FIX = "The tests of this project fail. Find out why, fix the code in calc/arith.py, and run the tests until they pass."
EXPLAIN = "Read this project and explain to me what the function add in calc/arith.py does. Do not change any file."
TESTS = "python3 -B -m unittest"


async def chatted(folder: Path, task: str, *shown: str, **settings: Any) -> tuple[Aider, str]:
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Aider(base_url, folder, *shown)
        for name, value in settings.items():
            setattr(agent, name, value)
        return agent, await agent.work(session, task)


@pytest.mark.parametrize("form", ["blocks", "fenced", "whole", "diff", "patch"])
async def test_two_places_are_mended_in_every_form_of_edits(form: str, tmp_path: Path) -> None:
    agent, said = await chatted(project(tmp_path, TWICE), FIX, "calc/arith.py", form=form)
    code, output = shell(TESTS, tmp_path)
    assert code == 0, output
    assert agent.said[0].startswith(MARK)
    assert agent.said[0].endswith("*add these files to the chat*:\n\ntests/test_arith.py"), "edits need evidence: the tests"
    assert len(agent.said) == 2
    assert MARK in said
    assert "test_add would hold" in said
    assert all((tmp_path / name).read_text() == text for name, text in TWICE.items() if name != "calc/arith.py")


async def test_where_nothing_is_shown_it_asks_for_the_code_and_the_tests_at_once(tmp_path: Path) -> None:
    agent, _ = await chatted(project(tmp_path, TWICE), FIX)
    assert agent.said[0].splitlines()[2:] == ["calc/arith.py", "tests/test_arith.py"]
    assert shell(TESTS, tmp_path)[0] == 0


async def test_code_that_only_the_tests_name_is_asked_for_next(tmp_path: Path) -> None:
    agent, _ = await chatted(project(tmp_path, TWICE), "Please make the tests pass")
    assert [said.splitlines()[2:] for said in agent.said[:2]] == [["tests/test_arith.py"], ["calc/arith.py"]]
    assert shell(TESTS, tmp_path)[0] == 0


@pytest.mark.parametrize("fence", ["````", "<source>"])
async def test_the_fence_is_the_one_that_the_client_uses(fence: str, tmp_path: Path) -> None:
    await chatted(project(tmp_path, TWICE), FIX, "calc/arith.py", "tests/test_arith.py", form="blocks", fence=fence)
    assert shell(TESTS, tmp_path)[0] == 0


async def test_a_command_to_see_it_pass_is_suggested_where_that_is_welcome(tmp_path: Path) -> None:
    _, blocks = await chatted(project(tmp_path / "a", TWICE), FIX, "calc/arith.py", form="blocks")
    _, whole = await chatted(project(tmp_path / "b", TWICE), FIX, "calc/arith.py", form="whole")
    assert blocks.endswith("```bash\npython3 -B -m unittest tests/test_arith.py\n```")
    assert "```bash" not in whole


async def test_a_question_is_answered_without_any_edit_and_names_no_file_that_is_not_there(tmp_path: Path) -> None:
    agent, said = await chatted(project(tmp_path, TWICE), EXPLAIN, "calc/arith.py", form="whole")
    assert "`add(a, b)`" in said
    assert len(agent.said) == 2, "asks once for what else seems to matter; the answer must not draw in more"
    assert agent.edited == []
    assert "```" not in said


async def test_files_that_are_refused_are_not_asked_for_again(tmp_path: Path) -> None:
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Aider(base_url, project(tmp_path, TWICE), "calc/arith.py")
        agent.adds_files = False
        first = await agent.work(session, FIX)
        agent.told[-1:] += [{"role": "user", "content": "I added these files to the chat: README.md"}]
        agent.shown.append("README.md")
        second = (await agent.work(session, "I updated the files."))[len(MARK) :]
    assert "*add these files to the chat*" in first
    assert second == "I know how to repair small mistakes in Python only, and was shown no Python test. I changed nothing."


async def test_what_a_run_shows_failing_is_mended_and_no_more(tmp_path: Path) -> None:
    project(tmp_path, TWICE)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Aider(base_url, tmp_path, "calc/arith.py", "tests/test_arith.py")
        agent.told = [{"role": "user", "content": "Look at the arith module"}, {"role": "assistant", "content": "Ok."}]
        output = shell(f"{TESTS} tests.test_arith.ArithTest.test_scale", tmp_path)[1]
        said = await agent.work(session, f"I ran this command:\n\n{TESTS}\n\nAnd got this output:\n\n{output}")
    assert "test_scale would hold" in said
    assert agent.edited == ["calc/arith.py"]
    assert "FAILED (failures=1)" in shell(TESTS, tmp_path)[1]


async def test_tests_that_the_client_runs_on_its_own_end_the_chat_once_they_pass(tmp_path: Path) -> None:
    agent, _ = await chatted(project(tmp_path, TWICE), FIX, "calc/arith.py", "tests/test_arith.py", test_command=TESTS)
    assert len(agent.said) == 1
    assert shell(TESTS, tmp_path)[0] == 0


async def test_edits_that_did_not_fit_are_not_insisted_on(tmp_path: Path) -> None:
    project(tmp_path, TWICE)
    async with running() as base_url, aiohttp.ClientSession() as session:
        agent = Aider(base_url, tmp_path, "calc/arith.py", "tests/test_arith.py")
        agent.told = [{"role": "user", "content": FIX}, {"role": "assistant", "content": "..."}]
        said = await agent.work(session, "# 1 SEARCH/REPLACE block failed to match!\n\n## SearchReplaceNoExactMatch")
    assert said == f"{MARK}My edits did not fit, so I stop here. I changed nothing else."


async def test_an_architect_advises_and_the_editor_does_as_told(tmp_path: Path) -> None:
    project(tmp_path, TWICE)
    architect, advice = await chatted(tmp_path, FIX, "calc/arith.py", form="architect")
    assert architect.edited == []
    assert "In `calc/arith.py`, replace\n```\n    return a - b\n```\nwith\n```\n    return a + b\n```" in advice
    editor, _ = await chatted(tmp_path, advice, "calc/arith.py", form="editor")
    assert editor.edited == ["calc/arith.py", "calc/arith.py"]
    assert shell(TESTS, tmp_path)[0] == 0


async def test_an_editor_that_is_told_no_change_makes_none(tmp_path: Path) -> None:
    editor, said = await chatted(project(tmp_path, TWICE), f"{MARK}No model read this.", "calc/arith.py", form="editor")
    assert said == f"{MARK}I was told of no change that I could make, so I changed nothing."
    assert editor.edited == []


async def test_who_only_asks_gets_advice_and_who_wants_names_gets_names(tmp_path: Path) -> None:
    _, advice = await chatted(project(tmp_path, TWICE), FIX, "calc/arith.py", form="ask")
    assert "with\n```\n    return a + b\n```" in advice
    _, names = await chatted(tmp_path, FIX, form="context", adds_files=False)
    assert names.endswith("## ALL files we need to modify, with their relevant symbols:\n\n- calc/arith.py")


async def test_what_holds_is_left_alone(tmp_path: Path) -> None:
    files = {**UNITTEST, "calc/arith.py": UNITTEST["calc/arith.py"].replace("a - b", "a + b")}
    agent, said = await chatted(project(tmp_path, files), FIX, "calc/arith.py", form="whole")
    assert agent.edited == []
    assert said.endswith("every test that I can evaluate holds in the code that I have read. I changed nothing.")


async def test_a_file_for_reading_only_is_not_edited(tmp_path: Path) -> None:
    project(tmp_path, TWICE)

    class ReadingOnly(Aider):
        def messages(self) -> list[dict[str, Any]]:
            framed = super().messages()
            for message in framed:
                added = "I have *added these files to the chat* so you can go ahead and edit them."
                if message["content"].startswith(added):
                    message["content"] = message["content"].replace(added, "Here are some READ ONLY files, provided for your reference.")
            return framed

    async with running() as base_url, aiohttp.ClientSession() as session:
        said = await ReadingOnly(base_url, tmp_path, "calc/arith.py", "tests/test_arith.py").work(session, FIX)
    assert "But I may not edit that file." in said
    assert "<<<<<<<" not in said
