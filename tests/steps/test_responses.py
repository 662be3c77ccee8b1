"""Steps of clients that speak OpenAI Responses: thoughts, texts, calls and results are turns of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from stepfare.core.step import StepKind
from stepfare.steps.features import features_of
from tests.steps.views import OPEN, settled, spoken, told

Said = dict[str, object]

PATH_WS = "/path/ws"
PRICING = "src/pricing.py"


def called(call: str, name: str, namespace: str = "", **given: object) -> Said:
    item: Said = {"type": "function_call", "id": f"fc_{call}", "name": name, "arguments": json.dumps(given), "call_id": call}
    return {**item, "namespace": namespace} if namespace else item


def ran(call: str, command: str) -> Said:
    return called(call, "exec_command", cmd=command, workdir=PATH_WS)


def script(call: str, source: str) -> Said:
    return {"type": "custom_tool_call", "id": f"ctc_{call}", "call_id": call, "name": "exec", "namespace": "functions", "input": source}


def output(call: str, text: str, code: int | None = 0) -> Said:
    ended = "Process running with session ID 7" if code is None else f"Process exited with code {code}"
    report = f"Chunk ID: 3f9c21\nWall time: 0.0512 seconds\n{ended}\nOriginal token count: 84\nOutput:\n{text}"
    return {"type": "function_call_output", "call_id": call, "output": report}


def plain(call: str, text: str) -> Said:
    return {"type": "function_call_output", "call_id": call, "output": text}


def shown(call: str, text: str, head: str = "Script completed") -> Said:
    parts = [f"{head}\nWall time 0.4 seconds\nOutput:\n", text]
    return {"type": "custom_tool_call_output", "call_id": call, "output": [{"type": "input_text", "text": part} for part in parts if part]}


def thought(number: int = 9) -> Said:
    return {"type": "reasoning", "id": f"rs_{number}", "summary": [], "content": None, "encrypted_content": f"gAAAAABp{number}"}


def message(text: str, role: str = "user") -> Said:
    return {"type": "message", "role": role, "content": [{"type": "output_text" if role == "assistant" else "input_text", "text": text}]}


RUN_TESTS = 'const r = await tools.exec_command({"cmd":"python -m pytest -q","workdir":"/path/ws"});\ntext(r.output);'
PATCHES = 'const r = await tools.apply_patch("*** Begin Patch\\n*** Update File: src/pricing.py\\n@@\\n-x\\n+y\\n*** End Patch");\ntext(r);'
PATCHED = "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: src/pricing.py\n@@\n-x\n+y\n*** End Patch\nEOF"
IN_PLAN = "<collaboration_mode># Plan Mode (Conversational)\n\nYou plan first.\n</collaboration_mode>"
BY_DEFAULT = (
    "<collaboration_mode># Collaboration Mode: Default\n\nOther modes (e.g. Plan mode) are no longer active.\n</collaboration_mode>"
)


@pytest.mark.parametrize(
    ("base", "more", "mode", "done", "failures", "files", "kind"),
    [
        (
            "codex_default",
            (thought(), script("c3", RUN_TESTS), shown("c3", "1 failed, 2 passed")),
            "act",
            "test! edit test!",
            2,
            (PRICING,),
            StepKind.RECOVER,
        ),
        (
            "codex_default",
            (thought(), script("c3", RUN_TESTS), shown("c3", "3 passed")),
            "act",
            "test! edit test",
            0,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_default",
            (script("c3", PATCHES), shown("c3", "apply_patch verification failed: no such lines", "Script failed")),
            "act",
            "test! edit edit!",
            1,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_default",
            (
                script("c3", RUN_TESTS),
                shown("c3", "", "Script running with cell ID 4"),
                called("c4", "wait", "functions", cell_id="4"),
                shown("c4", "1 failed"),
            ),
            "act",
            "test! edit test!",
            2,
            (PRICING,),
            StepKind.RECOVER,
        ),
        (
            "codex_classic",
            (thought(), ran("c4", PATCHED), output("c4", "Success.")),
            "act",
            "test! read search edit",
            1,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_classic",
            (ran("c4", PATCHED), output("c4", "Failed to find expected lines", 1)),
            "act",
            "test! read search edit!",
            1,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_classic",
            (
                ran("c4", PATCHED),
                output("c4", "Success."),
                message("Now the tests.", "assistant"),
                ran("c5", "pytest -q"),
                output("c5", "..", None),
                called("c6", "write_stdin", session_id=7, chars=""),
                output("c6", "..", None),
                thought(),
                called("c7", "write_stdin", session_id=7),
                output("c7", "1 failed", 1),
            ),
            "act",
            "test! read search edit test!",
            2,
            (PRICING,),
            StepKind.RECOVER,
        ),
        (
            "codex_classic",
            (
                ran("c4", "python"),
                output("c4", ">>>", None),
                called("c5", "write_stdin", session_id=7, chars="1+1\n"),
                output("c5", "2", None),
            ),
            "act",
            "test! read search run run",
            1,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_classic",
            (
                called("c4", "spawn_agent", "multi_agent_v1", message="Look for callers"),
                plain("c4", '{"agent_id":"a"}'),
                message("<subagent_notification>{}</subagent_notification>"),
            ),
            "act",
            "test! read search delegate",
            1,
            (PRICING,),
            OPEN,
        ),
        (
            "codex_classic",
            (called("c4", "view_image", path="/path/ws/docs/a.png"), plain("c4", "")),
            "act",
            "test! read search read",
            1,
            ("docs/a.png", PRICING),
            OPEN,
        ),
        ("codex_classic", (message("And src/tax.py?"),), "act", "", 0, (PRICING, "src/tax.py"), OPEN),
        (
            "codex_classic",
            (message("<turn_aborted>The user interrupted.</turn_aborted>"), message("Stop.")),
            "act",
            "",
            0,
            (PRICING,),
            OPEN,
        ),
        ("codex_classic", (message(IN_PLAN, "developer"), message("Plan it.")), "plan", "", 0, (PRICING,), StepKind.PLAN),
        (
            "codex_classic",
            (message(IN_PLAN, "developer"), message("Plan it."), message(BY_DEFAULT, "developer"), message("Go.")),
            "act",
            "",
            0,
            (PRICING,),
            OPEN,
        ),
        (
            "cline_act",
            (
                called("c3", "apply_patch", input="*** Begin Patch\n*** Update File: src/pricing.py\n@@"),
                plain("c3", '[{"query":"apply_patch","error":"no match","success":false}]'),
            ),
            "act",
            "read test! edit!",
            2,
            (PRICING, "tests/test_pricing.py"),
            StepKind.RECOVER,
        ),
        (
            "continue_act",
            (called("c2", "Read", filepath="/path/ws/src/pricing.py"), plain("c2", "def price(net): ...")),
            "act",
            "test! read",
            1,
            (PRICING,),
            OPEN,
        ),
    ],
)
def test_a_step_of_responses_is_told_by_what_came_before(
    base: str, more: Sequence[Said], mode: str, done: str, failures: int, files: tuple[str, ...], kind: StepKind | None
) -> None:
    seen = features_of(spoken(f"responses/{base}", *more))
    assert (seen.mode, told(seen), seen.failures, seen.files, settled(seen)) == (mode, done, failures, files, kind)


def test_words_of_a_human_are_found_as_far_back_as_in_any_other_format() -> None:
    more = [message("Now mend src/tax.py.")]
    for number in range(29):
        more += [
            thought(number),
            message("I go on.", "assistant"),
            ran(f"c{number}", "rg -n tax src"),
            output(f"c{number}", "src/tax.py:1"),
        ]
    seen = features_of(spoken("responses/codex_classic", *more))
    assert (seen.human_words, seen.actions_since_human, seen.failures) == ("Now mend src/tax.py.", 29, 0)
