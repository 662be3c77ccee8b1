"""Tool calls and results that classic Cline writes into plain text.

`<read_file><path>x</path></read_file>` is a call, `[read_file for 'x'] Result:` what it gave back. Only names that such agents really
use are taken for tools, so that prose about tags stays prose. What the calls mean is the business of `toolmap`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from stepfare.core.request import ToolCall
from stepfare.steps.tables import words

TEXT_CHARS_MAX = 262_144
PARAMETER_CHARS_MAX = 4_096
"""Longer parameters (whole files) are cut: what an action is shows at once."""
CALLS_MAX = 16

NAMES = words(
    "list_files read_file search_files list_code_definition_names execute_command write_to_file replace_in_file apply_patch",
    "apply_diff insert_content search_and_replace attempt_completion plan_mode_respond plan_mode_response act_mode_respond",
    "ask_followup_question use_mcp_tool access_mcp_resource load_mcp_documentation browser_action web_fetch web_search",
    "new_task condense report_bug new_rule switch_mode fetch_instructions codebase_search update_todo_list use_skill",
    "use_subagents edit_file generate_explanation",
)

_CALL = re.compile(rf"(?:^|(?<=[\n\r>]))[ \t]*<({'|'.join(NAMES)})>(?=\s*(?:<|\Z))")
_PARAMETER = re.compile(r"\s*<([a-z_]+)>")
# Parameters that may hold any text, closing tags of their own name included: they end at the last one.
_GREEDY = frozenset({"content", "diff", "result", "response", "input"})
_RESULT = re.compile(rf"^\[({'|'.join(NAMES)})(?: for '(.{{0,1000}}?)')?\] Result:[ \t]*\n?", re.MULTILINE | re.DOTALL)
_ANY_RESULT = re.compile(r"\A\s*\[[a-z_]+(?: for '.{0,1000}?')?\] Result:", re.DOTALL)
_AFTER_RESULT = "<environment_details>"
HEADING_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class TextResult:
    """A tool's result as it stands in a user's text. `subject` is what the client says the call was for."""

    tool: str
    subject: str
    text: str


def calls_in(text: str) -> tuple[ToolCall, ...]:
    """The calls in an assistant's text, in order. The last may be incomplete: its arguments are then those seen so far."""
    if "<" not in text:
        return ()
    text = text[-TEXT_CHARS_MAX:]
    calls: list[ToolCall] = []
    at = 0
    while len(calls) < CALLS_MAX:
        found = _CALL.search(text, at)
        if found is None:
            break
        name = found.group(1)
        closing = f"</{name}>"
        stop = text.find(closing, found.end())
        following = _CALL.search(text, found.end())
        if name in ("write_to_file", "replace_in_file", "attempt_completion") and (following is None or stop < 0):
            stop = text.rfind(closing, found.end())  # The content may show such a tag itself.
        body = text[found.end() : stop if stop >= 0 else len(text)]
        calls.append(ToolCall("", name, json.dumps(_parameters(body))))
        at = stop + len(closing) if stop >= 0 else len(text)
    return tuple(calls)


def results_in(text: str) -> tuple[TextResult, ...]:
    """The results in a user's text, in order; empty for a text that is none."""
    if "] Result:" not in text:
        return ()
    marks = list(_RESULT.finditer(text[:TEXT_CHARS_MAX]))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return tuple(
        TextResult(mark.group(1), mark.group(2) or "", text[mark.end() : end].partition(_AFTER_RESULT)[0].strip("\n"))
        for mark, end in zip(marks, ends, strict=True)
    )


def is_result(text: str) -> bool:
    """Whether a user's text opens as a tool's result does."""
    return _ANY_RESULT.match(text[:HEADING_CHARS_MAX]) is not None


def is_heading(text: str) -> bool:
    """Whether a user's text is nothing but a result's heading: its body is then the next text."""
    return len(text) <= HEADING_CHARS_MAX and text.rstrip().endswith("] Result:") and is_result(text)


def _parameters(body: str) -> dict[str, str]:
    given: dict[str, str] = {}
    at = 0
    while True:
        found = _PARAMETER.match(body, at)
        if found is None:
            return given
        name = found.group(1)
        closing = f"</{name}>"
        stop = body.rfind(closing, found.end()) if name in _GREEDY else body.find(closing, found.end())
        value = body[found.end() : stop if stop >= 0 else len(body)]
        given.setdefault(name, value.strip("\n")[:PARAMETER_CHARS_MAX])
        if stop < 0:
            return given
        at = stop + len(closing)
