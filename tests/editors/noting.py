"""An editor in batch that plays a script: it leaves notes for what the test is to do meanwhile, and prints what it saw as lines of JSON."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RUN_S_MAX = 120
LOOK_EVERY_S = 0.05


def play(
    command: Sequence[str | Path], folder: Path, notes: Path, environment: Mapping[str, str], deeds: Mapping[str, Callable[[], object]]
) -> dict[str, Any]:
    """What the script saw, by name. Each of `deeds` is done when the script leaves the note of that name, which is then taken away."""
    notes.mkdir()
    environment = {**environment, "SCRIPT_FOLDER": str(folder), "SCRIPT_NOTES": str(notes)}
    with (notes / "printed").open("w") as printed, (notes / "complained").open("w") as complained:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=complained)
        try:
            until_s = time.monotonic() + RUN_S_MAX
            while process.poll() is None:
                assert time.monotonic() < until_s, (notes / "complained").read_text()
                for name, deed in deeds.items():
                    if (notes / name).exists():
                        deed()
                        (notes / name).unlink()
                time.sleep(LOOK_EVERY_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert process.returncode == 0, (notes / "complained").read_text()
    seen = notes / "seen" if (notes / "seen").exists() else notes / "printed"
    return dict(json.loads(line) for line in seen.read_text().splitlines() if line.startswith("["))
