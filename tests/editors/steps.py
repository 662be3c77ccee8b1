"""A plain program beside the editor: it plays an agent that asks the daemon for one step, and asks the daemon what it knows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, cast
from urllib.parse import quote
from urllib.request import Request, urlopen

from stepfare.control import protocol
from stepfare.core.money import PUSD_PER_USD
from tests.e2e.desk import Desk

ANSWER_S_MAX = 60
WAIT_S_MAX = 60
LOOK_EVERY_S = 0.1

T = TypeVar("T")


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


def workspace(desk: Desk) -> protocol.Workspace:
    """What the daemon knows of the person's project, as editors told it."""
    token = json.loads((desk.root / "stepfare" / "daemon.json").read_text())["control_token"]
    address = f"{desk.address}/control/v1/workspaces/{quote(str(desk.folder), safe='')}"
    with urlopen(Request(address, headers={"authorization": f"Bearer {token}"}), timeout=ANSWER_S_MAX) as answer:
        return protocol.Workspace.model_validate_json(answer.read())


def ledger_sum(desk: Desk) -> str:
    """What the journal's settled entries come to, in dollars and cents; less than a cent is no zero."""
    pusd = sum(cast(int, entry["cost_pusd"]) for entry in desk.ledger() if entry["phase"] == "settled")
    usd = Decimal(pusd) / PUSD_PER_USD
    return "<$0.01" if 0 < usd < Decimal("0.01") else f"${usd:.2f}"


def until(what: str, look: Callable[[], T]) -> T:
    """The first answer that is true."""
    end_s = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < end_s:
        if found := look():
            return found
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"in vain: {what}")
