"""The language server beside a real daemon: what a step cost is in the editor at once, and is what the books say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lsprotocol import types

from stepfare.control.client import address_of, find_daemon
from stepfare.paths import paths_from
from tests.lsp.editor import Editor, editor

SEEN_S_MAX = 5.0
"""A bound for a machine under load; what it took is printed."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stepfare(*arguments: str) -> str:
    """What the command line says."""
    command = [sys.executable, "-P", "-m", "stepfare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


class House:
    """A running daemon, and a project that an agent works in."""

    def __init__(self, home: Path, project: Path) -> None:
        self.paths = paths_from({"STEPFARE_HOME": str(home)})
        self.project = project

    async def step(self, words: str, **headers: str) -> dict[str, str]:
        """One step of an agent; the headers of its answer."""
        file = find_daemon(self.paths)
        assert file is not None
        sent = {"authorization": f"Bearer {file.local_token}", "x-stepfare-workspace": str(self.project), **headers}
        body = {"model": "auto", "messages": [{"role": "user", "content": words}]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{address_of(file)}/v1/chat/completions", json=body, headers=sent) as answer,
        ):
            assert answer.status == 200, await answer.text()
            await answer.read()
            return dict(answer.headers)

    def settled(self) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in stepfare("ledger", "export", "--format", "jsonl").splitlines()]
        return [entry for entry in entries if entry["phase"] == "settled"]


@pytest.fixture
async def house(stepfare_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    """A daemon that is not yet running, on a port of its own; ended at the end."""
    monkeypatch.setenv("STEPFARE_PORT", str(free_port()))
    project = tmp_path / "project"
    project.mkdir()
    house = House(stepfare_home, project)
    yield house
    if find_daemon(house.paths) is not None:
        stepfare("stop")


async def test_what_a_step_cost_is_in_the_editor_and_is_what_the_books_say(house: House, tmp_path: Path) -> None:
    await asyncio.to_thread(stepfare, "serve", "--detach")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with editor(house.project) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "simulator")
        assert shown.last_spend["text"] == "$0.00 today . play money"
        answer = await house.step("Explain this project.")
        answered_s = asyncio.get_running_loop().time()
        await shown.until(lambda: shown.last_spend["spent_pusd"])
        seen_s = shown.spends_at_s[-1] - answered_s
        print(f"spend seen in the editor {1000 * seen_s:.0f} ms after the answer")
        assert seen_s < SEEN_S_MAX

        session = await shown.run("sessionSpend")
        booked = [entry for entry in await asyncio.to_thread(house.settled) if entry["session"] == session["id"]]
        spent_pusd = sum(entry["cost_pusd"] for entry in booked)
        assert spent_pusd > 0
        assert session["totals"]["spent_pusd"] == shown.last_spend["spent_pusd"] == spent_pusd
        assert session["id"] == answer["x-stepfare-session"] == shown.last_spend["session"]
        assert shown.last_spend["tier"] == answer["x-stepfare-tier"]
        assert shown.last_spend["text"].endswith(f" . {answer['x-stepfare-tier']} . play money")
        assert await shown.run("sessionSpend", {"session": session["id"]}) == session
        assert "Explain this project." in shown.said[-1]

        assert (await shown.run("todaySpend"))["spent_pusd"] == spent_pusd
        await shown.until(lambda: shown.last_spend["today_pusd"] == spent_pusd)
        assert [one["id"] for one in (await shown.run("sessions"))["sessions"]] == [session["id"]]
        assert (await shown.run("explainLast"))["id"] == answer["x-stepfare-decision"]
        assert "floor balanced" in shown.said[-1]
        assert (await shown.run("status"))["mode"] == "simulator"
        assert (await shown.run("startDaemon"))["mode"] == "simulator"

        assert await shown.run("sessionSpend", {"workspace": elsewhere.as_uri()}) is None
        assert await shown.run("explainLast", {"workspace": str(elsewhere)}) is None
        assert str(elsewhere) in shown.said[-1]
        assert (await shown.run("sessions", {"workspace": str(elsewhere)}))["sessions"] == []
        assert await shown.run("sessionSpend", {"session": "s_unknown"}) is None
        assert "no session" in shown.said[-1]

        titles = [action.title for action in await shown.actions((house.project / "main.py").as_uri())]
        assert "stepfare: explain the last step" in titles
        assert "stepfare: start the daemon" not in titles
        uri = shown.open(house.project / ".stepfare.toml", '[steps]\nedit = "premium"\n[models]\ndeny = ["simulator/*"]\n')
        assert "`simulator/premium` premium, $" in await shown.hover(uri, 1, 10)
        assert "Takes in 3 models" in await shown.hover(uri, 3, 12)
        assert {"simulator/*", "simulator/frugal"} <= set(await shown.complete(uri, 3, 9))

        await _a_tier_set_in_the_editor_decides_the_next_step(house, shown)


async def _a_tier_set_in_the_editor_decides_the_next_step(house: House, shown: Editor) -> None:
    shown.client.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier((house.project / ".stepfare.toml").as_uri()))
    )
    await shown.run("setTier", {"tier": "premium", "kind": "answer"})
    assert (await house.step("And what does that do?"))["x-stepfare-floor"] == "premium"
    await shown.run("explainLast")
    line = 1 + (house.project / ".stepfare.toml").read_text().split("\n").index('answer = "premium"')
    assert f".stepfare.toml:{line}" in shown.said[-1]


async def test_the_daemon_may_come_and_go(house: House) -> None:
    async with editor(house.project) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "offline")
        shown.answer_with = "Start it"
        assert await shown.run("sessionSpend") is None
        await shown.until(lambda: shown.last_spend["mode"] == "simulator")
        told = [one for reports in shown.client.progress_reports.values() for one in reports]
        assert "stepfare starts" in [one.title for one in told if isinstance(one, types.WorkDoneProgressBegin)]
        await house.step("Hello")
        await shown.until(lambda: shown.last_spend["session"])
        file = find_daemon(house.paths)
        assert file is not None
        os.kill(file.pid, signal.SIGKILL)
        await shown.until(lambda: shown.last_spend["mode"] == "offline")
        assert (await shown.run("startDaemon"))["today"]["steps"] == 1
        await shown.until(lambda: shown.last_spend["session"])


async def test_a_daemon_that_cannot_start_says_why(house: House) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (house.paths.config_dir / "config.toml").write_text(f"[server]\nport = {taken.getsockname()[1]}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("STEPFARE_PORT")
            async with editor(house.project) as shown:
                assert await shown.run("startDaemon") is None
                assert "did not start" in shown.said[-1]
                assert str(taken.getsockname()[1]) in shown.said[-1]
