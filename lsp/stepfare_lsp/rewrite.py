"""A project's file with one wish written into it, everything else as it was: comments, order, line ends. Text in, text out."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stepfare.config.check import DOTFILE_BYTES_MAX
from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.read import read
from stepfare.core.step import StepKind, Tier

TEMPLATE = """\
# What this project asks of stepfare: which tier each kind of step gets at least.
# It chooses among what your own settings allow, and can add nothing. Lines that begin with # are examples.

# profile = "balanced"            # frugal, balanced, careful, premium, or one of your own

[steps]                           # step kind -> tier, on top of the profile
# edit = "premium"                # explore summarize side complete run answer edit plan recover

# [[paths]]                       # a floor for the steps that touch these files, written as in a .gitignore file
# match = ["migrations/**", "src/crypto/**"]
# floor = "premium"

# [models]                        # narrows what may serve this project
# deny = ["deepseek/*"]

# [budget]                        # can only lower your own caps
# session_usd = 2.00
# day_usd = 10.00
# warn_at = 0.8
# on_limit = "ask"                # ask, frugal or stop
"""


class CannotWrite(Exception):
    """The wish cannot be written into this text; its words say why and what to do."""


def with_tier(text: str, kind: StepKind, tier: Tier) -> str:
    """The text with `[steps] KIND = "TIER"`. Raises CannotWrite."""
    return _with(text, ("steps", kind.value), tier.word)


def with_profile(text: str, profile: str) -> str:
    """The text with `profile = "NAME"`. Raises CannotWrite."""
    return _with(text, ("profile",), profile)


def _with(text: str, path: tuple[str, ...], value: str) -> str:
    windows = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    before = read(text, DOTFILE_NAME, DOTFILE_BYTES_MAX)
    if not before.readable:
        problem = before.problems[-1]
        raise CannotWrite(
            f"{DOTFILE_NAME} cannot be changed while it is broken (line {problem.line}: {problem.words}) Mend it, then try again."
        )
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n"))
        table: MutableMapping[str, Any] = document
        for name in path[:-1]:
            if name not in table:
                table[name] = tomlkit.table()
            table = table[name]
        table[path[-1]] = value
        written = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError) as error:
        raise CannotWrite(f"`{'.'.join(path)}` cannot be set in this {DOTFILE_NAME} ({error}). Write the line by hand.") from error
    # Whatever the writer may make of a text that it half understands: the rest must mean what it meant before.
    if read(written, DOTFILE_NAME, DOTFILE_BYTES_MAX).data != _set(before.data, path, value):
        raise CannotWrite(
            f"Setting `{'.'.join(path)}` would change more of {DOTFILE_NAME} than that; it was left as it is. Write the line by hand."
        )
    return written.replace("\n", "\r\n") if windows else written


def _set(data: Mapping[str, Any], path: tuple[str, ...], value: str) -> Mapping[str, Any]:
    return {**data, path[0]: value if len(path) == 1 else _set(data.get(path[0], {}), path[1:], value)}
