"""What a user's own steps taught, in the running daemon: in force from a reload on, told where it is broken, and kept for each step."""

from __future__ import annotations

import json
from dataclasses import replace

from stepfare.steps.classify import WEIGHTS
from stepfare.steps.learning import correction_text
from stepfare.steps.vector import FEATURE_NAMES, FEATURES_VERSION
from stepfare.steps.weights import PREDICTED, Correction
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start, ask

EAGER = Correction((1.0, 1.0), (9.0, *[0.0] * (len(PREDICTED) - 1)))
"""Of a user whose every step is an edit."""
TOOLS = [{"type": "function", "function": {"name": "read_file", "parameters": {"type": "object", "properties": {"path": {}}}}}]


async def chance_of_edit(running: Running) -> float:
    _, decision = await running.control("POST", "decide", {"body": ask(tools=TOOLS)})
    return decision["probabilities"]["edit"]


async def problems(running: Running) -> list[str]:
    _, overview = await running.control("GET", "overview")
    return [one["words"] for one in overview["problems"]]


async def test_what_was_learnt_is_in_force_from_the_next_reload_on_and_gone_with_its_file(start: Start) -> None:
    running = await start(stream())
    shipped = await chance_of_edit(running)
    file = running.home / "weights.json"
    file.write_text(correction_text(replace(WEIGHTS, correction=EAGER)))
    assert await chance_of_edit(running) == shipped
    await running.control("POST", "reload")
    assert await chance_of_edit(running) > 0.95 > shipped
    file.write_text("{")
    await running.control("POST", "reload")
    assert await chance_of_edit(running) == shipped
    assert any("weights.json is not used" in words for words in await problems(running))
    file.unlink()
    await running.control("POST", "reload")
    assert await problems(running) == []


async def test_each_step_is_kept_in_numbers_to_be_learnt_from(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask(tools=TOOLS)) as answer:
        await answer.text()
    record = await running.house.store.latest_decision()
    assert record is not None
    features = json.loads(record)["features"]
    assert (features["version"], len(features["values"])) == (FEATURES_VERSION, len(FEATURE_NAMES))
