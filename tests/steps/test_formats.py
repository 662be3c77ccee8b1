"""What clients send in Anthropic's and in OpenAI's newer format, and what is made of it: the same as of chat completions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.step import StepKind
from stepfare.steps.features import features_of
from tests.steps.views import FORMATS, OPEN, settled, spoken, told

WS, PATH_WS = "/home/dev/shop", "/path/ws"
TOTAL, TEST, PRICING = "shop/total.py", "tests/test_total.py", "src/pricing.py"
ASKED = "The test in tests/test_total.py fails. Find out why and mend shop/total.py."
PRICE = "The test of pricing fails. Find out why and mend it — “round half up” is wanted."
CLINE, CONTINUE = "Mend the failing test of pricing.", "The test fails; mend it."
TITLE = "Given the following... please reply with a title for the chat that is 3-4 words in length: mend the test"

Expected = tuple[str, str, str, str, str, int, tuple[str, ...], str, StepKind | None]

# request: client, mode, side call, workspace, what was done since the human spoke, failures, files in play, the human's words, what follows
RECORDED: dict[str, Expected] = {
    "anthropic/claude-code/after_compaction": ("claude-code", "act", "", WS, "", 0, (), "", OPEN),
    "anthropic/claude-code/after_editing": ("claude-code", "act", "", WS, "read test! read edit", 1, (TOTAL, TEST), ASKED, OPEN),
    "anthropic/claude-code/after_reading": ("claude-code", "act", "", WS, "read", 0, (TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/agents": ("claude-code", "act", "", WS, "delegate list", 0, (TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/budget": ("claude-code", "act", "", WS, "", 0, (TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/compaction": (
        "claude-code", "act", "compaction", WS, "read test! read edit", 1, (TOTAL, TEST), ASKED, StepKind.SIDE,
    ),
    "anthropic/claude-code/first": ("claude-code", "act", "", WS, "", 0, (TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/image": ("claude-code", "act", "", WS, "read", 0, ("page.png", TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/parallel": ("claude-code", "act", "", WS, "read test! read", 1, (TOTAL, TEST), ASKED, OPEN),
    "anthropic/claude-code/plan": ("claude-code", "plan", "", WS, "", 0, (TEST, TOTAL), ASKED, StepKind.PLAN),
    "anthropic/claude-code/subagent": ("claude-code", "act", "", WS, "", 0, (), "Find where totals are computed.", OPEN),
    "anthropic/claude-code/title": (
        "claude-code", "act", "title", "", "", 0, (TEST,), "The test in tests/test_total.py fails. Find out why.", StepKind.SIDE,
    ),
    "anthropic/claude-code/tool_search": ("claude-code", "act", "", WS, "search", 0, (TEST, TOTAL), ASKED, OPEN),
    "anthropic/claude-code/web_search": ("claude-code", "act", "web search", "", "", 0, (), "", StepKind.SIDE),
    "anthropic/cline/after_reading": (
        "cline", "act", "", WS, "read", 0, (TOTAL, TEST), "The test in tests/test_total.py fails. Mend shop/total.py.", OPEN,
    ),
    "anthropic/cline/first": (
        "cline", "act", "", WS, "", 0, (TEST, TOTAL), "The test in tests/test_total.py fails. Mend shop/total.py.", OPEN,
    ),
    "anthropic/cline-classic/after_reading": ("cline-classic", "act", "", WS, "read", 0, (TOTAL,), "Mend shop/total.py", OPEN),
    "anthropic/continue/after_failing": ("continue", "act", "", WS, "test!", 1, (), CONTINUE, OPEN),
    "anthropic/continue/title": ("continue", "act", "title", "", "", 0, (), TITLE, StepKind.SIDE),
    "responses/cline_act": ("cline", "act", "", PATH_WS, "read test!", 1, (PRICING, "tests/test_pricing.py"), CLINE, OPEN),
    "responses/cline_thinking": ("cline", "act", "", PATH_WS, "", 0, (), CLINE, OPEN),
    "responses/codex_after_compaction": ("codex", "act", "", PATH_WS, "", 0, (), PRICE, OPEN),
    "responses/codex_classic": ("codex", "act", "", PATH_WS, "test! read search", 1, (PRICING,), PRICE, OPEN),
    "responses/codex_classic_first": ("codex", "act", "", PATH_WS, "", 0, (), PRICE, OPEN),
    "responses/codex_compaction": ("codex", "act", "compaction", PATH_WS, "test! read search", 1, (PRICING,), PRICE, StepKind.SIDE),
    "responses/codex_default": ("codex", "act", "", PATH_WS, "test! edit", 1, (PRICING,), PRICE, OPEN),
    "responses/codex_namespace_and_image": ("codex", "act", "", PATH_WS, "", 0, ("docs/screen.png", PRICING), "Go on.", OPEN),
    "responses/codex_output_schema": ("codex", "act", "", PATH_WS, "", 0, (), PRICE, OPEN),
    "responses/codex_subagent": ("codex", "act", "", PATH_WS, "", 0, (), "", OPEN),
    "responses/continue_act": ("continue", "act", "", PATH_WS, "test!", 1, (), CLINE, OPEN),
    "responses/sdk_parse": ("unknown", "", "", "", "", 0, (), "Alice is 42.", StepKind.ANSWER),
    "responses/sdk_plain": ("unknown", "", "", "", "", 0, (), "Say hello in one word.", StepKind.ANSWER),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_a_clients_request_is_understood(name: str) -> None:
    seen = features_of(spoken(name))
    found = (
        seen.client,
        seen.mode,
        seen.side,
        seen.workspace,
        told(seen),
        seen.failures,
        seen.files,
        seen.human_words,
        settled(seen),
    )
    assert found == RECORDED[name]


def test_every_recorded_request_is_expected_somewhere() -> None:
    names = {
        str(path.relative_to(FORMATS).with_suffix("")) for kind in ("anthropic", "responses") for path in (FORMATS / kind).rglob("*.json")
    }
    assert names == set(RECORDED)


@pytest.mark.parametrize("name", [name for name in RECORDED if "claude-code" in name or "codex" in name])
def test_the_agents_of_the_two_labs_are_known_without_their_headers(name: str) -> None:
    assert features_of(replace(spoken(name), headers={})).client == RECORDED[name][0]


def test_only_loops_can_act() -> None:
    loops = {name for name in RECORDED if features_of(spoken(name)).agent_loop}
    assert set(RECORDED) - loops == {
        "anthropic/claude-code/title",
        "anthropic/continue/title",
        "responses/codex_compaction",
        "responses/sdk_parse",
        "responses/sdk_plain",
    }
