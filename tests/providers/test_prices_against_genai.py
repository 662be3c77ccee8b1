"""Our price function against that of genai-prices, to the picodollar: every model, around every mark, date and hour."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices.data_snapshot import get_snapshot

from scripts.generate_prices import PROVIDERS, literal_names
from stepfare.core.model import PriceRow
from stepfare.core.money import PUSD_PER_USD, Usage, priced
from stepfare.providers.prices import BUNDLED, DAY_MS, MINUTE_MS, bundled_prices, price_at

TABLE = bundled_prices()
FILE = json.loads(BUNDLED.read_text(encoding="utf-8"))
SNAPSHOT = get_snapshot()
TODAY_MS = int(datetime.fromisoformat(TABLE.as_of).replace(tzinfo=UTC).timestamp() * 1000)

# (read, written, of these for an hour) as parts of a prompt.
MIXES = ((0.0, 0.0, 0.0), (0.9, 0.0, 0.0), (0.5, 0.3, 0.0), (0.1, 0.9, 0.4), (0.0, 1.0, 1.0))


def usages(rows: tuple[PriceRow, ...]) -> Iterator[Usage]:
    """Prompts on both sides of every mark, each with every mix of cache and with and without an answer."""
    marks = sorted({step.above_tokens for row in rows for step in row.price.steps})
    prompts = [0, 1, 99_999, *(mark + by for mark in marks for by in (-1, 0, 1))]
    for number, prompt in enumerate(prompts):
        for read, written, hour in MIXES:
            write = min(int(prompt * written), prompt - int(prompt * read))
            yield Usage(prompt, int(prompt * read), write, 0 if number % 3 == 0 else 1_237, cache_write_1h_tokens=int(write * hour))


def moments(rows: tuple[PriceRow, ...]) -> list[int]:
    """Around every date and every hour at which the price may change, and noon of the table's day."""
    starts = {row.from_ms for row in rows if row.from_ms}
    hours = {minute for row in rows if row.hours for minute in row.hours}
    around = {start + by for start in starts for by in (-1, 0)}
    days = {TODAY_MS, *(start - start % DAY_MS for start in starts)}
    around |= {day + minute * MINUTE_MS + by for day in days for minute in hours for by in (-1, 0, MINUTE_MS)}
    return sorted(around | {TODAY_MS + DAY_MS // 2})


def theirs_pusd(provider: str, name: str, usage: Usage, now_ms: int, service: str = "") -> Decimal:
    asked = GenaiUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        input_audio_tokens=usage.audio_tokens or None,
        web_searches=usage.web_searches or None,
    )
    moment = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    context = {"speed" if provider == "anthropic" else "service_tier": service} if service else None
    total = SNAPSHOT.calc(asked, name, PROVIDERS[provider][0], None, moment, price_context=context).total_price
    return total * PUSD_PER_USD


def test_the_table_was_made_from_the_installed_version() -> None:
    assert FILE["sources"]["genai-prices"] == f"genai-prices {version('genai-prices')} (MIT)", "run scripts/generate_prices.py"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_price_is_theirs_to_the_picodollar(provider: str) -> None:
    for name in TABLE.names(provider):
        model = f"{provider}/{name}"
        rows = TABLE.rows_for(model)
        for now_ms in moments(rows):
            price = price_at(rows, now_ms)
            assert price is not None, model
            for usage in usages(rows):
                ours, theirs = priced(price, usage), theirs_pusd(provider, name, usage, now_ms)
                # Rounded up where their rate has fractions of a picodollar: less than one for each written token.
                slack = usage.cache_write_tokens if model in FILE["rounded_up"] else 0
                assert theirs <= ours <= theirs + slack, (model, now_ms, usage)


def test_other_services_cost_what_they_say() -> None:
    noon_ms, compared = TODAY_MS + DAY_MS // 2, set[tuple[str, str]]()
    for provider in PROVIDERS:
        for name in TABLE.names(provider):
            price = price_at(TABLE.rows_for(f"{provider}/{name}"), noon_ms)
            for service, served in price.services.items() if price else ():
                for usage in usages((PriceRow(served),)):
                    assert priced(served, usage) == theirs_pusd(provider, name, usage, noon_ms, service), (provider, name, service, usage)
                compared.add((provider, service))
    assert {("openai", "flex"), ("openai", "priority"), ("anthropic", "fast")} <= compared


@pytest.mark.parametrize(
    ("provider", "usage"),
    [
        ("google", Usage(10_000, 0, 0, 500, audio_tokens=4_000)),
        ("anthropic", Usage(10_000, 6_000, 1_000, 500, web_searches=3)),
        ("openai", Usage(10_000, 6_000, 0, 500, web_searches=1)),
    ],
)
def test_sound_and_searches_cost_what_they_say(provider: str, usage: Usage) -> None:
    noon_ms, compared = TODAY_MS + DAY_MS // 2, 0
    for name in TABLE.names(provider):
        price = price_at(TABLE.rows_for(f"{provider}/{name}"), noon_ms)
        assert price is not None
        if (price.base.audio if usage.audio_tokens else price.base.web_search) is not None and "embedding" not in name:
            assert priced(price, usage) == theirs_pusd(provider, name, usage, noon_ms), name
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_name_of_theirs_gets_the_price_of_another_model(provider: str) -> None:
    """Ours may leave a model unpriced; what it prices under any of their names, today's date put behind it or not, costs the same."""
    usage = Usage(250_000, 100_000, 50_000, 1_000)
    known = next(one for one in SNAPSHOT.providers if one.id == PROVIDERS[provider][0])
    compared = 0
    for model in known.models:
        for name in literal_names(model.match, model.id):
            for asked in (name, f"{name}-20261001"):
                listed = TABLE.lookup(f"{provider}/{asked}")
                if listed is None or known.find_model(asked) is None:
                    continue
                price = price_at(listed.prices, TODAY_MS)
                assert price is not None, asked
                slack = usage.cache_write_tokens if f"{provider}/{listed.name}" in FILE["rounded_up"] else 0
                assert 0 <= priced(price, usage) - theirs_pusd(provider, asked, usage, TODAY_MS) <= slack, asked
                compared += 1
    assert compared >= len(TABLE.names(provider))
