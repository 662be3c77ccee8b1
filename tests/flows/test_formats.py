"""Clients of three wire formats and providers of three, through the whole daemon: what is sent, what comes back, what is booked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.provider import Play, refusal, stream, whole
from tests.flows.conftest import Running, Start

SETTINGS = """
[providers.lab]
dialect = "openai"
base_url = "{base_url}"
api_key = "env:LAB_KEY"

[providers.claude]
dialect = "anthropic"
base_url = "{base_url}"
api_key = "env:LAB_KEY"
auth = "x-api-key"

[providers.gpt]
dialect = "responses"
base_url = "{base_url}"
api_key = "env:LAB_KEY"

[[models]]
id = "lab/small"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "structured", "vision"]
price = {{ input = 0.10, cache_read = 0.01, output = 0.50 }}

[[models]]
id = "claude/large"
tier = "balanced"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "structured", "vision", "reasoning"]
price = {{ input = 2, cache_read = 0.20, cache_write = 2.5, cache_write_1h = 4, output = 10 }}

[[models]]
id = "gpt/large"
tier = "premium"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools", "structured", "vision", "reasoning"]
price = {{ input = 2, cache_read = 0.20, output = 10 }}
"""

TOOL = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
ASKING: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": (
        "/v1/chat/completions",
        {
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "Look."}],
            "tools": [{"type": "function", "function": {"name": "read", "parameters": TOOL}}],
        },
    ),
    "anthropic": (
        "/v1/messages",
        {
            "stream": True,
            "max_tokens": 4000,
            "messages": [{"role": "user", "content": "Look."}],
            "tools": [{"name": "read", "input_schema": TOOL}],
        },
    ),
    "responses": (
        "/v1/responses",
        {"stream": True, "input": "Look.", "tools": [{"type": "function", "name": "read", "parameters": TOOL}]},
    ),
}


def frames(*events: dict[str, Any], end: bytes = b"") -> Play:
    return Play(pieces=[f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events] + ([end] if end else []))


def claude_answer(signature: str = "sig-1") -> Play:
    """Thinking, a text, a call, in Anthropic's events: 700 tokens new, 1,000 read, 300 written, 60 out."""
    usage = {"input_tokens": 700, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 300, "output_tokens": 1}
    return frames(
        {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "large", "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": signature}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I look."}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"path": '}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"a.py"}'}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 60}},
        {"type": "message_stop"},
    )


def gpt_answer() -> Play:
    """Thinking and a call, in the events of Responses: 2,000 tokens in, 1,000 of them read, 60 out."""
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "enc-1"}
    call = {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "call_1",
        "name": "read",
        "arguments": '{"path": "a.py"}',
        "status": "completed",
    }
    usage = {
        "input_tokens": 2000,
        "input_tokens_details": {"cached_tokens": 1000},
        "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 2060,
    }
    response = {"id": "resp_1", "object": "response", "model": "large", "status": "in_progress", "output": []}
    done = {**response, "status": "completed", "output": [thought, call], "usage": usage}
    return frames(
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": {**thought, "summary": [], "encrypted_content": ""}},
        {"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {}},
        {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "Hm."},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.added", "output_index": 1, "item": {**call, "arguments": "", "status": "in_progress"}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1, "delta": '{"path": "a.py"}'},
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 1, "arguments": '{"path": "a.py"}'},
        {"type": "response.output_item.done", "output_index": 1, "item": call},
        {"type": "response.completed", "response": done},
    )


ANSWERS = {
    "lab/small": (stream("I look.", call=("call_1", "read", '{"path": "a.py"}')), "/v1/chat/completions"),
    "claude/large": (claude_answer(), "/v1/messages"),
    "gpt/large": (gpt_answer(), "/v1/responses"),
}
COSTS = {
    # 1,500 at 0.10, 500 read at 0.01, 100 out at 0.50 a million.
    "lab/small": 1_500 * 100_000 + 500 * 10_000 + 100 * 500_000,
    "claude/large": 700 * 2_000_000 + 1_000 * 200_000 + 300 * 2_500_000 + 60 * 10_000_000,
    "gpt/large": 1_000 * 2_000_000 + 1_000 * 200_000 + 60 * 10_000_000,
}


async def asked(running: Running, dialect: str, **more: Any) -> tuple[int, str]:
    path, body = ASKING[dialect]
    async with running.client.post(running.url + path, json={**body, **more}, headers=running.headers()) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("model", sorted(ANSWERS))
@pytest.mark.parametrize("dialect", sorted(ASKING))
async def test_every_client_is_served_by_every_provider_and_booked_to_the_picodollar(start: Start, dialect: str, model: str) -> None:
    play, path = ANSWERS[model]
    running = await start(play, settings=SETTINGS)
    status, text = await asked(running, dialect, model=model)
    assert status == 200, text
    (call,) = running.provider.asked
    assert call.path == path
    assert call.json["model"] == model.partition("/")[2]
    for sign in ("a.py", "read", "stepfare {"):
        assert sign in text, text
    assert '"model":"large"' not in text.replace(" ", "")
    detail = await running.last_session()
    (step,) = detail["steps"]
    assert (step["model"], step["cost_pusd"], step["kind"]) == (model, COSTS[model], "explore")


async def test_a_refusal_that_names_a_parameter_is_heeded_at_once_and_never_met_again(start: Start) -> None:
    words = "Unsupported parameter: 'temperature' is not supported with this model."
    body = json.dumps(
        {"error": {"message": words, "type": "invalid_request_error", "param": "temperature", "code": "unsupported_parameter"}}
    )
    no = Play(400, "application/json", [body.encode()])
    running = await start(no, stream(), stream(), settings=SETTINGS)
    for _ in range(2):
        status, text = await asked(running, "openai", model="lab/small", temperature=0.5)
        assert status == 200, text
    assert ["temperature" in call.json for call in running.provider.asked] == [True, False, False]
    _, listed = await running.control("GET", "sessions")
    details = [(await running.control("GET", f"sessions/{session['id']}"))[1] for session in listed["sessions"]]
    outcomes = [attempt["outcome"] for detail in details for step in detail["steps"] for attempt in step["attempts"]]
    assert sorted(outcomes) == ["ok", "ok", "refused"]


async def test_a_refusal_that_teaches_nothing_reaches_the_client_in_its_own_format(start: Start) -> None:
    running = await start(refusal(400, "the moon is full", "lunar"), settings=SETTINGS)
    status, text = await asked(running, "anthropic", model="lab/small")
    assert status == 400
    told = json.loads(text)
    assert told["type"] == "error"
    assert told["error"]["type"] == "invalid_request_error"
    assert "the moon is full" in told["error"]["message"]
    assert len(running.provider.asked) == 1


async def test_a_prompt_that_is_too_long_is_said_in_the_words_that_each_client_recovers_by(start: Start) -> None:
    running = await start(refusal(400, "prompt is too long: 250000 tokens > 200000 maximum"), settings=SETTINGS)
    _, text = await asked(running, "anthropic", model="gpt/large")
    assert "prompt is too long" in json.loads(text)["error"]["message"]
    _, text = await asked(running, "openai", model="claude/large")
    assert json.loads(text)["error"]["code"] == "context_length_exceeded"


async def test_thoughts_come_back_to_the_model_that_made_them_and_to_no_other(start: Start) -> None:
    running = await start(claude_answer("sig-own"), settings=SETTINGS)
    _, text = await asked(running, "anthropic", model="claude/large")
    assert "sig-own" in text
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "sig-own"}
    foreign = {"type": "thinking", "thinking": "Other.", "signature": "sig-foreign"}
    history = [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": [foreign, thinking, {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a.py"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]},
    ]
    await asked(running, "anthropic", model="claude/large", messages=history)
    assert running.provider.asked[-1].json["messages"][1]["content"] == history[1]["content"][1:]
    running.provider.script[:] = [stream()]
    await asked(running, "anthropic", model="lab/small", messages=history)
    assert b"Hm." not in running.provider.asked[-1].body
    assert b"sig-" not in running.provider.asked[-1].body


async def test_a_client_without_a_place_for_thoughts_has_them_kept_for_it(start: Start) -> None:
    running = await start(claude_answer("sig-kept"), settings=SETTINGS)
    await asked(running, "openai", model="claude/large")
    history = [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "toolu_1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}}],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "x"},
    ]
    await asked(running, "openai", model="claude/large", messages=history)
    sent = running.provider.asked[-1].json["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "Hm.", "signature": "sig-kept"}


async def test_betas_and_versions_of_anthropics_clients_go_on_to_providers_of_the_format_alone(start: Start) -> None:
    running = await start(claude_answer(), settings=SETTINGS)
    headers = running.headers() | {"anthropic-beta": "one,two", "anthropic-version": "2026-10-21"}
    path, body = ASKING["anthropic"]
    for model in ("claude/large", "gpt/large"):
        if model == "gpt/large":
            running.provider.script[:] = [gpt_answer()]
        async with running.client.post(f"{running.url}{path}?beta=true", json={**body, "model": model}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
    passed, bridged = ({name.lower(): value for name, value in call.headers.items()} for call in running.provider.asked)
    assert (passed["anthropic-beta"], passed["anthropic-version"], passed["x-api-key"]) == ("one,two", "2026-10-21", "sk-lab")
    assert not [name for name in bridged if name.startswith("anthropic")]


async def test_what_no_format_can_say_is_refused_with_words_before_anything_is_sent(start: Start) -> None:
    running = await start(stream(), settings=SETTINGS)
    status, text = await asked(running, "responses", model="lab/small", previous_response_id="resp_0")
    assert status == 400
    assert "the earlier answer that it continues" in json.loads(text)["error"]["message"]
    assert running.provider.asked == []


@pytest.mark.parametrize(("dialect", "status", "code"), [("openai", 402, "budget_reached"), ("responses", 400, "insufficient_quota")])
async def test_a_spent_budget_is_told_by_the_status_that_the_client_does_not_retry(
    start: Start, dialect: str, status: int, code: str
) -> None:
    running = await start(stream(), settings=SETTINGS, more='[budget]\nday_usd = 0.0\non_limit = "stop"\n')
    told, text = await asked(running, dialect, model="auto")
    assert (told, json.loads(text)["error"]["code"]) == (status, code)
    told, text = await asked(running, "anthropic", model="auto")
    assert (told, json.loads(text)["error"]["type"]) == (402, "billing_error")


async def test_tokens_are_counted_by_ourselves_where_no_provider_does(start: Start) -> None:
    running = await start(whole(), settings=SETTINGS)
    _, body = ASKING["anthropic"]
    question = {key: value for key, value in body.items() if key not in ("stream", "max_tokens")}
    url = f"{running.url}/v1/messages/count_tokens?beta=true"
    async with running.client.post(url, json={**question, "model": "auto"}, headers=running.headers()) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["x-stepfare-tokens"] == "estimated"
        assert 10 < (await answer.json())["input_tokens"] < 60
    assert running.provider.asked == []


async def test_a_client_that_changes_what_it_said_is_told_of_in_the_decision(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    running = await start(stream("First."), stream("Second."), settings=SETTINGS)
    first = [{"role": "system", "content": "You are an agent.\nIt is 10:01."}, {"role": "user", "content": "Look."}]
    later = [{"role": "system", "content": "You are an agent.\nIt is 10:02."}, first[1], {"role": "assistant", "content": "First."}]
    headers = running.headers(x_stepfare_session="one")
    for messages in (first, [*later, {"role": "user", "content": "Again."}]):
        body = {"model": "lab/small", "stream": True, "messages": messages}
        async with running.client.post(f"{running.url}/v1/chat/completions", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
    _, decision = await running.control("GET", f"decisions/{answer.headers['x-stepfare-decision']}")
    (told,) = [words for words in decision["because"] if "tokens of the provider's cache are lost" in words]
    assert "instructions" in told
    assert "line 2" in told
    assert "10:02" not in told
    assert told in caplog.text


async def test_a_title_that_is_asked_for_first_does_not_hide_where_its_session_works(start: Start, tmp_path: Path) -> None:
    running = await start(stream(), settings=SETTINGS)
    folder = tmp_path / "shop"
    folder.mkdir()
    title = [{"role": "system", "content": "You are a title generator."}, {"role": "user", "content": "Fix the basket"}]
    task = [{"role": "system", "content": "You are opencode."}, {"role": "user", "content": "Fix the basket"}]
    headers = running.headers(x_session_id="ses_1") | {"user-agent": "opencode/1.18.33"}
    for messages, more in ((title, {}), (task, {"x-stepfare-workspace": str(folder)})):
        body = {"model": "lab/small", "stream": True, "messages": messages}
        async with running.client.post(f"{running.url}/v1/chat/completions", json=body, headers={**headers, **more}) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
    _, listed = await running.control("GET", "sessions")
    (session,) = listed["sessions"]
    assert (session["id"], session["workspace"], session["title"]) == ("ses_1", str(folder), "Fix the basket")
    assert (session["totals"]["steps"], session["totals"]["spent_pusd"]) == (2, 2 * COSTS["lab/small"])
