"""How well the kind of a coming turn is foretold, on recorded agent sessions of repositories that the table was not learned from.

Each repository is foretold by a table learned from the others, beside the majority, the last action alone, and a table learned from
shuffled labels. It also says how far our reading of tool calls agrees with the recordings, and what a step costs in time.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepfare.core.step import ActionKind, StepKind
from stepfare.steps.classify import EDIT_THRESHOLD, PREDICTED, TABLE, Table, classify, predicted_kind
from stepfare.steps.features import features_of
from stepfare.steps.outcome import kind_of_answer
from stepfare.steps.rules import RECOVERABLE
from stepfare.steps.toolmap import action_of
from stepfare.steps.trouble import stuck
from train_steps import Example, action_of_label, argument_text, digests_of, examples, learned, sessions, turns_of, view_of

SEED = 4884
TIMED_STEPS = 3_000
TIERS = ("frugal", "balanced", "premium")
# The profile `careful`, which is what the recordings' own tier labels come nearest to.
TIER_OF = {StepKind.EDIT: 1, StepKind.ANSWER: 1, StepKind.PLAN: 2, StepKind.RECOVER: 2}


def auc(scores: Sequence[float], truths: Sequence[bool]) -> float:
    """The chance that an edit was given a higher score than another step; ties count half."""
    ranked = sorted(zip(scores, truths, strict=True), key=lambda pair: pair[0])
    positives = sum(truths)
    negatives = len(truths) - positives
    if not positives or not negatives:
        return float("nan")
    total, index = 0.0, 0
    while index < len(ranked):
        end = index
        while end < len(ranked) and ranked[end][0] == ranked[index][0]:
            end += 1
        total += sum(truth for _, truth in ranked[index:end]) * (index + 1 + end) / 2
        index = end
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def f1_by_class(predicted: Sequence[Any], truths: Sequence[Any], classes: Sequence[Any]) -> dict[Any, dict[str, float]]:
    """Precision, recall and F1 of each class."""
    hits = Counter(one for one, truth in zip(predicted, truths, strict=True) if one == truth)
    said, true = Counter(predicted), Counter(truths)
    scores: dict[Any, dict[str, float]] = {}
    for name in classes:
        precision = hits[name] / said[name] if said[name] else 0.0
        recall = hits[name] / true[name] if true[name] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores[name] = {"precision": precision, "recall": recall, "f1": f1, "cases": true[name], "said": said[name]}
    return scores


def judged(seen: Sequence[Example], probabilities: Sequence[dict[StepKind, float]], *, threshold: bool) -> dict[str, Any]:
    """The figures of one way of foretelling."""
    truths = [example.kind is StepKind.EDIT for example in seen]
    kinds = [predicted_kind(one) if threshold else max(PREDICTED, key=one.__getitem__) for one in probabilities]
    tiers = [
        TIER_OF.get(StepKind.RECOVER if kind in RECOVERABLE and stuck(example.features) else kind, 0)
        for kind, example in zip(kinds, seen, strict=True)
    ]
    true_tiers = [TIERS.index(example.tier) for example in seen]
    by_tier = f1_by_class(tiers, true_tiers, range(3))
    by_kind = f1_by_class(kinds, [example.kind for example in seen], PREDICTED)
    return {
        "auc_edit": auc([one[StepKind.EDIT] for one in probabilities], truths),
        "edits_foreseen": by_kind[StepKind.EDIT]["recall"],
        "steps_sent_up": sum(kind is StepKind.EDIT for kind in kinds) / len(seen),
        "kind_accuracy": sum(kind is example.kind for kind, example in zip(kinds, seen, strict=True)) / len(seen),
        "tier_accuracy": sum(one == truth for one, truth in zip(tiers, true_tiers, strict=True)) / len(seen),
        "tier_macro_f1": sum(score["f1"] for score in by_tier.values()) / 3,
        "by_kind": {kind.value: score for kind, score in by_kind.items()},
    }


def held_out(seen: Sequence[Example]) -> dict[str, list[dict[StepKind, float]]]:
    """P(kind) for every example by tables that have seen nothing of its repository."""
    by_project: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(seen):
        by_project[example.project].append(index)
    found: dict[str, list[dict[StepKind, float]]] = {
        name: [{} for _ in seen] for name in ("majority", "last action", "last three", "shuffled")
    }
    for project, indices in by_project.items():
        rest = [example for example in seen if example.project != project]
        table = learned(rest)
        labels = [example.kind for example in rest]
        random.Random(SEED).shuffle(labels)
        control = learned([replace(example, kind=label) for example, label in zip(rest, labels, strict=True)])
        for index in indices:
            context = seen[index].context
            found["majority"][index] = table.probabilities(())
            found["last action"][index] = table.probabilities(context[-2:])
            found["last three"][index] = table.probabilities(context)
            found["shuffled"][index] = control.probabilities(context)
    return found


def agreement(folder: Path) -> dict[str, Any]:
    """How far our reading of tool calls agrees with what the recordings say, call by call."""
    confusion: Counter[tuple[str, str]] = Counter()
    by_tool: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for session in sessions(folder):
        for message in session["messages"]:
            for call in message.get("calls", ()):
                said = action_of_label(call["kind"], call.get("sub"))
                ours = action_of(call["tool"], argument_text(call["a"])).kind
                # The recordings know no "other": such tools are commands to them.
                ours = ActionKind.RUN if ours is ActionKind.OTHER else ours
                confusion[(said.value, ours.value)] += 1
                by_tool[call["tool"]][0] += said is ours
                by_tool[call["tool"]][1] += 1
    total = sum(confusion.values())
    return {
        "calls": total,
        "agreement": sum(count for (said, ours), count in confusion.items() if said == ours) / total,
        "by_tool": {
            tool: {"agreement": right / cases, "calls": cases}
            for tool, (right, cases) in sorted(by_tool.items(), key=lambda item: -item[1][1])[:12]
        },
        "confusion": [{"recorded": said, "ours": ours, "calls": count} for (said, ours), count in confusion.most_common()],
    }


def timing(folder: Path) -> dict[str, float]:
    """Microseconds of processor time for features and verdict of one step: of a conversation met in its middle, and of its next step."""
    met: list[float] = []
    following: list[float] = []
    generator = random.Random(SEED)
    for session in sessions(folder):
        turns = turns_of(session)
        digests = digests_of(turns)
        steps = session["steps"]
        for place in generator.sample(range(len(steps) - 1), min(8, len(steps) - 1)):
            for step, spent in zip(steps[place : place + 2], (met, following), strict=True):
                view = view_of(session, turns, digests, step["i"])
                start = time.process_time()
                classify(features_of(view))
                spent.append((time.process_time() - start) * 1e6)
        if len(met) >= TIMED_STEPS:
            break
    met.sort()
    following.sort()
    middle, high = len(met) // 2, len(met) * 99 // 100
    return {
        "met_p50_us": met[middle],
        "met_p99_us": met[high],
        "next_p50_us": following[middle],
        "next_p99_us": following[high],
        "steps": len(met),
    }


def evaluated(folder: Path) -> dict[str, Any]:
    seen = list(examples(folder))
    foretold = held_out(seen)
    methods = {
        "majority": judged(seen, foretold["majority"], threshold=False),
        "last action": judged(seen, foretold["last action"], threshold=False),
        "shuffled labels": judged(seen, foretold["shuffled"], threshold=False),
        "last three, likeliest": judged(seen, foretold["last three"], threshold=False),
        f"last three, edit from {EDIT_THRESHOLD:.2f}": judged(seen, foretold["last three"], threshold=True),
    }
    truths = [example.kind is StepKind.EDIT for example in seen]
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(seen):
        groups[f"{example.project} ({example.agent})"].append(index)
    scores = [one[StepKind.EDIT] for one in foretold["last three"]]
    outcomes = Counter(
        (example.kind.value, kind.value)
        for example in seen
        for kind in (kind_of_answer(replace(example.features, failures=0), example.calls, example.text),)
    )
    return {
        "steps": len(seen),
        "edit_share": sum(truths) / len(seen),
        "methods": methods,
        "auc_by_group": {
            name: {"auc_edit": auc([scores[i] for i in at], [truths[i] for i in at]), "steps": len(at)}
            for name, at in sorted(groups.items())
        },
        "outcome_agreement": sum(count for (said, ours), count in outcomes.items() if said == ours) / len(seen),
        "toolmap": agreement(folder),
        "time": timing(folder),
        "table_contexts": len(TABLE.counts) if isinstance(TABLE, Table) else 0,
    }


def show(found: dict[str, Any]) -> None:
    print(f"{found['steps']:,} recorded steps, {found['edit_share']:.1%} of them edits; every repository foretold by the others\n")
    print(f"{'method':28}{'AUC edit':>9}{'edits seen':>11}{'sent up':>9}{'kinds':>7}{'tiers':>7}{'macro-F1':>10}")
    for name, one in found["methods"].items():
        print(
            f"{name:28}{one['auc_edit']:9.3f}{one['edits_foreseen']:11.1%}{one['steps_sent_up']:9.1%}{one['kind_accuracy']:7.1%}"
            f"{one['tier_accuracy']:7.1%}{one['tier_macro_f1']:10.3f}"
        )
    print("\nAUC of edits by repository")
    for name, one in found["auc_by_group"].items():
        print(f"  {name:44}{one['auc_edit']:7.3f}{one['steps']:9,} steps")
    name, last = list(found["methods"].items())[-1]
    print(f"\nby kind ({name})\n  {'kind':12}{'precision':>10}{'recall':>8}{'F1':>7}{'cases':>9}")
    for kind, score in last["by_kind"].items():
        print(f"  {kind:12}{score['precision']:10.2f}{score['recall']:8.2f}{score['f1']:7.2f}{score['cases']:9,}")
    toolmap = found["toolmap"]
    turns = f"turns' kinds in {found['outcome_agreement']:.2%}"
    print(f"\ntool map: agrees with the recordings in {toolmap['agreement']:.2%} of {toolmap['calls']:,} calls; {turns}")
    for tool, one in toolmap["by_tool"].items():
        print(f"  {tool:24}{one['agreement']:8.2%}{one['calls']:9,}")
    kinds = list(dict.fromkeys(row["recorded"] for row in toolmap["confusion"]))
    columns = list(dict.fromkeys([*kinds, *(row["ours"] for row in toolmap["confusion"])]))
    cells = {(row["recorded"], row["ours"]): row["calls"] for row in toolmap["confusion"]}
    print("  recorded, then ours:\n  " + " " * 10 + "".join(f"{kind[:7]:>8}" for kind in columns))
    for kind in kinds:
        print(f"  {kind:10}" + "".join(f"{cells.get((kind, column), 0) or '':>8}" for column in columns))
    spent = found["time"]
    print("\nprocessor time for features and verdict")
    print(f"  a conversation met in its middle: p50 {spent['met_p50_us']:.0f} us, p99 {spent['met_p99_us']:.0f} us")
    print(f"  its next step: p50 {spent['next_p50_us']:.0f} us, p99 {spent['next_p99_us']:.0f} us ({spent['steps']:,} of each)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with recorded sessions (*.jsonl.gz)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    found = evaluated(arguments.data)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
