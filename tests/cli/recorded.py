"""Recorded sessions small enough to be reckoned by hand: in the trajectories' format, and in the books."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from stepfare.core.entry import Opened, Reserved, Settled
from stepfare.core.money import Usage
from stepfare.paths import Paths
from stepfare.store.sqlite_file import open_file

NOW_MS = 1_790_000_000_000
STEP_PUSD = 10_000_000_000
DID = {"read": ("Read", {"file_path": "cart.py"}), "edit": ("Edit", {"file_path": "cart.py", "old_string": "a", "new_string": "b"})}


def session(*kinds: str, name: str = "shop#1", agent: str = "claude-code", project: str = "shop", gap_s: int = 10, start: int = 0) -> dict:
    """A session whose steps did this, each with a prompt 1,000 tokens longer than the one before, from 10,000 on."""
    messages: list[dict] = [{"r": "user", "t": "Mend the cart."}]
    steps: list[dict] = []
    for number, kind in enumerate(kinds):
        tool, arguments = DID[kind]
        steps.append(
            {
                "i": len(messages), "model": "m", "ts": 1_790_000_000 + start + number * gap_s, "kind": kind, "sub": None, "tool": tool,
                "u": {"inp": 10, "cw": 990, "cr": 9_000 + 1_000 * number, "out": 100}, "out_chars": 90, "tier": "frugal", "fails": 0,
            }
        )  # fmt: skip
        messages += [
            {"r": "assistant", "t": "", "calls": [{"id": f"c{number}", "tool": tool, "kind": kind, "a": arguments}]},
            {"r": "tool", "id": f"c{number}", "t": "done"},
        ]
    return {
        "session_id": name, "source": project, "licence": "MIT", "agent": agent, "project": project, "models": ["m"], "n_steps": len(steps),
        "split": "dev", "messages": messages, "steps": steps,
    }  # fmt: skip


def written(path: Path, *sessions: dict) -> Path:
    """The sessions in a file, compressed where its name says so."""
    text = "".join(json.dumps(one) + "\n" for one in sessions)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


async def booked(
    paths: Paths, session_id: str, *kinds: str, tiers: dict[str, str] | None = None, start_ms: int = NOW_MS, gap_ms: int = 10_000
) -> None:
    """A session in the books of a daemon that is gone; each step cost a cent, its prompt is 1,000 tokens longer than the one before."""
    store = open_file(paths.ledger_db, lambda: NOW_MS)
    await store.append(Opened(session_id, start_ms, "cline", "/srv/shop", "/srv/shop", "main", "Mend the cart"))
    for number, kind in enumerate(kinds):
        attempt, at_ms = f"{session_id}-{number}", start_ms + gap_ms * number
        tier = (tiers or {}).get(kind, "frugal")
        usage = Usage(10_000 + 1_000 * number, output_tokens=100)
        await store.append(
            Reserved(
                attempt, f"d-{attempt}", session_id, number + 1, at_ms, f"lab/{tier}", tier, kind, tier, "settings", STEP_PUSD, "cline"
            ),
            Settled(attempt, session_id, at_ms + 900, "ok", kind, usage, STEP_PUSD, "usage-priced", None, "test", committed=True),
        )
    await store.close()
