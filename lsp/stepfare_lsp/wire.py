"""What editors and this server say to each other beyond LSP: each message a model, each method a row. Editors' files are made from it.

The messages of the daemon that pass through unchanged are in `stepfare.control.protocol`. Commands are rows of `features.table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from stepfare.control import protocol
from stepfare.control.protocol import Message, Severity

REQUEST_FAILED = -32803
"""LSP's own code for a request that was right and could not be answered; its message is for a person."""

Mode = Literal["live", "simulator", "offline"]
Icon = Literal["session", "frugal", "balanced", "premium", "error", "running"]


class Spend(Message):
    """`stepfare/spend`: what a status bar shows. Sent on change, at most once a second."""

    text: str = Field(description="The line to show: `$0.42 . balanced`, or `stepfare is off`.")
    session: str | None = Field(default=None, description="The session that was active last in the editor's folders.")
    title: str = Field(default="", description="Its title, on one line.")
    workspace: str = Field(default="", description="The folder that it works in.")
    spent_pusd: int | None = Field(default=None, description="What it cost with its subagents, in picodollars.")
    today_pusd: int | None = Field(default=None, description="What today cost, in all projects.")
    tier: str | None = Field(default=None, description="The tier that served its last step.")
    severity: Severity = Field(default="info", description="warning near a budget, error at it: the only reason for colour.")
    mode: Mode = Field(description="offline: there is no daemon; simulator: play money.")
    tooltip: str = Field(default="", description="Some lines of Markdown: the session, its tiers, its pace, what was saved, its caps.")
    version: str = Field(default="", description="The daemon's; empty without one.")


class ContextDocument(Message):
    """An open file, and how many problems the editor shows in it."""

    uri: str
    errors: int = Field(default=0, ge=0)
    warnings: int = Field(default=0, ge=0)


class EditorContext(Message):
    """`stepfare/context`: what an editor has open in one of its folders. Nothing outside of the folder is passed on, and nothing at all
    where the folder is not trusted."""

    root: str = Field(description="The folder's URI.")
    active: str | None = Field(default=None, description="The URI of the file that the person looks at.")
    documents: list[ContextDocument] = Field(default_factory=list[ContextDocument])
    trusted: bool = True


class Nothing(Message):
    """A request that takes no arguments."""


class WhichSessions(Message):
    workspace: str | None = Field(default=None, description="A path or file URI; else the sessions of all folders.")
    limit: int = Field(default=20, ge=1, le=1_000)


class WhichSession(Message):
    session: str = Field(min_length=1, max_length=200)


class WhichDecision(Message):
    decision: str = Field(min_length=1, max_length=200)


class WhichRows(Message):
    session: str | None = Field(default=None, max_length=200, description="The session whose steps are wanted; without it, sessions.")


class Endpoint(Message):
    """Where a language model of the editor's own asks for answers, and with which token."""

    base_url: str = Field(description="Up to and with its version: http://127.0.0.1:4884/v1")
    token: str


class Row(Message):
    """One line of a tree: a session, or a step (its `id` is that of its decision)."""

    id: str
    label: str
    description: str = ""
    tooltip: str = Field(default="", description="Markdown.")
    icon: Icon
    expandable: bool = False


class Rows(Message):
    rows: list[Row]


class MenuItem(Message):
    """Something that can be done now: a command with its one argument."""

    label: str
    detail: str = ""
    command: str
    arguments: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])


class Menu(Message):
    items: list[MenuItem]


class LensOptions(Message):
    dotfile: bool = Field(default=True, description="Show today's spend and the last session above a project's .stepfare.toml.")
    files: bool = Field(default=False, description="Show above every file what agents spent on it in the last seven days.")


class Options(Message):
    """`initializationOptions`, and what `workspace/didChangeConfiguration` may change under the key `stepfare`."""

    trusted: bool = Field(default=True, description="Whether the person trusts the open folders.")
    lens: LensOptions = Field(default_factory=LensOptions)
    hints: bool = Field(default=True, description="Show spend beside the rules of a project's .stepfare.toml.")
    offer_to_start: bool = Field(default=True, description="Offer to start the daemon where something needs it and it is not running.")


@dataclass(frozen=True, slots=True)
class Method:
    """A request or notification of ours. `answer` is None for a notification."""

    name: str
    params: type[Message]
    answer: type[Message] | None
    to_server: bool
    words: str


METHODS = (
    Method("stepfare/spend", Spend, None, False, "What the status bar shows now."),
    Method("stepfare/context", EditorContext, None, True, "What the editor has open in a folder."),
    Method("stepfare/overview", Nothing, protocol.Overview, True, "The daemon's present state."),
    Method("stepfare/sessions", WhichSessions, protocol.Sessions, True, "Sessions, newest first."),
    Method("stepfare/session", WhichSession, protocol.SessionDetail, True, "A session with its steps."),
    Method("stepfare/decision", WhichDecision, protocol.Decision, True, "Why a step went where it went; `last` is the newest."),
    Method("stepfare/endpoint", Nothing, Endpoint, True, "Where to ask for answers of a model."),
    Method("stepfare/rows", WhichRows, Rows, True, "Lines of a tree of sessions and steps."),
    Method("stepfare/menu", Nothing, Menu, True, "What a click on the status bar offers."),
)

TO_SERVER = {method.name: method for method in METHODS if method.to_server}
