"""Searches that a provider makes itself, through the whole daemon: a cap is not passed by what they cost."""

from __future__ import annotations

import asyncio
import json

from stepfare.core.entry import Lost, Reserved, Settled
from stepfare.core.money import PUSD_PER_USD
from stepfare.store.verify import verify
from tests.fakes.provider import Play
from tests.flows.conftest import Start

SETTINGS = """
[budget]
day_usd = 1.00

[providers.lab]
dialect = "anthropic"
base_url = "{base_url}"
api_key = "env:LAB_KEY"

[[models]]
id = "lab/one"
tier = "balanced"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools"]
price = {{ input = 1, cache_read = 0.1, cache_write = 1.25, output = 5, web_search = 10 }}
"""
USES, CALLS = 8, 64
SEARCHED = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "one",
    "content": [{"type": "text", "text": "Found."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 60_000, "output_tokens": 200, "server_tool_use": {"web_search_requests": USES}},
}


async def test_concurrent_searches_never_pass_a_cap(start: Start) -> None:
    running = await start(Play(content_type="application/json", pieces=[json.dumps(SEARCHED).encode()], before_s=0.05), settings=SETTINGS)

    async def search(number: int) -> int:
        body = {
            "model": "lab/one",
            "max_tokens": 1_000,
            "messages": [{"role": "user", "content": f"Perform a web search for the query: number {number}"}],
            "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": USES}],
        }
        async with running.client.post(f"{running.url}/v1/messages", json=body, headers=running.headers()) as answer:
            await answer.read()
            return answer.status

    statuses = await asyncio.gather(*(search(number) for number in range(CALLS)))
    await running.house.books.finish()
    spent = reserved = most = served = 0
    held: dict[str, int] = {}
    async for batch in running.house.store.entries():
        for row in batch:
            if isinstance(row.entry, Reserved):
                held[row.entry.attempt] = row.entry.ceiling_pusd or 0
                reserved += held[row.entry.attempt]
            elif isinstance(row.entry, Settled):
                assert (row.entry.cost_pusd, row.entry.usage.web_searches) == (60_000 * 1_000_000 + 200 * 5_000_000 + USES * 10**10, USES)
                assert (row.entry.cost_pusd or 0) <= held[row.entry.attempt]
                reserved -= held[row.entry.attempt]
                spent += row.entry.cost_pusd or 0
                served += 1
            assert not isinstance(row.entry, Lost)
            most = max(most, spent + reserved)
    assert 0 < served < CALLS
    assert statuses.count(200) >= served
    assert most <= PUSD_PER_USD
    assert verify(running.home / "ledger.db").problems == ()
