"""Puts one model at the head of a YAML file's `models`, or single values of its mapping, and takes them out again.

Every other byte stays as its owner wrote it.

ruamel.yaml says where things stand in the text; the text itself is cut and joined here, so that no comment and no odd spacing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Protocol, TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stepfare.cli.connect.json_text import Json, Keys, Unsuitable

Entry: TypeAlias = Mapping[str, object]
MODELS = "models"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*( [A-Za-z0-9_.-]+)*")
# Words that YAML readers take for something other than text.
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def parse(text: str) -> dict[str, object]:
    """The mapping that the text holds (empty for an empty file); raises Unsuitable where it holds none."""
    try:
        value = cast(object, YAML(typ="safe", pure=True).load(StringIO(text)))  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as problem:
        raise Unsuitable(f"it is not YAML ({_one_line(problem)})") from problem
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unsuitable("it does not hold a YAML mapping")
    return cast("dict[str, object]", value)


def models_of(document: Mapping[str, object]) -> list[Entry]:
    """The entries of the list of models that are mappings."""
    models = document.get(MODELS)
    entries = cast("list[object]", models) if isinstance(models, list) else []
    return [cast(Entry, entry) for entry in entries if isinstance(entry, dict)]


def with_model(text: str, entry: Entry, scaffold: Mapping[str, str]) -> str:
    """The text with this entry first among its models. `scaffold` are the fields that a file with nothing in it needs besides."""
    before = parse(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    root = _root(text)
    pair = None if root is None else _pair(root)
    if root is None:
        head = "".join(f"{key}: {_scalar(value)}{line_end}" for key, value in scaffold.items())
        after = _ended(text, line_end) + head + f"{MODELS}:{line_end}" + _block(entry, 2, line_end)
        return _checked(after, {**scaffold, MODELS: [entry]})
    if root.flow_style:
        raise Unsuitable("it is written in one pair of braces, which cannot be changed without rewriting it")
    expected: dict[str, object] = {**before, MODELS: [entry, *_entries(before)]}
    if pair is None:
        indent = " " * root.start_mark.column
        after = _ended(text, line_end) + f"{indent}{MODELS}:{line_end}" + _block(entry, root.start_mark.column + 2, line_end)
        return _checked(after, expected)
    key, value = pair
    if isinstance(value.value, list) and value.flow_style:
        start = value.start_mark.index + 1
        after = text[:start] + _flow(entry) + (", " if value.value else "") + text[start:]
    elif isinstance(value.value, list) or value.value in ("", "~", "null"):
        if value.value in ("~", "null"):
            text = text[: value.start_mark.index] + text[value.end_mark.index :]
        column = value.start_mark.column if isinstance(value.value, list) else key.start_mark.column + 2
        at = _line_after(text, key.end_mark.index)
        if at == len(text):
            text = _ended(text, line_end)
            at = len(text)
        after = text[:at] + _block(entry, column, line_end) + text[at:]
    else:
        raise Unsuitable(f"its `{MODELS}` is not a list")
    return _checked(after, expected)


def without_models(text: str, ours: Callable[[Entry], bool], *, keep_key: bool) -> str:
    """The text without the models that are ours. Where none is left, `models` goes too unless its owner had it before."""
    document = parse(text)
    root = _root(text)
    pair = None if root is None else _pair(root)
    if root is None or pair is None or not isinstance(pair[1].value, list):
        return text
    key, listed = pair
    items = cast("list[_Node]", listed.value)
    entries = _entries(document)
    doomed = [index for index, entry in enumerate(entries) if isinstance(entry, dict) and ours(cast(Entry, entry))]
    if not doomed:
        return text
    left = [entry for index, entry in enumerate(entries) if index not in doomed]
    expected: dict[str, object] = {**document, MODELS: left}
    if left:
        for index in reversed(doomed):
            start, end = _flow_cut(items, index) if listed.flow_style else _block_cut(text, items[index])
            text = text[:start] + text[end:]
        return _checked(text, expected)
    start, end = _line_start(text, key.start_mark.index), _line_after(text, _end_of(listed))
    if keep_key:
        text = text[: key.end_mark.index] + ": []" + text[_end_of(listed) :]
    else:
        text = text[:start] + text[end:]
        del expected[MODELS]
    return _checked(text, expected)


def put(text: str, path: Keys, value: Json) -> str:
    """The text with this plain value under the one key of the path. Raises Unsuitable where that would take a rewrite."""
    (name,) = path
    before = parse(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    root = _root(text)
    found = None if root is None else _pair(root, name)
    if root is not None and root.flow_style:
        raise Unsuitable("it is written in one pair of braces, which cannot be changed without rewriting it")
    if found is None:
        indent = " " * (0 if root is None else root.start_mark.column)
        after = _ended(text, line_end) + f"{indent}{name}: {_scalar(value)}{line_end}"
    elif isinstance(found[1].value, list):
        raise Unsuitable(f"its `{name}` is not a single value")
    else:
        start, end = found[1].start_mark.index, found[1].end_mark.index
        if start == end:  # nothing stands there, and the mark may lie on a later line
            start = end = text.index(":", found[0].end_mark.index) + 1
        after = text[:start] + (" " if text[start - 1] == ":" else "") + _scalar(value) + text[end:]
    return _checked(after, {**before, name: value})


def drop(text: str, path: Keys) -> str:
    """The text without the one key of the path; the same text where there is none."""
    (name,) = path
    root = _root(text)
    found = None if root is None else _pair(root, name)
    if found is None:
        return text
    expected = {key: value for key, value in parse(text).items() if key != name}
    key, value = found
    return _checked(text[: _line_start(text, key.start_mark.index)] + text[_line_after(text, _end_of(value)) :], expected)


class _Mark(Protocol):
    index: int
    column: int


class _Node(Protocol):
    """As much of ruamel's nodes as is used here. The node of an empty value is a scalar with no text."""

    value: str | list[_Node] | list[tuple[_Node, _Node]]
    start_mark: _Mark
    end_mark: _Mark
    flow_style: bool | None
    """Not there at all for a scalar."""


def _root(text: str) -> _Node | None:
    try:
        return cast("_Node | None", YAML(pure=True).compose(StringIO(text)))  # pyright: ignore[reportUnknownMemberType]
    except YAMLError as problem:
        raise Unsuitable(f"it is not one YAML document ({_one_line(problem)})") from problem


def _pair(root: _Node, name: str = MODELS) -> tuple[_Node, _Node] | None:
    pairs = cast("list[tuple[_Node, _Node]]", root.value)
    return next((pair for pair in pairs if pair[0].value == name), None)


def _entries(document: Mapping[str, object]) -> list[object]:
    models = document.get(MODELS)
    return cast("list[object]", models) if isinstance(models, list) else []


def _checked(text: str, expected: Mapping[str, object]) -> str:
    # Text was cut and joined: only what reads as meant may leave this room.
    if _plain(parse(text)) != _plain(expected):
        raise Unsuitable("it is written in a way that cannot be changed without rewriting it")
    return text


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(each) for each in cast("Sequence[object]", value)]
    return value


def _block(entry: Entry, column: int, line_end: str) -> str:
    lead = " " * column + "- "
    lines: list[str] = []
    for key, value in entry.items():
        if isinstance(value, Mapping):
            lines.append(f"{lead}{key}:")
            lines += [f"{' ' * (column + 4)}{name}: {_scalar(each)}" for name, each in cast("Mapping[str, object]", value).items()]
        else:
            lines.append(f"{lead}{key}: {_scalar(value)}")
        lead = " " * (column + 2)
    return "".join(line + line_end for line in lines)


def _flow(entry: Entry) -> str:
    # JSON is YAML, and safe inside brackets, where a plain word may not hold a brace.
    return json.dumps(entry, ensure_ascii=False)


def _scalar(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_scalar(each) for each in cast("Sequence[object]", value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value, ensure_ascii=False)


def _block_cut(text: str, item: _Node) -> tuple[int, int]:
    dash = text.rfind("-", 0, item.start_mark.index)
    return _line_start(text, dash), _line_after(text, _end_of(item))


def _flow_cut(items: Sequence[_Node], index: int) -> tuple[int, int]:
    if index + 1 < len(items):
        return items[index].start_mark.index, items[index + 1].start_mark.index
    if index > 0:
        return items[index - 1].end_mark.index, items[index].end_mark.index
    return items[index].start_mark.index, items[index].end_mark.index


def _end_of(node: _Node) -> int:
    """Where the node's last written character is; a block's own end mark lies behind the comments that follow it."""
    if not isinstance(node.value, list) or not node.value or node.flow_style:
        return node.end_mark.index
    last = node.value[-1]
    return _end_of(last[1] if isinstance(last, tuple) else last)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_after(text: str, at: int) -> int:
    # A block scalar's end mark stands at the start of the next line already.
    if at > 0 and text[at - 1] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _ended(text: str, line_end: str) -> str:
    return text if not text or text.endswith("\n") else text + line_end


def _one_line(problem: YAMLError) -> str:
    mark = cast("object", getattr(problem, "problem_mark", None))
    line = getattr(mark, "line", None)
    what = cast("str | None", getattr(problem, "problem", None)) or str(problem).split("\n", 1)[0]
    return f"line {line + 1}: {what}" if isinstance(line, int) else what
