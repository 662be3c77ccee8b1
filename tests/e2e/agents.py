"""Real coding agents, pinned, installed once into a cache outside of the repository, and run without a terminal.

A missing or old node is a failure, not a reason to skip: these tests are asked for by name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 900
RUN_S_MAX = 150
OUTPUT_CHARS_SHOWN = 4_000
LOCKS = Path(__file__).parent / "clients"
NOWHERE = "http://127.0.0.1:9"
"""Where calls home end: nothing listens on the discard port."""

# The world as it is outside of the tests: npm needs its cache and its settings.
OUTSIDE = dict(os.environ)


class NotReady(Exception):
    """The machine lacks what the agents need. The message says what."""


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
    """An agent to run: `lock` names its folder of pinned packages, `client` what `stepfare connect` calls it."""

    id: str
    lock: str
    client: str
    program: str
    package: str

    def bin_folder(self) -> Path:
        """Where its program lies, installed if need be. Raises NotReady."""
        return installed(self.lock) / "node_modules" / ".bin"

    def command(self, task: str) -> list[str]:
        words = {
            "cline": ["--json", task],
            "cline-classic": ["task", "--yolo", "--json", "--act", task],
            "continue": ["-p", "--auto", "--format", "json", task],
        }
        return [str(self.bin_folder() / self.program), *words[self.id]]

    def version(self) -> str:
        package = installed(self.lock) / "node_modules" / self.package / "package.json"
        return str(json.loads(package.read_text(encoding="utf-8"))["version"])

    def run(self, task: str, *, home: Path, folder: Path, mark: str) -> Told:
        """Run the task in this folder to its end, with this home; whatever it started ends with it."""
        self._settle(home)
        environment = environment_of(home, [self.bin_folder()], mark)
        code, output, errors = run_to_end(self.command(task), folder, environment, mark)
        calls, final = _COUNTS[self.id](output, home)
        return Told(code, output, errors, calls, final)

    def _settle(self, home: Path) -> None:
        """The agent's own off switches for calls home, where they are files."""
        if self.id == "cline":
            _write_json(home / ".cline/data/settings/global-settings.json", {"telemetryOptOut": True})
        if self.id == "cline-classic":
            state = home / ".cline/data/globalState.json"
            _write_json(state, {**cast("dict[str, object]", json.loads(state.read_text())), "telemetrySetting": "disabled"})


CLINE = Agent("cline", "cline3-continue", "cline", "cline", "cline")
CONTINUE = Agent("continue", "cline3-continue", "continue", "cn", "@continuedev/cli")
CLASSIC = Agent("cline-classic", "cline-classic", "cline-classic", "cline", "cline")


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


def installed(lock: str) -> Path:
    """The folder in which the packages of this lock are installed. Raises NotReady where they cannot be."""
    source = LOCKS / lock
    names = ("package.json", "package-lock.json", ".npmrc")
    digest = hashlib.sha256(b"\0".join((source / name).read_bytes() for name in names)).hexdigest()[:16]
    place = _cache() / f"{lock}-{digest}"
    if place.is_dir():
        return place
    npm = _npm()
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{lock}-", dir=place.parent))
    try:
        for name in names:
            shutil.copyfile(source / name, fresh / name)
        # None of these packages needs its install scripts to run headless.
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=fresh, env=OUTSIDE, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False)
        if done.returncode != 0:
            raise NotReady(f"`npm ci` failed for {source}:\n{done.stdout[-OUTPUT_CHARS_SHOWN:]}{done.stderr[-OUTPUT_CHARS_SHOWN:]}")
        with suppress(OSError):  # another run was faster
            fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place


def _npm() -> str:
    path = OUTSIDE.get("PATH", os.defpath)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        raise NotReady(f"The end-to-end tests run real coding agents and need node >= {NODE_MAJOR_MIN} and npm; one is missing here.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True, env=OUTSIDE).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < NODE_MAJOR_MIN:
        raise NotReady(f"The end-to-end tests need node >= {NODE_MAJOR_MIN}; here is {version} ({node}).")
    return npm


def _cache() -> Path:
    if named := OUTSIDE.get("STEPFARE_E2E_CACHE"):
        return Path(named).expanduser().absolute()
    root = Path(OUTSIDE.get("XDG_CACHE_HOME") or Path(OUTSIDE.get("HOME", "~")).expanduser() / ".cache")
    return root / "stepfare-e2e"


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


def _lines(output: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for line in output.splitlines():
        with suppress(ValueError):
            value = cast(object, json.loads(line))
            if isinstance(value, dict):
                found.append(cast("dict[str, object]", value))
    return found


def _count_cline(output: str, home: Path) -> tuple[int, str]:
    result = next((line for line in reversed(_lines(output)) if line.get("type") == "run_result"), {})
    return int(str(result.get("iterations", 0))), str(result.get("text", ""))


def _count_classic(output: str, home: Path) -> tuple[int, str]:
    # A line is told anew when it changes: each request is counted by its time.
    asked = {line.get("ts") for line in _lines(output) if line.get("say") == "api_req_started"}
    final = next((line for line in reversed(_lines(output)) if line.get("say") == "completion_result"), {})
    return len(asked), str(final.get("text", ""))


def _count_continue(output: str, home: Path) -> tuple[int, str]:
    sessions = [path for path in (home / ".continue/sessions").glob("*.json") if path.name != "sessions.json"]
    newest = max(sessions, key=lambda path: path.stat().st_mtime_ns, default=None)
    if newest is None:
        return 0, ""
    history = cast("list[dict[str, dict[str, object]]]", json.loads(newest.read_text(encoding="utf-8"))["history"])
    said = [item["message"] for item in history if item["message"].get("role") == "assistant"]
    return len(said), str(said[-1].get("content", "")) if said else ""


_COUNTS = {"cline": _count_cline, "cline-classic": _count_classic, "continue": _count_continue}
