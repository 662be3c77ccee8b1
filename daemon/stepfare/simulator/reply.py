"""An answer as the play makes it, and the pieces in which it is streamed. What is in it is decided in `play`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stepfare.simulator.tokens import BYTES_PER_TOKEN, tokens_of

ARGUMENT_PIECE_CHARS = 12

_WORDS = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class OutCall:
    """A tool call to make; `arguments` is JSON text, or free text for a `custom` tool; `id` is given by the server."""

    name: str
    arguments: str
    id: str = ""
    namespace: str = ""
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    text: str = ""
    calls: tuple[OutCall, ...] = ()
    reasoning: str = ""
    finish: str = ""

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")

    @property
    def reasoning_tokens(self) -> int:
        return tokens_of(self.reasoning)

    @property
    def output_tokens(self) -> int:
        """Reasoning included; never zero, for even an empty answer has an end."""
        calls = sum(tokens_of(call.name) + tokens_of(call.arguments) for call in self.calls)
        return max(1, self.reasoning_tokens + tokens_of(self.text) + calls)


@dataclass(frozen=True, slots=True)
class Piece:
    """One delta of the stream: of the reasoning, the text, or the call with this index (`opens` on its first)."""

    kind: str
    text: str
    index: int = 0
    opens: bool = False


def capped(reply: Reply, max_tokens: int | None) -> Reply:
    """The reply cut where its token limit falls: reasoning first, then text, then calls; cut ones end with `length`."""
    if max_tokens is None or reply.output_tokens <= max_tokens:
        return reply
    reasoning = _cut(reply.reasoning, max_tokens)
    left = max_tokens - tokens_of(reasoning)
    text = _cut(reply.text, left)
    left -= tokens_of(text)
    calls: list[OutCall] = []
    for call in reply.calls:
        if left <= tokens_of(call.name):
            break
        left -= tokens_of(call.name)
        arguments = _cut(call.arguments, left)
        left -= tokens_of(arguments)
        calls.append(replace(call, arguments=arguments))
    return Reply(text, tuple(calls), reasoning, "length")


def _cut(text: str, tokens: int) -> str:
    return text.encode()[: max(0, tokens) * BYTES_PER_TOKEN].decode("utf-8", "ignore")


def pieces_of(reply: Reply) -> Iterator[Piece]:
    """Text by words, arguments in small bites; joined again they are the reply."""
    for kind, text in (("reasoning", reply.reasoning), ("text", reply.text)):
        for word in _WORDS.findall(text):
            yield Piece(kind, word)
    for index, call in enumerate(reply.calls):
        yield Piece("call", "", index, opens=True)
        for start in range(0, len(call.arguments), ARGUMENT_PIECE_CHARS):
            yield Piece("call", call.arguments[start : start + ARGUMENT_PIECE_CHARS], index)


class Sent:
    """What went out so far, so that a call that is cut short is billed for just that."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._texts = {"reasoning": "", "text": ""}
        self._arguments: dict[int, int] = {}

    def add(self, piece: Piece) -> None:
        if piece.kind == "call":
            self._arguments[piece.index] = self._arguments.get(piece.index, 0) + len(piece.text)
        else:
            self._texts[piece.kind] += piece.text

    def reply(self) -> Reply:
        calls = self._reply.calls
        sent = tuple(replace(calls[index], arguments=calls[index].arguments[:size]) for index, size in self._arguments.items())
        return Reply(self._texts["text"], sent, self._texts["reasoning"])
