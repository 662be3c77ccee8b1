"""The real process killed under bridged streams: the books are whole afterwards, and models go on with the thoughts that the journal
knows to be theirs."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from stepfare.core.entry import Lost, Reserved, Settled, Voided
from stepfare.store.verify import verify
from tests.fakes.provider import Play, playing
from tests.flows.answers import DIALECTS, OTHER, PATHS, frame, question, settings
from tests.flows.test_hang_up_between import echoing
from tests.flows.test_restart import exported, free_port

KILLS = 3
CONCURRENT = 6
ALIVE_S = (0.1, 0.5)
"""How long there is traffic before the daemon is killed."""


@asynccontextmanager
async def serving(home: Path) -> AsyncGenerator[tuple[Process, str]]:
    """A daemon of its own process; whoever does not kill it has it ended."""
    port = free_port()
    environ = {**os.environ, "STEPFARE_HOME": str(home), "STEPFARE_TOKEN": "the-token", "LAB_KEY": "sk-lab"}
    command = (sys.executable, "-m", "stepfare", "serve", "--port", str(port))
    daemon = await asyncio.create_subprocess_exec(*command, env=environ, stdout=DEVNULL, stderr=DEVNULL)
    try:
        async with aiohttp.ClientSession() as client:
            for _ in range(600):
                assert daemon.returncode is None, "the daemon ended"
                try:
                    async with client.get(f"http://127.0.0.1:{port}/health"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)
        yield daemon, f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            daemon.terminate()
        await daemon.wait()


async def asked(url: str, dialect: str, body: dict[str, Any]) -> tuple[bytes, str]:
    """What came until the end, or until the daemon died; and the session."""
    got: list[bytes] = []
    session = ""
    try:
        async with (
            aiohttp.ClientSession(headers={"authorization": "Bearer the-token"}) as client,
            client.post(url + PATHS[dialect], json=body) as response,
        ):
            session = response.headers.get("x-stepfare-session", "")
            while piece := await response.content.readany():
                got.append(piece)
    except aiohttp.ClientError:
        pass
    return b"".join(got), session


ENDS = {"openai": b"data: [DONE]\n\n", "anthropic": b'"message_stop"}\n\n', "responses": b"event: response.completed\n"}


async def test_kill_9_under_bridged_streams_leaves_whole_books(tmp_path: Path) -> None:
    """What a client saw to its end is settled, what it did not is settled, voided or lost, and nothing is open."""
    home, dice, finished = tmp_path / "home", random.Random(99), set[str]()
    home.mkdir()
    async with echoing() as (_, base_url):
        models = "".join(settings(dialect).replace("first", f"of-{dialect}") for dialect in DIALECTS)
        (home / "config.toml").write_text(models.format(base_url=base_url))
        for life in range(KILLS):
            async with serving(home) as (daemon, url):

                async def traffic(worker: int, url: str = url, life: int = life) -> None:
                    for number in range(10_000):
                        client = dice.choice(DIALECTS)
                        body = question(client, f"question {life}-{worker}-{number}.", model=f"of-{OTHER[client]}/one")
                        got, session = await asked(url, client, body)
                        if ENDS[client] in got:
                            finished.add(session)
                        elif not session:
                            return

                workers = [asyncio.create_task(traffic(worker)) for worker in range(CONCURRENT)]
                await asyncio.sleep(dice.uniform(*ALIVE_S))
                daemon.send_signal(signal.SIGKILL)
                await asyncio.gather(*workers)
        async with serving(home):
            pass
    assert verify(home / "ledger.db").problems == ()
    entries = exported(home)
    settled = {entry.session for entry in entries if isinstance(entry, Settled)}
    reserved = {entry.attempt for entry in entries if isinstance(entry, Reserved)}
    closed = [entry.attempt for entry in entries if isinstance(entry, Settled | Voided | Lost)]
    assert finished
    assert finished <= settled
    assert sorted(reserved) == sorted(closed)
    assert any(isinstance(entry, Lost) for entry in entries), "no kill met an open attempt"


def thinking(signature: str) -> Play:
    """A thought and a call, as Anthropic streams them."""
    usage = {"input_tokens": 2000, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "one", "content": [], "usage": usage}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": signature}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"path": "a"}'}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 60}},
        {"type": "message_stop"},
    ]
    return Play(pieces=[frame(event) for event in events])


async def test_a_model_goes_on_with_its_thoughts_after_kill_9(tmp_path: Path) -> None:
    """The client speaks the model's format and brings back its thought; another model's, which nobody here ever heard, goes."""
    home = tmp_path / "home"
    home.mkdir()
    async with playing(thinking("sig-own")) as provider:
        (home / "config.toml").write_text(settings("anthropic").format(base_url=provider.base_url))
        asking = question("anthropic", model="first/one", thinking={"type": "adaptive"})
        async with serving(home) as (daemon, url):
            got, first = await asked(url, "anthropic", asking)
            assert b"sig-own" in got
            daemon.send_signal(signal.SIGKILL)
        own = {"type": "thinking", "thinking": "Hm.", "signature": "sig-own"}
        foreign = {"type": "thinking", "thinking": "Other.", "signature": "sig-foreign"}
        call = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}}
        history = [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": [foreign, own, call]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]},
        ]
        async with serving(home) as (_, url):
            _, second = await asked(url, "anthropic", asking | {"messages": history})
        assert second == first, "it is the same session"
        sent = provider.asked[-1].json
        assert sent["messages"][1]["content"] == [own, call]
        assert sent["thinking"] == {"type": "adaptive"}


async def test_a_thought_that_was_sealed_outlives_kill_9(tmp_path: Path) -> None:
    """Codex brings back what a model of Anthropic's thought, in a seal that needs no memory of ours."""
    home = tmp_path / "home"
    home.mkdir()
    async with playing(thinking("sig-own")) as provider:
        (home / "config.toml").write_text(settings("anthropic").format(base_url=provider.base_url))
        body = question("responses", model="first/one", include=["reasoning.encrypted_content"], reasoning={"effort": "high"})
        async with serving(home) as (daemon, url):
            got, _ = await asked(url, "responses", body)
            daemon.send_signal(signal.SIGKILL)
        last = next(block for block in got.split(b"\n\n") if block.startswith(b"event: response.completed"))
        output = json.loads(last.partition(b"data: ")[2])["response"]["output"]
        assert [item["type"] for item in output] == ["reasoning", "function_call"]
        result = {"type": "function_call_output", "call_id": output[1]["call_id"], "output": "x"}
        async with serving(home) as (_, url):
            await asked(url, "responses", body | {"input": [{"role": "user", "content": "Look."}, *output, result]})
        sent = provider.asked[-1].json["messages"][1]["content"]
        assert sent[0] == {"type": "thinking", "thinking": "Hm.", "signature": "sig-own"}
