"""The wire formats by name: what each can do, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from stepfare.core.attempt import Fault
from stepfare.core.prompt import Loss, Prompt
from stepfare.core.request import RequestView
from stepfare.dialects import (
    anthropic_answer,
    anthropic_messages,
    anthropic_prompt,
    anthropic_writer,
    openai_chat,
    openai_chat_answer,
    openai_chat_prompt,
    openai_chat_request,
    openai_chat_writer,
    openai_completions,
    openai_embeddings,
    provider_errors,
    responses_answer,
    responses_input,
    responses_prompt,
    responses_request,
    responses_writer,
    tool_offers,
)
from stepfare.dialects.base import CostText, Listener, StreamEvent, Writer
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft
from stepfare.dialects.framed import Piece
from stepfare.dialects.heard import Heard


class Stream(Protocol):
    """One streamed answer on its way to the client."""

    heard: Heard
    tail: bytes
    """The end mark, kept back until the caller has had the last word."""

    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...
    def pieces(self, chunk: bytes) -> Iterator[Piece]: ...
    def rest(self) -> Iterator[Piece]: ...
    def say(self, piece: Piece) -> bytes: ...
    @property
    def complete(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions of one wire format; their modules say what each promises.

    The first group serves both ends: reading what a client asks, and errors. The second lets an answer pass to a client who speaks
    the same. The third joins two formats: a client's request as a prompt, a prompt as a request, an answer as events, events as an
    answer.
    """

    name: str
    path: str
    headers: Mapping[str, str]
    """What every call in this format says besides."""
    passing_headers: tuple[str, ...]
    """Headers of a client that go on to a provider of the same format; lower case."""
    read_request: Callable[[bytes, Mapping[str, str]], RequestView]
    write_error: Callable[[int, str, str], bytes]
    error_event: Callable[[str, str], bytes]
    read_error: Callable[[int, str, bytes], Fault]

    request_for: Callable[[RequestView, Care], Draft]
    stream: Callable[[str, bool, CostText], Stream]
    """(the name that the client asked for, whether it wants usage, what a usage costs)"""
    read_body: Callable[[bytes, str, CostText], tuple[bytes, Heard]]

    read_prompt: Callable[[RequestView], Prompt]
    write_prompt: Callable[[Prompt, Care], Draft]
    losses: Callable[[Prompt], tuple[Loss, ...]]
    """What of this prompt cannot be said in this format."""
    listener: Callable[[], Listener]
    events_of: Callable[[bytes], tuple[StreamEvent, ...]]
    """An answer in one piece, as the events of a streamed one. Raises Unreadable."""
    writer: Callable[[RequestView, str, int, str, CostText], Writer]
    """(what the client asked, an id for the answer, the time in ms, the id of the model that answers, what a usage costs)"""
    write_body: Callable[[RequestView, tuple[StreamEvent, ...], str, int, str, CostText], bytes]
    """The same for an answer in one piece."""

    offered_in: Callable[[RequestView], tuple[bytes, ...]] = tool_offers.no_tools
    """The lists of a request's body in which it offers tools, as JSON."""
    one_call: Callable[[RequestView], bool] = tool_offers.many_calls
    """Whether the client takes one call a turn only."""
    texts_joint: str = ""
    """What stands in an answer between the text of the model that began it and that of the one that went on with it."""


def _chat_stream(alias: str, show_usage: bool, cost_text: CostText) -> Stream:
    return openai_chat_answer.ChatStream(alias, show_usage=show_usage, cost_text=cost_text)


OPENAI = Dialect(
    name=openai_chat.NAME,
    path=openai_chat.PATH,
    headers={},
    passing_headers=(),
    read_request=openai_chat.read_request,
    write_error=openai_chat.write_error,
    error_event=openai_chat.error_event,
    read_error=provider_errors.read_error,
    request_for=openai_chat.request_for,
    stream=_chat_stream,
    read_body=openai_chat_answer.read_body,
    read_prompt=openai_chat_prompt.read_prompt,
    write_prompt=openai_chat_request.write_prompt,
    losses=openai_chat_request.losses,
    listener=openai_chat_answer.ChatListener,
    events_of=openai_chat_answer.events_of,
    writer=openai_chat_writer.ChatWriter,
    write_body=openai_chat_writer.write_body,
    offered_in=tool_offers.in_tools,
    one_call=tool_offers.one_parallel_call,
    texts_joint=openai_chat_writer.TEXTS_JOINT,
)


def _responses_stream(alias: str, _show_usage: bool, cost_text: CostText) -> Stream:
    return responses_answer.ResponsesStream(alias, cost_text=cost_text)


RESPONSES = Dialect(
    name=responses_request.NAME,
    path=responses_request.PATH,
    headers={},
    passing_headers=responses_request.PASSING_HEADERS,
    read_request=responses_request.read_request,
    write_error=responses_request.write_error,
    error_event=responses_request.error_event,
    read_error=provider_errors.read_error,
    request_for=responses_request.request_for,
    stream=_responses_stream,
    read_body=responses_answer.read_body,
    read_prompt=responses_prompt.read_prompt,
    write_prompt=responses_input.write_prompt,
    losses=responses_input.losses,
    listener=responses_answer.ResponsesListener,
    events_of=responses_answer.events_of,
    writer=responses_writer.ResponsesWriter,
    write_body=responses_writer.write_body,
    offered_in=tool_offers.in_tools_and_items,
    one_call=tool_offers.one_parallel_call,
)

ANTHROPIC = Dialect(
    name=anthropic_messages.NAME,
    path=anthropic_messages.PATH,
    headers=anthropic_messages.HEADERS,
    passing_headers=anthropic_messages.PASSING_HEADERS,
    read_request=anthropic_messages.read_request,
    write_error=anthropic_messages.write_error,
    error_event=anthropic_messages.error_event,
    read_error=provider_errors.read_error,
    request_for=anthropic_messages.request_for,
    stream=anthropic_answer.MessagesStream,
    read_body=anthropic_answer.read_body,
    read_prompt=anthropic_prompt.read_prompt,
    write_prompt=anthropic_prompt.write_prompt,
    losses=anthropic_prompt.losses,
    listener=anthropic_answer.MessagesListener,
    events_of=anthropic_answer.events_of,
    writer=anthropic_writer.AnthropicWriter,
    write_body=anthropic_writer.write_body,
    offered_in=tool_offers.in_tools,
    one_call=tool_offers.one_chosen_call,
)

COMPLETIONS = Dialect(
    name=openai_completions.NAME,
    path=openai_completions.PATH,
    headers={},
    passing_headers=(),
    read_request=openai_completions.read_request,
    write_error=openai_chat.write_error,
    error_event=openai_chat.error_event,
    read_error=provider_errors.read_error,
    request_for=openai_completions.request_for,
    stream=openai_completions.stream,
    read_body=openai_completions.read_body,
    read_prompt=openai_completions.read_prompt,
    write_prompt=openai_completions.write_prompt,
    losses=openai_completions.losses,
    listener=openai_completions.CompletionListener,
    events_of=openai_completions.events_of,
    writer=openai_completions.writer,
    write_body=openai_completions.write_body,
)

EMBEDDINGS = Dialect(
    name=openai_embeddings.NAME,
    path=openai_embeddings.PATH,
    headers={},
    passing_headers=(),
    read_request=openai_embeddings.read_request,
    write_error=openai_chat.write_error,
    error_event=openai_chat.error_event,
    read_error=provider_errors.read_error,
    request_for=openai_embeddings.request_for,
    stream=openai_embeddings.stream,
    read_body=openai_embeddings.read_body,
    read_prompt=openai_embeddings.read_prompt,
    write_prompt=openai_embeddings.write_prompt,
    losses=openai_embeddings.losses,
    listener=openai_embeddings.EmbeddingListener,
    events_of=openai_embeddings.events_of,
    writer=openai_embeddings.writer,
    write_body=openai_embeddings.write_body,
)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (OPENAI, ANTHROPIC, RESPONSES, COMPLETIONS, EMBEDDINGS)}
