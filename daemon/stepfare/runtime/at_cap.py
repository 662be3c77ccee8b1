"""What happens where a budget leaves no room for a step: the client is asked, or refused, in words that say how to go on.

One place for all formats. A question is the turn's answer, so that an agent's loop ends and its conversation stays whole; who could not
read it as one gets an error of the status that its client takes as final. A call beside a conversation (a title, a summary) is refused
without a question: nobody would see it, and a summary made of it would take the place of what was said.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import msgspec

from stepfare.core.budget import Cap, Question, Reached, Scope
from stepfare.core.decision import Decision
from stepfare.core.digest import reply_digest
from stepfare.core.money import PUSD_PER_USD, Usage, usd, usd_text
from stepfare.core.prompt import Prompt
from stepfare.dialects.base import STOP, Finished, TextDelta, UsageReported
from stepfare.dialects.table import DIALECTS
from stepfare.routing.budget import proposed_pusd, reached
from stepfare.runtime.answering import Daemon, Reply
from stepfare.runtime.consider import Asked
from stepfare.runtime.refusals import Refusal
from stepfare.runtime.told import headers_of, record_of
from stepfare.runtime.turn import Turn

ASK = "ask"
CONVERSING = frozenset({"openai", "anthropic", "responses"})
"""Formats in which an answer is a message that a person reads; counts, vectors and completions are read by programs."""
RESTLESS = frozenset({"cline-classic", "mini-swe-agent", "openhands"})
"""Agents that take a turn without an action for a mistake of the model's, and ask again."""
ENDING_TOOLS = frozenset({"submit_and_exit"})
"""Where one of these is offered, the agent goes on until it is called."""
MAKER = "stepfare/budget"
HEADER = "x-stepfare-budget"
ANEW: Mapping[Scope, str] = {
    Scope.DAY: "at midnight",
    Scope.PROJECT: "at midnight",
    **dict.fromkeys((Scope.MONTH, Scope.PROJECT_MONTH, Scope.TEAM), "on the first of next month"),
}
_FREE = ("", "auto", "none")


async def at_cap(refusal: Refusal, decision: Decision, turn: Turn, asked: Asked, reply: Reply, daemon: Daemon) -> Refusal | None:
    """Ask the user where the conversation can carry the question, and return None; else the refusal to give, which says how to go on.
    Why nobody served the step is kept for `explain` in either case."""
    state, now_ms = daemon.state, daemon.world.now_ms()
    session = state.sessions.get(asked.session.id) or asked.session
    found = reached(decision, turn.floor.tier, asked.view, asked.snapshot, state.caps(asked.session, asked.workspace))
    if found is None:
        return refusal
    if turn.attempts:
        # What was decided when there was room stands under its own name.
        decision = replace(decision, id=daemon.world.new_id("d"), ranked=())
    await daemon.books.note((decision.id, session.id, record_of(decision, [standing(cap) for cap in found.caps])))
    question = question_of(found, asked, now_ms)
    if found.caps[0].on_limit != ASK or asked.features.side or not question.asks:
        return replace(refusal, words=refused_words(question, found))
    if state.budgets.ask(question):
        daemon.books.say("budget", session.id, question.words)
    if not carries(asked):
        return replace(refusal, words=refused_words(question, found))
    words = words_of(question, found, turn)
    state.sessions.told(session, asked.identity.chain, len(asked.view.turns), reply_digest(words))
    answer = said(words, decision.id, asked, turn, daemon.world.new_id("a"), now_ms)
    headers = headers_of(asked, None, turn.attempts, simulated=state.play.simulated)
    headers |= {"x-stepfare-decision": decision.id, HEADER: f"{found.caps[0].scope} reached"}
    if asked.view.stream:
        await reply.stream(headers, answer)
        await reply.end()
    else:
        cost = {} if turn.spent_pusd is None else {"x-stepfare-cost-usd": usd_text(turn.spent_pusd)}
        await reply.whole(200, headers | cost, answer)
    return None


def carries(asked: Asked) -> bool:
    """Whether a message in the place of the answer is read by a person and ends the turn."""
    view, features = asked.view, asked.features
    return (
        view.dialect in CONVERSING
        and features.client not in RESTLESS
        and ENDING_TOOLS.isdisjoint(tool.name for tool in view.tools)
        and not _bound(asked.translation.prompt)
    )


def question_of(found: Reached, asked: Asked, now_ms: int) -> Question:
    """What is asked, and what to add to each cap so that the step has room."""
    # What a team may spend is not for one of its members to extend.
    asked_for = tuple((cap, proposed_pusd(cap, found)) for cap in found.caps) if Scope.TEAM not in {cap.scope for cap in found.caps} else ()
    return Question(asked.session.id, asked.features.client, now_ms, _headline(found.caps), asked_for, asked.workspace.root)


def words_of(question: Question, found: Reached, turn: Turn) -> str:
    """What happened, what was spent of what, who set it, and how to go on: for a person, as Markdown and as plain text."""
    most = "" if found.most_pusd is None else f" It may cost up to {usd(found.most_pusd)} on {found.model}."
    done = "Nothing was sent for it." if not turn.attempts else "What a cheaper model answered did not do, and was dropped."
    lines = [f"stepfare: {question.words} {done}{most}", ""]
    lines += [f"- {standing(cap)}" for cap in found.caps]
    lines += ["", "To go on, run:", ""]
    lines += [f"    {command(cap, pusd)}" for cap, pusd in question.asks]
    lines += ["", "or run the command stepfare.extendBudget in your editor; then ask again. Your settings stay as they are."]
    return "\n".join(lines)


def refused_words(question: Question, found: Reached) -> str:
    """The same in one line, for an error."""
    stands = "; ".join(standing(cap) for cap in found.caps)
    if not question.asks:
        return f"stepfare: {question.words} {stands} Ask whoever keeps the team's budget to raise team_month_usd."
    return f"stepfare: {question.words} {stands} To go on: `{' && '.join(command(*each) for each in question.asks)}`."


def standing(cap: Cap) -> str:
    """One cap in a sentence."""
    of = {
        Scope.SESSION: "this session",
        Scope.PROJECT: f"{cap.subject} today",
        Scope.PROJECT_MONTH: f"{cap.subject} this month",
        Scope.DAY: "today",
        Scope.MONTH: "this month",
        Scope.TEAM: "this month by all who share the books",
    }
    reserved = f", {usd(cap.reserved_pusd)} more is reserved for answers under way" if cap.reserved_pusd else ""
    more = f", {usd(cap.extended_pusd)} of it added by you" if cap.extended_pusd else ""
    anew = ANEW.get(Scope(cap.scope))
    begins = f" It begins anew {anew}." if anew else ""
    return f"{usd(cap.spent_pusd)} of {usd(cap.cap_pusd)} is spent {of[Scope(cap.scope)]}{reserved}. Set by {cap.source}{more}.{begins}"


def command(cap: Cap, pusd: int) -> str:
    """What extends this cap by so much."""
    folder = shlex.quote(cap.subject)
    whose = {
        Scope.SESSION: f" --session {cap.subject}",
        Scope.PROJECT: f" --project {folder}",
        Scope.PROJECT_MONTH: f" --project {folder} --month",
        Scope.MONTH: " --month",
    }
    sum_ = f"{Decimal(pusd) / PUSD_PER_USD:.2f}"
    return f"stepfare budget extend --usd {sum_}{whose.get(Scope(cap.scope), ' --day')}"


def said(words: str, decision: str, asked: Asked, turn: Turn, answer_id: str, at_ms: int) -> bytes:
    """These words as a whole answer in the client's own format, streamed or not; behind what an answer had begun to say, where one had.
    It used nothing."""
    dialect, view = DIALECTS[asked.view.dialect], asked.view
    events = (UsageReported(Usage(0)), TextDelta(words), Finished(STOP))
    if not view.stream:
        return dialect.write_body(view, events, answer_id, at_ms, MAKER, _no_cost)
    writer = dialect.writer(view, answer_id, at_ms, MAKER, _no_cost)
    if turn.shown:
        writer.resume(turn.shown)
    return b"".join(writer.write(event) for event in events) + _comment(decision, asked, turn) + writer.end()


def _no_cost(_: UsageReported) -> str:
    return "0"


def _comment(decision: str, asked: Asked, turn: Turn) -> bytes:
    told = {"decision": decision, "session": asked.session.id, "attempts": turn.attempts, "budget": "reached"}
    return b": stepfare " + msgspec.json.encode(told) + b"\n\n"


def _headline(caps: tuple[Cap, ...]) -> str:
    names = " and ".join(dict.fromkeys(cap.scope for cap in caps))
    return f"the {names} budget leaves no room for this step."


def _bound(prompt: Prompt) -> bool:
    """Whether the client takes no plain text: it demands a call, or JSON."""
    return prompt.form is not None or prompt.tool_choice not in _FREE
