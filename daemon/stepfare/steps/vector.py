"""A step's features as numbers, in one fixed order: what the classifier is trained on and evaluated on, and what the books keep.

Every number has a name and belongs to a cause, by which `words` tells a reader what spoke for a verdict. Names are the contract with
weights and with vectors that were kept: a feature that changes its meaning changes its name.
"""

from __future__ import annotations

from hashlib import blake2b
from math import log2

from stepfare.core.step import Action, ActionKind, Fault, FileKind, StepFeatures
from stepfare.steps.file_kinds import kind_of_file
from stepfare.steps.trail import EDITS
from stepfare.steps.wording import FAMILIES

LAST_MAX = 7
"""So many of the last actions are told apart one by one."""
ONE_HOT_MAX = 3
SINCE_MAX = 20.0
FEW = 4
TEXT_AGE_MAX = 10.0
"""Words as old as this, or none at all, tell nothing: some models never write any beside their calls."""
EDIT_SHARE = 0.22
"""What a conversation's own habits are drawn to while there is little to go by."""
EMPTY_CHARS_MAX = 60

KINDS = tuple(ActionKind)
_ONE_HOT = {kind: tuple(float(kind is one) for one in KINDS) for kind in KINDS}
_NO_KIND = (0.0,) * len(KINDS)
_NUMBER = {kind: float(number) for number, kind in enumerate(KINDS)}
_FILE_NUMBER = {kind: float(number) for number, kind in enumerate(FileKind)}
_SINCE = (
    ActionKind.EDIT, ActionKind.WRITE, ActionKind.TEST, ActionKind.RUN, ActionKind.READ, ActionKind.SEARCH, ActionKind.LIST,
    ActionKind.TODO, ActionKind.DELEGATE, ActionKind.SKILL, ActionKind.ASK,
)  # fmt: skip
_COUNTED = (ActionKind.EDIT, ActionKind.WRITE, ActionKind.TEST, ActionKind.RUN, ActionKind.READ, ActionKind.SEARCH, ActionKind.TODO)
SHELLS = frozenset(
    ("bash", "exec_command", "shell", "powershell", "run_shell_command", "shell_command", "local_shell", "execute_bash", "execute_command",
     "run_commands", "run_terminal_command", "exec", "write_stdin")
)  # fmt: skip
_LOOKS_AT_CHANGES = frozenset({"git status", "git diff", "git log", "git show"})


def _action_names(place: str) -> tuple[str, ...]:
    return tuple(
        f"{place}_{what}"
        for what in (
            "fault", "result_chars", "result_lines", "argument_chars", "file_kind", "paths", "programs", "git", "commit",
            "looks_at_changes", "python", "removes", "sed", "sleeps", "shell", "part", "empty",
        )
    )  # fmt: skip


_NOTHING_SAID = (0,) * len(FAMILIES)
_NO_ACTION = (-1.0,) * len(_action_names(""))

FEATURE_NAMES: tuple[str, ...] = (
    *(f"last{place}_is_{kind.value}" for place in range(1, ONE_HOT_MAX + 1) for kind in KINDS),
    *(f"last{place}_kind" for place in range(ONE_HOT_MAX + 1, LAST_MAX + 1)),
    *(f"since_{kind.value}" for kind in _SINCE),
    *(f"count_{kind.value}" for kind in _COUNTED),
    *(f"few_{kind.value}" for kind in _COUNTED),
    *_action_names("last1"),
    *_action_names("last2"),
    "same_kind_run", "same_file_as_before", "last_file_met", "last_file_named_fully", "last_file_absolute", "named_by_human",
    "last_file_edits", "last_file_reads",
    "edit_file_kind", "edit_chars", "edit_failed", "edit_is_write", "edit_same_file",
    "failed_recent", "failures", "files_recent", "files_since_edit", "shell_share",
    "steps", "actions", "humans", "since_human",
    "edits", "edits_turn", "edits_since_test", "reads_since_edit", "reads_since_test", "actions_since_edit", "actions_since_test",
    "tests_turn", "tests_passed", "tests_failed", "tests_failed_share", "last_test", "commits_turn", "parallel", "unanswered",
    "text_chars", "text_age", *(f"says_{family}" for family in FAMILIES), "human_chars", "human_asks",
    "todo_pending", "todo_done", "todo_share", "todo_active",
    "files_edited", "files_read", "files_waiting", "scratch_written", "scratch_run", "scratch_open", "source_edits", "test_edits",
    "chars_since_edit", "reverts",
    "likewise", "likewise_cases", "likewise_two", "likewise_two_cases", "edit_habit", "gap_habit", "gap_by_habit", "run_habit", "edit_run",
    "failing_verifications", "reverted_edits", "invalid_calls", "repeats",
)  # fmt: skip

FEATURES_VERSION = blake2b("\n".join(FEATURE_NAMES).encode(), digest_size=4).hexdigest()
"""Stands beside vectors that are kept: those of other names say something else."""


def vector_of(features: StepFeatures) -> tuple[float, ...]:
    """The numbers of these features, in the order of `FEATURE_NAMES`."""
    history, trouble = features.history, features.trouble
    turn = features.recent[max(0, len(features.recent) - features.actions_since_human) :]
    newest = turn[::-1]
    kinds = [action.kind for action in newest]
    last = newest[0] if newest else None
    before = newest[1] if len(newest) > 1 else None
    edit_at = next((place for place, kind in enumerate(kinds) if kind in EDITS), -1)
    edit = newest[edit_at] if edit_at >= 0 else None
    path = last.paths[0] if last is not None and last.paths else ""
    numbers: list[float] = []
    for place in range(ONE_HOT_MAX):
        numbers += _ONE_HOT[kinds[place]] if place < len(kinds) else _NO_KIND
    numbers += [_NUMBER[kinds[place]] if place < len(kinds) else -1.0 for place in range(ONE_HOT_MAX, LAST_MAX)]
    numbers += [float(kinds.index(kind)) if kind in kinds else SINCE_MAX for kind in _SINCE]
    numbers += [float(kinds.count(kind)) for kind in _COUNTED]
    few = kinds[:FEW]
    numbers += [float(few.count(kind)) for kind in _COUNTED]
    numbers += _action(last) if last is not None else _NO_ACTION
    numbers += _action(before) if before is not None else _NO_ACTION
    same = next((place for place, kind in enumerate(kinds) if kind is not kinds[0]), len(kinds))
    numbers += (
        same,
        float(bool(path) and before is not None and before.paths[:1] == (path,)),
        sum(path in action.paths for action in newest[1:]) if path else 0,
        float("." in path[-6:]),
        float(path.startswith("/")),
        float(history.named_by_human),
        history.last_file_edits,
        history.last_file_reads,
        _FILE_NUMBER[kind_of_file(edit.paths[0])] if edit is not None and edit.paths else -1.0,
        _scaled(edit.argument_chars) if edit is not None else -1.0,
        float(edit is not None and edit.failed),
        float(edit is not None and edit.kind is ActionKind.WRITE),
        float(edit is not None and bool(path) and edit.paths[:1] == (path,)),
        sum(action.failed for action in turn),
        features.failures,
        len({one for action in turn for one in action.paths}),
        len({one for action in newest[: edit_at if edit_at >= 0 else len(newest)] for one in action.paths}),
        sum(action.tool.lower() in SHELLS for action in features.recent) / max(1, len(features.recent)),
        history.steps,
        history.actions,
        history.humans,
        features.actions_since_human,
        history.edits,
        history.edits_turn,
        history.edits_since_test,
        history.reads_since_edit,
        history.reads_since_test,
        history.actions_since_edit,
        history.actions_since_test,
        history.tests_turn,
        history.tests_passed,
        history.tests_failed,
        history.tests_failed / (1 + history.tests_failed + history.tests_passed),
        -1.0 if history.last_test == "failed" else float(history.last_test == "passed"),
        history.commits_turn,
        history.parallel,
        float(last is not None and last.result_chars < 0),
        _scaled(history.text_chars),
        float(min(history.text_age, TEXT_AGE_MAX)) if history.text_age >= 0 else TEXT_AGE_MAX,
        *(history.wording or _NOTHING_SAID),
        _scaled(history.human_chars),
        float(history.human_asks),
        history.todo_pending,
        history.todo_done,
        history.todo_pending / (1 + history.todo_pending + history.todo_done),
        float(history.todo_active),
        history.files_edited,
        history.files_read,
        history.files_waiting,
        history.scratch_written,
        history.scratch_run,
        float(history.scratch_open),
        history.source_edits,
        history.test_edits,
        _scaled(history.chars_since_edit),
        history.reverts,
    )
    one = _shrunk(history.likewise, EDIT_SHARE)
    gap = (history.steps - history.edit_steps) / history.edit_bursts if history.edit_bursts else -1.0
    numbers += (
        one,
        history.likewise[0],
        _shrunk(history.likewise_two, one),
        history.likewise_two[0],
        (history.edit_steps + EDIT_SHARE * 10) / (history.steps + 10),
        gap,
        history.actions_since_edit / (1 + gap) if gap >= 0 else -1.0,
        history.edit_steps / history.edit_bursts if history.edit_bursts else -1.0,
        history.edit_run,
        trouble.failing_verifications,
        trouble.reverted_edits,
        trouble.invalid_calls,
        trouble.repeats,
    )
    return tuple(numbers)


def _action(action: Action) -> tuple[float, ...]:
    programs = action.programs
    return (
        float(action.fault),
        _scaled(action.result_chars) if action.result_chars >= 0 else -1.0,
        action.result_lines,
        _scaled(action.argument_chars),
        _FILE_NUMBER[kind_of_file(action.paths[0])] if action.paths else -1.0,
        len(action.paths),
        len(programs),
        float(any(program.startswith("git ") for program in programs)),
        float("git commit" in programs),
        float(not _LOOKS_AT_CHANGES.isdisjoint(programs)),
        float(any(program.startswith("python") for program in programs)),
        float("rm" in programs),
        float("sed" in programs),
        float("sleep" in programs),
        float(action.tool.lower() in SHELLS),
        float(action.part),
        float(0 <= action.result_chars < EMPTY_CHARS_MAX),
    )


def _scaled(chars: int) -> float:
    """Lengths in doublings, to one decimal."""
    return round(log2(1 + chars), 1) if chars > 0 else 0.0


def _shrunk(cases: tuple[int, int], towards: float) -> float:
    times, edits = cases
    return (edits + 4 * towards) / (times + 4)


assert Fault.NONE == 0
