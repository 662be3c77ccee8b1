"""OpenAI Responses, a request read as a prompt: the client's half of a bridge. Writing one is left to `responses_input`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from stepfare.core.prompt import EFFORTS, Loss, Message, OutputForm, Part, Prompt, TextPart
from stepfare.core.request import RequestView, Role
from stepfare.dialects import splice
from stepfare.dialects.numbers import number
from stepfare.dialects.responses_items import text_of
from stepfare.dialects.responses_reading import read_item
from stepfare.dialects.responses_request import items_of, offered
from stepfare.dialects.responses_tools import read_tools

_AT_THE_PROVIDER = {
    "previous_response_id": "the earlier answer that it continues, which is stored with OpenAI",
    "conversation": "the conversation that it continues, which is stored with OpenAI",
    "prompt": "the prompt template that it names, which is stored with OpenAI",
}


def read_prompt(view: RequestView) -> Prompt:
    """A request that was read here, free of its format."""
    obj = splice.JsonObject(view.raw, view.spans)
    reading = _Joined()
    instructions = obj.get("instructions")
    if isinstance(instructions, str) and instructions:
        reading.add(Role.SYSTEM, (TextPart(instructions),))
    for raw in items_of(view):
        read = read_item(raw)
        reading.add(read.role, read.parts)
        for loss in read.losses:
            reading.lose(loss)
    told = read_tools(offered(view), obj.get("tool_choice"))
    for key, words in _AT_THE_PROVIDER.items():
        if obj.raw(key) not in (None, b"null"):
            reading.lose(Loss(key, words, essential=True))
    if obj.get("background") is True:
        reading.lose(Loss("background", "its answer in the background, which is fetched from OpenAI later", essential=True))
    reasoning, text = _fields(obj.get("reasoning")), _fields(obj.get("text"))
    parallel = obj.get("parallel_tool_calls")
    service = text_of(obj.get("service_tier"))
    return Prompt(
        messages=reading.messages(),
        tools=told.offers,
        tool_choice=told.choice,
        parallel=parallel if isinstance(parallel, bool) else None,
        stream=view.stream,
        max_output_tokens=view.max_output_tokens,
        temperature=number(obj.get("temperature")),
        top_p=number(obj.get("top_p")),
        effort=effort if (effort := text_of(reasoning.get("effort"))) in EFFORTS else "",
        show_thoughts=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
        form=_form(_fields(text.get("format"))),
        cache_key=text_of(obj.get("prompt_cache_key")),
        service="" if service in ("auto", "default") else service,
        losses=(*told.losses, *reading.losses),
    )


class _Joined:
    """Items in order become messages: those of one assistant turn are joined, as are the outputs that follow it."""

    def __init__(self) -> None:
        self._messages: list[tuple[Role, list[Part]]] = []
        self._losses: dict[str, Loss] = {}

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(self._losses.values())

    def messages(self) -> tuple[Message, ...]:
        return tuple(Message(role, tuple(parts)) for role, parts in self._messages)

    def lose(self, loss: Loss) -> None:
        self._losses.setdefault(loss.what, loss)

    def add(self, role: Role, parts: Sequence[Part]) -> None:
        if not parts:
            return
        if role in (Role.ASSISTANT, Role.TOOL) and self._messages and self._messages[-1][0] is role:
            self._messages[-1][1].extend(parts)
        else:
            self._messages.append((role, list(parts)))


def _form(form: Mapping[str, object]) -> OutputForm | None:
    match form.get("type"):
        case "json_schema":
            schema, strict = form.get("schema"), form.get("strict")
            shape = cast("dict[str, object]", schema) if isinstance(schema, dict) else {}
            return OutputForm(text_of(form.get("name")), shape, strict if isinstance(strict, bool) else None)
        case "json_object":
            return OutputForm()
        case _:
            return None


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
