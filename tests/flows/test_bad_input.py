"""Bad input of every kind gets a clear word in the client's dialect, costs nothing, and leaves the daemon well."""

from __future__ import annotations

import json

import pytest

from tests.fakes.provider import stream
from tests.flows.conftest import Start, ask

DEEP = b'{"model":"auto","messages":[{"role":"user","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not valid JSON|not a JSON object"),
        (b"{", 400, "JSON"),
        (b"[1]", 400, "not a JSON object"),
        (b'{"model":"auto","messages":[{"role":"user"}],}', 400, "JSON|expected"),
        (b'\xff\xfe{"model":"auto"}', 400, "not a JSON object"),
        (b"{}", 400, '"model" is missing'),
        (b'{"model":7,"messages":[]}', 400, '"model" is missing or not a string'),
        (b'{"model":"auto"}', 400, '"messages" is missing'),
        (b'{"model":"auto","messages":"hello"}', 400, '"messages" is missing or not a list'),
        (b'{"model":"auto","messages":[]}', 400, '"messages" is empty'),
        (b'{"model":"auto","messages":[{"role":"user","content":"x"}],"stream":"yes"}', 400, '"stream" must be true or false'),
        (b'{"model":"auto","messages":[{"role":"user","content":"x"}],"tools":{}}', 400, '"tools" must be a list'),
        (DEEP, 400, "nested too deeply"),
        (json.dumps(ask(model="no-such-model")).encode(), 400, "not known here"),
        (json.dumps(ask(model="deepseek/deepseek-v4-pro")).encode(), 400, "DEEPSEEK_API_KEY"),
        (b'{"model":"auto","messages":[{"role":"user","content":"' + b"x" * (65 * 1024 * 1024) + b'"}]}', 413, "longer than 64 MiB"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else "",
)
async def test_a_body_that_cannot_be_served_is_refused_with_words(start: Start, body: bytes, status: int, words: str) -> None:
    running = await start(stream())
    async with running.chat(body) as answer:
        assert answer.status == status
        error = (await answer.json())["error"]
    assert any(one in error["message"] for one in words.split("|")), error
    assert not running.provider.asked
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        await answer.text()
    _, found = await running.control("GET", "sessions")
    assert [one["totals"]["steps"] for one in found["sessions"]] == [1]


async def test_a_lone_surrogate_is_passed_on_as_it_came(start: Start) -> None:
    running = await start(stream())
    body = b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"cut emoji \\ud83d"}]}'
    async with running.chat(body) as answer:
        assert answer.status == 200
        await answer.text()
    assert b'"cut emoji \\ud83d"' in running.provider.asked[0].body


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_either_header_carries_the_local_token(start: Start, header: str) -> None:
    running = await start(stream())
    token = running.house.local_token
    headers = {header: f"Bearer {token}" if header == "authorization" else token}
    async with running.client.post(f"{running.url}/v1/chat/completions", json=ask(), headers=headers) as answer:
        assert answer.status == 200
        await answer.text()


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}, {"authorization": "Basic é"}])
async def test_a_missing_or_wrong_token_is_401_and_says_where_the_right_one_is(start: Start, headers: dict[str, str]) -> None:
    running = await start(stream())
    async with running.client.post(f"{running.url}/v1/chat/completions", json=ask(), headers=headers) as answer:
        assert answer.status == 401
        assert "stepfare token" in (await answer.json())["error"]["message"]
    assert not running.provider.asked


async def test_the_local_token_does_not_open_the_control_door(start: Start) -> None:
    running = await start(stream())
    async with running.client.get(f"{running.url}/control/v1/overview", headers=running.headers()) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:4884"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
async def test_a_foreign_host_or_origin_is_refused_before_anything_else(start: Start, headers: dict[str, str]) -> None:
    running = await start(stream())
    for path in ("/v1/chat/completions", "/control/v1/reload", "/health"):
        async with running.client.post(f"{running.url}{path}", json=ask(), headers={**running.headers(), **headers}) as answer:
            assert answer.status == 403
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert not running.provider.asked


async def test_a_preflight_of_a_web_page_gets_no_permission(start: Start) -> None:
    running = await start(stream())
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    async with running.client.options(f"{running.url}/v1/chat/completions", headers=headers) as answer:
        assert answer.status == 403


async def test_a_form_cannot_pose_as_json(start: Start) -> None:
    running = await start(stream())
    headers = {**running.headers(), "content-type": "text/plain"}
    async with running.client.post(f"{running.url}/v1/chat/completions", data=json.dumps(ask()), headers=headers) as answer:
        assert answer.status == 400
    assert not running.provider.asked


async def test_an_unknown_path_says_what_the_base_url_is(start: Start) -> None:
    running = await start(stream())
    async with running.client.post(f"{running.url}/chat/completions", json=ask(), headers=running.headers()) as answer:
        assert answer.status == 404
        assert "/v1" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "sessions/none", None, 404),
        ("GET", "decisions/none", None, 404),
        ("GET", "sessions?limit=many", None, 400),
        ("POST", "decide", {"body": "no object"}, 400),
        ("POST", "decide", {"body": {"model": "auto"}}, 400),
        ("PUT", "workspaces/%2Ftmp", {"documents": 7}, 400),
    ],
)
async def test_a_wrong_question_to_the_control_door_is_answered_with_words(
    start: Start, method: str, path: str, body: object, status: int
) -> None:
    running = await start(stream())
    got, failure = await running.control(method, path, body)
    assert got == status
    assert failure["words"]


async def test_a_broken_config_keeps_the_last_good_settings_and_says_so(start: Start) -> None:
    running = await start(stream())
    config = running.home / "config.toml"
    config.write_text(config.read_text() + "\n[oops")
    status, reloaded = await running.control("POST", "reload")
    assert status == 200
    assert any(problem["source"] == "config.toml" and problem["line"] for problem in reloaded["problems"])
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        assert answer.headers["x-stepfare-model"] == "lab/middle"
        await answer.text()


async def test_an_unreadable_config_is_a_problem_and_not_an_end(start: Start) -> None:
    running = await start(stream())
    (running.home / "config.toml").unlink()
    (running.home / "config.toml").mkdir()
    _, reloaded = await running.control("POST", "reload")
    assert any("cannot be read" in problem["words"] for problem in reloaded["problems"])
    async with running.chat(ask()) as answer:
        assert answer.status == 200
        await answer.text()
