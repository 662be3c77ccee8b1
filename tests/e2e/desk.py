"""A person's desk for one end-to-end test: a home, a project under git, a running daemon, and the command line in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast
from uuid import uuid4

from stepfare.control import protocol
from tests.e2e.agents import Agent, Told, end_marked, environment_of

COMMAND_S_MAX = 60

M = TypeVar("M", bound=protocol.Message)


@dataclass
class Desk:
    """`folder` is the project, `home` the agent's and the daemon's home."""

    root: Path
    mark: str = field(default_factory=lambda: uuid4().hex)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def folder(self) -> Path:
        return self.root / "project"

    @property
    def environment(self) -> dict[str, str]:
        return {**environment_of(self.home, [], self.mark), "STEPFARE_HOME": str(self.root / "stepfare")}

    def stepfare(self, *words: str) -> str:
        """The output of a `stepfare` command that must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "stepfare", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )
        assert done.returncode == 0, f"stepfare {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def message(self, kind: type[M], *words: str) -> M:
        return kind.model_validate_json(self.stepfare(*words, "--json"))

    def sessions(self) -> list[protocol.Session]:
        return self.message(protocol.Sessions, "sessions").sessions

    def session(self, session_id: str) -> protocol.SessionDetail:
        return self.message(protocol.SessionDetail, "session", session_id)

    def explain(self, decision: str) -> protocol.Decision:
        return self.message(protocol.Decision, "explain", decision)

    def do(self, agent: Agent, task: str) -> Told:
        return agent.run(task, home=self.home, folder=self.folder, mark=f"{self.mark}-agent")

    def project(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for words in (["init", "--quiet", "--initial-branch=main"], ["add", "."], ["commit", "--quiet", "-m", "Begin"]):
            subprocess.run(["git", *words], cwd=self.folder, env=self.environment, check=True, timeout=COMMAND_S_MAX)

    def tests_pass(self) -> bool:
        done = subprocess.run(
            [sys.executable, "-m", "unittest", "-q"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )
        return done.returncode == 0

    def changed_files(self) -> list[str]:
        words = ["git", "status", "--porcelain", "--untracked-files=all"]
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True, timeout=COMMAND_S_MAX
        )
        return [line[3:] for line in done.stdout.splitlines() if "__pycache__" not in line]


@contextmanager
def desk_with_daemon(root: Path) -> Iterator[Desk]:
    """A desk on which `stepfare serve` runs, with no provider key; what it started is gone afterwards."""
    desk = Desk(root)
    for folder in (desk.home, desk.folder):
        folder.mkdir(parents=True)
    pid = 0
    try:
        started = cast("dict[str, object]", json.loads(desk.stepfare("serve", "--detach", "--port", "0", "--json")))
        pid = cast(int, started["pid"])
        assert started["mode"] == "simulator", started
        yield desk
        desk.stepfare("stop")
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
        end_marked(desk.mark)
