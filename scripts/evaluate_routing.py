"""How well the kind of a coming turn is foretold, on recorded agent sessions of repositories that nothing was learned from.

Each repository is foretold by weights learned from the others, beside the majority, a count of what followed after the last three actions,
and weights learned from shuffled labels. With `--shipped` the weights that the daemon ships are judged on the folder as it is, for
sessions that they have not seen. It also says how far our reading of tool calls agrees with the recordings, and what a step costs in time.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foretold import TIERS, Foretold, Markov, calibration, calibration_error, group_names, judged
from recordings import Example, action_of_label, examples, sessions
from step_times import timing
from stepfare.core.step import ActionKind, StepKind, Trouble
from stepfare.replay.recorded import argument_text
from stepfare.steps.classify import EDIT_THRESHOLD, WEIGHTS
from stepfare.steps.outcome import kind_of_answer
from stepfare.steps.toolmap import action_of
from stepfare.steps.vector import vector_of
from stepfare.steps.weights import Weights, read_weights
from train_classifier import learned

SEED = 4884
MODEL = "weights"


def held_out(seen: Sequence[Example], *, control: bool, trees_max: int | None) -> dict[str, list[Foretold]]:
    """P(kind) for every example by what has seen nothing of its repository."""
    by_project: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(seen):
        by_project[example.project].append(index)
    names = ("majority", "last three actions", "shuffled labels", MODEL) if control else ("majority", "last three actions", MODEL)
    found: dict[str, list[Foretold]] = {name: [{} for _ in seen] for name in names}
    for project, indices in by_project.items():
        rest = [example for example in seen if example.project != project]
        if not rest:
            raise SystemExit(f"all sessions are of {project}: there is nothing else to learn from; --shipped judges the shipped weights")
        markov = Markov(rest)
        foretellers: dict[str, Weights] = {MODEL: read_weights(learned(rest, trees_max=trees_max))}
        if control:
            labels = [example.kind for example in rest]
            random.Random(SEED).shuffle(labels)
            foretellers["shuffled labels"] = read_weights(learned(rest, labels, trees_max))
        for index in indices:
            found["majority"][index] = markov.shares(())
            found["last three actions"][index] = markov.of(seen[index].features)
            numbers = vector_of(seen[index].features)
            for name, weights in foretellers.items():
                found[name][index] = weights.probabilities(numbers)
    return found


def shipped(seen: Sequence[Example]) -> dict[str, list[Foretold]]:
    """P(kind) for every example by the weights that the daemon ships."""
    return {MODEL: [WEIGHTS.probabilities(vector_of(example.features)) for example in seen]}


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


def outcome_agreement(seen: Sequence[Example]) -> float:
    """How often what a turn turned out to be, as the books keep it, is what the recording says; trouble not heeded."""
    calm = (kind_of_answer(replace(one.features, failures=0, trouble=Trouble()), one.calls, one.text) is one.kind for one in seen)
    return sum(calm) / len(seen)


def evaluated(folder: Path, *, ship: bool, control: bool = True, trees_max: int | None = None) -> dict[str, Any]:
    seen = list(examples(folder))
    foretold = shipped(seen) if ship else held_out(seen, control=control, trees_max=trees_max)
    by_group: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(seen):
        for name in group_names(example):
            by_group[name].append(index)
    ours = foretold[MODEL]
    return {
        "steps": len(seen),
        "weights": "shipped" if ship else "held out",
        "threshold": EDIT_THRESHOLD,
        "edit_share": sum(example.kind is StepKind.EDIT for example in seen) / len(seen),
        "methods": {name: judged(seen, one) for name, one in foretold.items()},
        "groups": {name: judged([seen[i] for i in at], [ours[i] for i in at]) for name, at in sorted(by_group.items())},
        "calibration": calibration(seen, ours),
        "calibration_error": calibration_error(seen, ours),
        "outcome_agreement": outcome_agreement(seen),
        "toolmap": agreement(folder),
        "time": timing(folder),
    }


def show(found: dict[str, Any]) -> None:
    how = "by the shipped weights" if found["weights"] == "shipped" else "every repository by what the others teach"
    print(f"{found['steps']:,} recorded steps, {found['edit_share']:.1%} of them edits; foretold {how}\n")
    head = f"{'AUC edit':>9}{'edits seen':>11}{'sent up':>9}{'kinds':>7}{'tiers':>7}{'macro-F1':>10}{'log-loss':>10}"
    print(f"{'method':44}{head}")
    _table(found["methods"])
    print(f"\n{'repository, client':44}{head}{'steps':>9}")
    _table(found["groups"], steps=True)
    ours = found["methods"][MODEL]
    print(f"\nby kind\n  {'kind':12}{'precision':>10}{'recall':>8}{'F1':>7}{'AUC':>7}{'cases':>9}")
    for kind, score in ours["by_kind"].items():
        print(f"  {kind:12}{score['precision']:10.2f}{score['recall']:8.2f}{score['f1']:7.2f}{score['auc']:7.3f}{score['cases']:9,}")
    print(f"\nby tier\n  {'tier':12}{'precision':>10}{'recall':>8}{'F1':>7}{'cases':>9}")
    for tier in TIERS:
        score = ours["by_tier"][tier]
        print(f"  {tier:12}{score['precision']:10.2f}{score['recall']:8.2f}{score['f1']:7.2f}{score['cases']:9,}")
    print("\nchance of an edit: foretold and seen")
    for row in found["calibration"]:
        distance = row["seen"] - row["foretold"]
        print(f"  {row['from']:.1f} to {row['to']:.1f}{row['foretold']:9.3f}{row['seen']:9.3f}{distance:+9.3f}{row['steps']:9,}")
    print(f"  mean distance (weighted by steps) {found['calibration_error']:.3f}")
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
    print(f"\n{'processor time in microseconds':44}{'p50':>8}{'p99':>8}{'cases':>9}")
    for name, one in found["time"].items():
        print(f"  {name:42}{one['p50_us']:8.0f}{one['p99_us']:8.0f}{one['cases']:9,}")


def _table(rows: Mapping[str, Mapping[str, Any]], *, steps: bool = False) -> None:
    for name, one in rows.items():
        print(
            f"{name:44}{one['auc_edit']:9.3f}{one['edits_foreseen']:11.1%}{one['steps_sent_up']:9.1%}{one['kind_accuracy']:7.1%}"
            f"{one['tier_accuracy']:7.1%}{one['tier_macro_f1']:10.3f}{one['log_loss']:10.3f}" + (f"{one['steps']:9,}" if steps else "")
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with recorded sessions (*.jsonl.gz)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--shipped", action="store_true", help="judge the shipped weights on this folder as it is; learn nothing")
    parser.add_argument("--no-control", action="store_true", help="leave out the weights learned from shuffled labels, half of the time")
    parser.add_argument("--trees", type=int, help="grow no more trees than so many: for a quick look")
    arguments = parser.parse_args()
    found = evaluated(arguments.data, ship=arguments.shipped, control=not arguments.no_control, trees_max=arguments.trees)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)


if __name__ == "__main__":
    main()
