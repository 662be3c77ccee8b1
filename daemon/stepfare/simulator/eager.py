"""How a model edits too early: an edit of its own, wrong and signed, in place of the look around that it should have had first.

Which models do so is one of the options. Everything else that such a model does is as in every play.
"""

from __future__ import annotations

from stepfare.core.model import Model
from stepfare.simulator.editblocks import hunks
from stepfare.simulator.intents import Replace
from stepfare.simulator.knowledge import Knowledge
from stepfare.simulator.plays import Phase, Wish, run_tests
from stepfare.simulator.project import SKIPPED, is_test, relevant, wants_repair
from stepfare.simulator.transcript import Scene


def signature(model: Model) -> str:
    """What stands in every edit that this model makes too early, and in its words about it; no wire format escapes any of it."""
    return f"edited too early by {model.id}"


def early_wish(model: Model, scene: Scene, known: Knowledge, phase: Phase, wish: Wish, *, together: bool) -> Wish | None:
    """The edit that takes the place of `wish`; None where no change is asked for, the file cannot be named yet, or tests are to be run.

    Every other time, where calls may be made `together`, the edit comes behind the look around instead of alone.
    """
    path = named(scene, known)
    if not path or phase.want is run_tests or scene.planning or not wants_repair(scene.task):
        return None
    looks = not any(isinstance(intent, Replace) for intent in wish.alternatives[0])
    sign = signature(model)
    if looks and any(sign in edit.whole for edit in known.edits):
        return None
    edit = signed(path, known, f"# {sign}, edit {len(known.edits) + 1}\n")
    words = f"I think that I know enough: {path} {sign}."
    behind = tuple((*intents, edit) for intents in wish.alternatives) if looks and together and len(scene.moves) % 2 else ()
    return Wish(words, (*behind, (edit,)))


def named(scene: Scene, known: Knowledge) -> str:
    """The file that the task is about, as far as is known; empty where it is not."""
    return next((path for path in relevant(scene, known) if path.endswith(".py") and not is_test(path) and not SKIPPED.search(path)), "")


def signed(path: str, known: Knowledge, line: str) -> Replace:
    """The file with this line above; where nobody read it yet, the line in place of all that it holds."""
    before = known.contents.get(path, "")
    if not before:
        return Replace(path, "", "", line)
    hunk = hunks(before, line + before)[0]
    return Replace(path, hunk.old, hunk.new, "" if path in known.partial else line + before)
