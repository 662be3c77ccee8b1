"""Calls to the simulator in the three formats: bodies that are in order, answers put together from streams, and what stood on the bill."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from stepfare.simulator.app import running
from stepfare.simulator.options import HEADER_SIMULATOR, SimulatorOptions
from tests.simulator.clients import Cline

Json = dict[str, Any]

PATHS = {"openai": "chat/completions", "anthropic": "messages", "responses": "responses", "count": "messages/count_tokens"}
SCHEMA: Json = {"type": "object", "properties": {"commands": {"type": "array", "items": {"type": "string"}}}, "required": ["commands"]}
"""A schema that every provider takes."""
CHAT_TOOLS: list[Json] = [{"type": "function", "function": {"name": "run_commands", "description": "Run", "parameters": SCHEMA}}]
MESSAGE_TOOLS: list[Json] = [{"name": "run_commands", "description": "Run", "input_schema": SCHEMA}]
RESPONSE_TOOLS: list[Json] = [{"type": "function", "name": "run_commands", "description": "Run", "parameters": SCHEMA, "strict": False}]
ALL_TOOLS: list[Json] = [{"name": tool["function"]["name"], "input_schema": tool["function"]["parameters"]} for tool in Cline.tools]


@dataclass(slots=True)
class Simulator:
    """A running simulator and a connection to it. `key` is what calls bear."""

    url: str
    session: aiohttp.ClientSession
    key: str = "secret"

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    async def post(self, family: str, path: str, body: Json, **headers: str) -> tuple[int, Any]:
        base = f"{self.root}/{family}/v1" if family else self.url
        sent = {"Authorization": f"Bearer {self.key}", "anthropic-version": "2023-06-01", **headers}
        sent = {name: value for name, value in sent.items() if value}
        async with self.session.post(f"{base}/{PATHS.get(path, path)}", json=body, headers=sent) as answer:
            assert answer.headers[HEADER_SIMULATOR] == "true"
            text = await answer.text()
            return answer.status, text if answer.content_type == "text/event-stream" else json.loads(text)

    async def bill(self) -> list[Json]:
        async with self.session.get(f"{self.root}/simulator/bill") as answer:
            return (await answer.json())["lines"]


@asynccontextmanager
async def simulator(**options: Any) -> AsyncIterator[Simulator]:
    async with running(SimulatorOptions(seed=7, **options)) as url, aiohttp.ClientSession() as session:
        yield Simulator(url, session)


def events(stream: str) -> list[Json]:
    """The data of all events; their names must be those in the data."""
    found: list[Json] = []
    for block in filter(None, stream.split("\n\n")):
        lines = block.split("\n")
        data = next(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
        if data == "[DONE]":
            continue
        fields = json.loads(data)
        if lines[0].startswith("event: "):
            assert lines[0] == f"event: {fields['type']}"
        found.append(fields)
    return found


def words_of(body: Any) -> str:
    """What an error says, in whichever shape."""
    return json.dumps(body, ensure_ascii=False).replace('\\\\\\"', '"').replace('\\"', '"').replace("\\n", "\n")


def assembled_message(stream: str) -> Json:
    """A Messages answer as its events tell it."""
    message: Json = {}
    for event in events(stream):
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append({**event["content_block"], **({"input": ""} if "input" in event["content_block"] else {})})
            case "content_block_delta":
                block, delta = message["content"][event["index"]], dict(event["delta"])
                kind = delta.pop("type")
                name = {"input_json_delta": "input", "thinking_delta": "thinking", "text_delta": "text", "signature_delta": "signature"}[
                    kind
                ]
                block[name] += next(iter(delta.values()))
            case "content_block_stop":
                block = message["content"][event["index"]]
                if "input" in block:
                    block["input"] = json.loads(block["input"])
            case "message_delta":
                message |= {**event["delta"], "usage": {**message["usage"], **event.get("usage", {})}}
            case _:
                pass
    return message


def assembled_response(stream: str) -> Json:
    """A Responses answer: what its last event holds, after its deltas were held to it."""
    told = events(stream)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    texts: dict[tuple[int, str], str] = {}
    for event in told:
        if event["type"].endswith(".delta"):
            key = (event["output_index"], event["type"])
            texts[key] = texts.get(key, "") + event["delta"]
    response = told[-1]["response"]
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert done == response["output"]
    for (index, kind), text in texts.items():
        item = response["output"][index]
        whole = {
            "response.output_text.delta": lambda item=item: item["content"][0]["text"],
            "response.reasoning_summary_text.delta": lambda item=item: item["summary"][0]["text"],
            "response.function_call_arguments.delta": lambda item=item: item["arguments"],
            "response.custom_tool_call_input.delta": lambda item=item: item["input"],
        }[kind]()
        assert text == whole
    return response
