"""The scripts that learn the weights and judge them, on a handful of recorded sessions."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepfare.core.step import StepKind
from stepfare.steps.weights import read_weights

SESSIONS = 60
FEW = ("--trees", "3")
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def a_session(name: str, project: str, *moves: tuple[str, str, dict[str, Any], str]) -> dict[str, Any]:
    """A recorded session: each move is the tool, the recording's kind, the arguments and the result."""
    messages: list[dict[str, Any]] = [{"r": "user", "t": "mend it"}]
    steps: list[dict[str, Any]] = []
    for place, (tool, kind, arguments, result) in enumerate(moves):
        tier = "balanced" if kind == "edit" else "frugal"
        steps.append({"i": len(messages), "kind": kind, "sub": None, "out_chars": 360, "u": {"out": 40}, "tier": tier, "fails": 0})
        messages.append({"r": "assistant", "t": "", "calls": [{"id": place, "tool": tool, "kind": kind, "sub": None, "a": arguments}]})
        messages.append({"r": "tool", "id": place, "t": result, "err": False})
    steps.append({"i": len(messages), "kind": "final_answer", "sub": "text", "out_chars": 36, "u": None, "tier": "frugal", "fails": 0})
    messages.append({"r": "assistant", "t": "done"})
    return {"session_id": name, "source": project, "project": project, "agent": "claude-code", "messages": messages, "steps": steps}


READ = ("Read", "read", {"file_path": "a.py"}, "x")
EDIT = ("Edit", "edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"}, "ok")
PASS = ("Bash", "exec_test", {"command": "pytest"}, "1 passed")
FAIL = ("Bash", "exec_test", {"command": "pytest"}, "1 failed")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sessions = [
        a_session(f"{project}#{number}", project, READ, EDIT, FAIL, EDIT, PASS)
        for project in ("a/one", "b/two")
        for number in range(SESSIONS // 2)
    ]
    with gzip.open(tmp_path / "recorded.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(session) + "\n" for session in sessions)
    with gzip.open(tmp_path / "steps.jsonl.gz", "wt") as file:  # the flat view of the same
        file.write("{}\n")
    return tmp_path


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPTS / script, *arguments], capture_output=True, text=True, check=False)


def test_the_weights_are_learned_bit_for_bit(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.json"
    arguments = (str(data), "--out", str(out), *FEW)
    learned = run("train_classifier.py", *arguments)
    assert learned.returncode == 0, learned.stderr
    text = out.read_text()
    weights = read_weights(text)
    assert (len(weights.edit_trees), len(weights.others_trees)) == (3, 3)
    assert weights.output_tokens[StepKind.EDIT] == 100  # 360 characters are more than the 40 tokens that were logged
    assert run("train_classifier.py", *arguments, "--check").returncode == 0
    out.write_text(text.replace("1", "2", 1))
    stale = run("train_classifier.py", *arguments, "--check")
    assert (stale.returncode, "stale" in stale.stderr) == (1, True)


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    missing = run("train_classifier.py", str(tmp_path))
    assert (missing.returncode, str(tmp_path) in missing.stderr) == (1, True)


def test_every_method_is_judged_on_repositories_that_it_has_not_seen(data: Path) -> None:
    judged = run("evaluate_routing.py", "--data", str(data), "--json", *FEW)
    assert judged.returncode == 0, judged.stderr
    found = json.loads(judged.stdout)
    assert found["steps"] == SESSIONS * 6
    assert found["toolmap"]["agreement"] == 1.0
    assert found["outcome_agreement"] == 1.0
    methods = found["methods"]
    assert methods["last three actions"]["auc_edit"] == methods["weights"]["auc_edit"] == 1.0
    assert methods["majority"]["auc_edit"] == 0.5
    assert methods["shuffled labels"]["auc_edit"] < 1.0
    assert methods["last three actions"]["kind_accuracy"] == 1.0
    assert sum(row["steps"] for row in found["calibration"]) == found["steps"]
    assert set(found["groups"]) == {"a/one (claude-code)", "b/two (claude-code)", "all of claude-code"}


def test_shipped_weights_are_judged_on_any_folder_as_it_is(data: Path) -> None:
    judged = run("evaluate_routing.py", "--data", str(data), "--shipped")
    assert judged.returncode == 0, judged.stderr
    for words in ("foretold by the shipped weights", "macro-F1", "chance of an edit", "tool map", "met in its middle"):
        assert words in judged.stdout
