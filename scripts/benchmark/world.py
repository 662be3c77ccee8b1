"""The processes of a benchmark: started on loopback, pinned apart from the load, watched, and ended.

What is asked of them is up to the measurements.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import IO

from benchmark.wire import Target, ask

SCRIPTS = Path(__file__).resolve().parent.parent
START_LIMIT_S = 20.0
STOP_LIMIT_S = 10.0
POLL_S = 0.005
LOG_LINES_SHOWN = 12
OPEN_FILES_WANTED = 8_192
BUSY_LOAD = 0.5
KEY_VARIABLE = "BENCH_KEY"
NO_CALLS: Mapping[str, str] = MappingProxyType({})

CONFIG = """\
[server]
host = "127.0.0.1"
port = {port}

[providers.bench]
dialect = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
api_key = "env:{key}"
{models}"""
MODEL = """
[[models]]
id = "bench/{name}"
tier = "{tier}"
context_tokens = 2_000_000
max_output_tokens = 32_000
capabilities = ["tools", "vision", "reasoning"]
price = {{ input = {input}, cache_read = {read}, cache_write = {write}, output = {output} }}
"""
MODELS = (
    {"name": "small", "tier": "frugal", "input": 0.10, "read": 0.01, "write": 0.125, "output": 0.50},
    {"name": "middle", "tier": "balanced", "input": 2.00, "read": 0.10, "write": 2.50, "output": 10.00},
    {"name": "large", "tier": "premium", "input": 4.00, "read": 0.20, "write": 5.00, "output": 20.00},
)


class CannotMeasure(Exception):
    """Something that a measurement needs is not there; the text says what."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where things run: what is measured on one core of its own, where there are two."""

    measured: frozenset[int]
    load: frozenset[int]

    @property
    def apart(self) -> bool:
        return self.measured != self.load


@cache
def cores() -> Cores:
    """Asked once, before the load takes its place: afterwards this process sees only its own core."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(frozenset(), frozenset())
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        return Cores(frozenset(there), frozenset(there))
    return Cores(frozenset(there[-1:]), frozenset(there[:-1]))


def pin(pid: int, to: frozenset[int]) -> None:
    if to and hasattr(os, "sched_setaffinity"):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                os.sched_setaffinity(int(task.name), to)


def cpu_s(pid: int) -> float:
    """Processor time of all threads of a process so far, in nanosecond steps where the system tells, else in its clock ticks."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except (OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise CannotMeasure("this system does not tell how much memory a process holds")


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def machine(pass_through_loop: str) -> dict[str, str]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    load = os.getloadavg()[0]
    placed = cores()
    return {
        "cpu": f"{model}, {len(placed.measured | placed.load) or os.cpu_count()} cores",
        "pinned": "the measured process has one core, load and upstream the other"
        if placed.apart
        else "not pinned: load and measured share the cores",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "event loop of the pass-through": pass_through_loop,
        "load before": f"{load:.2f}" + (" (busy: read the figures as upper bounds)" if load > BUSY_LOAD else ""),
    }


@dataclass(slots=True)
class Process:
    """A process that was started here, and what it logs."""

    popen: subprocess.Popen[str]
    log: IO[str]

    @property
    def pid(self) -> int:
        return self.popen.pid

    def last_words(self) -> str:
        self.log.seek(0)
        return "\n".join("    " + line for line in self.log.read().splitlines()[-LOG_LINES_SHOWN:])

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.log.close()


def _start(command: list[str], to: frozenset[int], environment: dict[str, str], *, speaks: bool) -> Process:
    log = tempfile.TemporaryFile("w+", prefix="stepfare-bench-")  # noqa: SIM115 (closed when the process is stopped)
    popen = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if speaks else log, stderr=log, text=True, env=environment
    )
    process = Process(popen, log)
    pin(popen.pid, to)
    return process


def _first_words(process: Process) -> list[str]:
    assert process.popen.stdout is not None
    words = process.popen.stdout.readline().split()
    if not words:
        raise CannotMeasure(f"a helper of the benchmark did not start:\n{process.last_words()}")
    return words


@dataclass(slots=True)
class Upstream:
    """The fake provider."""

    process: Process
    port: int

    def plan(self, *, chunks: int = 8, first_ms: float = 0.0, gap_ms: float = 0.0, calls: Mapping[str, str] = NO_CALLS) -> None:
        """How it answers from now on; what it saw before is forgotten. `calls` are tools to call, by model."""
        ask(self.port, "/bench/plan", {"chunks": chunks, "first_ms": first_ms, "gap_ms": gap_ms, "calls": dict(calls)})

    def seen(self) -> dict[str, object]:
        return ask(self.port, "/bench/seen")


@dataclass(slots=True)
class Daemon:
    """A `stepfare serve` of its own home, with its tokens and the time it took to be healthy."""

    process: Process
    port: int
    home: Path
    healthy_after_s: float
    local_token: str
    control_token: str

    @property
    def target(self) -> Target:
        return Target("stepfare", self.port, self.local_token)

    def overview(self) -> dict[str, object]:
        return ask(self.port, "/control/v1/overview", token=self.control_token)


@contextmanager
def daemon(upstream_port: int, books: Path | None = None, more: str = "") -> Iterator[Daemon]:
    """A daemon whose only provider is the fake upstream, in a home that is thrown away afterwards; with the books of that folder, which
    are moved into its home, and with more settings."""
    home = Path(tempfile.mkdtemp(prefix="stepfare-bench-home-"))
    for file in books.iterdir() if books is not None else ():
        shutil.move(file, home / file.name)
    port = free_port()
    models = "".join(MODEL.format(**row) for row in MODELS)
    (home / "config.toml").write_text(CONFIG.format(port=port, upstream=upstream_port, key=KEY_VARIABLE, models=models) + more)
    apart = ("STEPFARE_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and not name.startswith(apart)}
    environment |= {
        "PYTHONPYCACHEPREFIX": _compiled(),
        "STEPFARE_HOME": str(home),
        KEY_VARIABLE: "bench-key",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "NO_COLOR": "1",
    }
    command = [sys.executable, str(Path(sys.executable).parent / "stepfare"), "serve", "--port", str(port)]
    began = time.perf_counter()
    process = _start(command, cores().measured, environment, speaks=False)
    try:
        while True:
            if process.popen.poll() is not None:
                raise CannotMeasure(f"`stepfare serve` ended with {process.popen.returncode}:\n{process.last_words()}")
            if time.perf_counter() - began > START_LIMIT_S:
                raise CannotMeasure(f"`stepfare serve` was not healthy after {START_LIMIT_S:g} s:\n{process.last_words()}")
            with suppress(OSError):
                ask(port, "/health")
                break
            time.sleep(POLL_S)
        healthy_after_s = time.perf_counter() - began
        pin(process.pid, cores().measured)
        card = json.loads((home / "daemon.json").read_text())
        yield Daemon(process, port, home, healthy_after_s, card["local_token"], card["control_token"])
    finally:
        process.stop()
        shutil.rmtree(home, ignore_errors=True)


@cache
def _compiled() -> str:
    """A folder with the program's bytecode, as every installation has it after its first start, whatever is set where this is measured."""
    folder = tempfile.mkdtemp(prefix="stepfare-bench-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    first = [sys.executable, "-c", "import stepfare.cli.front, stepfare.cli.serve, stepfare.server.run"]
    subprocess.run(first, env={**environment, "PYTHONPYCACHEPREFIX": folder}, check=True)
    return folder


@contextmanager
def upstream() -> Iterator[Upstream]:
    process = _start([sys.executable, "-m", "benchmark.upstream"], cores().load, _for_helpers(), speaks=True)
    try:
        yield Upstream(process, int(_first_words(process)[0]))
    finally:
        process.stop()


@contextmanager
def pass_through(upstream_port: int) -> Iterator[tuple[Process, Target, str]]:
    """The process, where it listens, and the event loop it found."""
    command = [sys.executable, "-m", "benchmark.passthrough", f"http://127.0.0.1:{upstream_port}/v1"]
    process = _start(command, cores().measured, _for_helpers(), speaks=True)
    try:
        port, loop = _first_words(process)
        yield process, Target("pass-through", int(port)), loop
    finally:
        process.stop()


def _for_helpers() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}


def settle_in() -> None:
    """Take the load's place beside the measured core, and room for a thousand connections."""
    pin(os.getpid(), cores().load)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
