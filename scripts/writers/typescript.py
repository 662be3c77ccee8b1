"""The wire in TypeScript: interfaces, names of methods, and the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stepfare_lsp import wire
from stepfare_lsp.features.table import ROWS, Ask
from writers.shapes import Notation, Shape, shapes
from writers.vscode import UI_PREFIX

HEAD = "// Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit.\n"
OWN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
TYPES = Notation(OWN, "{}", " | ", "Record<string, {}>", "unknown")


def protocol_text() -> str:
    return "\n".join([HEAD, *(_interface(shape) for shape in shapes()), *_methods(), "", *_commands(), ""])


def _interface(shape: Shape) -> str:
    lines = [f"/** {shape.words} */"] if shape.words else []
    if not shape.fields:
        return "\n".join([*lines, f"export type {shape.name} = Record<string, never>;", ""])
    lines.append(f"export interface {shape.name} {{")
    for field in shape.fields:
        if field.words:
            lines.append(f"  /** {field.words} */")
        lines.append(f"  {field.name}{'?' if field.optional else ''}: {TYPES.of(field.type)};")
    return "\n".join([*lines, "}", ""])


def _methods() -> Iterable[str]:
    for method in wire.METHODS:
        yield f"/** {method.words} */"
        yield f'export const {method.name.rpartition("/")[2].upper()} = "{method.name}";'
    yield "/** The code of a request that could not be answered; its message is for a person. */"
    yield f"export const REQUEST_FAILED = {wire.REQUEST_FAILED};"


def _commands() -> Iterable[str]:
    yield "/** An argument that a person is asked for beforehand. Without options any text will do. */"
    yield "export interface Ask {"
    yield "  name: string;"
    yield "  prompt: string;"
    yield "  options: readonly string[];"
    yield "}"
    yield ""
    yield "/** The server's commands, in the order in which they are offered; `ui` is the one of the palette that runs it. */"
    yield "export const COMMANDS: readonly { id: string; ui: string; title: string; asks: readonly Ask[] }[] = ["
    for row in ROWS:
        names = f"id: {json.dumps(row.id)}, ui: {json.dumps(UI_PREFIX + row.name)}, title: {json.dumps(row.title)}"
        yield f"  {{ {names}, asks: [{', '.join(_ask(ask) for ask in row.asks)}] }},"
    yield "];"


def _ask(ask: Ask) -> str:
    return f"{{ name: {json.dumps(ask.name)}, prompt: {json.dumps(ask.prompt)}, options: {json.dumps(list(ask.options))} }}"
