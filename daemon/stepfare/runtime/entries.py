"""The entries of one attempt, computed: what it may cost before it is sent, and what it did cost after."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Floor, Ranked
from stepfare.core.entry import Entry, Opened, Reserved, Settled, Voided
from stepfare.core.model import Candidate
from stepfare.core.money import Usage, priced
from stepfare.core.step import Tier
from stepfare.dialects import meter
from stepfare.dialects.heard import Heard
from stepfare.providers.quirks import BILLED_COST
from stepfare.routing.filters import ceiling_pusd
from stepfare.routing.policy import rungs
from stepfare.routing.warmth import warm_tokens
from stepfare.runtime.consider import Asked
from stepfare.runtime.state import State
from stepfare.steps.outcome import kind_of_answer
from stepfare.steps.trouble import pieces

TITLE_CHARS_MAX = 60
CHARS_OF_TOKEN_MAX = 400
"""No token says more: a report that counts fewer has forgotten what it counts."""
UNHEARD_TOKENS = 256
"""What a model may have written, or thought unseen, beyond what was heard of an answer that was broken off: some seconds' worth."""
WINDOWS_MAX = 16
"""A call that goes round with tools of its provider's reads its window several times; what counts more than this many is garbage."""


@dataclass(slots=True)
class Run:
    """One attempt while it runs. `answered` says that the provider accepted the request: from then on it may cost something. `needs` is
    the floor that its answer turned out to need and it does not meet."""

    id: str
    ranked: Ranked
    floor: Floor
    started_ms: int
    sent: bool = False
    answered: bool = False
    heard: Heard = field(default_factory=Heard)
    first_byte_ms: int | None = None
    fault: Fault | None = None
    finished: bool = False
    committed: bool = False
    closed: bool = False
    needs: Floor | None = None
    held_ms: int = 0


def opening(asked: Asked, run: Run, *, titles: bool) -> list[Entry]:
    """What is posted before the attempt is sent: the session where it is new, and the reservation."""
    decision, candidate, session = asked.decision, run.ranked.candidate, asked.session
    entries: list[Entry] = []
    # A title asked for before its conversation knows neither folder nor task: the first step that does opens the session.
    if asked.new and (asked.workspace.root or not asked.features.side):
        title = " ".join(asked.features.human_words.split())[:TITLE_CHARS_MAX] if titles else ""
        place = asked.workspace
        entries.append(
            Opened(session.id, run.started_ms, asked.features.client, place.root, place.project, place.branch, title, asked.identity.parent)
        )
    entries.append(
        Reserved(
            attempt=run.id,
            decision=decision.id,
            session=session.id,
            step=asked.step,
            at_ms=run.started_ms,
            model=candidate.model.id,
            tier=candidate.model.tier.word,
            kind=decision.step.kind,
            floor=run.floor.tier.word,
            floor_source=run.floor.source,
            ceiling_pusd=ceiling_pusd(candidate, asked.view, run.ranked.prompt_tokens),
            client=asked.features.client,
            turns=len(asked.view.turns),
            chain=asked.identity.chain,
            body=asked.view.body_digest.hex(),
            body_bytes=len(asked.view.raw),
            counted_tokens=asked.snapshot.counted_tokens,
            side=asked.features.side,
            evidence=pieces(asked.features),
            rungs=rungs(asked.session, asked.features),
        )
    )
    return entries


def closing(asked: Asked, run: Run, state: State, now_ms: int) -> Settled | Voided:
    """What is posted when the attempt has ended. What never reached a provider, or was refused by it, costs nothing."""
    total_ms = now_ms - run.started_ms
    outcome = _outcome(run)
    if not _may_have_cost(run):
        why = run.fault.words if run.fault else "it was cancelled before it was sent"
        return Voided(run.id, asked.session.id, now_ms, outcome, why, total_ms)
    candidate = run.ranked.candidate
    usage, low, high = _usage(asked, run)
    estimated = low != high or _believed(run) is None
    cost, source = _cost(candidate, run, usage, estimated=estimated)
    price = candidate.price
    dropped = run.needs is not None
    premium, balanced = (
        (0, 0) if dropped else (_always(state.baseline(tier), usage, asked, run.started_ms) for tier in (Tier.PREMIUM, Tier.BALANCED))
    )
    return Settled(
        attempt=run.id,
        session=asked.session.id,
        at_ms=now_ms,
        outcome=outcome,
        kind=kind_of_answer(asked.features, run.heard.calls, run.heard.text, asked.view.tools),
        usage=usage,
        cost_pusd=cost,
        source=source,
        rates=price.rates_for(usage.input_tokens) if price else None,
        catalogue=state.play.catalog.catalogue_version,
        low_pusd=priced(price, low) if price and estimated else None,
        high_pusd=priced(price, high) if price and estimated else None,
        always_premium_pusd=premium,
        always_balanced_pusd=balanced,
        switch_write_pusd=_switch_write(candidate, usage, asked, run.started_ms),
        first_byte_ms=run.first_byte_ms,
        total_ms=total_ms,
        call_ids=() if dropped else run.heard.call_ids,
        reply="" if dropped else run.heard.reply_digest,
        thoughts=tuple(dict.fromkeys(thought.digest for thought in run.heard.thoughts)),
        committed=run.committed and not dropped,
        held_ms=run.held_ms,
    )


def _may_have_cost(run: Run) -> bool:
    """Whether the provider may have worked on this call: what was sent and then abandoned is estimated, not forgotten."""
    if run.heard.usage is not None or run.heard.started:
        return True
    if not run.sent or run.fault is None:
        return run.sent  # Without a fault it is the client that left.
    return run.fault.failure is Failure.SLOW or (run.answered and run.fault.failure is Failure.CUT)


def _outcome(run: Run) -> str:
    if run.needs is not None:
        return "escalated"
    if run.finished:
        return "ok"
    return run.fault.failure.value if run.fault else "hang-up"


def _usage(asked: Asked, run: Run) -> tuple[Usage, Usage, Usage]:
    """The usage, and where it had to be estimated its lower and upper bound. A report that came before the answer's end counts the
    prompt; what was said since is estimated."""
    chars, reported = run.heard.output_chars, _believed(run)
    if reported is None:
        return _guessed(asked, run)
    if run.heard.finished:
        return reported, reported, reported
    said = [max(reported.output_tokens, round(chars / each)) for each in _CHARS_OF_TOKEN]
    usage, low, high = (replace(reported, output_tokens=tokens) for tokens in said)
    return usage, low, replace(high, output_tokens=high.output_tokens + _unheard(run))


_CHARS_OF_TOKEN = (meter.CHARS_PER_TOKEN, meter.CHARS_PER_TOKEN_HIGH, meter.CHARS_PER_TOKEN_LOW)


def _unheard(run: Run) -> int:
    return UNHEARD_TOKENS if run.heard.started and not run.heard.finished else 0


def _believed(run: Run) -> Usage | None:
    """What the provider reported, where that can be: some count nothing, some forget the output, some count what no window holds."""
    if run.heard.usage is None:
        return None
    usage, model = run.heard.usage.usage, run.ranked.candidate.model
    most = max(usage.input_tokens, usage.output_tokens)
    forgotten = run.heard.finished and run.heard.output_chars > usage.output_tokens * CHARS_OF_TOKEN_MAX and run.heard.output_chars
    if not usage.input_tokens or forgotten or most > WINDOWS_MAX * model.context_tokens:
        return None
    return usage


def _guessed(asked: Asked, run: Run) -> tuple[Usage, Usage, Usage]:
    """Usage and its bounds by the length of the prompt and of what was said."""
    prompt, chars = run.ranked.prompt_tokens, run.heard.output_chars
    candidate = run.ranked.candidate
    warm = 0 if asked.apart else warm_tokens(asked.session, candidate.model.id, prompt, run.started_ms)
    cache = candidate.provider.cache
    written = prompt - warm if cache is not None and prompt >= cache.min_tokens else 0
    usage = Usage(prompt, warm, written, round(chars / meter.CHARS_PER_TOKEN))
    low = Usage(prompt, prompt if run.heard.started else 0, 0, round(chars / meter.CHARS_PER_TOKEN_HIGH))
    if not run.heard.started:
        low = Usage(0)
    high = Usage(prompt, 0, prompt if written else 0, round(chars / meter.CHARS_PER_TOKEN_LOW) + _unheard(run))
    return usage, low, high


def _cost(candidate: Candidate, run: Run, usage: Usage, *, estimated: bool) -> tuple[int | None, str]:
    reported = run.heard.usage
    if reported is not None and reported.billed_pusd is not None and BILLED_COST in candidate.provider.quirks:
        return reported.billed_pusd, "provider-billed"
    if candidate.price is None:
        return None, "unpriced"
    return priced(candidate.price, usage), "estimated" if estimated else "usage-priced"


def _always(candidate: Candidate | None, usage: Usage, asked: Asked, at_ms: int) -> int | None:
    """What this usage would have cost on one model all along: its cache holds the prompt of the step before, if that was recent."""
    if candidate is None or candidate.price is None:
        return None
    rule = candidate.provider.cache
    if rule is None or usage.input_tokens < rule.min_tokens:
        return priced(candidate.price, Usage(usage.input_tokens, output_tokens=usage.output_tokens))
    before = asked.session
    recent = before.last_prompt_tokens if at_ms - before.last_ms < rule.lifetime_ms and not asked.apart else 0
    warm = min(recent, usage.input_tokens) if recent >= rule.min_tokens else 0
    return priced(candidate.price, Usage(usage.input_tokens, warm, usage.input_tokens - warm, usage.output_tokens))


def _switch_write(candidate: Candidate, usage: Usage, asked: Asked, at_ms: int) -> int:
    """What was paid anew for the part of the prompt that the model that served before still held warm."""
    last = asked.session.last_model
    if candidate.price is None or not last or last == candidate.model.id or asked.apart:
        return 0
    held = warm_tokens(asked.session, last, usage.input_tokens, at_ms)
    cold = max(0, held - usage.cache_read_tokens)
    rates = candidate.price.rates_for(usage.input_tokens)
    return cold * (rates.cache_write if usage.cache_write_tokens else rates.input)


def interrupted(words: str) -> Fault:
    """A stream that stopped without its end."""
    return Fault(Failure.CUT, words)
