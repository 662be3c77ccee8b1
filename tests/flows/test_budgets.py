"""Budgets through the whole daemon: caps that concurrent calls never pass, a question in each client's format, and going on after it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from stepfare.cli.bar import line
from stepfare.cli.budget_setting import set_caps
from stepfare.control import protocol
from stepfare.core.entry import Entry, Extended, Lost, Reserved, Settled, Voided
from stepfare.core.money import PUSD_PER_USD
from stepfare.ledger.totals import totals_of
from stepfare.runtime.clock import World
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from tests.fakes.clock import FakeClock
from tests.fakes.provider import stream
from tests.flows.conftest import SETTINGS, Running, Start, ask
from tests.flows.conversing import CLIENTS, Client, Story, events_of

USD = PUSD_PER_USD
LITTLE = "[budget]\nsession_usd = 0.02\n"
"""Too little for any step of these models but a frugal one."""
DAY = "[budget]\nday_usd = 0.02\n"
CALLS, CAP = 64, USD

WRITING = {"write_file": {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}}

FORMATS = [(dialect, streamed) for dialect in ("openai", "anthropic", "responses") for streamed in (True, False)]


async def sent(running: Running, client: Client, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A turn of this client; its answer is taken into its conversation."""
    body = client.body("balanced")
    async with running.client.post(running.url + client.path, json=body, headers=running.headers(**headers)) as answer:
        told = await answer.read()
        if answer.status == 200:
            client.take(told, answer.content_type)
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, told


def said_by(client: Client) -> str:
    return client.said  # type: ignore[attr-defined]


def agent(dialect: str = "openai", **more: Any) -> Client:
    return CLIENTS[dialect](Story("budget", **more))


async def extended(running: Running, where: str, usd: float, **more: Any) -> dict:
    status, told = await running.control("PUT", f"budgets/{where}", {"pusd": int(usd * USD), **more})
    assert status == 200, told
    return told


async def asking(running: Running) -> list[dict]:
    _, overview = await running.control("GET", "overview")
    return overview["questions"]


@pytest.mark.parametrize(("dialect", "streamed"), FORMATS)
async def test_at_the_cap_the_user_is_asked_in_the_clients_own_format_and_goes_on(start: Start, dialect: str, streamed: bool) -> None:
    running = await start(stream("It adds the amounts up."), more=LITTLE)
    client = agent(dialect, stream=streamed, tools=False)
    status, headers, told = await sent(running, client)
    assert (status, headers["x-stepfare-budget"], headers["x-stepfare-attempts"]) == (200, "session reached", "0")
    session = headers["x-stepfare-session"]
    well_formed(dialect, told, streamed=streamed)
    words = said_by(client)
    assert "the session budget leaves no room for this step" in words
    assert "config.toml:2" in words
    assert "$0.00 of $0.02 is spent this session" in words
    assert f"stepfare budget extend --usd 0.50 --session {session}" in words
    assert "stepfare.extendBudget" in words
    assert not running.provider.asked
    (question,) = await asking(running)
    assert (question["session"], question["proposals"][0]["scope"]) == (session, "session")
    _, why = await running.control("GET", f"decisions/{headers['x-stepfare-decision']}")
    assert why["chosen"] is None
    assert any("Set by config.toml:2" in one for one in why["because"])

    await extended(running, f"session/{session}", 0.5)
    assert await asking(running) == []
    if not streamed:
        return  # The provider's script streams.
    client.go_on()
    status, headers, _ = await sent(running, client)
    assert (status, headers["x-stepfare-session"]) == (200, session)
    assert "x-stepfare-budget" not in headers
    assert len(running.provider.asked) == 1


def well_formed(dialect: str, told: bytes, *, streamed: bool) -> None:
    """A whole answer that used nothing, under the name that was asked for."""
    match dialect, streamed:
        case "openai", True:
            events = list(events_of(told))
            assert {event["model"] for event in events} == {"balanced"}
            assert len({event["id"] for event in events}) == 1
            assert [choice["finish_reason"] for event in events for choice in event["choices"]][-1] == "stop"
            (usage,) = [event["usage"] for event in events if event.get("usage")]
            assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (0, 0, 0)
            assert told.endswith(b"data: [DONE]\n\n")
        case "openai", False:
            body = json.loads(told)
            assert (body["object"], body["model"], body["choices"][0]["finish_reason"]) == ("chat.completion", "balanced", "stop")
            assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (0, 0)
        case "anthropic", True:
            events = list(events_of(told))
            names = [event["type"] for event in events]
            assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
            assert events[0]["message"]["model"] == "balanced"
            assert events[-2]["delta"]["stop_reason"] == "end_turn"
            assert (events[0]["message"]["usage"]["input_tokens"], events[-2]["usage"]["output_tokens"]) == (0, 0)
        case "anthropic", False:
            body = json.loads(told)
            assert (body["type"], body["role"], body["model"], body["stop_reason"]) == ("message", "assistant", "balanced", "end_turn")
            assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (0, 0)
        case "responses", True:
            *_, last = events_of(told)
            assert (last["type"], last["response"]["status"], last["response"]["model"]) == ("response.completed", "completed", "balanced")
            assert last["response"]["usage"]["total_tokens"] == 0
        case _:
            body = json.loads(told)
            assert (body["object"], body["status"], body["model"]) == ("response", "completed", "balanced")
            assert (body["output"][0]["role"], body["usage"]["total_tokens"]) == ("assistant", 0)


async def test_where_the_gate_finds_that_more_is_needed_than_there_is_money_for_the_user_is_asked(start: Start) -> None:
    """The frugal model was asked and paid; its answer is shown to nobody, and the better model is not asked."""
    edit = stream("", call=("c1", "write_file", '{"path": "a.py", "content": "x"}'))
    running = await start(edit, more=LITTLE)
    client = agent(offers={**Story("x").offers, **WRITING}, task="Write a.py.")
    status, headers, told = await sent(running, client)
    assert (status, headers["x-stepfare-budget"], headers["x-stepfare-attempts"]) == (200, "session reached", "1")
    well_formed("openai", told, streamed=True)
    assert b"write_file" not in told
    assert "What a cheaper model answered did not do, and was dropped." in said_by(client)
    assert len(running.provider.asked) == 1
    detail = await running.last_session()
    (attempt,) = detail["steps"][0]["attempts"]
    assert (attempt["outcome"], attempt["cost_pusd"]) == ("escalated", detail["session"]["totals"]["spent_pusd"])
    _, why = await running.control("GET", "decisions/last")
    assert (why["id"], why["chosen"]) == (headers["x-stepfare-decision"], None)
    assert why["id"] != detail["steps"][0]["decision"]


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses"])
async def test_the_question_follows_behind_what_was_shown_of_an_answer_that_had_to_be_dropped(start: Start, dialect: str) -> None:
    edit = stream("Let me say something first. " * 60, call=("c1", "write_file", '{"path": "a.py", "content": "x"}'))
    running = await start(edit, more=LITTLE)
    client = agent(dialect, offers={**Story("x").offers, **WRITING}, task="Write a.py.")
    status, headers, _ = await sent(running, client)
    assert (status, headers.get("x-stepfare-budget")) == (200, None)  # Headers had left with the text.
    assert said_by(client).startswith("Let me say something first.")
    assert "the session budget leaves no room for this step" in said_by(client)
    assert client.calls == []  # type: ignore[attr-defined]
    assert len(await asking(running)) == 1


async def test_the_same_asked_again_after_an_extension_is_served_in_the_same_session(start: Start) -> None:
    running = await start(stream(), more=LITTLE)
    body = ask("Explain this.", model="balanced")
    names: set[str] = set()
    for _ in range(2):
        async with running.chat(body) as answer:
            assert answer.headers["x-stepfare-budget"] == "session reached"
            names.add(answer.headers["x-stepfare-session"])
    (session,) = names
    await extended(running, f"session/{session}", 0.5)
    async with running.chat(body) as answer:
        assert "x-stepfare-budget" not in answer.headers
        assert answer.headers["x-stepfare-session"] == session
        assert "Hello" in await answer.text()


TITLE = [
    {"role": "system", "content": "You are a title generator. You output ONLY a thread title."},
    {"role": "user", "content": "Generate a title for this conversation:"},
]
BESIDE = """
[[models]]
id = "lab/filler"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["fill"]
price = {{ input = 1, output = 1 }}

[[models]]
id = "lab/vectors"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["embed"]
price = {{ input = 1, output = 1 }}
"""
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
READ = [{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    ("path", "body", "status", "questions"),
    [
        ("chat/completions", {"messages": TITLE}, 402, 0),
        ("chat/completions", {"messages": TITLE[1:], "response_format": FORM, "model": "lab/small"}, 402, 1),
        ("chat/completions", {"messages": TITLE[1:], "tools": READ, "tool_choice": "required"}, 402, 1),
        ("completions", {"prompt": "def total(", "model": "lab/filler"}, 402, 1),
        ("embeddings", {"input": "def total(", "model": "lab/vectors"}, 402, 0),
    ],
    ids=["a title", "an object is wanted", "a call is wanted", "a completion", "vectors"],
)
async def test_who_cannot_read_a_question_is_refused_finally(
    start: Start, path: str, body: dict[str, Any], status: int, questions: int
) -> None:
    running = await start(stream(), settings=SETTINGS + BESIDE, more="[budget]\nday_usd = 0.0\n")
    headers = running.headers(user_agent="opencode/1.18.33") if questions == 0 else running.headers()
    async with running.client.post(f"{running.url}/v1/{path}", json={"model": "balanced", **body}, headers=headers) as answer:
        error = (await answer.json())["error"]
        assert answer.status == status, error
    assert error["code"] == "budget_reached"
    assert "config.toml:2" in error["message"]
    assert "stepfare budget extend" in error["message"]
    assert len(await asking(running)) == questions
    assert not running.provider.asked


@pytest.mark.parametrize(("agent", "status"), [("aider/0.86", 400), ("mini-swe-agent/2.4", 404)])
async def test_a_client_whose_library_asks_again_after_a_402_is_told_what_it_takes_as_final(start: Start, agent: str, status: int) -> None:
    running = await start(stream(), more='[budget]\nday_usd = 0.0\non_limit = "stop"\n')
    async with running.chat(ask(model="balanced"), user_agent=agent) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (status, "insufficient_quota")
    assert await asking(running) == []


async def test_what_was_added_survives_a_restart_and_is_told(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "kept-home"
    first = await start(stream(), more=DAY, home=home)
    async with first.chat(ask(model="balanced")) as answer:
        assert "stepfare budget extend --usd 0.50 --day" in await answer.text()
    await extended(first, "day", 0.5, by="a test", id="once")
    told = await extended(first, "day", 0.5, by="a test", id="once")
    assert len(told["extensions"]) == 1
    settings = (home / "config.toml").read_text()
    await first.house.store.close()

    second = await start(stream(), more=DAY, home=home)
    assert (home / "config.toml").read_text().split("[providers", 1)[0] == settings.split("[providers", 1)[0]
    async with second.chat(ask(model="balanced")) as answer:
        assert "x-stepfare-budget" not in answer.headers
        await answer.text()
    _, budgets = await second.control("GET", "budgets")
    (cap,) = budgets["caps"]
    assert (cap["scope"], cap["cap_pusd"], cap["extended_pusd"], cap["source"]) == ("day", 52 * USD // 100, USD // 2, "config.toml:2")
    assert (cap["spent_pusd"], cap["reserved_pusd"]) == (4_100_000_000, 0)
    assert cap["burn_pusd_per_hour"] > 0
    (extension,) = budgets["extensions"]
    assert (extension["id"], extension["pusd"], extension["by"]) == ("once", USD // 2, "a test")
    _, overview = await second.control("GET", "overview")
    assert overview["budgets"] == [cap]
    assert overview["sessions"][0]["budget"]["day_pusd"] == cap["cap_pusd"]


async def test_a_cap_that_is_set_while_the_daemon_runs_holds_from_the_next_step_on(start: Start) -> None:
    running = await start(stream())
    body = ask("Explain this.", model="balanced")
    async with running.chat(body) as answer:
        assert "x-stepfare-budget" not in answer.headers
        await answer.text()
    set_caps(running.home / "config.toml", {"day_usd": "0.02"})
    await running.control("POST", "reload")
    async with running.chat(ask("And that?", model="balanced")) as answer:
        assert answer.headers["x-stepfare-budget"] == "day reached"
        await answer.text()


async def spent_up(running: Running, session: str) -> int:
    """How many steps this session has room for."""
    for served in range(50):
        async with running.chat(ask(f"Question {served} of {session}", model="balanced"), x_stepfare_session=session) as answer:
            await answer.text()
            if "x-stepfare-budget" in answer.headers:
                return served
    raise AssertionError("it is never asked")


TEN_CENTS = "[budget]\nsession_usd = 0.10\n"


async def test_a_cap_holds_for_all_that_were_merged_into_one_session_and_so_does_what_is_added(start: Start) -> None:
    running = await start(stream(), more=TEN_CENTS)
    alone = await spent_up(running, "one")
    async with running.chat(ask("Hello", model="balanced"), x_stepfare_session="other") as answer:
        await answer.text()
    assert alone > 1
    assert (await running.control("PUT", "sessions/other/merge", {"into": "one"}))[0] == 200
    assert await spent_up(running, "other") == 0
    await extended(running, "session/one", 0.1)
    assert await spent_up(running, "other") > 0
    assert await spent_up(running, "one") == 0
    # What memory has let go of the one counts on for the other.
    running.house.state.sessions.forget("one")
    assert await spent_up(running, "other") <= 1  # Its first question is a token shorter than the last that found no room.
    # Taken out again, each is held to its own.
    assert (await running.control("DELETE", "sessions/other/merge"))[0] == 200
    assert await spent_up(running, "other") == 0
    assert await spent_up(running, "one") > 0


async def test_a_session_that_memory_has_let_go_comes_back_as_what_it_was(start: Start, tmp_path: Path) -> None:
    running = await start(stream(), more=TEN_CENTS, home=tmp_path / "home")
    served = await spent_up(running, "mine")
    before = running.house.state.sessions.get("mine")
    running.house.state.sessions.forget("mine")
    assert await spent_up(running, "mine") == 0
    after = running.house.state.sessions.get("mine")
    assert before is not None
    assert after is not None
    assert (after.spent_pusd, after.steps, after.reserved_pusd) == (before.spent_pusd, served, 0)
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["spent_pusd"] == before.spent_pusd
    assert running.house.state.budgets.day.used().pusd == before.spent_pusd


async def test_a_project_has_days_and_months_of_its_own_by_its_file_and_by_the_users(start: Start, tmp_path: Path) -> None:
    project, other = tmp_path / "shop", tmp_path / "other"
    for folder in (project, other):
        (folder / ".git").mkdir(parents=True)
    (project / ".stepfare.toml").write_text("[budget]\nmonth_usd = 0.10\n")
    running = await start(stream(), more="[budget]\nproject_day_usd = 0.12\non_limit = 'stop'\n")

    async def served(folder: Path) -> bool:
        async with running.chat(ask(f"What is in {folder.name}?", model="balanced"), x_stepfare_workspace=str(folder)) as answer:
            await answer.text()
            return answer.status == 200

    for folder, scope in ((project, "project-month"), (other, "project")):
        while await served(folder):
            pass
        _, told = await running.control("GET", "budgets")
        cap = next(cap for cap in told["caps"] if (cap["scope"], cap["subject"]) == (scope, str(folder)))
        assert 0 < cap["spent_pusd"] <= cap["cap_pusd"]
    await extended(running, f"project-month{project}", 0.1)
    assert await served(project)
    assert not await served(other)


@pytest.mark.parametrize(
    ("where", "status", "error"),
    [
        ("year", 404, "no-scope"),
        ("team", 404, "no-scope"),
        ("session", 400, "bad-request"),
        ("session/s_nobody", 404, "no-session"),
        ("day/s_1", 400, "bad-request"),
        ("month", 404, "no-cap"),
        ("project/nowhere", 404, "no-cap"),
    ],
)
async def test_what_cannot_be_extended_is_said(start: Start, where: str, status: int, error: str) -> None:
    running = await start(stream(), more=DAY)
    told, failure = await running.control("PUT", f"budgets/{where}", {"pusd": USD})
    assert (told, failure["error"]) == (status, error)
    assert [row.entry async for batch in running.house.store.entries() for row in batch if isinstance(row.entry, Extended)] == []


@pytest.mark.parametrize("pusd", [0, -1, 10**19, "much"])
async def test_only_a_sum_can_be_added(start: Start, pusd: Any) -> None:
    running = await start(stream(), more=DAY)
    status, failure = await running.control("PUT", "budgets/day", {"pusd": pusd})
    assert (status, failure["error"]) == (400, "bad-message")


async def test_a_month_and_a_day_end_by_the_users_clock(start: Start) -> None:
    clock = FakeClock()
    running = await start(stream(), more="[budget]\nday_usd = 5\nmonth_usd = 0.1\n", world=World(now_ms=clock))

    async def budget_of_next() -> str:
        async with running.chat(ask(f"at {clock()}", model="balanced")) as answer:
            await answer.text()
            return answer.headers.get("x-stepfare-budget", "")

    served = 0
    while not (told := await budget_of_next()):
        served += 1
    assert (told, served > 0) == ("month reached", True)
    clock.advance(24 * 3_600_000)
    _, budgets = await running.control("GET", "budgets")
    spent = {cap["scope"]: cap["spent_pusd"] for cap in budgets["caps"]}
    first_of_month = World(now_ms=clock).month_start_ms() == World(now_ms=clock).day_start_ms()
    assert spent == {"day": 0, "month": 0 if first_of_month else served * 4_100_000_000}
    assert await budget_of_next() == ("" if first_of_month else "month reached")
    clock.advance(31 * 24 * 3_600_000)
    assert await budget_of_next() == ""


async def test_a_daemon_that_starts_anew_counts_the_month_from_the_books(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "kept-home"
    clock = FakeClock()
    first = await start(stream(), more="[budget]\nmonth_usd = 5\n", home=home, world=World(now_ms=clock))
    for number in range(3):
        async with first.chat(ask(f"task {number}", model="balanced")) as answer:
            await answer.text()
    await first.house.store.close()
    second = await start(stream(), more="[budget]\nmonth_usd = 5\n", home=home, world=World(now_ms=clock))
    _, budgets = await second.control("GET", "budgets")
    assert [cap["spent_pusd"] for cap in budgets["caps"] if cap["scope"] == "month"] == [3 * 4_100_000_000]


async def test_coming_near_a_cap_is_said_once(start: Start) -> None:
    running = await start(stream(), more="[budget]\nday_usd = 0.2\nwarn_at = 0.05\n")
    for number in range(6):
        async with running.chat(ask(f"task {number}", model="balanced")) as answer:
            await answer.text()
    with running.house.hub.listen(0) as listener:
        events = [await listener() for _ in range(running.house.hub.seq)]
    (event,) = [event for event in events if event and event.kind == "budget"]
    assert event.words == ("the day budget of $0.2 (config.toml:2) has $0.0123 used or reserved: more than 5% of it is spent")


async def test_64_streams_at_once_never_pass_a_dollar_and_all_come_to_their_end(start: Start) -> None:
    """Agents that work at the same time under one cap, against a provider that caches, bills and takes its time: at each moment what is
    spent and reserved together is within the cap, and so is every state that the journal went through."""
    most = 0
    async with simulating(SimulatorOptions(chunk_ms=2, first_byte_ms=20)) as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[budget]\nday_usd = 1\n[providers.openai]\nbase_url = "{root}/openai/v1"\n[local]\ndiscover = false\n'
        running = await start(stream(), settings=settings, keys=["OPENAI_API_KEY"])
        state = running.house.state
        apply = state.apply

        def watched(entry: Entry) -> None:
            nonlocal most
            apply(entry)
            most = max(most, state.budgets.day.used().pusd)

        state.apply = watched  # type: ignore[method-assign]
        statuses: list[str] = []

        async def works(number: int) -> None:
            client = agent(stream=True, task=f"Explain the function total to colleague {number}.")
            for _ in range(4):
                status, headers, _ = await sent(running, client)
                assert status == 200
                statuses.append(headers.get("x-stepfare-budget", "served"))
                client.go_on()

        await asyncio.gather(*(works(number) for number in range(CALLS)))
        await running.house.books.finish()
        async with running.client.get(f"{root}/simulator/bill") as answer:
            billed = sum(line["cost_pusd"] for line in (await answer.json())["lines"])
        entries = [row.entry async for batch in running.house.store.entries() for row in batch]
        _, overview = await running.control("GET", "overview")
    print(f"{statuses.count('served')} served, {statuses.count('day reached')} asked; at most ${most / USD:.4f} spent and reserved of $1")
    assert set(statuses) == {"served", "day reached"}
    assert 0 < most <= CAP
    assert max(used_after(entries)) <= CAP
    assert overview["today"]["reserved_pusd"] == 0
    assert overview["today"]["spent_pusd"] == billed <= CAP


def used_after(entries: list[Entry]) -> list[int]:
    """What was spent and reserved after each line of the journal."""
    used, at = {}, [0]
    for entry in entries:
        match entry:
            case Reserved():
                used[entry.attempt] = entry.ceiling_pusd or 0
            case Settled():
                used[entry.attempt] = entry.cost_pusd or 0
            case Voided():
                used[entry.attempt] = 0
            case Lost():
                used[entry.attempt] = entry.ceiling_pusd or 0
            case _:
                continue
        at.append(sum(used.values()))
    return at


async def test_every_answer_about_budgets_is_a_message_of_the_protocol(start: Start) -> None:
    running = await start(stream(), more=DAY)
    async with running.chat(ask(model="balanced")) as answer:
        await answer.text()
    for told in ((await running.control("GET", "budgets"))[1], await extended(running, "day", 1)):
        assert json.loads(protocol.Budgets.model_validate(told).model_dump_json()) == told


async def test_an_extension_is_told_with_each_step_that_it_let_through(start: Start) -> None:
    running = await start(stream(), more=DAY)
    await extended(running, "day", 1)
    async with running.chat(ask(model="balanced")) as answer:
        await answer.text()
    _, why = await running.control("GET", "decisions/last")
    assert "the day budget of $1.02 (config.toml:2, extended by $1.0) has $0.0 used or reserved" in why["because"]


async def test_what_nobody_bills_is_free_and_goes_on_beyond_any_cap(start: Start) -> None:
    free = SETTINGS.replace("{{ input = 2, cache_read = 0.20, output = 10 }}", "{{ input = 0, output = 0 }}")
    running = await start(stream(), settings=free, more="[budget]\nday_usd = 0.0\n")
    async with running.chat(ask(model="lab/middle")) as answer:
        assert "x-stepfare-budget" not in answer.headers
        await answer.text()
    (step,) = (await running.last_session())["steps"]
    assert (step["cost_pusd"], step["cost_source"]) == (0, "free")


SUBSCRIBED = SETTINGS.replace("[providers.lab]", '[providers.lab]\nbilling = "subscription"')


async def test_what_a_subscription_pays_for_is_counted_in_tokens_and_never_said_in_dollars(start: Start) -> None:
    running = await start(stream(), settings=SUBSCRIBED, more="[budget]\nday_usd = 0.0\nsession_usd = 0.0\n")
    for model, streamed in (("balanced", True), ("lab/large", True)):
        async with running.chat(ask(model=model, stream=streamed)) as answer:
            told = await answer.text()
            assert answer.headers["x-stepfare-billing"] == "subscription"
            assert "x-stepfare-budget" not in answer.headers
            assert "x-stepfare-cost-usd" not in answer.headers
            assert '"cost_usd":null' in told
            assert '"cost":' not in told
    detail = await running.last_session()
    (step,) = detail["steps"]
    assert (step["cost_source"], step["cost_pusd"], step["cost_confidence"]) == ("subscription", 0, "certain")
    assert step["usage"]["input_tokens"] > 0
    totals = protocol.Totals.model_validate(detail["session"]["totals"])
    assert (totals.unbilled, totals.subscription_steps, totals.unpriced_steps) == ("subscription", 1, 0)
    # What it would have cost elsewhere is no saving of anybody's dollars.
    assert (totals.spent_pusd, totals.always_premium_pusd, totals.always_balanced_pusd, totals.switch_writes_pusd) == (0, 0, 0, 0)
    assert totals.input_tokens > 0
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["subscription_steps"] == 2
    _, glance = await running.control("GET", "glance")
    assert line(glance, "text", colours=False).endswith("subscription today")
    assert line(glance, "statusline", colours=False).startswith("subscription")
    assert (await running.house.store.totals()) == totals_of([row.entry async for batch in running.house.store.entries() for row in batch])


async def test_a_model_on_a_subscription_serves_what_it_is_good_enough_for_and_no_more(start: Start) -> None:
    """It costs nothing more, so it is asked first wherever it meets the floor; where it does not, the next one is paid."""
    mixed = SETTINGS.replace('id = "lab/middle"', 'id = "lab/middle"\nbilling = "subscription"')
    running = await start(stream(), settings=mixed)
    served: dict[str, str] = {}
    for profile in ("frugal", "balanced", "premium"):
        async with running.chat(ask("Write the function.", model=profile)) as answer:
            await answer.text()
            served[profile] = answer.headers["x-stepfare-model"]
    assert served == {"frugal": "lab/middle", "balanced": "lab/middle", "premium": "lab/large"}
    _, overview = await running.control("GET", "overview")
    assert overview["today"]["subscription_steps"] == 2
    assert overview["today"]["spent_pusd"] > 0
    assert protocol.Totals.model_validate(overview["today"]).unbilled == ""


@pytest.mark.parametrize(("billing", "source"), [('billing = "free"', "free"), ("", "unpriced")])
async def test_what_is_said_to_be_free_is_free_and_what_has_no_price_is_not(start: Start, billing: str, source: str) -> None:
    unsaid = "\n".join(one for one in SETTINGS.splitlines() if not one.startswith("price"))
    running = await start(stream(), settings=unsaid.replace("[providers.lab]", f"[providers.lab]\n{billing}"))
    async with running.chat(ask(model="lab/middle")) as answer:
        await answer.text()
    (step,) = (await running.last_session())["steps"]
    assert step["cost_source"] == source
