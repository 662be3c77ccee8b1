"""Models of this machine are found with their windows and abilities; what is not such a server, or does not answer, is nobody."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

import pytest

from stepfare.core.model import Capability, Model, Provider
from stepfare.core.step import Tier
from stepfare.providers.catalog import NOTHING
from stepfare.upstream.discover import discover
from tests.upstream.servers import LLAMACPP, LMSTUDIO, OLLAMA, VLLM, serving

TOOLS, VISION, REASONING, STRUCTURED, FILL, EMBED = Capability


def at(provider: str, url: str, *, local: bool = True) -> Provider:
    return Provider(provider, "openai", f"{url}/v1", auth="none", local=local)


async def found(provider: str, answers: dict) -> dict[str, Model]:
    async with serving(answers) as server:
        return {model.id: model for model in await discover([at(provider, server.url)])}


async def test_all_servers_are_asked_and_their_models_cost_nothing() -> None:
    async with AsyncExitStack() as stack:
        asked = {"ollama": OLLAMA, "lmstudio": LMSTUDIO, "llamacpp": LLAMACPP, "vllm": VLLM}
        servers = {name: await stack.enter_async_context(serving(answers)) for name, answers in asked.items()}
        models = await discover([at(name, server.url) for name, server in servers.items()])
    by_id = {model.id: model for model in models}
    assert {name: model.context_tokens for name, model in by_id.items()} == {
        # Loaded: what it is served with, whatever it was made for or is set to.
        "ollama/qwen3:8b": 16_384,
        "ollama/llama3:8b": 4_096,
        "ollama/nomic:1": 2_048,
        "ollama/big:480b-cloud": 262_144,
        "lmstudio/qwen3-coder-30b": 262_144,
        "lmstudio/gemma-4-31b": 8_192,
        "lmstudio/nomic-embed": 2_048,
        "llamacpp/Qwen3-8B.gguf": 12_288,
        "vllm/Qwen/Qwen3-32B": 65_536,
    }
    assert {model.tier for model in models} == {Tier.FRUGAL}
    # What runs on its maker's machines is billed there.
    assert [name for name, model in by_id.items() if model.prices != NOTHING] == ["ollama/big:480b-cloud"]
    assert by_id["vllm/Qwen/Qwen3-32B"].upstream == "Qwen/Qwen3-32B"
    assert all(0 < model.max_output_tokens <= model.context_tokens for model in models)


async def test_abilities_are_those_that_the_server_names() -> None:
    ollama, lmstudio = await found("ollama", OLLAMA), await found("lmstudio", LMSTUDIO)
    assert ollama["ollama/qwen3:8b"].capabilities == {TOOLS, REASONING, FILL, STRUCTURED}
    assert ollama["ollama/llama3:8b"].capabilities == {STRUCTURED}
    assert ollama["ollama/nomic:1"].capabilities == lmstudio["lmstudio/nomic-embed"].capabilities == {EMBED}
    assert lmstudio["lmstudio/qwen3-coder-30b"].capabilities == {TOOLS, STRUCTURED}
    assert lmstudio["lmstudio/gemma-4-31b"].capabilities == {VISION, STRUCTURED}
    assert (await found("llamacpp", LLAMACPP))["llamacpp/Qwen3-8B.gguf"].capabilities == {TOOLS, STRUCTURED, VISION}
    assert (await found("vllm", VLLM))["vllm/Qwen/Qwen3-32B"].capabilities == {TOOLS, STRUCTURED}


async def test_a_model_whose_details_are_missing_is_known_with_a_small_window() -> None:
    models = await found("ollama", {"/api/tags": {"models": [{"name": "odd:1"}]}})
    assert (models["ollama/odd:1"].context_tokens, models["ollama/odd:1"].capabilities) == (8_192, {TOOLS, STRUCTURED})


@pytest.mark.parametrize(
    ("provider", "answers"),
    [
        ("ollama", {}),
        ("ollama", {"/api/tags": "not json"}),
        ("ollama", {"/api/tags": "[" * 100_000}),
        ("ollama", {"/api/tags": {"models": [{"name": 7}, {"name": "two words"}, {"name": ""}, {"name": "x" * 300}, "x", None]}}),
        ("ollama", {"/api/tags": {"models": "many"}}),
        ("lmstudio", {"/v1/models": {"data": [{"id": "x"}]}}),
        # Something else at the port that everybody uses.
        ("llamacpp", {"/v1/models": {"data": [{"id": "x"}]}}),
        ("llamacpp", {"/v1/models": {"data": [{"id": "x"}]}, "/props": {"colour": "red"}}),
        ("vllm", {"/v1/models": {"data": [{"id": "x", "owned_by": "me", "max_model_len": "long"}]}}),
        ("vllm", {"/v1/models": [1, 2]}),
    ],
)
async def test_what_is_no_such_server_or_says_nonsense_has_no_models(provider: str, answers: dict) -> None:
    assert await found(provider, answers) == {}


async def test_a_server_that_does_not_answer_is_left_alone_and_the_others_are_found() -> None:
    async with serving(VLLM) as vllm, serving(LMSTUDIO) as mute:
        mute.silent = True
        models = await discover([at("vllm", vllm.url), at("lmstudio", mute.url)])
    assert mute.asked == ["/api/v0/models"]
    assert [model.provider for model in models] == ["vllm"]


async def test_nobody_at_the_port_is_no_trouble() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert await discover([at("ollama", url)]) == ()


async def test_only_this_machine_is_asked_and_only_for_servers_that_are_known() -> None:
    async with serving(VLLM) as server:
        assert await discover([at("lab", server.url), at("vllm", server.url, local=False), at("vllm", "http://vllm.example:8000")]) == ()
        assert await discover([]) == ()
        assert server.asked == []
