"""A conversation folded turn by turn into the facts that a step's features are made of; a step costs what is new.

A `Trail` stands for the conversation up to one turn. It is kept by that turn's digest and never changed again: the next step goes on
from a copy. A conversation that is met in its middle is folded from a bounded way back. What a call does and whether it went wrong is
the business of `toolmap` and `results`; what follows from the facts, that of `features` and those who read them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from typing import TypeAlias

from stepfare.core.request import RequestView, Role, Tool, ToolCall, ToolResult, Turn
from stepfare.core.step import Action, ActionKind, Fault, FileKind, Trouble
from stepfare.steps import clients
from stepfare.steps.envelopes import words_of_turn
from stepfare.steps.file_kinds import kind_of_file
from stepfare.steps.polling import asks_about, goes_on_as
from stepfare.steps.repeating import repeats_in
from stepfare.steps.results import fault_of
from stepfare.steps.todos import Todos, todos_after
from stepfare.steps.toolmap import action_of
from stepfare.steps.trouble import LET_DOWN_STEPS, evidence
from stepfare.steps.undoing import EVERYTHING, swaps_of
from stepfare.steps.xml_tools import calls_in, results_in

TURNS_MET_MAX = 40
"""How far back a conversation is folded that is met in its middle; before that it is only estimated."""
TURNS_NEW_MAX = 64
"""How far back the turn is looked for up to which a conversation is known."""
SPREAD = {"responses": 3}
"""Where a thought, a text, a call and its result are turns of their own, a step takes so many times more of them."""
WINDOW = 24
"""How many of the last actions are kept one by one; more are only counted."""
FILES_KEPT_MAX = 128
SWAPS_KEPT_MAX = 128
RUNNING_KEPT_MAX = 16
TRAILS_KEPT_MAX = 256
PART_CHARS = 2_048
"""Of a call's arguments, in which is looked for what says that it looks at some lines only."""

EDITS = frozenset({ActionKind.EDIT, ActionKind.WRITE})
READS = frozenset({ActionKind.READ, ActionKind.SEARCH, ActionKind.LIST})
_COMMANDS = frozenset({ActionKind.TEST, ActionKind.RUN})
_MISSING = "result missing"
"""What classic Cline sends as a tool's result when the truth stands in the user's text that follows."""
_OBSERVATIONS = ("<returncode>", "<output>", "Observation:", "<warning>", "<exception>")
"""How the texts begin in which an agent without tools is told what its shell said."""
_PART = (
    *('"offset"', '"limit"', '"view_range"', '"start_line"', '"end_line"', '"line_start"', '"head_limit"'),
    *("sed -n", "head -", "tail -", "| head", "| tail"),
)
"""What stands in a call that looks at some lines only."""
_IS_FILE = re.compile(r"\.\w{1,8}$")
DENSITY_CHARS = 800
TEXT_TAIL_CHARS = 300
"""Of what the model writes beside its calls, its end is kept: what it says last."""
_BLOCK_COMMAND = re.compile(r"```(?:bash|sh|mswea_bash_command)\s*\n(.*?)(?:\n```|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileTrail:
    """What was done to one file so far."""

    edits: int = 0
    reads: int = 0
    edits_turn: int = 0
    made: bool = False
    """Whether the agent itself wrote it first."""
    run: int = 0


@dataclass(slots=True)
class _Open:
    """A call whose result has not been seen; `place` is the number of its action, counted from the conversation's beginning."""

    call: ToolCall
    place: int
    running: str = ""
    """The command that it asks about, where it only looks how far that is."""


@dataclass(slots=True)
class Trail:
    """The facts of a conversation up to one turn. `*_turn` counts begin anew with each of the human's words."""

    protocol: str = ""
    turns: int = 0
    steps: int = 0
    places: int = 0
    """Calls so far; the number of the next one."""
    recent: tuple[Action, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
    """For each of the recent actions what stands for its call and for its result; equal within one process only."""
    places_of: tuple[int, ...] = ()
    """For each of the recent actions its number."""
    open: tuple[_Open, ...] = ()
    answered: bool = True
    """Whether something that is not the model's has been said since its last words."""
    running: dict[str, int] = field(default_factory=dict[str, int])
    """Commands that go on, with the number of the action that stands for each."""
    mode: str = ""
    workspace: str = ""
    human_words: str = ""
    humans: int = 0
    human_place: int = 0
    since_human: int = 0
    parallel: int = 0
    text_chars: int = 0
    edits: int = 0
    edits_turn: int = 0
    edits_since_test: int = 0
    reads_since_edit: int = 0
    reads_since_test: int = 0
    actions_since_edit: int = 0
    actions_since_test: int = 0
    tests_turn: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    failing_row: int = 0
    lifted: str = ""
    """Why the session counts as in trouble, and the step that showed evidence last."""
    lifted_step: int = 0
    last_test: str = ""
    commits_turn: int = 0
    invalid_turn: int = 0
    reverts: int = 0
    reverts_turn: int = 0
    stashed_turn: int = 0
    todos: Todos = field(default_factory=Todos)
    files: dict[str, FileTrail] = field(default_factory=dict[str, FileTrail])
    files_edited: int = 0
    files_read: int = 0
    swaps: dict[int, None] = field(default_factory=dict[int, None])
    scratch_written: int = 0
    scratch_run: int = 0
    scratch_open: bool = False
    source_edits: int = 0
    test_edits: int = 0
    waiting: dict[str, None] = field(default_factory=dict[str, None])
    chars_since_edit: int = 0
    text_tail: str = ""
    text_step: int = 0
    edits_step: int = 0
    edit_steps: int = 0
    edit_bursts: int = 0
    edit_run: int = 0
    habits: dict[Hashable, tuple[int, int]] = field(default_factory=dict[Hashable, tuple[int, int]])
    """For each situation in which the model was asked: how often, and how often it edited then."""
    situations: tuple[Hashable, ...] = ()

    def copy(self) -> Trail:
        """A trail to go on from; this one stays as it is."""
        made = Trail(**{name: getattr(self, name) for name in _NAMES})
        made.running, made.files, made.swaps = dict(self.running), dict(self.files), dict(self.swaps)
        made.waiting, made.habits = dict(self.waiting), dict(self.habits)
        return made


_NAMES = tuple(one.name for one in fields(Trail))


@dataclass(frozen=True, slots=True)
class _Kept:
    turns: int
    prefix: bytes
    trail: Trail


Trails: TypeAlias = dict[bytes, _Kept]
"""Where conversations were left, by the digest of their last turn, oldest forgotten first."""
TRAILS: Trails = {}
"""Those of the process."""


def trail_of(view: RequestView, protocol: str, trails: Trails = TRAILS) -> Trail:
    """The trail of this request's conversation; `protocol` says how the model acts where no tools are offered. Not to be changed.
    `trails` is where it is looked for and left."""
    turns, digests = view.turns, view.digests
    spread = SPREAD.get(view.dialect, 1)
    known = _known(trails, digests, protocol, TURNS_NEW_MAX * spread)
    if known is not None and known.turns == len(turns):
        return known
    if known is not None:
        trail = known.copy()
    else:
        bottom = max(0, len(turns) - TURNS_MET_MAX * spread)
        unseen = bottom // (2 * spread)
        trail = Trail(protocol=protocol, turns=bottom, steps=unseen, places=unseen)
    offered = {tool.name: tool for tool in view.tools}
    for index in range(trail.turns, len(turns)):
        _take(trail, turns[index], offered)
    trail.turns = len(turns)
    _judge(trail)
    if digests:
        trails.pop(digests[-1], None)
        while len(trails) >= TRAILS_KEPT_MAX:
            trails.pop(next(iter(trails)), None)
        trails[digests[-1]] = _Kept(len(turns), _prefix(digests, len(turns)), trail)
    return trail


def trouble_of(trail: Trail) -> Trouble:
    """The signs of trouble since the human's last words, as far back as single actions are kept."""
    since = min(trail.since_human, len(trail.recent))
    seen = trail.recent[len(trail.recent) - since :]
    row = next((count for count, action in enumerate(reversed(seen)) if not action.failed), len(seen))
    repeats = repeats_in(trail.marks[len(trail.marks) - since :])
    return Trouble(trail.failing_row, trail.reverts_turn, trail.invalid_turn, repeats, trail.since_human, row, trail.lifted)


def _judge(trail: Trail) -> None:
    """Before each step: what evidence lifts stays lifted for a while without it."""
    found = evidence(trouble_of(trail))
    if found:
        trail.lifted, trail.lifted_step = found, trail.steps
    elif trail.lifted and trail.steps - trail.lifted_step >= LET_DOWN_STEPS:
        trail.lifted = ""


def _known(trails: Trails, digests: tuple[bytes, ...], protocol: str, back_max: int) -> Trail | None:
    """The longest known beginning of this conversation that ends among its last turns."""
    for end in range(len(digests), max(0, len(digests) - back_max), -1):
        kept = trails.get(digests[end - 1])
        if kept is not None and kept.turns == end and kept.trail.protocol == protocol and kept.prefix == _prefix(digests, end):
            return kept.trail
    return None


def _prefix(digests: tuple[bytes, ...], end: int) -> bytes:
    return blake2b(b"".join(digests[:end]), digest_size=16).digest()


def text_calls(text: str, protocol: str) -> tuple[ToolCall, ...]:
    """The calls that an assistant's text makes under such a protocol."""
    if protocol == "xml":
        return calls_in(text)
    if protocol == "bash":
        found = _BLOCK_COMMAND.search(text)
        return (ToolCall("", "bash", json.dumps({"command": found.group(1)})),) if found is not None else ()
    return ()


def _take(trail: Trail, turn: Turn, offered: Mapping[str, Tool]) -> None:
    if turn.role is Role.ASSISTANT:
        _take_model(trail, turn, offered)
        return
    if turn.role is not Role.SYSTEM and not trail.answered:
        trail.answered = True
        _end_step(trail)
    text = turn.text if turn.role is Role.USER and trail.protocol else ""
    for block in turn.blocks:
        if isinstance(block, ToolResult) and block.text.strip() != _MISSING:
            found = next((one for one in trail.open if one.call.id == block.id and block.id), None)
            if found is not None:
                _settle(trail, found, block.text, block.failed)
    if text and trail.open:
        _settle_written(trail, text)
    mode, workspace = clients.marks_in(turn)
    trail.mode, trail.workspace = mode or trail.mode, workspace or trail.workspace
    words = words_of_turn(turn)
    if words and not (trail.protocol == "bash" and text.lstrip().startswith(_OBSERVATIONS)):
        _take_human(trail, words)


def _end_step(trail: Trail) -> None:
    """The model's turn is whole: what it did in which situation is a habit of this conversation."""
    edited = trail.edits_step > 0
    for situation in trail.situations:
        times, edits = trail.habits.get(situation, (0, 0))
        trail.habits[situation] = (times + 1, edits + edited)
    trail.edit_steps += edited
    trail.edit_bursts += edited and not trail.edit_run
    trail.edit_run = trail.edit_run + 1 if edited else 0


def situations_of(trail: Trail) -> tuple[Hashable, ...]:
    """Where a conversation stands: by its last action since the human spoke, and by its last two."""
    seen = [(action.kind, action.failed) for action in trail.recent[len(trail.recent) - min(trail.since_human, len(trail.recent)) :][-2:]]
    last = seen[-1] if seen else None
    return last, (seen[0] if len(seen) > 1 else None, last)


def _take_human(trail: Trail, words: str) -> None:
    trail.human_words = words
    trail.humans += 1
    trail.human_place = trail.places
    trail.since_human = trail.edits_turn = trail.tests_turn = trail.commits_turn = trail.invalid_turn = 0
    trail.reverts_turn = trail.stashed_turn = trail.failing_row = 0
    trail.lifted = ""
    trail.files = {path: replace(one, edits_turn=0) if one.edits_turn else one for path, one in trail.files.items()}


def _take_model(trail: Trail, turn: Turn, offered: Mapping[str, Tool]) -> None:
    if trail.answered:
        _judge(trail)
        trail.steps += 1
        trail.parallel = trail.text_chars = trail.edits_step = 0
        trail.open = ()
        trail.situations = situations_of(trail)
        trail.answered = False
    text = turn.text
    trail.text_chars += len(text)
    if text.strip():
        trail.text_tail = (trail.text_tail * (trail.text_step == trail.steps) + text[-TEXT_TAIL_CHARS:])[-TEXT_TAIL_CHARS:]
        trail.text_step = trail.steps
    calls = [block for block in turn.blocks if isinstance(block, ToolCall)] or (text_calls(text, trail.protocol) if trail.protocol else ())
    for call in calls:
        _take_call(trail, call, offered.get(call.name))


def _take_call(trail: Trail, call: ToolCall, offered: Tool | None) -> None:
    trail.parallel += 1
    running = asks_about(call)
    place = trail.running.get(running, -1) if running else -1
    if place >= 0 and place in trail.places_of:
        # One action, told in two calls or more: it stands where it was looked at last.
        at = trail.places_of.index(place)
        action = replace(trail.recent[at], failed=False, fault=Fault.NONE)
        _drop(trail, at)
        fresh = place < trail.human_place
    else:
        asked = call.arguments[:PART_CHARS]
        part = any(mark in asked for mark in _PART)
        action = replace(action_of(call.name, call.arguments, offered), argument_chars=len(call.arguments), part=part)
        fresh = True
    place = trail.places
    trail.places += 1
    if running in trail.running:
        trail.running[running] = place
    trail.recent = (*trail.recent, action)[-WINDOW:]
    trail.marks = (*trail.marks, (hash((call.name, call.arguments)) if not running else place, 0))[-WINDOW:]
    trail.places_of = (*trail.places_of, place)[-WINDOW:]
    trail.open = (*trail.open, _Open(call, place, running))
    if fresh:
        trail.since_human += 1
        _count(trail, action, call)


def _drop(trail: Trail, at: int) -> None:
    trail.recent = trail.recent[:at] + trail.recent[at + 1 :]
    trail.marks = trail.marks[:at] + trail.marks[at + 1 :]
    trail.places_of = trail.places_of[:at] + trail.places_of[at + 1 :]


def _count(trail: Trail, action: Action, call: ToolCall) -> None:
    """What follows from a call alone, whatever comes of it."""
    kind = action.kind
    trail.actions_since_edit += 1
    trail.actions_since_test += 1
    if kind in EDITS:
        trail.edits += 1
        trail.edits_turn += 1
        trail.edits_since_test += 1
        trail.edits_step += 1
        trail.reads_since_edit = trail.actions_since_edit = trail.chars_since_edit = 0
    elif kind in READS:
        trail.reads_since_edit += 1
        trail.reads_since_test += 1
    elif kind is ActionKind.TEST:
        trail.tests_turn += 1
        trail.edits_since_test = trail.reads_since_test = trail.actions_since_test = 0
    elif kind is ActionKind.TODO:
        trail.todos = todos_after(trail.todos, call)
    if "git commit" in action.programs:
        trail.commits_turn += 1
    _count_files(trail, action)
    if action.undone:
        _count_undone(trail, action)
    elif "git stash pop" in action.programs or "git stash apply" in action.programs:
        trail.reverts -= trail.stashed_turn
        trail.reverts_turn -= trail.stashed_turn
        trail.stashed_turn = 0


def _count_files(trail: Trail, action: Action) -> None:
    kind = action.kind
    for path in action.paths:
        if kind in EDITS:
            trail.waiting.pop(path, None)
        elif kind is ActionKind.READ or (kind is ActionKind.SEARCH and _IS_FILE.search(path)):
            trail.waiting[path] = None
        before = trail.files.pop(path, None)
        seen = before or FileTrail()
        if kind in EDITS:
            trail.files_edited += not seen.edits
            file = kind_of_file(path)
            trail.source_edits += file is FileKind.SOURCE
            trail.test_edits += file is FileKind.TEST
            made = seen.made or (before is None and kind is ActionKind.WRITE)
            if made and not seen.made:
                trail.scratch_written += 1
            trail.scratch_open = trail.scratch_open or made
            seen = replace(seen, edits=seen.edits + 1, edits_turn=seen.edits_turn + 1, made=made)
        elif kind in READS:
            trail.files_read += not seen.reads
            seen = replace(seen, reads=seen.reads + 1)
        elif kind in _COMMANDS and seen.made:
            trail.scratch_run += 1
            trail.scratch_open = False
            seen = replace(seen, run=seen.run + 1)
        trail.files[path] = seen  # The latest stands last.
    while len(trail.waiting) > FILES_KEPT_MAX:
        del trail.waiting[next(iter(trail.waiting))]
    while len(trail.files) > FILES_KEPT_MAX:
        del trail.files[next(iter(trail.files))]


def _count_undone(trail: Trail, action: Action) -> None:
    """Edits since the human's words that git throws away."""
    everything = EVERYTHING in action.undone
    hit = [path for path, one in trail.files.items() if one.edits_turn and (everything or _names(action.undone, path))]
    thrown = len(hit)
    for path in hit:
        trail.files[path] = replace(trail.files[path], edits_turn=0)
    trail.reverts += thrown
    trail.reverts_turn += thrown
    if "git stash" in action.programs or "git stash push" in action.programs:
        trail.stashed_turn += thrown


def _names(undone: tuple[str, ...], path: str) -> bool:
    """Whether one of these is that file, or a folder above it; agents name files in full and in part."""
    return any(path == one or path.endswith("/" + one.removeprefix("./")) or path.startswith(one.rstrip("/") + "/") for one in undone)


def _settle(trail: Trail, one: _Open, text: str, flagged: bool) -> None:
    """What came of a call."""
    trail.open = tuple(other for other in trail.open if other is not one)
    if one.place not in trail.places_of:
        return
    at = trail.places_of.index(one.place)
    action = trail.recent[at]
    fault = fault_of(action.kind, text, flagged=flagged)
    action = replace(
        action, failed=fault is not Fault.NONE, fault=fault, result_chars=len(text), result_lines=text.count("\n", 0, DENSITY_CHARS)
    )
    trail.recent = (*trail.recent[:at], action, *trail.recent[at + 1 :])
    trail.marks = (*trail.marks[:at], (trail.marks[at][0], hash(text)), *trail.marks[at + 1 :])
    trail.chars_since_edit += len(text) if action.kind not in EDITS else 0
    going_on = goes_on_as(text)
    if going_on:
        if len(trail.running) >= RUNNING_KEPT_MAX:
            del trail.running[next(iter(trail.running))]
        trail.running[going_on] = one.place
    else:
        trail.running.pop(one.running, None)
    if fault is Fault.INVALID:
        trail.invalid_turn += 1
    if action.kind is ActionKind.TEST and not going_on and fault is not Fault.INVALID:
        trail.tests_failed += action.failed
        trail.tests_passed += not action.failed
        trail.failing_row = trail.failing_row + 1 if action.failed else 0
        trail.lifted = trail.lifted if action.failed else ""
        trail.last_test = "failed" if action.failed else "passed"
    elif action.kind in EDITS and not action.failed:
        for done, back in swaps_of(one.call):
            if back in trail.swaps:
                trail.reverts += 1
                trail.reverts_turn += 1
                del trail.swaps[back]
            else:
                trail.swaps[done] = None
        while len(trail.swaps) > SWAPS_KEPT_MAX:
            del trail.swaps[next(iter(trail.swaps))]


def _settle_written(trail: Trail, text: str) -> None:
    """Results that stand in a user's text: under their tools' names, or the whole of it."""
    written = list(results_in(text))
    for one in trail.open:
        found = next((result for result in written if result.tool == one.call.name), None)
        if found is not None:
            written.remove(found)
            _settle(trail, one, found.text, False)
        elif not one.call.id:
            _settle(trail, one, text, False)
