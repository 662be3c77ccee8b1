"""`stepfare prices update`: newer prices fetched from a list that is really served, told line by line, kept, and taken by the daemon."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from stepfare.control.protocol import Reloaded
from stepfare.paths import Paths
from stepfare.providers.prices import BUNDLED, bundled_prices, price_at
from stepfare.runtime.renewing import prices_at_hand
from tests.cli.conftest import Run
from tests.control.fake_daemon import FakeDaemon
from tests.upstream.servers import Server, serving

TABLE = bundled_prices()


def exact(rate: int) -> str:
    """Picodollars per token as the list has it, in dollars per token."""
    return f"{rate // 10**12}.{rate % 10**12:012d}"


def row(name: str, **rates: int) -> dict:
    listed = TABLE.lookup(f"openrouter/{name}")
    base = listed.prices[-1].price.base if listed else None
    price = price_at(listed.prices, 1_795_300_000_000) if listed else None
    base = price.base if price else base
    said = {} if base is None else {"prompt": base.input, "completion": base.output, "input_cache_read": base.cache_read}
    pricing = {key: exact(rate) for key, rate in {**said, **rates}.items()}
    return {"id": name, "context_length": 9_000, "pricing": pricing, "supported_parameters": ["tools"]}


@dataclass
class Lists:
    """What OpenRouter lists; at first the models that are known, at their prices."""

    rows: dict[str, dict]
    server: Server

    def serve(self) -> None:
        self.server.answers = {"/api/v1/models": {"data": list(self.rows.values())}}


@pytest.fixture
def lists(paths: Paths) -> Iterator[Lists]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = serving({})
    server = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
    made = Lists({name: row(name) for name in TABLE.names("openrouter")}, server)
    made.serve()
    paths.config_dir.mkdir(parents=True, exist_ok=True)
    paths.config_toml.write_text(f'[providers.openrouter]\nbase_url = "{server.url}/api/v1"\n')
    yield made
    asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_price_that_fell_is_a_line_and_holds_at_the_next_start(run: Run, paths: Paths, lists: Lists) -> None:
    lists.rows["anthropic/claude-haiku-5.5"] = row("anthropic/claude-haiku-5.5", prompt=50_000)
    lists.rows["lab/new"] = row("lab/new", prompt=300_000, completion=900_000)
    lists.serve()
    ran = run("prices", "update")
    assert ran.code == 0, ran
    assert ran.err == f"Asking {lists.server.url}/api/v1 ...\n"
    lines = ran.out.splitlines()
    assert any(one.startswith("openrouter/anthropic/claude-haiku-5.5 got cheaper: input $0.10 -> $0.05") for one in lines)
    assert "openrouter/lab/new is new: input $0.30, cache read $0.30, output $0.90 per M" in lines
    assert lines[-1].startswith("2 changes. Prices are of 20")
    assert lines[-1].endswith("They hold from the next `stepfare serve` on.")
    table, problems = prices_at_hand(paths)
    assert problems == ()
    assert table.lookup("openrouter/lab/new") is not None
    assert table.catalogue_version != TABLE.catalogue_version


def test_nothing_new_is_said_and_asking_again_too(run: Run, paths: Paths, lists: Lists) -> None:
    for _ in range(2):
        ran = run("prices", "update")
        assert (ran.code, ran.out.splitlines()[-1].partition(" Prices")[0]) == (0, "Nothing changed.")
    assert prices_at_hand(paths)[0].catalogue_version == TABLE.catalogue_version


def test_what_looks_like_an_error_waits_for_a_person(run: Run, paths: Paths, lists: Lists) -> None:
    lists.rows["openai/gpt-6-luna"] = row("openai/gpt-6-luna", prompt=0)
    lists.serve()
    ran = run("prices", "update")
    assert "held back: openrouter/openai/gpt-6-luna got cheaper: input $0.10 -> $0.00" in ran.out
    assert "1 change held back" in ran.out
    assert prices_at_hand(paths)[0].catalogue_version == TABLE.catalogue_version
    told = json.loads(run("prices", "update", "--accept", "--json").out)
    assert [(one["model"], one["taken"]) for one in told["changes"]] == [("openrouter/openai/gpt-6-luna", True)]
    assert told["daemon"] == "not-running"
    assert prices_at_hand(paths)[0].rows_for("openrouter/openai/gpt-6-luna")[0].price.base.input == 0


def test_the_running_daemon_reads_them_at_once(run: Run, lists: Lists, fake: FakeDaemon) -> None:
    fake.answer("reload", Reloaded(problems=[]), method="POST")
    lists.rows["lab/new"] = row("lab/new", prompt=300_000, completion=900_000)
    lists.serve()
    assert run("prices", "update").out.splitlines()[-1].endswith("The running daemon has them.")
    assert [(one.method, one.path.rpartition("/")[2]) for one in fake.asked] == [("POST", "reload")]


def test_no_list_is_said_and_changes_nothing(run: Run, paths: Paths, lists: Lists) -> None:
    lists.server.answers = {}
    ran = run("prices", "update", "--json")
    assert (ran.code, json.loads(ran.out)["error"]) == (1, "no-list")
    assert "answered 404. Prices stay as they are" in json.loads(ran.out)["words"]
    lists.server.answers = {"/api/v1/models": {"data": [row("openai/gpt-6-luna")]}}
    assert "taken for a broken one" in run("prices", "update").err
    assert not paths.catalogue_json.exists()


def test_a_table_of_our_own_format_is_asked_for_first(run: Run, paths: Paths, lists: Lists) -> None:
    text = json.loads(BUNDLED.read_text(encoding="utf-8"))
    text["providers"]["anthropic"]["claude-haiku-5-5"]["prices"] = [{"rates": [50_000, 5_000, 62_500, 100_000, 250_000]}]
    paths.config_toml.write_text(paths.config_toml.read_text() + f'[prices]\nurl = "{lists.server.url}/table.json"\n')
    lists.server.answers = {**lists.server.answers, "/table.json": text}
    ran = run("prices", "update")
    assert "anthropic/claude-haiku-5-5 got cheaper: input $0.10 -> $0.05" in ran.out
    assert ran.err.splitlines()[0] == f"Asking {lists.server.url}/table.json ..."
    lists.server.answers = {**lists.server.answers, "/table.json": {**text, "format": 9}}
    assert "The table at" in run("prices", "update").err


def test_prices_that_cannot_be_read_are_left_aside_with_a_word(paths: Paths) -> None:
    paths.catalogue_json.parent.mkdir(parents=True, exist_ok=True)
    for odd in ("{", "[]", "{}", '{"as_of": 3}', "\0"):
        paths.catalogue_json.write_text(odd)
        table, (told,) = prices_at_hand(paths)
        assert table.catalogue_version == TABLE.catalogue_version
        assert "the prices that ship hold" in told.words
    older = json.loads(BUNDLED.read_text(encoding="utf-8")) | {"updated": "2026-01-01", "version": "old"}
    paths.catalogue_json.write_text(json.dumps(older))
    table, problems = prices_at_hand(paths)
    assert (table.catalogue_version, problems) == (TABLE.catalogue_version, ())
