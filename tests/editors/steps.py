"""A plain program that plays an agent: it asks the daemon for one step over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.request import Request, urlopen

from tests.e2e.desk import Desk

ANSWER_S_MAX = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon said: its headers, in lower case, and the words of the turn."""

    headers: Mapping[str, str]
    words: str


def step(desk: Desk, words: str, model: str = "auto") -> Answer:
    """One step in the person's project. The same words go on with the same session."""
    body = {"model": model, "messages": [{"role": "user", "content": words}]}
    headers = {"authorization": f"Bearer {desk.token}", "content-type": "application/json", "x-stepfare-workspace": str(desk.folder)}
    request = Request(f"{desk.address}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=ANSWER_S_MAX) as answer:
        told = cast("dict[str, list[dict[str, dict[str, str]]]]", json.loads(answer.read()))
        return Answer({name.lower(): value for name, value in answer.headers.items()}, told["choices"][0]["message"].get("content") or "")
