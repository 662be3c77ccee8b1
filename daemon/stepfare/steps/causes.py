"""What may speak for or against an edit, in words for a reader: every feature belongs to one cause, and a cause can say how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stepfare.core.step import Action, Fault, StepFeatures
from stepfare.steps.file_kinds import kind_of_file
from stepfare.steps.vector import FEATURE_NAMES, SHELLS
from stepfare.steps.wording import FAMILIES

SPOKEN_ACTIONS = 4
SPOKEN_WORDS = 4


@dataclass(frozen=True, slots=True)
class Cause:
    """`features` are the beginnings of the names that belong to it; the first cause that fits a name has it. `say` puts it into words."""

    name: str
    features: tuple[str, ...]
    say: Callable[[StepFeatures], str]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _last(features: StepFeatures) -> str:
    if not features.actions_since_human or not features.recent:
        return "the human has just spoken"
    return f"the last action was {_spoken(features.recent[-1])}"


_FAULTS = {
    Fault.NONE: "",
    Fault.FAILED: " that failed",
    Fault.BROKEN: " that found something broken",
    Fault.REFUSED: " that was refused",
    Fault.INVALID: " that the client could not read",
}


def _spoken(action: Action) -> str:
    what = action.kind.value
    program = next((program for program in action.programs if program.startswith("git ")), "")
    path = action.paths[0].replace("\\", "/").rpartition("/")[2] if action.paths else ""
    where = f" of {'a part of ' if action.part else ''}{path} ({kind_of_file(action.paths[0]).value})" if path else ""
    return f"{program or what}{where}{_FAULTS[action.fault]}"


def _result(features: StepFeatures) -> str:
    chars = features.recent[-1].result_chars if features.recent else -1
    if chars <= 0:
        return "its result said nothing" if chars == 0 else "its result is not there yet"
    return f"its result has {_count(chars, 'character')}"


def _before(features: StepFeatures) -> str:
    seen = features.recent[max(0, len(features.recent) - features.actions_since_human) :][-SPOKEN_ACTIONS:]
    return "before that: " + (", ".join(action.kind.value for action in seen[:-1]) or "nothing")


def _turn(features: StepFeatures) -> str:
    seen = features.recent[max(0, len(features.recent) - features.actions_since_human) :]
    counts: dict[str, int] = {}
    for action in seen:
        counts[action.kind.value] = counts.get(action.kind.value, 0) + 1
    listed = ", ".join(f"{count} x {kind}" for kind, count in sorted(counts.items(), key=lambda item: -item[1])[:SPOKEN_ACTIONS])
    return f"of late: {listed}" if listed else "nothing was done yet"


def _file(features: StepFeatures) -> str:
    edits = features.history.last_file_edits
    return f"its file was edited {_count(edits, 'time')}" if edits else "its file was not edited yet"


def _edit(features: StepFeatures) -> str:
    history = features.history
    if not history.edits:
        return "nothing was edited yet"
    return f"{_count(history.actions_since_edit, 'action')} since the last edit, {_count(history.edits_turn, 'edit')} in this turn"


def _tests(features: StepFeatures) -> str:
    history = features.history
    if not history.last_test:
        return "no test was run yet"
    return f"the last test {history.last_test}, {_count(history.edits_since_test, 'edit')} since"


def _text(features: StepFeatures) -> str:
    wording = features.history.wording
    if not wording:
        return "the model has written no text"
    said = sorted((-count, family) for family, count in zip(FAMILIES, wording, strict=True) if count and family.isalpha())
    words = ", ".join(family for _, family in said[:SPOKEN_WORDS])
    return f"the model wrote of {words}" if words else "the model wrote a few words"


def _human(features: StepFeatures) -> str:
    return f"{_count(features.actions_since_human, 'action')} since the human spoke"


def _todo(features: StepFeatures) -> str:
    history = features.history
    return f"{_count(history.todo_pending, 'item')} open on its todo list, {history.todo_done} done"


def _habit(features: StepFeatures) -> str:
    times, edits = features.history.likewise_two
    if not times:
        times, edits = features.history.likewise
    if not times:
        return "there was no such moment in this conversation yet"
    return f"in this conversation {edits} of {_count(times, 'such moment')} led to an edit"


def _place(features: StepFeatures) -> str:
    history = features.history
    return f"step {history.steps + 1:,} of the conversation, {_count(history.files_edited, 'file')} edited, {history.files_read} read"


def _trouble(features: StepFeatures) -> str:
    return f"{_count(features.failures, 'failure')} in a row" if features.failures else "no failures of late"


def _shell(features: StepFeatures) -> str:
    through = sum(action.tool.lower() in SHELLS for action in features.recent)
    return f"{through} of the last {_count(len(features.recent), 'action')} went through the shell"


CAUSES: tuple[Cause, ...] = (
    Cause("result", ("last1_result", "last1_empty", "unanswered"), _result),
    Cause("last", ("last1_",), _last),
    Cause("before", ("last2_", "last3_", "last4_", "last5_", "last6_", "last7_"), _before),
    Cause("file", ("same_file", "last_file_met", "last_file_edits", "last_file_reads", "last_file_named", "named_by_human"), _file),
    Cause("test", ("tests_", "last_test", "edits_since_test", "reads_since_test", "actions_since_test", "failing_", "commits"), _tests),
    Cause("turn", ("since_human",), _human),
    Cause("late", ("since_", "count_", "few_", "same_kind_run", "files_recent", "parallel"), _turn),
    Cause("edit", ("edit_habit",), _habit),
    Cause("habit", ("likewise", "gap_", "run_habit", "edit_run"), _habit),
    Cause("edits", ("edit_", "edits_", "actions_since_edit", "reads_since_edit", "files_since_edit", "chars_since_edit"), _edit),
    Cause("text", ("text_", "says_"), _text),
    Cause("human", ("human",), _human),
    Cause("todo", ("todo_",), _todo),
    Cause("trouble", ("failed_recent", "failures", "reverted_", "invalid_", "repeats", "reverts"), _trouble),
    Cause("shell", ("shell_share", "last_file_absolute"), _shell),
    Cause("place", ("",), _place),
)


def _cause_of(name: str) -> int:
    return next(place for place, cause in enumerate(CAUSES) if any(name.startswith(beginning) for beginning in cause.features))


CAUSE_OF: tuple[int, ...] = tuple(_cause_of(name) for name in FEATURE_NAMES)
"""The cause of each feature, by its place."""
