"""A project's file with one wish written into it, everything else as it was: comments, order, line ends. Text in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from stepfare.config.check import DOTFILE_BYTES_MAX
from stepfare.config.dotfile import DOTFILE_NAME
from stepfare.config.places import KeyPath, Places
from stepfare.config.read import Read, read
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


def with_path_floor(text: str, glob: str, tier: Tier) -> str:
    """The text with a `[[paths]]` rule of this glob alone: the floor of the one that is there, else a new one at the end. Raises
    CannotWrite."""
    before = _readable(text)
    there = before.data.get("paths", [])
    rules = cast("list[Any]", there) if isinstance(there, list) else None
    refusal = CannotWrite(f"A rule for {glob} cannot be added to this {DOTFILE_NAME} as it is written; it was left alone.")
    if rules is None:
        raise refusal
    same = [index for index, rule in enumerate(rules) if isinstance(rule, dict) and cast("dict[str, Any]", rule).get("match") == [glob]]
    if same:
        return _with(text, ("paths", same[-1], "floor"), tier.word)
    plain = text.replace("\r\n", "\n")
    ended = plain if not plain or plain.endswith("\n") else plain + "\n"
    apart = "\n" if ended and not ended.endswith("\n\n") else ""
    quoted = glob.replace("\\", "\\\\").replace('"', '\\"')
    written = f'{ended}{apart}[[paths]]\nmatch = ["{quoted}"]\nfloor = "{tier.word}"\n'
    wanted = {**before.data, "paths": [*rules, {"match": [glob], "floor": tier.word}]}
    if read(written, DOTFILE_NAME, DOTFILE_BYTES_MAX).data != wanted:
        raise refusal
    return written.replace("\n", "\r\n") if _is_windows(text) else written


def with_profile(text: str, profile: str) -> str:
    """The text with `profile = "NAME"`. Raises CannotWrite."""
    return _with(text, ("profile",), profile)


def _readable(text: str) -> Read:
    found = read(text, DOTFILE_NAME, DOTFILE_BYTES_MAX)
    if not found.readable:
        problem = found.problems[-1]
        raise CannotWrite(
            f"{DOTFILE_NAME} cannot be changed while it is broken (line {problem.line}: {problem.words}) Mend it, then try again."
        )
    return found


def _is_windows(text: str) -> bool:
    return "\r\n" in text and "\n" not in text.replace("\r\n", "")


def _with(text: str, path: KeyPath, value: str) -> str:
    key = ".".join(str(part) for part in path)
    before = _readable(text)
    windows = _is_windows(text)
    plain = text.replace("\r\n", "\n")
    wanted = _set(before.data, path, value)
    for write in (_in_place, _by_library):
        written = write(plain, before.places, path, f'"{value}"')
        # Whatever a writer may make of a text that it half understands: the rest must mean what it meant before.
        if written is not None and wanted is not None and read(written, DOTFILE_NAME, DOTFILE_BYTES_MAX).data == wanted:
            return written.replace("\n", "\r\n") if windows else written
    raise CannotWrite(
        f'`{key}` cannot be set in this {DOTFILE_NAME} as it is written; it was left alone. Write the line by hand: {path[-1]} = "{value}"'
    )


def _in_place(text: str, places: Places, path: KeyPath, value: str) -> str | None:
    """Over the old value, or as a line behind the last one of its table; None where neither is plain."""
    lines = text.split("\n")
    old = places.values.get(path)
    if old is not None:
        line = lines[old.line - 1]
        lines[old.line - 1] = line[: old.column - 1] + value + line[old.column - 1 + old.length :]
        return "\n".join(lines)
    header = places.keys.get(path[:-1])
    if header is None or not lines[header.line - 1].lstrip().startswith("["):
        return None
    last = max((place.line for key, place in places.values.items() if key[:-1] == path[:-1]), default=header.line)
    indent = lines[last - 1][: len(lines[last - 1]) - len(lines[last - 1].lstrip())] if last > header.line else ""
    return "\n".join([*lines[:last], f"{indent}{path[-1]} = {value}", *(lines[last:] or [""])])


def _by_library(text: str, _: Places, path: KeyPath, value: str) -> str | None:
    """As tomlkit would; it knows inline tables, dotted keys and where a first key goes."""
    try:
        document = tomlkit.parse(text)
        table: Any = document
        for name in path[:-1]:
            if isinstance(name, str) and name not in table:
                table[name] = tomlkit.table()
            table = table[name]
        table[path[-1]] = value.strip('"')
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError):
        return None


def _set(data: Any, path: KeyPath, value: str) -> Any:
    """The data with one value changed; None where something else than a table or a list of them stands in the way."""
    part = path[0]
    if isinstance(data, list) and isinstance(part, int):
        items = cast("list[Any]", data)
        inner = _set(items[part], path[1:], value)
        return None if inner is None else [*items[:part], inner, *items[part + 1 :]]
    if not isinstance(data, Mapping) or not isinstance(part, str):
        return None
    table = cast("Mapping[str, Any]", data)
    inner = value if len(path) == 1 else _set(table.get(part, {}), path[1:], value)
    return None if inner is None else {**table, part: inner}
