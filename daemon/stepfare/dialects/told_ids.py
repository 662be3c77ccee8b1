"""The ids under which a client is told the calls of an answer, where that answer is told in another format than it came in.

A call needs an id that its client accepts and that no other call of the answer has, and some providers give none. It is decided here,
before anybody hears of the call: what the client is told, what it brings back, and what is booked are then one and the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from stepfare.dialects.base import Listener, StreamEvent, ToolCallStarted
from stepfare.dialects.call_ids import SIXTY_FOUR, IdForm, fitted

FORMS: Mapping[str, IdForm] = {"anthropic": SIXTY_FOUR}
"""What clients of a format accept, where they are strict."""
PREFIXES: Mapping[str, str] = {"anthropic": "toolu"}
"""How ids of ours begin, where not with `call`."""


@dataclass(slots=True)
class _Call:
    given: str
    """The provider's id, where it has given one yet."""
    told: str


class ToldIds:
    """The ids of one answer's calls. An answer is known by `answer_id`, so that ids of ours differ from one answer to the next."""

    def __init__(self, dialect: str, answer_id: str) -> None:
        self._form = FORMS.get(dialect)
        self._prefix = PREFIXES.get(dialect, "call")
        self._answer_id = answer_id
        self._open: dict[int, _Call] = {}
        """The call that each index means now."""
        self._told: set[str] = set()

    def events(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """The same events, with the ids that the client is told."""
        for event in events:
            yield self._named(event) if isinstance(event, ToolCallStarted) else event

    def listener(self, listener: Listener) -> Listener:
        """One that hears the same, with the ids that the client is told."""
        return _Telling(listener, self)

    def _named(self, event: ToolCallStarted) -> ToolCallStarted:
        call = self._open.get(event.index)
        # Another id is another call, even under the same number; the same one again, or one that comes late, is the same call.
        if call is None or (event.id and call.given and event.id != call.given):
            self._open[event.index] = call = _Call(event.id, self._fresh(event.id))
        call.given = call.given or event.id
        return event if event.id == call.told else replace(event, id=call.told)

    def _fresh(self, given: str) -> str:
        told = given if self._form is None or not given else fitted(given, self._form)
        if not told or told in self._told:
            told = fitted(f"{told or self._prefix}_{self._answer_id}_{len(self._told)}", SIXTY_FOUR)
        self._told.add(told)
        return told


@dataclass(frozen=True, slots=True)
class _Telling:
    inner: Listener
    ids: ToldIds

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterable[StreamEvent]:
        return self.ids.events(self.inner.listen(name, fields))
