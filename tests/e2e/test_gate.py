"""Real agents whose cheap models edit too early: no such edit comes to their eyes or into their files, and the books say what became of it.

The simulator's frugal models edit as soon as they can name a file, and sign what they edit; the balanced ones work as they should.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from stepfare.control import protocol
from stepfare.core.step import Tier
from tests.e2e.agents import (
    AIDER,
    CLASSIC,
    CLAUDE_CODE,
    CLINE,
    CLINE_MESSAGES,
    CODEX,
    CONTINUE,
    CONTINUE_RESPONSES,
    MINI,
    OPENCODE,
    Agent,
    Told,
)
from tests.e2e.bookkeeping import as_billed, booked, done
from tests.e2e.desk import Desk, desk_with_providers
from tests.e2e.provider import Simulator, simulator
from tests.e2e.tasks import BROKEN, FIX_TASK

pytestmark = pytest.mark.e2e

SIGNED = b"edited too early by "
NEEDS_BALANCED = {"edit", "recover"}
"""Kinds of turns that no frugal model may give in the profile `balanced`; the tasks lead to no other such kind."""

PAIRS = [
    (CLINE, "openai"),
    (CLINE_MESSAGES, "anthropic"),
    (CLASSIC, "openai"),
    (CONTINUE, "google"),
    (CONTINUE_RESPONSES, "openai"),
    (CLAUDE_CODE, "anthropic"),
    (CLAUDE_CODE, "openai"),  # the gate on a bridge between two formats
    (CODEX, "openai"),
    (CODEX, "anthropic"),
    (OPENCODE, "anthropic"),
    (MINI, "deepseek"),
    (AIDER, "openai"),  # it edits by its text, and its steps are known beforehand
]


@pytest.fixture
def provider() -> Iterator[Simulator]:
    with simulator(Tier.FRUGAL) as running:
        yield running


@pytest.mark.parametrize(("agent", "family"), PAIRS, ids=lambda each: each.id if isinstance(each, Agent) else each)
def test_edits_of_cheap_models_reach_no_client(tmp_path: Path, provider: Simulator, agent: Agent, family: str) -> None:
    with desk_with_providers(tmp_path, provider, [family]) as desk:
        desk.project(BROKEN)
        told = done(desk, agent, FIX_TASK)
        assert signed_by_cheap_models(desk, told) == []
        assert desk.tests_pass(), told
        assert desk.changed_files() == ["shop/prices.py"]
        detail = booked(desk, agent, told)
        assert {step.tier for step in detail.steps if step.kind in NEEDS_BALANCED} == {"balanced"}
        if agent.has_tools:
            # Where the cheap model keeps to its own, it serves: the gate is no other name for the better model.
            assert "frugal" in {step.tier for step in detail.steps if step.kind in ("explore", "run", "summarize")}
            assert escalated_and_booked(desk, detail)
        as_billed(desk, provider)


def signed_by_cheap_models(desk: Desk, told: Told) -> list[str]:
    """Where a signature of theirs is found: in the project, in what the agent keeps of its conversations, or in what it said."""
    files = (path for root in (desk.folder, desk.home) for path in root.rglob("*") if path.is_file())
    found = [str(path.relative_to(desk.root)) for path in files if SIGNED in path.read_bytes()]
    said = [name for name, text in (("output", told.output), ("errors", told.errors)) if SIGNED.decode() in text]
    return [*found, *said]


def escalated_and_booked(desk: Desk, detail: protocol.SessionDetail) -> int:
    """Every attempt that was kept from the client is in the journal with its cost, and so is the better one that followed it. How many
    there are."""
    entries = desk.ledger()
    reserved = {str(entry["attempt"]): entry for entry in entries if entry["phase"] == "reserved"}
    settled = {str(entry["attempt"]): entry for entry in entries if entry["phase"] == "settled"}
    escalated = {name for name, entry in settled.items() if entry["outcome"] == "escalated"}
    count = len(escalated)
    for step in detail.steps:
        kept = [attempt for attempt in step.attempts if attempt.outcome == "escalated"]
        assert step.escalated == bool(kept)
        if not kept:
            continue
        escalated -= {attempt.id for attempt in kept}
        *before, last = step.attempts
        assert before == kept
        for attempt in kept:
            assert (reserved[attempt.id]["tier"], settled[attempt.id]["committed"]) == ("frugal", False)
            assert settled[attempt.id]["kind"] in NEEDS_BALANCED
            assert cast(int, settled[attempt.id]["cost_pusd"]) > 0
        assert (last.outcome, settled[last.id]["committed"]) == ("ok", True)
        assert reserved[last.id]["tier"] == step.tier == "balanced"
        assert Tier.of(str(reserved[last.id]["floor"])) >= Tier.BALANCED
        assert step.cost_pusd == sum(cast(int, settled[attempt.id]["cost_pusd"]) for attempt in step.attempts)
    assert not escalated, "each belongs to a step of the session"
    return count
