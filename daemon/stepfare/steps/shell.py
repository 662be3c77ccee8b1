"""What a shell command does: the most demanding of its parts, and the files that it names.

Agents look around, test and edit through the shell more than through any other tool, so a command is read the way a person would
read it: `cd x && sed -n 1,40p a.py | head` reads x/a.py. Cutting the text into commands is the business of `shell_words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from stepfare.core.step import ActionKind
from stepfare.steps.patches import files_in
from stepfare.steps.shell_programs import (
    COMPOSERS,
    FILTERS,
    GIT,
    GIT_LOOKS,
    HUB_LOOKS,
    KEYWORDS,
    KIND_OF,
    NEUTRAL,
    PACKAGE_LOOKS,
    PACKAGE_MANAGERS,
    PACKAGE_TESTS,
    RUNNERS,
    SEARCHERS,
    SHELLS,
    SUBCOMMANDS,
    TAKES_NUMBER,
    TEST_SCRIPT,
    VERIFIERS,
    VERIFYING,
    WRAPPERS,
    WRITING_CODE,
)
from stepfare.steps.shell_words import Command, commands_of
from stepfare.steps.undoing import EVERYTHING, undone_by

DEMAND: tuple[ActionKind, ...] = (
    ActionKind.EDIT,
    ActionKind.WRITE,
    ActionKind.FINISH,
    ActionKind.TEST,
    ActionKind.RUN,
    ActionKind.WEB,
    ActionKind.SEARCH,
    ActionKind.READ,
    ActionKind.LIST,
)
"""Kinds of a command's parts, the most demanding first."""

PATHS_MAX = 12
PROGRAMS_MAX = 8
PATH_CHARS_MAX = 300
WRAPPER_DEPTH_MAX = 4
UNWRAP_WORDS_MAX = 64

FINISH_MARK = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
"""What mini-swe-agent's model prints to say that it is done."""


@dataclass(frozen=True, slots=True)
class ShellReading:
    """`kind` is run where nothing more telling is known. Paths are as the command wrote them, under its `cd` where there was one."""

    kind: ActionKind
    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """What it runs, git with its verb; programs that change and tell nothing (echo, sleep) are left out."""
    undone: tuple[str, ...] = ()
    """The paths whose changes it throws away; `.` stands for all."""


def read_shell(text: str, *, windows: bool = False) -> ShellReading:
    """What this shell text does; never fails."""
    return _read(text, windows, WRAPPER_DEPTH_MAX)


def _read(text: str, windows: bool, depth: int) -> ShellReading:
    kinds: list[ActionKind] = []
    paths: dict[str, None] = {}
    programs: dict[str, None] = {}
    undone: dict[str, None] = {}
    folder = ""
    for command in commands_of(text, windows=windows):
        words = _without_prefixes(command.words)
        if words and words[0] in ("cd", "pushd", "Set-Location") and len(words) > 1:
            folder = joined(folder, words[1])
            continue
        part = _part(words, command, depth)
        if part.kind is not None:
            kinds.append(part.kind)
        for path in part.paths:
            if len(paths) < PATHS_MAX:
                paths[joined(folder, path)] = None
        if part.kind is not None and len(programs) < PROGRAMS_MAX:
            programs.update(dict.fromkeys(part.programs or (_name(words[0]) if words else "",)))
        undone.update((path if path == EVERYTHING else joined(folder, path), None) for path in part.undone)
    kind = ActionKind.FINISH if FINISH_MARK in text else min(kinds, key=DEMAND.index, default=ActionKind.RUN)
    return ShellReading(kind, tuple(paths), tuple(programs), tuple(undone)[:PATHS_MAX])


@dataclass(frozen=True, slots=True)
class _Part:
    kind: ActionKind | None
    """None for what changes nothing and tells nothing: echo, sleep, export."""
    paths: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    """Where the first word is not what is run: the programs in its stead."""
    undone: tuple[str, ...] = ()


_NOTHING = _Part(None)


@dataclass(frozen=True, slots=True)
class _Call:
    """A program's words after its name, the command that they stand in, and how deep a command in a command may still be read."""

    rest: tuple[str, ...]
    command: Command
    depth: int


def _part(words: tuple[str, ...], command: Command, depth: int) -> _Part:
    said = _program(words, command, depth)
    targets = [one.target for one in command.redirects if one.operator in (">", ">>") and one.target and not one.target.startswith("/dev/")]
    if not targets:
        return said
    # Keeping the output of a test or of any other program is not writing code; composing a file is.
    written = tuple(one for one in targets if _is_file(one))
    program = _name(words[0]) if words else ""
    if program in COMPOSERS:
        appended = any(one.operator == ">>" for one in command.redirects)
        return _Part(ActionKind.EDIT if appended else ActionKind.WRITE, written)
    if said.kind in (None, ActionKind.READ, ActionKind.SEARCH, ActionKind.LIST) and not all(_SCRATCH.search(one) for one in targets):
        return _Part(ActionKind.WRITE, (*written, *said.paths))
    return said


def _program(words: tuple[str, ...], command: Command, depth: int) -> _Part:
    words = _without_prefixes(words)
    if not words:
        return _NOTHING
    name = _name(words[0])
    rest = words[1:]
    special = _SPECIAL.get(name)
    if special is not None:
        return special(_Call(rest, command, depth))
    if name in NEUTRAL or words[0].startswith(("$", "#")):
        return _NOTHING
    if name in FILTERS and command.piped and not _files(rest):
        return _NOTHING  # It only passes on what the command before it found.
    kind = KIND_OF.get(name)
    if kind is not None:
        return _Part(kind, _files(rest, bare=kind is ActionKind.READ))
    runner = RUNNERS.get(name)
    if runner is not None and depth:
        inner = _after_options(rest, runner)
        if inner and inner[0] in ("run", "exec", "x", "dlx"):
            inner = _after_options(inner[1:], runner)
        if not inner:
            return _Part(ActionKind.RUN)
        tested = _Part(ActionKind.TEST) if VERIFYING.search(inner[0]) else _NOTHING
        found = _program(inner, command, depth - 1)
        return found if found.kind not in (None, ActionKind.RUN) else tested if tested.kind else _Part(ActionKind.RUN, found.paths)
    verbs = SUBCOMMANDS.get(name)
    if verbs is not None:
        return _Part(_subcommand(verbs, rest), _files(rest))
    if name in VERIFIERS or _is_test_script(words[0]):
        return _Part(ActionKind.TEST, _files(words if "/" in words[0] and "." in name else rest))
    return _Part(ActionKind.RUN, _files(rest))


# --- programs whose words decide ---------------------------------------------------------------------------------------------------


def _sed(call: _Call) -> _Part:
    in_place = any(re.match(r"^(?:-[a-zA-Z]*i|--in-place)", word) for word in call.rest if word.startswith("-"))
    files = _files(_after_script(call.rest, ("-e", "-f", "--expression", "--file")), bare=True)
    if in_place:
        return _Part(ActionKind.EDIT, files)
    return _NOTHING if call.command.piped and not files else _Part(ActionKind.READ, files)


def _perl(call: _Call) -> _Part:
    flags = [word for word in call.rest if re.match(r"^-[a-zA-Z0-9.]+$", word)]
    if any("i" in flag and "e" in "".join(flags) for flag in flags):
        return _Part(ActionKind.EDIT, _files(_after_script(call.rest, ("-e",))))
    if call.command.piped:
        return _NOTHING
    return _Part(ActionKind.READ if any("n" in flag for flag in flags) else ActionKind.RUN, _files(call.rest))


def _awk(call: _Call) -> _Part:
    files = _files(_after_script(call.rest, ("-f",), valued=("-F", "-v")), bare=True)
    if "inplace" in call.rest:
        return _Part(ActionKind.EDIT, files)
    return _NOTHING if call.command.piped and not files else _Part(ActionKind.READ, files)


def _query(call: _Call) -> _Part:
    """jq and yq: what they read is whatever their program says, and the files after it."""
    files = _files(_after_script(call.rest, ("-f", "--from-file"), valued=("--arg", "--argjson", "--indent")), bare=True)
    if any(word in ("-i", "--inplace", "--in-place") for word in call.rest):
        return _Part(ActionKind.EDIT, files)
    return _NOTHING if call.command.piped and not files else _Part(ActionKind.READ, files)


def _grep(call: _Call) -> _Part:
    files = _files(
        _after_script(
            call.rest, ("-e", "-f", "--regexp", "--file", "--files"), valued=("-A", "-B", "-C", "-m", "-g", "-t", "--include", "--type")
        )
    )
    if call.command.piped and not files:
        return _NOTHING
    return _Part(ActionKind.SEARCH, files)


def _find(call: _Call) -> _Part:
    for mark in ("-exec", "-execdir", "-ok"):
        if mark in call.rest and call.depth:
            found = _program(call.rest[call.rest.index(mark) + 1 :], Command(()), call.depth - 1)
            kind = found.kind if found.kind is not None else ActionKind.SEARCH
            return _Part(min(kind, ActionKind.SEARCH, key=DEMAND.index))
    return _Part(ActionKind.RUN if "-delete" in call.rest else ActionKind.SEARCH)


def _git(call: _Call) -> _Part:
    words = _after_options(call.rest, frozenset({"-C", "-c", "--git-dir", "--work-tree"}))
    if not words:
        return _Part(ActionKind.READ)
    verb, rest = words[0], words[1:]
    named = rest[rest.index("--") + 1 :] if "--" in rest else tuple(word.rpartition(":")[2] for word in rest)
    paths = _files(named)
    programs = (" ".join(("git", verb, *rest[:1] * (verb == "stash"))),)
    for kind, verbs in GIT.items():
        if verb in verbs:
            return _Part(kind if "--check" not in rest or kind is ActionKind.READ else ActionKind.RUN, paths, programs)
    looks = GIT_LOOKS.get(verb)
    if looks is not None and looks(rest):
        return _Part(ActionKind.READ, paths, programs)
    return _Part(ActionKind.RUN, paths, programs, undone_by(verb, rest, paths))


def _hub(call: _Call) -> _Part:
    words = _after_options(call.rest, frozenset({"-R", "--repo"}))[:2]
    if any(word in HUB_LOOKS for word in words):
        changes = any(word in ("POST", "PUT", "PATCH", "DELETE", "-f", "-F", "--field", "--raw-field", "--input") for word in call.rest)
        return _Part(ActionKind.RUN if changes and "graphql" not in call.rest and words[0] == "api" else ActionKind.READ)
    return _Part(ActionKind.RUN)


def _package(call: _Call) -> _Part:
    words = _after_options(call.rest, frozenset({"-C", "--prefix", "--filter", "-F", "-w", "--workspace", "--cwd", "--dir"}))
    if not words:
        return _Part(ActionKind.RUN)
    verb = words[0]
    if verb in ("exec", "dlx", "x") and call.depth:
        return _program(_after_options(words[1:], frozenset()), call.command, call.depth - 1)
    if verb in ("run", "run-script", "workspace", "workspaces") and len(words) > 1:
        return _Part(ActionKind.TEST if any(VERIFYING.search(word) for word in words[1:4]) else ActionKind.RUN)
    if verb in PACKAGE_TESTS or VERIFYING.search(verb) or verb in VERIFIERS:
        return _Part(ActionKind.TEST, _files(words[1:]))
    return _Part(ActionKind.READ if verb in PACKAGE_LOOKS else ActionKind.RUN)


def _python(call: _Call) -> _Part:
    words = _after_options(call.rest, frozenset({"-W", "-X"}), stop=("-m", "-c", "-"))
    if words and words[0] == "-m" and len(words) > 1:
        module = words[1].split(".")[0]
        if (
            module in VERIFIERS
            or module in ("unittest", "doctest", "build", "compileall", "py_compile", "coverage")
            or VERIFYING.search(words[1])
        ):
            return _Part(ActionKind.TEST, _files(words[2:]))
        return (
            _program(words[1:], call.command, call.depth - 1)
            if module in SUBCOMMANDS and call.depth
            else _Part(ActionKind.RUN, _files(words[2:]))
        )
    code = (
        words[1] if words and words[0] == "-c" and len(words) > 1 else "" if words and words[0] not in ("-", "-c") else call.command.heredoc
    )
    if not words or words[0] in ("-c", "-"):
        # A piece of code at the end of a pipe only shapes what was read.
        return _Part(ActionKind.EDIT) if WRITING_CODE.search(code) else _NOTHING if call.command.piped else _Part(ActionKind.RUN)
    tested = _is_test_script(words[0]) or any(word in ("test", "check") for word in words[1:2])
    return _Part(ActionKind.TEST if tested else ActionKind.RUN, _files(words[:1]))


def _script(call: _Call) -> _Part:
    """node, ruby, php and their like: a piece of code, a test run, or a script."""
    for mark in ("-e", "--eval", "-p", "-r"):
        if mark in call.rest:
            code = " ".join(call.rest[call.rest.index(mark) + 1 :])
            return _Part(ActionKind.EDIT if WRITING_CODE.search(code) else ActionKind.RUN)
    if "--test" in call.rest or "--check" in call.rest or any(_is_test_script(word) for word in call.rest[:2] if not word.startswith("-")):
        return _Part(ActionKind.TEST, _files(call.rest))
    if WRITING_CODE.search(call.command.heredoc):
        return _Part(ActionKind.EDIT)
    return _Part(ActionKind.RUN, _files(call.rest))


def _shell(call: _Call) -> _Part:
    for place, word in enumerate(call.rest):
        if re.match(r"^(?:-\w*c|/[cC]|-[cC]ommand)$", word) and place + 1 < len(call.rest):
            inner = _read(call.rest[place + 1], False, call.depth - 1) if call.depth else ShellReading(ActionKind.RUN)
            return _Part(inner.kind, inner.paths, inner.programs, inner.undone)
        if not word.startswith("-"):
            return _Part(ActionKind.TEST if _is_test_script(word) else ActionKind.RUN, _files((word,)))
    if call.command.heredoc:
        inner = _read(call.command.heredoc, False, call.depth - 1) if call.depth else ShellReading(ActionKind.RUN)
        return _Part(inner.kind, inner.paths, inner.programs, inner.undone)
    return _Part(ActionKind.RUN)


def _apply_patch(call: _Call) -> _Part:
    """Codex's own program: the patch is its input or its last word."""
    paths, only_new = files_in(call.command.heredoc or " ".join(call.rest))
    return _Part(ActionKind.WRITE if only_new else ActionKind.EDIT, paths[:PATHS_MAX])


def _container(call: _Call) -> _Part:
    """docker and kubectl: `exec` and `run` hand a command on, everything else is theirs."""
    words = call.rest[1:] if call.rest[:1] == ("compose",) else call.rest
    if words[:1] in (("exec",), ("run",)) and call.depth:
        inner = _after_options(
            words[1:], frozenset({"-e", "-w", "-u", "-v", "-p", "--name", "--network", "--entrypoint", "-c", "-n", "--workdir"})
        )
        handed = inner[1:] if inner[1:2] != ("--",) else inner[2:]
        if handed:
            found = _program(handed, call.command, call.depth - 1)
            return found if found.kind is not None else _Part(ActionKind.RUN)
    return _Part(_subcommand(SUBCOMMANDS["docker"], words) if words else ActionKind.RUN)


def _curl(call: _Call) -> _Part:
    """Asking a server on this machine is trying the program out, not looking something up."""
    local = any(re.search(r"^(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)", word) for word in call.rest)
    return _Part(ActionKind.RUN if local else ActionKind.WEB)


_SPECIAL: Mapping[str, Callable[[_Call], _Part]] = {
    "sed": _sed,
    "gsed": _sed,
    "perl": _perl,
    "jq": _query,
    "yq": _query,
    "awk": _awk,
    "gawk": _awk,
    "git": _git,
    "gh": _hub,
    "glab": _hub,
    "find": _find,
    "apply_patch": _apply_patch,
    "applypatch": _apply_patch,
    "docker": _container,
    "podman": _container,
    "docker-compose": _container,
    "node": _script,
    "ruby": _script,
    "php": _script,
    "tsx": _script,
    "ts-node": _script,
    "curl": _curl,
    "wget": _curl,
    **dict.fromkeys(SEARCHERS, _grep),
    **dict.fromkeys(PACKAGE_MANAGERS, _package),
    **dict.fromkeys(SHELLS, _shell),
    **{f"python{version}": _python for version in ("", "2", "3", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")},
    "py": _python,
    "pypy": _python,
    "pypy3": _python,
    "pip3": lambda call: _Part(_subcommand(SUBCOMMANDS["pip"], call.rest)),
}


# --- words ------------------------------------------------------------------------------------------------------------------------

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")
_FILE_LIKE = re.compile(r"^[\w@~.+:/\\,=%()\[\] -]+$")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9_]{0,11}$")
_SCRATCH = re.compile(r"^(?:/tmp/|/private/tmp/|/var/tmp/|/var/folders/|\$\{?TMP|\$\(\)|\$)|\.(?:log|out|tmp)$|/scratchpad/", re.IGNORECASE)


def _without_prefixes(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command itself, without keywords, assignments and wrappers before it."""
    for _ in range(UNWRAP_WORDS_MAX):
        if not words:
            return words
        first = words[0]
        if first in KEYWORDS or _ASSIGNMENT.match(first):
            words = words[1:]
        elif first in WRAPPERS and len(words) > 1:
            if first == "command" and words[1] in ("-v", "-V"):
                return words
            inner = _after_options(words[1:], WRAPPERS[first])
            if first in TAKES_NUMBER and inner:
                inner = inner[1:]
            if not inner:
                return words
            words = inner
        else:
            return words
    return words


def _after_options(words: tuple[str, ...], valued: frozenset[str], stop: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What follows a program's options; `valued` are those that take the next word, `stop` ends the search before it."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in stop:
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in valued else 1
    return words[at:]


def _after_script(words: tuple[str, ...], scripted: Iterable[str], valued: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The file words of sed, awk and grep: their first word is a script or pattern unless an option has brought it."""
    files: list[str] = []
    brought = False
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in scripted:
            brought = True
            skip = word != "--files"
        elif word in valued:
            skip = True
        elif word.startswith("-") and len(word) > 1:
            continue
        elif not word:
            continue  # The empty suffix of `sed -i ''`.
        else:
            files.append(word)
    return tuple(files if brought else files[1:])


def _subcommand(verbs: Mapping[ActionKind, frozenset[str]], rest: tuple[str, ...]) -> ActionKind:
    verb = next((word for word in rest if not word.startswith(("-", "+"))), "")
    return next((kind for kind, names in verbs.items() if verb in names), ActionKind.RUN)


def _name(word: str) -> str:
    """A program's name without its folder, in one case for all shells."""
    name = word.rpartition("/")[2] or word
    if "\\" in name:
        name = name.rpartition("\\")[2]
    lowered = name.lower()
    return lowered if lowered in KIND_OF or "-" in lowered else name


def _is_test_script(word: str) -> bool:
    return len(word) <= PATH_CHARS_MAX and TEST_SCRIPT.search(word) is not None


def _files(words: Iterable[str], bare: bool = False) -> tuple[str, ...]:
    """Those words that name files: with a folder or an extension, or with `bare` any plain word."""
    return tuple(
        word.partition("::")[0]
        for word in words
        if not word.startswith("-") and _is_file(word) and (bare or "/" in word or "\\" in word or _EXTENSION.search(word))
    )


def _is_file(word: str) -> bool:
    return (
        0 < len(word) <= PATH_CHARS_MAX
        and not word.isdigit()
        and word not in (".", "..", "/", "/dev/null", "/dev/stderr", "/dev/stdout", "/dev/tty")
        and "://" not in word
        and "..." not in word
        and _FILE_LIKE.match(word) is not None
    )


def joined(folder: str, path: str) -> str:
    """A path as seen from where the command began; `folder` is where it is named from."""
    if not folder or path.startswith(("/", "~", "$")) or re.match(r"^[A-Za-z]:[/\\]", path):
        return path
    return f"{folder.rstrip('/')}/{path}"
