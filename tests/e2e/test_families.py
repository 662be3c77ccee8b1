"""Agents whose requests are said in another wire format: each against a provider that speaks no word of its own.

The providers are played by a simulator in a process of its own, which refuses what the real ones refuse. Its bill is the truth that the
daemon's books are held against, to the picodollar.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agents import (
    AIDER,
    CLASSIC,
    CLAUDE_CODE,
    CLINE,
    CLINE_MESSAGES,
    CLINE_RESPONSES,
    CODEX,
    CODEX_BY_SCRIPT,
    CONTINUE,
    CONTINUE_MESSAGES,
    CONTINUE_RESPONSES,
    MINI,
    OPENCODE,
    Agent,
)
from tests.e2e.bookkeeping import as_billed, booked, done, families_of
from tests.e2e.desk import FAMILIES, desk_with_providers
from tests.e2e.provider import Simulator, simulator
from tests.e2e.tasks import BROKEN, FIX_TASK

pytestmark = pytest.mark.e2e

PAIRS = [
    (CLAUDE_CODE, "openai"),  # Messages, said in Responses
    (CLAUDE_CODE, "deepseek"),  # Messages, at another maker's door for them
    (CLAUDE_CODE, "anthropic"),
    (CODEX, "anthropic"),  # Responses, said in Messages
    (CODEX, "mistral"),  # Responses, said in chat completions
    (CODEX_BY_SCRIPT, "openai"),
    (AIDER, "google"),
    (OPENCODE, "xai"),
    (MINI, "anthropic"),
    (CLINE, "deepseek"),
    (CLINE_MESSAGES, "google"),
    (CLINE_RESPONSES, "xai"),
    (CLASSIC, "openai"),
    (CONTINUE, "mistral"),
    (CONTINUE_MESSAGES, "openai"),
    (CONTINUE_RESPONSES, "anthropic"),
]


@pytest.fixture
def provider() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.mark.parametrize(("agent", "family"), PAIRS, ids=lambda each: each.id if isinstance(each, Agent) else each)
def test_an_agent_mends_the_tests_on_a_provider_of_another_format(tmp_path: Path, provider: Simulator, agent: Agent, family: str) -> None:
    with desk_with_providers(tmp_path, provider, [family]) as desk:
        desk.project(BROKEN)
        told = done(desk, agent, FIX_TASK)
        assert desk.tests_pass(), told
        assert families_of(booked(desk, agent, told)) == [family]
        as_billed(desk, provider)


@pytest.mark.parametrize("agent", [CLAUDE_CODE, CODEX, CLINE], ids=lambda agent: agent.id)
def test_providers_change_within_a_task_and_nothing_is_refused(tmp_path: Path, provider: Simulator, agent: Agent) -> None:
    tiers = '[tiers]\nfrugal = ["deepseek/deepseek-flash"]\nbalanced = ["anthropic/claude-sonnet-5-5"]\npremium = ["openai/gpt-6.1-sol"]\n'
    with desk_with_providers(tmp_path, provider, list(FAMILIES), tiers) as desk:
        desk.project(BROKEN)
        told = done(desk, agent, FIX_TASK)
        assert desk.tests_pass(), told
        assert families_of(booked(desk, agent, told)) == ["deepseek", "anthropic"]
        as_billed(desk, provider)
