"""How one attempt is said to its provider, and how the answer is told to the client: the same format on both sides, or a bridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepfare.core.attempt import Fault, HttpCall
from stepfare.core.model import Candidate
from stepfare.core.prompt import HOUR_S
from stepfare.core.request import RequestView
from stepfare.dialects import breakpoints, rules
from stepfare.dialects.anthropic_messages import NAME as ANTHROPIC
from stepfare.dialects.anthropic_thoughts import calls_unthought
from stepfare.dialects.base import CostText
from stepfare.dialects.bridge import Translation, body_between, body_of_stream, stream_between, stream_of_body
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.heard import Heard
from stepfare.dialects.lessons import lesson_of
from stepfare.dialects.limits import Limits
from stepfare.dialects.provider_errors import has_shape
from stepfare.dialects.table import DIALECTS, Dialect, Stream
from stepfare.providers.adapter import call_for
from stepfare.providers.quirks import CLAUDE_CACHE_MARKS
from stepfare.runtime.consider import Asked
from stepfare.runtime.state import State

HOME_PROVIDERS = {"anthropic": "anthropic", "responses": "openai"}
"""Whose own clients write lines into a prompt that no other provider understands, by the dialect that they speak."""


BUDGET, NOT_NOW = "thinking-budget-only", "thinking-off-now"
MARKED_MODELS = "claude"
"""What the names of models hold that cache only what is marked, at a provider whose other models need no marks."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """One call, and the format that its provider speaks. `sent_keys` are the top-level keys of the body that was made."""

    call: HttpCall
    dialect: Dialect
    asked: Translation
    model: str
    sent_keys: tuple[str, ...]
    changed: tuple[str, ...]
    """What of the request had to be said otherwise for this model, in words."""

    @property
    def view(self) -> RequestView:
        return self.asked.view

    @property
    def bridged(self) -> bool:
        return self.dialect.name != self.view.dialect

    def stream(self, answer_id: str, at_ms: int, cost_text: CostText, shown: Sequence[bytes] = (), *, whole: bool = False) -> Stream:
        """What takes the provider's bytes and gives the client's. `shown` are the frames of an answer that this one goes on with;
        `whole` says that the bytes are no stream. Raises Unreadable."""
        if whole:
            return stream_of_body(self.asked, self.dialect.name, answer_id, at_ms, self.model, cost_text, shown)
        if self.bridged or shown:
            return stream_between(self.asked, self.dialect.name, answer_id, at_ms, self.model, cost_text, shown)
        return self.dialect.stream(self.view.model, self.view.wants_usage, cost_text)

    def body(self, body: bytes, answer_id: str, at_ms: int, cost_text: CostText) -> tuple[bytes, Heard]:
        """The same for an answer in one piece, which it is not always. Raises Unreadable."""
        if body.lstrip().startswith((b"data:", b"event:", b":")):
            return body_of_stream(body, self.asked, self.dialect.name, answer_id, at_ms, self.model, cost_text)
        if self.bridged:
            return body_between(body, self.asked, self.dialect.name, answer_id, at_ms, self.model, cost_text)
        return self.dialect.read_body(body, self.view.model, cost_text)

    def lesson(self, fault: Fault) -> str:
        """The rule under which this request would not have been refused; empty where the refusal teaches none."""
        return lesson_of(self.dialect.name, fault, self.sent_keys) or ""

    def fault(self, status: int, content_type: str, body: bytes) -> Fault:
        """Why there was no answer."""
        return self.dialect.read_error(status, content_type, body)

    def shown(self, fault: Fault) -> Fault:
        """The fault as this client may be told of it: a provider's own body is for clients of its format only, if it is of that format."""
        return replace(fault, body=b"") if self.bridged or not has_shape(self.dialect.name, fault.body) else fault


def carriage_for(asked: Asked, candidate: Candidate, state: State, once: Sequence[str] = ()) -> Carriage:
    """The call that asks this candidate for this step's answer. `once` are rules that hold for this step alone."""
    view, model, provider = asked.view, candidate.model, candidate.provider
    door = provider.door(view.dialect)
    dialect = DIALECTS[door.dialect]
    care = Care(
        model=model.id,
        upstream=model.upstream,
        max_output_tokens=model.max_output_tokens,
        maker_of=state.thoughts.maker_of,
        kept_for=state.keepsakes.of(asked.session.id, model.id),
        foreign=HOME_PROVIDERS.get(door.dialect, provider.id) != provider.id,
    )
    draft = asked.translation.draft(door.dialect, care)
    said = dict(dialect.headers)
    if dialect.name == view.dialect:
        said |= {name: view.headers[name] for name in dialect.passing_headers if name in view.headers}
    names = (*provider.quirks, *model.quirks, *state.lessons.of(model.id), *once)
    names += _thoughtless(draft, dialect, names)
    changed = rules.apply(draft, dialect.name, names, Limits(model.max_output_tokens, asked.session.id))
    changed += _cache_asked(draft, dialect, asked, candidate, state)
    headers = rules.with_headers(said, names, asked.session.id)
    call = call_for(candidate, door.base_url + dialect.path, draft.body(), headers, stream=view.stream)
    return Carriage(call, dialect, asked.translation, model.id, draft.keys(), changed)


def _thoughtless(draft: Draft, dialect: Dialect, names: Sequence[str]) -> tuple[str, ...]:
    """Models that think within a budget do not go on with a turn of which the thoughts are missing, as long as they are to think."""
    if dialect.name != ANTHROPIC or BUDGET not in names or draft.raw("thinking") is None:
        return ()
    return (NOT_NOW,) if calls_unthought(draft.raw("messages") or b"[]") else ()


def _cache_asked(draft: Draft, dialect: Dialect, asked: Asked, candidate: Candidate, state: State) -> tuple[str, ...]:
    """Marks where the provider caches nothing unasked. A call beside the conversation is not asked for again: to write it would cost
    more than it saves."""
    rule = candidate.provider.cache
    claude = CLAUDE_CACHE_MARKS in candidate.provider.quirks and MARKED_MODELS in candidate.model.upstream
    marked = claude or (rule is not None and rule.marked)
    if not marked or asked.apart:
        return ()
    session, model = asked.session.id, candidate.model.id
    hour = any(row.hour for row in asked.decision.ranked if row.candidate.model.id == model)
    cache_s = HOUR_S if hour else rule.lifetime_ms // 1000 if rule else 0
    held = state.reach.move(session, model, breakpoints.messages_in(draft))
    return breakpoints.mark(draft, dialect.name, breakpoints.MARKS, cache_s, session, held)
