"""One attempt's answer on its way to the client: held until it may be seen, passed on, booked, and ended honestly.

Which candidate is asked, and what comes after a failure, is the business of `exchange`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stepfare.core.attempt import Failure, Fault
from stepfare.core.entry import Settled
from stepfare.dialects.base import Faulted, UsageReported
from stepfare.dialects.bridge import end_behind, heard_in
from stepfare.dialects.openai_chat import NAME as PLACELESS
from stepfare.dialects.openai_chat_history import answers_in
from stepfare.dialects.provider_errors import read_reported
from stepfare.dialects.table import DIALECTS
from stepfare.providers.adapter import with_retry_after, wrong_shape
from stepfare.runtime.books import Books
from stepfare.runtime.carriage import Carriage
from stepfare.runtime.clock import World
from stepfare.runtime.consider import Asked
from stepfare.runtime.consumed import reported_pusd
from stepfare.runtime.entries import Run, closing, interrupted
from stepfare.runtime.holding import Holding, needed_by, sight_of
from stepfare.runtime.keeping import Keeper
from stepfare.runtime.state import State
from stepfare.runtime.told import comment_of, cost_text, headers_of
from stepfare.runtime.turn import Turn
from stepfare.upstream.client import ANSWER_BYTES_MAX, ERROR_BODY_BYTES_MAX, Answer, Upstream

HELD_BYTES_MAX = 256 * 1024
"""What a stream may send before its first content (comments, empty chunks); it is shown with that content."""
REPEATS_MAX = 4
"""How often a stream may repeat its request before its first content, as Responses do with tools and instructions."""


class Reply(Protocol):
    """The client's side of an exchange, as the server gives it."""

    opened: bool
    """Whether status and headers have left."""

    def waiting(self, headers: Callable[[], dict[str, str]]) -> None:
        """Headers to leave with, if they have not left, and keep-alive comments to send, if no content comes for long."""
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
    keeper: Keeper


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one candidate, and all that its answer has to do with."""

    run: Run
    turn: Turn
    asked: Asked
    carriage: Carriage
    reply: Reply
    daemon: Daemon

    async def carry(self, answer: Answer) -> Fault | None:
        """Judge the answer by its status and type, then bring it to the client. Without a fault, `run.needs` tells whether it was dropped
        because the step needs more."""
        if answer.status != 200:
            body = await answer.body(ERROR_BODY_BYTES_MAX)
            fault = self.carriage.fault(answer.status, answer.content_type, body)
            return with_retry_after(fault, answer.headers, self.daemon.world.now_ms())
        wrong = wrong_shape(answer.content_type, stream=self.asked.view.stream)
        if wrong is not None:
            return wrong
        self.run.answered = True
        return await self._stream(answer) if self.asked.view.stream else await self._whole(answer)

    async def _stream(self, answer: Answer) -> Fault | None:
        """Bytes as they come, held until they may be seen. The end mark follows when the cost is on disk."""
        run, tier = self.run, self.run.ranked.candidate.model.tier
        whole = "json" in answer.content_type
        stream = self.carriage.stream(run.id, run.started_ms, self._cost_text(), self.turn.shown, whole=whole)
        run.heard, stream.heard.before = stream.heard, self.turn.text
        holding = Holding(stream, sight_of(self.asked, tier, stream.heard), tier)
        unheard_bytes, unheard_bytes_max = 0, ANSWER_BYTES_MAX if whole else self._unheard_bytes_max()
        try:
            while True:
                chunk = await answer.chunk(holding.due_s())
                said = holding.finish() if chunk == b"" else holding.wake() if chunk is None else holding.feed(chunk)
                if stream.heard.fault is not None:
                    return await self._faulted(said, stream.heard.fault, answer)
                if stream.heard.started and run.first_byte_ms is None:
                    run.first_byte_ms = self.daemon.world.now_ms() - run.started_ms
                if holding.needs is not None:
                    await self._show(said)
                    return self._dropped(holding)
                if holding.ended or chunk == b"":
                    break
                await self._show(said)
                unheard_bytes += 0 if stream.heard.started else len(chunk or b"")
                if unheard_bytes > unheard_bytes_max:
                    return Fault(Failure.DOWN, f"it sent {unheard_bytes:,} bytes without any content", 200)
        finally:
            run.held_ms = holding.held_ms
        tail = stream.tail
        if holding.ended:
            said, tail = self._cut_short(said, holding)
        elif not stream.heard.started:
            return Fault(Failure.DOWN, f"its stream {'held no content' if holding.holds else 'ended before any content'}", 200)
        elif not stream.complete:
            return interrupted("its stream stopped before the answer's end")
        settled = await self._settled()
        comment = comment_of(self.asked, run, self.turn, settled.kind, self.turn.plus(settled.cost_pusd))
        await self._show(said + comment + tail)
        await self.reply.end()
        return None

    def _unheard_bytes_max(self) -> int:
        """Some begin by repeating the request."""
        return min(ANSWER_BYTES_MAX, HELD_BYTES_MAX + REPEATS_MAX * len(self.carriage.call.body))

    async def _show(self, data: bytes) -> None:
        """Bytes for the client. The first are the commit point: from here on the answer is this attempt's."""
        if not data:
            return
        self.run.committed = self.turn.begun = True
        # They leave once, with the first bytes; a stream has hundreds of pieces.
        headers = {} if self.reply.opened else headers_of(self.asked, self.run, self.turn.attempts, simulated=self._simulated)
        await self.reply.stream(headers, data)

    async def _faulted(self, said: bytes, fault: Faulted, answer: Answer) -> Fault:
        """The provider reported an error inside its answer: before any content was shown nobody need know of it."""
        if not self.turn.begun:
            return read_reported(_without_key(fault.words, answer), fault.status, fault.code)
        await self._show(answer.without_key(said))
        return Fault(Failure.CUT, f"it reported an error in the middle of its answer: {_without_key(fault.words, answer)}")

    def _dropped(self, holding: Holding) -> None:
        """The answer turned out to need more than this model: what is held of it is shown to nobody, and what was shown is gone on with."""
        run, turn = self.run, self.turn
        run.needs = holding.needs
        turn.shown += holding.shown
        text = heard_in(self.asked.translation, turn.shown).text if turn.shown else ""
        turn.text = text + DIALECTS[self.asked.view.dialect].texts_joint if text else ""

    def _cut_short(self, said: bytes, holding: Holding) -> tuple[bytes, bytes]:
        """The client takes one call a turn and has it; its provider, which would not have it so, is left there. The rest of the answer,
        and its end mark."""
        run, translation = self.run, self.asked.translation
        shown = [*self.turn.shown, *holding.shown]
        heard = heard_in(translation, shown)
        heard.usage, heard.thoughts = run.heard.usage, run.heard.thoughts
        run.heard = heard
        rest, tail = end_behind(translation, shown, run.id, run.started_ms)
        return said + rest, tail

    async def _whole(self, answer: Answer) -> Fault | None:
        """An answer in one piece."""
        run, tier = self.run, self.run.ranked.candidate.model.tier
        body, run.heard = self.carriage.body(await answer.body(), run.id, run.started_ms, self._cost_text())
        if run.heard.fault is not None:
            return await self._faulted(b"", run.heard.fault, answer)
        run.first_byte_ms = self.daemon.world.now_ms() - run.started_ms
        sight = sight_of(self.asked, tier, run.heard)
        run.needs = None if sight is None else needed_by(sight, tier)
        if run.needs is not None:
            return None
        run.committed = self.turn.begun = True
        settled = await self._settled()
        headers = headers_of(self.asked, run, self.turn.attempts, simulated=self._simulated)
        headers["x-stepfare-step"] = settled.kind
        cost = cost_text(run, self.turn.plus(settled.cost_pusd))
        if cost is not None:
            headers["x-stepfare-cost-usd"] = cost
        await self.reply.whole(200, headers, body)
        return None

    async def _settled(self) -> Settled:
        """The answer is whole: what its model thought is kept, and what it cost is on disk before the client can ask for more."""
        run, state = self.run, self.daemon.state
        run.finished = run.committed = True
        if run.heard.thoughts and self.asked.view.dialect == PLACELESS:
            # Where the client has no place for them.
            key = next(iter(run.heard.call_ids), "") or run.heard.reply_digest
            state.keepsakes.keep(self.asked.session.id, run.ranked.candidate.model.id, key, answers_in(self.asked.view), run.heard.thoughts)
        settled = closing(self.asked, run, state, self.daemon.world.now_ms())
        assert isinstance(settled, Settled)
        run.closed = True
        await self.daemon.books.close_surely(settled)
        return settled

    @property
    def _simulated(self) -> bool:
        return self.daemon.state.play.simulated

    def _cost_text(self) -> Callable[[UsageReported], str | None]:
        """What the step has cost by then, its dropped answers included."""
        run, turn = self.run, self.turn
        return lambda reported: cost_text(run, turn.plus(reported_pusd(run.ranked.candidate, reported)))


def _without_key(words: str, answer: Answer) -> str:
    return answer.without_key(words.encode("utf-8", "replace")).decode("utf-8", "replace")
