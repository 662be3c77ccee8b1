"""Sessions played through for a dry run: whose they are, who served them, what their caches hold, and that nothing of it comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stepfare.core.decision import Decision
from stepfare.core.model import CacheRule
from stepfare.core.request import RequestView
from stepfare.core.step import Tier
from stepfare.dialects.openai_chat import read_request
from stepfare.dialects.table import DIALECTS
from stepfare.runtime.rehearsal import rehearse
from stepfare.runtime.state import State
from tests.flows.remembered import remembered
from tests.routing.samples import NOW_MS, candidate, rates
from tests.runtime.samples import a_state

CASES = Path(__file__).parents[1] / "cases"
FORMATS = {"requests": "openai", "anthropic": "anthropic", "responses": "responses"}
RECORDED = [
    pytest.param(FORMATS[path.relative_to(CASES).parts[0]], path, id=str(path.relative_to(CASES)))
    for folder in FORMATS
    for path in sorted((CASES / folder).rglob("*.json"))
]
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"path": {}}}}}
    for name in ("read_file", "write_to_file")
]
WORDS = "words " * 3_000
"""Long enough to be cached."""
TITLE: list[Message] = [
    {"role": "user", "content": "Given the following... please reply with a title for the chat that is 3-4 words in length"}
]
Message = dict[str, object]


def caching() -> State:
    """Two models of a provider that caches."""
    rule = CacheRule(min_tokens=1_024)
    return a_state(
        candidate("lab/small", Tier.FRUGAL, rates(100_000, 500_000, read=10_000, write=125_000), cache=rule),
        candidate("lab/middle", Tier.BALANCED, rates(2_000_000, 10_000_000, read=200_000, write=2_500_000), cache=rule),
    )


def told(state: State, *bodies: Sequence[Message], model: str = "auto") -> Decision:
    views = [a_view(messages, model) for messages in bodies]
    return asyncio.run(rehearse(views[-1], views[:-1], state, NOW_MS))


def a_view(messages: Sequence[Message], model: str = "auto") -> RequestView:
    return read_request(json.dumps({"model": model, "messages": messages, "tools": TOOLS, "stream": True}).encode(), {})


def step(number: int, text: str = "", tool: str = "read_file") -> list[Message]:
    """What a step adds to a conversation: a file is read or written, or something is said and answered."""
    if text:
        return [{"role": "assistant", "content": text}, {"role": "user", "content": "Go on"}]
    function = {"name": tool, "arguments": json.dumps({"path": f"{number}.py"})}
    call: Message = {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]}
    return [call, {"role": "tool", "tool_call_id": f"c{number}", "content": "x = 1\n"}]


def conversation(steps: int, words: str = WORDS) -> list[list[Message]]:
    bodies: list[list[Message]] = [[{"role": "system", "content": words}, {"role": "user", "content": "Look around"}]]
    while len(bodies) < steps:
        bodies.append([*bodies[-1], *step(len(bodies))])
    return bodies


def warm_tokens(decision: Decision, model: str = "lab/small") -> int:
    return sum(
        line.tokens
        for row in decision.ranked
        for line in row.arithmetic
        if row.candidate.model.id == model and line.what.startswith("warm")
    )


@pytest.mark.parametrize(("dialect", "path"), RECORDED)
def test_every_recorded_request_can_be_rehearsed_after_itself(dialect: str, path: Path) -> None:
    recorded = json.loads(path.read_text())
    body = json.dumps(recorded.get("body", recorded) | {"model": "auto"}).encode()
    view = DIALECTS[dialect].read_request(body, {})
    decision = asyncio.run(rehearse(view, [view, view], a_state(), NOW_MS))
    assert decision.id == ""
    assert len(decision.ranked) + len(decision.rejections) == 3


def test_caches_hold_what_earlier_steps_left_in_them() -> None:
    bodies = conversation(5)
    assert warm_tokens(told(caching(), bodies[-1])) == 0
    alone, whole = told(caching(), bodies[0], bodies[1]), told(caching(), *bodies)
    assert 3_000 < warm_tokens(alone) < warm_tokens(whole) < whole.prompt_tokens


def test_a_call_beside_the_conversation_does_not_part_its_steps() -> None:
    bodies = conversation(3)
    assert warm_tokens(told(caching(), bodies[0], TITLE, bodies[1], TITLE, bodies[2])) == warm_tokens(told(caching(), *bodies))


def test_what_was_sent_twice_is_one_step() -> None:
    bodies = conversation(3)
    assert warm_tokens(told(caching(), bodies[0], bodies[1], bodies[1], bodies[2])) == warm_tokens(told(caching(), *bodies))


def test_another_conversation_among_them_leaves_nothing_in_this_ones_cache() -> None:
    other = conversation(3, "other " * 3_000)
    assert warm_tokens(told(caching(), *other, conversation(1)[0])) == 0


def test_a_text_is_an_answer_too_and_one_that_is_not_repeated_is_guessed() -> None:
    first = conversation(1)[0]
    said = [*first, *step(1, "I have looked. " * 500)]
    answered, unanswered = told(caching(), first, said), told(caching(), first, [*first, {"role": "user", "content": "Hello?"}])
    assert warm_tokens(answered) == warm_tokens(unanswered) > 3_000


def test_what_needed_a_better_model_was_given_to_one() -> None:
    looked, first = conversation(2), conversation(1)[0]
    edited = [*first, *step(1, tool="write_to_file")]
    after_look, after_edit = told(caching(), *looked), told(caching(), first, edited)
    assert [warm_tokens(after_look, model) > 3_000 for model in ("lab/small", "lab/middle")] == [True, False]
    assert warm_tokens(after_edit, "lab/middle") > 3_000


def test_files_that_a_project_guards_were_for_its_best_model(tmp_path: Path) -> None:
    (tmp_path / ".stepfare.toml").write_text('[[paths]]\nmatch = ["1.py"]\nfloor = "premium"\n')
    first = conversation(1)[0]
    bodies = [first, [*first, *step(1, tool="write_to_file")]]
    views = [a_view(one) for one in bodies]
    rule = CacheRule(min_tokens=1_024)
    models = [candidate(f"lab/{tier.word}", tier, rates(100_000 * (1 + 9 * tier), 500_000, read=10_000), cache=rule) for tier in Tier]
    decision = asyncio.run(rehearse(views[-1], views[:-1], a_state(*models), NOW_MS, str(tmp_path)))
    assert warm_tokens(decision, "lab/premium") > 3_000
    assert warm_tokens(decision, "lab/balanced") == 0


def test_steps_that_nobody_could_serve_leave_nothing_behind() -> None:
    state, bodies = caching(), conversation(2)
    too_long: list[Message] = [{"role": "system", "content": "x" * 5_000_000}, {"role": "user", "content": "Hi"}]
    assert told(state, too_long, bodies[0]).ranked
    assert told(state, bodies[0], too_long).ranked == ()


def test_the_state_stays_as_it_was() -> None:
    state = caching()
    before = remembered(state)
    for bodies in (conversation(4), [TITLE], [TITLE, TITLE]):
        told(state, *bodies)
    assert remembered(state) == before


def test_a_session_that_its_client_names_keeps_its_name() -> None:
    bodies = conversation(3)
    named = [replace(a_view(one), headers={"x-stepfare-session": "mine"}) for one in bodies]
    decision = asyncio.run(rehearse(named[-1], named[:-1], caching(), NOW_MS))
    assert decision.session == "mine"
    assert warm_tokens(decision) == warm_tokens(told(caching(), *bodies))
