"""What would be decided on a request, without deciding it: everything happens in a state apart, of which nothing comes back.

A session that is given by its earlier requests is played through from its beginning: each of them as served by whom it would have been
given to, at the prices of now, with what the next request says that it was answered. Nothing is sent, nothing is booked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from stepfare.core.decision import Decision, Floor, Ranked
from stepfare.core.money import Usage
from stepfare.core.request import RequestView, Role, Text, ToolCall, Turn
from stepfare.core.step import Tier
from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted, UsageReported
from stepfare.dialects.meter import CHARS_PER_TOKEN
from stepfare.routing.failover import Try, next_move
from stepfare.routing.futures import PROBE_OUTPUT_TOKENS
from stepfare.routing.gate import TEXT_CHARS
from stepfare.routing.warmth import warm_tokens
from stepfare.runtime.consider import Asked, consider, identity_of
from stepfare.runtime.entries import Run, closing, opening
from stepfare.runtime.holding import needed_by, sight_of
from stepfare.runtime.state import State
from stepfare.sessions.index import SessionIndex

STEP_MS = 7_000
"""Between two steps, where bodies do not say when they were sent: the median of recorded sessions."""
ANSWER_SEARCHED_MAX = 8
"""Among so many later bodies the one is looked for that goes on from a body: calls beside the conversation stand between them."""
_APART = "rehearsed-"


async def rehearse(view: RequestView, earlier: Sequence[RequestView], state: State, now_ms: int, root: str = "") -> Decision:
    """What would be decided on this request now; `earlier` are those of its session that came before, oldest first, and without them
    the session is the one that the daemon knows. `root` names the workspace. The decision has no id, and no session where nobody knows
    it yet. Raises BadRequest."""
    if not earlier:
        return consider(view, state.apart(), now_ms=now_ms, new_session="", decision_id="", root=root).decision
    apart = state.apart(SessionIndex(state.cache_rule_of))
    bodies = [*earlier, view]
    for number, body in enumerate(earlier):
        asked = _considered(body, number, len(bodies), apart, now_ms, root)
        _play(asked, f"{_APART}{number}", _answered(bodies, number), apart)
        await asyncio.sleep(0)  # Many long bodies take a while: whoever waits for a real answer comes in between.
    asked = _considered(view, len(earlier), len(bodies), apart, now_ms, root)
    place, seen = asked.workspace, asked.features
    known = identity_of(view, seen, place.root, state.sessions, now_ms).session
    made_up = asked.decision.session.startswith(_APART)
    return replace(asked.decision, session=known) if made_up else asked.decision


def _considered(view: RequestView, number: int, of: int, apart: State, now_ms: int, root: str) -> Asked:
    at_ms = now_ms - (of - 1 - number) * STEP_MS
    return consider(view, apart, now_ms=at_ms, new_session=f"{_APART}{number}", decision_id="", root=root)


def _answered(bodies: Sequence[RequestView], number: int) -> Sequence[Turn]:
    """What a body was answered, as the next one that goes on from it repeats it; nothing where none does."""
    view = bodies[number]
    length = len(view.digests)
    for later in bodies[number + 1 : number + 1 + ANSWER_SEARCHED_MAX]:
        if len(later.digests) > length and later.digests[:length] == view.digests:
            end = length
            while end < len(later.turns) and later.turns[end].role is Role.ASSISTANT:
                end += 1
            return [later.turns[place] for place in range(length, end)]
    return ()


def _play(asked: Asked, attempt: str, answer: Sequence[Turn], apart: State) -> None:
    """Take this step as served, in the memory of the state apart alone: held and asked again of somebody better where it needed that."""
    calls = [block for turn in answer for block in turn.blocks if isinstance(block, ToolCall)]
    text = "".join(block.text for turn in answer for block in turn.blocks if isinstance(block, Text))
    said = len(text) + sum(len(call.name) + len(call.arguments) for call in calls)
    output_tokens = round(said / CHARS_PER_TOKEN) if answer else asked.decision.output_tokens
    at_ms, floor, at_least = asked.snapshot.now_ms, asked.decision.floor, None
    for tier in Tier:
        move = next_move(asked.decision, (), started=False, at_least=at_least)
        if not isinstance(move, Try):
            return
        run = Run(f"{attempt}-{tier.word}", move.ranked, floor, at_ms, sent=True, answered=True, finished=True)
        run.heard.hear(_heard(text, calls))
        run.needs = _needs(asked, run, text, calls) if answer else None
        dropped = run.needs is not None
        run.committed = not dropped
        run.heard.hear([UsageReported(_usage(asked, move.ranked, min(output_tokens, PROBE_OUTPUT_TOKENS) if dropped else output_tokens))])
        for entry in opening(asked, run, titles=False):
            apart.sessions.apply(entry)
        apart.sessions.apply(closing(asked, run, apart, at_ms))
        if run.needs is None:
            return
        floor, at_least = run.needs, run.needs.tier


def _needs(asked: Asked, run: Run, text: str, calls: Sequence[ToolCall]) -> Floor | None:
    """The floor that this answer would have turned out to need of somebody better; None where it would have been shown."""
    tier = run.ranked.candidate.model.tier
    sight = sight_of(asked, tier, run.heard)
    shown = asked.view.stream and not calls and len(text) >= TEXT_CHARS
    return needed_by(sight, tier) if sight is not None and not shown else None


def _usage(asked: Asked, ranked: Ranked, output_tokens: int) -> Usage:
    """What the provider is taken to report: what was warm is read, and the rest is written where it caches at all."""
    prompt_tokens, cache = ranked.prompt_tokens, ranked.candidate.provider.cache
    warm = 0 if asked.apart else warm_tokens(asked.session, ranked.candidate.model.id, prompt_tokens, asked.snapshot.now_ms)
    written = prompt_tokens - warm if cache is not None and prompt_tokens >= cache.min_tokens else 0
    return Usage(prompt_tokens, warm, written, output_tokens)


def _heard(text: str, calls: Sequence[ToolCall]) -> Sequence[StreamEvent]:
    events: list[StreamEvent] = [TextDelta(text)] if text else []
    for index, call in enumerate(calls):
        events += (ToolCallStarted(index, call.id, call.name), ToolCallDelta(index, call.arguments))
    return [*events, Finished("tool_calls" if calls else "stop")]
