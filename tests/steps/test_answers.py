"""What an answer turned out to be, as it is heard in each format, on its way through or over a bridge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from stepfare.core.request import RequestView
from stepfare.core.step import StepKind
from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted, UsageReported
from stepfare.dialects.bridge import Translation, stream_between
from stepfare.dialects.heard import Heard
from stepfare.dialects.table import DIALECTS
from stepfare.dialects.toolnames import as_arguments, flat_name
from stepfare.steps.features import features_of
from stepfare.steps.outcome import kind_of_answer
from tests.steps.views import captured, spoken

Call = tuple[str, Mapping[str, object] | str]
"""A tool, with the namespace that it has for its client, and what it is given: fields, or free text."""

ASKING = {
    "codex": "responses/codex_classic",
    "codex's scripts": "responses/codex_default",
    "claude-code": "anthropic/claude-code/after_reading",
    "claude-code's plan": "anthropic/claude-code/plan",
    "claude-code's summary": "anthropic/claude-code/compaction",
    "cline": "cline/act_after_reading",
    "a question": "responses/sdk_plain",
}
FORMATS = ("openai", "anthropic", "responses")
AT_MS = 1_795_000_000_000

ANSWERS: list[tuple[str, Sequence[Call], str, StepKind]] = [
    ("codex", [("exec_command", {"cmd": "rg -n x src"})], "I look.", StepKind.EXPLORE),
    (
        "codex",
        [("exec_command", {"cmd": "apply_patch <<'E'\n*** Begin Patch\n*** Update File: a.py\n*** End Patch\nE"})],
        "",
        StepKind.EDIT,
    ),
    ("codex", [("exec_command", {"cmd": "ls"}), ("exec_command", {"cmd": "pytest -q"})], "", StepKind.RUN),
    ("codex", [("multi_agent_v1.spawn_agent", {"message": "Edit a.py"})], "", StepKind.ANSWER),
    ("codex", [("view_image", {"path": "/path/ws/a.png"})], "", StepKind.EXPLORE),
    ("codex", [("update_goal", {"status": "complete"})], "", StepKind.SIDE),
    ("codex", [("request_user_input", {"questions": []})], "", StepKind.ANSWER),
    ("codex", [], "It is mended.", StepKind.SUMMARIZE),
    ("codex's scripts", [("functions.exec", 'text((await tools.exec_command({"cmd":"sed -n 1,9p a.py"})).output)')], "", StepKind.EXPLORE),
    ("codex's scripts", [("functions.exec", 'const p = "*** Update File: a.py\\n";\nawait tools.apply_patch(p);')], "", StepKind.EDIT),
    ("codex's scripts", [("functions.exec", 'await tools.exec_command({cmd: "pytest -q"})')], "", StepKind.RUN),
    ("codex's scripts", [("collaboration.spawn_agent", {"task_name": "a", "message": "x"})], "", StepKind.ANSWER),
    ("claude-code", [("Bash", {"command": "grep -rn total ."}), ("Read", {"file_path": "a.py"})], "", StepKind.EXPLORE),
    ("claude-code", [("Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"})], "I mend it.", StepKind.EDIT),
    ("claude-code", [("Bash", {"command": "sed -i s/x/y/ a.py && pytest"})], "", StepKind.EDIT),
    ("claude-code", [("Agent", {"prompt": "Look", "subagent_type": "Explore"})], "", StepKind.ANSWER),
    ("claude-code", [("ToolSearch", {"query": "select:WebSearch"})], "", StepKind.EXPLORE),
    ("claude-code", [], "The total is wrong.", StepKind.SUMMARIZE),
    ("claude-code's plan", [("Read", {"file_path": "a.py"})], "", StepKind.EXPLORE),
    ("claude-code's plan", [], "1. Mend it", StepKind.PLAN),
    ("claude-code's summary", [], "We read two files.", StepKind.SIDE),
    ("cline", [("editor", {"path": "a.py", "old_text": "x", "new_text": "y"})], "", StepKind.EDIT),
    ("cline", [("read_files", {"files": [{"path": "a.py"}]})], "", StepKind.EXPLORE),
    ("a question", [], "Hello.", StepKind.ANSWER),
]


def no_cost(_reported: UsageReported) -> str | None:
    return None


def asked_by(client: str) -> RequestView:
    name = ASKING[client]
    return spoken(name) if name.partition("/")[0] in FORMATS else captured(name)


def told_to(calls: Sequence[Call], text: str, *, flat: bool) -> list[StreamEvent]:
    """The answer as events: in the client's own format, or as a provider of another one says it, to whom tools were named otherwise."""
    events: list[StreamEvent] = [ThinkingDelta("hm"), *([TextDelta(text)] if text else [])]
    for place, (tool, given) in enumerate(calls):
        namespace, _, name = tool.rpartition(".")
        free = isinstance(given, str)
        arguments = given if isinstance(given, str) and not flat else as_arguments(given) if isinstance(given, str) else json.dumps(given)
        named = (flat_name(name, namespace), "", False) if flat else (name, namespace, free)
        events += [ToolCallStarted(place, f"c{place}", *named), ToolCallDelta(place, arguments)]
    return [*events, Finished("tool_calls" if calls else "stop")]


def streamed(dialect: str, view: RequestView, events: Sequence[StreamEvent]) -> bytes:
    writer = DIALECTS[dialect].writer(view, "up1", AT_MS, "", no_cost)
    return b"".join(writer.write(event) for event in events) + writer.end()


def heard_over(provider: str, view: RequestView, calls: Sequence[Call], text: str) -> Heard:
    """What was heard of this answer when a provider of that format gave it to this client."""
    if provider == view.dialect:
        own = DIALECTS[provider].stream("auto", True, no_cost)
        own.feed(streamed(provider, view, told_to(calls, text, flat=False)))
        own.finish()
        return own.heard
    bare = DIALECTS[provider].read_request(b'{"model":"m","max_tokens":9,"input":"x","messages":[{"role":"user","content":"x"}]}', {})
    bridge = stream_between(Translation(view), provider, "a1", AT_MS, "lab/own", no_cost)
    bridge.feed(streamed(provider, bare, told_to(calls, text, flat=True)))
    bridge.finish()
    return bridge.heard


@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize(("client", "calls", "text", "kind"), ANSWERS)
def test_an_answer_is_what_it_does_whoever_gave_it(provider: str, client: str, calls: Sequence[Call], text: str, kind: StepKind) -> None:
    view = asked_by(client)
    heard = heard_over(provider, view, calls, text)
    assert [call.name for call in heard.calls] == [tool.rpartition(".")[2] for tool, _ in calls]
    assert kind_of_answer(features_of(view), heard.calls, heard.text, view.tools) is kind
