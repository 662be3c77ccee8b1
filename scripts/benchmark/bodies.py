"""Requests of a coding agent, in any size: a session opens with a task, and each step adds a tool call and its result.

Every session has ids of its own throughout, so that none is taken for another's next step.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field

ID_BYTES = 10
"""Ids are written with so many digits, to be replaced in place."""
SESSION_MARK = b"S" * ID_BYTES
STEP_MARK = b"bench-step-"
TOOL_RESULT_BYTES = 3_000
"""What one read of a file adds to a long history."""
SMALL_RESULT_BYTES = 200
SYSTEM = "You are a careful coding agent. Work in small steps, read before you write, and run the tests after each change."
SOURCE_LINE = (
    'def handle_{n}(request, limit=50):  # keep "quotes", \\ and tabs honest\n'
    "    return [row for row in request.rows if row.id > {n}][:limit]\n"
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name}: works on one file of the workspace.",
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
                "required": ["path"],
            },
        },
    }
    for name in ("read_file", "list_files", "search_files", "write_to_file", "execute_command")
]

_numbers = itertools.count(1)


def next_number() -> int:
    """A number that no other request and no other session has."""
    return next(_numbers)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _exchange(number: str, result_bytes: int) -> bytes:
    """A tool call and its result, as two messages. `number` makes the call's id."""
    lines = "".join(SOURCE_LINE.format(n=line) for line in range(max(1, result_bytes // len(SOURCE_LINE))))
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "read_file", "arguments": json.dumps({"path": f"src/{number}.py"})},
    }
    return (
        _json({"role": "assistant", "content": None, "tool_calls": [call]})
        + b","
        + _json({"role": "tool", "tool_call_id": f"call_{number}", "content": lines[: max(result_bytes, 1)]})
    )


def _history(size_bytes: int) -> bytes:
    """Messages of about that many bytes; the session's id stands in each as a mark to be replaced."""
    pieces: list[bytes] = []
    length = 0
    while length < size_bytes:
        left = size_bytes - length
        pieces.append(b"," + _exchange(f"{SESSION_MARK.decode()}_{len(pieces)}", min(TOOL_RESULT_BYTES, left)))
        length += len(pieces[-1])
    return b"".join(pieces)


@dataclass(slots=True)
class Session:
    """One agent's task. `next_body()` gives the body of its next step; the history grows by one tool call each time."""

    template: bytes
    stream: bool
    step_bytes: int
    number: int = field(default_factory=lambda: next(_numbers))
    step: int = 0
    last_id: int = 0
    _written: bytes = b""
    _tail: bytes = b""

    def __post_init__(self) -> None:
        self._written = self.template.replace(SESSION_MARK, b"%0*d" % (ID_BYTES, self.number))

    def next_body(self) -> bytes:
        """The whole body. `last_id` names the request; it stands in its last message, where the fake upstream finds it."""
        self.step += 1
        self.last_id = next(_numbers)
        self._tail += b"," + _exchange(f"{self.number}_{self.step}_{STEP_MARK.decode()}{self.last_id:0{ID_BYTES}d}", self.step_bytes)
        return self._written + self._tail + b"]}"


UNGATED = "frugal"
"""The profile that is asked for where answers should pass as they come: texts that may turn out to be anything are held otherwise."""


def template(size_bytes: int, *, stream: bool, model: str = UNGATED, parallel: bool = True) -> bytes:
    """The opening of bodies of about that size, to be shared by all sessions of a measurement. `parallel` is whether an answer may call
    several tools."""
    task = {
        "role": "user",
        "content": f"Task {SESSION_MARK.decode()}: find out why the nightly report counts some rows twice, and mend it.",
    }
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    head = {"model": model, "stream": stream, **usage, **({} if parallel else {"parallel_tool_calls": False}), "tools": TOOLS}
    opening = _json(head)[:-1] + b',"messages":[' + _json({"role": "system", "content": SYSTEM}) + b"," + _json(task)
    return opening + _history(size_bytes - len(opening))


def session(shared: bytes, *, step_bytes: int = SMALL_RESULT_BYTES) -> Session:
    return Session(shared, stream=b'"stream":true' in shared[:200], step_bytes=step_bytes)
