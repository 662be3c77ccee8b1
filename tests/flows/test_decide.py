"""Dry runs: a request of any format in, the whole decision out, with nothing sent, nothing booked and nothing remembered."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from stepfare.control.protocol import Decision
from stepfare.server import dry_run
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start, ask
from tests.flows.conversing import CLIENTS, Story
from tests.flows.remembered import remembered

DIALECTS = ("openai", "anthropic", "responses")
STORY = Story("a long task", long_words=9_000)
STEPS = 5


@pytest.fixture
async def simulated(start: Start) -> Running:
    """A daemon without any key: the simulator answers, and caches as it says."""
    return await started(start, None)


async def started(start: Start, home: Path | None) -> Running:
    running = await start(stream(), settings="", home=home)
    # Prompts are counted in a thread of its own: how far it has come is chance, and would be a difference between two daemons.
    running.house.state.tokenizer.close()
    return running


async def bodies_of(running: Running, dialect: str, steps: int = STEPS) -> list[dict[str, Any]]:
    """The bodies of a conversation that was really held, the last one not sent."""
    client = CLIENTS[dialect](STORY)
    bodies: list[dict[str, Any]] = []
    for _ in range(steps):
        bodies.append(copy.deepcopy(client.body("auto")))
        if len(bodies) < steps:
            headers = {"content-type": "application/json", **running.headers()}
            async with running.client.post(running.url + client.path, data=json.dumps(bodies[-1]), headers=headers) as answer:
                client.take(await answer.read(), answer.content_type)
            client.go_on()
    return bodies


async def dry(running: Running, body: object, **more: object) -> Decision:
    status, told = await running.control("POST", "decide", {"body": body, **more})
    assert status == 200, told
    return Decision.model_validate(told)


def but_for_ids(decision: Decision) -> Decision:
    return decision.model_copy(update={"id": None, "session": ""})


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_decision_is_told_whole(simulated: Running, dialect: str) -> None:
    decision = await dry(simulated, CLIENTS[dialect](STORY).body("auto"), dialect=dialect)
    assert (decision.id, decision.session) == (None, "")
    assert decision.kind in decision.probabilities
    assert sum(decision.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert decision.chosen == decision.candidates[0].model
    for candidate in decision.candidates:
        assert sum(line.pusd for line in candidate.arithmetic) == candidate.expected_pusd
    assert set(decision.floors) >= {"explore", "edit", "run", "plan", "recover"}
    assert decision.floor.words
    assert decision.because


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("with_earlier", [False, True], ids=["alone", "with earlier steps"])
async def test_nothing_is_sent_booked_or_remembered(simulated: Running, tmp_path: Path, dialect: str, *, with_earlier: bool) -> None:
    running = simulated
    bodies = await bodies_of(running, dialect)
    await running.house.books.finish()
    (tmp_path / ".stepfare.toml").write_text('[steps]\nexplore = "premium"\n')
    before = remembered(running.house.state), running.house.hub.seq, await running.house.store.sessions(10)
    ledger = (running.home / "ledger.db").read_bytes()
    for body in (bodies[-1], CLIENTS[dialect](Story("another")).body("auto")):
        earlier = bodies[:-1] if with_earlier else []
        decision = await dry(running, body, dialect=dialect, earlier=earlier, workspace=str(tmp_path))
        assert decision.floors["explore"].source == "dotfile"
    assert (remembered(running.house.state), running.house.hub.seq, await running.house.store.sessions(10)) == before
    assert (running.home / "ledger.db").read_bytes() == ledger


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_next_real_step_decides_as_it_would_have(start: Start, tmp_path: Path, dialect: str) -> None:
    decided: list[Decision] = []
    for asked_before in (0, 3):
        running = await started(start, tmp_path / str(asked_before))
        bodies = await bodies_of(running, dialect)
        for _ in range(asked_before):
            await dry(running, bodies[-1], dialect=dialect)
            await dry(running, bodies[-1], dialect=dialect, earlier=bodies[:-1], headers={"x-stepfare-tier": "premium"})
        headers = {"content-type": "application/json", **running.headers()}
        async with running.client.post(running.url + CLIENTS[dialect](STORY).path, data=json.dumps(bodies[-1]), headers=headers) as answer:
            await answer.read()
        _, told = await running.control("GET", "decisions/last")
        decided.append(but_for_ids(Decision.model_validate(told)))
    assert decided[0] == decided[1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_step_is_decided_as_the_dry_run_before_it_says(simulated: Running, dialect: str) -> None:
    client = CLIENTS[dialect](STORY)
    for _ in range(STEPS):
        body = client.body("auto")
        foretold = await dry(simulated, body, dialect=dialect)
        headers = {"content-type": "application/json", **simulated.headers()}
        async with simulated.client.post(simulated.url + client.path, data=json.dumps(body), headers=headers) as answer:
            client.take(await answer.read(), answer.content_type)
        client.go_on()
        _, told = await simulated.control("GET", "decisions/last")
        # What had to be said otherwise to the model is known only when it is asked.
        known = [words for words in told["because"] if not words.startswith("for simulator/")]
        assert but_for_ids(foretold) == but_for_ids(Decision.model_validate(told | {"because": known}))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_earlier_steps_make_the_session_that_a_daemon_would_have_seen(start: Start, tmp_path: Path, dialect: str) -> None:
    lived = await started(start, tmp_path / "lived")
    bodies = await bodies_of(lived, dialect)
    seen = await dry(lived, bodies[-1], dialect=dialect)
    stranger = await started(start, tmp_path / "stranger")
    told = await dry(stranger, bodies[-1], dialect=dialect, earlier=bodies[:-1])
    assert (told.kind, told.probabilities, told.floor, told.chosen) == (seen.kind, seen.probabilities, seen.floor, seen.chosen)
    assert (seen.session != "", told.session) == (True, "")
    alone = await dry(stranger, bodies[-1], dialect=dialect)
    costs = [decision.candidates[0].expected_pusd or 0 for decision in (told, seen)]
    assert costs[0] == pytest.approx(costs[1], rel=0.1)
    warm = [sum(line.tokens for line in decision.candidates[0].arithmetic if "warm" in line.what) for decision in (told, seen, alone)]
    assert warm[0] == pytest.approx(warm[1], rel=0.1)
    assert warm[0] > 0 == warm[2], "what is in a cache by then is not paid anew"


async def test_a_session_that_the_daemon_knows_keeps_its_name(simulated: Running) -> None:
    bodies = await bodies_of(simulated, "openai")
    decision = await dry(simulated, bodies[-1], earlier=bodies[:-1])
    assert decision.session == (await simulated.last_session())["session"]["id"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"body": {"model": "auto"}}, 'body cannot be read as a request of openai: "messages" is missing or not a list'),
        ({"body": {"model": "auto"}, "dialect": "anthropic"}, 'body cannot be read as a request of anthropic: "messages" is missing'),
        ({"body": {"model": "auto"}, "dialect": "responses"}, 'body cannot be read as a request of responses: "input" is missing'),
        ({"body": {"messages": []}}, '"model" is missing'),
        ({"body": ask(), "earlier": [ask(), {"model": "auto"}]}, "earlier[1] cannot be read as a request of openai"),
        ({"body": ask(), "earlier": {}}, "earlier is not a list of bodies"),
        ({"body": []}, "body cannot be read as a request of openai"),
        ({"body": ask(), "dialect": "telex"}, "dialect: Input should be 'openai', 'responses' or 'anthropic'"),
        ({"earlier": []}, "body: Field required"),
        ({"body": ask(model="gpt-nonsense")}, 'model "gpt-nonsense" is not known here'),
        ([], "the body is not a JSON object"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_words(simulated: Running, message: object, words: str) -> None:
    status, told = await simulated.control("POST", "decide", message)
    assert (status, words in told["words"]) == (400, True), told


async def test_earlier_bodies_are_bounded(simulated: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "EARLIER_MAX", 2)
    status, told = await simulated.control("POST", "decide", {"body": ask(), "earlier": [ask()] * 3})
    assert (status, told["words"]) == (400, "earlier holds 3 bodies and may hold 2: send the latest only")
    monkeypatch.setattr(dry_run, "EARLIER_BYTES_MAX", 100)
    status, told = await simulated.control("POST", "decide", {"body": ask(), "earlier": [ask()] * 3})
    assert status == 400
    assert told["words"].endswith("and may hold 100: send the latest bodies only")


async def test_headers_count_and_secrets_among_them_are_left_out(simulated: Running) -> None:
    headers = {"X-Stepfare-Tier": "premium", "Authorization": "Bearer sk-secret"}
    decision = await dry(simulated, ask(), headers=headers)
    assert (decision.floor.tier, decision.floor.source) == ("premium", "header")
    assert "sk-secret" not in decision.model_dump_json()
