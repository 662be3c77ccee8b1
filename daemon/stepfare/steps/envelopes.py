"""The human's own words: what is left of a user's text without the envelopes that clients wrap around it.

Most texts of the user role are written by programs: tool results, reminders, notices, the scene that a client sets. They steer
nothing here; one human sentence drives twenty calls, and which sentence that is has to be told from the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stepfare.core.request import Role, Text, ToolResult, Turn
from stepfare.steps.tables import words
from stepfare.steps.xml_tools import is_heading, is_result

WORDS_CHARS_MAX = 2_000
TEXT_CHARS_MAX = 65_536
"""Of a longer text, half of this is read at its beginning and half at its end."""
TURNS_SCANNED_MAX = 64
HEAD_TURNS_MAX = 6

# Written by a program, tags and all.
_DROPPED = words(
    "system-reminder environment_details SYSTEM_NOTICE environment_context user_instructions INSTRUCTIONS permissions",
    "local-command-caveat local-command-stdout local-command-stderr command-name command-message task-notification",
    "subagent_notification turn_aborted mode_notice explicit_instructions user-prompt-submit-hook file_content",
    "final_file_content folder_content url_content workspace_diagnostics ide_opened_file ide_selection ide_diagnostics",
    "bash-input bash-stdout bash-stderr ci-monitor-event state_snapshot env total_tokens task_progress collaboration_mode",
    "skill context attached_files context_files summary user_shell_command user_action",
)
# Written by the human, tags by the client.
_KEPT = words(
    "task feedback answer user_message user_input user_query user-request command-args pr_description",
)

_DROPPED_TAG = re.compile(rf"<({'|'.join(_DROPPED)})\b[^>]{{0,200}}>.*?(?:</\1>|\Z)", re.DOTALL)
_KEPT_TAG = re.compile(rf"<({'|'.join(_KEPT)})\b[^>]{{0,200}}>(.*?)(?:</\1>|\Z)", re.DOTALL)
# All that a request for a title shows of the session that it is for.
_SHOWN = re.compile(r"\A\s*<(session|conversation)>(.*)</\1>\s*\Z", re.DOTALL)
# Where its model minds the last words most, aider repeats its rules behind the human's.
_RULES = re.compile(
    r"\n\n# (?:\*SEARCH/REPLACE block\*|File editing|V4A Diff Format) [Rr]ules:|\n\nTo suggest changes to a file you MUST return "
)
_COMMAND = re.compile(r"\A\s*<command-message>.*?<command-name>(.*?)</command-name>", re.DOTALL)
_REPLY_IN_RESULT = re.compile(r"\AThe user doesn't want to proceed with this tool use.*?the user said:\s*(.*)", re.DOTALL)
# How texts begin that a program wrote in the human's place.
_MACHINE_BEGINNINGS = (
    r"\[(?:SYSTEM|ERROR|NOTE|TASK RESUMPTION|structured-output-enforce)\]",
    r"\[\[NOTE\]|\[Continue assisting|\[Request interrupted",
    r"# AGENTS\.md instructions|(?:[#] )?TODO LIST|# task_progress|Base directory for this skill:",
    r"This session is being continued from|Your response above was cut off|Another language model started to solve",
    r"CRITICAL: Respond with TEXT ONLY|What did we do so far\?|Continue if you have next steps",
    r"This is (?:the )?Qwen Code|Here are summaries of some files present in my git repository",
    r"I have \*added these files to the chat\*|I switched to a new code base|Caveat: The messages below were generated",
    r"Please provide a concise summary of our conversation|You are performing a CONTEXT CHECKPOINT|Async agent",
    r"Stop hook feedback:|You have reached the maximum|Perform a web search for the query:|The user has switched to|result missing",
)
_MACHINE = re.compile(rf"\A\s*(?:{'|'.join(_MACHINE_BEGINNINGS)})")


def words_of(text: str) -> str:
    """What a human wrote of this user's text, or nothing where a program wrote it all."""
    if len(text) > TEXT_CHARS_MAX:
        text = text[: TEXT_CHARS_MAX // 2] + "\n" + text[-TEXT_CHARS_MAX // 2 :]
    rules = _RULES.search(text)
    text = text[: rules.start()] if rules is not None else text
    if "<" in text:
        shown = _SHOWN.match(text)
        text = shown.group(2) if shown is not None else text
        command = _COMMAND.match(text)
        kept = [found.group(2).strip() for found in _KEPT_TAG.finditer(_DROPPED_TAG.sub("", text))]
        if any(kept):
            return _plain("\n".join(words for words in kept if words))
        if command is not None:
            return command.group(1).strip()
        text = _KEPT_TAG.sub("", _DROPPED_TAG.sub("", text))
    if is_result(text) or _MACHINE.match(text):
        return ""
    return _plain(text)


def words_in_result(text: str) -> str:
    """What a human said while refusing a tool's use, which some clients send as that tool's result."""
    found = _REPLY_IN_RESULT.match(text)
    return _plain(found.group(1)) if found is not None else ""


def words_of_turn(turn: Turn) -> str:
    """The human's words in one turn, cut to `WORDS_CHARS_MAX`, or nothing."""
    if turn.role not in (Role.USER, Role.TOOL):
        return ""
    said: list[str] = []
    in_result = False
    for block in turn.blocks:
        if isinstance(block, Text) and turn.role is Role.USER:
            # Classic Cline may send a result's heading and its body as two texts; a human's reply stands in tags even there.
            said.append(words_of(block.text) if not in_result or _KEPT_TAG.search(block.text) else "")
            in_result = is_heading(block.text)
        elif isinstance(block, ToolResult):
            said.append(words_in_result(block.text))
    return "\n".join(words for words in said if words)[:WORDS_CHARS_MAX]


def human_words(turns: Sequence[Turn]) -> tuple[str, int]:
    """The human's last words and the index of their turn; the task's first words where the last lie too far back; ("", -1) for none."""
    bottom = max(0, len(turns) - TURNS_SCANNED_MAX)
    for index in range(len(turns) - 1, bottom - 1, -1):
        words = words_of_turn(turns[index])
        if words:
            return words, index
    return first_words(turns, bottom)


def first_words(turns: Sequence[Turn], below: int) -> tuple[str, int]:
    """The first human words of a conversation, looked for in its first few turns before `below`."""
    for index in range(min(HEAD_TURNS_MAX, below)):
        words = words_of_turn(turns[index])
        if words:
            return words, index
    return "", -1


def _plain(text: str) -> str:
    words = text.strip()
    if len(words) > 1 and words[0] == words[-1] == '"' and '"' not in words[1:-1]:
        words = words[1:-1].strip()  # opencode wraps the prompt of its `run` command in quotes.
    return words
