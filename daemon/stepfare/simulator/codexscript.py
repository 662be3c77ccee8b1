"""Actions as JavaScript: how models act in Codex' code mode, where the one tool takes a script that calls the others."""

from __future__ import annotations

import json
import re

from stepfare.simulator import patches, shells
from stepfare.simulator.intents import Intent, Other, Replace

TOOL = "exec"
CAN_RUN = "tools.exec_command"
CAN_PATCH = "tools.apply_patch"
"""What the tool's description names where a script may call these."""
DECLARED = {CAN_RUN: re.compile(r"\bexec_command\("), CAN_PATCH: re.compile(r"\bapply_patch\(")}

_RUNS = re.compile(r"tools\.exec_command\(\{cmd: (\"(?:[^\"\\]|\\.)*\")")
_PATCHES = re.compile(r"tools\.apply_patch\((\"(?:[^\"\\]|\\.)*\")\)")


def running(command: str) -> str:
    """A script that runs a command and shows its output."""
    return f"const r = await tools.exec_command({{cmd: {_quoted(command)}}});\ntext(r.output);"


def patching(path: str, old: str, new: str) -> str:
    """A script that edits one place of one file."""
    return f"const r = await tools.apply_patch({_quoted(patches.envelope(path, old, new))});\ntext(r);"


def intent_of(script: str, cwd: str) -> Intent:
    """What a script of these forms was for."""
    if (patch := _PATCHES.search(script)) and (found := patches.in_envelope(_unquoted(patch[1]))):
        return Replace(shells.relative(found[0], cwd), found[1], found[2], "")
    if command := _RUNS.search(script):
        return shells.intent_of(_unquoted(command[1]), cwd)
    return Other(TOOL)


def _quoted(text: str) -> str:
    # A JSON text is a JavaScript text once the two line ends that only JavaScript knows are escaped, which ASCII does.
    return json.dumps(text)


def _unquoted(literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        return ""
