"""Messages requests for tests: recorded shapes from files, and small ones from plain blocks."""

from __future__ import annotations

import json
from pathlib import Path

from stepfare.core.request import RequestView
from stepfare.dialects.anthropic_messages import read_request

CASES = Path(__file__).resolve().parents[1] / "cases" / "anthropic"
CAPTURED = sorted(str(path.relative_to(CASES).with_suffix("")) for path in CASES.rglob("*.json"))
HELLO = [{"role": "user", "content": "Hello"}]


def captured(name: str) -> bytes:
    return (CASES / f"{name}.json").read_bytes().strip()


def dumped(value: object) -> bytes:
    """As the clients write it: without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def view(messages: object = HELLO, **fields: object) -> RequestView:
    return read_request(dumped({"model": "auto", "max_tokens": 1000, "messages": messages, **fields}), {})


def thinking(signature: str, text: str = "") -> dict[str, object]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def called(call: str, name: str, **arguments: object) -> dict[str, object]:
    return {"type": "tool_use", "id": call, "name": name, "input": arguments}


def gave(call: str, content: object, **more: object) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


def text(words: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": words, **more}


def user(*blocks: object) -> dict[str, object]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: object) -> dict[str, object]:
    return {"role": "assistant", "content": list(blocks)}
