"""What editors tell of the workspaces that they have open, and how much of it a step may know. In memory only."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stepfare.core.step import EditorFacts

WORKSPACES_MAX = 200
DOCUMENTS_MAX = 500
"""Of one workspace; what an editor has open beyond that is left out."""
FILES_TOLD_MAX = 64
"""So many open files a step is told of."""
SESSIONS_MAX = 500


@dataclass(frozen=True, slots=True)
class Document:
    """An open file, relative to the root of its workspace, and how many problems the editor shows in it."""

    path: str
    errors: int = 0
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What an editor says of one workspace."""

    active: str = ""
    documents: tuple[Document, ...] = ()


class Editors:
    """Contexts by the root of their workspace, and the errors that each session knew of at its last step."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[str, Context] = OrderedDict()
        self._errors: OrderedDict[str, dict[str, int]] = OrderedDict()

    def tell(self, root: str, active: str, documents: Iterable[Document]) -> None:
        """What the editor sees now, in the place of what it told before. What lies outside the workspace is left out."""
        inside = [one for one in documents if _inside(one.path)][:DOCUMENTS_MAX]
        self._contexts[root] = Context(active if _inside(active) else "", tuple(inside))
        self._contexts.move_to_end(root)
        while len(self._contexts) > WORKSPACES_MAX:
            self._contexts.popitem(last=False)

    def forget(self, root: str) -> None:
        """As if no editor had ever told of it."""
        self._contexts.pop(root, None)

    def of(self, root: str) -> Context | None:
        return self._contexts.get(root)

    def facts(self, session: str, root: str) -> EditorFacts | None:
        """What a step of this session in that workspace may know; None where no editor has it open."""
        context = self._around(root)
        if context is None:
            return None
        errors = sum(one.errors for one in context.documents)
        before = self._errors.get(session)
        return EditorFacts(
            open_files=tuple(one.path for one in context.documents[:FILES_TOLD_MAX]),
            active_file=context.active,
            errors=errors,
            warnings=sum(one.warnings for one in context.documents),
            errors_change=_change(before, context.documents) if before is not None else 0,
        )

    def follow(self, session: str, root: str) -> None:
        """A step of this session has begun: its next one is told what has changed since."""
        context = self._around(root)
        if context is None:
            return
        self._errors[session] = {one.path: one.errors for one in context.documents}
        self._errors.move_to_end(session)
        while len(self._errors) > SESSIONS_MAX:
            self._errors.popitem(last=False)

    def _around(self, root: str) -> Context | None:
        """The context of this workspace, or else of the one that it lies in, or of one that lies in it."""
        if not root:
            return None
        found = self._contexts.get(root)
        if found is not None:
            return found
        for other in reversed(self._contexts):
            if _below(root, other) or _below(other, root):
                return self._contexts[other]
        return None


def _change(before: dict[str, int], documents: Sequence[Document]) -> int:
    """Errors that came, less those that went. What a file newly opened shows was there before, for all that is known."""
    return sum(one.errors - before[one.path] for one in documents if one.path in before)


def _inside(path: str) -> bool:
    return not path.startswith(("/", "~")) and ".." not in path.split("/")


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)
