"""The wire in Emacs Lisp: constants with docstrings for methods and commands, and what each message holds."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stepfare_lsp import wire
from stepfare_lsp.features.table import ROWS, Ask
from writers.shapes import Shape, shapes

HEAD = """\
;;; stepfare-protocol.el --- What stepfare's language server says and takes  -*- lexical-binding: t; -*-

;;; Commentary:

;; Written by scripts/generate.py from the messages and commands of stepfare's language server. Do not edit.

;;; Code:
"""
TAIL = """
(provide 'stepfare-protocol)

;;; stepfare-protocol.el ends here
"""


def protocol_text() -> str:
    return "\n".join([HEAD, *_methods(), *_commands(), *_messages()]) + TAIL


def _methods() -> Iterable[str]:
    for method in wire.METHODS:
        answer = f"Its answer is a `{method.answer.__name__}'." if method.answer else "It has no answer."
        yield f'(defconst stepfare-protocol-{method.name.rpartition("/")[2]} "{method.name}"'
        yield f"  {_string(f'{method.words}', f'It carries a `{method.params.__name__}`. {answer}'.replace('`.', chr(39) + '.'))})"
        yield ""
    yield f"(defconst stepfare-protocol-request-failed {wire.REQUEST_FAILED}"
    yield f"  {_string('The code of a request that could not be answered.', 'Its message is for a person.')})"
    yield ""


def _commands() -> Iterable[str]:
    yield "(defconst stepfare-protocol-commands"
    yield "  '("
    for row in ROWS:
        asks = " ".join(_ask(ask) for ask in row.asks)
        yield f"    ({_quoted(row.id)} {_quoted(row.title)} ({asks}))"
    yield "    )"
    yield f"  {_string('The commands of the server.', 'Each is (ID TITLE ASKS), and each of ASKS is (ARGUMENT PROMPT OPTIONS).')})"
    yield ""


def _ask(ask: Ask) -> str:
    return f"({_quoted(ask.name)} {_quoted(ask.prompt)} ({' '.join(_quoted(one) for one in ask.options)}))"


def _messages() -> Iterable[str]:
    yield "(defconst stepfare-protocol-messages"
    yield "  '("
    for shape in shapes():
        yield f"    {_message(shape)}"
    yield "    )"
    yield f"  {_string('The keys of every message.', 'Each is (NAME WORDS (KEY WORDS)...).')})"


def _message(shape: Shape) -> str:
    fields = "".join(f"\n     (:{field.name} {_quoted(field.words)})" for field in shape.fields)
    return f"({shape.name} {_quoted(shape.words)}{fields})"


def _string(first: str, more: str) -> str:
    """A docstring: its first line is a sentence."""
    return _quoted(first)[:-1] + "\n" + _quoted(more)[1:]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
