"""A cheap model's answer is held until its action is known: what the client sees, what is asked of whom, what the books say."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.fakes.provider import Play
from tests.flows.answers import DIALECTS, OTHER, PATHS, Told, answer, ask, booked, events, frame
from tests.flows.conftest import Running, Start
from tests.flows.test_hang_up import until

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
                "stop_reason": "tool_use" if calls else "end_turn",
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
    told = await ask(running, client, question(client, stream=stream))
    assert (told.status, told.ended, told.text.strip()) == (200, True, "I look.")
    assert [json.loads(call[2]) for call in told.calls] == [{"path": "src/a.py"}, {"command": "ls -la src"}]
    names = ("x-stepfare-model", "x-stepfare-tier", "x-stepfare-floor")
    assert [told.headers[name] for name in names] == ["cheap/one", "frugal", "frugal"]
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
    told = await ask(running, client, question(client, stream=stream))
    assert (told.status, told.ended, told.text.strip()) == (200, True, "I mend it well.")
    assert b"secret" not in told.raw
    assert [json.loads(call[2])["new"] for call in told.calls] == ["good"]
    assert [told.headers[f"x-stepfare-{name}"] for name in ("model", "floor", "attempts")] == ["better/one", "balanced", "2"]
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "ok")]
    step = (await running.last_session())["steps"][0]
    assert (step["escalated"], step["tier"], step["floor"], step["kind"]) == (True, "balanced", "balanced", "edit")
    assert step["cost_pusd"] == sum(one["cost_pusd"] for one in step["attempts"])
    assert step["attempts"][0]["cost_pusd"] > 0
    assert step["because"][-1].startswith("what cheap/one answered ")
    assert step["because"][-1].endswith(": it was dropped, and better/one was asked")


LONG = " ".join(f"plan{number}" for number in range(120))
"""More than a text waits for."""


@pytest.mark.parametrize("second", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("bridged", [False, True], ids=["same", "bridged"])
async def test_behind_a_text_that_was_shown_the_better_models_answer_is_appended(
    start: Start, client: str, bridged: bool, second: str
) -> None:
    first = OTHER[client] if bridged else client
    good = ("call_x1", "replace_in_file", '{"path": "src/a.py", "old": "a", "new": "good"}')
    running = await start(said(first, LONG, AN_EDIT), said(second, "Now for good.", good, A_READ), settings=settings(first, second))
    told = await ask(running, client, question(client))
    assert (told.ended, told.error, told.broken) == (True, "", False)
    assert b"secret" not in told.raw
    words = told.text.split()
    assert words[:100] == LONG.split()[:100]
    assert words[-3:] == ["Now", "for", "good."]
    assert [(call[1], json.loads(call[2])) for call in told.calls] == [(good[1], json.loads(good[2])), (A_READ[1], json.loads(A_READ[2]))]
    assert told.headers["x-stepfare-model"] == "cheap/one"
    assert (told.comment["model"], told.comment["escalated"], told.comment["attempts"]) == ("better/one", True, 2)
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "ok")]
    step = await booked(running)
    assert (step["escalated"], step["kind"]) == (True, "edit")
    assert told.comment["cost_usd"] == f"{step['cost_pusd'] / 1e12:.6f}".rstrip("0")


@pytest.mark.parametrize("client", DIALECTS)
async def test_the_whole_turn_is_recognised_when_the_client_brings_it_back(start: Start, client: str) -> None:
    """Without a tool call in it, only its text tells whose it is."""
    running = await start(
        said(client, LONG, AN_EDIT), said(client, "Or rather: what shall I do?"), said(client, "Well."), settings=settings(client, client)
    )
    told = await ask(running, client, question(client))
    session = told.headers["x-stepfare-session"]
    body = going_on(client, told, "Another file, please.")
    # Nothing of the beginning is as it was: the last answer alone is left.
    answered = await ask(running, client, rewritten(client, body))
    assert answered.headers["x-stepfare-session"] == session


def going_on(dialect: str, told: Told, words: str) -> dict[str, Any]:
    """The next request of a client that brings the answer back as it understood it."""
    body = question(dialect)
    match dialect:
        case "openai":
            body["messages"] += [{"role": "assistant", "content": told.text}, {"role": "user", "content": words}]
        case "anthropic":
            blocks = [{"type": "text", "text": text} for text in texts_of_blocks(told)]
            body["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": words}]
        case _:
            completed = json.loads(told.raw.split(b"event: response.completed\ndata: ")[1].split(b"\n")[0])
            asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": body["input"]}]}
            body["input"] = [asked, *completed["response"]["output"], {**asked, "content": [{"type": "input_text", "text": words}]}]
    return body


def texts_of_blocks(told: Told) -> list[str]:
    blocks: dict[int, str] = {}
    for line in told.raw.split(b"\n"):
        if line.startswith(b"data: ") and b"text_delta" in line:
            event = json.loads(line[6:])
            blocks[event["index"]] = blocks.get(event["index"], "") + event["delta"]["text"]
    return list(blocks.values())


def rewritten(dialect: str, body: dict[str, Any]) -> dict[str, Any]:
    turns = body["input" if dialect == "responses" else "messages"]
    words = "This session is being continued from a previous one: a summary of what was."
    turns[0]["content"] = [{"type": "input_text" if dialect == "responses" else "text", "text": words}]
    return body


async def test_a_text_that_waits_long_is_shown_before_the_answer_ends(start: Start) -> None:
    slow = answer("openai", "I think about it").pieces
    running = await start(Play(pieces=[*slow[:3], *slow[3:]], pause_s=1.2), settings=settings("openai", "openai"))
    body = question("openai")
    async with running.client.post(running.url + PATHS["openai"], json=body, headers=running.headers()) as got:
        first = await asyncio.wait_for(got.content.readany(), 6)
        assert b"I " in first
        assert b"[DONE]" not in first
        await got.read()
    assert (await booked(running))["held_ms"] >= 2_900


async def test_what_is_not_known_when_the_hold_ends_goes_to_a_better_model(start: Start) -> None:
    pieces = answer("openai", "", [A_READ]).pieces
    never = Play(pieces=[*pieces[:2], b": still here\n\n", *pieces[2:]], pause_s=1.0)
    running = await start(never, said("openai", "", A_LOOK), settings=settings("openai", "openai"), more="[gate]\nhold_ms = 200\n")
    told = await ask(running, "openai", question("openai"))
    assert [call[0] for call in told.calls] == [A_LOOK[0]]
    assert told.headers["x-stepfare-model"] == "better/one"
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "ok")]
    assert 200 <= (await booked(running))["held_ms"] < 900


async def test_thinking_alone_is_shown_when_the_hold_ends(start: Start) -> None:
    thinking = [b'data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'] * 8
    running = await start(
        Play(pieces=[*thinking, *answer("openai", "", [A_READ]).pieces], pause_s=0.15),
        settings=settings("openai", "openai"),
        more="[gate]\nhold_ms = 500\n",
    )
    body = question("openai")
    async with running.client.post(running.url + PATHS["openai"], json=body, headers=running.headers()) as got:
        first = await got.content.readany()
        rest = await got.read()
    assert b"hm" in first
    assert b"src/a.py" in rest
    assert (await booked(running))["escalated"] is False


async def test_too_much_to_hold_goes_to_a_better_model(start: Start) -> None:
    call = ("call_r1", "read_file", json.dumps({"path": "secret" * 12_000}))
    running = await start(said("openai", "", call), said("openai", "", A_LOOK), settings=settings("openai", "openai"))
    told = await ask(running, "openai", question("openai"))
    assert [call[0] for call in told.calls] == [A_LOOK[0]]
    assert b"secret" not in told.raw
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "ok")]


@pytest.mark.parametrize("client", DIALECTS)
async def test_who_forbids_parallel_calls_gets_a_call_as_soon_as_it_is_whole(start: Start, client: str) -> None:
    pieces = answer(client, "", [A_READ]).pieces
    end = 3 if client == "openai" else 4
    running = await start(Play(pieces=pieces, pause_s=0.4), settings=settings(client, client))
    body = question(client, **ONE_CALL[client])
    asked = asyncio.get_running_loop().time()
    async with running.client.post(running.url + PATHS[client], json=body, headers=running.headers()) as got:
        while b"src/a.py" not in (await got.content.readany()):
            pass
        seen = asyncio.get_running_loop().time() - asked
        await got.read()
    assert seen < 0.4 * (len(pieces) - 1), end
    assert (await booked(running))["kind"] == "explore"


ONE_CALL: dict[str, dict[str, Any]] = {
    "openai": {"parallel_tool_calls": False},
    "responses": {"parallel_tool_calls": False},
    "anthropic": {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
}


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("bridged", [False, True], ids=["same", "bridged"])
async def test_a_second_call_of_whom_only_one_was_asked_is_left_out(start: Start, client: str, bridged: bool) -> None:
    provider = OTHER[client] if bridged else client
    running = await start(said(provider, "I look.", A_READ, AN_EDIT), settings=settings(provider, provider))
    told = await ask(running, client, question(client, **ONE_CALL[client]))
    assert (told.ended, told.error, told.broken) == (True, "", False)
    assert [json.loads(call[2]) for call in told.calls] == [{"path": "src/a.py"}]
    assert b"secret" not in told.raw
    step = await booked(running)
    assert (step["kind"], step["tier"], len(step["attempts"])) == ("explore", "frugal", 1)


async def test_a_client_that_leaves_while_its_answer_is_held_cancels_upstream_at_once(start: Start) -> None:
    pieces = answer("openai", "", [A_READ]).pieces
    running = await start(Play(pieces=[*pieces[:3], *pieces[3:]], pause_s=5), settings=settings("openai", "openai"))
    task = asyncio.ensure_future(running.client.post(running.url + PATHS["openai"], json=question("openai"), headers=running.headers()))
    await until(lambda: running.provider.asked, "the provider was asked")
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(1):
        await until(lambda: running.provider.cancelled == 1, "the provider's call was cancelled")
    step = await booked(running)
    assert [one["outcome"] for one in step["attempts"]] == ["hang-up"]
    assert step["cost_pusd"] > 0


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("client", DIALECTS)
async def test_where_nobody_can_take_over_the_client_is_told_so(start: Start, client: str, stream: bool) -> None:
    running = await start(said(client, "I mend secretly.", AN_EDIT, stream=stream), settings=settings(client))
    told = await ask(running, client, question(client, stream=stream))
    assert (told.status, b"secret" in told.raw) == (400, False)
    assert "floor balanced" in told.error
    assert await attempts(running) == [("cheap/one", "escalated")]


@pytest.mark.parametrize("client", DIALECTS)
async def test_where_nobody_can_take_over_behind_a_text_the_answer_does_not_look_finished(start: Start, client: str) -> None:
    running = await start(said(client, LONG, AN_EDIT), settings=settings(client))
    told = await ask(running, client, question(client))
    assert (told.ended, told.broken, b"secret" in told.raw) == (False, True, False)
    assert "floor balanced" in told.error


async def test_a_better_model_that_fails_is_replaced_by_another_of_its_floor(start: Start) -> None:
    busy = Play(429, "application/json", [b'{"error":{"message":"busy","code":"x"}}'])
    running = await start(said("openai", "", AN_EDIT), busy, said("openai", "", AN_EDIT), settings=settings("openai", "openai", "openai"))
    told = await ask(running, "openai", question("openai"))
    assert [call[0] for call in told.calls] == [AN_EDIT[0]]
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "busy"), ("best/one", "ok")]


async def test_an_answer_that_breaks_while_it_is_held_is_given_by_another(start: Start) -> None:
    half = Play(pieces=answer("openai", "I look").pieces[:2], cut=True)
    running = await start(half, said("openai", "", A_READ), settings=settings("openai", "openai"))
    told = await ask(running, "openai", question("openai"))
    assert (told.ended, told.text) == (True, "")
    assert [outcome for _, outcome in await attempts(running)] == ["cut", "ok"]


async def test_a_better_model_is_held_too_where_the_step_may_need_a_better_one_still(start: Start) -> None:
    plan = {"type": "object", "properties": {"plan": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in {**TOOLS, "exit_plan_mode": plan}.items()
    ]
    a_plan = ("call_p", "exit_plan_mode", '{"plan": "secret"}')
    running = await start(
        said("openai", "", NO_PATH),
        said("openai", "", a_plan),
        said("openai", "", ("call_q", "exit_plan_mode", '{"plan": "good"}')),
        settings=settings("openai", "openai", "openai"),
    )
    told = await ask(running, "openai", question("openai", model="careful") | {"tools": tools})
    assert [call[0] for call in told.calls] == ["call_q"]
    assert await attempts(running) == [("cheap/one", "escalated"), ("better/one", "escalated"), ("best/one", "ok")]


@pytest.mark.parametrize("way", ["header", "name", "off"])
async def test_whoever_fixes_the_tier_gets_the_answer_as_it_comes(start: Start, way: str) -> None:
    more = "[gate]\nenabled = false\n" if way == "off" else ""
    running = await start(said("openai", "", A_READ), said("openai", "I mend.", AN_EDIT), settings=settings("openai", "openai"), more=more)
    session: dict[str, Any] = {"x_stepfare_session": "mine"}
    await ask(running, "openai", question("openai"), **session)
    headers: dict[str, Any] = session | ({"x_stepfare_tier": "frugal"} if way == "header" else {})
    body = question("openai", model="cheap/one") if way == "name" else question("openai")
    told = await ask(running, "openai", body, **headers)
    assert [call[0] for call in told.calls] == [AN_EDIT[0]]
    assert (await booked(running))["escalated"] is False
    assert told.headers["x-stepfare-model"] == "cheap/one"


XML_SYSTEM = "You are Cline, a software engineer. Tool use is formatted using XML-style tags. End with <attempt_completion>."


def classic(*turns: dict[str, Any]) -> dict[str, Any]:
    head = [{"role": "system", "content": XML_SYSTEM}, {"role": "user", "content": "<task>Mend the rounding.</task>"}]
    return {"model": "auto", "stream": True, "messages": [*head, *turns]}


@pytest.mark.parametrize(
    ("text", "escalated"),
    [
        ("I look.\n<read_file>\n<path>src/a.py</path>\n</read_file>", False),
        ("I run.\n<execute_command>\n<command>npm test</command>\n</execute_command>", False),
        ("I mend.\n<write_to_file>\n<path>src/a.py</path>\n<content>secret</content>\n</write_to_file>", True),
        ("I mend.\n<execute_command>\n<command>echo secret > src/a.py</command>\n</execute_command>", True),
        ("Shall I?\n<ask_followup_question>\n<question>secret?</question>\n</ask_followup_question>", True),
        (f"{LONG}\n<replace_in_file>\n<path>a</path>\n<diff>secret</diff>\n</replace_in_file>", True),
    ],
    ids=["read", "test", "write", "shell", "ask", "long"],
)
async def test_calls_that_stand_in_the_text_are_known_there(start: Start, text: str, escalated: bool) -> None:
    running = await start(said("openai", text), said("openai", "Good."), settings=settings("openai", "openai"))
    told = await ask(running, "openai", classic())
    assert told.text.strip() == ("Good." if escalated else text)
    assert (await booked(running))["escalated"] is escalated


async def test_a_report_needs_no_better_model_and_a_short_answer_to_a_question_does(start: Start) -> None:
    running = await start(said("openai", "It is fast."), said("openai", "Yes."), settings=settings("openai", "openai"))
    asked = question("openai")
    told = await ask(running, "openai", asked)
    assert (told.text.strip(), told.headers["x-stepfare-tier"]) == ("Yes.", "balanced")
    worked = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "read_file", "arguments": A_READ[2]}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "x = 1"},
    ]
    running.provider.script = [said("openai", "All is well.")]
    told = await ask(running, "openai", asked | {"messages": [*asked["messages"], *worked]})
    assert (told.text.strip(), told.headers["x-stepfare-tier"]) == ("All is well.", "frugal")


async def test_the_step_after_an_escalated_one_is_known_by_its_call(start: Start) -> None:
    running = await start(
        said("openai", "", AN_EDIT),
        said("openai", "", ("call_x1", *AN_EDIT[1:])),
        said("openai", "Done."),
        settings=settings("openai", "openai"),
    )
    told = await ask(running, "openai", question("openai"))
    done = {"role": "tool", "tool_call_id": "call_x1", "content": "ok"}
    call = {"id": "call_x1", "type": "function", "function": {"name": AN_EDIT[1], "arguments": AN_EDIT[2]}}
    body = question("openai")
    body["messages"] += [{"role": "assistant", "content": None, "tool_calls": [call]}, done]
    again = await ask(running, "openai", body)
    assert again.headers["x-stepfare-session"] == told.headers["x-stepfare-session"]
    detail = await running.last_session()
    assert [len(step["attempts"]) for step in detail["steps"]] == [2, 1]
    baselines = detail["session"]["totals"]["always_balanced_pusd"], detail["session"]["totals"]["always_premium_pusd"]
    assert baselines[0] == sum(2_000 * 3_000_000 + 60 * 3_000_000 for _ in range(2)), baselines


def thinking(words: str, signature: str) -> list[bytes]:
    """A thinking block that comes first in a message."""
    block = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [{"type": "thinking_delta", "thinking": words}, {"type": "signature_delta", "signature": signature}]
    return [
        frame({"type": "content_block_start", "index": 0, "content_block": block}),
        *(frame({"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas),
        frame({"type": "content_block_stop", "index": 0}),
    ]


def behind_a_thought(text: str, call: tuple[str, str, str], words: str, signature: str) -> Play:
    script = answer("anthropic", text, [call])
    moved = [re.sub(rb'"index": (\d)', lambda found: b'"index": %d' % (int(found[1]) + 1), piece) for piece in script.content]
    return Play(pieces=[*script.opening, *thinking(words, signature), *moved, *script.reason, *script.mark])


async def test_what_the_dropped_model_thought_is_never_sent_to_the_one_that_took_over(start: Start) -> None:
    good = ("call_x1", "replace_in_file", '{"path": "src/a.py", "old": "a", "new": "good"}')
    running = await start(
        behind_a_thought(LONG, AN_EDIT, "small thoughts", "sig-small"),
        behind_a_thought("Now for good.", good, "better thoughts", "sig-better"),
        said("anthropic", "", AN_EDIT),
        said("anthropic", "Done."),
        settings=settings("anthropic", "anthropic"),
    )
    body = question("anthropic", thinking={"type": "adaptive"})
    told = await ask(running, "anthropic", body)
    assert "small thoughts" in told.thinking
    assert "better thoughts" in told.thinking
    blocks = blocks_of(told)
    assert [block["type"] for block in blocks] == ["thinking", "text", "thinking", "text", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": "call_x1", "content": "ok"}
    body["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    again = await ask(running, "anthropic", body)
    assert (again.status, again.text.strip()) == (200, "Done.")
    for_small, for_better = (asked.body for asked in running.provider.asked[2:])
    assert (b"small thoughts" in for_small, b"better thoughts" in for_small) == (True, False)
    assert (b"small thoughts" in for_better, b"better thoughts" in for_better) == (False, True)


def blocks_of(told: Told) -> list[dict[str, Any]]:
    """The content of a streamed message as a client puts it together."""
    blocks: list[dict[str, Any]] = []
    keys = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
    for _, event in events(told):
        match event.get("type"):
            case "content_block_start":
                blocks.append(dict(event["content_block"]))
            case "content_block_delta" if event["delta"]["type"] in keys:
                key = keys[event["delta"]["type"]]
                blocks[-1][key] += event["delta"][key]
            case "content_block_delta":
                blocks[-1]["input"] = json.loads(event["delta"]["partial_json"])
            case _:
                pass
    return blocks
