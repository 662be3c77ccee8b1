"""Fifty sessions at once of clients that say nothing of their sessions: each step of them is booked where it belongs."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from stepfare.routing import failover
from tests.flows.conftest import Running, daemon
from tests.flows.headerless import Agent, Answer, Ask, Model, troupe

SEEDS = (2, 3, 4)
STEPS = 14
"""Of each session, about."""


ENVELOPE = re.compile("<environment_details>.*?</environment_details>")


@dataclass
class Booked:
    """What was answered: whose each step truly is, which session it was booked in, and what became of it."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    """Of these only the ones that can be told: twins that were asked and answered the same so far are the same to anybody."""
    same: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    taken: list[tuple[str, str, str, str]] = field(default_factory=list)
    parents: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)

    def take(self, ask: Ask, session: str, what: str) -> None:
        said = ENVELOPE.sub("", json.dumps(ask.body["messages"]))
        self.same[said].add(ask.truth)
        self.taken.append((ask.truth, session, what, said))

    def close(self) -> None:
        self.steps = [(truth, session, what) for truth, session, what, said in self.taken if len(self.same[said]) == 1]

    @property
    def homes(self) -> dict[str, str]:
        """Where most of each session's steps are."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for truth, session, _ in self.steps:
            found[truth][session] += 1
        return {truth: sessions.most_common(1)[0][0] for truth, sessions in found.items()}

    def misplaced(self) -> list[tuple[str, str, str]]:
        homes = self.homes
        return [step for step in self.steps if homes[step[0]] != step[1]]

    def merged(self) -> list[str]:
        """Sessions that more than one has for its home."""
        return [session for session, count in Counter(self.homes.values()).items() if count > 1]


async def sent(running: Running, ask: Ask) -> tuple[str, Answer | None]:
    """The session that a call was booked in, and its answer where it came to its end."""
    async with running.chat(ask.body, **ask.headers) as response:
        session = response.headers.get("x-stepfare-session", "")
        running.house.state.health.clear()  # However busy the provider was, the next one is sent to it.
        if response.status != 200:
            assert response.status in (429, 503), await response.text()
            return session, None
        if ask.left:
            await response.content.readany()
            response.close()
            return session, None
        return session, answer_of(await response.read(), response.content_type)


def answer_of(raw: bytes, content_type: str) -> Answer:
    if content_type == "application/json":
        return Answer(json.loads(raw)["choices"][0]["message"]["content"], [])
    text, calls = "", dict[int, dict]()
    for frame in raw.split(b"\n\n"):
        if not frame.startswith(b"data: {"):
            continue
        for choice in json.loads(frame[6:])["choices"]:
            delta = choice["delta"]
            text += delta.get("content") or ""
            for piece in delta.get("tool_calls") or []:
                call = calls.setdefault(piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
                call["id"] = piece.get("id") or call["id"]
                for key in ("name", "arguments"):
                    call["function"][key] += piece["function"].get(key) or ""
    return Answer(text.strip(), list(calls.values()))


async def step(running: Running, agent: Agent, booked: Booked) -> None:
    """The agent asks, and what it asks beside its conversation as soon as it is answered. What failed it asks again the next time."""
    booked.parents[agent.truth] = agent.parent
    booked.tasks[agent.truth] = agent.task
    asks = [agent.next()]
    while asks:
        ask = asks.pop(0)
        session, answer = await sent(running, ask)
        # Until one of them has been answered, nobody can tell which of two windows asked the same.
        if session and (answer is not None or agent.answered):
            booked.take(ask, session, ask.beside or type(agent).__name__)
        if answer is not None:
            agent.take(ask, answer)
            asks += agent.beside
            agent.beside = []


async def play(running: Running, agents: list[Agent], dice: random.Random, booked: Booked, moves: int) -> None:
    """The agents go on in any order that the dice say: one after the other, so that the same dice play the same again."""
    for _ in range(moves):
        for agent in dice.sample(agents, dice.randint(1, min(4, len(agents)))):
            await step(running, agent, booked)
            agents += agent.born
            agent.born = []
            if agent.answered > 4 and dice.random() < 0.02:
                agents.append(agent.fork(f"{agent.truth}'{len(agents)}"))


async def served(seed: int) -> tuple[Model, web.AppRunner]:
    model = Model(seed)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", model.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    model.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    return model, runner


async def fifty(home: Path, seed: int) -> tuple[Booked, dict[str, str]]:
    """Fifty sessions and those that they give rise to, with a restart of the daemon among them; and what the books say of parents."""
    dice, booked = random.Random(seed), Booked()
    model, runner = await served(seed)
    agents: list[Agent] = []
    try:
        async with daemon(home, model) as running:
            for together in troupe(dice):
                await asyncio.gather(*(step(running, agent, booked) for agent in together))
                agents += together
                await play(running, agents, dice, booked, 1)
            assert len({agent.truth for agent in agents}) >= 50
            await play(running, agents, dice, booked, 50 * STEPS // 5)
        async with daemon(home, model) as running:
            await play(running, agents, dice, booked, 50 * STEPS // 5)
            await running.house.books.finish()
            _, listed = await running.control("GET", "sessions?limit=1000")
    finally:
        await runner.cleanup()
    booked.close()
    return booked, {one["id"]: one["parent"] or "" for one in listed["sessions"]}


async def test_fifty_sessions_without_headers_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    monkeypatch.setattr(failover, "BACKOFF_MS", 0)
    steps, misplaced = 0, []
    for seed in SEEDS:
        booked, parents = await fifty(tmp_path / str(seed), seed)
        assert len(booked.steps) > 700
        assert booked.merged() == []
        steps += len(booked.steps)
        misplaced += booked.misplaced()
        home = booked.homes
        begun = {session: booked.tasks[truth] for truth, session in home.items()}
        for truth, parent in booked.parents.items():
            if truth not in home:
                continue
            above = parents[home[truth]]
            if "/" in truth.removeprefix(parent):
                assert above == home[parent], (truth, parent)
            elif parent:
                # Twins that went the same way so far may each be what another one goes on from.
                assert begun[above] == booked.tasks[truth], (truth, parent)
            else:
                assert above == "", truth
    assert len(misplaced) <= steps / 1000, (len(misplaced), steps, misplaced)
