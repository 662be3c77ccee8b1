"""Whether a tool's result says that its call failed. Only its beginning and end are read: that is where tools say so."""

from __future__ import annotations

import re
from functools import lru_cache

from stepfare.core.step import ActionKind

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


_HINTS = ("fail", "error", "exception", "traceback", "panic", "not ok", "not found", "\u2717", "\u2716", "\u2715")
"""A result with none of these in it is not searched any further."""
VERDICTS_KEPT_MAX = 512


def failed(kind: ActionKind, text: str) -> bool:
    """Whether this result of such an action says that it went wrong. Unknown forms count as well done."""
    if text.startswith("Script completed"):
        text = _REPORT.sub("", text, count=1)
    return _verdict(kind, text[:HEAD_CHARS], text[HEAD_CHARS:][-TAIL_CHARS:])


@lru_cache(maxsize=VERDICTS_KEPT_MAX)
def _verdict(kind: ActionKind, head: str, tail: str) -> bool:
    """A conversation shows the same results step after step."""
    if REJECTED.match(head):
        return False
    if _REFUSED.match(head) or _REPORTED.search(head):
        return True
    if kind not in VERIFYING and kind not in _CHANGING:
        return False
    codes = [int(code) for part in (head[:400], (tail or head)[-400:]) for code in _EXIT_CODE.findall(part)]
    if any(codes):
        return True
    # A pipe hides the exit code of what failed in it, so a zero does not acquit a test.
    return kind in VERIFYING and any(_says_broken(part) for part in (head, tail) if part)


def _says_broken(part: str) -> bool:
    lowered = part.lower()
    return any(hint in lowered for hint in _HINTS) and _BROKEN.search(part) is not None
