"""The door of editors (`workspaces/{id}`): a workspace as editor and daemon know it."""

from __future__ import annotations

from pydantic import Field

from stepfare.control.protocol.base import Message, Totals
from stepfare.control.protocol.overview import Problem
from stepfare.control.protocol.sessions import Session


class EditorDocument(Message):
    path: str
    errors: int = 0
    warnings: int = 0


class Workspace(Message):
    """A workspace as editor and daemon know it. Paths are relative to the root; nothing outside it is kept."""

    id: str = ""
    root: str
    branch: str = ""
    trusted: bool = True
    active: str = ""
    documents: list[EditorDocument] = Field(default_factory=list[EditorDocument])
    dotfile: str | None = None
    problems: list[Problem] = Field(default_factory=list[Problem])
    today: Totals = Field(default_factory=Totals)
    last_session: Session | None = None
