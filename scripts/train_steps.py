"""Learns which kind of turn follows after which actions from recorded agent sessions, and writes the table that the daemon ships.

The contexts are computed by the daemon's own reading of requests, so that they mean the same when learning and when deciding.
The same data give the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean as mean
from typing import Any

from stepfare.core.request import RequestView, Role, Text, Tool, ToolCall, ToolResult, Turn
from stepfare.core.step import ActionKind, StepFeatures, StepKind
from stepfare.steps.classify import PREDICTED, Table
from stepfare.steps.context import context_of
from stepfare.steps.features import features_of

TABLE_FILE = Path(__file__).resolve().parents[1] / "daemon" / "stepfare" / "steps" / "table.json"
FLAT_VIEW = "steps.jsonl.gz"
SHRINK = 20.0
CHARS_PER_TOKEN = 3.6
CASES_MIN = 5
"""Rarer contexts say nothing that their ends do not say better."""

# The recordings do not hold the tools that were offered; that there were some is what counts.
OFFERED = (Tool("Bash", ("command",)),)

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
KIND_OF_LABEL = {
    "list": StepKind.EXPLORE,
    "read": StepKind.EXPLORE,
    "search": StepKind.EXPLORE,
    "web": StepKind.EXPLORE,
    "edit": StepKind.EDIT,
    "write": StepKind.EDIT,
    "exec_test": StepKind.RUN,
    "exec_other": StepKind.RUN,
    "ask_user": StepKind.ANSWER,
    ("plan", "todo"): StepKind.SIDE,
    ("plan", "skill"): StepKind.EXPLORE,
    ("plan", "delegate"): StepKind.ANSWER,
    ("plan", "exit_plan"): StepKind.PLAN,
}


@dataclass(frozen=True)
class Example:
    """One recorded step: what was known before it, and what it was."""

    source: str
    project: str
    agent: str
    features: StepFeatures
    context: tuple[str, ...]
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


def turns_of(session: dict[str, Any]) -> list[Turn]:
    """The session's messages as the daemon would see them."""
    return [_turn(message) for message in session["messages"]]


def digests_of(turns: list[Turn]) -> tuple[bytes, ...]:
    """16 bytes for each turn, as the daemon's reader of requests gives them."""
    return tuple(hashlib.blake2b(repr(turn).encode("utf-8", "surrogatepass"), digest_size=16).digest() for turn in turns)


def argument_text(given: Any) -> str:
    # The recordings blank out addresses in a form that a shell would take for redirections.
    return json.dumps(given).replace("<email>", "user@host").replace("<redacted>", "redacted")


def _turn(message: dict[str, Any]) -> Turn:
    text = message.get("t") or ""
    match message["r"]:
        case "assistant":
            calls = tuple(ToolCall(str(call["id"]), call["tool"], argument_text(call["a"])) for call in message.get("calls", ()))
            return Turn(Role.ASSISTANT, ((Text(text),) if text else ()) + calls)
        case "tool":
            return Turn(Role.TOOL, (ToolResult(str(message["id"]), text, bool(message.get("err"))),))
        case "system":
            return Turn(Role.SYSTEM, (Text(text),))
        case _:
            if message.get("meta") or message.get("compact"):
                text = f"<system-reminder>{text}</system-reminder>"
            return Turn(Role.USER, (Text(text),))


def view_of(session: dict[str, Any], turns: list[Turn], digests: tuple[bytes, ...], until: int) -> RequestView:
    """The request that the recorded step answered."""
    agent = {"claude-code": "claude-cli/", "codex-cli": "codex_exec/", "mini-swe-agent": "mini-swe-agent/"}.get(session["agent"], "")
    return RequestView(
        dialect="openai", endpoint="chat", raw=b"", headers={"user-agent": agent}, model="auto", stream=True, turns=turns[:until],
        digests=digests[:until], tools=OFFERED, needs=frozenset(),
    )  # fmt: skip


def examples(folder: Path) -> Iterator[Example]:
    """Every recorded step with its features."""
    for session in sessions(folder):
        turns = turns_of(session)
        digests = digests_of(turns)
        for step in session["steps"]:
            features = features_of(view_of(session, turns, digests, step["i"]))
            label, sub = step["kind"], step.get("sub") or ""
            if label == "final_answer":
                kind = StepKind.SUMMARIZE if sub == "submit" or features.actions_since_human else StepKind.ANSWER
            else:
                kind = KIND_OF_LABEL[(label, sub) if label == "plan" else label]
            answer = turns[step["i"]]
            usage = step.get("u") or {}
            yield Example(
                source=session["source"],
                project=session["project"],
                agent=session["agent"],
                features=features,
                context=context_of(features),
                kind=kind,
                label=label,
                tier=step["tier"],
                output_tokens=max(float(usage.get("out") or 0), step["out_chars"] / CHARS_PER_TOKEN),
                calls=tuple(block for block in answer.blocks if isinstance(block, ToolCall)),
                text=answer.text,
            )


def learned(seen: Iterable[Example], shrink: float = SHRINK) -> Table:
    """Counts of what followed after every context and all its ends, and the mean length of each kind's turns."""
    counts: defaultdict[tuple[str, ...], Counter[StepKind]] = defaultdict(Counter)
    written: defaultdict[StepKind, list[float]] = defaultdict(list)
    for example in seen:
        for start in range(len(example.context) + 1):
            counts[example.context[start:]][example.kind] += 1
        written[example.kind].append(example.output_tokens)
    anything = [length for lengths in written.values() for length in lengths]
    return Table(
        {context: tuple(counts[context][kind] for kind in PREDICTED) for context in sorted(counts) if counts[context].total() >= CASES_MIN},
        shrink,
        # A kind that the recordings lack is expected to be as long as any turn.
        {kind: round(mean(written[kind] or anything)) for kind in PREDICTED},
    )


def as_text(table: Table) -> str:
    """The table as its file says it: one context a line."""
    rows = ",\n".join(f"  {json.dumps(' '.join(context))}: {json.dumps(list(row))}" for context, row in table.counts.items())
    tokens = json.dumps({kind.value: table.output_tokens[kind] for kind in PREDICTED})
    kinds = json.dumps([kind.value for kind in PREDICTED])
    return f'{{\n "kinds": {kinds},\n "shrink": {table.shrink},\n "output_tokens": {tokens},\n "counts": {{\n{rows}\n }}\n}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with recorded sessions (*.jsonl.gz)")
    parser.add_argument("--out", type=Path, default=TABLE_FILE, help="where to write the table (default: the one that the daemon ships)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is not what these data give")
    arguments = parser.parse_args()
    text = as_text(learned(examples(arguments.data)))
    if arguments.check:
        if not arguments.out.exists() or arguments.out.read_text(encoding="utf-8") != text:
            sys.exit(f"{arguments.out} is stale: run scripts/train_steps.py {arguments.data}")
        return
    arguments.out.write_text(text, encoding="utf-8")
    print(f"{arguments.out}: {text.count(chr(10)) - 6} contexts, {len(text)} bytes")


if __name__ == "__main__":
    main()
