"""Prefix caching: what is read and written, by account and model, until it is forgotten."""

from __future__ import annotations

from typing import Any

import aiohttp

from stepfare.simulator.app import running
from stepfare.simulator.cache import CachePolicy, CacheUse, PrefixCache
from stepfare.simulator.catalogue import CACHE
from stepfare.simulator.options import SimulatorOptions
from stepfare.simulator.prefixes import Prefix
from tests.fakes.clock import FakeClock

OWN = CachePolicy(CACHE.min_tokens, CACHE.lifetime_ms)


def prefixes(*tokens: int, names: str = "abcdefgh") -> tuple[Prefix, ...]:
    return tuple(Prefix(names[: index + 1].encode(), count) for index, count in enumerate(tokens))


def test_the_longest_common_prefix_is_read_and_the_rest_written() -> None:
    cache = PrefixCache()
    assert cache.meet(OWN, "key", "model", prefixes(1000, 2000), 0) == CacheUse(0, 2000)
    assert cache.meet(OWN, "key", "model", prefixes(1000, 2000, 2600), 1) == CacheUse(2000, 600)
    assert cache.meet(OWN, "key", "model", prefixes(1000, 2000, 2500, names="abXY"), 2) == CacheUse(2000, 500)
    assert cache.meet(OWN, "key", "model", prefixes(1000, 2000, 2600), 3) == CacheUse(2600, 0)


def test_each_model_and_each_account_has_its_own() -> None:
    cache = PrefixCache()
    cache.meet(OWN, "key", "model", prefixes(2000), 0)
    assert cache.meet(OWN, "key", "other", prefixes(2000), 0) == CacheUse(0, 2000)
    assert cache.meet(OWN, "other", "model", prefixes(2000), 0) == CacheUse(0, 2000)


def test_short_prompts_are_not_kept_and_short_prefixes_not_found() -> None:
    cache = PrefixCache()
    assert cache.meet(OWN, "key", "model", prefixes(1023), 0) == CacheUse(0, 0)
    cache.meet(OWN, "key", "model", prefixes(1000, 3000), 0)
    assert cache.meet(OWN, "key", "model", prefixes(1000, 4000, names="aZ"), 0) == CacheUse(0, 4000)


def test_a_prefix_lives_five_minutes_after_its_last_use() -> None:
    cache = PrefixCache()
    cache.meet(OWN, "key", "model", prefixes(2000), 0)
    assert cache.meet(OWN, "key", "model", prefixes(2000), 299_999).read_tokens == 2000
    assert cache.meet(OWN, "key", "model", prefixes(2000), 299_999 + 299_999).read_tokens == 2000
    assert cache.meet(OWN, "key", "model", prefixes(2000), 299_999 + 299_999 + 300_000).read_tokens == 0


def test_memory_is_bounded_and_the_longest_unused_go_first() -> None:
    cache = PrefixCache(prefixes_max=2)
    for name in ("p", "q", "r"):
        cache.meet(OWN, "key", "model", prefixes(2000, names=name), 0)
    assert len(cache) == 2
    assert cache.meet(OWN, "key", "model", prefixes(2000, names="r"), 1).read_tokens == 2000
    assert cache.meet(OWN, "key", "model", prefixes(2000, names="p"), 1).read_tokens == 0


async def test_usage_tells_reads_and_writes_and_forgets_with_time(clock: FakeClock) -> None:
    long = {"role": "system", "content": "word " * 2_000}
    first = [long, {"role": "user", "content": "one"}]
    second = [*first, {"role": "assistant", "content": "two"}, {"role": "user", "content": [{"type": "text", "text": "three"}]}]

    async def usage(
        session: aiohttp.ClientSession, url: str, messages: list[Any], model: str = "frugal", key: str = "k"
    ) -> tuple[int, int, int]:
        headers = {"Authorization": f"Bearer {key}"}
        async with session.post(f"{url}/chat/completions", json={"model": model, "messages": messages}, headers=headers) as answer:
            told = (await answer.json())["usage"]
        details = told["prompt_tokens_details"]
        return told["prompt_tokens"], details["cached_tokens"], details["cache_write_tokens"]

    async with running(SimulatorOptions(now_ms=clock.now_ms)) as url, aiohttp.ClientSession() as session:
        size, read, written = await usage(session, url, first)
        assert (read, written) == (0, size)
        larger, read, written = await usage(session, url, second)
        assert (read, written) == (size, larger - size)
        # A cache mark that moves is no change of the prefix.
        marked = [{**long, "content": [{"type": "text", "text": long["content"], "cache_control": {"type": "ephemeral"}}]}, *second[1:]]
        unmarked = [{**long, "content": [{"type": "text", "text": long["content"]}]}, *second[1:]]
        await usage(session, url, marked)
        assert (await usage(session, url, unmarked))[1] == larger
        assert (await usage(session, url, second, model="balanced"))[1] == 0
        assert (await usage(session, url, second, key="other"))[1] == 0
        clock.advance(CACHE.lifetime_ms)
        assert (await usage(session, url, second))[1:] == (0, larger)
