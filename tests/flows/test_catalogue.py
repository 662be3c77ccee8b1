"""The catalogue of a running daemon: models of this machine are found, and it says who serves which floor, and what is lacking."""

from __future__ import annotations

import asyncio

import pytest

from stepfare.control.protocol import ModelInfo, Prices
from stepfare.providers.prices import bundled_prices
from tests.flows.conftest import SETTINGS, Running, Start
from tests.upstream.servers import OLLAMA, VLLM, serving

NOWHERE = "http://127.0.0.1:1/v1"


def local_servers(**urls: str) -> str:
    """Where the servers of this machine are: never at their usual ports, where anything may listen."""
    return "".join(f'[providers.{name}]\nbase_url = "{urls.get(name, NOWHERE)}"\n' for name in ("ollama", "lmstudio", "llamacpp", "vllm"))


async def catalogue(running: Running, query: str = "") -> Prices:
    status, message = await running.control("GET", f"prices{query}")
    assert status == 200
    return Prices.model_validate(message)


async def found(running: Running, query: str = "?look=1") -> dict[str, ModelInfo]:
    return {one.id: one for one in (await catalogue(running, query)).models}


async def looking(start: Start, servers: str, more: str = "") -> Running:
    running = await start(settings=SETTINGS + servers, more=more)
    running.house.start_looking()
    return running


async def test_models_of_this_machine_are_found_and_served_by_name(start: Start) -> None:
    async with serving(OLLAMA) as ollama, serving(VLLM) as vllm:
        running = await looking(start, local_servers(ollama=f"{ollama.url}/v1", vllm=f"{vllm.url}/v1"))
        models = await found(running)
        assert (models["ollama/qwen3:8b"].context_tokens, models["ollama/qwen3:8b"].state) == (16_384, "not-chosen")
        price = models["ollama/qwen3:8b"].price_now
        assert price is not None
        assert (price.input, price.output) == (0, 0)
        assert models["vllm/Qwen/Qwen3-32B"].tier_source == "found on this machine"
        asked = len(ollama.asked)
        assert asked > 0
        # Once a minute at most, however often somebody looks.
        await found(running)
        await running.control("POST", "reload")
        assert len(ollama.asked) == asked
        states = {one.id: (one.state, one.why) for one in (await catalogue(running)).providers}
        assert states["vllm"] == (
            "found",
            f"1 model at {vllm.url}/v1, by name only: [local] use = true in config.toml brings them into play",
        )
        assert states["lmstudio"][0] == "not-found"


async def test_they_are_candidates_where_the_user_says_so(start: Start) -> None:
    async with serving(VLLM) as vllm:
        running = await looking(start, local_servers(vllm=f"{vllm.url}/v1") + "[local]\nuse = true\n")
        assert (await found(running))["vllm/Qwen/Qwen3-32B"].state == "in-play"
        frugal = (await catalogue(running)).tiers[0]
        assert "vllm/Qwen/Qwen3-32B" in frugal.models


async def test_with_no_key_at_all_the_simulator_plays_and_it_is_said_what_to_set(start: Start) -> None:
    running = await start(settings="\n")
    message = await catalogue(running)
    assert running.house.state.play.simulated
    assert {one.provider for one in message.models if one.state == "in-play"} == {"simulator"}
    assert [one.models for one in message.tiers][-1] == ["simulator/premium"]
    states = {one.id: (one.state, one.why) for one in message.providers}
    assert states["simulator"] == ("in-use", "")
    assert states["openai"] == ("no-key", "set OPENAI_API_KEY")
    assert states["ollama"][0] == "not-found"


async def test_nobody_is_asked_where_the_user_does_not_want_it(start: Start) -> None:
    async with serving(VLLM) as vllm:
        running = await looking(start, local_servers(vllm=f"{vllm.url}/v1") + "[local]\ndiscover = false\n")
        assert "vllm/Qwen/Qwen3-32B" not in await found(running)
        assert vllm.asked == []


async def test_a_daemon_says_who_serves_which_floor_and_what_is_lacking(start: Start) -> None:
    running = await start()
    message = await catalogue(running)
    assert {one.tier: (one.models, one.why) for one in message.tiers} == {
        "frugal": (["lab/small", "lab/middle", "lab/large"], ""),
        "balanced": (["lab/middle", "lab/large"], ""),
        "premium": (["lab/large"], ""),
    }
    providers = {one.id: one for one in message.providers}
    assert (providers["lab"].state, providers["lab"].dialects) == ("in-use", ["openai"])
    assert (providers["anthropic"].state, providers["anthropic"].why) == ("no-key", "set ANTHROPIC_API_KEY")
    assert providers["anthropic"].cache == "what is marked from 4,096 tokens on, kept 5 min"
    assert (providers["azure"].state, providers["azure"].why) == ("no-address", "set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY")
    assert "takes tool-call ids of nine letters and digits" in providers["mistral"].quirks
    assert "says random_seed for seed" in providers["mistral"].quirks
    assert "knows these efforts only: none, high" in providers["mistral"].quirks
    assert "says in each answer what it billed, which is what is booked" in providers["openrouter"].quirks
    opus = (await found(running, "?all=1"))["anthropic/claude-opus-5-5"]
    assert (opus.state, opus.why) == ("no-key", "set ANTHROPIC_API_KEY")
    assert "will not be made to call a tool" in opus.quirks


async def test_a_floor_that_nobody_serves_says_what_to_do(start: Start) -> None:
    running = await start(settings=SETTINGS[: SETTINGS.index('[[models]]\nid = "lab/large"')])
    premium = (await catalogue(running)).tiers[-1]
    assert (premium.tier, premium.models) == ("premium", [])
    assert premium.why.startswith("no provider in use sells a premium model, so steps that need one are refused; set the key")
    listed = await start(settings=SETTINGS + '[tiers]\nbalanced = ["openai/gpt-6.1-terra"]\n', home=running.home.with_name("other"))
    balanced = (await catalogue(listed)).tiers[1]
    assert (balanced.models, balanced.why.partition(";")[0]) == ([], "config.toml [tiers] balanced names no model that can be used")


@pytest.mark.parametrize("wanted", [True, False])
async def test_newer_prices_are_fetched_at_start_only_where_the_user_wants_them(start: Start, wanted: bool) -> None:
    known = bundled_prices().names("openrouter")
    rows = [{"id": name, "context_length": 9_000, "pricing": {"prompt": "0", "completion": "0"}} for name in (*known, "lab/new")]
    async with serving({"/v1/models": {"data": rows}}) as lists:
        settings = f'[providers.openrouter]\nbase_url = "{lists.url}/v1"\n[local]\ndiscover = false\n'
        settings += f"[prices]\nupdate = {str(wanted).lower()}\n"
        running = await start(settings=SETTINGS + settings)
        running.house.start_looking()
        await asyncio.gather(*running.house._errands)
        prices = running.house.state.play.catalog.prices
        assert lists.asked == (["/v1/models"] if wanted else [])
        assert (prices.lookup("openrouter/lab/new") is not None) == wanted
        # Prices that fell to nothing wait for a person.
        assert prices.rows_for("openrouter/openai/gpt-6-luna")[0].price.base.input == 100_000
        if wanted:
            # Once a day is enough, however often it starts.
            running.house.start_looking()
            await asyncio.gather(*running.house._errands)
            assert lists.asked == ["/v1/models"]
