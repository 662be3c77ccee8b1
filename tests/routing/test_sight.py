"""What is seen of an answer while it comes: which call needs what, and when that is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from stepfare.core.prompt import ToolOffer
from stepfare.core.request import Tool
from stepfare.core.step import StepKind, Tier
from stepfare.dialects.base import Finished, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted
from stepfare.dialects.heard import Heard
from stepfare.routing.gate import CallSeen, Seen
from stepfare.routing.policy import floors_for, gate_plan
from stepfare.routing.sight import Measure, Sight
from stepfare.routing.snapshot import Policy
from tests.routing.samples import dotfile, features, request, snapshot, step

PATH: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
OFFERS = {
    "read_file": ToolOffer("read_file", schema=PATH),
    "Edit": ToolOffer("Edit", schema=PATH),
    "bash": ToolOffer("bash", schema={"properties": {"command": {"type": "string"}}}),
    "str_replace_editor": ToolOffer("str_replace_editor"),
    "apply_patch": ToolOffer("apply_patch", custom=True),
    "change_thing": ToolOffer("change_thing", schema={"properties": {"path": {}, "old_string": {}}}),
    "fix_it": ToolOffer("fix_it", schema={"properties": {"what": {}}}),
}


def sight(
    client: str = "claude-code", *, tools: bool = True, project: str = "", profile: str = "balanced", **more: Any
) -> tuple[Sight, Heard]:
    world = snapshot(policy=Policy(profile, gate_enabled=True), dotfile=dotfile(project) if project else None)
    seen = features(client=client, **more)
    plan = gate_plan(step(StepKind.EXPLORE), seen, floors_for(request(), seen, world), world, manual=False)
    offered = tuple(Tool(name, tuple(cast("dict[str, object]", offer.schema.get("properties", {})))) for name, offer in OFFERS.items())
    offered = offered if tools else ()
    offers: Mapping[str, ToolOffer] = OFFERS if tools else {}
    heard = Heard()
    measure = Measure(plan, seen, offered, world, lambda paths: tuple(path.removeprefix("/ws/") for path in paths), lambda: offers)
    return Sight(measure, heard), heard


def seen(events: list[StreamEvent], **how: Any) -> Seen:
    """What is known after these events."""
    watching, heard = sight(**how)
    for event in events:
        heard.hear((event,))
        watching.hear((event,))
    return watching.seen(shown=False, held_ms=0, text_ms=0, held_bytes=0)


def call(name: str, *pieces: str, index: int = 0) -> list[StreamEvent]:
    return [ToolCallStarted(index, f"c{index}", name), *(ToolCallDelta(index, piece) for piece in pieces)]


def known(one: CallSeen) -> tuple[Tier | None, bool, bool]:
    """The tier that it needs, whether it is whole, whether it is of use."""
    return (None if one.floor is None else one.floor.tier, one.whole, not one.flaw)


@pytest.mark.parametrize(
    ("events", "calls"),
    [
        (call("read_file"), [(Tier.FRUGAL, False, True)]),
        (call("read_file", '{"path":', ' "a"}'), [(Tier.FRUGAL, True, True)]),
        (call("read_file", '{"path": "a{}'), [(Tier.FRUGAL, False, True)]),
        # A tool that edits shows at its name.
        (call("Edit"), [(Tier.BALANCED, False, True)]),
        (call("apply_patch"), [(Tier.BALANCED, False, True)]),
        (call("change_thing"), [(Tier.BALANCED, False, True)]),
        # One that may look or edit shows by its arguments.
        (call("str_replace_editor"), [(None, False, True)]),
        (call("str_replace_editor", '{"comm', 'and": "vi'), [(None, False, True)]),
        (call("str_replace_editor", '{"comm', 'and": "view", "pa'), [(Tier.FRUGAL, False, True)]),
        (call("str_replace_editor", '{"comm', 'and": "create", "pa'), [(Tier.BALANCED, False, True)]),
        (call("str_replace_editor", '{"path": "a \\"command\\": \\"create\\"'), [(None, False, True)]),
        (call("str_replace_editor", '{"command": "view", "path": "a"}'), [(Tier.FRUGAL, True, True)]),
        (call("str_replace_editor", '{"command": "create", "path": "a"}'), [(Tier.BALANCED, True, True)]),
        (call("bash", '{"command": "ls > a'), [(None, False, True)]),
        (call("bash", '{"command": "ls -la"}'), [(Tier.FRUGAL, True, True)]),
        (call("bash", '{"command": "pytest -q"}'), [(Tier.FRUGAL, True, True)]),
        (call("bash", '{"command": "echo x > a.py"}'), [(Tier.BALANCED, True, True)]),
        (call("fix_it"), [(None, False, True)]),
        # Of no use.
        (call("read_file", '{"pth": "a"}'), [(Tier.FRUGAL, True, False)]),
        (call("unheard_of", '{"path": "a"}'), [(Tier.FRUGAL, True, False)]),
        (call("read_file", '{"path": "a"'), [(Tier.FRUGAL, False, True)]),
        ([*call("read_file", '{"path": "a"'), Finished("length")], [(Tier.FRUGAL, True, False)]),
        ([*call("fix_it"), Finished("tool_calls")], [(Tier.FRUGAL, True, True)]),
        # Several.
        ([*call("read_file", '{"path": "a"}'), *call("Edit", index=1)], [(Tier.FRUGAL, True, True), (Tier.BALANCED, False, True)]),
        ([TextDelta("I look"), ThinkingDelta("hm")], []),
    ],
)
def test_what_is_known_of_calls(events: list[StreamEvent], calls: list[tuple[Tier | None, bool, bool]]) -> None:
    assert [known(one) for one in seen(events).calls] == calls


@pytest.mark.parametrize(
    ("events", "how", "needs"),
    [
        ([TextDelta("All is well."), Finished("stop")], {"actions_since_human": 3}, Tier.FRUGAL),
        ([TextDelta("It is so."), Finished("stop")], {}, Tier.BALANCED),
        ([TextDelta("It is so.")], {}, None),
        ([*call("read_file", '{"path": "a"}'), Finished("tool_calls")], {}, None),
    ],
)
def test_what_a_text_needs_is_known_at_its_end(events: list[StreamEvent], how: dict[str, Any], needs: Tier | None) -> None:
    found = seen(events, **how).needs
    assert (None if found is None else found.tier) is needs


GUARDED = '[[paths]]\nmatch = ["migrations/**"]\nfloor = "premium"\n'


@pytest.mark.parametrize(
    ("events", "tier"),
    [
        (call("Edit"), Tier.BALANCED),
        (call("Edit", '{"path": "/ws/src/a.py"}'), Tier.BALANCED),
        (call("Edit", '{"path": "/ws/migrations/1.sql"}'), Tier.PREMIUM),
        (call("bash", '{"command": "sed -i s/a/b/ migrations/1.sql"}'), Tier.PREMIUM),
        (call("read_file", '{"path": "/ws/migrations/1.sql"}'), Tier.FRUGAL),
    ],
)
def test_files_that_a_project_guards_are_known_once_they_are_named(events: list[StreamEvent], tier: Tier) -> None:
    (one,) = seen(events, project=GUARDED).calls
    assert one.floor is not None
    assert one.floor.tier is tier


@pytest.mark.parametrize(
    ("client", "text", "calls"),
    [
        ("cline-classic", "I look.\n<read_file>\n<path>a", [(Tier.FRUGAL, False, True)]),
        ("cline-classic", "I look.\n<read_file>\n<path>a</path>\n</read_file>", [(Tier.FRUGAL, True, True)]),
        ("cline-classic", "<write_to_file>\n<path>a", [(Tier.BALANCED, False, True)]),
        ("cline-classic", "<execute_command>\n<command>ls > a", [(None, False, True)]),
        ("cline-classic", "<execute_command>\n<command>ls > a</command>\n</execute_command>", [(Tier.BALANCED, True, True)]),
        ("cline-classic", "In XML one writes <path>a</path>, and a < b.", []),
        ("mini-swe-agent", "THOUGHT: I look.\n```bash\nls", [(None, False, True)]),
        ("mini-swe-agent", "THOUGHT: I look.\n```bash\nls -la\n```\n", [(Tier.FRUGAL, True, True)]),
        ("mini-swe-agent", "THOUGHT: I mend.\n```bash\necho x > a.py\n```\n", [(Tier.BALANCED, True, True)]),
        ("aider", "a.py\n```python\n<<<<<<< SEARCH\nx", [(Tier.BALANCED, False, True)]),
        ("aider", "a.py\n```python\nx\n```", []),
    ],
)
def test_calls_in_a_text_are_known_however_it_is_cut(client: str, text: str, calls: list[tuple[Tier | None, bool, bool]]) -> None:
    for size in (1, 7, len(text)):
        pieces: list[StreamEvent] = [TextDelta(text[at : at + size]) for at in range(0, len(text), size)]
        found = seen(pieces, client=client, tools=False)
        assert found.may_call_in_text
        assert [known(one) for one in found.calls] == calls, size


@pytest.mark.parametrize(
    ("client", "text", "at"),
    [
        ("cline-classic", "I look.\n<rea", 8),
        ("cline-classic", "I look.\n<read_file>\n<path>a", 8),
        ("cline-classic", "I use <read_file> for that", None),
        ("cline-classic", "a < b", None),
        ("mini-swe-agent", "I look.\n``", 8),
        ("mini-swe-agent", "I look.\n```ba", 8),
        ("mini-swe-agent", "I look.\n```bash\nls", 8),
        ("mini-swe-agent", "So:\n```python\nx", None),
        ("aider", "a.py\n<<<", 5),
        ("aider", "a.py\n<<<<<<< SEARCH\nx", 5),
        ("aider", "1 << 2", None),
    ],
)
def test_where_in_a_text_a_call_may_begin(client: str, text: str, at: int | None) -> None:
    watching, heard = sight(client, tools=False)
    heard.hear((TextDelta(text),))
    assert watching.call_at() == at


def test_where_tools_are_offered_a_text_is_a_text() -> None:
    found = seen([TextDelta(f"<write_to_file>\n<path>{json.dumps('a')}</path>")])
    assert (found.may_call_in_text, found.calls) == (False, ())
