"""A human takes back what the agent did, in files and with git: the next steps know of it, and the books hold no word of any file."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start
from tests.runtime.repositories import a_repository

SECRET = "zebra_crossing"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {one: {} for one in fields}}}}
    for name, fields in (("read_file", ("path",)), ("write_to_file", ("path", "content")), ("execute_command", ("command",)))
]


def turn(number: int, name: str, arguments: dict[str, Any], result: str) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": f"c{number}", "content": result}]


async def step(running: Running, root: Path, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """One step of the agent; what was decided on it."""
    headers = {"x-stepfare-workspace": str(root), "x-stepfare-session": "mine"}
    async with running.chat({"model": "ladder", "messages": messages, "tools": TOOLS}, **headers) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    _, decided = await running.control("GET", "decisions/last")
    return decided


def seen(running: Running, reverts: int) -> None:
    """Until the daemon has seen so many changes taken back."""
    late = time.monotonic() + 10
    while running.house.state.surroundings._facts["mine"].reverts < reverts:
        assert time.monotonic() < late
        time.sleep(0.01)


async def test_reverts_by_a_human_lift_the_ladder(start: Start, tmp_path: Path) -> None:
    repo = a_repository(tmp_path / "repo", a_py="before\n", zebra_crossing_py="a human's\n")
    path = "a.py"
    repo.write(f"{SECRET}.py", "changed by a human meanwhile\n")
    running = await start(stream(), settings="")
    told = {"root": str(repo.root), "active": f"{SECRET}.py", "documents": [{"path": f"{SECRET}.py", "errors": 3}]}
    await running.control("PUT", f"workspaces/{str(repo.root).replace('/', '%2F')}", told)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Fix the failing test"}]
    assert (await step(running, repo.root, messages))["floor"]["tier"] == "frugal"
    for number in range(2):
        repo.write(path, f"try {number}, longer than before\n")
        messages += turn(number, "write_to_file", {"path": path, "content": f"try {number}"}, "Saved.")
        decided = await step(running, repo.root, messages)
        assert decided["floor"]["tier"] == ("frugal", "balanced")[number]
        await asyncio.to_thread(running.house.state.surroundings._worker.submit(int).result)
        repo.restore(path)
        await asyncio.to_thread(seen, running, number + 1)  # Nobody asks: git's own files tell the daemon.
        messages += turn(number + 2, "read_file", {"path": "README.md"}, "words")
        decided = await step(running, repo.root, messages)
        assert decided["floor"]["tier"] == ("balanced", "premium")[number]
    _, git = running.house.state.surroundings.facts("mine", running.house.state.workspaces.look(str(repo.root)), 1)
    assert git is not None
    assert f"{SECRET}.py" in git.dirty_files
    await running.house.books.finish()
    written = [file.read_bytes() for file in running.home.glob("ledger.db*")]
    assert written
    assert not any(SECRET.encode() in data for data in written)


async def test_what_an_editor_shows_is_known_to_the_next_step(start: Start, tmp_path: Path) -> None:
    running = await start(stream(), settings="")
    facts = running.house.state.surroundings.facts
    place = f"workspaces/{str(tmp_path).replace('/', '%2F')}"
    await running.control("PUT", place, {"root": str(tmp_path), "active": "a.py", "documents": [{"path": "a.py", "errors": 2}]})
    await step(running, tmp_path, [{"role": "user", "content": "Fix it"}])
    await running.control("PUT", place, {"root": str(tmp_path), "active": "a.py", "documents": [{"path": "a.py", "errors": 5}]})
    editor, _ = facts("mine", running.house.state.workspaces.look(str(tmp_path)), 1)
    assert editor is not None
    assert (editor.active_file, editor.errors, editor.errors_change) == ("a.py", 5, 3)
    await running.control("PUT", place, {"root": str(tmp_path), "trusted": False})
    assert facts("mine", running.house.state.workspaces.look(str(tmp_path)), 1)[0] is None
