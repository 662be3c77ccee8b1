"""Servers of this machine as they answer when asked for their models, each on a port of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

OLLAMA = {
    "/api/tags": {
        "models": [{"name": "qwen3:8b", "model": "qwen3:8b"}, {"name": "llama3:8b"}, {"model": "nomic:1"}, {"name": "big:480b-cloud"}]
    },
    "/api/ps": {"models": [{"model": "qwen3:8b", "context_length": 16_384}]},
    "/api/show qwen3:8b": {
        "capabilities": ["completion", "tools", "thinking", "insert"],
        "model_info": {"qwen3.context_length": 40_960},
        "parameters": "temperature 0.7\nnum_ctx 32768",
    },
    "/api/show llama3:8b": {
        "capabilities": ["completion"],
        "model_info": {"llama.context_length": 8_192},
        "parameters": "num_ctx            4096",
    },
    "/api/show nomic:1": {"capabilities": ["embedding"], "model_info": {"nomic-bert.context_length": 2_048}},
    "/api/show big:480b-cloud": {"capabilities": ["completion", "tools", "vision"], "model_info": {"x.context_length": 262_144}},
}
LMSTUDIO = {
    "/api/v0/models": {
        "data": [
            {"id": "qwen3-coder-30b", "type": "llm", "state": "not-loaded", "max_context_length": 262_144, "capabilities": ["tool_use"]},
            {"id": "gemma-4-31b", "type": "vlm", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 8_192},
            {"id": "nomic-embed", "type": "embeddings", "max_context_length": 2_048},
        ]
    }
}
LLAMACPP = {
    "/v1/models": {"data": [{"id": "Qwen3-8B.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 40_960}}]},
    "/props": {
        "default_generation_settings": {"n_ctx": 12_288},
        "modalities": {"vision": True},
        "chat_template_caps": {"supports_tools": True},
    },
}
VLLM = {"/v1/models": {"data": [{"id": "Qwen/Qwen3-32B", "owned_by": "vllm", "max_model_len": 65_536}]}}


@dataclass
class Server:
    """What is answered by path (and model), and what was asked."""

    answers: Mapping[str, object]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    silent: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        what = request.path
        if request.method == "POST":
            what += f" {(await request.json())['model']}"
        self.asked.append(what)
        if self.silent:
            await asyncio.Event().wait()
        found = self.answers.get(what)
        if isinstance(found, web.Response):
            return found
        if found is None:
            return web.Response(status=404, text="<html>nothing here</html>", content_type="text/html")
        return web.Response(text=found if isinstance(found, str) else json.dumps(found))


@asynccontextmanager
async def serving(answers: Mapping[str, object]) -> AsyncGenerator[Server]:
    """A server on loopback; `url` is its root, without /v1."""
    server = Server(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
