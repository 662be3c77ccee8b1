"""A person names, merges and splits sessions: what is listed, explained and told follows, the journal does not, and all can be undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stepfare.store.verify import verify
from tests.fakes.provider import playing, stream
from tests.flows.conftest import Running, Start, daemon


async def say(running: Running, *words: str, before: int = 0) -> str:
    """One conversation of these words, each answered, the first of them `before` already; the session that the last answer names."""
    messages: list[dict[str, Any]] = []
    session = ""
    for number, text in enumerate(words):
        messages.append({"role": "user", "content": text})
        if number < before:
            messages.append({"role": "assistant", "content": "Hello there "})
            continue
        async with running.chat({"model": "auto", "stream": True, "messages": messages}) as answer:
            assert answer.status == 200
            session = answer.headers["x-stepfare-session"]
            await answer.read()
        messages.append({"role": "assistant", "content": "Hello there "})
    return session


async def listed(running: Running) -> dict[str, dict[str, Any]]:
    _, found = await running.control("GET", "sessions")
    return {one["id"]: one for one in found["sessions"]}


async def journal(running: Running) -> list[bytes]:
    return [row.hash async for batch in running.house.store.entries() for row in batch]


async def test_a_session_is_called_what_its_user_calls_it(start: Start) -> None:
    running = await start(stream())
    one = await say(running, "Fix the test")
    assert await running.control("PUT", f"sessions/{one}/title", {"title": "The  parser\n"}) == (200, {"session": one})
    assert (await listed(running))[one]["title"] == "The parser"
    assert (await running.last_session())["session"]["title"] == "The parser"
    await running.control("PUT", f"sessions/{one}/title", {"title": ""})
    assert (await listed(running))[one]["title"] == "Fix the test"


async def test_a_merged_session_goes_on_in_the_other_until_it_is_taken_out(start: Start) -> None:
    running = await start(stream())
    one, other = await say(running, "First"), await say(running, "Second", "and on")
    before, rows = await listed(running), await journal(running)
    assert await running.control("PUT", f"sessions/{one}/merge", {"into": other}) == (200, {"session": other})
    after = await listed(running)
    assert {*after} == {other}
    assert after[other]["merged"] == [one]
    assert after[other]["totals"]["spent_pusd"] == sum(session["totals"]["spent_pusd"] for session in before.values())
    assert await journal(running) == rows
    # What it asks next is told and listed as the other's, though the journal keeps it apart.
    assert await say(running, "First", "and its next", before=1) == other
    _, detail = await running.control("GET", f"sessions/{one}")
    assert (detail["session"]["id"], len(detail["steps"]), {step["session"] for step in detail["steps"]}) == (other, 4, {other})
    assert await running.control("DELETE", f"sessions/{one}/merge") == (200, {"session": one})
    apart = await listed(running)
    assert {name: session["totals"]["steps"] for name, session in apart.items()} == {one: 2, other: 2}


async def test_a_session_is_split_and_joined_again_across_a_restart(start: Start) -> None:
    running = await start(stream())
    one = await say(running, "First", "second", "third")
    before = (await listed(running))[one]["totals"]
    _, said = await running.control("POST", f"sessions/{one}/split", {"step": 3})
    part = said["session"]
    found = await listed(running)
    assert {name: session["totals"]["steps"] for name, session in found.items()} == {one: 2, part: 1}
    assert sum(session["totals"]["spent_pusd"] for session in found.values()) == before["spent_pusd"]
    running.house.state.shown = type(running.house.state.shown).of_all(await running.house.store.annotations())
    # It goes on in its later part.
    assert await say(running, "First", "second", "third", "fourth", before=3) == part
    assert await running.control("PUT", f"sessions/{part}/merge", {"into": one}) == (200, {"session": one})
    assert {*(await listed(running))} == {one}
    assert verify(running.home / "ledger.db").whole


async def test_nonsense_is_refused_with_words(start: Start) -> None:
    running = await start(stream())
    one = await say(running, "First", "second")
    for method, path, body, words in (
        ("PUT", f"sessions/{one}/merge", {"into": one}, "one session already"),
        ("PUT", f"sessions/{one}/merge", {"into": "nobody"}, "no session nobody"),
        ("DELETE", f"sessions/{one}/merge", None, "not merged"),
        ("POST", f"sessions/{one}/split", {"step": 9}, "from 2 to"),
        ("PUT", "sessions/nobody/title", {"title": "x"}, "no session nobody"),
    ):
        status, failure = await running.control(method, path, body)
        assert (status, words in failure["words"]) == (409, True), failure
    assert await running.house.store.annotations() == []


async def test_a_pinned_session_gets_its_tier_whatever_the_step_is_for_and_across_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-lab")

    async def floor(running: Running) -> tuple[str, str, str]:
        assert await say(running, "Fix the test", "and on", before=1) == one
        step = (await running.last_session())["steps"][-1]
        return step["floor"], step["floor_source"], step["tier"]

    async with playing(stream()) as provider:
        async with daemon(tmp_path / "home", provider) as running:
            one = await say(running, "Fix the test")
            assert await running.control("PUT", f"sessions/{one}/pin", {"tier": "premium"}) == (200, {"session": one})
            assert (await listed(running))[one]["pin"] == "premium"
            assert await floor(running) == ("premium", "pin", "premium")
        async with daemon(tmp_path / "home", provider) as running:
            assert (await listed(running))[one]["pin"] == "premium"
            assert await floor(running) == ("premium", "pin", "premium")
            await running.control("DELETE", f"sessions/{one}/pin")
            assert (await listed(running))[one]["pin"] is None
            assert (await floor(running))[1] != "pin"
            status, refused = await running.control("PUT", f"sessions/{one}/pin", {"tier": "best"})
            assert (status, "tier" in refused["words"]) == (400, True)
