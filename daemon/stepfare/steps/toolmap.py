"""What a tool call does, whoever's tool it is: the names that clients give their tools, and a reading of names never seen.

Shell commands are read by `shell`; calls written as XML into the text are found by `xml_tools`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from stepfare.core.request import Tool
from stepfare.core.step import Action, ActionKind
from stepfare.steps.patches import files_in, files_quoted
from stepfare.steps.shell import DEMAND, PATHS_MAX, PROGRAMS_MAX, joined, read_shell
from stepfare.steps.shell_programs import SHELLS
from stepfare.steps.tables import words
from stepfare.steps.undoing import EVERYTHING

ARGUMENT_CHARS_MAX = 4_096
"""Of arguments that are no whole JSON, so much is searched for paths and commands."""
REMEMBERED_CHARS_MAX, REMEMBERED_MAX = 2_048, 512
"""Of the calls whose meaning is remembered: how long their arguments may be, and how many they are."""
COMMANDS_READ_MAX = 16

_SHELL = "shell"
_EDITOR = "editor"
_PATCH = "patch"
_SCRIPT = "script"
_NESTED = "nested"

# Names in lower case without - and _; what a name means in several clients, it means in all of them.
TOOLS: Mapping[str, ActionKind | str] = {
    # looking around
    **dict.fromkeys(
        words(
            "list ls listfiles listdir listdirectory tree listmcpresources listagents repomap viewrepomap viewsubdirectory",
            "listcodedefinitionnames",
        ),
        ActionKind.LIST,
    ),
    **dict.fromkeys(
        words(
            "read readfile readfiles view viewfile viewimage openfile cat readmanyfiles readcurrentlyopenfile readfilerange",
            "notebookread taskoutput bashoutput checkbackgroundjob accessmcpresource readmcpresource loadmcpdocumentation",
            "getdiagnostics viewdiff getterminaloutput readlints agentoutput kilolocalrecall readconsolemessages getfile readbash",
            "goto scrollup scrolldown testfailure",
        ),
        ActionKind.READ,
    ),
    **dict.fromkeys(
        words(
            "grep glob searchfiles searchcodebase grepsearch filesearch findfiles codebasesearch codebase globsearch fileglobsearch",
            "toolsearch toolsuggest lsp codesearch search findbyname greppattern listcodeusages vscodelistcodeusages reportfindings",
        ),
        ActionKind.SEARCH,
    ),
    **dict.fromkeys(
        words(
            "webfetch fetch websearch fetchwebcontent fetchurlcontent searchweb googlewebsearch websearchtool browseraction browser",
            "fetchurl openurl fetchwebpage",
        ),
        ActionKind.WEB,
    ),
    # changing files
    **dict.fromkeys(
        words(
            "edit multiedit replaceinfile editexistingfile singlefindandreplace replace searchreplace notebookedit insertcontent",
            "applydiff editfile strreplace findandreplace searchandreplace undoedit editnotebookfile insert deletefile movefile renamefile",
        ),
        ActionKind.EDIT,
    ),
    **dict.fromkeys(
        ["write", "writefile", "writetofile", "create", "createnewfile", "createfile", "newfile", "savefile"], ActionKind.WRITE
    ),
    **dict.fromkeys(["editor", "strreplaceeditor", "strreplacebasededittool", "texteditor", "fileeditor"], _EDITOR),
    **dict.fromkeys(["applypatch", "patch"], _PATCH),
    # doing
    **dict.fromkeys(
        words(
            "bash runcommands executecommand runterminalcommand runterminalcmd runshellcommand execcommand shell localshell",
            "powershell pwsh terminal runinterminal executebash cmd runcommand backgroundprocess shellcommand container.exec",
        ),
        _SHELL,
    ),
    "exec": _SCRIPT,
    **dict.fromkeys(
        words(
            "writestdin killshell killbash taskstop schedulewakeup monitor wait sleep writebash stopbash reportprogress runtask",
            "createandruntask",
        ),
        ActionKind.RUN,
    ),
    # keeping order
    **dict.fromkeys(
        words(
            "todowrite todoread taskcreate taskupdate tasklist taskget updateplan checklist updatetodolist writetodos creategoal",
            "updategoal getgoal focuschain taskprogress memory savememory storememory todo managetodolist tasktracker think reportintent",
        ),
        ActionKind.TODO,
    ),
    **dict.fromkeys(["skill", "skills", "useskill", "loadskill", "readskill", "activateskill"], ActionKind.SKILL),
    **dict.fromkeys(
        words(
            "agent task spawnagent waitagent closeagent sendinput sendmessage newtask usesubagents invokeagent delegate subagent",
            "teamtask dispatchagent resumeagent codebaseinvestigator",
        ),
        ActionKind.DELEGATE,
    ),
    **dict.fromkeys(
        words("exitplanmode enterplanmode planmoderespond planmoderesponse switchtoactmode planexit planenter switchmode createplan"),
        ActionKind.PLAN,
    ),
    **dict.fromkeys(
        words("askuserquestion askquestion askfollowupquestion requestuserinput question askuser ask askusertool"),
        ActionKind.ASK,
    ),
    **dict.fromkeys(
        words("attemptcompletion submitandexit exit submit finish structuredoutput taskcomplete completetask done finalanswer"),
        ActionKind.FINISH,
    ),
    **dict.fromkeys(["usemcptool", "callmcptool", "mcp"], _NESTED),
}
PREFIXES: tuple[tuple[str, ActionKind], ...] = (("team", ActionKind.DELEGATE), ("board", ActionKind.TODO))

# A tool never seen is understood from the words of its name, in this order; the first that fits decides.
_CHANGES = frozenset(
    words(
        "create update delete remove add set post send insert put close merge move rename upload assign comment reply dismiss",
        "spawn mark stop",
    )
)
NAME_WORDS: tuple[tuple[ActionKind, frozenset[str]], ...] = (
    (
        ActionKind.WEB,
        frozenset(words("browser web url http https page navigate screenshot crawl scrape context7 internet")),
    ),
    (ActionKind.ASK, frozenset({"ask", "question"})),
    (ActionKind.TODO, frozenset({"todo", "todos", "checklist"})),
    (ActionKind.PLAN, frozenset({"plan"})),
    (ActionKind.DELEGATE, frozenset({"agent", "subagent", "delegate"})),
    (ActionKind.EDIT, frozenset({"edit", "patch", "replace", "diff", "refactor"})),
    (ActionKind.WRITE, frozenset({"write"})),
    (ActionKind.TEST, frozenset({"test", "tests", "lint", "build", "compile"})),
    (ActionKind.RUN, frozenset({"run", "execute", "exec", "shell", "terminal", "bash", "command", "kill"})),
    (ActionKind.SEARCH, frozenset({"search", "find", "grep", "glob", "query", "lookup", "references", "symbols"})),
    (ActionKind.LIST, frozenset({"ls", "tree", "directory", "dir"})),
    (
        ActionKind.READ,
        frozenset(words("read get view show open cat list fetch describe inspect load status diagnostics extract")),
    ),
)

_PATH_KEYS = words(
    "path file_path filePath filepath target_file targetFile filename file notebook_path absolute_path relative_path paths",
    "files file_paths filePaths relative_workspace_path uri AbsolutePath TargetFile",
)
_FOLDER_KEYS = ("dirPath", "directory", "dir", "folder", "target_directory")
_COMMAND_KEYS = ("command", "cmd", "commands", "script", "CommandLine", "input")
_WORK_KEYS = ("workdir", "working_directory", "cwd")
"""Where a command is to run; the paths in it are seen from there."""
_OLD_KEYS = frozenset(words("old_string old_str old_text oldString oldText oldStr search diff edits changes replacements insert_line"))
_CONTENT_KEYS = frozenset(["content", "file_text", "contents", "text", "new_content", "code_edit"])
_QUERY_KEYS = frozenset(["query", "queries", "pattern", "regex", "search_term", "searchTerm", "q"])
_URL_KEYS = frozenset(["url", "urls", "uri"])

_LOOSE_PATH = re.compile(r'"(?:path|file_path|filePath|filepath|target_file|filename)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_LOOSE_COMMAND = re.compile(r'"(?:command|cmd|commands)"\s*:\s*\[?\s*"((?:[^"\\]|\\.)*)')
_LOOSE_VERB = re.compile(r'"command"\s*:\s*"(\w+)"')
_SCRIPT_CALL = re.compile(r"\btools\.(\w+)\(")
_SCRIPT_COMMAND = re.compile(r"""\b(?:cmd|command)\b["']?\s*[:=]\s*(?:String\.raw\s*)?(["'`])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
"""A command as a script writes it: under a key, quoted or not, or in a variable of that name."""
_SCRIPT_FOLDER = re.compile(r"""\bworkdir["']?\s*:\s*(["'`])([^"'`\n]*)\1""")
_SCRIPT_SHELLS = frozenset({"execcommand", "shellcommand", "shell"})
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


def action_of(tool_name: str, arguments: str, offered: Tool | None = None) -> Action:
    """What this call does. `arguments` is its JSON text, whole or not; `offered` the tool's own description where there is one."""
    understood = _remembered if len(arguments) <= REMEMBERED_CHARS_MAX else _understood
    return understood(tool_name, arguments, offered)


def _understood(name: str, arguments: str, offered: Tool | None) -> Action:
    return _action(name, _decoded(arguments), arguments, offered, nested=False)


_remembered = lru_cache(REMEMBERED_MAX)(_understood)
"""A call is understood when it is made, when its answer is booked, and when the next step shows it."""


def kind_so_far(tool_name: str, arguments: str, offered: Tool | None = None) -> ActionKind | None:
    """What a call does of which not all arguments have come; None where what is still to come decides."""
    meaning = TOOLS.get(_key(tool_name))
    if meaning == _PATCH:
        return ActionKind.EDIT
    if meaning == _EDITOR:
        verb = _LOOSE_VERB.search(arguments[:ARGUMENT_CHARS_MAX])
        return None if verb is None else _editor_kind({"command": verb.group(1)})
    if isinstance(meaning, ActionKind):
        return meaning
    # A tool never seen is what its name and the names of its parameters say; only where these say a change may no argument gainsay it.
    guessed = None if meaning is not None or not tool_name else _action(tool_name, {}, "", offered, nested=False).kind
    return guessed if guessed in _CHANGING else None


_CHANGING = frozenset({ActionKind.EDIT, ActionKind.WRITE})


def most_demanding(actions: Iterable[Action]) -> Action | None:
    """The action that asks most of a model among those of one turn."""
    return min(actions, key=lambda action: _RANK[action.kind], default=None)


_RANK: Mapping[ActionKind, int] = {
    kind: rank
    for rank, kind in enumerate(
        (
            ActionKind.EDIT,
            ActionKind.WRITE,
            ActionKind.FINISH,
            ActionKind.ASK,
            ActionKind.PLAN,
            ActionKind.DELEGATE,
            ActionKind.TEST,
            ActionKind.RUN,
            ActionKind.OTHER,
            ActionKind.WEB,
            ActionKind.SEARCH,
            ActionKind.READ,
            ActionKind.LIST,
            ActionKind.SKILL,
            ActionKind.TODO,
        )
    )
}


def _action(name: str, given: Mapping[str, Any], text: str, offered: Tool | None, *, nested: bool) -> Action:
    key = _key(name)
    meaning = TOOLS.get(key)
    if meaning is None and "__" in name:  # mcp__server__tool
        meaning = TOOLS.get(_key(name.rpartition("__")[2])) if not _words(name) & NAME_WORDS[0][1] else ActionKind.WEB
    if meaning is None:
        meaning = next((kind for prefix, kind in PREFIXES if key.startswith(prefix) and "_" in name), None)
    if meaning is None:
        meaning = _guessed(name, given, offered)
    if meaning == _NESTED:
        if nested:
            return Action(ActionKind.OTHER, name)
        inner = given.get("tool_name") or given.get("toolName") or given.get("name")
        inner_text = given.get("arguments")
        inner_given = _decoded(inner_text) if isinstance(inner_text, str) else _mapping(inner_text)
        if not isinstance(inner, str):
            return Action(ActionKind.OTHER, name)
        found = _action(inner, inner_given, "", None, nested=True)
        return Action(found.kind, name, found.paths)
    if meaning == _SHELL:
        return _shell(name, given, text)
    if meaning == _SCRIPT:
        return _code_mode(name, given, text)
    if meaning == _PATCH:
        return _patch(name, given, text)
    if meaning == _EDITOR:
        return Action(_editor_kind(given), name, _paths(given, text))
    assert isinstance(meaning, ActionKind), meaning
    return Action(meaning, name, _paths(given, text))


def _shell(name: str, given: Mapping[str, Any], text: str) -> Action:
    commands = [command for key in _COMMAND_KEYS for command in _strings(given.get(key))]
    written = next((given[key] for key in ("command", "cmd") if isinstance(given.get(key), list)), None)
    if written is not None:  # Codex once sent ["bash", "-lc", "..."].
        words = _strings(written)
        plain = words[1].startswith("-") and words[0].rpartition("/")[2] in SHELLS if len(words) > 1 else True
        commands = words[-1:] if plain else [shlex.join(words)]
    for one in _listed(given.get("commands")):  # Some clients wrap each command in an object.
        if isinstance(one, dict):
            commands += [command for key in _COMMAND_KEYS for command in _strings(cast("dict[str, Any]", one).get(key))]
    if not commands and not given:
        commands = [_unescaped(found) for found in _LOOSE_COMMAND.findall(text[:ARGUMENT_CHARS_MAX])]
    readings = [
        read_shell(command, windows="powershell" in name.lower() or "pwsh" in name.lower()) for command in commands[:COMMANDS_READ_MAX]
    ]
    kind = min((reading.kind for reading in readings), key=DEMAND.index, default=ActionKind.RUN)
    folder = next((value for key in _WORK_KEYS for value in (given.get(key),) if isinstance(value, str)), "")
    paths = tuple(dict.fromkeys(joined(folder, path) for reading in readings for path in reading.paths))
    programs = tuple(dict.fromkeys(program for reading in readings for program in reading.programs))
    undone = tuple(path if path == EVERYTHING else joined(folder, path) for reading in readings for path in reading.undone)
    return Action(kind, name, paths[:PATHS_MAX], programs=programs[:PROGRAMS_MAX], undone=undone[:PATHS_MAX])


def _code_mode(name: str, given: Mapping[str, Any], text: str) -> Action:
    """Codex's code mode: a piece of JavaScript that calls tools. Elsewhere `exec` is a shell."""
    source = given.get("input") if isinstance(given.get("input"), str) else text if not given else ""
    if not isinstance(source, str) or "tools." not in source:
        return _shell(name, given, text)
    found: list[Action] = []
    for inner in dict.fromkeys(_SCRIPT_CALL.findall(source)):
        if _key(inner) in _SCRIPT_SHELLS:
            continue
        found.append(
            _script_patch(inner, source)
            if TOOLS.get(_key(inner)) == _PATCH
            else _action(inner, {"input": source}, source, None, nested=True)
        )
    folders = {folder for _, folder in _SCRIPT_FOLDER.findall(source)}
    folder = folders.pop() if len(folders) == 1 else ""
    found += [
        Action(
            reading.kind,
            name,
            tuple(joined(folder, path) for path in reading.paths),
            programs=reading.programs,
            undone=tuple(path if path == EVERYTHING else joined(folder, path) for path in reading.undone),
        )
        for _, command in _SCRIPT_COMMAND.findall(source)[:COMMANDS_READ_MAX]
        for reading in (read_shell(_unescaped(command)),)
    ]
    chosen = most_demanding(found)
    paths = tuple(dict.fromkeys(path for one in found for path in one.paths))[:PATHS_MAX]
    return Action(
        chosen.kind if chosen else ActionKind.RUN,
        name,
        paths,
        programs=tuple(dict.fromkeys(program for one in found for program in one.programs))[:PROGRAMS_MAX],
        undone=tuple(path for one in found for path in one.undone)[:PATHS_MAX],
    )


def _script_patch(name: str, source: str) -> Action:
    paths, only_new = files_quoted(source)
    return Action(ActionKind.WRITE if only_new else ActionKind.EDIT, name, paths[:PATHS_MAX])


def _patch(name: str, given: Mapping[str, Any], text: str) -> Action:
    body = next(
        (value for key in ("input", "patch", "diff", "patchText", "content") for value in (given.get(key),) if isinstance(value, str)), ""
    )
    # In JSON that broke off the line ends of a patch are still escaped.
    body = body or text
    paths, only_new = files_in(body if "\n" in body else body.replace("\\n", "\n"))
    return Action(ActionKind.WRITE if only_new else ActionKind.EDIT, name, (paths or _paths(given, text))[:PATHS_MAX])


def _editor_kind(given: Mapping[str, Any]) -> ActionKind:
    """Tools that view, create and edit by their arguments."""
    verb = given.get("command")
    if isinstance(verb, str):
        return {"view": ActionKind.READ, "create": ActionKind.WRITE}.get(verb, ActionKind.EDIT)
    changes = any(given.get(key) not in (None, "") for key in ("old_text", "old_str", "old_string", "insert_line"))
    return ActionKind.EDIT if changes or not given else ActionKind.WRITE


def _guessed(name: str, given: Mapping[str, Any], offered: Tool | None) -> ActionKind | str:
    words = _words(name)
    keys = frozenset(given) | frozenset(offered.parameters if offered is not None else ())
    has_path = not keys.isdisjoint(_PATH_KEYS)
    if has_path and not keys.isdisjoint(_OLD_KEYS):
        return ActionKind.EDIT
    if has_path and not keys.isdisjoint(_CONTENT_KEYS):
        return ActionKind.WRITE
    if words & _CHANGES and not words & frozenset({"file", "files", "todo", "todos"}):
        return ActionKind.OTHER
    for kind, marks in NAME_WORDS:
        if words & marks:
            return _SHELL if kind is ActionKind.RUN and keys & {"command", "cmd", "commands"} else kind
    if keys & {"command", "cmd", "commands"}:
        return _SHELL
    if keys & _URL_KEYS:
        return ActionKind.WEB
    if keys & _QUERY_KEYS:
        return ActionKind.SEARCH
    return ActionKind.READ if has_path else ActionKind.OTHER


def _paths(given: Mapping[str, Any], text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for key in _PATH_KEYS:
        for one in _listed(given.get(key)):
            if isinstance(one, dict):
                one = next(
                    (value for inner in _PATH_KEYS for value in (cast("dict[str, Any]", one).get(inner),) if isinstance(value, str)), None
                )
            if isinstance(one, str) and one and "\n" not in one and "://" not in one:
                found[one] = None
    if not given:
        found = dict.fromkeys(_unescaped(path) for path in _LOOSE_PATH.findall(text[:ARGUMENT_CHARS_MAX]))
    if not found:
        found = {value: None for key in _FOLDER_KEYS for value in (given.get(key),) if isinstance(value, str) and value}
    return tuple(found)[:PATHS_MAX]


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(text)) if text else {}
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    if isinstance(value, str) and value.startswith(("[", "{")):
        try:  # Some models write a list as text.
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _strings(value: object) -> list[str]:
    return [one for one in _listed(value) if isinstance(one, str)]


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")


def _key(name: str) -> str:
    return name.removeprefix("functions.").lower().replace("_", "").replace("-", "")


def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(name))
