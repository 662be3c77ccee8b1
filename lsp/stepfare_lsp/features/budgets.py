"""Budgets in the editor: the command that adds to one, and the question when one has stopped an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from stepfare.control.client import Daemon, Refused, Unreachable
from stepfare.control.protocol import Budgets, Cap, Extend, Proposal, Question, ScopeName
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
SHARES = (1, 2, 4)
"""A quarter, half and all of what was allowed at first are offered."""
OF_SOMEBODY = ("session", "project", "project-month")
NO_QUESTION = "No session waits for its budget to be extended. Say which: scope session, project, project-month, day or month."
NO_BUDGET = "No session waits for its budget to be extended, and no budget holds here. Set one with `stepfare budget set`."
_SCOPES: dict[str, ScopeName] = {scope: scope for scope in get_args(ScopeName) if scope != "team"}


async def extend_budget(ls: StepfareServer, asked: Arguments) -> Result:
    """Add `usd` to the budget of `scope` (session, project, project-month, day, month), once. Without a scope the newest open question is
    answered, with the sum that it proposes where none is named. What is left open the person is asked for. Raises JsonRpcInvalidParams."""
    if asked.scope is not None and asked.scope not in _SCOPES:
        raise JsonRpcInvalidParams(message=f"stepfare.extendBudget: `scope` is one of {', '.join(_SCOPES)}.")
    if asked.scope is not None and asked.usd is None and not ls.can_ask:
        raise JsonRpcInvalidParams(message='stepfare.extendBudget needs a sum: {"scope": "day", "usd": 1.00}.')
    proposals = await asked_of_daemon(ls, lambda daemon: _meant(ls, daemon, asked))
    if not proposals:
        return None  # said already, or the person thought better of it
    budgets = await asked_of_daemon(ls, lambda daemon: _add(daemon, proposals))
    return None if budgets is None else shown(ls, budgets, present.extended_line(proposals))


async def _meant(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> list[Proposal] | NoAnswer:
    """What is to be added; nothing where the person was asked and did not say."""
    pusd = None if asked.usd is None else int(asked.usd * present.PUSD_PER_USD)
    if asked.scope is None:
        questions = [one for one in (await daemon.budgets()).questions if asked.session in (None, one.session)]
        if questions:
            return [one if pusd is None else one.model_copy(update={"pusd": pusd}) for one in questions[0].proposals]
        return await _asked_for(ls, await _caps(ls, daemon, asked), pusd)
    if pusd is None:
        return await _asked_for(ls, [cap for cap in await _caps(ls, daemon, asked) if cap.scope == asked.scope], pusd)
    scope, subject = _SCOPES[asked.scope], ""
    if scope in OF_SOMEBODY:
        session = await session_meant(ls, daemon, asked)
        if isinstance(session, NoAnswer):
            return session
        subject = session.id if scope == "session" else session.project
    return [Proposal(scope=scope, subject=subject, pusd=pusd)]


async def _caps(ls: StepfareServer, daemon: Daemon, asked: Arguments) -> Sequence[Cap]:
    """The caps that hold for the session that is meant, or those that hold anyway."""
    session = await session_meant(ls, daemon, asked)
    if not isinstance(session, NoAnswer) and session.budget is not None:
        return session.budget.caps
    return (await daemon.budgets()).caps


async def _asked_for(ls: StepfareServer, caps: Sequence[Cap], pusd: int | None) -> list[Proposal] | NoAnswer:
    """The cap and the sum that the person chooses."""
    named = {f"{cap.scope} ({present.left_of(cap)})": cap for cap in caps if cap.scope in _SCOPES}
    if not ls.can_ask or not named:
        return NoAnswer(NO_QUESTION if named else NO_BUDGET)
    chosen = next(iter(named)) if len(named) == 1 else await ls.choose("Which budget shall be extended?", list(named))
    if chosen is None:
        return []
    cap = named[chosen]
    if pusd is None:
        own = cap.cap_pusd - cap.extended_pusd
        sums = {present.money(own * share // SHARES[-1]): own * share // SHARES[-1] for share in SHARES}
        said = await ls.choose(f"How much shall be added to the {cap.scope} budget, {present.left_of(cap)}?", list(sums))
        if said is None:
            return []
        pusd = sums[said]
    return [Proposal(scope=cap.scope, subject=cap.subject, pusd=pusd)]


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
        if await self._ls.choose(present.question_line(question), [add, NOT_NOW], types.MessageType.Warning) != add:
            return
        try:
            await self._ls.link.ask(lambda daemon: _add(daemon, question.proposals))
        except (Unreachable, Refused) as trouble:
            self._ls.say(trouble.failure.words if isinstance(trouble, Refused) else trouble.words, types.MessageType.Error)
            return
        self._ls.say(present.extended_line(question.proposals))
