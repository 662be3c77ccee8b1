"""Caches and bills as the real providers have them: what is marked, read, written, forgotten, and what it costs to the picodollar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stepfare.core.money import Usage, cost
from stepfare.providers.prices import bundled_prices, price_at
from stepfare.simulator.cache import LOOK_BACK_BLOCKS, CachePolicy, CacheUse, PrefixCache
from stepfare.simulator.prefixes import FIVE_MINUTES_S, HOUR_S, Prefix, anthropic_prefixes, chat_prefixes
from tests.fakes.clock import FakeClock
from tests.simulator.speaking import Json, Simulator, simulator

MARKED = CachePolicy(min_tokens=1024, marked=True)
MARK: Json = {"cache_control": {"type": "ephemeral"}}


def prefixes(*rows: tuple[int, int], names: str = "") -> tuple[Prefix, ...]:
    """Blocks as (tokens so far, lifetime of a mark)."""
    return tuple(
        Prefix((names[: index + 1] or str(index)).encode() + bytes([index]), tokens, mark_s) for index, (tokens, mark_s) in enumerate(rows)
    )


def meet(cache: PrefixCache, now_ms: int, *rows: tuple[int, int]) -> CacheUse:
    return cache.meet(MARKED, "key", "model", prefixes(*rows), now_ms)


FIVE, HOUR, NONE = FIVE_MINUTES_S, HOUR_S, 0


def test_only_marks_write_and_only_from_the_shortest_prompt_on() -> None:
    cache = PrefixCache()
    assert meet(cache, 0, (2000, NONE), (3000, NONE)) == CacheUse(0, 0)
    assert meet(cache, 0, (1000, FIVE), (3000, NONE)) == CacheUse(0, 0)
    assert meet(cache, 0, (2000, FIVE), (3000, NONE)) == CacheUse(0, 2000)
    assert meet(cache, 1, (2000, FIVE), (3000, FIVE)) == CacheUse(2000, 1000)
    assert meet(cache, 2, (2000, NONE), (3000, NONE), (3500, FIVE)) == CacheUse(3000, 500)
    assert meet(cache, 3, (2000, NONE), (3000, NONE)) == CacheUse(0, 0)


def test_a_look_back_from_a_mark_goes_twenty_blocks() -> None:
    def later(blocks: int) -> CacheUse:
        cache = PrefixCache()
        meet(cache, 0, (2000, FIVE))
        rows = [(2000, NONE), *((2000 + 10 * number, NONE) for number in range(1, blocks)), (2000 + 10 * blocks, FIVE)]
        return meet(cache, 1, *rows)

    assert later(LOOK_BACK_BLOCKS - 1).read_tokens == 2000
    assert later(LOOK_BACK_BLOCKS).read_tokens == 0


def test_an_hour_and_five_minutes_are_written_apart_and_a_hit_renews_each() -> None:
    cache = PrefixCache()
    rows = ((2000, HOUR), (3000, FIVE))
    assert meet(cache, 0, *rows) == CacheUse(0, 3000, 2000)
    assert meet(cache, 299_000, *rows) == CacheUse(3000, 0)
    assert meet(cache, 598_000, *rows) == CacheUse(3000, 0)
    assert meet(cache, 598_000 + 300_000, *rows) == CacheUse(2000, 1000)
    assert meet(cache, 598_000 + 300_000 + 3_600_000, *rows) == CacheUse(0, 3000, 2000)


def test_automatic_caches_count_in_their_own_steps() -> None:
    openai, deepseek = CachePolicy(unit=128), CachePolicy(min_tokens=64, unit=64, writes=False)
    cache = PrefixCache()
    assert cache.meet(openai, "key", "a", prefixes((1500, NONE)), 0) == CacheUse(0, 1408)
    assert cache.meet(openai, "key", "a", prefixes((1500, NONE), (2000, NONE)), 1) == CacheUse(1408, 512)
    assert cache.meet(deepseek, "key", "b", prefixes((100, NONE)), 0) == CacheUse(0, 0)
    assert cache.meet(deepseek, "key", "b", prefixes((100, NONE), (200, NONE)), 1) == CacheUse(64, 0)


def test_blocks_are_the_same_but_for_marks_and_the_form_of_a_bare_text() -> None:
    bare: Json = {"system": "S", "messages": [{"role": "user", "content": "Hello"}]}
    blocks: Json = {
        "system": [{"type": "text", "text": "S", **MARK}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", **MARK}]}],
    }

    def digests(body: Json) -> list[bytes]:
        return [prefix.digest for prefix in anthropic_prefixes(body)]

    assert digests(bare) == digests(blocks)
    assert [prefix.mark_s for prefix in anthropic_prefixes(blocks)] == [FIVE, FIVE]
    assert anthropic_prefixes({**bare, **MARK})[-1].mark_s == FIVE
    call = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1, "b": 2}}
    turned = {**call, "input": {"b": 2, "a": 1}}
    said = [digests({"messages": [{"role": "assistant", "content": [block]}]})[-1] for block in (call, turned)]
    assert said[0] != said[1]


def test_tools_come_before_the_system_prompt_and_that_before_the_messages() -> None:
    tool: Json = {"name": "t", "input_schema": {"type": "object"}}
    base: Json = {"tools": [tool], "system": "S", "messages": [{"role": "user", "content": "Hello"}]}

    def same(change: Json) -> int:
        """How many of the first blocks stay what they were."""
        pairs = zip(anthropic_prefixes(base), anthropic_prefixes({**base, **change}), strict=False)
        return sum(1 for one, other in pairs if one.digest == other.digest)

    assert same({"system": "T"}) == 1
    assert same({"tools": [{**tool, "description": "x"}]}) == 0
    assert same({"tool_choice": {"type": "any"}}) == 2
    assert same({"thinking": {"type": "adaptive"}}) == 2
    assert same({"tools": [tool, {"name": "later", "defer_loading": True}]}) == 3
    assert same({"max_tokens": 9, "stream": True}) == 3


def test_marks_in_chat_completions_are_seen_at_their_parts() -> None:
    body: Json = {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a", **MARK}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "c", **MARK},
        ]
    }
    assert [prefix.mark_s for prefix in chat_prefixes(body)] == [FIVE, NONE, FIVE]


@pytest.fixture
async def opened(clock: FakeClock) -> AsyncIterator[Simulator]:
    async with simulator(now_ms=clock.now_ms) as running:
        yield running


def billed(line: Json, **counts: int) -> int:
    """What these counts cost by the catalogue at the time of the line."""
    price = price_at(bundled_prices().rows_for(line["model"]), line["at_ms"])
    assert price is not None
    return cost(price.rates_for(counts["input_tokens"]), Usage(**counts))


LONG = "word " * 2_000


async def test_anthropic_bills_reads_and_writes_of_both_lifetimes(opened: Simulator, clock: FakeClock) -> None:
    mark_1h = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body: Json = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "system": [{"type": "text", "text": LONG, **mark_1h}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": LONG, **MARK}]}],
    }
    _, first = await opened.post("anthropic", "anthropic", body)
    usage = first["usage"]
    system, message = usage["cache_creation"]["ephemeral_1h_input_tokens"], usage["cache_creation"]["ephemeral_5m_input_tokens"]
    assert (system, message) == (2500, 2504)
    assert (usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]) == (0, 5004, 0)
    clock.advance(300_000)
    _, second = await opened.post("anthropic", "anthropic", body)
    assert (second["usage"]["cache_read_input_tokens"], second["usage"]["cache_creation_input_tokens"]) == (2500, 2504)
    lines = await opened.bill()
    for line, counts in zip(
        lines,
        (
            {"cache_write_tokens": 5004, "cache_write_1h_tokens": 2500},
            {"cache_read_tokens": 2500, "cache_write_tokens": 2504},
        ),
        strict=True,
    ):
        assert (line["family"], line["dialect"], line["model"]) == ("anthropic", "anthropic", "anthropic/claude-sonnet-5-5")
        assert {name: line["usage"][name] for name in counts} == counts
        assert line["cost_pusd"] == billed(line, input_tokens=5004, output_tokens=line["usage"]["output_tokens"], **counts)


async def test_the_price_of_a_long_prompt_and_of_the_hour_is_the_catalogues(opened: Simulator, clock: FakeClock) -> None:
    long: Json = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "word " * 90_000}]}
    await opened.post("anthropic", "anthropic", long)
    (line,) = await opened.bill()
    assert line["usage"]["input_tokens"] > 100_000
    assert line["cost_pusd"] == line["usage"]["input_tokens"] * 500_000 + line["usage"]["output_tokens"] * 2_500_000
    midnight_ms = (clock.now_ms() // 86_400_000 + 1) * 86_400_000
    costs: list[int] = []
    for hour in (0, 2):
        clock.advance(midnight_ms + hour * 3_600_000 - clock.now_ms())
        asked = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello there"}]}
        await opened.post("deepseek", "openai", asked)
        costs.append((await opened.bill())[-1]["cost_pusd"])
    assert costs[1] == 2 * costs[0]


@pytest.mark.parametrize(
    ("family", "model", "step", "writes"),
    [
        ("openai", "gpt-6.1-sol", 128, True),
        ("deepseek", "deepseek-flash", 64, False),
        ("google", "gemini-4-argon", 1, False),
        ("mistral", "mistral-large-4", 64, False),
        ("openrouter", "openai/gpt-6.1-sol", 128, True),
    ],
)
async def test_the_others_cache_by_themselves(opened: Simulator, family: str, model: str, step: int, writes: bool) -> None:
    messages: list[Json] = [{"role": "system", "content": LONG}, {"role": "user", "content": LONG}]
    for _ in range(2):
        await opened.post(family, "openai", {"model": model, "messages": messages})
    first, second = await opened.bill()
    size = first["usage"]["input_tokens"]
    assert second["usage"]["cache_read_tokens"] == size // step * step
    assert first["usage"]["cache_write_tokens"] == (size // step * step if writes else 0)
    usage = {name: second["usage"][name] for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")}
    assert second["cost_pusd"] == billed(second, **usage)


async def test_anthropics_models_at_openrouter_cache_what_is_marked_and_the_bill_is_told(opened: Simulator) -> None:
    async def ask(marks: Json) -> Any:
        content = [{"type": "text", "text": LONG, **marks}]
        body = {"model": "anthropic/claude-opus-5.5", "messages": [{"role": "user", "content": content}]}
        return (await opened.post("openrouter", "openai", body))[1]

    assert (await ask({}))["usage"]["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert (await ask(MARK))["usage"]["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 2504}
    answer = await ask(MARK)
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 2504, "cache_write_tokens": 0}
    line = (await opened.bill())[-1]
    assert answer["usage"]["cost"] == line["cost_pusd"] / 1e12
    assert answer["provider"] == "anthropic"


async def test_what_nobody_bills_costs_nothing(opened: Simulator) -> None:
    await opened.post("local", "openai", {"model": "qwen3:8b", "messages": [{"role": "user", "content": "Hello"}]})
    assert [(line["family"], line["cost_pusd"]) for line in await opened.bill()] == [("local", 0)]
