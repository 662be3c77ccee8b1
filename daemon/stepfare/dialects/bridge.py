"""Between two wire formats: the request of one said in another, the answer of the other told in the one.

Same format on both sides never comes here: then the client's own bytes pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from stepfare.core.digest import reply_digest
from stepfare.core.prompt import CallPart, Loss, Message, Part, Prompt, TextPart, Thought, ThoughtPart
from stepfare.core.request import RequestView, Role
from stepfare.dialects.base import CALLS, CostText, Faulted, Finished, Listener, StreamEvent, Unreadable, Writer
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.framed import FramedAnswer, Piece
from stepfare.dialects.heard import Heard
from stepfare.dialects.passing import fields_of, told_in
from stepfare.dialects.sse import data_of, name_of
from stepfare.dialects.table import DIALECTS
from stepfare.dialects.thoughts import opened
from stepfare.dialects.told_ids import ToldIds
from stepfare.dialects.toolnames import ToolName, by_flat_name


@dataclass
class Translation:
    """One client's request, to be said in other formats: read once, and only when a candidate needs it."""

    view: RequestView
    _losses: dict[str, tuple[Loss, ...]] = field(default_factory=dict[str, tuple[Loss, ...]])

    @cached_property
    def prompt(self) -> Prompt:
        return DIALECTS[self.view.dialect].read_prompt(self.view)

    @cached_property
    def names(self) -> Mapping[str, ToolName]:
        """What the client calls the tools that a provider of another format is offered."""
        return by_flat_name(ToolName(tool.name, tool.namespace, tool.custom) for tool in self.prompt.tools)

    def losses(self, dialect: str) -> tuple[Loss, ...]:
        """What of this request that format cannot say; nothing where it is the client's own."""
        if dialect == self.view.dialect:
            return ()
        if dialect not in self._losses:
            self._losses[dialect] = (*self.prompt.losses, *DIALECTS[dialect].losses(self.prompt))
        return self._losses[dialect]

    def draft(self, dialect: str, care: Care) -> Draft:
        """The body for a candidate that speaks this format."""
        if dialect == self.view.dialect:
            return DIALECTS[dialect].request_for(self.view, care)
        return DIALECTS[dialect].write_prompt(with_own_thoughts(self.prompt, dialect, care), care)


def with_own_thoughts(prompt: Prompt, dialect: str, care: Care) -> Prompt:
    """The prompt with just those thoughts that this candidate made itself, in its own format: what the client brought back of them,
    and what we kept for it where its format has no place for them."""
    messages: list[Message] = []
    answers = 0
    for message in prompt.messages:
        if message.role is not Role.ASSISTANT:
            messages.append(message)
            continue
        key = _key(message)
        messages.append(_with_own(message, dialect, care, care.kept_for(key, answers) if key else ()))
        answers += bool(key)
    return replace(prompt, messages=tuple(messages))


def _with_own(message: Message, dialect: str, care: Care, kept: tuple[Thought, ...]) -> Message:
    parts: list[Part] = []
    own: list[Thought] = []
    for part in message.parts:
        thought = _own(part.thought, dialect, care) if isinstance(part, ThoughtPart) else None
        if thought is not None:
            own.append(thought)
            parts.append(ThoughtPart(thought))
        elif not isinstance(part, ThoughtPart):
            parts.append(part)
    if own:
        return replace(message, parts=tuple(parts))
    return replace(message, parts=(*(ThoughtPart(thought) for thought in kept if thought.dialect == dialect), *parts))


def _own(thought: Thought, dialect: str, care: Care) -> Thought | None:
    sealed = opened(thought)
    if sealed is not None:
        maker, inner = sealed
        return inner if maker == care.model and inner.dialect == dialect else None
    return thought if thought.dialect == dialect and care.maker_of(thought.digest) == care.model else None


def _key(message: Message) -> str:
    """By what an answer is found again."""
    call = next((part.id for part in message.parts if isinstance(part, CallPart) and part.id), "")
    return call or reply_digest("\n".join(part.text for part in message.parts if isinstance(part, TextPart)))


class BridgeStream(FramedAnswer):
    """A streamed answer in the provider's format, told in the client's."""

    def __init__(self, listener: Listener, writer: Writer, names: Mapping[str, ToolName] = MappingProxyType({})) -> None:
        super().__init__(listener, Heard(names=names))
        self._writer = writer
        self._finished: Finished | None = None

    def rest(self) -> Iterator[Piece]:
        yield from super().rest()
        if self._finished is not None and self.heard.fault is None:
            # Providers report usage after the reason for the end, or before it; the client is told both when both are known.
            yield Piece((self._finished,))

    def say(self, piece: Piece) -> bytes:
        said = [piece.seen]
        for event in piece.events:
            said.append(self._writer.write(event))
            if isinstance(event, Finished):
                self.tail = self._writer.end()
        return b"".join(said)

    @property
    def complete(self) -> bool:
        return bool(self.heard.finished)

    def _frame(self, frame: bytes) -> Iterator[Piece]:
        data = data_of(frame)
        if data is None or not data.strip():
            if frame.startswith(b":"):
                yield Piece((), frame)
            return
        fields = fields_of(data)
        if fields is not None:
            yield from self._told(self._listener.listen(name_of(frame), fields))

    def _told(self, events: Iterable[StreamEvent]) -> Iterator[Piece]:
        for event in events:
            self.heard.hear((event,))
            if isinstance(event, Finished):
                self._finished = event
                yield Piece()
            else:
                yield Piece((event,))


class OnePieceStream(BridgeStream):
    """The same for an answer that came in one piece, or under the name of one, where a stream was asked for: it is paid for."""

    def __init__(self, events_of: Callable[[bytes], Iterable[StreamEvent]], listener: Listener, writer: Writer) -> None:
        super().__init__(listener, writer)
        self._events_of = events_of
        self._whole: list[bytes] = []

    def pieces(self, chunk: bytes) -> Iterator[Piece]:
        self._whole.append(chunk)
        return iter(())

    def rest(self) -> Iterator[Piece]:
        """All of it. Raises Unreadable."""
        body = b"".join(self._whole)
        if body.lstrip().startswith(b"{"):
            yield from self._told(self._events_of(body))
        else:
            yield from super().pieces(body)
        yield from super().rest()


def stream_between(
    asked: Translation, provider: str, answer_id: str, at_ms: int, maker: str, cost_text: CostText, shown: Sequence[bytes] = ()
) -> BridgeStream:
    """The stream that tells this client what a provider of that dialect answers. `maker` is the id of the model that answers, `shown`
    the frames of an answer that this one goes on with: then both may speak the client's own dialect."""
    writer = _writer(asked, answer_id, at_ms, maker, cost_text, shown)
    listener = ToldIds(asked.view.dialect, answer_id).listener(DIALECTS[provider].listener())
    return BridgeStream(listener, writer, _names_for(asked, provider))


def stream_of_body(
    asked: Translation, provider: str, answer_id: str, at_ms: int, maker: str, cost_text: CostText, shown: Sequence[bytes] = ()
) -> OnePieceStream:
    """The same where the provider does not stream; it may speak the client's own dialect. Raises Unreadable."""
    spoken = DIALECTS[provider]
    try:
        writer = _writer(asked, answer_id, at_ms, maker, cost_text, shown)
    except Unreadable:
        raise Unreadable("it answered in one piece where a stream was asked for") from None
    ids = ToldIds(asked.view.dialect, answer_id)
    stream = OnePieceStream(lambda body: ids.events(spoken.events_of(body)), ids.listener(spoken.listener()), writer)
    stream.heard.names = _names_for(asked, provider)
    return stream


def end_behind(asked: Translation, shown: Sequence[bytes], answer_id: str, at_ms: int) -> tuple[bytes, bytes]:
    """What ends an answer behind the calls that these frames made, though its provider would have gone on; and the end mark."""
    writer = _writer(asked, answer_id, at_ms, "", lambda _: None, shown)
    return writer.write(Finished(CALLS)), writer.end()


def heard_in(asked: Translation, shown: Sequence[bytes]) -> Heard:
    """What these frames of the client's own format say."""
    heard, listener = Heard(), DIALECTS[asked.view.dialect].listener()
    for name, fields in told_in(shown):
        heard.hear(listener.listen(name, fields))
    return heard


def _writer(asked: Translation, answer_id: str, at_ms: int, maker: str, cost_text: CostText, shown: Sequence[bytes]) -> Writer:
    writer = DIALECTS[asked.view.dialect].writer(asked.view, answer_id, at_ms, maker, cost_text)
    if shown:
        writer.resume(shown)
    return writer


def body_between(
    body: bytes, asked: Translation, provider: str, answer_id: str, at_ms: int, maker: str, cost_text: CostText
) -> tuple[bytes, Heard]:
    """The same for an answer in one piece: the client's bytes, and what was heard. Raises Unreadable."""
    return _written(DIALECTS[provider].events_of(body), body, asked, provider, answer_id, at_ms, maker, cost_text)


def body_of_stream(
    body: bytes, asked: Translation, provider: str, answer_id: str, at_ms: int, maker: str, cost_text: CostText
) -> tuple[bytes, Heard]:
    """The same where the provider streamed unasked; it may speak the client's own dialect. Raises Unreadable."""
    listener = DIALECTS[provider].listener()
    events = [event for name, fields in told_in((body,)) for event in listener.listen(name, fields)]
    if not any(isinstance(event, Finished | Faulted) for event in events):
        events.append(Faulted("its answer stopped before its end"))
    return _written(tuple(events), body, asked, provider, answer_id, at_ms, maker, cost_text)


def _written(
    events: tuple[StreamEvent, ...],
    body: bytes,
    asked: Translation,
    provider: str,
    answer_id: str,
    at_ms: int,
    maker: str,
    cost_text: CostText,
) -> tuple[bytes, Heard]:
    heard = Heard(names=_names_for(asked, provider))
    events = tuple(ToldIds(asked.view.dialect, answer_id).events(events))
    heard.hear(events)
    if heard.fault is not None:
        return body, heard
    return DIALECTS[asked.view.dialect].write_body(asked.view, events, answer_id, at_ms, maker, cost_text), heard


def _names_for(asked: Translation, provider: str) -> Mapping[str, ToolName]:
    """What the client calls its tools, where that is not what the provider calls them."""
    return {} if provider == asked.view.dialect else asked.names
