"""scripts/check.py: every stage runs, one failure is a failure of the whole, and the last line counts the tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import check

SCRIPT = Path(check.__file__)
LEFT_OUT = '<testcase name="test_in_an_editor"><skipped type="pytest.skip" message="no editor is here">conftest.py:20</skipped></testcase>'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("suite", "fast", "names"),
    [
        (None, False, ["format", "lint", "types", "imports", "tests"]),
        (None, True, ["format", "lint", "imports", "tests"]),
        ("e2e", False, ["e2e"]),
    ],
)
def test_the_stages_that_are_asked_for(suite: str | None, fast: bool, names: list[str]) -> None:
    stages = check.stages(suite, fast=fast, report=Path("report.xml"), pytest_arguments=["-k", "x"])
    assert [stage.name for stage in stages] == names
    assert stages[-1].command[-2:] == ("-k", "x")


def test_a_suite_is_chosen_by_its_mark() -> None:
    (stage,) = check.stages("e2e", fast=False, report=Path("report.xml"), pytest_arguments=[])
    assert stage.command[-3:] == ("tests/e2e", "-m", "e2e")


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            f'<testsuites><testsuite tests="6" failures="1" errors="1" skipped="1">{LEFT_OUT}</testsuite></testsuites>',
            "3 passed, 2 failed, 1 skipped",
        ),
        ('<testsuites><testsuite tests="5" failures="0" errors="0" skipped="0"/></testsuites>', "5 passed, 0 failed"),
        ("<testsuites>", "0 passed, 0 failed"),
    ],
)
def test_what_pytest_counted_is_the_last_line(tmp_path: Path, report: str, line: str) -> None:
    (tmp_path / "report.xml").write_text(report)
    assert check.count(tmp_path / "report.xml").line() == line
    assert re.fullmatch(r"\d+ passed, \d+ failed(, \d+ skipped)?", line)


def test_what_was_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f'<testsuites><testsuite tests="1" failures="0" errors="0" skipped="1">{LEFT_OUT}</testsuite></testsuites>')
    assert check.count(report).left_out == ("test_in_an_editor: no editor is here",)


def test_a_run_cut_short_counts_nothing(tmp_path: Path) -> None:
    assert check.count(tmp_path / "no-report.xml") == check.Counts()


def test_a_failing_stage_is_told_with_what_it_printed_and_the_rest_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def program(name: str, code: int) -> tuple[str, ...]:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho {name} ran\nexit {code}\n")
        path.chmod(0o755)
        return (name,)

    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(
        check,
        "CHECKS",
        (
            check.Stage("good", program("good", 0)),
            check.Stage("bad", program("bad", 3)),
            check.Stage("long", program("long", 4), beside=True),
        ),
    )
    program("pytest", 0)
    code = check.main([])
    printed = capfd.readouterr().out
    assert code == 1
    assert "bad ran" in printed
    assert "good ran" not in printed  # a quiet stage that went well prints its line alone
    assert printed.index("--- tests") > printed.index("bad ran")
    assert re.search(r"^good +ok", printed, re.MULTILINE)
    assert re.search(r"^bad +FAILED", printed, re.MULTILINE)
    # What takes long runs beside the tests and is told of after them.
    assert printed.index("long ran") > printed.index("pytest ran")
    assert [line.split()[0] for line in printed.rstrip().splitlines()[-5:-1]] == ["good", "bad", "long", "tests"]
    assert printed.rstrip().splitlines()[-1] == "0 passed, 0 failed"


def test_arguments_after_two_dashes_go_to_pytest() -> None:
    done = run("--fast", "--unknown")
    assert done.returncode == 2
    assert "unrecognized arguments: --unknown" in done.stderr


def test_help_says_how_to_pass_on_arguments() -> None:
    assert "Arguments after -- go to pytest" in run("--help").stdout
