"""Caches in a pause: the daemon keeps alive what is worth it by calls of its own, books them, and leaves the rest to die."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from stepfare.core.entry import Settled, Voided
from stepfare.runtime.clock import World
from stepfare.simulator.app import running as simulating
from stepfare.simulator.options import SimulatorOptions
from tests.fakes.clock import FakeClock
from tests.fakes.provider import stream as unused
from tests.flows.conftest import Running, Start
from tests.flows.conversing import CLIENTS
from tests.flows.scripted import Scripted, Stage, story

STEPS = 6
INSTRUCTIONS_CHARS = 60_000
STEP_MS, LOOK_MS = 7_000, 5_000
QUIET_MS, LONG_MS = 295_000, 2_400_000
HAIKU_THINKS_BY_BUDGET = '[tiers]\nfrugal = ["anthropic/claude-haiku-4-5"]\n'
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1_500}, "max_tokens": 4_000}


@dataclass
class Paused:
    """A session that has looked around for some steps and is quiet since."""

    running: Running
    clock: FakeClock
    stage: Stage
    root: str

    async def wait(self, ms: int) -> None:
        self.stage.pausing = True
        for _ in range(0, ms, LOOK_MS):
            self.clock.advance(LOOK_MS)
            await self.running.house.keeper.look()

    async def bill(self) -> list[dict[str, Any]]:
        """What the provider charges for calls that were made in the pause."""
        async with self.running.client.get(f"{self.root}/simulator/bill") as answer:
            return (await answer.json())["lines"][STEPS:]

    async def attempts(self) -> list[dict[str, Any]]:
        detail = await self.running.last_session()
        return [one for step in detail["steps"] for one in step["attempts"]][STEPS:]

    async def fault(self, spec: str) -> None:
        async with self.running.client.post(f"{self.root}/simulator/faults", json={"faults": [{"spec": spec}]}) as answer:
            assert answer.status == 200


@asynccontextmanager
async def paused(start: Start, more: str = "", *, model: str = "auto", fields: Mapping[str, Any] | None = None) -> AsyncGenerator[Paused]:
    clock, steps = FakeClock(), [Scripted("look", 2_000)] * STEPS
    stage = Stage(steps)
    client = CLIENTS["anthropic"](story(steps, stream=True, instructions_chars=INSTRUCTIONS_CHARS))
    async with simulating(SimulatorOptions(now_ms=clock), stage.play) as base_url:
        root = base_url.removesuffix("/v1")
        settings = f'{more}[providers.anthropic]\nbase_url = "{root}/anthropic/v1"\n[local]\ndiscover = false\n'
        running = await start(unused(), settings=settings, keys=["ANTHROPIC_API_KEY"], world=World(now_ms=clock))
        for place in range(STEPS):
            stage.now = place
            body = client.body(model) | dict(fields or {})
            async with running.client.post(running.url + client.path, json=body, headers=running.headers()) as answer:
                told = await answer.read()
                assert answer.status == 200, told
                client.take(told, answer.content_type)
            client.go_on()
            clock.advance(STEP_MS)
        yield Paused(running, clock, stage, root)


async def test_a_cache_that_is_about_to_die_is_read_once_and_booked(start: Start) -> None:
    async with paused(start) as session:
        await session.wait(QUIET_MS)
        (line,), (attempt,) = await session.bill(), await session.attempts()
        assert (attempt["outcome"], attempt["cost_pusd"]) == ("kept-warm", line["cost_pusd"])
        assert line["usage"]["cache_read_tokens"] == line["usage"]["input_tokens"] > 10_000
        detail = await session.running.last_session()
        assert detail["session"]["totals"]["steps"] == STEPS
        assert any("kept alive 1 x" in words for words in detail["steps"][-1]["because"])
        assert detail["session"]["last_ms"] < session.clock() - QUIET_MS + LOOK_MS


async def test_nobody_who_does_not_come_back_is_waited_for_long(start: Start) -> None:
    async with paused(start) as session:
        await session.wait(LONG_MS)
        pings = len(await session.bill())
        await session.wait(LONG_MS)
        assert 0 < pings == len(await session.bill()) <= LONG_MS // 280_000


@pytest.mark.parametrize(
    ("more", "model"),
    [("[cache]\nkeep_warm = false\n", "auto"), ("", "anthropic/claude-haiku-5-5")],
    ids=["switched off", "a model that the user chose"],
)
async def test_it_is_left_to_die(start: Start, more: str, model: str) -> None:
    async with paused(start, more, model=model) as session:
        await session.wait(QUIET_MS)
        assert await session.bill() == await session.attempts() == []


async def test_no_budget_is_passed_for_it(start: Start) -> None:
    async with paused(start) as session:
        config = session.running.home / "config.toml"
        config.write_text("[budget]\nsession_usd = 0.004\n" + config.read_text())
        await session.running.house.reload()
        await session.wait(QUIET_MS)
        assert await session.bill() == await session.attempts() == []


async def test_a_refusal_costs_nothing_and_is_not_asked_for_again(start: Start) -> None:
    async with paused(start) as session:
        await session.fault("529")
        await session.wait(LONG_MS)
        (attempt,) = await session.attempts()
        assert (attempt["outcome"], attempt["cost_pusd"]) == ("failed", 0)


async def test_a_model_that_is_given_a_budget_to_think_is_left_when_it_has_read(start: Start) -> None:
    async with paused(start, HAIKU_THINKS_BY_BUDGET, fields=THINKING) as session:
        await session.wait(QUIET_MS)
        (attempt,), (line,) = await session.attempts(), await session.bill()
        assert (attempt["model"], attempt["outcome"]) == ("anthropic/claude-haiku-4-5", "kept-warm")
        assert line["usage"]["cache_read_tokens"] > 10_000


@pytest.mark.parametrize(("fault", "cost"), [("disconnect-before", 0), ("no-usage", None)])
async def test_what_nobody_counted_is_estimated_within_bounds_and_what_never_began_costs_nothing(
    start: Start, fault: str, cost: int | None
) -> None:
    async with paused(start) as session:
        await session.fault(fault)
        await session.wait(QUIET_MS)
        (attempt,) = await session.attempts()
        rows = [row async for batch in session.running.house.store.entries() for row in batch]
        closing = rows[-1].entry
        if cost == 0:
            assert isinstance(closing, Voided)
            assert (attempt["outcome"], attempt["cost_pusd"]) == ("failed", 0)
        else:
            assert isinstance(closing, Settled)
            assert (closing.source, closing.confidence, closing.low_pusd) == ("estimated", "guess", 0)
            assert 0 < (closing.cost_pusd or 0) < (closing.high_pusd or 0)
            assert closing.doubts == ("its provider reported no usage",)


async def test_who_switches_it_off_in_a_pause_is_heeded(start: Start) -> None:
    async with paused(start) as session:
        config = session.running.home / "config.toml"
        config.write_text("[cache]\nkeep_warm = false\n" + config.read_text())
        await session.running.house.reload()
        await session.wait(QUIET_MS)
        assert await session.bill() == await session.attempts() == []
