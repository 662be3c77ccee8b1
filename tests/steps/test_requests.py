"""What each client really sends, and what is made of it."""

from __future__ import annotations

import pytest

from stepfare.core.step import StepKind
from stepfare.steps.clients import workspace_of
from stepfare.steps.features import features_of
from tests.steps.views import CASES, OPEN, captured, settled

WS = "/home/dev/shop"
TOTAL = "shop/total.py"
TEST = "tests/test_total.py"

# request: mode, side call, workspace, what was done since the human spoke, failures, files in play, and the kind that follows
EXPECTED: dict[str, tuple[str, str, str, str, int, tuple[str, ...], StepKind | None]] = {
    "aider/architect": ("plan", "", "", "", 0, (), StepKind.PLAN),
    "aider/ask": ("", "", "", "", 0, (), StepKind.ANSWER),
    "aider/commit": ("", "commit message", "", "", 0, ("a/shop/total.py", "b/shop/total.py"), StepKind.SIDE),
    "aider/edit": ("", "", "", "", 0, (), StepKind.EDIT),
    "cline/act_first": ("act", "", WS, "", 0, (TEST, TOTAL), OPEN),
    "cline/act_after_reading": ("act", "", WS, "search read", 0, (TOTAL, TEST), OPEN),
    "cline/plan": ("plan", "", WS, "", 0, (TEST, TOTAL), StepKind.PLAN),
    "cline/stuck": ("act", "", WS, "search read test! edit test! read", 2, (TOTAL, TEST), StepKind.RECOVER),
    "cline/yolo_after_editing": ("act", "", WS, "search read edit test", 0, (TEST, TOTAL), OPEN),
    "cline-classic/condense": ("act", "compaction", WS, "read finish", 0, (TOTAL,), StepKind.SIDE),
    "cline-classic/failed_edit": ("act", "", WS, "read edit!", 1, (TOTAL,), OPEN),
    "cline-classic/native": ("act", "", WS, "test!", 1, (TOTAL,), OPEN),
    "cline-classic/plan": ("plan", "", WS, "", 0, (), StepKind.PLAN),
    "cline-classic/plan_then_act": ("act", "", WS, "", 0, (TOTAL,), OPEN),
    "cline-classic/xml_after_reading": ("act", "", WS, "read", 0, (TOTAL,), OPEN),
    "cline-classic/xml_first": ("act", "", WS, "", 0, (TOTAL,), OPEN),
    "cline-classic/xml_result_in_parts": ("act", "", WS, "read", 0, (TOTAL,), OPEN),
    "continue/act_after_failing_test": ("act", "", WS, "test! read", 1, ("shop/total.js",), OPEN),
    "continue/checklist": ("act", "", WS, "todo", 0, (), OPEN),
    "continue/compaction": ("act", "compaction", WS, "", 0, (), StepKind.SIDE),
    "continue/extension_chat": ("act", "", "", "", 0, (), StepKind.ANSWER),
    "continue/plan": ("plan", "", WS, "", 0, (), StepKind.PLAN),
    "continue/title": ("act", "title", "", "", 0, (), StepKind.SIDE),
    "kilo/act_first": ("act", "", WS, "", 0, (), OPEN),
    "mini-swe-agent/after_failing_command": ("", "", "", "read test!", 1, (TOTAL,), OPEN),
    "mini-swe-agent/fenced": ("", "", "", "search", 0, (TOTAL,), OPEN),
    "opencode/act_after_search": ("act", "", WS, "search todo", 0, ("shop/total.ts",), OPEN),
    "opencode/compaction": ("act", "compaction", "", "", 0, (), StepKind.SIDE),
    "opencode/plan": ("plan", "", WS, "", 0, (), StepKind.PLAN),
    "opencode/title": ("act", "title", "", "", 0, (), StepKind.SIDE),
    "qwen/act_first": ("act", "", WS, "", 0, (), OPEN),
    "qwen/compression": ("act", "compaction", "", "", 0, (), StepKind.SIDE),
    "qwen/memory": ("act", "memory", "", "", 0, (), StepKind.SIDE),
    "qwen/plan": ("plan", "", WS, "", 0, (), StepKind.PLAN),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_clients_request_is_understood(name: str) -> None:
    view = captured(name)
    seen = features_of(view)
    done = seen.recent[len(seen.recent) - seen.actions_since_human :]
    said = " ".join(action.kind.value + "!" * action.failed for action in done)
    found = (seen.mode, seen.side, workspace_of(view), said, seen.failures, seen.files, settled(seen))
    assert (seen.client, found) == (name.partition("/")[0], EXPECTED[name])


def test_every_captured_request_is_expected_somewhere() -> None:
    names = {f"{path.parent.name}/{path.stem}" for path in CASES.rglob("*.json")}
    assert {name for name in names if name.partition("/")[0] in {key.partition("/")[0] for key in EXPECTED}} == set(EXPECTED)


def test_only_loops_can_act() -> None:
    loops = {name for name in EXPECTED if features_of(captured(name)).agent_loop}
    assert {"cline/act_first", "cline-classic/xml_first", "aider/edit", "mini-swe-agent/fenced"} <= loops
    assert loops.isdisjoint({"aider/ask", "continue/title", "continue/extension_chat", "opencode/title", "qwen/compression"})
