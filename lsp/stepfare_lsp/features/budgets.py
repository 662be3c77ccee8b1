"""Budgets in the editor: the command that adds to one, and the question when one has stopped an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from stepfare.control.client import Daemon, Refused, Unreachable
from stepfare.control.protocol import Budgets, Extend, Proposal, Question, ScopeName
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.asking import NoAnswer, Result, asked_of_daemon, session_meant, shown
from stepfare_lsp.link import Online, State
from stepfare_lsp.places import is_inside

BY = "editor"
NOT_NOW = "Not now"
ASKED_MAX = 200
"""Questions that are remembered as asked."""
_SCOPES: dict[str, ScopeName] = {scope: scope for scope in get_args(ScopeName) if scope != "team"}


async def extend_budget(ls: StepfareServer, asked: Arguments) -> Result:
    """Add `usd` to the budget of `scope` (session, project, project-month, day, month), once. Without a scope the newest open question is
    answered, with the sum that it proposes where none is named. Raises JsonRpcInvalidParams."""
    if asked.scope is not None and asked.scope not in _SCOPES:
        raise JsonRpcInvalidParams(message=f"stepfare.extendBudget: `scope` is one of {', '.join(_SCOPES)}.")
    if asked.scope is not None and asked.usd is None:
        raise JsonRpcInvalidParams(message='stepfare.extendBudget needs a sum: {"scope": "day", "usd": 1.00}.')
    told = await asked_of_daemon(ls, lambda daemon: _extended(ls, daemon, asked))
    if told is None:
        return None
    added, budgets = told
    return shown(ls, budgets, present.extended_line(added))


async def _extended(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> tuple[list[Proposal], Budgets] | NoAnswer:
    proposals = await _meant(ls, daemon, asked)
    return proposals if isinstance(proposals, NoAnswer) else (proposals, await _add(daemon, proposals))


async def _meant(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> list[Proposal] | NoAnswer:
    pusd = None if asked.usd is None else int(asked.usd * present.PUSD_PER_USD)
    if asked.scope is None:
        questions = [one for one in (await daemon.budgets()).questions if asked.session in (None, one.session)]
        if not questions:
            return NoAnswer("No session waits for its budget to be extended. Say which: scope session, project, day or month.")
        return [one if pusd is None else one.model_copy(update={"pusd": pusd}) for one in questions[0].proposals]
    assert pusd is not None
    scope, subject = _SCOPES[asked.scope], ""
    if scope not in ("day", "month"):
        session = await session_meant(ls, daemon, asked)
        if isinstance(session, NoAnswer):
            return session
        subject = session.id if scope == "session" else session.project
    return [Proposal(scope=scope, subject=subject, pusd=pusd)]


async def _add(daemon: Daemon, proposals: Sequence[Proposal]) -> Budgets:
    told = Budgets()
    for one in proposals:
        told = await daemon.extend(one.scope, one.subject, Extend(pusd=one.pusd, by=BY))
    return told


class Asking:
    """Shows a question of a budget once, where the editor can: of a session that works in its folders, or nobody knows where."""

    def __init__(self, ls: StepfareServer) -> None:
        self._ls = ls
        self._asked: dict[tuple[str, int], None] = {}

    def update(self, state: State) -> None:
        if not isinstance(state, Online) or not state.overview.questions or not self._ls.can_ask:
            return
        folders = self._ls.folders()
        for question in state.overview.questions:
            key = (question.session, question.at_ms)
            elsewhere = question.workspace and folders and not any(is_inside(question.workspace, folder) for folder in folders)
            if key in self._asked or elsewhere:
                continue
            self._asked[key] = None
            while len(self._asked) > ASKED_MAX:
                del self._asked[next(iter(self._asked))]
            self._ls.run_aside(self._ask(question))

    async def _ask(self, question: Question) -> None:
        add = present.add_button(question)
        answer = await self._ls.window_show_message_request_async(
            types.ShowMessageRequestParams(
                types.MessageType.Warning,
                present.question_line(question),
                [types.MessageActionItem(add), types.MessageActionItem(NOT_NOW)],
            )
        )
        if answer is None or answer.title != add:
            return
        try:
            await self._ls.link.ask(lambda daemon: _add(daemon, question.proposals))
        except (Unreachable, Refused) as trouble:
            self._ls.say(trouble.failure.words if isinstance(trouble, Refused) else trouble.words, types.MessageType.Error)
            return
        self._ls.say(present.extended_line(question.proposals))
