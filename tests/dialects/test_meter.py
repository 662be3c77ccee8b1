"""Usage is inclusive and exact whatever shape a provider reports it in, and never more than can be believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.core.money import Usage
from stepfare.dialects.meter import TOKENS_MAX, chat_usage, timed_usage

# (what is reported, what that means: input, read, written, output, reasoning)
SHAPES: dict[str, tuple[dict[str, Any], tuple[int, int, int, int, int]]] = {
    "openai": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 192, "accepted_prediction_tokens": 0},
        },
        (2006, 1920, 0, 300, 192),
    ),
    "openai, nothing cached": ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, (5, 0, 0, 7, 0)),
    "openai, details of null": (
        {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": None, "completion_tokens_details": None},
        (5, 0, 0, 7, 0),
    ),
    "deepseek": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1050,
            "prompt_tokens_details": {"cached_tokens": 896},
            "completion_tokens_details": {"reasoning_tokens": 30},
            "prompt_cache_hit_tokens": 896,
            "prompt_cache_miss_tokens": 104,
        },
        (1000, 896, 0, 50, 30),
    ),
    "deepseek, older": (
        {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_cache_hit_tokens": 896, "prompt_cache_miss_tokens": 104},
        (1000, 896, 0, 50, 0),
    ),
    "groq": (
        {
            "queue_time": 0.02,
            "prompt_tokens": 80,
            "prompt_time": 0.003,
            "completion_tokens": 20,
            "completion_time": 0.04,
            "total_tokens": 100,
            "total_time": 0.043,
        },
        (80, 0, 0, 20, 0),
    ),
    "openrouter": (
        {
            "prompt_tokens": 194,
            "completion_tokens": 20,
            "total_tokens": 214,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 90},
            "completion_tokens_details": {"reasoning_tokens": 5},
            "cost": 0.95,
            "is_byok": False,
            "cost_details": {"upstream_inference_cost": None},
        },
        (194, 100, 90, 20, 5),
    ),
    "xai, reasoning beside the completion": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"text_tokens": 32, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        (32, 6, 0, 103, 94),
    ),
    "ollama": ({"prompt_tokens": 26, "completion_tokens": 298, "total_tokens": 324}, (26, 0, 0, 298, 0)),
    "moonshot": ({"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "cached_tokens": 64}, (100, 64, 0, 1, 0)),
    "mistral, reasoning apart": ({"prompt_tokens": 10, "completion_tokens": 30, "reasoning_tokens": 20}, (10, 0, 0, 30, 20)),
    "gateway, cached counted inside": (
        {
            "prompt_tokens": 5000,
            "completion_tokens": 10,
            "total_tokens": 5010,
            "prompt_tokens_details": {"cached_tokens": 4000},
            "cache_read_input_tokens": 4000,
            "cache_creation_input_tokens": 900,
        },
        (5000, 4000, 900, 10, 0),
    ),
    "gateway, cached counted beside": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 5010,
            "cache_read_input_tokens": 4000,
            "cache_creation_input_tokens": 900,
        },
        (5000, 4000, 900, 10, 0),
    ),
    "gateway, cached counted beside, no total": (
        {"prompt_tokens": 100, "completion_tokens": 10, "cache_read_input_tokens": 4000},
        (4100, 4000, 0, 10, 0),
    ),
    "gateway, all of it cached and counted inside": (
        {"prompt_tokens": 4000, "completion_tokens": 10, "cache_read_input_tokens": 4000},
        (4000, 4000, 0, 10, 0),
    ),
    "gateway, all cached beside no input": (
        {"prompt_tokens": 0, "completion_tokens": 10, "cache_read_input_tokens": 4000},
        (4000, 4000, 0, 10, 0),
    ),
    "more cached than there is": (
        {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 500, "cache_write_tokens": 500}},
        (100, 100, 0, 1, 0),
    ),
    "more thought than said": ({"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 9}}, (0, 0, 0, 3, 3)),
    "prompt only": ({"prompt_tokens": 7}, (7, 0, 0, 0, 0)),
    "completion only": ({"completion_tokens": 7}, (0, 0, 0, 7, 0)),
    "floats": ({"prompt_tokens": 7.0, "completion_tokens": 2.9}, (7, 0, 0, 2, 0)),
    "digits as texts": (
        {"prompt_tokens": "70", "completion_tokens": "2", "prompt_tokens_details": {"cached_tokens": "64"}},
        (70, 64, 0, 2, 0),
    ),
    "negative": ({"prompt_tokens": -7, "completion_tokens": -1, "prompt_tokens_details": {"cached_tokens": -3}}, (0, 0, 0, 0, 0)),
    "words in the details": (
        {"prompt_tokens": 7, "completion_tokens": 1, "prompt_tokens_details": "many", "completion_tokens_details": [1]},
        (7, 0, 0, 1, 0),
    ),
    "a total in words": ({"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": "8"}, (7, 0, 0, 1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_usage_is_made_inclusive(shape: str) -> None:
    reported, (given_in, read, written, out, thought) = SHAPES[shape]
    found = chat_usage(reported)
    assert found is not None
    assert found.usage == Usage(given_in, read, written, out, reasoning_tokens=thought)


@pytest.mark.parametrize(
    "reported",
    [
        {},
        {"total_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": "seven"},
        {"prompt_tokens": "-7"},
        {"prompt_tokens": "7" * 40},
        {"prompt_tokens": True},
        {"prompt_tokens": [7]},
        {"prompt_tokens": TOKENS_MAX + 1},
        {"prompt_tokens": 10**30, "completion_tokens": float("inf")},
        {"completion_tokens": float("nan")},
    ],
)
def test_what_is_no_count_is_no_usage(reported: dict[str, object]) -> None:
    assert chat_usage(reported) is None


@pytest.mark.parametrize(
    ("cost", "pusd"),
    [
        (0.95, 950_000_000_000),
        (0, 0),
        (0.0, 0),
        (1e-7, 100_000),
        (0.1, 100_000_000_000),
        ("0.0123456789012", 12_345_678_901),
        (3, 3_000_000_000_000),
        (None, None),
        (True, None),
        (-0.5, None),
        ("much", None),
        ("NaN", None),
        ("1e999999", None),
        (float("inf"), None),
        (10**30, None),
        ({"usd": 1}, None),
    ],
)
def test_a_billed_cost_is_taken_by_its_decimal_digits(cost: object, pusd: int | None) -> None:
    found = chat_usage({"prompt_tokens": 1, "completion_tokens": 1, "cost": cost})
    assert found is not None
    assert found.billed_pusd == pusd


@pytest.mark.parametrize(
    ("told", "pusd"),
    [
        # OpenRouter's fee alone is not what was paid where the key is the user's own; else the provider's share is in the cost already.
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.0}}, 1_050_000_000_000),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0123}}, 12_300_000_000),
        ({"cost": 0, "is_byok": True, "cost_details": None}, 0),
        ({"cost": 0.95, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.9}}, 950_000_000_000),
        # xAI bills in ticks.
        ({"cost_in_usd_ticks": 49_100_000}, 4_910_000_000),
        ({"cost_in_usd_ticks": True}, None),
        ({"cost_in_usd_ticks": -1}, None),
        ({"cost_in_usd_ticks": "many"}, None),
    ],
)
def test_bills_are_read_in_the_words_of_those_who_bill(told: dict[str, object], pusd: int | None) -> None:
    found = chat_usage({"prompt_tokens": 1, "completion_tokens": 1, **told})
    assert found is not None
    assert found.billed_pusd == pusd


@pytest.mark.parametrize(
    ("details", "audio"),
    [({"audio_tokens": 40}, 40), ({"audio_tokens": 40, "cached_tokens": 90}, 10), ({"audio_tokens": 400}, 100), ({"image_tokens": 40}, 0)],
)
def test_sound_is_a_part_of_the_fresh_prompt(details: dict[str, int], audio: int) -> None:
    found = chat_usage({"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": details})
    assert found is not None
    assert (found.usage.input_tokens, found.usage.audio_tokens) == (100, audio)


@pytest.mark.parametrize(
    ("timings", "usage"),
    [
        ({"prompt_n": 10, "cache_n": 236, "predicted_n": 35, "predicted_ms": 661.06}, Usage(246, 236, output_tokens=35)),
        ({"prompt_n": 10, "predicted_n": 35}, Usage(10, output_tokens=35)),
        ({"prompt_n": 10}, None),
        ({}, None),
    ],
)
def test_llama_cpp_counts_by_the_clock(timings: dict[str, object], usage: Usage | None) -> None:
    found = timed_usage(timings)
    assert (found.usage if found else None) == usage


NUMBERS = st.one_of(st.integers(-10, 5000), st.integers(), st.floats(), st.none(), st.text(max_size=3), st.booleans())
NAMES = ["prompt_tokens", "completion_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "reasoning_tokens",
         "prompt_cache_hit_tokens", "cached_tokens", "cost"]  # fmt: skip
DETAILS = st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "cache_creation_tokens", "reasoning_tokens"]), NUMBERS)


@given(
    st.dictionaries(st.sampled_from(NAMES), NUMBERS),
    st.none() | NUMBERS | DETAILS,
    st.none() | NUMBERS | DETAILS,
)
def test_no_report_breaks_the_books(fields: dict[str, object], prompt_details: object, completion_details: object) -> None:
    found = chat_usage({**fields, "prompt_tokens_details": prompt_details, "completion_tokens_details": completion_details})
    if found is not None:
        json.dumps([found.usage.input_tokens, found.usage.output_tokens])  # Usage itself asserts that counts are inclusive.
        assert found.usage.input_tokens + found.usage.output_tokens <= 5 * TOKENS_MAX
        assert found.billed_pusd is None or 0 <= found.billed_pusd < 2**63
