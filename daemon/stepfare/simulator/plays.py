"""The agent's plays as tables of phases: what it wants next, given what it knows. How a wish becomes a call is `hands`' business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stepfare.simulator.intents import Intent, Look, Read, Replace, Run, Search
from stepfare.simulator.knowledge import Knowledge, TestRun, Verdict, failing_tests
from stepfare.simulator.project import SKIPPED, relevant, source_files, test_commands, test_files, wants_repair
from stepfare.simulator.repairs import NoRepair, Repair, find_repair
from stepfare.simulator.toolboxes import Role
from stepfare.simulator.transcript import Scene

READ_FILES_MAX = 3
READ_AT_ONCE_MAX = 4
FOLDERS_MAX = 12
FOLDERS_AT_ONCE_MAX = 6
FOLDER_DEPTH_MAX = 3
REPAIRS_MAX = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do next, in words for the reader, as alternatives: the later ones are for when the earlier ones failed.

    Each alternative is one intent, or several that can be carried out side by side.
    """

    words: str
    alternatives: tuple[tuple[Intent, ...], ...]


Want: TypeAlias = Callable[[Scene, Knowledge], Wish | None]
"""What a phase wants; None when it has all it wants."""


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    want: Want


def _one(words: str, *alternatives: Intent) -> Wish:
    return Wish(words, tuple((intent,) for intent in alternatives))


# Looking around


def look_around(scene: Scene, known: Knowledge) -> Wish | None:
    """List the workspace, unless the client already did; where there is a search tool, look for what there is at the same time."""
    if "." in known.looked or scene.listing:
        return None
    searching = scene.box.has(Role.SEARCH) and not scene.classic and not known.searches
    pattern = "def test_" if wants_repair(scene.task) else "^(def|class) |function "
    first: tuple[Intent, ...] = (Look("."), Search(pattern)) if searching else (Look("."),)
    return Wish("I will look at what is here.", (first, (Look("."),), (Search("def "),)))


def look_into_folders(scene: Scene, known: Knowledge) -> Wish | None:
    """A listing that stops at the first level is continued in its folders, all at once."""
    if scene.listing or len(known.looked) > FOLDERS_MAX:
        return None
    unseen = (path for path in known.folders if path not in known.looked and path.count("/") < FOLDER_DEPTH_MAX)
    folders = [path for path in unseen if not SKIPPED.search(path + "/") and not any(file.startswith(path + "/") for file in known.files)]
    if not folders:
        return None
    now = folders[: 1 if scene.classic else FOLDERS_AT_ONCE_MAX]
    return Wish(f"Now the folders: {', '.join(now)}.", (tuple(Look(folder) for folder in now),))


def read_relevant(scene: Scene, known: Knowledge) -> Wish | None:
    chosen = relevant(scene, known)[:READ_FILES_MAX]
    missing = [path for path in chosen if path not in known.contents and path not in known.unreadable]
    return _reading(scene, missing, "I will read {}.") if missing else None


def _reading(scene: Scene, paths: Sequence[str], words: str) -> Wish:
    # Classic Cline takes one call a turn.
    now = tuple(paths[: 1 if scene.classic else READ_AT_ONCE_MAX])
    return _one(words.format(", ".join(now)), Read(now))


# Repairing


def read_tests(scene: Scene, known: Knowledge) -> Wish | None:
    missing = [path for path in test_files(scene, known) if path not in known.contents and path not in known.unreadable]
    return _reading(scene, missing, "First the tests: {}.") if missing else None


def read_sources(scene: Scene, known: Knowledge) -> Wish | None:
    missing = [path for path in source_files(scene, known) if path not in known.contents and path not in known.unreadable]
    # An empty package file teaches nothing.
    missing = [path for path in missing if not path.endswith("__init__.py")]
    return _reading(scene, missing, "Now the code that they test: {}.") if missing else None


def last_run(known: Knowledge) -> TestRun | None:
    """The last run of this task that really ran."""
    return next((run for run in reversed(known.runs) if run.this_task and run.verdict is not Verdict.DID_NOT_RUN), None)


def run_tests(scene: Scene, known: Knowledge) -> Wish | None:
    last = last_run(known)
    if last is not None and last.after_edits == len(known.edits):
        return None
    words = "I will run the tests to see what fails." if not known.edits else "I will run the tests again."
    commands = [last.command] if last is not None else test_commands(scene, known)
    return _one(words, *(Run(command) for command in commands)) if commands else None


def repair_of(scene: Scene, known: Knowledge) -> Repair | NoRepair | None:
    """The repair for what the last run showed; None while nothing failed."""
    last = last_run(known)
    if last is None or last.verdict is not Verdict.FAILED:
        return None
    if len(known.edits) >= REPAIRS_MAX:
        return NoRepair(f"{REPAIRS_MAX} edits did not make the tests pass, so I stop")
    tests = [path for path in test_files(scene, known) if path.endswith(".py") and path in known.contents]
    if not tests:
        return NoRepair("I know how to repair small mistakes in Python only, and have read no Python test")
    return find_repair(tests, _python(known), failing=failing_tests(last.output), refused=[edit.whole for edit in known.edits])


def foreseen(scene: Scene, known: Knowledge) -> Repair | None:
    """What reading alone suggests, for a plan: no test was run yet."""
    tests = [path for path in test_files(scene, known) if path.endswith(".py") and path in known.contents]
    found = find_repair(tests, _python(known), failing=()) if tests else None
    return found if isinstance(found, Repair) else None


def reached(scene: Scene, known: Knowledge) -> bool:
    """Whether a run, or for a task that only asks, something read is evidence that the task is done."""
    if not wants_repair(scene.task):
        return bool(known.contents)
    last = last_run(known)
    return last is not None and last.verdict is Verdict.PASSED and last.after_edits == len(known.edits)


def _python(known: Knowledge) -> dict[str, str]:
    return {path: text for path, text in known.contents.items() if path.endswith(".py")}


def repair(scene: Scene, known: Knowledge) -> Wish | None:
    found = repair_of(scene, known)
    if not isinstance(found, Repair):
        return None
    words = f"{', '.join(found.fixes)} would hold if in {found.path} {found.what}."
    # Of a file that was shown in part, only that part may be touched.
    whole = "" if found.path in known.partial else found.whole
    return _one(words, Replace(found.path, found.old, found.new, whole))


READ_ONLY = (
    Phase("look around", look_around),
    Phase("look into the folders", look_into_folders),
    Phase("read", read_relevant),
)

FIX = (
    Phase("look around", look_around),
    Phase("look into the folders", look_into_folders),
    Phase("read the tests", read_tests),
    Phase("read the code", read_sources),
    Phase("run the tests", run_tests),
    Phase("repair", repair),
)
"""Asked from the top each time: a run that shows another test failing leads back to reading."""

PLAN_FIX = FIX[:4]

CHAT: tuple[Phase, ...] = ()
