"""The wire in Lua: annotations of the Lua language server, names of methods, and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stepfare_lsp import wire
from stepfare_lsp.features.table import ROWS, Ask
from writers.shapes import Notation, Shape, shapes

HEAD = "-- Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit."
OWN = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "null": "vim.NIL"}
TYPES = Notation(OWN, "stepfare.{}", "|", "table<string, {}>", "any")


def protocol_text() -> str:
    classes = [*(_class(shape) for shape in shapes()), *_command_class()]
    return "\n".join([HEAD, "", *classes, "local M = {}", "", *_methods(), *_commands(), "return M", ""])


def _class(shape: Shape) -> str:
    lines = [f"---{shape.words}"] if shape.words else []
    lines.append(f"---@class stepfare.{shape.name}")
    for field in shape.fields:
        words = f" {field.words}" if field.words else ""
        lines.append(f"---@field {field.name}{'?' if field.optional else ''} {TYPES.of(field.type)}{words}")
    return "\n".join([*lines, ""])


def _command_class() -> Iterable[str]:
    yield "---A command of the server, and what a person can be asked for before it is run."
    yield "---@class stepfare.Command"
    yield "---@field id string"
    yield "---@field title string"
    yield "---@field asks { name: string, prompt: string, options: string[] }[]"
    yield ""


def _methods() -> Iterable[str]:
    yield "M.methods = {"
    for method in wire.METHODS:
        yield f"  ---{method.words}"
        yield f'  {method.name.rpartition("/")[2]} = "{method.name}",'
    yield "}"
    yield ""


def _commands() -> Iterable[str]:
    yield "---@type stepfare.Command[]"
    yield "M.commands = {"
    for row in ROWS:
        asks = ", ".join(_ask(ask) for ask in row.asks)
        yield f"  {{ id = {json.dumps(row.id)}, title = {json.dumps(row.title)}, asks = {f'{{ {asks} }}' if asks else '{}'} }},"
    yield "}"
    yield ""


def _ask(ask: Ask) -> str:
    options = ", ".join(json.dumps(one) for one in ask.options)
    return f"{{ name = {json.dumps(ask.name)}, prompt = {json.dumps(ask.prompt)}, options = {{ {options} }} }}"
