"""Keeps caches alive while a session pauses: makes the pings that `routing.keeping` finds worth it, and books them like any call.

The last body of each model in a session is held in memory for as long as its cache lives, and forgotten with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace

from stepfare.core.attempt import Failure, Fault, HttpCall
from stepfare.core.decision import Floor, Ranked
from stepfare.core.entry import KEPT_WARM, Reserved, Settled, Voided
from stepfare.core.model import Candidate
from stepfare.core.money import Usage
from stepfare.core.session import Session
from stepfare.core.step import StepKind
from stepfare.dialects.base import Unreadable
from stepfare.dialects.shortest import shortest
from stepfare.dialects.table import Dialect
from stepfare.ledger.claims import OverCap
from stepfare.providers.adapter import call_again
from stepfare.routing.keeping import Kept, Ping, due_ms, ping
from stepfare.runtime.books import Books
from stepfare.runtime.carriage import Carriage
from stepfare.runtime.clock import World
from stepfare.runtime.consider import Asked
from stepfare.runtime.consumed import UNREPORTED, Consumed, charge
from stepfare.runtime.entries import Run, may_have_cost
from stepfare.runtime.state import State
from stepfare.store.errors import StoreError
from stepfare.upstream.client import ERROR_BODY_BYTES_MAX, OK, Answer, CallFailed, Upstream

LOOK_S = 5.0
"""How often it is looked for pings that are due."""
PING_S = 15.0
"""How long a ping may take: after that the cache is dead or alive, and the next step finds out."""
KEPT_BYTES_MAX = 64 * 1024 * 1024
"""Bodies held in memory, together; those of the longest quiet go first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    """How a model was last asked in a session: what asks it again, and the step that did."""

    kept: Kept
    candidate: Candidate
    call: HttpCall
    dialect: Dialect
    decision: str
    step: int
    client: str


class Keeper:
    """Told of every call that a model has read; looks by itself, once it runs, for caches that are about to die."""

    def __init__(self, world: World, state: State, books: Books, upstream: Upstream) -> None:
        self._world, self._state, self._books, self._upstream = world, state, books, upstream
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._bytes = 0

    def remember(self, asked: Asked, ranked: Ranked, carriage: Carriage) -> None:
        """This model has read the prompt of this step. Calls beside a conversation, of subagents, and of users who choose the model
        themselves are left alone: nobody comes back to them, or it is not ours to spend on them."""
        candidate, price = ranked.candidate, ranked.candidate.price
        wanted = self._state.settings.cache.keep_warm and not asked.features.side and not asked.snapshot.named
        if not wanted or price is None or candidate.provider.cache is None or asked.identity.parent:
            return
        rates = price.rates_for(ranked.prompt_tokens)
        floors = {kind: floor.tier for kind, floor in asked.decision.gate.floors.items()}
        kept = Kept(candidate.model.id, candidate.model.tier, rates, rates.cache_write, floors)
        key = (asked.session.id, candidate.model.id)
        self._forget(key)
        self._kept[key] = _Kept(kept, candidate, carriage.call, carriage.dialect, asked.decision.id, asked.step, asked.features.client)
        self._bytes += len(carriage.call.body)
        while self._bytes > KEPT_BYTES_MAX:
            self._forget(next(iter(self._kept)))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - a bug of ours must not end the looking
                _log.exception("a bug of ours stopped a look for caches that are about to die")

    async def look(self) -> None:
        """Ping what is due now and worth it; what is not worth it, or is dead, is forgotten."""
        if not self._state.settings.cache.keep_warm:  # It may have been switched off since.
            self._kept.clear()
            self._bytes = 0
        now_ms = self._world.now_ms()
        due: list[tuple[_Kept, Session, Ping]] = []
        for key, one in list(self._kept.items()):
            session = self._state.sessions.get(key[0])
            warmth = session.warm.get(key[1]) if session else None
            if session is None or warmth is None or warmth.until_ms <= now_ms:
                self._forget(key)
            elif due_ms(warmth) <= now_ms and not self._state.sessions.in_flight(session.id):
                found = ping(one.kept, session, self._state.sessions.project_habits(session.project), now_ms)
                if found is None:
                    self._forget(key)
                else:
                    due.append((one, session, found))
        await asyncio.gather(*(self._ping(one, session, found) for one, session, found in due))

    async def _ping(self, one: _Kept, session: Session, found: Ping) -> None:
        """The call, booked whatever becomes of it; who does not answer well is not asked again."""
        short = shortest(one.dialect.name, one.call.body)
        reserved = self._reserved(one, session, found)
        workspace = self._state.workspaces.look(session.workspace)
        if short is None or any(cap.short_pusd(reserved.ceiling_pusd) for cap in self._state.caps(session, workspace)):
            self._forget((session.id, one.kept.model))
            return
        try:
            await self._books.reserve(reserved, claims=self._state.claims(session, workspace, one.kept.tier))
        except (StoreError, OverCap):
            self._forget((session.id, one.kept.model))
            return
        ranked = Ranked(one.candidate, found.pusd, (), found.usage.input_tokens)
        run = Run(reserved.attempt, ranked, Floor(one.kept.tier, KEPT_WARM, ""), reserved.at_ms, sent=True)
        try:
            async with asyncio.timeout(PING_S), self._upstream.open(call_again(one.call, short.body, stream=short.streams)) as answer:
                await _listen(answer, one, run, streams=short.streams)
        except CallFailed as failure:
            run.fault = failure.fault
        except Unreadable as error:
            run.fault = Fault(Failure.DOWN, str(error))
        except TimeoutError:
            run.fault = Fault(Failure.SLOW, f"it did not answer within {PING_S:g} s")
        finally:
            await self._books.close_surely(self._closing(reserved, run, found.usage))
        if run.fault is not None or run.heard.usage is None:
            # Without a report nobody knows whether there is a cache at all.
            _log.info("the cache of %s is not kept warm any longer: %s", one.kept.model, run.fault.words if run.fault else UNREPORTED)
            self._forget((session.id, one.kept.model))

    def _reserved(self, one: _Kept, session: Session, found: Ping) -> Reserved:
        """At worst the cache is gone, and all is written anew."""
        tokens = found.usage.input_tokens
        ceiling = tokens * max(one.kept.write, one.kept.rates.input) + found.usage.output_tokens * one.kept.rates.output
        return Reserved(
            attempt=self._world.new_id("a"),
            decision=one.decision,
            session=session.id,
            step=one.step,
            at_ms=self._world.now_ms(),
            model=one.kept.model,
            tier=one.kept.tier.word,
            kind=StepKind.SIDE.value,
            floor=one.kept.tier.word,
            floor_source=KEPT_WARM,
            ceiling_pusd=ceiling,
            client=one.client,
            side=KEPT_WARM,
        )

    def _closing(self, reserved: Reserved, run: Run, expected: Usage) -> Settled | Voided:
        """What it cost, as its provider reports; where it reported nothing but may have worked, what was expected, at most all written."""
        now_ms = self._world.now_ms()
        if not may_have_cost(run):
            return Voided(
                reserved.attempt, reserved.session, now_ms, "failed", run.fault.words if run.fault else "", now_ms - reserved.at_ms
            )
        report, tokens = run.heard.usage, expected.input_tokens
        if report is not None:
            used = Consumed(report.usage, report.usage, report.usage)
        else:
            most = replace(expected, cache_read_tokens=0, cache_write_tokens=tokens)
            used = Consumed(expected, Usage(0), most, "none", (UNREPORTED,))
        charged = charge(run.ranked.candidate, report, used)
        return Settled(
            attempt=reserved.attempt,
            session=reserved.session,
            at_ms=now_ms,
            outcome=KEPT_WARM if run.finished else run.fault.failure.value if run.fault else "hang-up",
            kind=reserved.kind,
            usage=used.usage,
            cost_pusd=charged.cost_pusd,
            source=charged.source,
            confidence=charged.confidence,
            doubts=charged.doubts,
            service=charged.service,
            rates=charged.rates,
            catalogue=self._state.play.catalog.catalogue_version,
            low_pusd=charged.low_pusd,
            high_pusd=charged.high_pusd,
            always_premium_pusd=0,
            always_balanced_pusd=0,
            total_ms=now_ms - reserved.at_ms,
        )

    def _forget(self, key: tuple[str, str]) -> None:
        known = self._kept.pop(key, None)
        if known is not None:
            self._bytes -= len(known.call.body)


async def _listen(answer: Answer, one: _Kept, run: Run, *, streams: bool) -> None:
    """Hear what the answer says of its usage. A stream is left as soon as it has said that. Raises CallFailed, Unreadable."""
    if answer.status != OK:
        run.fault = one.dialect.read_error(answer.status, answer.content_type, await answer.body(ERROR_BODY_BYTES_MAX))
        return
    run.answered = True
    if streams:
        stream = one.dialect.stream(one.kept.model, True, lambda _: None)
        run.heard = stream.heard
        async for chunk in answer.chunks():
            stream.feed(chunk)
            if run.heard.usage is not None:
                break
    else:
        _, run.heard = one.dialect.read_body(await answer.body(), one.kept.model, lambda _: None)
    if run.heard.fault is not None:
        run.fault = Fault(Failure.DOWN, "it reported an error inside its answer")
    run.finished = run.fault is None
