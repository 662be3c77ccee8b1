"""OpenAI Responses, the tools of a request read for a bridge: what the client offers, what it asks the model to choose, and what only
OpenAI could run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from stepfare.core.prompt import Loss, ToolOffer
from stepfare.dialects.responses_items import text_of

_HOSTED = {
    "web_search": "the search of the web",
    "web_search_preview": "the search of the web",
    "image_generation": "the making of images",
    "file_search": "the search of stored files",
    "code_interpreter": "the running of code",
    "mcp": "the calling of MCP servers",
    "computer_use_preview": "the use of a computer",
    "computer": "the use of a computer",
    "local_shell": "the built-in shell",
    "shell": "the built-in shell",
    "apply_patch": "the built-in patch tool",
    "tool_search": "the search of tools",
    "programmatic_tool_calling": "the calling of tools by programs",
}
"""Tools whose form or running is OpenAI's own."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a request says of tools; `choice` as in a prompt."""

    offers: tuple[ToolOffer, ...]
    choice: str
    losses: tuple[Loss, ...]


def read_tools(tools: Iterable[object], choice: object) -> Tools:
    """The tools of a request, those that stand in its input included, and the choice among them."""
    offers: list[ToolOffer] = []
    hosted: dict[str, None] = {}
    for tool in tools:
        fields = _fields(tool)
        kind = text_of(fields.get("type"))
        if kind == "namespace":
            offers += _namespace(fields)
        elif kind in ("function", "custom", ""):
            offers += [offer] if (offer := _offer(fields)).name else []
        else:
            hosted[kind] = None
    # Beside tools of its own a client can do without one of OpenAI's; where it offers nothing else, that one is what it came for.
    losses = [Loss(kind, _words(kind), essential=not offers) for kind in hosted]
    word, chosen, lost = _choice(choice, offers)
    return Tools(tuple(chosen), word, (*losses, *lost))


def _offer(fields: Mapping[str, object], namespace: str = "") -> ToolOffer:
    custom = fields.get("type") == "custom"
    schema, strict = fields.get("parameters"), fields.get("strict")
    description = text_of(fields.get("description"))
    return ToolOffer(
        name=text_of(fields.get("name")),
        description=description + _format(fields.get("format")) if custom else description,
        schema=cast("dict[str, object]", schema) if isinstance(schema, dict) else {},
        namespace=namespace,
        custom=custom,
        strict=strict if isinstance(strict, bool) else None,
    )


def _namespace(fields: Mapping[str, object]) -> list[ToolOffer]:
    """The members of a namespace. What is said of all of them is said with the first."""
    name, description = text_of(fields.get("name")), text_of(fields.get("description"))
    members = fields.get("tools")
    offers = [_offer(_fields(one), name) for one in cast("list[object]", members)] if isinstance(members, list) else []
    offers = [offer for offer in offers if offer.name]
    if offers and description:
        offers[0] = replace(offers[0], description=f"{description}\n\n{offers[0].description}".strip())
    return offers


def _format(form: object) -> str:
    """What a model must know to write the input of a custom tool, where no grammar can hold it to that."""
    fields = _fields(form)
    definition = text_of(fields.get("definition"))
    if fields.get("type") != "grammar" or not definition:
        return ""
    syntax = text_of(fields.get("syntax")) or "lark"
    return f"\n\nThe input must be plain text that this {syntax} grammar accepts:\n{definition}"


def _choice(choice: object, offers: Sequence[ToolOffer]) -> tuple[str, Sequence[ToolOffer], tuple[Loss, ...]]:
    """The choice in a prompt's words, the tools that it leaves, and what of it cannot be said."""
    if isinstance(choice, str):
        return (choice if choice in ("auto", "none", "required") else ""), offers, ()
    fields = _fields(choice)
    kind, name = text_of(fields.get("type")), text_of(fields.get("name"))
    if kind == "allowed_tools":
        allowed = fields.get("tools")
        names = {text_of(_fields(one).get("name")) for one in cast("list[object]", allowed)} if isinstance(allowed, list) else set[str]()
        left = [offer for offer in offers if offer.name in names or offer.namespace in names]
        return ("required" if fields.get("mode") == "required" else "auto"), left, ()
    if kind in ("function", "custom") and name:
        return f"tool:{name}", offers, ()
    if kind in _HOSTED:
        return "", offers, (Loss("tool_choice", f"the demand for {_HOSTED[kind]}, which OpenAI alone can meet", essential=True),)
    return "", offers, ()


def _words(kind: str) -> str:
    known = _HOSTED.get(kind)
    return f'{known} (the tool "{kind}"), which is OpenAI\'s own' if known else f'the tool "{kind}", which is OpenAI\'s own'


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
