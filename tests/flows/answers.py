"""Answers of providers in three wire formats, frame by frame, so that they can be broken anywhere; and what a client of each format
understands of the bytes that reach it, read as strictly as real clients read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.provider import Play
from tests.flows.conftest import Running

DIALECTS = ("anthropic", "openai", "responses")
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "responses": "/v1/responses"}
OTHER = {"openai": "anthropic", "anthropic": "responses", "responses": "openai"}

_MODEL = """
[providers.{name}]
dialect = "{dialect}"
base_url = "{{base_url}}"
api_key = "env:LAB_KEY"

[[models]]
id = "{name}/one"
tier = "{tier}"
context_tokens = {window}
max_output_tokens = 8_000
capabilities = ["tools", "structured", "vision", "reasoning"]
price = {{{{ input = {dollars}, cache_read = {dollars}, cache_write = {dollars}, output = {dollars} }}}}
"""


def settings(first: str, second: str = "") -> str:
    """Two models of one tier: `first/one`, the cheaper one, at a provider of that dialect, and `second/one` with the larger window."""
    text = _MODEL.format(name="first", dialect=first, tier="frugal", window=100_000, dollars=1)
    return text + (_MODEL.format(name="second", dialect=second, tier="frugal", window=200_000, dollars=3) if second else "")


PATH_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def question(dialect: str, text: str = "Look.", *, stream: bool = True, model: str = "frugal", **more: Any) -> dict[str, Any]:
    """What a client of this format asks."""
    user = {"role": "user", "content": text}
    match dialect:
        case "openai":
            tools = [{"type": "function", "function": {"name": name, "parameters": PATH_SCHEMA}} for name in ("read", "list")]
            usage = {"stream_options": {"include_usage": True}} if stream else {}
            return {"model": model, "stream": stream, "messages": [user], "tools": tools, **usage, **more}
        case "anthropic":
            tools = [{"name": name, "input_schema": PATH_SCHEMA} for name in ("read", "list")]
            return {"model": model, "stream": stream, "max_tokens": 4000, "messages": [user], "tools": tools, **more}
        case _:
            tools = [{"type": "function", "name": name, "parameters": PATH_SCHEMA} for name in ("read", "list")]
            return {"model": model, "stream": stream, "input": text, "tools": tools, **more}


def frame(event: object) -> bytes:
    data = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    name = event.get("type") if isinstance(event, dict) and isinstance(event.get("type"), str) else ""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


INPUT_TOKENS, OUTPUT_TOKENS = 2000, 60


@dataclass(frozen=True)
class Script:
    """A streamed answer in pieces: what comes before any content, the content, and what ends it."""

    opening: Sequence[bytes]
    content: Sequence[bytes]
    reason: Sequence[bytes]
    """Why it ended, and the usage."""
    mark: Sequence[bytes]

    @property
    def pieces(self) -> list[bytes]:
        return [*self.opening, *self.content, *self.reason, *self.mark]

    def play(self, **more: Any) -> Play:
        return Play(pieces=self.pieces, **more)


def answer(dialect: str, text: str = "I look für you.", calls: Sequence[tuple[str, str, str]] = (), usage: object = None) -> Script:
    """A whole answer: the text in words, then calls (id, name, arguments)."""
    return _SCRIPTS[dialect](text.split(" "), calls, usage)


def _chat_chunk(delta: dict[str, Any] | None, reason: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return frame({"id": "c1", "object": "chat.completion.chunk", "model": "one", "choices": choices, **more})


def _chat(words: Sequence[str], calls: Sequence[tuple[str, str, str]], usage: object) -> Script:
    told = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
    content = [_chat_chunk({"content": word + " "}) for word in words if word]
    for place, (call_id, name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": ""}
        content.append(_chat_chunk({"tool_calls": [{"index": place, "id": call_id, "type": "function", "function": function}]}))
        content.append(_chat_chunk({"tool_calls": [{"index": place, "function": {"arguments": arguments}}]}))
    return Script(
        [_chat_chunk({"role": "assistant", "content": ""})],
        content,
        [_chat_chunk({}, "tool_calls" if calls else "stop"), _chat_chunk(None, usage=usage or told)],
        [b"data: [DONE]\n\n"],
    )


def _messages(words: Sequence[str], calls: Sequence[tuple[str, str, str]], usage: object) -> Script:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "one", "content": []}
    content: list[bytes] = []
    index = 0
    if any(words):
        content.append(frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}))
        deltas = [{"type": "text_delta", "text": word + " "} for word in words if word]
        content += [frame({"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas]
        content.append(frame({"type": "content_block_stop", "index": 0}))
        index = 1
    for call_id, name, arguments in calls:
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        content.append(frame({"type": "content_block_start", "index": index, "content_block": block}))
        delta = {"type": "input_json_delta", "partial_json": arguments}
        content.append(frame({"type": "content_block_delta", "index": index, "delta": delta}))
        content.append(frame({"type": "content_block_stop", "index": index}))
        index += 1
    start, end = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}, {"output_tokens": OUTPUT_TOKENS}
    stop = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    return Script(
        [frame({"type": "message_start", "message": {**message, "usage": start}}), frame({"type": "ping"})],
        content,
        [frame({"type": "message_delta", "delta": stop, "usage": usage or end})],
        [frame({"type": "message_stop"})],
    )


def _responses(words: Sequence[str], calls: Sequence[tuple[str, str, str]], usage: object) -> Script:
    told = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
    response = {"id": "resp_1", "object": "response", "model": "one", "status": "in_progress", "output": []}
    output: list[dict[str, Any]] = []
    content: list[bytes] = []

    def add(kind: str, place: int, **fields: Any) -> None:
        content.append(frame({"type": f"response.{kind}", "output_index": place, **fields}))

    if any(words):
        text = "".join(word + " " for word in words if word)
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        add("output_item.added", 0, item={**item, "status": "in_progress", "content": []})
        add("content_part.added", 0, item_id="msg_1", content_index=0, part={**part, "text": ""})
        for word in words:
            if word:
                add("output_text.delta", 0, item_id="msg_1", content_index=0, delta=word + " ")
        add("output_text.done", 0, item_id="msg_1", content_index=0, text=text)
        add("content_part.done", 0, item_id="msg_1", content_index=0, part=part)
        add("output_item.done", 0, item=item)
        output.append(item)
    for call_id, name, arguments in calls:
        place = len(output)
        call = {"id": f"fc_{place}", "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        add("output_item.added", place, item={**call, "arguments": "", "status": "in_progress"})
        add("function_call_arguments.delta", place, item_id=call["id"], delta=arguments)
        add("function_call_arguments.done", place, item_id=call["id"], arguments=arguments)
        add("output_item.done", place, item={**call, "status": "completed"})
        output.append({**call, "status": "completed"})
    done = {**response, "status": "completed", "output": output, "usage": usage or told}
    opening = [frame({"type": "response.created", "response": response}), frame({"type": "response.in_progress", "response": response})]
    return Script(opening, content, [], [frame({"type": "response.completed", "response": done})])


_SCRIPTS = {"openai": _chat, "anthropic": _messages, "responses": _responses}


def whole(dialect: str, text: str = "I look für you.", **usage: Any) -> Play:
    """The same in one piece."""
    match dialect:
        case "openai":
            told: dict[str, Any] = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body: dict[str, Any] = {"id": "c1", "object": "chat.completion", "model": "one", "choices": [choice], "usage": usage or told}
        case "anthropic":
            told = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
            content = [{"type": "text", "text": text}]
            body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "one", "content": content, "usage": usage or told}
            body |= {"stop_reason": "end_turn", "stop_sequence": None}
        case _:
            told = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}
            part = {"type": "output_text", "text": text, "annotations": []}
            item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
            body = {"id": "resp_1", "object": "response", "model": "one", "status": "completed", "output": [item], "usage": usage or told}
    return Play(content_type="application/json", pieces=[json.dumps(body).encode()])


def error_frame(dialect: str, words: str = "the moon is full", kind: str = "server_error") -> bytes:
    """An error as a provider of this format tells it inside a stream."""
    match dialect:
        case "openai":
            return frame({"error": {"message": words, "type": kind, "code": kind}})
        case "anthropic":
            return frame({"type": "error", "error": {"type": kind, "message": words}})
        case _:
            error = {"code": kind, "message": words}
            return frame({"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": error, "output": []}})


@dataclass
class Told:
    """What a client understood. `ended` is the format's own end; a broken connection is `broken`."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    reason: str = ""
    error: str = ""
    ended: bool = False
    broken: bool = False
    comment: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)


async def ask(running: Running, dialect: str, body: object = None, *, limit_s: float = 20.0, **headers: str) -> Told:
    """Ask as a client of this format, and read the answer to its end or to where it breaks."""
    data = body if isinstance(body, bytes) else json.dumps(body if body is not None else question(dialect)).encode()
    said = {"content-type": "application/json", **running.headers(**headers)}
    told = Told()
    pieces: list[bytes] = []
    async with asyncio.timeout(limit_s):
        try:
            async with running.client.post(running.url + PATHS[dialect], data=data, headers=said) as response:
                told.status = response.status
                told.headers = {name.lower(): value for name, value in response.headers.items()}
                while piece := await response.content.readany():
                    pieces.append(piece)
        except aiohttp.ClientError:
            told.broken = True
    told.raw = b"".join(pieces)
    if told.headers.get("content-type", "").startswith("text/event-stream"):
        READERS[dialect](told, list(events(told)))
    elif told.raw:
        value = json.loads(told.raw)
        if told.status == 200:
            WHOLE_READERS[dialect](told, value)
        else:
            told.error = error_in(dialect, value)
    return told


def error_in(dialect: str, value: dict[str, Any]) -> str:
    """The words of an error, which must have the shape that this format's clients read."""
    error = value["error"]
    assert isinstance(error["message"], str), value
    if dialect == "anthropic":
        assert value["type"] == "error", value
        assert error["type"].endswith("_error") or error["type"] == "request_too_large", value
    else:
        assert {"message", "type", "code", "param"} <= set(error) or "message" in error, value
    return error["message"]


def events(told: Told) -> Iterable[tuple[str, dict[str, Any]]]:
    """Name and data of every frame; comments are taken out. What is no JSON fails the test."""
    read, _, rest = told.raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rpartition(b"\n\n")
    assert told.broken or not rest, f"the stream ends within a frame: {rest[-200:]!r}"
    for block in read.split(b"\n\n"):
        name, data = "", []
        for line in block.split(b"\n"):
            if line.startswith(b": stepfare {"):
                told.comment = json.loads(line.removeprefix(b": stepfare "))
            elif line.startswith(b"event: "):
                name = line[7:].decode()
            elif line.startswith(b"data: "):
                data.append(line[6:])
        if data == [b"[DONE]"]:
            yield "[DONE]", {}
        elif data:
            value = json.loads(b"\n".join(data).decode("utf-8", "replace"))
            if isinstance(value, dict):
                yield name, value


def _read_chat(told: Told, frames: list[tuple[str, dict[str, Any]]]) -> None:
    calls: dict[int, list[str]] = {}
    for name, event in frames:
        assert not told.ended, "something follows [DONE]"
        if name == "[DONE]":
            assert not told.error
            told.ended = True
            continue
        if event.get("error"):
            told.error = error_in("openai", event)
            continue
        told.usage = event.get("usage") or told.usage
        for choice in event.get("choices") or []:
            delta = (choice.get("delta") or {}) if isinstance(choice, dict) else {}
            if not delta and not isinstance(choice, dict):
                continue
            told.text += delta.get("content") or ""
            told.thinking += delta.get("reasoning_content") or ""
            for piece in delta.get("tool_calls") or []:
                call = calls.setdefault(piece.get("index", 0), ["", "", ""])
                call[0] = piece.get("id") or call[0]
                call[1] = piece["function"].get("name") or call[1]
                call[2] += piece["function"].get("arguments") or ""
            told.reason = choice.get("finish_reason") or told.reason
    told.calls = [(call[0], call[1], call[2]) for call in calls.values()]


def _read_messages(told: Told, frames: list[tuple[str, dict[str, Any]]]) -> None:
    index, block = -1, {}
    pieces: list[str] = []
    started = False
    for name, event in frames:
        assert name in (event.get("type"), ""), (name, event)
        match event.get("type"):
            case "message_start":
                assert not started, "two starts"
                started = True
            case "content_block_start":
                assert started
                assert not block, "a block within a block"
                assert event["index"] == index + 1, event
                index, block, pieces = event["index"], event["content_block"], []
            case "content_block_delta":
                assert block, event
                assert event["index"] == index, event
                delta = event["delta"]
                match delta["type"]:
                    case "text_delta":
                        assert block["type"] == "text"
                        told.text += delta["text"]
                    case "input_json_delta":
                        assert block["type"] == "tool_use"
                        pieces.append(delta["partial_json"])
                    case "thinking_delta":
                        told.thinking += delta["thinking"]
                    case _:
                        pass
            case "content_block_stop":
                assert block, event
                assert event["index"] == index, event
                if block["type"] == "tool_use":
                    assert block["id"], block
                    told.calls.append((block["id"], block["name"], "".join(pieces)))
                block = {}
            case "message_delta":
                assert started
                assert not block, "the end came within a block"
                told.reason = event["delta"]["stop_reason"]
                told.usage = event["usage"]
            case "message_stop":
                assert told.reason, "an end without a reason"
                assert not told.error
                told.ended = True
            case "error":
                told.error = error_in("anthropic", event)
            case _:
                pass


def _read_responses(told: Told, frames: list[tuple[str, dict[str, Any]]]) -> None:
    open_items: set[int] = set()
    for place, (name, event) in enumerate(frames):
        kind = event.get("type", "")
        assert name in (kind, ""), (name, event)
        assert not told.ended, f"{kind} follows the end"
        if place == 0 and not told.error and kind not in ("response.failed", "error"):
            assert kind == "response.created", kind
        match kind:
            case "response.output_item.added":
                assert event["output_index"] not in open_items
                open_items.add(event["output_index"])
            case "response.output_text.delta":
                assert event["output_index"] in open_items, event
                told.text += event["delta"]
            case "response.reasoning_summary_text.delta":
                told.thinking += event["delta"]
            case "response.output_item.done":
                item = event["item"]
                if item["type"] == "function_call":
                    assert item["call_id"], item
                    told.calls.append((item["call_id"], item["name"], item["arguments"]))
                open_items.discard(event["output_index"])
            case "response.completed" | "response.incomplete":
                assert not open_items, f"items {open_items} are open at the end"
                told.ended = True
                told.reason = event["response"]["status"]
                told.usage = event["response"]["usage"] or {}
            case "response.failed":
                told.error = event["response"]["error"]["message"]
            case "error":
                told.error = (event.get("error") or event)["message"]
            case _:
                pass


def _chat_body(told: Told, value: dict[str, Any]) -> None:
    choice = value["choices"][0]
    told.text = choice["message"].get("content") or ""
    told.calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in choice["message"].get("tool_calls") or []
    ]
    told.reason, told.ended, told.usage = choice["finish_reason"], bool(choice["finish_reason"]), value.get("usage") or {}


def _messages_body(told: Told, value: dict[str, Any]) -> None:
    assert value["type"] == "message", value
    told.text = "".join(block["text"] for block in value["content"] if block["type"] == "text")
    told.calls = [(block["id"], block["name"], json.dumps(block["input"])) for block in value["content"] if block["type"] == "tool_use"]
    told.reason, told.ended, told.usage = value["stop_reason"], bool(value["stop_reason"]), value["usage"]


def _responses_body(told: Told, value: dict[str, Any]) -> None:
    assert value["object"] == "response", value
    for item in value["output"]:
        if item["type"] == "message":
            told.text += "".join(part.get("text", "") for part in item["content"])
        elif item["type"] == "function_call":
            told.calls.append((item["call_id"], item["name"], item["arguments"]))
    told.reason, told.ended, told.usage = value["status"], value["status"] in ("completed", "incomplete"), value.get("usage") or {}


READERS = {"openai": _read_chat, "anthropic": _read_messages, "responses": _read_responses}
WHOLE_READERS = {"openai": _chat_body, "anthropic": _messages_body, "responses": _responses_body}


async def booked(running: Running) -> dict[str, Any]:
    """The newest session's newest step, once nothing of it is open."""
    for _ in range(300):
        status, detail = await running.control("GET", "sessions/last")
        if status == 200 and detail["steps"] and all(one["outcome"] != "open" for one in detail["steps"][-1]["attempts"]):
            return detail["steps"][-1]
        await asyncio.sleep(0.01)
    raise AssertionError("an attempt stayed open")
