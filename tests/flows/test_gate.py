"""A cheap model's answer is held until its action is known: what the client sees, what is asked of whom, what the books say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.provider import Play
from tests.flows.answers import DIALECTS, OTHER, PATHS, answer
from tests.flows.conftest import Running, Start

_MODEL = """
[providers.{name}]
dialect = "{dialect}"
base_url = "{{base_url}}"
api_key = "env:LAB_KEY"

[[models]]
id = "{name}/one"
tier = "{tier}"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "structured", "vision", "reasoning"]
price = {{{{ input = {dollars}, cache_read = {dollars}, cache_write = {dollars}, output = {dollars} }}}}
"""


def settings(cheap: str, better: str = "", best: str = "") -> str:
    """A frugal model at a provider of that dialect, a balanced one, and maybe a premium one."""
    text = _MODEL.format(name="cheap", dialect=cheap, tier="frugal", dollars=1)
    text += _MODEL.format(name="better", dialect=better, tier="balanced", dollars=3) if better else ""
    return text + (_MODEL.format(name="best", dialect=best, tier="premium", dollars=9) if best else "")


READ = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": False}
EDIT = {"type": "object", "properties": {"path": {"type": "string"}, "old": {"type": "string"}, "new": {"type": "string"}}}
BASH = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
TOOLS = {"read_file": READ, "replace_in_file": EDIT, "bash": BASH}

A_READ = ("call_r1", "read_file", '{"path": "src/a.py"}')
A_LOOK = ("call_r2", "bash", '{"command": "ls -la src"}')
AN_EDIT = ("call_e1", "replace_in_file", '{"path": "src/a.py", "old": "secret_old", "new": "secret_new"}')
A_SHELL_EDIT = ("call_e2", "bash", '{"command": "sed -i s/secret_old/secret_new/ src/a.py"}')
NO_PATH = ("call_b1", "read_file", '{"secret": true}')


def question(dialect: str, *, stream: bool = True, tools: Sequence[str] = tuple(TOOLS), **more: Any) -> dict[str, Any]:
    """What an agent asks in the middle of its work."""
    user = {"role": "user", "content": "Mend the rounding."}
    match dialect:
        case "openai":
            offered = [{"type": "function", "function": {"name": name, "parameters": TOOLS[name]}} for name in tools]
            return {"model": "auto", "stream": stream, "messages": [user], "tools": offered, **more}
        case "anthropic":
            offered = [{"name": name, "input_schema": TOOLS[name]} for name in tools]
            return {"model": "auto", "stream": stream, "max_tokens": 4000, "messages": [user], "tools": offered, **more}
        case _:
            offered = [{"type": "function", "name": name, "parameters": TOOLS[name]} for name in tools]
            return {"model": "auto", "stream": stream, "input": "Mend the rounding.", "tools": offered, **more}


def said(dialect: str, text: str = "", *calls: tuple[str, str, str], stream: bool = True, **more: Any) -> Play:
    """A whole answer of a provider."""
    if stream:
        return answer(dialect, text, calls).play(**more)
    return Play(content_type="application/json", pieces=[json.dumps(whole(dialect, text, calls)).encode()], **more)


def whole(dialect: str, text: str, calls: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    match dialect:
        case "openai":
            made = [{"id": id_, "type": "function", "function": {"name": name, "arguments": given}} for id_, name, given in calls]
            message = {"role": "assistant", "content": text or None, **({"tool_calls": made} if made else {})}
            usage = {"prompt_tokens": 2000, "completion_tokens": 60, "total_tokens": 2060}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
            return {"id": "c1", "object": "chat.completion", "model": "one", "choices": [choice], "usage": usage}
        case "anthropic":
            blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
            blocks += [{"type": "tool_use", "id": id_, "name": name, "input": json.loads(given)} for id_, name, given in calls]
            usage = {"input_tokens": 2000, "output_tokens": 60}
            return {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "one",
                "content": blocks,
                "stop_reason": None,
                "usage": usage,
            }
        case _:
            items: list[dict[str, Any]] = []
            if text:
                part = {"type": "output_text", "text": text, "annotations": []}
                items.append({"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]})
            items += [
                {"type": "function_call", "id": f"f_{id_}", "call_id": id_, "name": name, "arguments": given, "status": "completed"}
                for id_, name, given in calls
            ]
            usage = {"input_tokens": 2000, "output_tokens": 60, "total_tokens": 2060}
            return {"id": "resp_1", "object": "response", "status": "completed", "model": "one", "output": items, "usage": usage}


async def ask(running: Running, dialect: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and bytes of the answer."""
    async with running.client.post(running.url + PATHS[dialect], json=body, headers=running.headers(**headers)) as got:
        return got.status, {name.lower(): value for name, value in got.headers.items()}, await got.read()


async def attempts(running: Running) -> list[tuple[str, str]]:
    """Model and outcome of each attempt of the last step."""
    detail = await running.last_session()
    return [(one["model"], one["outcome"]) for one in detail["steps"][-1]["attempts"]]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("bridged", [False, True], ids=["same", "bridged"])
async def test_a_look_around_of_a_cheap_model_is_released(start: Start, client: str, bridged: bool, stream: bool) -> None:
    provider = OTHER[client] if bridged else client
    running = await start(said(provider, "I look.", A_READ, A_LOOK, stream=stream), settings=settings(provider, provider))
    status, headers, body = await ask(running, client, question(client, stream=stream))
    assert status == 200, body
    assert (headers["x-stepfare-model"], headers["x-stepfare-tier"], headers["x-stepfare-floor"]) == ("cheap/one", "frugal", "frugal")
    assert b"src/a.py" in body
    assert b"ls -la src" in body
    step = (await running.last_session())["steps"][0]
    assert (step["kind"], step["tier"], step["escalated"]) == ("explore", "frugal", False)
    assert len(running.provider.asked) == 1


@pytest.mark.parametrize(
    "calls", [(AN_EDIT,), (A_SHELL_EDIT,), (A_READ, AN_EDIT), (NO_PATH,)], ids=["edit", "shell", "parallel", "invalid"]
)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("bridged", [False, True], ids=["same", "bridged"])
async def test_what_needs_more_is_never_shown(
    start: Start, client: str, bridged: bool, stream: bool, calls: Sequence[tuple[str, str, str]]
) -> None:
    provider = OTHER[client] if bridged else client
    better = ("call_x1", "replace_in_file", '{"path": "src/a.py", "old": "a", "new": "good"}')
    running = await start(
        said(provider, "I mend secretly.", *calls, stream=stream),
        said(provider, "I mend it well.", better, stream=stream),
        settings=settings(provider, provider),
    )
    status, headers, body = await ask(running, client, question(client, stream=stream))
    assert status == 200, body
    assert b"secret" not in body
    assert b"good" in body
    assert (headers["x-stepfare-model"], headers["x-stepfare-floor"], headers["x-stepfare-attempts"]) == ("better/one", "balanced", "2")
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "ok")]
    step = (await running.last_session())["steps"][0]
    assert (step["escalated"], step["tier"], step["floor"], step["kind"]) == (True, "balanced", "balanced", "edit")
    assert step["cost_pusd"] == sum(one["cost_pusd"] for one in step["attempts"])
    assert step["attempts"][0]["cost_pusd"] > 0
