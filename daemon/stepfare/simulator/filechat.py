"""A chat about files without tools, as aider holds it: the files stand in the prompt, edits stand in the answer.

What to change is decided as in the plays with tools, from what the prompt shows; a file that is not there is asked for by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stepfare.simulator import editblocks, words
from stepfare.simulator.editblocks import FENCE, Form
from stepfare.simulator.knowledge import Knowledge, Verdict, failing_tests, verdict_of
from stepfare.simulator.options import MARK
from stepfare.simulator.plays import READ_FILES_MAX, REPAIRS_MAX
from stepfare.simulator.project import SKIPPED, SOURCE, is_named, is_test, relevant, source_files, test_commands, test_files, wants_repair
from stepfare.simulator.reading import Message, Request
from stepfare.simulator.repairs import NoRepair, Repair, find_repair
from stepfare.simulator.toolboxes import Toolbox
from stepfare.simulator.transcript import Scene

FILES_MAX = 2_000


@dataclass(slots=True)
class FileChat:
    """What a prompt of this kind shows. `editable` are the files that may be changed, `mapped` those that are only named.

    `asked` are the files that were asked for since the human's last words `task`; `command` and `output` what was run since, if anything.
    """

    form: Form
    edits_only: bool
    suggests_commands: bool
    fence: str = FENCE
    contents: dict[str, str] = field(default_factory=dict[str, str])
    editable: set[str] = field(default_factory=set[str])
    mapped: dict[str, None] = field(default_factory=dict[str, None])
    task: str = ""
    asked: set[str] = field(default_factory=set[str])
    command: str = ""
    output: str = ""
    refused: bool = False


_EDITOR = re.compile(r"Act as an expert software developer (who edits source code|and make changes to source code)")
_COMMANDS = re.compile(r"suggest any shell commands")
_EXAMPLES_END = "I switched to a new code base."
_ADDED = re.compile(r"\A(I have|These files have been) \*added these files to the chat\*")
_SHOWN = re.compile(r"\A(Here are some READ ONLY files|These are some files we have been discussing)")
_MAP = re.compile(r"summaries of some files present in my git repo")
_RAN = re.compile(r"\AI ran this command:\n\n(.*?)\n\nAnd got this output:\n\n(.*)\Z", re.DOTALL)
_REFUSED = re.compile(r"\A(# \d+ SEARCH/REPLACE|UnifiedDiff\w+:|(Error|Unexpected error) parsing patch|No filename provided)")
_FRAMES = re.compile(
    r"\A(I am not sharing|Don't try and edit any existing code without asking|I added these files to the chat:|I committed the changes"
    r"|I updated the files\.|I edited the files myself|I made those changes|I didn't see any properly formatted|I spoke to you previously"
    r"|# Fix any errors below)"
)
_REMINDER = re.compile(
    r"\n\n(# \*SEARCH/REPLACE block\* Rules:|To suggest changes to a file you MUST return|# File editing rules:|# V4A Diff Format Rules:"
    r"|NEVER RETURN CODE!|Reply in )"
)
_ASKS = "*add these files to the chat*"
_MAPPED = re.compile(r"^([\w.@+-][\w./@+ -]*?):?$", re.MULTILINE)
_OPENING = re.compile(r"`{3,4}|<(?:source|code|pre|codeblock|sourcecode)>")


def read_file_chat(request: Request) -> FileChat | None:
    """The chat that a request continues; None where its prompt asks for none of the known forms of edits."""
    rules = request.system or request.messages[0].text
    form = editblocks.form_of(rules)
    if form is None:
        return None
    chat = FileChat(form, edits_only=bool(_EDITOR.search(rules)), suggests_commands=bool(_COMMANDS.search(rules)))
    for message in _after_examples(request.messages):
        if message.role == "assistant" and _ASKS in message.text:
            chat.asked.update(line.strip() for line in message.text.splitlines()[1:])
        elif message.role == "user" and message.text != rules:
            _hear(chat, message.text)
    return chat


def _after_examples(messages: Sequence[Message]) -> Sequence[Message]:
    last = max((index for index, message in enumerate(messages) if message.text.startswith(_EXAMPLES_END)), default=-1)
    return messages[last + 1 :]


def _hear(chat: FileChat, text: str) -> None:
    if _ADDED.match(text) or _SHOWN.match(text):
        for path, fence, content in _files_in(text):
            chat.contents[path] = content
            chat.fence = fence
            if _ADDED.match(text):
                chat.editable.add(path)
    elif _MAP.search(text[:200]):
        for found in _MAPPED.finditer(text):
            if len(chat.mapped) < FILES_MAX:
                chat.mapped.setdefault(found[1])
    elif ran := _RAN.match(text):
        chat.command, chat.output = ran[1].strip(), _without_reminder(ran[2])
    elif _REFUSED.match(text) or (text.startswith(MARK) and not chat.edits_only):
        # What does not fit comes back with the reason; an architect's words, on the other hand, are a task.
        chat.refused = True
    elif not _FRAMES.match(text):
        chat.task = _without_reminder(text)
        chat.asked, chat.command, chat.output, chat.refused = set(), "", "", False


def _without_reminder(text: str) -> str:
    return _REMINDER.split(text, maxsplit=1)[0].strip()


def _files_in(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, fence and content of each file that a message shows."""
    lines = text.split("\n")
    at = 1
    while at < len(lines):
        fence = lines[at]
        path = lines[at - 1].strip()
        if not (_OPENING.fullmatch(fence) and path):
            at += 1
            continue
        end = next((index for index in range(at + 1, len(lines)) if lines[index] == editblocks.closing(fence)), len(lines))
        yield path, fence, "\n".join([*lines[at + 1 : end], ""])
        at = end + 1


def answer(chat: FileChat, signed: str = "") -> tuple[str, str]:
    """The name of what comes next in the play, and the answer's text. A model whose edits are `signed` makes a wrong one where it can."""
    if chat.edits_only:
        return "edit as told", _edits(chat, "These are the changes that I was told to make.", _as_advised(chat))
    scene = Scene(chat.task, (), (), Toolbox({}, (), "", xml=False), planning=False, listing="")
    known = Knowledge(files=dict.fromkeys([*chat.contents, *chat.mapped]), contents=dict(chat.contents))
    repairing = wants_repair(chat.task) or bool(chat.output)
    if chat.form is Form.NAMES:
        return "name the files", _names(scene, known)
    early = next((path for path in relevant(scene, known) if path in chat.editable and path.endswith(".py") and not is_test(path)), "")
    if signed and repairing and early and chat.form is not Form.ADVICE and chat.contents[early].count(signed) < REPAIRS_MAX:
        # Each line unlike those before it: a file in which nothing stands twice can be edited in every form.
        line = f"# {signed}, edit {chat.contents[early].count(signed) + 1}\n"
        after = {**chat.contents, early: line + chat.contents[early]}
        return "edit too early", _edits(chat, f"I think that I know enough: {early} {signed}.", after)
    missing = [path for path in _wanted(scene, known, repairing=repairing) if path not in chat.contents]
    if missing and not chat.asked.issuperset(missing):
        return "ask for files", "\n".join([words.marked(f"I need to see more. Please {_ASKS}:"), "", *missing])
    if not repairing:
        return "the end", _explained(scene, known)
    if chat.refused:
        return "the end", words.marked("My edits did not fit, so I stop here. I changed nothing else.")
    return "repair", _repaired(chat, scene, known)


def _wanted(scene: Scene, known: Knowledge, *, repairing: bool) -> list[str]:
    """Files to see: those that the task names, then the tests and what they import, or what its words point to."""
    named = [path for path in known.files if is_named(path, scene.task) and SOURCE.search(path) and not SKIPPED.search(path)]
    if repairing:
        sources = [path for path in source_files(scene, known) if not path.endswith("__init__.py")]
        return list(dict.fromkeys([*named, *test_files(scene, known), *sources]))
    return list(dict.fromkeys([*named, *relevant(scene, known)]))[:READ_FILES_MAX]


def _explained(scene: Scene, known: Knowledge) -> str:
    if not known.contents:
        # Whatever is named here would be added to the chat.
        return words.marked("I was shown no file, so there is nothing that I can tell.")
    shown = Knowledge(files=dict.fromkeys(known.contents), contents=known.contents)
    return words.final(scene, shown)


def _names(scene: Scene, known: Knowledge) -> str:
    chosen = [path for path in known.files if is_named(path, scene.task)] or relevant(scene, known)[:READ_FILES_MAX]
    return "\n".join(
        [
            words.marked("No model read this."),
            "",
            "## ALL files we need to modify, with their relevant symbols:",
            "",
            *(f"- {path}" for path in chosen),
        ]
    )


def _repaired(chat: FileChat, scene: Scene, known: Knowledge) -> str:
    if chat.output and verdict_of(chat.output) is Verdict.PASSED:
        return words.marked(f"The tests pass now: `{chat.command}` said so.")
    tests = [path for path in test_files(scene, known) if path.endswith(".py") and path in known.contents]
    if not tests:
        return words.marked("I know how to repair small mistakes in Python only, and was shown no Python test. I changed nothing.")
    after = dict(known.contents)
    why: list[str] = []
    failing = failing_tests(chat.output)
    for _ in range(REPAIRS_MAX):
        found = find_repair(tests, {path: text for path, text in after.items() if path.endswith(".py")}, failing=failing)
        if isinstance(found, NoRepair):
            if not why:
                return words.marked(f"I found nothing that I could repair, because {found.why}. I changed nothing.")
            break
        if found.path not in chat.editable:
            why.append(_because(found) + " But I may not edit that file.")
            break
        after[found.path] = found.whole
        why.append(_because(found))
    return _edits(chat, "\n".join(why), after, test_commands(scene, known)[:1])


def _because(found: Repair) -> str:
    return f"{', '.join(found.fixes)} would hold if in {found.path} {found.what}."


def _as_advised(chat: FileChat) -> dict[str, str]:
    after = dict(chat.contents)
    for path, hunk in editblocks.advised(chat.task):
        if path in chat.editable and hunk.old in after.get(path, ""):
            after[path] = after[path].replace(hunk.old, hunk.new, 1)
    return after


def _edits(chat: FileChat, text: str, after: Mapping[str, str], commands: Sequence[str] = ()) -> str:
    if after == chat.contents:
        return words.marked(text if not chat.edits_only else "I was told of no change that I could make, so I changed nothing.")
    edits = editblocks.as_text(chat.form, chat.contents, after, chat.fence)
    command = chat.command or next(iter(commands), "")
    run = f"\n\n{FENCE}bash\n{command}\n{FENCE}" if command and chat.suggests_commands else ""
    if chat.form is Form.PATCH:
        # Nothing may stand above a patch.
        return f"{edits}\n\n{words.marked(text)}{run}"
    return f"{words.marked(text)}\n\n{edits}{run}"
