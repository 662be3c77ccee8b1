"""How many tokens a prompt has on the model that would serve it: asked of its provider where that can say, else counted by ourselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from stepfare.core.attempt import HttpCall
from stepfare.core.model import Candidate
from stepfare.core.request import RequestView
from stepfare.core.tokens import on_model
from stepfare.providers.quirks import COUNTS_TOKENS
from stepfare.runtime.answering import Daemon
from stepfare.runtime.carriage import carriage_for
from stepfare.runtime.consider import Asked, consider
from stepfare.upstream.client import CallFailed

DIALECT = "anthropic"
PATH = "/count_tokens"
WAIT_S = 5.0
"""A client waits for a count; after this long it is told ours."""
ANSWER_BYTES_MAX = 64 * 1024
ASKED = ("model", "messages", "system", "tools", "tool_choice", "thinking")
"""What of a request belongs to its count; other fields are refused there."""


@dataclass(frozen=True, slots=True)
class Counted:
    """`estimated` says that nobody but us has counted."""

    tokens: int
    model: str
    estimated: bool


class _Answer(msgspec.Struct):
    input_tokens: Annotated[int, msgspec.Meta(ge=0)]


async def count_tokens(view: RequestView, daemon: Daemon) -> Counted:
    """Count this prompt. Nothing is booked: counting costs nothing. Raises BadRequest."""
    world, state = daemon.world, daemon.state
    asked = consider(view, state, now_ms=world.now_ms(), new_session=world.new_id("s"), decision_id="")
    chosen = asked.decision.chosen
    if chosen is not None and COUNTS_TOKENS in chosen.candidate.provider.quirks:
        told = await _told(asked, chosen.candidate, daemon)
        if told is not None:
            return Counted(told, chosen.candidate.model.id, estimated=False)
    own = await asyncio.to_thread(state.tokenizer.count_surely, view)
    model = chosen.candidate.model.id if chosen is not None else ""
    return Counted(on_model(own, model, asked.snapshot.factors), model, estimated=True)


async def _told(asked: Asked, candidate: Candidate, daemon: Daemon) -> int | None:
    """What the provider says; None where it does not."""
    carriage = carriage_for(asked, candidate, daemon.state)
    if carriage.dialect.name != DIALECT:
        return None
    try:
        async with asyncio.timeout(WAIT_S), daemon.upstream.open(_count_call(carriage.call)) as answer:
            body = await answer.body(ANSWER_BYTES_MAX)
            return msgspec.json.decode(body, type=_Answer).input_tokens if answer.status == 200 else None
    except (CallFailed, TimeoutError, msgspec.DecodeError):
        return None


def _count_call(call: HttpCall) -> HttpCall:
    fields = msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])
    body = msgspec.json.encode({key: value for key, value in fields.items() if key in ASKED})
    return replace(call, url=call.url + PATH, body=body)
