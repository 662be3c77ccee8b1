"""A few of the deaths that `scripts/kill_trials.py` is for: young books and ones that were killed before."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kill_trials.py"


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "--trials", "8"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = re.search(r"8 deaths by kill -9: ([\d,]+) entries were acknowledged before, all are there", ran.stdout)
    assert said is not None, ran.stdout
    assert int(said[1].replace(",", "")) > 0
