"""Clients of three wire formats that hold a conversation as agents do: they take each answer into their history word for word, run the
tools that it calls, and ask again. What they are asked about is a `Story`; which model answers is the test's business."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

SCHEMA_PATH = {"type": "object", "properties": {"path": {"type": "string", "description": "A file."}}, "required": ["path"]}
SCHEMA_COMMAND = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "A shell command."}},
    "required": ["command"],
}
TOOLS: Mapping[str, dict[str, Any]] = {
    "read_file": SCHEMA_PATH,
    "list_files": SCHEMA_PATH,
    "execute_command": SCHEMA_COMMAND,
}


@dataclass(frozen=True)
class Story:
    """How a conversation goes. `results` are what the tools give back, one after the other; `asks` what the human says when the model
    has nothing more to call."""

    name: str
    task: str = "Explain what the function total does. Do not change any file."
    system: str = "You are a coding agent. Use the tools. Answer in short sentences."
    effort: str = ""
    parallel: bool = True
    tools: bool = True
    offers: Mapping[str, dict[str, Any]] = field(default_factory=lambda: TOOLS)
    picture: bool = False
    picture_in_result: bool = False
    failing: bool = False
    long_words: int = 0
    compact_at: int = 0
    """The step before which the client puts a summary in the place of its history; 0 for never."""
    echo: bool = True
    """Whether a client of chat completions brings back what the model thought."""
    stream: bool = True
    results: tuple[str, ...] = ("shop/\nshop/prices.py\ntests/\n", "def total(amounts):\n    return sum(amounts)\n", "ok\n")
    asks: tuple[str, ...] = ("Go on, please: and what about the tests?", "Thanks. Which file was that again?", "Look once more, please.")


@dataclass
class Call:
    id: str
    name: str
    arguments: str


class Client(Protocol):
    path: str

    def body(self, model: str) -> dict[str, Any]: ...
    def take(self, answer: bytes, content_type: str) -> None: ...
    def go_on(self) -> None: ...


@dataclass
class _Speaker:
    """What the clients of all formats share: where the story stands."""

    story: Story
    calls: list[Call] = field(default_factory=list)
    said: str = ""
    answered: int = 0
    asked: int = 0

    @property
    def task(self) -> str:
        filler = "The quick brown fox jumps over the lazy dog. " * (self.story.long_words // 9)
        return f"{filler}{self.story.task}"

    def next_result(self) -> str:
        text = self.story.results[self.answered % len(self.story.results)]
        self.answered += 1
        return f"Error: no such file ({self.answered})" if self.story.failing and self.answered % 3 == 2 else text

    def next_ask(self) -> str:
        self.asked += 1
        return self.story.asks[(self.asked - 1) % len(self.story.asks)]


def events_of(answer: bytes) -> Iterable[dict[str, Any]]:
    for frame in answer.split(b"\n\n"):
        data = b"\n".join(line[6:] for line in frame.split(b"\n") if line.startswith(b"data: "))
        if data and data != b"[DONE]":
            yield json.loads(data)


class ChatClient(_Speaker):
    path = "/v1/chat/completions"

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        content: Any = self.task
        if story.picture:
            content = [{"type": "text", "text": self.task}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": story.system}, {"role": "user", "content": content}]

    def body(self, model: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "messages": self.messages, "stream": self.story.stream}
        if self.story.stream:
            body["stream_options"] = {"include_usage": True}
        if self.story.tools:
            body["tools"] = [
                {"type": "function", "function": {"name": name, "description": f"Does {name}.", "parameters": schema}}
                for name, schema in self.story.offers.items()
            ]
            body["tool_choice"] = "auto"
        if not self.story.parallel:
            body["parallel_tool_calls"] = False
        if self.story.effort:
            body["reasoning_effort"] = self.story.effort
        return body

    def take(self, answer: bytes, content_type: str) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        calls: dict[int, dict[str, Any]] = {}
        if "event-stream" not in content_type:
            told = json.loads(answer)["choices"][0]["message"]
            message["content"] = told.get("content") or ""
            message |= {key: told[key] for key in ("reasoning_content",) if told.get(key)}
            calls = dict(enumerate(told.get("tool_calls") or []))
        else:
            for event in events_of(answer):
                assert "error" not in event, event
                for choice in event["choices"]:
                    delta = choice["delta"]
                    message["content"] += delta.get("content") or ""
                    if delta.get("reasoning_content"):
                        message["reasoning_content"] = message.get("reasoning_content", "") + delta["reasoning_content"]
                    for piece in delta.get("tool_calls") or []:
                        call = calls.setdefault(piece["index"], {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
                        call["id"] = piece.get("id") or call["id"]
                        call["function"]["name"] += piece["function"].get("name") or ""
                        call["function"]["arguments"] += piece["function"].get("arguments") or ""
        if not self.story.echo:
            message.pop("reasoning_content", None)
        if calls:
            message["tool_calls"] = list(calls.values())
            message["content"] = message["content"] or None
        assert message["content"] or calls, answer
        self.messages.append(message)
        self.said = message["content"] or ""
        self.calls = [Call(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls.values()]

    def go_on(self) -> None:
        for call in self.calls:
            self.messages.append({"role": "tool", "tool_call_id": call.id, "content": self.next_result()})
        if not self.calls:
            self.messages.append({"role": "user", "content": self.next_ask()})

    def compact(self) -> None:
        self.messages = [self.messages[0], {"role": "user", "content": f"Summary so far: {self.said[:200]} Task: {self.story.task}"}]


class MessagesClient(_Speaker):
    path = "/v1/messages"

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        blocks: list[dict[str, Any]] = [{"type": "text", "text": self.task}]
        if story.picture:
            blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": blocks}]

    def body(self, model: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": 8000,
            "system": [{"type": "text", "text": self.story.system}],
            "messages": self.messages,
            "stream": self.story.stream,
        }
        if self.story.tools:
            body["tools"] = [
                {"name": name, "description": f"Does {name}.", "input_schema": schema} for name, schema in self.story.offers.items()
            ]
            body["tool_choice"] = {"type": "auto", **({} if self.story.parallel else {"disable_parallel_tool_use": True})}
        if self.story.effort:
            body |= {"thinking": {"type": "adaptive"}, "output_config": {"effort": self.story.effort}}
        return body

    def take(self, answer: bytes, content_type: str) -> None:
        blocks: list[dict[str, Any]] = []
        if "event-stream" not in content_type:
            blocks = json.loads(answer)["content"]
        else:
            partial: dict[int, str] = {}
            for event in events_of(answer):
                assert event["type"] != "error", event
                if event["type"] == "content_block_start":
                    assert event["index"] == len(blocks), event
                    blocks.append(dict(event["content_block"]))
                elif event["type"] == "content_block_delta":
                    delta, block = event["delta"], blocks[event["index"]]
                    match delta["type"]:
                        case "text_delta":
                            block["text"] += delta["text"]
                        case "thinking_delta":
                            block["thinking"] += delta["thinking"]
                        case "signature_delta":
                            block["signature"] = block.get("signature", "") + delta["signature"]
                        case "input_json_delta":
                            partial[event["index"]] = partial.get(event["index"], "") + delta["partial_json"]
                        case other:
                            raise AssertionError(other)
            for index, text in partial.items():
                blocks[index]["input"] = json.loads(text or "{}")
        assert any(block["type"] in ("text", "tool_use") for block in blocks), answer
        self.messages.append({"role": "assistant", "content": blocks})
        self.said = "".join(block["text"] for block in blocks if block["type"] == "text")
        self.calls = [Call(block["id"], block["name"], json.dumps(block["input"])) for block in blocks if block["type"] == "tool_use"]

    def go_on(self) -> None:
        blocks: list[dict[str, Any]] = []
        for call in self.calls:
            content: list[dict[str, Any]] = [{"type": "text", "text": self.next_result()}]
            if self.story.picture_in_result:
                content.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}})
            blocks.append({"type": "tool_result", "tool_use_id": call.id, "content": content})
        self.messages.append({"role": "user", "content": blocks or [{"type": "text", "text": self.next_ask()}]})

    def compact(self) -> None:
        self.messages = [{"role": "user", "content": f"Summary so far: {self.said[:200]} Task: {self.story.task}"}]


class ResponsesClient(_Speaker):
    path = "/v1/responses"

    def __init__(self, story: Story) -> None:
        super().__init__(story)
        content: list[dict[str, Any]] = [{"type": "input_text", "text": self.task}]
        if story.picture:
            content.append({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"})
        self.input: list[dict[str, Any]] = [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": story.system}]},
            {"type": "message", "role": "user", "content": content},
        ]

    def body(self, model: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "input": self.input,
            "stream": self.story.stream,
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "parallel_tool_calls": self.story.parallel,
        }
        if self.story.tools:
            body["tools"] = [
                {"type": "function", "name": name, "description": f"Does {name}.", "parameters": schema, "strict": False}
                for name, schema in self.story.offers.items()
            ]
        if self.story.effort:
            body["reasoning"] = {"effort": self.story.effort, "summary": "auto"}
        return body

    def take(self, answer: bytes, content_type: str) -> None:
        if "event-stream" in content_type:
            events = list(events_of(answer))
            assert events[-1]["type"] == "response.completed", events[-1]
            told = events[-1]["response"]
            done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
            assert [item["type"] for item in done] == [item["type"] for item in told["output"]]
        else:
            told = json.loads(answer)
        assert told["output"], answer
        self.input += told["output"]
        texts = [item for item in told["output"] if item["type"] == "message"]
        self.said = "".join(part.get("text", "") for item in texts for part in item["content"])
        self.calls = [Call(item["call_id"], item["name"], item["arguments"]) for item in told["output"] if item["type"] == "function_call"]
        assert texts or self.calls, answer

    def go_on(self) -> None:
        for call in self.calls:
            output: Any = self.next_result()
            if self.story.picture_in_result:
                output = [
                    {"type": "input_text", "text": output},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
                ]
            self.input.append({"type": "function_call_output", "call_id": call.id, "output": output})
        if not self.calls:
            self.input.append({"type": "message", "role": "user", "content": [{"type": "input_text", "text": self.next_ask()}]})

    def compact(self) -> None:
        words = f"Summary so far: {self.said[:200]} Task: {self.story.task}"
        self.input = [self.input[0], {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}]


CLIENTS: Mapping[str, Callable[[Story], ChatClient | MessagesClient | ResponsesClient]] = {
    "openai": ChatClient,
    "anthropic": MessagesClient,
    "responses": ResponsesClient,
}

STORIES: tuple[Story, ...] = (
    Story("plain question", tools=False),
    Story("looking around"),
    Story("looking around, not streamed", stream=False),
    Story("one call at a time", parallel=False),
    Story("thinking a little", effort="low"),
    Story("thinking hard", effort="high"),
    Story("thinking hard, not streamed", effort="high", stream=False),
    Story("thinking, one call at a time", effort="medium", parallel=False),
    Story("thinking without tools", effort="high", tools=False),
    Story("thoughts that the client forgets", effort="high", echo=False),
    Story("a picture in the question", picture=True),
    Story("a picture in the question and thinking", picture=True, effort="medium"),
    Story("pictures in results", picture_in_result=True),
    Story("pictures in results and thinking", picture_in_result=True, effort="high"),
    Story("tools that fail", failing=True),
    Story("tools that fail and thinking", failing=True, effort="low"),
    Story("a long context", long_words=30_000),
    Story("a long context and thinking", long_words=12_000, effort="high"),
    Story("a summary in the middle", compact_at=12),
    Story("a summary in the middle of thinking", compact_at=15, effort="high", picture=True),
)
