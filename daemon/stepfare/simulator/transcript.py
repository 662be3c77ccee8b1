"""The conversation so far as the player sees it: what the human wants, what was done since, and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from stepfare.simulator import hands, shapes, xmlcalls
from stepfare.simulator.intents import Intent
from stepfare.simulator.reading import Message, Request
from stepfare.simulator.results import NONE_YET, Result, files_in, read_result
from stepfare.simulator.shapes import ToolSpec
from stepfare.simulator.toolboxes import Toolbox, toolbox


@dataclass(frozen=True, slots=True)
class Move:
    """A call that was made, what it was for, and its result."""

    name: str
    arguments: str
    intent: Intent
    result: Result = NONE_YET


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the next move may depend on. `moves` are those since the human's last words, `earlier` the ones before."""

    task: str
    moves: tuple[Move, ...]
    earlier: tuple[Move, ...]
    box: Toolbox
    planning: bool
    listing: str
    """File names that the client put into its prompt."""
    classic: bool = False
    """Classic Cline: one call a turn, and what a person says stands in tags of its own."""
    summaries: int = 0
    """How often the conversation was summarized since the human's last words."""
    ends_by: str = ""
    """The shell command by which this client is told that the task is done, where there is no tool for that."""


_TOOL_RESULT = re.compile(r"\A\[(\w+)(?: for '(.*?)')?\] Result:\n?(.*)\Z", re.DOTALL)
_ENVELOPES = re.compile(
    r"<(environment_details|system-reminder|SYSTEM_NOTICE|mode_notice|environment_context|explicit_instructions|context)\b[^>]*>.*?</\1>",
    re.DOTALL,
)
_SPOKEN = re.compile(r"<(task|feedback|user_message|answer)>\n?(.*?)\n?</\1>", re.DOTALL)
_UNWRAPPED = re.compile(r"</?user_input\b[^>]*>")
_AUTOMATIC = re.compile(
    r"\A\s*(\[(SYSTEM|ERROR|TASK RESUMPTION|NOTE|structured-output-enforce)\]"
    r"|<SYSTEM_NOTICE>|# (task_progress|TODO LIST|AGENTS\.md instructions)|TODO LIST UPDATE|\[\w+[^\]]*\] Result:"
    r"|<task-notification>|Your response above was cut off|What did we do so far"
    r"|This session is being continued from a previous conversation|Another language model started to solve this problem)"
)
_QUOTED_TASK = re.compile(r'^- The human wrote: "(.*)"$', re.MULTILINE)
"""In the summaries that the simulator itself writes: what is left of the task after a compaction."""

_SUMMARIES = re.compile(r"^- Summaries since then: (\d{1,6})\.$", re.MULTILINE)

_CWD = re.compile(
    r"(?:(?:working directory|workspace root folder|working in the directory)[^:\n]{0,20}:\s*|<cwd>)(/[^\n`<>]+|[A-Za-z]:[\\/][^\n`<>]+)",
    re.IGNORECASE,
)
_LISTING = re.compile(r"^# Current Working Directory \([^\n]*\) Files\n(.*?)(?=\n\n|\n# |\Z)", re.MULTILINE | re.DOTALL)
_TASK_TAG = re.compile(r"\s*<task>")
_PATCH_COMMAND = re.compile(r"Use the `apply_patch` tool to edit files")
_ENDS_BY = re.compile(r"echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
_PLAN_SYSTEM = re.compile(r'^# Plan Mode\b|<context name="planMode">|Plan mode is active', re.MULTILINE)
_PLAN_OVER = re.compile(r"^#* *Exited Plan Mode", re.MULTILINE)
_PLAN_USER = re.compile(r'# Current Mode\nPLAN MODE|<user_input mode="plan">|Plan mode ACTIVE|Plan mode is active|Native Plan Mode')


def read_scene(request: Request, manual: Sequence[ToolSpec] = ()) -> Scene:
    """The scene of a request; `manual` are the tools that its prompt describes in words, where it offers none natively."""
    system = request.system
    users = [message for message in request.messages if message.role == "user"]
    cwd = _cwd(system, users)
    patching = bool(_PATCH_COMMAND.search(system))
    box = toolbox(manual or shapes.native_tools(request.tools), cwd, xml=bool(manual), patches=patching)
    classic = bool(manual) or any(_TASK_TAG.match(user.text) for user in users)
    names = [tool.name for tool in manual]
    moves: list[Move] = []
    start, task = 0, ""
    for index, message in enumerate(request.messages):
        words = human_words(message, only_tagged=classic) if message.role == "user" else ""
        if words:
            start, task = len(moves), words
        elif message.role == "assistant":
            moves.extend(_moves(message, request.messages[index + 1 :], names, cwd))
    if not task:
        # After a compaction the summary is all that is left of what the person said.
        task = next((found[1] for message in request.messages if (found := _QUOTED_TASK.search(message.text))), "")
    last_user = users[-1].text if users else ""
    first_user = users[0].text if users else ""
    listing = next((found[1] for user in users if (found := _LISTING.search(user.text)) and any(files_in(found[1]))), "")
    planning = bool(_plans(system) or _PLAN_USER.search(last_user) or ("Plan mode ACTIVE" in first_user and len(users) == 1))
    ends_by = _ENDS_BY.search(system) or _ENDS_BY.search(first_user)
    return Scene(
        task,
        tuple(moves[start:]),
        tuple(moves[:start]),
        box,
        planning,
        listing,
        classic,
        summaries_of(request.messages, tagged=classic),
        ends_by[0] if ends_by else "",
    )


def summary_number(number: int) -> str:
    """The line by which a summary tells how many there were since the human's last words."""
    return f"- Summaries since then: {number}."


def summaries_of(messages: Sequence[Message], *, tagged: bool = False) -> int:
    """How often a conversation was summarized since the human's last words, as its own summary tells."""
    count = 0
    for message in messages:
        if found := _SUMMARIES.search(message.text):
            count = int(found[1])
        elif message.role == "user" and human_words(message, only_tagged=tagged):
            count = 0
    return count


def _plans(system: str) -> bool:
    """Whether the last word of the instructions on plan mode is that it is on."""
    last = next(reversed(list(_PLAN_SYSTEM.finditer(system))), None)
    return last is not None and not _PLAN_OVER.search(system, last.end())


def human_words(message: Message, *, only_tagged: bool) -> str:
    """What a person wrote in this turn; empty where a program wrote all of it."""
    spoken = [found[2].strip() for found in _SPOKEN.finditer(message.text)]
    if spoken or only_tagged:
        return "\n".join(spoken)
    parts = [_UNWRAPPED.sub("", _ENVELOPES.sub("", text)).strip() for text in message.texts if not _AUTOMATIC.match(text)]
    return "\n".join(part for part in parts if part)


def _cwd(system: str, users: Sequence[Message]) -> str:
    for text in (system, *(user.text for user in users[:2])):
        if found := _CWD.search(text):
            return found[1].strip().rstrip("/\\")
    return ""


def _moves(turn: Message, after: Sequence[Message], names: Sequence[str], cwd: str) -> Iterator[Move]:
    if names:
        told = _told(after)
        for name, parameters in xmlcalls.calls_in(turn.text, names):
            result = next((read_result(text) for tool, text in told if tool == name), NONE_YET)
            yield Move(name, json.dumps(parameters, ensure_ascii=False), hands.intent_of(name, parameters, cwd), result)
        return
    answers = {message.tool_call_id: message for message in after if message.role == "tool"}
    for call in turn.tool_calls or []:
        answer = answers.get(call.id)
        text = answer.text if answer is not None else None
        if text is not None and text.strip() == "result missing":
            # Classic Cline with native tools puts the real result into the text of the user turn that follows.
            text = next((told for tool, told in _told(after) if tool == call.function.name), text)
        result = NONE_YET if text is None else read_result(text)
        name, text = call.function.name, call.function.arguments
        intent = hands.intent_of_text(name, text, cwd) if call.custom else hands.intent_of(name, _arguments(text), cwd)
        yield Move(name, text, intent, result)


def _told(after: Sequence[Message]) -> list[tuple[str, str]]:
    """Results told in the text of the next user turn, by tool name."""
    user = next((message for message in after if message.role == "user"), None)
    told: list[tuple[str, str]] = []
    for text in user.texts if user is not None else []:
        if found := _TOOL_RESULT.match(text.strip()):
            told.append((found[1], found[3]))
        elif told and not told[-1][1] and not _AUTOMATIC.match(text) and not text.lstrip().startswith("<environment_details>"):
            # The heading stood alone: the result is the part after it.
            told[-1] = (told[-1][0], text)
    return told


def _arguments(text: str) -> dict[str, object]:
    try:
        value = cast(object, json.loads(text))
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, object], value) if isinstance(value, dict) else {}
