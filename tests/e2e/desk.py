"""A person's desk for one end-to-end test: a home, a project under git, a running daemon, and the command line in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast
from uuid import uuid4

from stepfare.control import protocol
from tests.e2e.agents import Agent, Told, end_marked, environment_of
from tests.e2e.provider import Simulator

COMMAND_S_MAX = 60

M = TypeVar("M", bound=protocol.Message)


KEY = "sk-play-money"
FAMILIES: Mapping[str, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GEMINI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "xai": "XAI_API_KEY",
}
"""The providers that the simulator plays here, each with the variable of its key."""


@dataclass
class Desk:
    """`folder` is the project, `home` the agent's and the daemon's home. `keys` are the daemon's environment besides, and nobody else's."""

    root: Path
    mark: str = field(default_factory=lambda: uuid4().hex)
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    address: str = ""
    """Where the daemon answers."""

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def folder(self) -> Path:
        return self.root / "project"

    @property
    def environment(self) -> dict[str, str]:
        return {**environment_of(self.home, [], self.mark), "STEPFARE_HOME": str(self.root / "stepfare"), **self.keys}

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

    @property
    def token(self) -> str:
        return self.stepfare("token").strip()

    def ledger(self) -> list[dict[str, object]]:
        """Every entry of the journal."""
        return cast("list[dict[str, object]]", json.loads(self.stepfare("ledger", "export", "--json")))

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
            self._git(*words)

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
        """What differs from the first commit, whoever committed since; what agents keep for themselves does not count."""
        first = self._git("rev-list", "--max-parents=0", "HEAD").strip()
        changed = self._git("diff", "--name-only", first).splitlines()
        fresh = self._git("ls-files", "--others", "--exclude-standard").splitlines()
        return sorted(name for name in {*changed, *fresh} if "__pycache__" not in name and not name.startswith(".aider"))

    def _git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True, timeout=COMMAND_S_MAX
        )
        return done.stdout


@contextmanager
def desk_with_daemon(root: Path, settings: str = "", keys: Mapping[str, str] | None = None) -> Iterator[Desk]:
    """A desk on which `stepfare serve` runs, in simulator mode where there is no key; what it started is gone afterwards."""
    desk = Desk(root, keys=keys or {})
    for folder in (desk.home, desk.folder, root / "stepfare"):
        folder.mkdir(parents=True, mode=0o700)
    # Whatever answers on this machine's usual ports for models is none of a test's business.
    (root / "stepfare" / "config.toml").write_text(f"{settings}\n[local]\ndiscover = false\n")
    pid = 0
    try:
        started = cast("dict[str, object]", json.loads(desk.stepfare("serve", "--detach", "--port", "0", "--json")))
        pid = cast(int, started["pid"])
        assert started["mode"] == ("live" if keys else "simulator"), started
        desk.address = str(started["address"])
        yield desk
        desk.stepfare("stop")
        pid = 0
    finally:
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end_marked(desk.mark)


@contextmanager
def desk_with_providers(root: Path, simulator: Simulator, families: Sequence[str], more: str = "") -> Iterator[Desk]:
    """A desk with a key for each of these providers, all of them played by this simulator. `more` are settings besides."""
    addresses = "".join(f'[providers.{family}]\nbase_url = "{simulator.address}/{family}/v1"\n\n' for family in families)
    with desk_with_daemon(root, f"{more}\n{addresses}", {FAMILIES[family]: KEY for family in families}) as desk:
        yield desk
