"""Learns from recorded agent sessions which kind of turn follows in which situation, and writes the weights that the daemon ships.

Features are computed by the daemon's own reading of requests, so that they mean the same when learning and when deciding. The same data
give the same file, byte for byte. How good it is on repositories that it was not learned from, `evaluate_routing.py` says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean as mean
from typing import Any

import numpy as np

from boosting import LEAF_SCALE, Forest, Settings, Tree, grow
from recordings import Example, examples
from stepfare.core.step import StepKind
from stepfare.steps.vector import FEATURE_NAMES, vector_of
from stepfare.steps.weights import OTHERS, PREDICTED

WEIGHTS_FILE = Path(__file__).resolve().parents[1] / "daemon" / "stepfare" / "steps" / "weights.json"
# Chosen on repositories held out one after the other; larger forests gain less than a thousandth of AUC.
EDIT_SETTINGS = Settings(trees=110, depth=6, rate=0.09, columns=0.2)
OTHERS_SETTINGS = Settings(trees=40, depth=5, rate=0.15, columns=0.3)


def learned(seen: Sequence[Example], kinds: Sequence[StepKind] | None = None, trees_max: int | None = None) -> str:
    """The weights that these steps teach, in the words of their file; `kinds` are taken for the steps' own where they are given."""
    edit_settings, others_settings = (
        settings if trees_max is None else replace(settings, trees=min(trees_max, settings.trees))
        for settings in (EDIT_SETTINGS, OTHERS_SETTINGS)
    )
    truths = list(kinds) if kinds is not None else [example.kind for example in seen]
    rows = np.array([vector_of(example.features) for example in seen], dtype=np.float64)
    edits = np.array([[kind is StepKind.EDIT] for kind in truths], dtype=np.float64)
    others = np.array([[kind is one for one in OTHERS] for kind in truths], dtype=np.float64)
    rest = edits[:, 0] == 0
    return as_text(grow(rows, edits, edit_settings), grow(rows[rest], others[rest], others_settings), lengths_of(seen, truths))


def lengths_of(seen: Sequence[Example], kinds: Sequence[StepKind]) -> dict[str, int]:
    """The mean length of each kind's turns, in tokens."""
    written: defaultdict[StepKind, list[float]] = defaultdict(list)
    for example, kind in zip(seen, kinds, strict=True):
        written[kind].append(example.output_tokens)
    anything = [length for lengths in written.values() for length in lengths]
    # A kind that the recordings lack is expected to be as long as any turn.
    return {kind.value: round(mean(written[kind] or anything)) for kind in PREDICTED}


def as_text(edit: Forest, others: Forest, lengths: dict[str, int]) -> str:
    """The weights as their file says them: one tree a line, numbers without what does not count."""
    said = {
        "kinds": [kind.value for kind in PREDICTED],
        "features": list(FEATURE_NAMES),
        "scale": LEAF_SCALE,
        "output_tokens": lengths,
    }
    lines = [f'"{key}":{_compact(value)}' for key, value in said.items()]
    lines.append(_forest("edit", edit.base[0], [{**_splits(tree), "m": _means(tree)} for tree in edit.trees]))
    lines.append(_forest("others", list(others.base), [{**_splits(tree), "v": tree.values} for tree in others.trees]))
    return "{" + ",\n".join(lines) + "}\n"


def _forest(name: str, base: float | list[float], trees: list[dict[str, Any]]) -> str:
    return f'"{name}":{{"base":{_compact(base)},"trees":[\n' + ",\n".join(_compact(tree) for tree in trees) + "]}"


def _splits(tree: Tree) -> dict[str, Any]:
    return {"f": tree.features, "t": [int(one) if one == int(one) else one for one in tree.thresholds]}


def _means(tree: Tree) -> list[int]:
    """The mean value of every node, leaves last: what is known of a row before the node's question is asked."""
    inner = len(tree.features)
    sums = [0.0] * inner + [float(row[0] * size) for row, size in zip(tree.values, tree.sizes, strict=True)]
    sizes = [0] * inner + list(tree.sizes)
    for node in range(inner - 1, -1, -1):
        sums[node] = sums[2 * node + 1] + sums[2 * node + 2]
        sizes[node] = sizes[2 * node + 1] + sizes[2 * node + 2]
    inner_means = [round(total / size) if size else 0 for total, size in zip(sums[:inner], sizes[:inner], strict=True)]
    return inner_means + [row[0] for row in tree.values]


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with recorded sessions (*.jsonl.gz)")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, help="where to write the weights (default: those that the daemon ships)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is not what these data give")
    parser.add_argument("--trees", type=int, help="grow no more trees than so many: for a quick look")
    parser.add_argument(
        "--without", metavar="PROJECT", help="leave out the sessions of this project, so that they can judge what is learned"
    )
    arguments = parser.parse_args()
    seen = [one for one in examples(arguments.data) if one.project != arguments.without]
    text = learned(seen, trees_max=arguments.trees)
    if arguments.check:
        if not arguments.out.exists() or arguments.out.read_text(encoding="utf-8") != text:
            sys.exit(f"{arguments.out} is stale: run scripts/train_classifier.py {arguments.data}")
        return
    arguments.out.write_text(text, encoding="utf-8")
    print(f"{arguments.out}: learned from {len(seen):,} steps, {len(text):,} bytes")


if __name__ == "__main__":
    main()
