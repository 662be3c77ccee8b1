"""Tool calls as XML tags in the text of a turn: how classic Cline's models act."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import cast

from stepfare.simulator.reply import OutCall


def as_text(call: OutCall) -> str:
    """The call as the manual in the system prompt asks for it: one tag for the tool, one for each parameter."""
    arguments = cast(dict[str, object], json.loads(call.arguments))
    return "\n".join([f"<{call.name}>", *(f"<{name}>{_text(value)}</{name}>" for name, value in arguments.items()), f"</{call.name}>"])


def _text(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"\n{text}\n" if "\n" in text else text


def calls_in(text: str, names: Collection[str]) -> list[tuple[str, dict[str, object]]]:
    """The tool calls in an assistant's text, in order, with their parameters."""
    found: list[tuple[int, str, dict[str, object]]] = []
    for name in names:
        for tag in re.finditer(rf"<{name}>(.*?)</{name}>", text, re.DOTALL):
            parameters: dict[str, object] = {
                inner[1]: inner[2].strip("\n") for inner in re.finditer(r"<(\w+)>(.*?)</\1>", tag[1], re.DOTALL)
            }
            found.append((tag.start(), name, parameters))
    return [(name, parameters) for _, name, parameters in sorted(found, key=lambda item: item[0])]
