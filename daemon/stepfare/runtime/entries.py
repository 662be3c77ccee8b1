"""The entries of one attempt, computed: what it may cost before it is sent, and what it did cost after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Floor, Ranked
from stepfare.core.digest import reply_digest
from stepfare.core.entry import SUBSCRIPTION, Entry, Opened, Reserved, Settled, Voided
from stepfare.core.model import Candidate
from stepfare.core.money import Rates, Usage, priced
from stepfare.core.step import Action, ActionKind, Tier
from stepfare.counting.lengths import Lengths
from stepfare.dialects import meter
from stepfare.dialects.heard import Heard
from stepfare.dialects.services import asked_service
from stepfare.routing.filters import ceiling_pusd
from stepfare.routing.policy import rungs
from stepfare.routing.warmth import warm_tokens
from stepfare.runtime.consider import Asked
from stepfare.runtime.consumed import Telling, charge, consumed
from stepfare.runtime.state import State
from stepfare.runtime.workspaces import within_project
from stepfare.steps.beginnings import beginning_of
from stepfare.steps.envelopes import WORDS_CHARS_MAX, words_of
from stepfare.steps.outcome import actions_in_answer, kind_of_actions
from stepfare.steps.toolmap import action_of
from stepfare.steps.trouble import pieces

TITLE_CHARS_MAX = 60
USER_HEADER = "x-stepfare-user"
"""Says for whom a daemon works that many people share; else it works for the one that its settings name."""
USER_CHARS_MAX = 100
TASK_CHARS_MIN = 12
"""A shorter text in a call to another agent is a name or a kind."""
TASKS_MAX = 8
"""Of one answer."""
FILES_MAX = 16
"""Of one answer: a turn that names more is about no file in particular."""
FILE_CHARS_MAX = 300


@dataclass(slots=True)
class Run:
    """One attempt while it runs. `sent` says that the request went out to its provider, `answered` that it was accepted: from then on it
    may cost something. `needs` is the floor that its answer turned out to need and it does not meet."""

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

    def goes_out(self) -> None:
        self.sent = True


def opening(asked: Asked, run: Run, *, titles: bool, user: str = "") -> list[Entry]:
    """What is posted before the attempt is sent: the session where it is new, and the reservation."""
    decision, candidate, session = asked.decision, run.ranked.candidate, asked.session
    entries: list[Entry] = []
    # A title asked for before its conversation knows neither folder nor task: the first step that does opens the session.
    if asked.new and (asked.workspace.root or not asked.features.side):
        title = " ".join(asked.features.human_words.split())[:TITLE_CHARS_MAX] if titles else ""
        place = asked.workspace
        entries.append(
            Opened(
                session=session.id,
                at_ms=run.started_ms,
                client=asked.features.client,
                workspace=place.root,
                project=place.project,
                branch=place.branch,
                title=title,
                parent=asked.identity.parent,
                user=asked.view.headers.get(USER_HEADER, "")[:USER_CHARS_MAX] or user,
                repository=place.repository,
                begins=reply_digest(beginning_of(asked.view, asked.features.client).words),
            )
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
            tail=asked.identity.tail,
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
    if not may_have_cost(run):
        why = run.fault.words if run.fault else "it was cancelled before it was sent"
        return Voided(run.id, asked.session.id, now_ms, outcome, why, total_ms)
    candidate = run.ranked.candidate
    used = consumed(asked, candidate, run.heard, run.started_ms, _telling(asked, run, state.lengths, total_ms))
    asked_for = meter.service_of(asked_service(asked.view))
    usage, charged = used.usage, charge(candidate, run.heard.usage, used, asked_for)
    dropped = run.needs is not None
    actions = actions_in_answer(asked.features, run.heard.calls, run.heard.text, asked.view.tools)
    # A search of the web costs the same whoever reads what it finds.
    searched = usage.web_searches * ((charged.rates.web_search or 0) if charged.rates else 0)
    premium, balanced = (
        0 if dropped else None if charged.source == SUBSCRIPTION else _always(state.baseline(tier), usage, searched, asked, run.started_ms)
        for tier in (Tier.PREMIUM, Tier.BALANCED)
    )
    return Settled(
        attempt=run.id,
        session=asked.session.id,
        at_ms=now_ms,
        outcome=outcome,
        kind=kind_of_actions(asked.features, actions),
        usage=usage,
        cost_pusd=charged.cost_pusd,
        source=charged.source,
        rates=charged.rates,
        catalogue=state.play.catalog.catalogue_version,
        low_pusd=charged.low_pusd,
        high_pusd=charged.high_pusd,
        always_premium_pusd=premium,
        always_balanced_pusd=balanced,
        switch_write_pusd=_switch_write(candidate, charged.rates, usage, asked, run.started_ms),
        first_byte_ms=run.first_byte_ms,
        total_ms=total_ms,
        call_ids=() if dropped else run.heard.call_ids,
        reply="" if dropped else run.heard.reply_digest,
        tasks=() if dropped else _tasks(run),
        thoughts=tuple(dict.fromkeys(thought.digest for thought in run.heard.thoughts)),
        committed=run.committed and not dropped,
        held_ms=run.held_ms,
        service=charged.service,
        confidence=charged.confidence,
        doubts=charged.doubts,
        heard_chars=_counted_chars(run.heard, usage) if used.counted == "whole" else 0,
        unseen_tokens=usage.reasoning_tokens if used.counted == "whole" and not run.heard.thinking_chars else 0,
        files=_files(asked, actions),
    )


def _files(asked: Asked, actions: Sequence[Action]) -> tuple[str, ...]:
    """The files that the turn names, as far as they lie in its project."""
    files = within_project(asked.workspace, (path for action in actions for path in action.paths))
    return tuple(file for file in files if len(file) <= FILE_CHARS_MAX)[:FILES_MAX]


def _tasks(run: Run) -> tuple[str, ...]:
    """Digests of the texts that this answer hands to other agents, each as it will be the first word of another session."""
    found: list[str] = []
    for call in run.heard.calls:
        if action_of(call.name, call.arguments).kind is not ActionKind.DELEGATE:
            continue
        try:
            told: object = json.loads(call.arguments)
        except (ValueError, RecursionError):
            continue
        texts = cast("dict[str, object]", told).values() if isinstance(told, dict) else ()
        found += [reply_digest(words_of(text)[:WORDS_CHARS_MAX]) for text in texts if isinstance(text, str) and len(text) >= TASK_CHARS_MIN]
    return tuple(dict.fromkeys(digest for digest in found if digest))[:TASKS_MAX]


def _telling(asked: Asked, run: Run, lengths: Lengths, total_ms: int) -> Telling:
    """What is known of this model's way to count and to answer. What its last report in this session counted is grown by what was added
    since; that is surer than what a decision over many models went by."""
    model, session, body_bytes = run.ranked.candidate.model.id, asked.session, len(asked.view.raw)
    prompt_tokens, bytes_of = run.ranked.prompt_tokens, lengths.bytes_of(model)
    grown_bytes = body_bytes - session.last_body_bytes
    if bytes_of is not None:
        goes_on = not asked.apart and session.last_model == model and session.last_prompt_tokens and session.last_body_bytes
        known = (session.last_prompt_tokens, grown_bytes) if goes_on and grown_bytes >= 0 else (0, body_bytes)
        prompt_tokens = known[0] + round(known[1] / bytes_of)
    silent_ms = total_ms if run.first_byte_ms is None else run.first_byte_ms
    return Telling(prompt_tokens, lengths.of(model), lengths.unseen(model), silent_ms, asked.view.stream)


def may_have_cost(run: Run) -> bool:
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


def _always(candidate: Candidate | None, usage: Usage, searched_pusd: int, asked: Asked, at_ms: int) -> int | None:
    """What this usage would have cost on one model all along: its cache holds the prompt of the step before, if that was recent."""
    if candidate is None or candidate.price is None:
        return None
    rule = candidate.provider.cache
    if rule is None or usage.input_tokens < rule.min_tokens:
        return searched_pusd + priced(candidate.price, Usage(usage.input_tokens, output_tokens=usage.output_tokens))
    before = asked.session
    recent = before.last_prompt_tokens if at_ms - before.last_ms < rule.lifetime_ms and not asked.apart else 0
    warm = min(recent, usage.input_tokens) if recent >= rule.min_tokens else 0
    return searched_pusd + priced(candidate.price, Usage(usage.input_tokens, warm, usage.input_tokens - warm, usage.output_tokens))


def _counted_chars(heard: Heard, usage: Usage) -> int:
    """How long that is which the output tokens without the reasoning count. Where reasoning is not counted apart, it is all."""
    return heard.output_chars - (heard.thinking_chars if usage.reasoning_tokens else 0)


def _switch_write(candidate: Candidate, rates: Rates | None, usage: Usage, asked: Asked, at_ms: int) -> int:
    """What was paid anew for the part of the prompt that the model that served before still held warm."""
    last = asked.session.last_model
    if rates is None or not last or last == candidate.model.id or asked.apart:
        return 0
    held = warm_tokens(asked.session, last, usage.input_tokens, at_ms)
    cold = max(0, held - usage.cache_read_tokens)
    return cold * (rates.cache_write if usage.cache_write_tokens else rates.input)


def interrupted(words: str) -> Fault:
    """A stream that stopped without its end."""
    return Fault(Failure.CUT, words)
