"""Clients of every format that send garbage, forgeries and what is not theirs to send: each gets a clear word in its own format or is
served as well as can be, nothing of it is logged, and the daemon serves the next."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stepfare.dialects.thoughts import PREFIX
from stepfare.routing import failover
from tests.fakes.provider import Play
from tests.flows.answers import DIALECTS, OTHER, PATHS, answer, ask, error_in, question, settings, whole
from tests.flows.conftest import Running, Start

MODEL = "first/one"
SECRET = "the secret of the prompt"
BODIES: Mapping[str, dict[str, Any]] = {
    "/v1/messages": {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": SECRET}]},
    "/v1/messages/count_tokens": {"model": MODEL, "messages": [{"role": "user", "content": SECRET}]},
    "/v1/responses": {"model": MODEL, "input": SECRET},
    "/v1/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": SECRET}]},
    "/v1/completions": {"model": MODEL, "prompt": SECRET, "suffix": ")"},
    "/v1/embeddings": {"model": MODEL, "input": [SECRET]},
}
HUGE = 10**400
GARBAGE: tuple[Any, ...] = (
    *(None, True, -1, 1.5, HUGE, "", "x", "\ud83d", "\x00", [], {}, [None], [5], ["x"], [[]], [{}], {"type": 5}, {"x": HUGE}),
    [{"type": "text", "text": 5}],
    [{"type": "image", "source": 5}],
    [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "no base64 =="}}],
    [{"type": "image_url", "image_url": {"url": "data:image/png;base64,###"}}],
    [{"type": "input_image", "image_url": 7}],
    [{"type": "document", "source": {"type": "base64", "data": 5}}],
    [{"type": "tool_result", "tool_use_id": 5, "content": 5}],
    [{"type": "tool_use", "id": [], "name": {}, "input": {"n": HUGE}}],
    [{"type": "thinking", "thinking": 5, "signature": 5}],
    [{"type": "redacted_thinking", "data": []}],
    [{"type": "function", "function": {"name": 5, "parameters": 5}}],
    [{"type": "function", "name": "x", "parameters": {"properties": 5, "required": 5, "allOf": [5], "$ref": "#/x"}}],
    [{"type": "namespace", "name": "n", "tools": [{"type": "namespace", "tools": [5]}]}],
    [{"name": "x", "input_schema": {"properties": {"a": 5}, "$ref": "#/x"}}],
)
FIELDS = (
    *("model", "stream", "messages", "input", "prompt", "suffix", "tools", "tool_choice", "system", "instructions", "max_tokens"),
    *("max_output_tokens", "temperature", "top_p", "stop", "stop_sequences", "thinking", "reasoning", "reasoning_effort", "metadata"),
    *("output_config", "response_format", "text", "include", "store", "stream_options", "n", "functions", "context_management"),
    *("previous_response_id", "prompt_cache_key", "service_tier", "modalities", "container", "logit_bias", "parallel_tool_calls"),
)


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def misshapen(body: dict[str, Any]) -> Iterator[bytes]:
    """What is no request at all, or hardly one."""
    plain = encoded(body)
    yield from (b"", b"{", b"[1]", b"null", b'"x"', b"hello", b"{}", b"\x00" * 100, plain + b"x", plain[:-1] + b",}", str(body).encode())
    yield b"\xef\xbb\xbf" + plain
    yield json.dumps(body).encode("utf-16")
    yield plain.replace(SECRET.encode(), b"\xff\xfe")
    yield plain.replace(SECRET.encode(), b"a\nb\x01")
    yield plain[:-1] + b',"zz":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield plain[:-1] + b',"temperature":NaN}'
    yield plain[:-1] + b',"model":"no-such-model"}'
    yield plain[:-1] + b',"' + b"k" * 1_000_000 + b'":1}'
    yield encoded(body | {f"k{number}": number for number in range(20_000)})


def of_wrong_types(body: dict[str, Any]) -> Iterator[bytes]:
    for field in FIELDS:
        yield from (encoded(body | {field: value}) for value in GARBAGE)


def of_wrong_items(body: dict[str, Any]) -> Iterator[bytes]:
    """A conversation in which one item is garbage."""
    key = "messages" if "messages" in body else "input"
    items: list[Any] = list(GARBAGE)
    for value in GARBAGE:
        calls = [{"id": value, "function": {"name": value, "arguments": value}}]
        items += [{"role": role, "content": value} for role in ("user", "assistant", "tool", "sparkle", 5)]
        items += [{"role": "assistant", "content": "x", "tool_calls": calls, "reasoning_content": value, "reasoning_details": value}]
        items += [{"role": "user", "content": "x", "cache_control": value, "output_config": value, "extra_content": value}]
        items += [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": value, "content": value, "is_error": value}]}]
        items += [{"role": "assistant", "content": [{"type": "tool_use", "id": value, "name": value, "input": value}]}]
        said = {"content": value, "output": value, "arguments": value, "call_id": value, "name": value, "summary": value, "id": value}
        said |= {"encrypted_content": value, "action": value, "tools": value, "input": value}
        kinds = ("reasoning", "function_call", "function_call_output", "custom_tool_call", "local_shell_call", "agent_message", "sparkle")
        items += [{"type": kind, **said} for kind in (*kinds, "additional_tools", "item_reference", 5)]
    for item in items:
        yield encoded(body | {key: [{"role": "user", "content": "a"}, item, {"role": "user", "content": "b"}]})


async def posted(running: Running, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    said = {"content-type": "application/json", **running.headers(**headers)}
    async with asyncio.timeout(20), running.client.post(running.url + path, data=body, headers=said) as response:
        return response.status, await response.read()


CAPABLE = 'capabilities = ["tools", "structured", "vision", "reasoning", "fill", "embed"]'
UNABLE = 'capabilities = ["tools", "structured", "vision", "reasoning"]'


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("provider", DIALECTS)
async def test_garbage_is_refused_with_words_or_served_and_never_breaks_anything(
    start: Start, path: str, provider: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of garbage before one of the providers; all kinds of an item before those of another format, where they are read."""
    monkeypatch.setattr(failover, "BACKOFF_MS", 0)
    running = await start(whole(provider), settings=settings(provider).replace(UNABLE, CAPABLE))
    dialect = next((name for name, place in PATHS.items() if path.startswith(place)), "openai")
    bodies = list(misshapen(BODIES[path]))
    bodies += list(of_wrong_types(BODIES[path]))[DIALECTS.index(provider) :: 7]
    if dialect != provider and path in PATHS.values():
        bodies += list(of_wrong_items(BODIES[path]))[DIALECTS.index(provider) :: 7]
    for body in bodies:
        running.house.state.health.clear()
        status, raw = await posted(running, path, body)
        assert status in (200, 400, 503), (body[:300], raw)
        if status != 200:
            words = error_in("anthropic" if path.startswith("/v1/messages") else "openai", json.loads(raw))
            assert words, body[:300]
            # The scripted provider answers in its own format only: completions and embeddings are none of it.
            assert status == 400 or path in ("/v1/completions", "/v1/embeddings") or provider == dialect, (body[:300], words)
    for call in running.provider.asked:
        assert json.loads(call.body.decode("utf-8", "replace").replace("\n", " ").replace("\x01", " "))["model"] == "one"
    assert "a bug of ours" not in caplog.text
    assert SECRET not in caplog.text
    status, raw = await posted(running, PATHS[provider], encoded(BODIES[PATHS[provider]]))
    assert status == 200, raw
    await running.house.books.finish()
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["reserved_pusd"] == 0


@pytest.mark.parametrize("client", DIALECTS)
async def test_long_conversations_and_bodies_are_served(start: Start, client: str) -> None:
    provider = OTHER[client]
    running = await start(answer(provider).play(), settings=settings(provider).replace("100000", "900_000_000"))
    key = "input" if client == "responses" else "messages"
    turns = [{"role": ("user", "assistant")[number % 2], "content": f"turn {number}"} for number in range(20_001)]
    told = await ask(running, client, question(client) | {key: turns})
    assert told.ended, told.raw[:300]
    (call,) = running.provider.asked
    assert b"turn 20000" in call.body
    told = await ask(running, client, question(client) | {key: [{"role": "user", "content": "y " * 3_000_000}]}, limit_s=60)
    assert told.ended, told.raw[:300]


@pytest.mark.parametrize("client", DIALECTS)
async def test_depth_that_no_json_has_is_refused_and_depth_that_some_have_is_said(start: Start, client: str) -> None:
    provider = OTHER[client]
    running = await start(answer(provider).play(), settings=settings(provider))
    schema = b'{"type":"object","properties":{"a":' * 200 + b"{}" + b"}}" * 200
    body = encoded(question(client))
    for place in (b'"parameters": ', b'"input_schema": '):
        body = body.replace(
            place + encoded({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}), place + schema
        )
    assert body.count(schema) == 2
    told = await ask(running, client, body)
    assert told.ended, told.raw[:300]


def sealed(maker: str, dialect: str, raw: bytes) -> str:
    inner = {"maker": maker, "dialect": dialect, "raw": b64encode(raw).decode()}
    return PREFIX + b64encode(msgspec.json.encode(inner)).decode()


OTHERS_MODEL = b"the-dearest-of-all"
BREAKING_OUT = (
    b'{"type":"text","text":"x"}]}],"model":"' + OTHERS_MODEL + b'","messages":[{"role":"user","content":[{"type":"text","text":"y"}',
    b'{}],"model":"' + OTHERS_MODEL + b'","input":[{}',
    b'{"type":"thinking"},{"type":"text","text":"' + OTHERS_MODEL + b'"}',
    b'{"a":1}\r\nx-injected: ' + OTHERS_MODEL,
    b"",
    b"[" + OTHERS_MODEL + b"]",
    b'"' + OTHERS_MODEL + b'"',
    b"\xff" + OTHERS_MODEL,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
)


def holding(client: str, seal: str) -> dict[str, Any]:
    """A conversation in which the client brings back this seal as a thought."""
    call = {"path": "a"}
    match client:
        case "anthropic":
            thoughts = [{"type": "thinking", "thinking": "Hm.", "signature": seal}, {"type": "redacted_thinking", "data": seal}]
            blocks = [*thoughts, {"type": "tool_use", "id": "c1", "name": "read", "input": call}]
            result = {"type": "tool_result", "tool_use_id": "c1", "content": "x"}
            turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
            return question("anthropic") | {"messages": turns}
        case _:
            items = [
                {"role": "user", "content": "a"},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal},
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": json.dumps(call)},
                {"type": "function_call_output", "call_id": "c1", "output": "x"},
            ]
            return question("responses") | {"input": items}


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("client", ["anthropic", "responses"])
async def test_a_forged_seal_changes_nothing_but_a_thought(
    start: Start, client: str, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    running = await start(answer(provider).play(), settings=settings(provider))
    for raw in BREAKING_OUT:
        for dialect in (*DIALECTS, "sparkle"):
            told = await ask(running, client, holding(client, sealed(MODEL, dialect, raw)))
            assert told.ended, told.raw[:300]
            call = running.provider.asked[-1]
            assert json.loads(call.body)["model"] == "one"
            assert OTHERS_MODEL not in call.body
            assert "x-injected" not in {name.lower() for name in call.headers}
    for seal in (
        PREFIX,
        PREFIX + "!!!",
        PREFIX + "\ud83d",
        PREFIX + b64encode(b'{"maker":5}').decode(),
        PREFIX + b64encode(b"[" * 100_000).decode(),
    ):
        assert (await ask(running, client, holding(client, seal))).ended
    assert "a bug of ours" not in caplog.text


@pytest.mark.parametrize("client", ["anthropic", "responses"])
async def test_a_seal_that_is_a_thought_goes_to_who_is_named_in_it_and_to_nobody_else(start: Start, client: str) -> None:
    thought = {
        "anthropic": {"type": "thinking", "thinking": "Hm.", "signature": "sig-of-it"},
        "responses": {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "sig-of-it"},
    }
    for provider, own in thought.items():
        running = await start(answer(provider).play(), settings=settings(provider))
        for maker, goes in ((MODEL, True), ("second/one", False), ("", False)):
            told = await ask(running, client, holding(client, sealed(maker, provider, encoded(own))))
            assert told.ended
            assert (b"sig-of-it" in running.provider.asked[-1].body) is goes
        await running.house.store.close()
        await running.house.upstream.close()
        (running.home / "ledger.db").unlink()


@pytest.mark.parametrize("client", DIALECTS)
async def test_what_a_project_denies_is_denied_whatever_format_asks_for_it(start: Start, tmp_path: Path, client: str) -> None:
    provider = OTHER[client]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".stepfare.toml").write_text('[models]\ndeny = ["first/*"]\n')
    running = await start(answer(client).play(), settings=settings(provider, client))
    for model in (MODEL, "one"):
        told = await ask(running, client, question(client, model=MODEL), x_stepfare_workspace=str(folder))
        assert told.status == 400, model
        assert "denies" in told.error
    assert not running.provider.asked
    told = await ask(running, client, question(client), x_stepfare_workspace=str(folder))
    assert (told.ended, told.headers["x-stepfare-model"]) == (True, "second/one")


async def test_tokens_are_not_counted_by_who_is_denied(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".stepfare.toml").write_text('[models]\ndeny = ["first/*"]\n')
    running = await start(answer("anthropic").play(), settings=settings("anthropic"))
    status, raw = await posted(
        running, "/v1/messages/count_tokens", encoded(BODIES["/v1/messages/count_tokens"]), x_stepfare_workspace=str(folder)
    )
    assert status == 200, raw
    assert not running.provider.asked


@pytest.mark.parametrize("path", BODIES)
async def test_the_door_is_the_same_for_every_route(start: Start, path: str) -> None:
    running = await start(answer("openai").play(), settings=settings("openai"))
    body = encoded(BODIES[path])
    for header, status in (
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "multipart/form-data"}, 400),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "", "x-api-key": "wrong"}, 401),
        ({"authorization": "Basic eA==", "x-api-key": "wrong"}, 401),
    ):
        headers = {**running.headers(), "content-type": "application/json", **header}
        async with running.client.post(running.url + path, data=body, headers=headers) as response:
            assert response.status == status, header
            assert not [name for name in response.headers if name.lower().startswith("access-control")]
            assert (await response.json())["error"]["message"]
    for method, origin, status in (("OPTIONS", "", 405), ("OPTIONS", "https://evil.example", 403), ("GET", "", 405), ("PUT", "", 405)):
        headers = {"origin": origin} if origin else {}
        async with running.client.request(method, running.url + path, headers=headers) as response:
            assert response.status == status
            assert not [name for name in response.headers if name.lower().startswith("access-control")]
    assert not running.provider.asked


@pytest.mark.parametrize("client", DIALECTS)
async def test_either_header_opens_the_door_of_every_format(start: Start, client: str) -> None:
    running = await start(whole(client), settings=settings(client))
    token = running.house.local_token
    for headers in ({"x-api-key": token}, {"authorization": f"Bearer {token}"}, {"authorization": "Basic eA==", "x-api-key": token}):
        body = question(client, stream=False)
        async with running.client.post(running.url + PATHS[client], json=body, headers=headers) as response:
            assert response.status == 200


async def test_knocks_of_clients_are_answered_at_once(start: Start) -> None:
    """Claude Code asks for a page of Anthropic's before it begins, Codex for a websocket, which by 426 it gives up at once."""
    running = await start(answer("openai").play(), settings=settings("openai"))
    for path in ("/", "/api/hello"):
        async with running.client.head(running.url + path) as response:
            assert response.status in (200, 404)
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with running.client.get(f"{running.url}/v1/responses", headers={**running.headers(), **upgrade}) as response:
        assert response.status == 426
        assert "POST" in (await response.json())["error"]["message"]
    assert (await ask(running, "responses")).ended


async def test_packed_bodies_are_unpacked_or_refused(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    running = await start(whole("openai"), settings=settings("openai"))
    for path in ("/v1/messages", "/v1/responses", "/v1/chat/completions"):
        body = encoded(BODIES[path])
        assert (await posted(running, path, gzip.compress(body), content_encoding="gzip"))[0] == 200
        status, raw = await posted(running, path, b"not packed at all", content_encoding="gzip")
        assert status == 400
        assert "content-encoding" in json.loads(raw)["error"]["message"]
        assert (await posted(running, path, b"\x28\xb5\x2f\xfd", content_encoding="zstd"))[0] in (400, 415)
        status, raw = await posted(running, path, gzip.compress(b" " * 70_000_000), content_encoding="gzip")
        assert status == 413
    assert "a bug of ours" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_headers_that_are_no_text_pass_as_well_as_they_can(start: Start) -> None:
    running = await start(answer("anthropic").play(), settings=settings("anthropic"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
    body = encoded(question("anthropic"))
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {running.house.local_token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    odd = b"".join(
        name + b": \xff\xfe\xe9\r\n" for name in (b"anthropic-beta", b"x-stepfare-session", b"x-stepfare-tier", b"x-stepfare-workspace")
    )
    writer.write(head.encode() + odd + b"\r\n" + body)
    answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b"message_stop" in answered
    assert len(running.provider.asked) == 1


async def test_what_follows_a_body_that_was_counted_wrong_is_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    running = await start(whole("openai"), settings=settings("openai"))
    body = encoded(BODIES["/v1/messages"])
    reader, writer = await asyncio.open_connection("127.0.0.1", int(running.url.rpartition(":")[2]))
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: {running.house.local_token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body + f"{SECRET}\r\n\r\n".encode())
    answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answered.startswith(b"HTTP/1.")
    assert SECRET not in caplog.text
    assert running.house.local_token not in caplog.text


@pytest.mark.parametrize(
    "play",
    [
        Play(200, "application/json", [b'{"input_tokens": -5}']),
        Play(200, "application/json", [b'{"input_tokens": 1e400}']),
        Play(200, "application/json", [b'{"input_tokens": "many"}']),
        Play(200, "application/json", [b"oops"]),
        Play(200, "text/html", [b"<html>"]),
        Play(404, "application/json", [b'{"error": {"message": "not here"}}']),
        Play(cut=True),
    ],
    ids=["negative", "endless", "no number", "no JSON", "a page", "not there", "cut"],
)
async def test_a_count_that_is_none_is_made_by_ourselves(start: Start, play: Play) -> None:
    counting = '[providers.anthropic]\nbase_url = "{base_url}"\napi_key = "env:LAB_KEY"\n'
    running = await start(play, settings=counting)
    body = encoded(BODIES["/v1/messages/count_tokens"] | {"model": "anthropic/claude-sonnet-5-5"})
    headers = {"content-type": "application/json", **running.headers()}
    async with running.client.post(f"{running.url}/v1/messages/count_tokens", data=body, headers=headers) as response:
        assert (response.status, response.headers["x-stepfare-tokens"]) == (200, "estimated")
        assert 1 < (await response.json())["input_tokens"] < 100
    assert len(running.provider.asked) == 1
