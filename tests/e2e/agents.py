"""Real coding agents, pinned, and run without a terminal in a home of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from tests.e2e.counts import COUNTS
from tests.e2e.installs import SHELF
from tests.installs import OUTPUT_CHARS_SHOWN, OUTSIDE

RUN_S_MAX = 150
NOWHERE = "http://127.0.0.1:9"
"""Where calls home end: nothing listens on the discard port."""

CODEX_CALLS_HOME = (
    "analytics.enabled",
    "check_for_update_on_startup",
    "feedback.enabled",
    "features.plugins",
    "features.apps",
    "features.remote_models",
)


@dataclass(frozen=True, slots=True)
class Told:
    """How a run of an agent ended. `calls` is the agent's own count of its model calls, `final` its last words."""

    code: int
    output: str
    errors: str
    calls: int
    final: str

    def __str__(self) -> str:
        output, errors = self.output[-OUTPUT_CHARS_SHOWN:], self.errors[-OUTPUT_CHARS_SHOWN:]
        return f"exit {self.code}, {self.calls} calls\n--- output\n{output}\n--- errors\n{errors}"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent to run.

    `books` is what stepfare's books call it, `connect` the words behind `stepfare connect`, `program` where its program lies below the
    folder that `install` gives for `lock`. TASK in `words` stands for what it is to do.
    """

    id: str
    books: str
    lock: str
    program: str
    words: tuple[str, ...]
    connect: tuple[str, ...]
    install: Callable[[str], Path] = SHELF.from_npm
    has_tools: bool = True
    """Whether its model is offered tools; the steps of one without are answers and edits alone."""
    says_where: bool = True
    """Whether it tells its model in which folder it works."""

    def path(self) -> Path:
        """Its program, installed if need be. Raises NotReady."""
        return self.install(self.lock) / self.program

    def command(self, task: str) -> list[str]:
        return [str(self.path()), *(task if word == TASK else word for word in self.words)]

    def run(self, task: str, *, home: Path, folder: Path, mark: str) -> Told:
        """Run the task in this folder to its end, with this home; whatever it started ends with it."""
        self._settle(home)
        # Below npm's own folder of programs lie those that the program itself starts.
        environment = environment_of(home, [self.path().parent], mark)
        code, output, errors = run_to_end(self.command(task), folder, environment, mark)
        calls, final = COUNTS[self.books](output, home)
        return Told(code, output, errors, calls, final)

    def _settle(self, home: Path) -> None:
        """The agent's own off switches for calls home, where they are files."""
        if self.books == "cline":
            _write_json(home / ".cline/data/settings/global-settings.json", {"telemetryOptOut": True})
        if self.books == "cline-classic":
            state = home / ".cline/data/globalState.json"
            _write_json(state, {**cast("dict[str, object]", json.loads(state.read_text())), "telemetrySetting": "disabled"})


TASK = "(the task)"
BIN = "node_modules/.bin"

CLINE = Agent("cline", "cline", "cline3-continue", f"{BIN}/cline", ("--json", TASK), ("cline3",))
CLINE_MESSAGES = replace(CLINE, id="cline-messages", connect=("cline3", "--dialect", "anthropic"))
CLINE_RESPONSES = replace(CLINE, id="cline-responses", connect=("cline3", "--dialect", "responses"))
CONTINUE = Agent("continue", "continue", "cline3-continue", f"{BIN}/cn", ("-p", "--auto", "--format", "json", TASK), ("continue",))
CONTINUE_MESSAGES = replace(CONTINUE, id="continue-messages", connect=("continue", "--dialect", "anthropic"))
CONTINUE_RESPONSES = replace(CONTINUE, id="continue-responses", connect=("continue", "--dialect", "responses"))
CLASSIC = Agent(
    "cline-classic", "cline-classic", "cline-classic", f"{BIN}/cline", ("task", "--yolo", "--json", "--act", TASK), ("cline-classic",)
)
# The binaries themselves: the scripts that npm would put before them download nothing and know no more.
CLAUDE_CODE = Agent(
    "claude-code",
    "claude-code",
    "claude-code",
    "node_modules/@anthropic-ai/claude-code-linux-x64/claude",
    ("-p", TASK, "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"),
    ("claude-code",),
)
CODEX = Agent(
    "codex",
    "codex",
    "codex",
    f"{BIN}/codex",
    (
        "exec",
        "--json",
        "--dangerously-bypass-approvals-and-sandbox",
        *(word for switch in CODEX_CALLS_HOME for word in ("-c", f"{switch}=false")),
        TASK,
    ),
    ("codex",),
)
CODEX_BY_SCRIPT = replace(CODEX, id="codex-by-script", words=(*CODEX.words[:-1], "-m", "gpt-6.1-sol", TASK))
"""A model that Codex knows by name: its tools are one that runs JavaScript."""
OPENCODE = Agent(
    "opencode",
    "opencode",
    "opencode",
    "node_modules/opencode-linux-x64/bin/opencode",
    ("run", "--format", "json", TASK),
    ("opencode",),
)
AIDER = Agent(
    "aider",
    "aider",
    "aider",
    "bin/aider",
    (
        *("--yes-always", "--no-check-update", "--analytics-disable", "--no-pretty", "--no-gitignore", "--no-show-release-notes"),
        *("--test-cmd", "python3 -m unittest", "--auto-test", "--message", TASK),
    ),
    ("aider",),
    install=SHELF.from_pypi,
    has_tools=False,
    says_where=False,
)
MINI = Agent(
    "mini-swe-agent",
    "mini-swe-agent",
    "mini-swe-agent",
    "bin/mini",
    ("-t", TASK, "-y", "--exit-immediately"),
    ("mini-swe-agent",),
    install=SHELF.from_pypi,
    says_where=False,
)


def environment_of(home: Path, programs: Sequence[Path], mark: str) -> dict[str, str]:
    """The whole environment of a subprocess: a home of its own, no keys, calls home silenced or led nowhere, and a mark to find it by."""
    python = Path(sys.executable).parent
    return {
        "PATH": os.pathsep.join([*map(str, programs), str(python), OUTSIDE.get("PATH", os.defpath)]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "TMPDIR": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "e2e",
        "GIT_AUTHOR_EMAIL": "e2e@example.invalid",
        "GIT_COMMITTER_NAME": "e2e",
        "GIT_COMMITTER_EMAIL": "e2e@example.invalid",
        "DO_NOT_TRACK": "1",
        "CLINE_NO_AUTO_UPDATE": "1",
        "CLINE_TELEMETRY_DISABLED": "1",
        "CLINE_OTEL_TELEMETRY_ENABLED": "0",
        "POSTHOG_TELEMETRY_ENABLED": "false",
        "OTEL_SDK_DISABLED": "true",
        "CONTINUE_CLI_ENABLE_TELEMETRY": "0",
        "CONTINUE_METRICS_ENABLED": "0",
        "CONTINUE_TELEMETRY_ENABLED": "0",
        "CONTINUE_API_BASE": f"{NOWHERE}/",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "IS_SANDBOX": "1",  # Claude Code refuses to work unasked as root anywhere else
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "MSWEA_SILENT_STARTUP": "1",
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "STEPFARE_E2E_MARK": mark,
    }


def run_to_end(command: Sequence[str], folder: Path, environment: Mapping[str, str], mark: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a program in a process group of its own, which is gone afterwards. 124 where time ran out."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=RUN_S_MAX)
        code = process.returncode
    except subprocess.TimeoutExpired:
        end_group(process)
        output, errors = process.communicate()
        code, errors = 124, f"{errors}\n(ended after {RUN_S_MAX} s)"
    finally:
        end_group(process)
        end_marked(mark)
    return code, output, errors


def end_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def end_marked(mark: str) -> None:
    """End what left its group: agents start helpers that live on. Only Linux lets us find them by their environment."""
    wanted = f"STEPFARE_E2E_MARK={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0") and int(entry.parent.name) != os.getpid():
                os.kill(int(entry.parent.name), signal.SIGKILL)


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))
