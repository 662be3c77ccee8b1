"""What the player knows of the project, folded from the moves so far: which files there are, what is in them, how tests went."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from stepfare.simulator.intents import Look, Read, Replace, Run, Search
from stepfare.simulator.results import Part, file_text, files_hit, files_in, files_shown, folders_in, is_partial
from stepfare.simulator.transcript import Move, Scene

FILES_MAX = 2_000
REPEATS_MAX = 2


class Verdict(StrEnum):
    """How a run of tests went."""

    PASSED = "passed"
    FAILED = "failed"
    DID_NOT_RUN = "did not run"


@dataclass(frozen=True, slots=True)
class TestRun:
    """`after_edits` is the number of edits that had been made by then; `this_task` whether it belongs to the task at hand."""

    command: str
    output: str
    verdict: Verdict
    after_edits: int
    this_task: bool

    __test__ = False


@dataclass(slots=True)
class Knowledge:
    """Paths are relative to the workspace. Only what tools or the client's own listing showed is in here."""

    files: dict[str, None] = field(default_factory=dict[str, None])
    folders: dict[str, None] = field(default_factory=dict[str, None])
    contents: dict[str, str] = field(default_factory=dict[str, str])
    looked: set[str] = field(default_factory=set[str])
    searches: int = 0
    runs: list[TestRun] = field(default_factory=list[TestRun])
    edits: list[Replace] = field(default_factory=list[Replace])
    partial: set[str] = field(default_factory=set[str])
    unreadable: set[str] = field(default_factory=set[str])
    """Files that one of several reads in a call did not get."""
    failed: list[Move] = field(default_factory=list[Move])
    made: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """How often each call was made since the last edit."""

    def in_vain(self, name: str, arguments: str) -> bool:
        """Whether this very call was made in this task and gave nothing, or was made so often that it will not."""
        if self.made.get((name, canonical(arguments)), 0) >= REPEATS_MAX:
            return True
        return any(move.name == name and canonical(move.arguments) == canonical(arguments) for move in self.failed)


def fold(scene: Scene) -> Knowledge:
    known = Knowledge()
    for path in files_in(scene.listing):
        known.files.setdefault(path)
    for move in scene.earlier:
        _learn(known, move, scene.box.cwd, this_task=False)
    # What an earlier task tried may be tried again.
    known.failed.clear()
    known.made.clear()
    known.unreadable.clear()
    known.edits.clear()
    for move in scene.moves:
        _learn(known, move, scene.box.cwd, this_task=True)
    return known


def canonical(arguments: str) -> str:
    return re.sub(r"\s+", "", arguments)


def _learn(known: Knowledge, move: Move, cwd: str, *, this_task: bool) -> None:
    result = move.result
    call = (move.name, canonical(move.arguments))
    known.made[call] = known.made.get(call, 0) + 1
    match move.intent:
        case Run(command):
            verdict = verdict_of(result.text)
            known.runs.append(TestRun(command, result.text, verdict, len(known.edits), this_task))
            if verdict is Verdict.DID_NOT_RUN:
                known.failed.append(move)
        case _ if result.failed:
            known.failed.append(move)
        case Look(path):
            shown = result.text.replace(cwd.rstrip("/") + "/", "") if cwd else result.text
            files, folders = list(files_in(shown, path)), list(folders_in(shown, path))
            if path == "." and not files and not folders:
                known.failed.append(move)
                return
            known.looked.add(path)
            _files(known, files)
            for folder in folders:
                known.folders.setdefault(folder)
        case Search():
            known.searches += 1
            _files(known, files_hit(result.text.replace(cwd.rstrip("/") + "/", "") if cwd else result.text))
        case Read(paths):
            shown = files_shown(result.text) if len(paths) > 1 else {}
            several = tuple(Part(shown.get(path, ""), failed=path not in shown) for path in paths) if shown else (Part(result.text),)
            parts = result.parts if len(result.parts) == len(paths) else several
            for path, part in zip(paths, parts, strict=False):
                if part.failed:
                    known.unreadable.add(path)
                    continue
                known.contents[path] = file_text(part.text)
                if is_partial(part.text):
                    known.partial.add(path)
                _files(known, [path])
        case Replace() if result.exit_code:
            known.failed.append(move)
        case Replace(path, old, new, whole):
            known.made.clear()
            before = known.contents.get(path, "")
            after = before.replace(old, new, 1) if old else whole
            known.contents[path] = after
            known.edits.append(Replace(path, old, new, after))
        case _:
            return


def _files(known: Knowledge, paths: Iterable[str]) -> None:
    for path in paths:
        if len(known.files) < FILES_MAX:
            known.files.setdefault(path)


_DID_NOT_RUN = re.compile(
    r"No module named |command not found|not recognized as|: not found\b|can't open file"
    r"|no tests ran|Ran 0 tests|NO TESTS RAN|collected 0 items|Missing script"
)
_FAILED = re.compile(
    r"\b[1-9]\d* (failed|errors?|failing)\b|^(FAILED|FAIL|ERROR)\b|^E  |Traceback \(most recent|AssertionError|\bnot ok\b", re.MULTILINE
)
_PASSED = re.compile(r"\b[1-9]\d* pass(ed|ing)\b|^OK\b|^# pass [1-9]", re.MULTILINE)


def verdict_of(output: str) -> Verdict:
    if _DID_NOT_RUN.search(output):
        return Verdict.DID_NOT_RUN
    if _FAILED.search(output):
        return Verdict.FAILED
    return Verdict.PASSED if _PASSED.search(output) else Verdict.DID_NOT_RUN


_FAILING = re.compile(
    r"^(?:FAILED|ERROR) [^\s:]+::(?:\w+::)*(\w+)|^(?:FAIL|ERROR): (\w+)|^ +File .* in (test\w*)$",
    re.MULTILINE,
)
_SAYS = (re.compile(r"^E\s{2,}(\S.*)$", re.MULTILINE), re.compile(r"^(\w*(?:Error|Exception): .*)$", re.MULTILINE))


def failing_tests(output: str) -> tuple[str, ...]:
    """Names of the test functions that failed, as pytest, unittest and tracebacks print them."""
    return tuple(dict.fromkeys(found[1] or found[2] or found[3] for found in _FAILING.finditer(output)))


def failing_line(output: str) -> str:
    """The line that says what was wrong, for quoting."""
    return next((found[1].strip() for pattern in _SAYS if (found := pattern.search(output))), "")
