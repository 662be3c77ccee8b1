"""Run every check of the project, one stage after the other, and tell what each said and how long it took.

A failing stage does not keep the later ones from running. Standard library only; the tools are those of the environment that
this runs in (`scripts/test` makes it). What the tests are is up to tests/.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
# Suites of their own, left out of the plain run since they need programs from outside Python; each is there when its folder is.
SUITES = {
    "e2e": "real coding agents against the daemon",
    "editors": "real editors against the language server (further ones: --editors -- -m editors_extended)",
}
PYTEST_NO_TESTS = 5
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Stage:
    """One check: its name, the program in the environment with its arguments, whether what it prints is shown as it comes, and whether
    it takes so long that the tests do not wait for it."""

    name: str
    command: tuple[str, ...]
    live: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """How a stage ended."""

    name: str
    code: int
    seconds: float
    why: str = ""
    printed: str = ""
    """What a quiet stage said while it failed."""

    def line(self) -> str:
        verdict = "ok" if self.code == 0 else "FAILED"
        return f"{self.name:<10} {verdict:<7} {self.seconds:6.1f} s{'  ' + self.why if self.why else ''}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What pytest counted. An error while setting up or tearing down is a failure."""

    passed: int = 0
    failed: int = 0
    left_out: tuple[str, ...] = ()
    """Of each test that was left out, its name and why."""

    def line(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {len(self.left_out)} skipped" if self.left_out else "")


CHECKS = (
    Stage("format", ("ruff", "format", "--check", ".")),
    Stage("lint", ("ruff", "check", ".")),
    Stage("types", ("basedpyright",), beside=True),
    Stage("imports", ("lint-imports",)),
)


def stages(suite: str | None, *, fast: bool, report: Path, pytest_arguments: list[str]) -> list[Stage]:
    """What to run: all checks and the plain tests, or one suite alone, which comes on top of them."""
    # Agents and editors count on a machine that is theirs; all other tests share nothing, so each processor takes a part of them, and who
    # is done first helps the others.
    which = (f"tests/{suite}", "-m", suite) if suite else (f"--numprocesses={os.cpu_count() or 1}", "--dist=worksteal")
    tests = ("pytest", f"--junitxml={report}", *which, *pytest_arguments)
    checks = [] if suite else [stage for stage in CHECKS if not (fast and stage.name == "types")]
    return [*checks, Stage(suite or "tests", tests, live=True)]


def run(stage: Stage, environment: dict[str, str]) -> Result:
    """Run one stage at the project's root. A quiet one shows what it printed only if it failed."""
    began = time.monotonic()
    if stage.live:
        print(f"--- {stage.name}", flush=True)
    program = Path(sys.executable).parent / stage.command[0]
    try:
        done = subprocess.run(
            [str(program), *stage.command[1:]],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=None if stage.live else subprocess.PIPE,
            stderr=None if stage.live else subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        return Result(stage.name, 127, 0.0, f"{program.name} is not in the environment; remove .venv and run scripts/test again")
    why = "no test ran" if stage.live and done.returncode == PYTEST_NO_TESTS else ""
    printed = "" if stage.live or done.returncode == 0 else done.stdout.rstrip()
    return Result(stage.name, done.returncode, time.monotonic() - began, why, printed)


def run_all(wanted: list[Stage], environment: dict[str, str]) -> list[Result]:
    """Run the stages in their order, those that take long beside the others, and tell of each quiet one when its turn has come."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = {stage.name: pool.submit(run, stage, environment) for stage in wanted if stage.beside}
        results = {stage.name: run_and_tell(stage, environment) for stage in wanted if not stage.beside}
        for name, waiting in beside.items():
            results[name] = waiting.result()
            tell(results[name])
    return [results[stage.name] for stage in wanted]


def run_and_tell(stage: Stage, environment: dict[str, str]) -> Result:
    result = run(stage, environment)
    if not stage.live:
        tell(result)
    return result


def tell(result: Result) -> None:
    if result.printed:
        print(result.printed)
    print(result.line(), flush=True)


def count(report: Path) -> Counts:
    """Read what pytest counted from its JUnit report. No report, no tests."""
    try:
        root = ElementTree.parse(report).getroot()
    except (OSError, ElementTree.ParseError):
        return Counts()
    tests = failed = 0
    for suite in root.iter("testsuite"):
        tests += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
    left_out = tuple(
        f"{case.get('name', '')}: {skipped.get('message', '')}" for case in root.iter("testcase") for skipped in case.iter("skipped")
    )
    return Counts(max(0, tests - failed - len(left_out)), failed, left_out)


def parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        prog="scripts/test", description="Format, lint, types, import contracts, tests. Arguments after -- go to pytest."
    )
    only = parse.add_mutually_exclusive_group()
    for suite, words in SUITES.items():
        if (ROOT / "tests" / suite).is_dir():
            only.add_argument(
                f"--{suite}", dest="suite", action="store_const", const=suite, help=f"run tests/{suite} and nothing else: {words}"
            )
    only.add_argument("--fast", action="store_true", help="leave the type checker out, which takes longest of the checks")
    parse.set_defaults(suite=None)
    return parse


def main(arguments: list[str]) -> int:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    ours, pytest_arguments = arguments[:cut], arguments[cut + 1 :]
    chosen = parser().parse_args(ours)
    environment = dict(os.environ)
    # Programs that tests start by name (stepfare, stepfare-lsp) are those of this environment.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    environment["VIRTUAL_ENV"] = sys.prefix
    with tempfile.TemporaryDirectory(prefix="stepfare-test-") as folder:
        report = Path(folder) / "report.xml"
        try:
            results = run_all(stages(chosen.suite, fast=chosen.fast, report=report, pytest_arguments=pytest_arguments), environment)
        except KeyboardInterrupt:
            print("stopped.")
            return INTERRUPTED
        counts = count(report)
    print("---")
    for result in results:
        print(result.line())
    for words in counts.left_out:
        print(f"left out: {words}")
    print(counts.line())
    return 0 if all(result.code == 0 for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
