"""The optional object that each command takes: `session` or `workspace`, and what the command itself needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from pygls.exceptions import JsonRpcInvalidParams

from stepfare_lsp.places import path_of


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was asked for; None where nothing was said. `workspace` and `folder` are paths."""

    session: str | None = None
    decision: str | None = None
    workspace: str | None = None
    folder: str | None = None
    tier: str | None = None
    kind: str | None = None
    scope: str | None = None
    usd: Decimal | None = None


def arguments_of(command: str, given: Sequence[object]) -> Arguments:
    """The arguments of a command. Editors add their own behind ours, or send null. Raises JsonRpcInvalidParams."""
    first = given[0] if given else None
    named = _named(first)
    if named is None:
        raise JsonRpcInvalidParams(message=f'{command} takes one object such as {{"workspace": "/path"}}, not {type(first).__name__}.')

    def text(name: str) -> str | None:
        value = named.get(name)
        # JSON can carry halves of characters, which nothing that asks on can.
        if value is None or (isinstance(value, str) and value and value == value.encode("utf-8", "replace").decode()):
            return value
        raise JsonRpcInvalidParams(message=f"{command}: `{name}` must be a text that is not empty.")

    def path(name: str) -> str | None:
        value = text(name)
        found = None if value is None else path_of(value)
        if value is not None and found is None:
            raise JsonRpcInvalidParams(message=f"{command}: `{name}` must be an absolute path or a file: URI.")
        return found

    return Arguments(
        session=text("session"),
        decision=text("decision"),
        workspace=path("workspace"),
        folder=path("folder"),
        tier=text("tier"),
        kind=text("kind"),
        scope=text("scope"),
        usd=_usd(command, named.get("usd")),
    )


def _usd(command: str, value: object) -> Decimal | None:
    """Dollars, as a number or as a text, since some editors ask with a line of text."""
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(InvalidOperation):
            usd = Decimal(str(value).strip().removeprefix("$"))
            if usd.is_finite() and usd > 0:
                return usd
    raise JsonRpcInvalidParams(message=f"{command}: `usd` must be a sum above 0, such as 1.50.")


def _named(first: object) -> Mapping[str, Any] | None:
    if first is None:
        return {}
    if isinstance(first, Mapping):
        return cast("Mapping[str, Any]", first)
    as_dict = getattr(first, "_asdict", None)  # what pygls makes of an object that it has no type for
    return cast("Mapping[str, Any]", as_dict()) if callable(as_dict) else None
