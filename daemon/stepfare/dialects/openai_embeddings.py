"""OpenAI's embeddings: texts in, vectors out. Vectors of two models cannot be compared, so a request stays with the format it came in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from stepfare.core.model import Capability
from stepfare.core.prompt import Loss, Message, Prompt, TextPart
from stepfare.core.request import RequestView, Role, Text, Turn
from stepfare.dialects import openai_chat, splice
from stepfare.dialects.base import STOP, BadRequest, CostText, Faulted, Finished, StreamEvent, Unreadable, Writer
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.heard import Heard
from stepfare.dialects.openai_chat_answer import ChatListener, ChatStream, with_cost
from stepfare.dialects.openai_completions import texts_of
from stepfare.dialects.turns import body_digest, digest

NAME = "embeddings"
PATH = "/embeddings"
ALONE = Loss("embedding", "texts to be turned into vectors: its format has no words for that", essential=True)
NOT_SAID = "no other format says embeddings; nothing was sent"

_READ = ("object", "usage", "error", "message", "code", "type", "model")
"""What of an answer is decoded; the vectors are not looked at."""


def read_request(body: bytes, headers: Mapping[str, str]) -> RequestView:
    """Read an embeddings body: the texts as the one turn of a user. Raises BadRequest."""
    obj = splice.scan(body)
    model = openai_chat.model_of(obj)
    raw = obj.raw("input")
    if raw is None:
        raise BadRequest('"input" is missing: name the text, or the list of texts, that is to become vectors')
    digests = (digest(raw, parts=False),)
    return RequestView(
        dialect=NAME,
        endpoint="embedding",
        raw=body,
        headers=headers,
        model=model,
        stream=False,
        turns=(Turn(Role.USER, tuple(Text(text) for text in texts_of(splice.loads(raw)))),),
        digests=digests,
        tools=(),
        needs=frozenset({Capability.EMBED}),
        body_digest=body_digest(body, (), b""),
        spans=obj.spans,
    )


def request_for(view: RequestView, care: Care) -> Draft:
    """The client's body with the provider's name for the model."""
    return openai_chat.renamed_for(view, care)


class EmbeddingListener:
    """Understands an answer with vectors, which is whole or an error."""

    def __init__(self) -> None:
        self._chat = ChatListener()

    def listen(self, name: str, fields: Mapping[str, object]) -> Iterator[StreamEvent]:
        failed = False
        for event in self._chat.listen(name, fields):
            failed = failed or isinstance(event, Faulted)
            yield event
        if not failed and "data" in fields:
            yield Finished(STOP)


def stream(alias: str, show_usage: bool, cost_text: CostText) -> ChatStream:
    """Embeddings do not stream; what a provider streams all the same is listened to."""
    return ChatStream(alias, show_usage=show_usage, cost_text=cost_text, listener=EmbeddingListener())


def read_body(body: bytes, alias: str, cost_text: CostText) -> tuple[bytes, Heard]:
    """A whole answer: the bytes for the client, and what was heard. Raises Unreadable where it holds no vectors."""
    heard = Heard()
    heard.hear(events_of(body))
    try:
        return with_cost(body, json.dumps(alias).encode(), heard.usage, cost_text), heard
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None


def events_of(body: bytes) -> tuple[StreamEvent, ...]:
    """A whole answer as events. Raises Unreadable where it holds no vectors."""
    try:
        obj = splice.scan(body)
        fields = {span.key: obj.get(span.key) for span in obj.spans if span.key in _READ}
        if (obj.raw("data") or b"").startswith(b"["):
            fields["data"] = ()
    except BadRequest as error:
        raise Unreadable(f"the answer cannot be read: {error}") from None
    events = tuple(EmbeddingListener().listen("", fields))
    if not any(isinstance(event, Finished | Faulted) for event in events):
        raise Unreadable('the answer has no "data"')
    return events


def read_prompt(view: RequestView) -> Prompt:
    """The texts, and that they are no conversation."""
    return Prompt((Message(Role.USER, (TextPart(view.turns[0].text),)),), losses=(ALONE,))


def write_prompt(_prompt: Prompt, _care: Care) -> Draft:
    raise Unreadable(NOT_SAID)


def losses(_prompt: Prompt) -> tuple[Loss, ...]:
    """A conversation cannot be said here."""
    return (Loss("conversation", "a conversation: it only turns texts into vectors", essential=True),)


def writer(_view: RequestView, _answer_id: str, _at_ms: int, _maker: str, _cost_text: CostText) -> Writer:
    raise Unreadable(NOT_SAID)


def write_body(
    _view: RequestView, _events: tuple[StreamEvent, ...], _answer_id: str, _at_ms: int, _maker: str, _cost_text: CostText
) -> bytes:
    raise Unreadable(NOT_SAID)
