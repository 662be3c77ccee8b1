"""Calls beside the agent's loop: titles, summaries of a conversation, commit messages, answers in JSON."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from typing import cast

from stepfare.simulator.options import MARK
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import Reply
from stepfare.simulator.shapes import Shape, shape_of
from stepfare.simulator.transcript import summaries_of, summary_number
from stepfare.simulator.values import Json
from stepfare.simulator.words import quoted

TITLE_WORDS = 4
SUMMARY_TURNS_MAX = 6
COMMIT_CHARS = 72
OPENING_CHARS = 600
ASKED_CHARS = 2_000
"""Where the marks of a call beside the loop stand: at the start of the instructions or of the last message."""

_TITLE = re.compile(
    r"\btitle (for|generator)\b|reply with a title|generate a (short |concise |brief )*title|naming a coding session", re.IGNORECASE
)
_SESSION = re.compile(r"<(session|conversation)>(.*?)</\1>", re.DOTALL)
_WEB_SEARCH = re.compile(r"\APerform a web search for the query:")
_COMMIT = re.compile(r"git commit message|commit message", re.IGNORECASE)
_CHANGED = re.compile(r"^\+\+\+ (?:b/)?(\S+)", re.MULTILINE)
_COMPACTION = re.compile(
    r"summary of (our|the|this) conversation|summari[sz]e (our|the|this) (conversation|chat)|context checkpoint compaction"
    r"|context summarization agent|\*briefly\* summarize this partial conversation|summarizes internal chat history|<state_snapshot>"
    r"|provide a (detailed|concise) (prompt|summary) for continuing",
    re.IGNORECASE,
)


def side_reply(request: Request) -> Reply | None:
    """The answer to a call beside the loop; None where this is a step of the loop or a plain question."""
    # Some clients put notes of the system after what they ask.
    last = next((message for message in reversed(request.messages) if message.role not in ("system", "developer")), request.messages[-1])
    asked = last.text if last.role == "user" else ""
    opening = request.system[:OPENING_CHARS] if not request.tools else ""
    for pattern, answer, beside_tools in _SIDE:
        if (beside_tools or not request.tools) and (pattern.search(asked[:ASKED_CHARS]) or pattern.search(opening)):
            text = answer(request)
            return Reply(as_json(request, text) or text)
    form = as_json(request, MARK + "No model read this.")
    return Reply(form) if form and not request.tools else None


def _title(request: Request) -> str:
    users = [message.text for message in request.messages if message.role == "user"]
    told = users[-1] if users else ""
    # The instruction comes first in every client seen; what is to be named, last, or in tags of its own, from its start.
    tagged = _SESSION.search(told)
    lines = [line.strip() for line in (tagged[2] if tagged else told).splitlines() if line.strip()]
    words = re.findall(r"[\w'.-]+", lines[0 if tagged else -1] if lines else "")[:TITLE_WORDS]
    return MARK + (" ".join(words) or "Session")


def _commit(request: Request) -> str:
    """One line, with the kind of change that some clients insist on; it names the files of the diff and knows no more of it."""
    names = dict.fromkeys(posixpath.basename(found[1]) for found in _CHANGED.finditer(request.messages[-1].text))
    line = f"chore: update {', '.join(names) or 'files'}"
    return MARK + (line if len(MARK + line) <= COMMIT_CHARS else f"chore: update {len(names)} files")


def _no_search(_request: Request) -> str:
    return f"{MARK}No search was made: the simulator reaches no web."


def _summary(request: Request) -> str:
    spoken = [message for message in request.messages[:-1] if message.role == "user" and message.text]
    calls = [call.function.name for message in request.messages for call in message.tool_calls or []]
    said = [f'- The human wrote: "{quoted(message.text)}"' for message in spoken[:SUMMARY_TURNS_MAX]]
    used = f"- Tools were called {len(calls)} times: {', '.join(dict.fromkeys(calls))}." if calls else "- No tool was called."
    before = summaries_of(request.messages[:-1])
    text = "\n".join([f"{MARK}No model wrote this summary; it quotes.", *said, used, summary_number(before + 1)])
    return f"<state_snapshot>\n{text}\n</state_snapshot>" if "<state_snapshot>" in request.messages[-1].text else text


_SIDE: tuple[tuple[re.Pattern[str], Callable[[Request], str], bool], ...] = (
    # Some clients leave their tools in the request when they ask for a summary.
    (_COMPACTION, _summary, True),
    (_WEB_SEARCH, _no_search, True),
    (_TITLE, _title, False),
    (_COMMIT, _commit, False),
)


def as_json(request: Request, text: str) -> str:
    """The text in the JSON that was asked for; empty where none was."""
    form = request.response_format
    if form is None or form.type not in ("json_object", "json_schema"):
        return ""
    schema = (form.json_schema or {}).get("schema")
    if not isinstance(schema, dict):
        return json.dumps({"answer": text}, ensure_ascii=False)
    return json.dumps(_filled(shape_of(cast(dict[str, object], schema)), text), ensure_ascii=False)


def _filled(shape: Shape, text: str) -> Json:
    """The smallest value of this shape, with the text wherever free text is allowed."""
    if shape.enum:
        return cast(Json, shape.enum[0])
    match shape.kind:
        case "object":
            wanted = shape.required or frozenset(shape.properties)
            return {name: _filled(inner, text) for name, inner in shape.properties.items() if name in wanted}
        case "array":
            return [_filled(shape.items or Shape(), text)]
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return text
