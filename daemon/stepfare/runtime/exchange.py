"""One request from door to door: the only place where deciding and doing alternate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Ranked
from stepfare.core.entry import Settled
from stepfare.core.money import priced, usd_text
from stepfare.core.request import RequestView
from stepfare.dialects.base import Faulted, Unreadable, UsageReported
from stepfare.dialects.lessons import ONCE
from stepfare.dialects.openai_chat import NAME as PLACELESS
from stepfare.dialects.openai_chat_history import answers_in
from stepfare.dialects.provider_errors import read_reported
from stepfare.dialects.table import DIALECTS, Dialect
from stepfare.providers.adapter import with_retry_after, wrong_shape
from stepfare.providers.quirks import BILLED_COST
from stepfare.routing.failover import ATTEMPTS_MAX, Failed, GiveUp, Try, next_move
from stepfare.runtime.books import Books
from stepfare.runtime.carriage import Carriage, carriage_for
from stepfare.runtime.clock import World
from stepfare.runtime.consider import Asked, consider
from stepfare.runtime.entries import Run, closing, interrupted, opening
from stepfare.runtime.refusals import Refusal, in_words_of, refusal_of, unbooked
from stepfare.runtime.state import State
from stepfare.runtime.told import comment_of, headers_of, record_of
from stepfare.store.errors import StoreError
from stepfare.upstream.client import ANSWER_BYTES_MAX, ERROR_BODY_BYTES_MAX, Answer, CallFailed, Upstream

_log = logging.getLogger(__name__)

THOUGHTS_REFUSED = "thoughts-refused"
HELD_BYTES_MAX = 256 * 1024
"""What a stream may send before its first content (comments, empty chunks); it is shown with that content."""
REPEATS_MAX = 4
"""How often a stream may repeat its request before its first content, as Responses do with tools and instructions."""


class Reply(Protocol):
    """The client's side of an exchange, as the server gives it."""

    opened: bool
    """Whether status and headers have left."""
    started: bool
    """Whether the client has seen content: from then on nobody else may finish the answer."""

    def waiting(self, headers: Callable[[], dict[str, str]]) -> None:
        """Headers to leave with, and keep-alive comments to send, if no content comes for long."""
        ...

    async def stream(self, headers: dict[str, str], data: bytes) -> None:
        """Bytes of a streamed answer; headers leave with the first."""
        ...

    async def whole(self, status: int, headers: dict[str, str], body: bytes) -> None: ...
    async def end(self) -> None: ...
    def cut(self) -> None:
        """Break the connection: the honest end of a stream that cannot be finished."""
        ...


@dataclass(frozen=True, slots=True)
class Daemon:
    """What an exchange acts with."""

    world: World
    state: State
    books: Books
    upstream: Upstream


async def exchange(view: RequestView, reply: Reply, daemon: Daemon) -> None:
    """Carry one request to a provider and its answer back, and write down what it cost. Raises BadRequest."""
    world, state = daemon.world, daemon.state
    asked = consider(view, state, now_ms=world.now_ms(), new_session=world.new_id("s"), decision_id=world.new_id("d"))
    asked = replace(asked, drift=_drifted(asked, state))
    state.surroundings.follow(asked.session.id, asked.workspace, asked.features)
    dialect = DIALECTS[view.dialect]
    if view.stream:
        reply.waiting(lambda: headers_of(asked, None, 0, simulated=state.play.simulated))
    failed: list[Failed] = []
    attempts = 0
    again: Ranked | None = None
    once: list[str] = []
    while True:
        match Try(again) if again else next_move(asked.decision, failed, started=reply.started):
            case Try(ranked, after_ms):
                if after_ms:
                    await asyncio.sleep(after_ms / 1000)
                attempts += 1
                try:
                    fault, lesson = await _attempt(ranked, attempts, asked, once, reply, daemon)
                except StoreError as error:
                    await _refuse(unbooked(str(error)), dialect, asked, reply, daemon, attempts - 1)
                    return
                if fault is None:
                    state.served(ranked.candidate)
                    state.tokenizer.learn(view)
                    return
                # What a refusal teaches is heeded at once; what it teaches about a model, by every later call too.
                again = ranked if attempts < ATTEMPTS_MAX and not reply.started and _learnt(lesson, ranked, once, asked, state) else None
                if again is None:
                    state.failed(ranked.candidate, _blamed(fault, started=reply.started))
                    failed.append(Failed(ranked.candidate.model.id, fault))
            case GiveUp() as verdict:
                await _refuse(refusal_of(verdict, asked.decision, failed), dialect, asked, reply, daemon, attempts)
                return


async def _attempt(
    ranked: Ranked, number: int, asked: Asked, once: Sequence[str], reply: Reply, daemon: Daemon
) -> tuple[Fault | None, str]:
    """One try at one candidate, booked whatever becomes of it. No fault means that the client has its answer; with a fault comes what
    it teaches about the model, if anything."""
    run = Run(daemon.world.new_id("a"), ranked, daemon.world.now_ms())
    carriage = carriage_for(asked, ranked.candidate, daemon.state, once)
    record = (asked.decision.id, asked.session.id, record_of(asked.decision, _notes(asked, ranked, carriage))) if number == 1 else None
    await daemon.books.reserve(*opening(asked, run, titles=daemon.state.settings.privacy.titles), decision=record)
    try:
        run.sent = True
        async with daemon.upstream.open(carriage.call) as answer:
            run.fault = await _carry(answer, run, number, asked, carriage, reply, daemon)
    except CallFailed as failure:
        run.fault = failure.fault
    except Unreadable as error:
        run.fault = Fault(Failure.CUT if reply.started else Failure.DOWN, str(error), 200)
    finally:
        if not run.closed:
            await daemon.books.close_surely(closing(asked, run, daemon.state, daemon.world.now_ms()))
    return (None, "") if run.fault is None else (carriage.shown(run.fault), carriage.lesson(run.fault))


async def _carry(answer: Answer, run: Run, number: int, asked: Asked, carriage: Carriage, reply: Reply, daemon: Daemon) -> Fault | None:
    """Judge the answer by its status and type, then bring it to the client."""
    if answer.status != 200:
        body = await answer.body(ERROR_BODY_BYTES_MAX)
        fault = carriage.fault(answer.status, answer.content_type, body)
        return with_retry_after(fault, answer.headers, daemon.world.now_ms())
    wrong = wrong_shape(answer.content_type, stream=asked.view.stream)
    if wrong is not None:
        return wrong
    run.answered = True
    if asked.view.stream:
        return await _stream(answer, run, number, asked, carriage, reply, daemon)
    return await _whole(answer, run, number, asked, carriage, reply, daemon)


async def _stream(answer: Answer, run: Run, number: int, asked: Asked, carriage: Carriage, reply: Reply, daemon: Daemon) -> Fault | None:
    """Bytes as they come, held until the first content. The end mark follows when the cost is on disk."""
    whole = "json" in answer.content_type
    stream = carriage.stream(run.id, run.started_ms, _cost_text(run), whole=whole)
    run.heard = stream.heard
    headers: dict[str, str] | None = None
    held: list[bytes] = []
    held_bytes = 0
    # Some begin by repeating the request.
    repeated_bytes_max = HELD_BYTES_MAX + REPEATS_MAX * len(carriage.call.body)
    held_bytes_max = ANSWER_BYTES_MAX if whole else min(ANSWER_BYTES_MAX, repeated_bytes_max)
    async for chunk in answer.chunks():
        data = stream.feed(chunk)
        if headers is None:
            if stream.heard.fault is not None:
                return _reported(stream.heard.fault, answer)
            held.append(data)
            held_bytes += len(chunk)
            if not stream.heard.started:
                if held_bytes > held_bytes_max:
                    return Fault(Failure.DOWN, f"it sent {held_bytes:,} bytes without any content", 200)
                continue
            # The commit point: some providers answer 200 and only then, inside the stream, say that they are overloaded.
            headers = _committed(run, number, asked, daemon)
            data = b"".join(held)
        if stream.heard.fault is not None:
            await reply.stream(headers, answer.without_key(data))
            return _broken_by(stream.heard.fault, answer)
        if data:
            await reply.stream(headers, data)
    rest = stream.finish()
    if headers is None:
        if stream.heard.fault is not None:
            return _reported(stream.heard.fault, answer)
        if not stream.heard.started:
            return Fault(Failure.DOWN, f"its stream {'held no content' if rest else 'ended before any content'}", 200)
        # All that there was stood in a last frame without its end, or came in one piece.
        headers = _committed(run, number, asked, daemon)
        rest = b"".join(held) + rest
    if stream.heard.fault is not None:
        await reply.stream(headers, answer.without_key(rest))
        return _broken_by(stream.heard.fault, answer)
    if not stream.complete:
        return interrupted("its stream stopped before the answer's end")
    run.finished = True
    _keep(run, asked, daemon.state)
    settled = closing(asked, run, daemon.state, daemon.world.now_ms())
    assert isinstance(settled, Settled)
    run.closed = True
    await daemon.books.close_surely(settled)
    comment = comment_of(asked, run, number, settled.kind, settled.cost_pusd)
    await reply.stream(headers, rest + comment + stream.tail)
    await reply.end()
    return None


def _committed(run: Run, number: int, asked: Asked, daemon: Daemon) -> dict[str, str]:
    """From here on the answer is this attempt's; the headers that say so."""
    run.first_byte_ms = daemon.world.now_ms() - run.started_ms
    run.committed = True
    return headers_of(asked, run, number, simulated=daemon.state.play.simulated)


async def _whole(answer: Answer, run: Run, number: int, asked: Asked, carriage: Carriage, reply: Reply, daemon: Daemon) -> Fault | None:
    """An answer in one piece."""
    body, run.heard = carriage.body(await answer.body(), run.id, run.started_ms, _cost_text(run))
    if run.heard.fault is not None:
        return _reported(run.heard.fault, answer)
    run.first_byte_ms = daemon.world.now_ms() - run.started_ms
    run.committed = run.finished = True
    _keep(run, asked, daemon.state)
    settled = closing(asked, run, daemon.state, daemon.world.now_ms())
    assert isinstance(settled, Settled)
    run.closed = True
    await daemon.books.close_surely(settled)
    headers = headers_of(asked, run, number, simulated=daemon.state.play.simulated)
    headers["x-stepfare-step"] = settled.kind
    if settled.cost_pusd is not None:
        headers["x-stepfare-cost-usd"] = usd_text(settled.cost_pusd)
    await reply.whole(200, headers, body)
    return None


async def _refuse(refusal: Refusal, dialect: Dialect, asked: Asked, reply: Reply, daemon: Daemon, attempts: int) -> None:
    """Tell the client, in its own words, why there is no (further) answer."""
    if reply.opened:
        # Nothing may look finished that is not: the error event where nobody has content yet, then a broken connection.
        if not reply.started:
            await reply.stream({}, dialect.error_event(refusal.words, refusal.code))
        reply.cut()
        return
    refusal = in_words_of(dialect.name, refusal)
    headers = headers_of(asked, None, attempts, simulated=daemon.state.play.simulated) | refusal.headers
    await reply.whole(refusal.status, headers, refusal.body or dialect.write_error(refusal.status, refusal.words, refusal.code))


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


def _keep(run: Run, asked: Asked, state: State) -> None:
    """What the model thought is kept for its next step, before the client can ask for that, where the client has no place for it."""
    if run.heard.thoughts and asked.view.dialect == PLACELESS:
        key = next(iter(run.heard.call_ids), "") or run.heard.reply_digest
        state.keepsakes.keep(asked.session.id, run.ranked.candidate.model.id, key, answers_in(asked.view), run.heard.thoughts)


def _blamed(fault: Fault, *, started: bool) -> Fault:
    """A connection that breaks before any content speaks against the provider as much as one that never came about."""
    return replace(fault, failure=Failure.DOWN) if fault.failure is Failure.CUT and not started else fault


def _reported(told: Faulted, answer: Answer) -> Fault:
    """An error that came inside an answer of status 200, before any content."""
    return read_reported(_without_key(told.words, answer), told.status, told.code)


def _broken_by(told: Faulted, answer: Answer) -> Fault:
    return Fault(Failure.CUT, f"it reported an error in the middle of its answer: {_without_key(told.words, answer)}")


def _without_key(words: str, answer: Answer) -> str:
    return answer.without_key(words.encode("utf-8", "replace")).decode("utf-8", "replace")


def _cost_text(run: Run) -> Callable[[UsageReported], str | None]:
    price = run.ranked.candidate.price

    def cost_text(reported: UsageReported) -> str | None:
        if reported.billed_pusd is not None and BILLED_COST in run.ranked.candidate.provider.quirks:
            return usd_text(reported.billed_pusd)
        return usd_text(priced(price, reported.usage)) if price is not None else None

    return cost_text
