"""An answer held back until it may be seen: until its first content, and behind the gate until its action is known.

What becomes of it is decided by `routing.gate`; here it is kept in order, timed, and let go piece by piece.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

from stepfare.core.decision import Floor
from stepfare.core.step import Tier
from stepfare.dialects.base import TextDelta, ToolCallDelta, ToolCallStarted
from stepfare.dialects.framed import Piece
from stepfare.dialects.heard import Heard
from stepfare.dialects.table import DIALECTS, Stream
from stepfare.dialects.tool_offers import offers_in
from stepfare.routing.gate import HELD_BYTES_MAX, Escalate, Pass, Seen, due_ms, verdict
from stepfare.routing.sight import Measure, Sight
from stepfare.runtime.consider import Asked
from stepfare.runtime.workspaces import relative_to_folder

FRAMES_BYTES_MAX = 4 * 1024 * 1024
"""Of the frames of a held answer, whatever they say."""


@dataclass(slots=True)
class _Held:
    piece: Piece
    text_end: int
    """How many characters of text there were with it."""
    call: bool
    """Whether it says something of a call."""


class Holding:
    """One streamed answer on its way to the client. Without `sight` it is held until its first content only.

    `needs` is set once the answer must not be shown: another one, of at least that floor, takes its place. `ended` is set when the
    client has all that it takes of it, whatever else its provider would say."""

    def __init__(self, stream: Stream, sight: Sight | None, tier: Tier) -> None:
        self.needs: Floor | None = None
        self.ended = False
        self.shown: list[bytes] = []
        """What the client has seen of it, frame by frame; kept for as long as another answer may have to go on behind it."""
        self._stream = stream
        self._sight = sight
        self._tier = tier
        self._queue: deque[_Held] = deque()
        self._open = False
        self._since: float | None = None
        self._text_since: float | None = None
        self._frames_bytes = 0
        self._chars_before = 0
        self._held_s = 0.0
        self._calls_shown = 0

    @property
    def held_ms(self) -> int:
        """For how long, all in all, something of it was held back that was known already."""
        return round(self._held_s * 1000)

    @property
    def holds(self) -> bool:
        """Whether anything is held that was never shown."""
        return bool(self._queue)

    def due_s(self) -> float | None:
        """How long to wait for more of the answer before `wake`; None for as long as it takes."""
        if self._sight is None or self._since is None or self._open:
            return None
        return (due_ms(self._seen(self._sight), self._sight.measure.plan) + 1) / 1000

    def feed(self, chunk: bytes) -> bytes:
        """What the client sees now that this has come. Raises Unreadable."""
        if self._open and not self._watched:
            return self._stream.feed(chunk)
        if self._stream.heard.started:
            self._frames_bytes += len(chunk)
        return self._take(self._stream.pieces(chunk))

    def wake(self) -> bytes:
        """What the client sees now that time has passed."""
        return self._judge()

    def finish(self) -> bytes:
        """What the client sees at the end of the stream."""
        if self._open and not self._watched:
            return self._stream.finish()
        said = self._take(self._stream.rest())
        heard = self._stream.heard
        if self._stream.complete and heard.started and heard.fault is None and not self._open and self.needs is None:
            said += self._judge(ended=True)
        return said

    @property
    def _watched(self) -> bool:
        """Whether it is still minded what is said, though nothing is held: another call may come where one only is taken."""
        return self._sight is not None and self._sight.measure.one_call

    def _take(self, pieces: Iterable[Piece]) -> bytes:
        said: list[bytes] = []
        for piece in pieces:
            said.append(self._heard(piece))
            if self.needs is not None or self.ended:
                break
        return b"".join(said)

    def _heard(self, piece: Piece) -> bytes:
        heard = self._stream.heard
        if heard.fault is not None:
            self._queue.clear()  # What was held of a broken answer is of no use.
            return self._stream.say(piece)
        if self._open:
            if self._watched and heard.call_count > self._calls_shown and any(isinstance(event, ToolCallStarted) for event in piece.events):
                self.ended = True
                return b""
            return self._said(piece)
        self._queue.append(_Held(piece, heard.text_chars, any(isinstance(event, _OF_CALLS) for event in piece.events)))
        if not heard.started:
            return b""
        now = monotonic()
        self._since = now if self._since is None else self._since
        if self._text_since is None and any(isinstance(event, TextDelta) for event in piece.events):
            self._text_since = now
        if self._sight is not None:
            self._sight.hear(piece.events)
        return self._judge()

    def _judge(self, *, ended: bool = False) -> bytes:
        if self._sight is None:
            return self._let_go(all_of_it=True)
        match verdict(self._seen(self._sight, ended=ended), self._sight.measure.plan, self._tier):
            case Escalate(floor):
                self.needs = floor
                self._count()
                self._queue.clear()
                return b""
            case Pass.ALL:
                return self._let_go(all_of_it=True)
            case Pass.TEXT:
                return self._let_go(all_of_it=False)
            case Pass.NOTHING:
                return b""

    def _let_go(self, *, all_of_it: bool) -> bytes:
        said: list[bytes] = []
        call_at = None if all_of_it or self._sight is None else self._sight.call_at()
        while self._queue:
            held = self._queue[0]
            if not all_of_it and (held.call or (call_at is not None and held.text_end > call_at)):
                break
            said.append(self._said(self._queue.popleft().piece))
        self._count()
        self._text_since = None
        self._frames_bytes, self._chars_before = 0, self._stream.heard.output_chars
        self._since = monotonic() if self._queue else None
        if all_of_it:
            self._open = True
            self._calls_shown = self._stream.heard.call_count
            if not self._watched:
                self.shown.clear()
        return b"".join(said)

    def _said(self, piece: Piece) -> bytes:
        said = self._stream.say(piece)
        if said and (self._watched or not self._open):
            self.shown.append(said)
        return said

    def _count(self) -> None:
        if self._since is not None:
            self._held_s += monotonic() - self._since

    def _seen(self, sight: Sight, *, ended: bool = False) -> Seen:
        now = monotonic()
        return sight.seen(
            shown=bool(self.shown),
            held_ms=0 if self._since is None else round((now - self._since) * 1000),
            text_ms=0 if self._text_since is None else round((now - self._text_since) * 1000),
            held_bytes=self._held_bytes(),
            ended=ended,
        )

    def _held_bytes(self) -> int:
        """What is held of the answer itself: of the frames that carry it there may be a hundred times as much, up to a bound of its own."""
        said = self._stream.heard.output_chars - self._chars_before
        return said if self._frames_bytes <= FRAMES_BYTES_MAX else max(said, HELD_BYTES_MAX)


_OF_CALLS = (ToolCallStarted, ToolCallDelta)


def measure_of(asked: Asked) -> Measure:
    """What the answers of this step are measured by."""
    dialect = DIALECTS[asked.view.dialect]
    return Measure(
        plan=asked.decision.gate,
        features=asked.features,
        offered=asked.view.tools,
        snapshot=asked.snapshot,
        files=lambda paths: relative_to_folder(asked.workspace, paths),
        offers=lambda: offers_in(dialect.offered_in(asked.view)),
        one_call=dialect.one_call(asked.view),
    )


def sight_of(asked: Asked, tier: Tier, heard: Heard) -> Sight | None:
    """What follows an answer of a model of this tier; None where it need not be held."""
    return Sight(measure_of(asked), heard) if asked.decision.gate.holds(tier) else None


def needed_by(sight: Sight, tier: Tier) -> Floor | None:
    """The floor that an answer which was heard to its end turns out to need, where that is above its model's tier."""
    seen = sight.seen(shown=False, held_ms=0, text_ms=0, held_bytes=0, ended=True)
    found = verdict(seen, sight.measure.plan, tier)
    return found.floor if isinstance(found, Escalate) else None
