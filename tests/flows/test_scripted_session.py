"""A long session through the whole daemon, against simulators that cache and bill as providers do: who serves what, what the client gets
to see, and whether books, bill and forecast agree."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from stepfare.core.money import PUSD_PER_USD
from stepfare.core.step import Tier
from stepfare.runtime.clock import World
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from tests.fakes.clock import FakeClock
from tests.fakes.provider import stream as unused
from tests.flows.conftest import Running, Start
from tests.flows.conversing import CLIENTS
from tests.flows.scripted import TAINT, Scripted, Stage, script, story

KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
STEPS, STEPS_LONG = 30, 200
INSTRUCTIONS_CHARS = 40_000
"""Instructions of a coding agent: some ten thousand tokens."""
EDITING = ("edit", "recover")
LOOK_MS = 5_000
NEVER_AGAIN_MS = 3_600_000
"""So long a session is waited for after its last step: by then every cache has died that may."""
FORECAST_ERROR_MAX = 0.02
CACHE_UNIT = 128
"""Some providers cache in steps of so many tokens."""
BOOKS_ERROR_MAX = 0.005
FRUGAL = {"anthropic": "anthropic/claude-haiku-5-5", "openai": "openai/gpt-6-luna"}
SLOWLY = "chunk-ms=2"
"""How these make their edits: so that there is something to break off."""

PAIRS = [(client, family) for client in ("openai", "anthropic", "responses") for family in ("openai", "anthropic")]
"""Clients of all formats; each with a provider that speaks the same, and with one that does not."""


@dataclass
class Played:
    """A session when it is over: how it was played, all that the client received, what was booked, and what the provider billed."""

    stage: Stage
    received: bytes = b""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    bill: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    settled: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The closing entries of the journal, in its order."""
    forecast: dict[str, Any] = field(default_factory=dict[str, Any])
    """What `stepfare replay` says of the session."""

    @property
    def steps(self) -> list[dict[str, Any]]:
        return self.detail["steps"]


@asynccontextmanager
async def staged(start: Start, family: str, stage: Stage) -> AsyncGenerator[tuple[Running, FakeClock, str]]:
    """A daemon with one provider, played by a simulator that follows the script; both live by the same clock."""
    clock = FakeClock()
    async with simulating(SimulatorOptions(now_ms=clock), stage.play) as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'[providers.{family}]\nbase_url = "{root}/{family}/v1"\n[local]\ndiscover = false\n'
        yield await start(unused(), settings=settings, keys=[KEYS[family]], world=World(now_ms=clock)), clock, root


async def played(start: Start, steps: list[Scripted], dialect: str, family: str, *, stream: bool, replay: bool = False) -> Played:
    """The whole script with a client of this dialect, every answer taken into its history."""
    found = Played(Stage(steps))
    client = CLIENTS[dialect](story(steps, stream=stream, instructions_chars=INSTRUCTIONS_CHARS))
    # Agents name their sessions, one way or the other: a history that was summarized has nothing in common with the one before.
    named = {"x-stepfare-session": "scripted"}
    async with staged(start, family, found.stage) as (running, clock, root):
        for place, step in enumerate(steps):
            found.stage.now = place
            if step.does == "edit":
                slowly = {"faults": [{"spec": SLOWLY, "model": FRUGAL[family]}]}
                assert (await running.client.post(f"{root}/simulator/faults", json=slowly)).status == 200
            body, headers = client.body("auto"), running.headers() | named
            async with running.client.post(running.url + client.path, json=body, headers=headers) as answer:
                told = await answer.read()
                assert answer.status == 200, f"step {place}: {told.decode()}"
                found.headers.append({name.lower(): value for name, value in answer.headers.items()})
                found.received += str(answer.headers).encode() + told
                client.take(told, answer.content_type)
            client.go_on()
            if step.compacts:
                client.compact()
            await passing(running, clock, found.stage, step.pause_ms)
        await passing(running, clock, found.stage, NEVER_AGAIN_MS)
        async with running.client.get(f"{root}/simulator/bill") as answer:
            found.bill = (await answer.json())["lines"]
        found.detail = await running.last_session()
        entries = await printed(running, family, "ledger", "export")
        found.settled = [entry for entry in entries if entry["phase"] == "settled"]
        if replay:
            told = await printed(running, family, "replay", found.detail["session"]["id"])
            (found.forecast,) = told["sets"]["catalogue"].values()
    return found


async def passing(running: Running, clock: FakeClock, stage: Stage, pause_ms: int) -> None:
    """Time passes, and the daemon looks after its caches as often as it does in life."""
    until_ms, stage.pausing = clock() + pause_ms, True
    while clock() < until_ms:
        clock.advance(min(LOOK_MS, until_ms - clock()))
        await running.house.keeper.look()
    stage.pausing = False


async def printed(running: Running, family: str, *words: str) -> Any:
    """What a command prints of this daemon's books, while it runs."""
    environment = {**os.environ, "STEPFARE_HOME": str(running.home), KEYS[family]: "sk-lab"}
    command = (sys.executable, "-m", "stepfare", *words, "--json")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("dialect", "family"), PAIRS)
async def test_edits_of_frugal_models_stay_unseen_and_are_asked_for_again(start: Start, dialect: str, family: str, stream: bool) -> None:
    found = await played(start, script(STEPS), dialect, family, stream=stream)
    nothing_of_them_was_seen(found)
    each_was_asked_for_again(found)
    as_billed(found)


@pytest.mark.parametrize(("dialect", "family"), [("anthropic", "anthropic"), ("responses", "openai")])
async def test_two_hundred_steps_cost_what_replay_says(start: Start, dialect: str, family: str) -> None:
    found = await played(start, script(STEPS_LONG), dialect, family, stream=True, replay=True)
    nothing_of_them_was_seen(found)
    each_was_asked_for_again(found)
    as_billed(found)
    spent_usd = found.detail["session"]["totals"]["spent_pusd"] / PUSD_PER_USD
    assert found.forecast["steps"] == STEPS_LONG
    assert found.forecast["booked_usd"] == pytest.approx(spent_usd)
    assert found.forecast["policy_usd"] == pytest.approx(spent_usd, rel=FORECAST_ERROR_MAX)
    assert found.forecast["escalations"] == len(found.stage.tainted)
    pings = [entry for entry in found.settled if entry["outcome"] == "kept-warm"]
    assert found.forecast["pings"] == len(pings) > 0
    assert all(entry["usage"]["input_tokens"] - entry["usage"]["cache_read_tokens"] < CACHE_UNIT for entry in pings)


def nothing_of_them_was_seen(found: Played) -> None:
    """No byte of what was asked for again: neither what it said nor the names under which its provider said it."""
    assert TAINT.encode() not in found.received
    assert len(found.bill) == len(found.stage.asked)
    unseen = [line["id"] for line, (place, tier) in zip(found.bill, found.stage.asked, strict=True) if found.stage.taints(place, tier)]
    assert unseen
    assert [name for name in unseen if name.encode() in found.received] == []


def each_was_asked_for_again(found: Played) -> None:
    """The escalations of the books are the edits that the script made frugal models try; whoever was better answered instead."""
    assert len(found.steps) == len(found.stage.steps)
    assert [place for place, step in enumerate(found.steps) if step["escalated"]] == found.stage.tainted
    for place, (step, headers) in enumerate(zip(found.steps, found.headers, strict=True)):
        first, *others = [one for one in step["attempts"] if one["outcome"] != "kept-warm"]
        where = f"step {place}: {step}"
        assert headers["x-stepfare-tier"] == step["tier"], where
        assert headers["x-stepfare-attempts"] == str(1 + len(others)), where
        assert (step["kind"] in EDITING) == (found.stage.steps[place].does == "edit"), where
        if step["kind"] in EDITING:
            assert Tier.of(step["tier"]) >= Tier.BALANCED, where
        if step["escalated"]:
            assert (first["outcome"], [one["outcome"] for one in others]) == ("escalated", ["ok"]), where
            assert first["cost_pusd"] > 0, where
            assert step["floor"] == headers["x-stepfare-floor"] == "balanced", where
        else:
            assert (first["outcome"], others) == ("ok", []), where


def as_billed(found: Played) -> None:
    """The books hold what the provider bills, call by call. How much of an answer that was broken off had been made by then nobody
    tells: the books hold an estimate of it, with bounds."""
    models = {attempt["id"]: attempt["model"] for step in found.steps for attempt in step["attempts"]}
    assert [models[entry["attempt"]] for entry in found.settled] == [line["model"] for line in found.bill]
    for place, (entry, line) in enumerate(zip(found.settled, found.bill, strict=True)):
        low, high = (entry["cost_pusd"] if entry[name] is None else entry[name] for name in ("low_pusd", "high_pusd"))
        assert low <= line["cost_pusd"] <= high, f"call {place}: {entry}, {line}"
        assert low == high or entry["outcome"] == "escalated", f"call {place}: {entry}"
    spent_pusd, billed_pusd = sum(entry["cost_pusd"] for entry in found.settled), sum(line["cost_pusd"] for line in found.bill)
    assert found.detail["session"]["totals"]["spent_pusd"] == spent_pusd == pytest.approx(billed_pusd, rel=BOOKS_ERROR_MAX)
