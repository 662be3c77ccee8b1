"""A few of the deaths of whole daemons that `scripts/kill_trials.py --daemon` is for, agents of three formats streaming through them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kill_trials.py"


def test_what_an_agent_had_to_its_end_is_settled_once_and_what_was_open_is_lost_at_its_ceiling() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT), "--daemon", "--trials", "4"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = re.search(r"of ([\d,]+) calls ([\d,]+) were answered to their end", ran.stdout)
    assert said is not None, ran.stdout
    assert int(said[1].replace(",", "")) > int(said[2].replace(",", "")) > 0
