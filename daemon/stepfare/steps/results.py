"""Whether a tool's result says that its call failed, and how badly. Only its beginning and end are read: that is where tools say so."""

from __future__ import annotations

import re

from stepfare.core.step import ActionKind, Fault

HEAD_CHARS = 1_200
TAIL_CHARS = 2_400

VERIFYING = frozenset({ActionKind.TEST, ActionKind.RUN})
LOOKING = frozenset({ActionKind.LIST, ActionKind.READ, ActionKind.SEARCH, ActionKind.WEB})
_CHANGING = frozenset({ActionKind.EDIT, ActionKind.WRITE})

_EXIT_CODE = re.compile(
    r"(?:exit(?:ed)?(?: with)?(?: (?:code|status))?|return ?code|exit[_ ]?code|status)[\"'>]*\s*[:=]?\s*\(?(-?\d{1,3})\b", re.IGNORECASE
)
_REFUSALS = (
    r"<tool_use_error>|<error>|Error(?:\b|:)|error:|ERROR\b|Traceback \(most recent|Failed to |fatal: |unsupported call",
    r"The tool execution failed with the following error|Missing value for required parameter|String to replace not found",
    r"InputValidationError|Unknown tool",
    r"Script failed\b|apply_patch verification failed|exec_command failed|failed to parse function arguments",
)
_REFUSED = re.compile(rf"\A\s*(?:{'|'.join(_REFUSALS)})")
_UNREADABLE = re.compile(
    r"\A\s*(?:<tool_use_error>)?\s*(?:Error: ?)?(?:"
    r"InputValidationError|No such tool available|Unknown tool|unsupported call|failed to parse function arguments|Invalid tool\b"
    r"|Model tried to call unavailable tool|The arguments provided to the tool are invalid|Missing value for required parameter"
    r"|Tool [\"'`\w.-]{1,80} (?:not found|is not available|does not exist)|params must have required property|Invalid JSON"
    r"|Failed to parse tool (?:call )?arguments|Missing required (?:argument|parameter)|\[?ERROR\]? You did not use a tool"
    r"|Please always provide EXACTLY ONE action|Your output was not formatted correctly|Format error:|Invalid tool parameters"
    r"|The tool execution failed with the following error:\s*<error>\s*Missing)"
)
"""How clients say that they could not read a call: no such tool, arguments missing or malformed."""
_REPORTED = re.compile(
    r"\"success\"\s*:\s*false|\"is_?error\"\s*:\s*true|The tool execution failed with the following error|<tool_use_error>", re.IGNORECASE
)
# How test runners, compilers, linters and interpreters say that something is broken.
_BREAKAGES = (
    r"^(?:FAIL|FAILED|FAILURE|FAILURES|BUILD FAILED|ERROR)\b|^\s*--- FAIL|\bFAILED \(|\[build failed\]|ERROR task failed",
    r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?|errors?)\b|^not ok \d|[\u2717\u2716\u2715] ",
    r"^Traceback \(most recent call last\)|^\s*(?:[A-Z]\w*)?(?:Error|Exception)(?::|$)|\bSyntaxError\b|\bpanic: ",
    r"\berror(?:\[E\d+\]| TS\d+)|:\d+(?::\d+)?: (?:fatal )?error\b|^npm (?:ERR!|error)|command not found",
)
_BROKEN = re.compile("|".join(_BREAKAGES), re.MULTILINE)
_REPORT = re.compile(r"\AScript completed\n(?:[A-Z][^\n]*\n)*?Output:\n+")
"""What Codex writes above the output of a script, which says nothing of how its commands ended."""
REJECTED = re.compile(
    r"\A(?:The user doesn't want to proceed with this tool use|The user denied this operation|\[?Request interrupted by user"
    r"|[^\n]{0,80}\brejected by user\b)"
)
"""The human said no: that is a word of theirs, not a failure."""


_REPORTED_HINTS = ("success", "rror")
"""Without one of these a result's beginning is not searched for a report of failure: such searches are most of what a result costs."""
_HINTS = ("fail", "error", "exception", "traceback", "panic", "not ok", "not found", "\u2717", "\u2716", "\u2715")
"""A result with none of these in it is not searched any further."""


def fault_of(kind: ActionKind, text: str, *, flagged: bool = False) -> Fault:
    """How this result of such an action says that it went wrong; `flagged` where the wire format itself says that it did. Unknown forms
    count as well done."""
    if text.startswith("Script completed"):
        text = _REPORT.sub("", text, count=1)
    return _verdict(kind, text[:HEAD_CHARS], text[HEAD_CHARS:][-TAIL_CHARS:], flagged)


def _verdict(kind: ActionKind, head: str, tail: str, flagged: bool) -> Fault:
    if REJECTED.match(head):
        return Fault.NONE
    if _UNREADABLE.match(head):
        return Fault.INVALID
    if kind in LOOKING and head.startswith(("Exit code 1", "<returncode>1<")):
        return Fault.NONE  # grep says so when it finds nothing.
    if _REFUSED.match(head) or (any(hint in head for hint in _REPORTED_HINTS) and _REPORTED.search(head)):
        # What opens like a refusal may still be a command's own output.
        return Fault.REFUSED if kind not in VERIFYING or head.lstrip().startswith("<tool_use_error>") else _broken_as(kind)
    if flagged and kind not in VERIFYING:
        return Fault.REFUSED
    if kind not in VERIFYING and kind not in _CHANGING:
        return Fault.NONE
    codes = [int(code) for part in (head[:400], (tail or head)[-400:]) for code in _EXIT_CODE.findall(part)]
    # A pipe hides the exit code of what failed in it, so a zero does not acquit a test.
    broken = kind in VERIFYING and any(_says_broken(part) for part in (head, tail) if part)
    return _broken_as(kind) if flagged or broken or any(codes) else Fault.NONE


def _broken_as(kind: ActionKind) -> Fault:
    return Fault.BROKEN if kind is ActionKind.TEST else Fault.FAILED


def _says_broken(part: str) -> bool:
    lowered = part.lower()
    return any(hint in lowered for hint in _HINTS) and _BROKEN.search(part) is not None
