"""Reads recorded agent sessions in the trajectories' format: one session a line, its messages and, for each call, usage and what it did.

The daemon's own reading of requests tells what was known before each step, so that a policy meets what it would meet in life.
Opening files is left to the callers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias, cast

from stepfare.core.request import RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.core.session import Session
from stepfare.core.step import Step, StepFeatures, StepKind
from stepfare.replay.recording import RecordedStep, Recording
from stepfare.routing.policy import rungs
from stepfare.steps.classify import classify
from stepfare.steps.features import features_of
from stepfare.steps.rules import RECOVERABLE
from stepfare.steps.trail import Trails
from stepfare.steps.trouble import pieces, stuck

CHARS_PER_TOKEN = 3.6
GAP_MS = 7_000
"""Between two calls of an agent, in the middle of all recorded ones."""
SECONDS_MAX = 1e11
"""A larger number of a log is no time in seconds, but in milliseconds."""
EDITING = frozenset({"edit", "write"})

OFFERED = (Tool("Bash", ("command",)),)
"""The recordings do not hold the tools that were offered; that there were some is what counts."""

USER_AGENTS: Mapping[str, str] = {
    "claude-code": "claude-cli/",
    "codex-cli": "codex_exec/",
    "mini-swe-agent": "mini-swe-agent/",
    "openhands": "openhands/",
}
"""How each agent calls itself in its requests."""
CUT_CHARS_MAX = 200_000
_CUT = re.compile(r"\n?…\[(\d+) chars cut\]…\n?")
KIND_OF_LABEL: Mapping[str, StepKind] = {
    "list": StepKind.EXPLORE,
    "read": StepKind.EXPLORE,
    "search": StepKind.EXPLORE,
    "web": StepKind.EXPLORE,
    "edit": StepKind.EDIT,
    "write": StepKind.EDIT,
    "exec_test": StepKind.RUN,
    "exec_other": StepKind.RUN,
    "ask_user": StepKind.ANSWER,
}
KIND_OF_PLAN: Mapping[str, StepKind] = {
    "todo": StepKind.SIDE,
    "skill": StepKind.EXPLORE,
    "delegate": StepKind.ANSWER,
    "exit_plan": StepKind.PLAN,
}
MERGED_ORDER = (StepKind.EXPLORE, StepKind.SIDE, StepKind.SUMMARIZE, StepKind.RUN, StepKind.ANSWER, StepKind.PLAN, StepKind.EDIT)
"""Of several rows that are one call, the most demanding kind is the call's, ascending."""

Raw: TypeAlias = Mapping[str, Any]
Classify: TypeAlias = Callable[[StepFeatures], Step]


def recording_of(raw: Raw, classifier: Classify | None = classify, *, merge: bool = False) -> Recording:
    """The session of one line. Without a classifier nothing is foreseen. `merge` joins rows that are one call, logged as several
    because it called several tools. Raises KeyError, TypeError and ValueError where it is no session of this format."""
    turns = turns_of(raw)
    digests = digests_of(raw)
    rows = cast("Sequence[Raw]", raw["steps"])
    known = [row for row in rows if _prompt_tokens(row)]
    steps: list[RecordedStep] = []
    trails: Trails = {}
    session = Session(str(raw["session_id"]))
    at_ms = -GAP_MS
    for row in known:
        features = features_of(view_of(raw, turns, digests, row["i"]), trails)
        session = replace(session, rungs=rungs(session, features), evidence=pieces(features))
        at_ms = _at_ms(row.get("ts"), at_ms)
        steps.append(replace(_step(row, at_ms, features, classifier(features) if classifier else None), rungs=session.rungs))
    if merge:
        steps = list(_merged(known, steps))
    return Recording(
        id=session.id,
        agent=str(raw["agent"]),
        project=str(raw.get("project") or raw.get("source") or ""),
        steps=tuple(steps),
        unknown_steps=len(rows) - len(known),
    )


def kind_of_label(row: Raw, features: StepFeatures) -> StepKind:
    """The kind, in our words, of what the recording says that a step did. Keeping a todo list is `side`, loading a skill `explore`,
    asking the user and handing work over `answer`, leaving plan mode `plan`; a text is a report where work went before it."""
    label, sub = row["kind"], row.get("sub") or ""
    if label == "final_answer":
        return StepKind.SUMMARIZE if sub == "submit" or features.actions_since_human else StepKind.ANSWER
    if label == "plan":
        return KIND_OF_PLAN.get(sub, StepKind.SIDE)
    return KIND_OF_LABEL.get(label, StepKind.RUN)


def turns_of(raw: Raw) -> list[Turn]:
    """The session's messages as the daemon would see them."""
    return [_turn(message) for message in raw["messages"]]


def digests_of(raw: Raw) -> tuple[bytes, ...]:
    """16 bytes for each turn, as the daemon's reader of requests gives them."""
    places = range(len(raw["messages"]))
    return tuple(hashlib.blake2b(f"{raw['session_id']} {place}".encode(), digest_size=16).digest() for place in places)


def view_of(raw: Raw, turns: Sequence[Turn], digests: tuple[bytes, ...], until: int) -> RequestView:
    """The request that the step answered whose turn is at `until`."""
    return RequestView(
        dialect="openai", endpoint="chat", raw=b"", headers={"user-agent": USER_AGENTS.get(raw["agent"], "")}, model="auto", stream=True,
        turns=turns[:until], digests=digests[:until], tools=OFFERED, needs=frozenset(),
    )  # fmt: skip


def argument_text(given: object) -> str:
    """A call's arguments as they went over the wire."""
    # The recordings blank out addresses in a form that a shell would take for redirections.
    return json.dumps(_whole_again(given)).replace("<email>", "user@host").replace("<redacted>", "redacted")


def output_tokens(row: Raw) -> float:
    """What the step wrote; some logs hold a placeholder that is too low."""
    return max(float(_usage(row).get("out") or 0), _chars(row) / CHARS_PER_TOKEN)


def _step(row: Raw, at_ms: int, features: StepFeatures, foreseen: Step | None) -> RecordedStep:
    kind = kind_of_label(row, features)
    trouble = bool(stuck(features))
    return RecordedStep(
        at_ms=at_ms,
        prompt_tokens=_prompt_tokens(row),
        output_tokens=round(output_tokens(row)),
        kind=StepKind.RECOVER if kind in RECOVERABLE and trouble else kind,
        edits=row["kind"] in EDITING,
        probabilities=foreseen.probabilities if foreseen else {},
        certain=foreseen.certain if foreseen else False,
        stuck=trouble,
    )


def _merged(rows: Sequence[Raw], steps: Sequence[RecordedStep]) -> Iterator[RecordedStep]:
    """Rows that follow each other with the very same usage of the prompt are one call; what they wrote is added up."""
    joined: RecordedStep | None = None
    before: object = None
    chars = reported = 0.0
    for row, step in zip(rows, steps, strict=True):
        usage = _usage(row)
        mark = (usage.get("inp"), usage.get("cw"), usage.get("cr"))
        if joined is None or mark != before:
            if joined is not None:
                yield joined
            joined, before, chars, reported = step, mark, 0.0, 0.0
        chars, reported = chars + _chars(row), max(reported, usage.get("out") or 0)
        kind = max(joined.kind, step.kind, key=_demand)
        tokens = round(max(reported, chars / CHARS_PER_TOKEN))
        joined = replace(joined, kind=kind, edits=joined.edits or step.edits, output_tokens=tokens)
    if joined is not None:
        yield joined


def _demand(kind: StepKind) -> int:
    return MERGED_ORDER.index(kind) if kind in MERGED_ORDER else len(MERGED_ORDER)


def _prompt_tokens(row: Raw) -> int:
    usage = _usage(row)
    return int((usage.get("inp") or 0) + (usage.get("cw") or 0) + (usage.get("cr") or 0))


def _chars(row: Raw) -> float:
    return row.get("out_chars") or 0


def _usage(row: Raw) -> Mapping[str, float]:
    return cast("Mapping[str, float]", row.get("u") or {})


def _at_ms(stamp: object, before_ms: int) -> int:
    """The time of a call; where the log has none, the usual gap after the one before."""
    if stamp is None:
        return before_ms + GAP_MS
    if isinstance(stamp, int | float):
        return round(stamp if stamp > SECONDS_MAX else stamp * 1000)
    return round(datetime.fromisoformat(str(stamp)).timestamp() * 1000)


def _whole_again(given: object) -> object:
    """Arguments as long as they were: what the recordings cut out is filled in with nothing that means anything."""
    if isinstance(given, str):
        return _filled(given)
    if isinstance(given, list):
        return [_whole_again(one) for one in cast("list[object]", given)]
    if isinstance(given, dict):
        return {key: _whole_again(one) for key, one in cast("dict[str, object]", given).items()}
    return given


def _filled(text: str) -> str:
    return _CUT.sub(lambda cut: "\n" + "." * min(int(cut.group(1)), CUT_CHARS_MAX) + "\n", text) if "chars cut]" in text else text


def _turn(message: Raw) -> Turn:
    text = _filled(message.get("t") or "")
    match message["r"]:
        case "assistant":
            calls = tuple(
                ToolCall(str(call.get("id", "")), call["tool"], argument_text(call.get("a"))) for call in message.get("calls") or ()
            )
            return Turn(Role.ASSISTANT, ((Text(text),) if text else ()) + calls)
        case "tool":
            return Turn(Role.TOOL, (ToolResult(str(message.get("id", "")), text, bool(message.get("err"))),))
        case "system":
            return Turn(Role.SYSTEM, (Text(text),))
        case _:
            if message.get("meta") or message.get("compact"):
                text = f"<system-reminder>{text}</system-reminder>"
            return Turn(Role.USER, (Text(text),))
