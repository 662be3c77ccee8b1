"""`stepfare ledger reprice`: what other prices would have made of the books, which stay as they are."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stepfare.control.protocol import RepricedLedger
from stepfare.core.entry import Entry, Opened, Reserved, Settled
from stepfare.core.money import Rates, Usage
from stepfare.paths import Paths
from stepfare.providers.catalog import prices_of
from stepfare.providers.prices import BUNDLED
from stepfare.providers.rows import bundled_catalog
from stepfare.store.sqlite_file import open_file
from tests.cli.conftest import Run
from tests.cli.samples import NOW_MS

MODEL = "anthropic/claude-opus-5-5"
RATES = Rates(4_000_000, 200_000, 5_000_000, 8_000_000, 20_000_000)
# 1,000 fresh, 50,000 read, 100 out.
USAGE = Usage(51_000, 50_000, 0, 100)
BOOKED_PUSD = 1_000 * 4_000_000 + 50_000 * 200_000 + 100 * 20_000_000
OTHER_PUSD = 1_000 * 5_000_000 + 50_000 * 500_000 + 100 * 25_000_000
DAY_MS = 86_400_000


def attempt(name: str, model: str, at_ms: int, cost_pusd: int | None, source: str = "usage-priced") -> tuple[Entry, Entry]:
    reserved = Reserved(name, f"d{name}", "s1", 1, at_ms, model, "premium", "edit", "premium", "profile", None, "cline")
    return reserved, Settled(name, "s1", at_ms + 5, "ok", "edit", USAGE, cost_pusd, source, RATES, "2026-11-21.x")


@pytest.fixture
def books(paths: Paths) -> Paths:
    entries = [
        Opened("s1", NOW_MS, "cline", "/srv/shop", "/srv/shop", "main", ""),
        *attempt("a1", MODEL, NOW_MS - 3 * DAY_MS, BOOKED_PUSD),
        *attempt("a2", MODEL, NOW_MS, BOOKED_PUSD, "estimated"),
        *attempt("a3", "gone/model", NOW_MS, 7),
        *attempt("a4", "anthropic/claude-sonnet-5-5", NOW_MS, None),
    ]

    async def write() -> None:
        store = open_file(paths.ledger_db, lambda: NOW_MS)
        await store.append(*entries)
        await store.close()

    asyncio.run(write())
    return paths


def table(folder: Path, change: dict[str, Any]) -> str:
    """A table of prices as the daemon keeps it, in which these models have another price."""
    text = json.loads(BUNDLED.read_text(encoding="utf-8"))
    text["version"] = "another"
    for name, price in change.items():
        text["providers"]["anthropic"][name]["prices"] = [price]
    (folder / "other.json").write_text(json.dumps(text), encoding="utf-8")
    return str(folder / "other.json")


def test_another_table_is_set_beside_what_was_booked_and_changes_nothing(run: Run, books: Paths, tmp_path: Path) -> None:
    before = books.ledger_db.read_bytes()
    other = table(tmp_path, {"claude-opus-5-5": {"rates": [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]}})
    message = RepricedLedger.model_validate_json(run("ledger", "reprice", "--prices", other, "--json").out)
    opus, others = message.models[0], message.models[1:]
    assert message.catalogue == "another"
    assert (opus.model, opus.attempts, opus.booked_pusd, opus.repriced_pusd) == (MODEL, 2, 2 * BOOKED_PUSD, 2 * OTHER_PUSD)
    assert (opus.difference_pusd, opus.estimated_pusd) == (2 * (OTHER_PUSD - BOOKED_PUSD), BOOKED_PUSD)
    assert [(one.model, one.newly_priced_attempts, one.not_priced_attempts) for one in others] == [
        ("anthropic/claude-sonnet-5-5", 1, 0),
        ("gone/model", 0, 1),
    ]
    assert (message.total.attempts, message.total.not_priced_booked_pusd) == (2, 7)
    assert books.ledger_db.read_bytes() == before
    assert run("ledger", "verify").code == 0


def test_it_is_told_in_words(run: Run, books: Paths, tmp_path: Path) -> None:
    other = table(tmp_path, {"claude-opus-5-5": {"rates": [5_000_000, 500_000, 6_250_000, 10_000_000, 25_000_000]}})
    ran = run("ledger", "reprice", "--prices", other)
    assert ran.code == 0
    assert "By the price table another" in ran.out
    (opus,) = [text for text in ran.out.splitlines() if text.startswith(MODEL)]
    assert opus.split()[1:] == ["2", "$0.03200", "$0.06500", "+$0.03300"]
    assert "1 attempt booked as unpriced would have cost $0.008000" in ran.out
    assert "no price here for 1 attempt" in ran.out
    assert "what was booked stays booked" in ran.out


def test_the_prices_of_now_are_those_of_the_daemon(run: Run, books: Paths) -> None:
    """The user's own price of a model is in force too."""
    (books.config_toml).write_text(f'[[models]]\nid = "{MODEL}"\ntier = "premium"\nprice = {{ input = 0, output = 1 }}\n')
    message = RepricedLedger.model_validate_json(run("ledger", "reprice", "--catalogue", "now", "--json").out)
    (opus,) = [one for one in message.models if one.model == MODEL]
    assert opus.repriced_pusd == 2 * 100 * 1_000_000
    assert message == RepricedLedger.model_validate_json(run("ledger", "reprice", "--json").out)


def test_a_time_leaves_earlier_ones_out(run: Run, books: Paths) -> None:
    day = datetime.fromtimestamp((NOW_MS - DAY_MS) / 1000, UTC).isoformat()
    message = RepricedLedger.model_validate_json(run("ledger", "reprice", "--since", day, "--json").out)
    assert message.total.attempts == 1
    assert "nothing to compare" in run("ledger", "reprice", "--since", "2126-01-01").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--prices", "{broken}"), "is no price table"),
        (("--prices", "{broken}", "--catalogue", "now"), "give one of them"),
        (("--prices", "nowhere.json"), "does not exist"),
        (("--since", "soon"), "is no time"),
    ],
)
def test_what_cannot_be_compared_is_said(run: Run, books: Paths, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"format": 99}', encoding="utf-8")
    ran = run("ledger", "reprice", *(each.format(broken=broken) for each in arguments))
    assert ran.code != 0
    assert words in ran.err
    assert ran.out == ""


def test_without_books_there_is_a_word(run: Run, paths: Paths) -> None:
    ran = run("ledger", "reprice")
    assert ran.code != 0
    assert "no books yet" in ran.err


def test_a_served_model_keeps_its_price_without_its_provider() -> None:
    catalog = bundled_catalog()
    bare = replace(catalog, providers={}, models={})
    assert prices_of(bare, MODEL) == catalog.prices.rows_for(MODEL) != ()
    assert prices_of(catalog, MODEL) == catalog.models[MODEL].prices
    assert prices_of(catalog, "ollama/qwen3:8b")[0].price.base == Rates(0, 0, 0, 0, 0)
    assert prices_of(catalog, "gone/model") == ()
