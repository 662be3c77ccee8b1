"""OpenAI's older completions, for inline completion: a text goes on, or a gap between `prompt` and `suffix` is filled.

Both ends speak it, or nobody does: a text with a gap is no conversation, and models that fill gaps know their own marks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from stepfare.core.model import Capability
from stepfare.core.prompt import Loss, Message, Prompt, TextPart
from stepfare.core.request import RequestView, Role, Text, Turn
from stepfare.dialects import openai_chat, splice
from stepfare.dialects.base import CostText, StreamEvent, TextDelta, Unreadable, Writer
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.heard import Heard
from stepfare.dialects.openai_chat_answer import ChatListener, ChatStream, events_by, read_body_by
from stepfare.dialects.turns import body_digest, digest

NAME = "completions"
PATH = "/completions"
ALONE = Loss("inline completion", "a text to go on with: its format has no words for that", essential=True)
NOT_SAID = "no other format says an inline completion; nothing was sent"


def read_request(body: bytes, headers: Mapping[str, str]) -> RequestView:
    """Read a completions body: the prompt as the one turn of a user. Raises BadRequest."""
    obj = splice.scan(body)
    model, stream = openai_chat.model_of(obj), openai_chat.stream_of(obj)
    raw = obj.raw("prompt") or b'""'
    digests = (digest(raw, parts=False),)
    return RequestView(
        dialect=NAME,
        endpoint="completion",
        raw=body,
        headers=headers,
        model=model,
        stream=stream,
        turns=(Turn(Role.USER, tuple(Text(text) for text in texts_of(obj.get("prompt")))),),
        digests=digests,
        tools=(),
        needs=frozenset({Capability.FILL}),
        max_output_tokens=openai_chat.first_int(obj, "max_completion_tokens", "max_tokens"),
        wants_usage=not stream or openai_chat.asks_for_usage(obj),
        body_digest=body_digest(body, (), b""),
        spans=obj.spans,
    )


def request_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model, and usage asked for where the client did not."""
    return openai_chat.renamed_for(view, care)


class CompletionListener:
    """Understands the chunks of a completion. Mistral answers them in the shape of a chat, which is read too."""

    def __init__(self) -> None:
        self._chat = ChatListener()

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        choices = fields.get("choices")
        for choice in cast("list[object]", choices) if isinstance(choices, list) else []:
            text = cast("dict[str, object]", choice).get("text") if isinstance(choice, dict) else None
            if isinstance(text, str) and text:
                yield TextDelta(text)
        yield from self._chat.listen(name, fields)


def stream(alias: str, show_usage: bool, cost_text: CostText) -> ChatStream:
    """A streamed completion on its way through."""
    return ChatStream(alias, show_usage=show_usage, cost_text=cost_text, listener=CompletionListener())


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it is no completion."""
    return read_body_by(CompletionListener(), body, alias, cost_text)


def events_of(body: bytes) -> tuple[StreamEvent, ...]:
    """A whole answer as events. Raises Unreadable where it is no completion."""
    return events_by(CompletionListener(), body)


def read_prompt(view: RequestView) -> Prompt:
    """The prompt's text, and that it is no conversation."""
    return Prompt((Message(Role.USER, (TextPart(view.turns[0].text),)),), stream=view.stream, losses=(ALONE,))


def write_prompt(_prompt: Prompt, _care: Care) -> Draft:
    raise Unreadable(NOT_SAID)


def losses(_prompt: Prompt) -> tuple[Loss, ...]:
    """A conversation cannot be said here."""
    return (Loss("conversation", "a conversation: it only goes on with a text", essential=True),)


def writer(_view: RequestView, _answer_id: str, _at_ms: int, _maker: str, _cost_text: CostText) -> Writer:
    raise Unreadable(NOT_SAID)


def write_body(
    _view: RequestView, _events: tuple[StreamEvent, ...], _answer_id: str, _at_ms: int, _maker: str, _cost_text: CostText
) -> bytes:
    raise Unreadable(NOT_SAID)


def texts_of(value: object) -> tuple[str, ...]:
    """The texts of a prompt or an input: one, or a list; lists of token numbers hold none."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(one for one in cast("list[object]", value) if isinstance(one, str) and one) if isinstance(value, list) else ()
