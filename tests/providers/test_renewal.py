"""Newer prices: read exactly, taken where they are plausible, told in a line each, held back where they look like errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from stepfare.core.model import Capability
from stepfare.providers.openrouter_list import ListedModel, pages, read_list
from stepfare.providers.prices import PriceTable, price_at
from stepfare.providers.renewal import checked_table, renewed_by_list, renewed_by_table, updated_on

NOW_MS = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
TABLE = {
    "format": 1,
    "version": "2026-11-21.aaaa",
    "as_of": "2026-11-21",
    "sources": {"genai-prices": "genai-prices of the test"},
    "unlisted": {},
    "providers": {
        "openrouter": {
            "lab/cheap": {"window": 9_000, "can": ["tools"], "prices": [{"rates": [1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000]}]},
            "lab/long": {
                "window": 900_000,
                "prices": [
                    {
                        "rates": [2_000_000, 200_000, 2_000_000, 2_000_000, 10_000_000],
                        "above": [[200_000, [4_000_000, 400_000, 4_000_000, 4_000_000, 15_000_001]]],
                    }
                ],
            },
            "lab/hours": {
                "window": 9_000,
                "prices": [
                    {"rates": [100, 10, 100, 100, 400]},
                    {"rates": [200, 20, 200, 200, 800], "hours": [60, 240]},
                ],
            },
            "lab/steady": {"window": 9_000, "prices": [{"rates": [7, 7, 7, 7, 7]}]},
            "lab/other": {"window": 9_000, "prices": [{"rates": [8, 8, 8, 8, 8]}]},
        },
        "anthropic": {"claude-haiku-5-5": {"window": 9_000, "prices": [{"rates": [1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000]}]}},
    },
}
TEXT = json.dumps(TABLE)


def listed(name: str, given: int, answer: int, read: int | None = None, write: int | None = None) -> ListedModel:
    return ListedModel(name, 9_000, 0, frozenset({Capability.TOOLS}), (given, read, write, None, answer))


def the_list(**changed: ListedModel) -> list[ListedModel]:
    """The models of the table at their prices, some of them changed."""
    same = {
        "cheap": listed("lab/cheap", 1_000_000, 5_000_000, 100_000, 1_250_000),
        "long": listed("lab/long", 2_000_000, 10_000_000),
        "hours": listed("lab/hours", 100, 400, 10),
        "steady": listed("lab/steady", 7, 7, 7),
        "other": listed("lab/other", 8, 8, 8),
    }
    return list({**same, **changed}.values())


def renewed(*, accept: bool = False, **changed: ListedModel):
    return renewed_by_list(TEXT, the_list(**changed), NOW_MS, accept=accept)


def price(text: str, model: str):
    found = price_at(PriceTable(text).rows_for(model), NOW_MS)
    assert found is not None
    return found


def test_a_list_that_says_what_is_known_changes_nothing() -> None:
    made = renewed()
    assert (made.text, made.changes) == (TEXT, ())


def test_a_price_that_fell_is_a_line_and_holds_from_now_on() -> None:
    made = renewed(cheap=listed("lab/cheap", 100_000, 500_000, 10_000, 125_000))
    (change,) = made.changes
    assert change.words == (
        "openrouter/lab/cheap got cheaper: input $1.00 -> $0.10, cache read $0.10 -> $0.01, cache write $1.25 -> $0.125, "
        "output $5.00 -> $0.50 per M"
    )
    new = price(made.text, "openrouter/lab/cheap")
    # A write for an hour is not in the list: it stays as much dearer than the other as it was.
    assert (new.base.input, new.base.cache_write_1h, new.base.output) == (100_000, 200_000, 500_000)
    assert (new.source, new.as_of) == ("OpenRouter's list of 2026-11-22", "2026-11-22")
    # Who did not change says what it said, with its own day.
    assert price(made.text, "openrouter/lab/steady").as_of == "2026-11-21"
    assert price(made.text, "anthropic/claude-haiku-5-5") == price(TEXT, "anthropic/claude-haiku-5-5")
    assert PriceTable(made.text).catalogue_version.startswith("2026-11-22.")
    assert updated_on(made.text) == "2026-11-22"


def test_dearer_and_mixed_changes_are_called_so() -> None:
    made = renewed(steady=listed("lab/steady", 14, 14, 14), other=listed("lab/other", 4, 16, 4))
    assert [change.words.partition(":")[0] for change in made.changes] == [
        "openrouter/lab/other changed its price",
        "openrouter/lab/steady got dearer",
    ]


def test_steps_by_length_move_with_their_base_and_are_never_cheaper_than_the_factor() -> None:
    made = renewed(long=listed("lab/long", 3_000_000, 15_000_000))
    long = price(made.text, "openrouter/lab/long")
    assert (long.rates_for(200_000).input, long.rates_for(200_001).input) == (3_000_000, 6_000_000)
    assert long.rates_for(200_001).output == 22_500_002
    # What the list does not name follows its neighbour.
    assert (long.base.cache_read, long.rates_for(200_001).cache_read) == (300_000, 600_000)


def test_a_price_of_another_hour_is_no_change() -> None:
    assert renewed(hours=listed("lab/hours", 200, 800, 20)).changes == ()
    (change,) = renewed(hours=listed("lab/hours", 300, 800, 20)).changes
    assert "openrouter/lab/hours got dearer" in change.words


def test_new_models_come_and_those_gone_go() -> None:
    rest = [model for model in the_list() if model.name != "lab/other"]
    made = renewed_by_list(TEXT, [*rest, listed("lab/new", 300_000, 900_000)], NOW_MS, accept=False)
    assert [change.words for change in made.changes] == [
        "openrouter/lab/new is new: input $0.30, cache read $0.30, output $0.90 per M",
        "openrouter/lab/other is not listed any more",
    ]
    table = PriceTable(made.text)
    new = table.lookup("openrouter/lab/new")
    assert new is not None
    assert (new.window_tokens, new.capabilities) == (9_000, {Capability.TOOLS})
    assert table.lookup("openrouter/lab/other") is None


@pytest.mark.parametrize("rates", [(0, 5_000_000), (1_000_000, 0), (100_000_001, 5_000_000), (9_999, 5_000_000)])
def test_a_change_that_looks_like_an_error_is_held_back_unless_a_person_takes_it(rates: tuple[int, int]) -> None:
    odd = listed("lab/cheap", *rates, 100_000, 1_250_000)
    made = renewed(cheap=odd, steady=listed("lab/steady", 14, 14, 14))
    assert [change.model for change in made.held] == ["openrouter/lab/cheap"]
    assert [change.model for change in made.taken] == ["openrouter/lab/steady"]
    assert price(made.text, "openrouter/lab/cheap").base == price(TEXT, "openrouter/lab/cheap").base
    assert renewed(cheap=odd).text == TEXT
    taken = renewed(cheap=odd, accept=True)
    assert (taken.held, price(taken.text, "openrouter/lab/cheap").base.input) == ((), rates[0])


def test_a_hundred_times_is_still_believed() -> None:
    assert renewed(cheap=listed("lab/cheap", 100_000_000, 5_000_000, 100_000, 1_250_000)).held == ()


def test_a_list_that_lacks_much_is_taken_for_broken() -> None:
    with pytest.raises(ValueError, match="4 of 5 models that are known are not in the list"):
        renewed_by_list(TEXT, the_list()[:1], NOW_MS, accept=False)
    assert len(renewed_by_list(TEXT, the_list()[:1], NOW_MS, accept=True).changes) == 4


def test_another_table_replaces_the_providers_that_it_has() -> None:
    newer = {**TABLE, "as_of": "2026-11-22", "version": "2026-11-22.bbbb", "providers": {**TABLE["providers"]}}
    haiku = {"window": 9_000, "prices": [{"rates": [100_000, 10_000, 125_000, 200_000, 500_000]}]}
    newer["providers"]["anthropic"] = {"claude-haiku-5-5": haiku}
    made = renewed_by_table(TEXT, json.dumps(newer), NOW_MS, accept=False)
    (change,) = made.changes
    assert change.words.startswith("anthropic/claude-haiku-5-5 got cheaper: input $1.00 -> $0.10, ")
    assert price(made.text, "anthropic/claude-haiku-5-5").as_of == "2026-11-22"
    assert price(made.text, "openrouter/lab/steady").base.input == 7
    older = {**TABLE, "as_of": "2026-11-20"}
    with pytest.raises(ValueError, match="older than the one at hand"):
        renewed_by_table(TEXT, json.dumps(older), NOW_MS, accept=True)


def with_rates(rates: list) -> str:
    return json.dumps({**TABLE, "providers": {"lab": {"x": {"window": 9, "prices": [{"rates": rates}]}}}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        json.dumps({**TABLE, "format": 2}),
        json.dumps({**TABLE, "as_of": "yesterday"}),
        json.dumps({**TABLE, "providers": {"lab": {"x": {"window": 0, "prices": []}}}}),
        json.dumps({**TABLE, "providers": {"lab": {"x": {"window": 9, "source": "hearsay", "prices": []}}}}),
        json.dumps({**TABLE, "providers": {"lab": {"x": {"window": 9, "can": ["fly"], "prices": []}}}}),
        with_rates([1, 1, 1, 1]),
        with_rates([1, 1, 1, 1, -1]),
        with_rates([1, 1, 1, 1, 0.5]),
        with_rates([1, 1, 1, 1, True]),
        with_rates([1, 1, 1, 1, 10**11]),
        json.dumps(TABLE).replace('"above": [[200000', '"above": [[0'),
    ],
)
def test_what_is_no_table_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        checked_table(text)


def test_the_table_that_ships_passes_the_check() -> None:
    from stepfare.providers.prices import BUNDLED

    assert checked_table(BUNDLED.read_text(encoding="utf-8")).names("openrouter")


def a_row(name: str = "openai/gpt-6-luna", **more) -> dict:
    pricing = {"prompt": "0.0000001", "completion": "0.0000005", "input_cache_read": "0.00000001", "input_cache_write": "0.000000125"}
    row = {
        "id": name,
        "context_length": 1_050_000,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "pricing": {**pricing, **more.pop("pricing", {})},
        "top_provider": {"max_completion_tokens": 128_000},
        "supported_parameters": ["tools", "reasoning", "structured_outputs", "temperature"],
    }
    return {**row, **more}


def read(*rows: object, **more: object):
    return read_list(json.dumps({"data": rows, **more}).encode())


def test_a_model_of_openrouters_list_is_read_to_the_picodollar() -> None:
    (model,) = read(a_row()).models
    assert model == ListedModel(
        "openai/gpt-6-luna",
        1_050_000,
        128_000,
        frozenset({Capability.TOOLS, Capability.VISION, Capability.REASONING, Capability.STRUCTURED}),
        (100_000, 10_000, 125_000, None, 500_000),
    )


@pytest.mark.parametrize(
    ("pricing", "rates"),
    [
        ({"prompt": "0", "completion": "0", "input_cache_read": None, "input_cache_write": None}, (0, None, None, None, 0)),
        ({"prompt": "1e-7"}, (100_000, 10_000, 125_000, None, 500_000)),
        ({"input_cache_write": "0"}, (100_000, 10_000, None, None, 500_000)),
        ({"input_cache_write_1h": "0.0000002"}, (100_000, 10_000, 125_000, 200_000, 500_000)),
        ({"prompt": "0.0000000028"}, (2_800, 10_000, 125_000, None, 500_000)),
    ],
)
def test_prices_of_the_list(pricing: dict, rates: tuple) -> None:
    (model,) = read(a_row(pricing=pricing)).models
    assert model.rates == rates


@pytest.mark.parametrize("odd", ["-1", "0.0000000000001", "nan", "inf", "1", "x", 0.5, True, [], "9" * 400])
def test_a_price_that_cannot_be_booked_exactly_leaves_the_model_out_with_a_word(odd: object) -> None:
    found = read(a_row(pricing={"prompt": odd}), a_row("openai/gpt-6-sol"))
    assert [model.name for model in found.models] == ["openai/gpt-6-sol"]
    assert list(found.left_out) == ["openai/gpt-6-luna"]


@pytest.mark.parametrize(
    "row",
    [
        a_row("openrouter/auto"),
        a_row("~anthropic/claude-latest"),
        a_row("openai/gpt-6-luna:nitro"),
        a_row("luna"),
        a_row("openai/ luna"),
        a_row("openai/" + "x" * 300),
        a_row(architecture={"output_modalities": ["image"]}),
        {"id": 7},
        "gpt",
        None,
    ],
)
def test_what_is_no_model_for_agents_is_not_listed(row: object) -> None:
    found = read(row, a_row("a/b"))
    assert ([model.name for model in found.models], dict(found.left_out)) == (["a/b"], {})


def test_what_the_list_does_not_say_is_not_known() -> None:
    (model,) = read({"id": "a/b", "context_length": 9, "pricing": {"prompt": "0.1e-5", "completion": "0.00001"}}).models
    assert (model.max_output_tokens, model.capabilities, model.rates) == (0, frozenset(), (1_000_000, None, None, None, 10_000_000))
    assert list(read({"id": "a/b", "pricing": {"prompt": "0", "completion": "0"}}).left_out) == ["a/b"]
    assert list(read({"id": "a/b", "context_length": 9, "pricing": {"prompt": "0"}}).left_out) == ["a/b"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"data": {}}', b"\xff", b"[" * 100_000])
def test_what_is_no_list_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="it "):
        read_list(text)


def test_a_model_of_two_pages_counts_once() -> None:
    one, two = read(a_row("a/b"), a_row("a/c"), links={"next": "/api/v1/models?offset=2"}), read(a_row("a/c"), a_row("a/d"))
    assert (one.next_page, two.next_page) == ("/api/v1/models?offset=2", "")
    assert [model.name for model in pages([one, two])] == ["a/b", "a/c", "a/d"]
