"""Recorded agent sessions as examples to learn from and to be judged by: what was known before each step, and what it turned out to be."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepfare.core.request import ToolCall
from stepfare.core.step import ActionKind, StepFeatures, StepKind
from stepfare.replay.recorded import digests_of, kind_of_label, output_tokens, turns_of, view_of
from stepfare.steps.features import features_of

FLAT_VIEW = "steps.jsonl.gz"

# How the recordings name what a call did, in our words.
ACTION_OF_LABEL = {
    "list": ActionKind.LIST,
    "read": ActionKind.READ,
    "search": ActionKind.SEARCH,
    "web": ActionKind.WEB,
    "edit": ActionKind.EDIT,
    "write": ActionKind.WRITE,
    "exec_test": ActionKind.TEST,
    "exec_other": ActionKind.RUN,
    "ask_user": ActionKind.ASK,
    "final_answer": ActionKind.FINISH,
    ("plan", "todo"): ActionKind.TODO,
    ("plan", "skill"): ActionKind.SKILL,
    ("plan", "delegate"): ActionKind.DELEGATE,
    ("plan", "exit_plan"): ActionKind.PLAN,
}


@dataclass(frozen=True)
class Example:
    """One recorded step: what was known before it, and what it was."""

    session: str
    project: str
    agent: str
    features: StepFeatures
    kind: StepKind
    label: str
    tier: str
    output_tokens: float
    calls: tuple[ToolCall, ...]
    text: str


def sessions(folder: Path) -> Iterator[dict[str, Any]]:
    """The recorded sessions, file by file in the order of their names."""
    files = [path for path in sorted(folder.glob("*.jsonl.gz")) if path.name != FLAT_VIEW]
    if not files:
        sys.exit(f"{folder}: no *.jsonl.gz with recorded sessions in it")
    for path in files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def action_of_label(kind: str, sub: str | None) -> ActionKind:
    """What the recording says that a call did."""
    return ACTION_OF_LABEL[(kind, sub or "") if kind == "plan" else kind]


def examples(folder: Path) -> Iterator[Example]:
    """Every recorded step with its features."""
    for session in sessions(folder):
        turns = turns_of(session)
        digests = digests_of(session)
        for step in session["steps"]:
            features = features_of(view_of(session, turns, digests, step["i"]))
            answer = turns[step["i"]]
            yield Example(
                session=session["session_id"],
                project=session["project"],
                agent=session["agent"],
                features=features,
                kind=kind_of_label(step, features),
                label=step["kind"],
                tier=step["tier"],
                output_tokens=output_tokens(step),
                calls=tuple(block for block in answer.blocks if isinstance(block, ToolCall)),
                text=answer.text,
            )
