"""What is known of a step before its call: facts without verdicts.

The conversation is folded by `trail`, the constant head (system text, tools) is read once by `clients`. Neither the head's length nor
its words count for anything else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache

from stepfare.core.request import RequestView
from stepfare.core.step import Action, ActionKind, History, StepFeatures
from stepfare.steps import clients
from stepfare.steps.envelopes import WORDS_CHARS_MAX
from stepfare.steps.rules import EMBEDDING
from stepfare.steps.side_calls import side_of
from stepfare.steps.trail import EDITS, TRAILS, FileTrail, Trail, Trails, situations_of, trail_of, trouble_of
from stepfare.steps.wording import wording_of

RECENT_MAX = 12
TOUCHING_MAX = 8
"""So many of the last actions put their files into play."""
FILES_MAX = 16
CACHED_WORDS = 64

_NAMED_FILE = re.compile(r"(?<![\w/\\.~:-])(?:/|\./|[A-Za-z]:[/\\])?(?:[\w.~-]+[/\\])*[\w~-][\w.~-]*\.[A-Za-z][A-Za-z0-9]{0,7}(?![\w/\\])")
"""A word with an extension, with folders or without. Words that lack a space after a full stop look so too; no glob matches them."""
_LOOKS_LIKE_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")
TOUCHING = frozenset({ActionKind.READ, *EDITS})


def features_of(view: RequestView, trails: Trails = TRAILS) -> StepFeatures:
    """The features of the step that this request asks for. `trails` is where its conversation is looked for and left."""
    client = clients.client_of(view.headers, view)
    protocol = "" if view.tools else clients.protocol_of(view)
    trail = trail_of(view, protocol or ("xml" if client == "cline-classic" else ""), trails)
    human = (trail.human_words or clients.first_words(view, len(view.turns)))[:WORDS_CHARS_MAX]
    workspace = trail.workspace or clients.workspace_of_head(view)
    trouble = trouble_of(trail)
    newest = trail.recent[-1 : -1 - TOUCHING_MAX : -1]
    return StepFeatures(
        client=client,
        mode=trail.mode or clients.mode_of_head(view, client),
        side=EMBEDDING if view.endpoint == "embedding" else "" if view.endpoint == "completion" else side_of(view),
        completion=view.endpoint == "completion",
        agent_loop=bool(view.tools) or bool(protocol),
        recent=trail.recent[-RECENT_MAX:],
        actions_since_human=trail.since_human,
        failures=max(trouble.failed_row, trouble.failing_verifications),
        files=_files(newest, human, workspace),
        human_words=human,
        workspace=workspace,
        trouble=trouble,
        history=_history(trail, human),
        max_output_tokens=view.max_output_tokens,
    )


def _history(trail: Trail, human: str) -> History:
    last = trail.recent[-1] if trail.recent else None
    situations = situations_of(trail)
    named = trail.files.get(last.paths[0], FileTrail()) if last is not None and last.paths else FileTrail()
    return History(
        steps=trail.steps,
        actions=trail.places,
        humans=trail.humans,
        edits=trail.edits,
        edits_turn=trail.edits_turn,
        edits_since_test=trail.edits_since_test,
        reads_since_edit=trail.reads_since_edit,
        reads_since_test=trail.reads_since_test,
        actions_since_edit=trail.actions_since_edit,
        actions_since_test=trail.actions_since_test,
        tests_turn=trail.tests_turn,
        tests_passed=trail.tests_passed,
        tests_failed=trail.tests_failed,
        last_test=trail.last_test,
        commits_turn=trail.commits_turn,
        parallel=trail.parallel,
        text_chars=trail.text_chars,
        human_chars=len(human),
        human_asks=human.rstrip().endswith("?"),
        todo_pending=trail.todos.pending,
        todo_done=trail.todos.done,
        files_edited=trail.files_edited,
        files_read=trail.files_read,
        last_file_edits=named.edits,
        last_file_reads=named.reads,
        scratch_written=trail.scratch_written,
        scratch_run=trail.scratch_run,
        scratch_open=trail.scratch_open,
        source_edits=trail.source_edits,
        test_edits=trail.test_edits,
        reverts=trail.reverts,
        files_waiting=len(trail.waiting),
        chars_since_edit=trail.chars_since_edit,
        edit_steps=trail.edit_steps,
        edit_bursts=trail.edit_bursts,
        edit_run=trail.edit_run,
        likewise=trail.habits.get(situations[0], (0, 0)),
        likewise_two=trail.habits.get(situations[1], (0, 0)),
        todo_active=trail.todos.active,
        wording=wording_of(trail.text_tail),
        text_age=trail.steps - trail.text_step if trail.text_tail else -1,
        named_by_human=bool(last is not None and last.paths and _base(last.paths[0]) in human),
    )


def _base(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or "\0"


def _files(actions: Sequence[Action], words: str, workspace: str) -> tuple[str, ...]:
    """Files in play: those that the latest actions touched, the latest first, then those that the human names."""
    found: dict[str, None] = {}
    for action in actions:
        if action.kind is ActionKind.LIST:
            continue
        for path in action.paths:
            if action.kind in TOUCHING or _LOOKS_LIKE_FILE.search(path):
                found[_relative(path, workspace)] = None
    for path in _named(words):
        found[_relative(path, workspace)] = None
    found.pop("", None)
    return tuple(found)[:FILES_MAX]


@lru_cache(maxsize=CACHED_WORDS)
def _named(words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(match.group() for match in _NAMED_FILE.finditer(words)))[:FILES_MAX] if "." in words else ()


def _relative(path: str, workspace: str) -> str:
    """A path in one form: forward slashes, relative to the workspace where it lies inside it."""
    path = path.strip("@").replace("\\", "/")
    workspace = workspace.replace("\\", "/")
    if workspace and path.lower().startswith(workspace.lower() + "/") and (path.startswith(workspace) or workspace[1:2] == ":"):
        path = path[len(workspace) + 1 :]
    elif path == workspace:
        return ""
    if path.startswith(".") or "/." in path or "//" in path or path.endswith("/"):
        path = posixpath.normpath(path)
    return "" if path == "." else path
