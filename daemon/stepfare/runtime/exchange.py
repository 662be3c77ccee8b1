"""One request from door to door: the only place where deciding and doing alternate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Decision, Floor, Ranked
from stepfare.core.entry import Settled, Voided
from stepfare.core.request import RequestView
from stepfare.dialects.base import Unreadable
from stepfare.dialects.lessons import ONCE
from stepfare.dialects.table import DIALECTS
from stepfare.ledger.claims import OverCap
from stepfare.routing.failover import ATTEMPTS_MAX, Failed, GiveUp, Try, next_move
from stepfare.routing.filters import said_of, within_budget
from stepfare.runtime.answering import Attempt, Daemon, Reply
from stepfare.runtime.at_cap import at_cap
from stepfare.runtime.carriage import Carriage, carriage_for
from stepfare.runtime.consider import Asked, consider
from stepfare.runtime.entries import Run, closing, opening
from stepfare.runtime.refusals import BUDGET_REACHED, Refusal, in_words_of, overspent, refusal_of, unbooked
from stepfare.runtime.state import State
from stepfare.runtime.told import headers_of, record_of
from stepfare.runtime.turn import Turn
from stepfare.sessions.named import named
from stepfare.store.errors import StoreError
from stepfare.upstream.client import CallFailed

_log = logging.getLogger(__name__)

OVERTAKEN_MAX = 4
"""So often a step is decided anew because others were quicker to spend what was left."""
THOUGHTS_REFUSED = "thoughts-refused"


async def exchange(view: RequestView, reply: Reply, daemon: Daemon) -> None:
    """Carry one request to a provider and its answer back, and write down what it cost. Raises BadRequest."""
    world, state = daemon.world, daemon.state
    await daemon.books.look()
    told = named(view).session
    await daemon.books.recall(state.let_go(told) if told else ())
    asked = consider(view, state, now_ms=world.now_ms(), new_session=world.new_id("s"), decision_id=world.new_id("d"))
    merged = state.let_go(*state.merged_with(asked.session.id))
    if merged:
        await daemon.books.recall(merged)
        asked = consider(view, state, now_ms=world.now_ms(), new_session=world.new_id("s"), decision_id=world.new_id("d"))
    drift = _drifted(asked, state)
    asked = replace(asked, drift=drift) if drift else asked
    state.surroundings.follow(asked.session.id, asked.workspace, asked.features)
    if view.stream:
        reply.waiting(lambda: headers_of(asked, None, 0, simulated=state.play.simulated))
    turn = Turn(asked.decision.floor)
    failed: list[Failed] = []
    again: Ranked | None = None
    once: list[str] = []
    overtaken = 0
    while True:
        decision = _by_now(asked, state) if turn.attempts or overtaken else asked.decision
        match Try(again) if again else next_move(decision, failed, started=turn.begun, at_least=turn.at_least):
            case Try(ranked, after_ms):
                if after_ms:
                    await asyncio.sleep(after_ms / 1000)
                turn.attempts += 1
                try:
                    end = await _attempt(ranked, turn, asked, once, reply, daemon)
                except OverCap as over:
                    # Others have spent it since we last heard of them: what they spent is learnt, and it is decided anew.
                    turn.attempts -= 1
                    overtaken += 1
                    if overtaken == OVERTAKEN_MAX:
                        await _refuse(overspent(over), turn, asked, reply, daemon)
                        return
                    await daemon.books.look()
                    continue
                except StoreError as error:
                    turn.attempts -= 1
                    await _refuse(unbooked(str(error)), turn, asked, reply, daemon)
                    return
                if end.fault is None:
                    state.served(ranked.candidate)
                    if end.needs is None:
                        state.tokenizer.learn(view)
                        return
                    again = None
                    turn.escalate(end.needs, end.cost_pusd)
                    if turn.shown:
                        reply.waiting(dict)  # Behind the words that the client has, it waits anew.
                    continue
                # What a refusal teaches is heeded at once; what it teaches about a model, by every later call too.
                heeded = turn.attempts < ATTEMPTS_MAX and not turn.begun and _learnt(end.lesson, ranked, once, asked, state)
                again = ranked if heeded else None
                if again is None:
                    state.failed(ranked.candidate, _blamed(end.fault, started=turn.begun))
                    failed.append(Failed(ranked.candidate.model.id, end.fault))
            case GiveUp() as verdict:
                refusal = refusal_of(verdict, decision, turn.floor, failed)
                if refusal.code == BUDGET_REACHED:
                    refusal = await at_cap(refusal, decision, turn, asked, reply, daemon)
                if refusal is not None:
                    await _refuse(refusal, turn, asked, reply, daemon)
                return


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt ended: with a fault, and what it teaches about the model, if anything; with the floor that its answer turned out to
    need; or else with the client having its answer."""

    fault: Fault | None = None
    lesson: str = ""
    needs: Floor | None = None
    cost_pusd: int | None = 0
    """What a dropped answer cost; None where that is not known."""


async def _attempt(ranked: Ranked, turn: Turn, asked: Asked, once: Sequence[str], reply: Reply, daemon: Daemon) -> _End:
    """One try at one candidate, booked whatever becomes of it."""
    run = Run(daemon.world.new_id("a"), ranked, turn.floor, daemon.world.now_ms())
    carriage = carriage_for(asked, ranked.candidate, daemon.state, once)
    first = turn.attempts == 1
    record = (asked.decision.id, asked.session.id, record_of(asked.decision, _notes(asked, ranked, carriage))) if first else None
    entries = opening(asked, run, titles=daemon.state.settings.privacy.titles, user=daemon.state.user)
    claims = daemon.state.claims(asked.session, asked.workspace, ranked.candidate.model.tier)
    await daemon.books.reserve(*entries, decision=record, claims=claims)
    closed: Settled | Voided | None = None
    try:
        async with daemon.upstream.open(carriage.call, run.goes_out) as answer:
            run.fault = await Attempt(run, turn, asked, carriage, reply, daemon).carry(answer)
    except CallFailed as failure:
        run.fault = failure.fault
    except Unreadable as error:
        run.fault = Fault(Failure.CUT if turn.begun else Failure.DOWN, str(error), 200)
    finally:
        if not run.closed:
            closed = closing(asked, run, daemon.state, daemon.world.now_ms())
            await daemon.books.close_surely(closed)
    if run.fault is not None:
        return _End(carriage.shown(run.fault), carriage.lesson(run.fault))
    daemon.keeper.remember(asked, ranked, carriage)
    return _End(needs=run.needs, cost_pusd=closed.cost_pusd if isinstance(closed, Settled) else 0)


async def _refuse(refusal: Refusal, turn: Turn, asked: Asked, reply: Reply, daemon: Daemon) -> None:
    """Tell the client, in its own words, why there is no (further) answer."""
    dialect = DIALECTS[asked.view.dialect]
    if reply.opened:
        # Nothing may look finished that is not: the error event where nobody is in the middle of an answer, then a broken connection.
        if not turn.begun:
            await reply.stream({}, dialect.error_event(refusal.words, refusal.code))
        reply.cut()
        return
    refusal = in_words_of(dialect.name, asked.features.client, refusal)
    headers = headers_of(asked, None, turn.attempts, simulated=daemon.state.play.simulated) | refusal.headers
    await reply.whole(refusal.status, headers, refusal.body or dialect.write_error(refusal.status, refusal.words, refusal.code))


def _by_now(asked: Asked, state: State) -> Decision:
    """The decision with those left out for whom there is no budget any more."""
    return within_budget(asked.decision, asked.view, state.caps(asked.session, asked.workspace))


def _drifted(asked: Asked, state: State) -> str:
    """What the client changed of what it had sent before, in words: whose cache it costs is not a riddle to anybody."""
    session = asked.session
    drift = state.footprints.follow(session.id, asked.view, side=asked.features.side, last_tokens=session.last_prompt_tokens)
    if drift is None:
        return ""
    # What was thought after the change was thought of other words.
    state.keepsakes.forget(session.id)
    if not drift.blamed:
        return drift.what
    words = f"{drift.what}: about {drift.lost_tokens:,} tokens of the provider's cache are lost"
    _log.warning("session %s: %s", session.id, words)
    return words


def _notes(asked: Asked, ranked: Ranked, carriage: Carriage) -> list[str]:
    """What besides the reasons of the choice is to be known of this step."""
    changed = [f"for {ranked.candidate.model.id}: {words}" for words in carriage.changed]
    changed += [said_of(cap) for cap in asked.snapshot.caps if cap.extended_pusd]
    return [asked.drift, *changed] if asked.drift else changed


def _learnt(lesson: str, ranked: Ranked, once: list[str], asked: Asked, state: State) -> bool:
    """Take a lesson in; False where there is none, or where it was known already and did not help."""
    if lesson in ONCE:
        fresh = lesson not in once
        once.append(lesson)
        if lesson == THOUGHTS_REFUSED:
            # They stay refused in every later step: what was said before them has been changed.
            state.forget_thoughts(asked.session.id, ranked.candidate.model.id)
        return fresh
    return bool(lesson) and state.lessons.learn(ranked.candidate.model.id, lesson)


def _blamed(fault: Fault, *, started: bool) -> Fault:
    """A connection that breaks before any content speaks against the provider as much as one that never came about."""
    return replace(fault, failure=Failure.DOWN) if fault.failure is Failure.CUT and not started else fault
