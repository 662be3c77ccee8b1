"""Puts `NAME=value` lines into the text of a dotenv file, and takes them out again."""

from __future__ import annotations

import re

_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=", re.MULTILINE)

_PLAIN = re.compile(r"[\w./:@%+,=-]*")


def names_in(text: str) -> list[str]:
    """The names that have a line, in their order."""
    return list(dict.fromkeys(_LINE.findall(text)))


def value_of(text: str, name: str) -> str | None:
    """The value that the last line of this name gives, without quotes; None where there is no such line."""
    found = [line[1] for line in _lines(text, name)]
    return found[-1].strip().strip("\"'") if found else None


def put(text: str, name: str, value: str) -> str:
    """The text with this value on the last line of this name, or on a line of its own at the end."""
    value = value if _PLAIN.fullmatch(value) else f"'{value}'"
    found = _lines(text, name)
    if found:
        return text[: found[-1].start(1)] + value + text[found[-1].end(1) :]
    line_end = "\r\n" if "\r\n" in text else "\n"
    lead = "" if not text or text.endswith("\n") else line_end
    return f"{text}{lead}{name}={value}{line_end}"


def drop(text: str, name: str) -> str:
    """The text without its lines of this name."""
    for line in reversed(_lines(text, name)):
        end = text.find("\n", line.end())
        text = text[: line.start()] + ("" if end < 0 else text[end + 1 :])
    return text


def _lines(text: str, name: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"^[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=[ \t]*([^\r\n]*)", text, re.MULTILINE))
