"""The simulator's texts. Each begins with its mark, quotes what was read or run, and claims nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from stepfare.simulator.knowledge import Knowledge, TestRun, Verdict, failing_line
from stepfare.simulator.options import MARK
from stepfare.simulator.plays import foreseen, last_run, repair_of
from stepfare.simulator.project import relevant, test_commands, wants_repair
from stepfare.simulator.repairs import NoRepair
from stepfare.simulator.transcript import Scene

QUOTE_CHARS_MAX = 160
NAMES_MAX = 8
FILES_MAX = 5
OUTPUT_LINES_MAX = 3

_WANTS_CHANGE = re.compile(r"\b(add|write|implement|create|refactor|rename|remove|delete|change|update|build)\b", re.IGNORECASE)
_NO_CHANGE = re.compile(r"\b(do not|don't|without|never) \w+", re.IGNORECASE)
_DEFINITION = re.compile(
    r"^\s*(?:export\s+)?(?:async\s+)?(?:pub\s+)?(?:def|class|function|fn|func|struct|interface|const)\s+([A-Za-z_]\w*)", re.MULTILINE
)


def marked(text: str) -> str:
    return text if text.startswith(MARK) else MARK + text


def quoted(text: str) -> str:
    line = " ".join(text[: QUOTE_CHARS_MAX * 4].split())
    return line if len(line) <= QUOTE_CHARS_MAX else line[: QUOTE_CHARS_MAX - 1] + "…"


def final(scene: Scene, known: Knowledge) -> str:
    """What is said at the end of a task."""
    return marked(_repaired(scene, known) if wants_repair(scene.task) else _explained(scene, known))


def declined() -> str:
    return marked("You declined what I wanted to do, so I stop here.")


def no_room(summaries: int) -> str:
    return marked(
        f"This conversation was summarized {summaries} times without an end: its window is too small for the task, so I stop here."
    )


def _explained(scene: Scene, known: Knowledge) -> str:
    read = [path for path in relevant(scene, known) if path in known.contents][:FILES_MAX]
    if not read and known.files:
        lines = [f"I could read nothing. These files are here: {', '.join(list(known.files)[:NAMES_MAX])}."]
    elif not read:
        lines = ["I found no file that I could read, so there is nothing that I can tell."]
    else:
        lines = [
            "No model read this; these are quotes from the files that I read.",
            "",
            *(about(path, known.contents[path]) for path in read),
        ]
    if _WANTS_CHANGE.search(_NO_CHANGE.sub("", scene.task)):
        lines += ["", "I changed nothing: all that I know how to change is a small mistake that makes a Python test fail."]
    return "\n".join(lines)


def about(path: str, text: str) -> str:
    """One line on a file: how long it is, how it begins, what it defines."""
    names = list(_definitions(path, text))[:NAMES_MAX]
    first = quoted(next((line.strip("#/*\"' -") for line in text.splitlines() if line.strip("#/*\"' -")), ""))
    begins = f', begins "{first}"' if first else ", is empty"
    defines = f" and defines {', '.join(f'`{name}`' for name in names)}" if names else ""
    return f"- `{path}` ({len(text.splitlines())} lines){begins}{defines}."


def _definitions(path: str, text: str) -> Iterator[str]:
    if path.endswith(".py"):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{node.name}({ast.unparse(node.args)})"
            elif isinstance(node, ast.ClassDef):
                yield node.name
    elif not path.endswith((".md", ".toml")):
        yield from dict.fromkeys(found[1] for found in _DEFINITION.finditer(text))


def _repaired(scene: Scene, known: Knowledge) -> str:
    last = last_run(known)
    first = next((run for run in known.runs if run.this_task and run.verdict is Verdict.FAILED), None)
    if last is None:
        return _not_run(known)
    if last.verdict is Verdict.PASSED and not known.edits:
        return f"The tests pass already, so I changed nothing. `{last.command}` says:\n\n{_tail(last)}"
    if last.verdict is Verdict.PASSED and last.after_edits == len(known.edits):
        said = failing_line(first.output) if first is not None else ""
        before = f"Before, it said: {quoted(said)}\n\n" if said else ""
        return f"The tests pass now.\n\n{_changes(known)}\n\n{before}`{last.command}` says:\n\n{_tail(last)}"
    found = repair_of(scene, known)
    why = f" because {found.why}" if isinstance(found, NoRepair) else ""
    changes = f"{_changes(known)}\n\n" if known.edits else "I changed nothing. "
    return f"The tests still fail, and I could not repair them{why}. {changes}`{last.command}` says:\n\n{_tail(last)}"


def _not_run(known: Knowledge) -> str:
    tried = next((run for run in reversed(known.runs) if run.this_task), None)
    if tried is not None:
        return f"I could not run the tests, so I changed nothing. `{tried.command}` says:\n\n{_tail(tried)}"
    return "I found no test that I know how to run, so I changed nothing. Name the test file, or the command in backquotes."


def _changes(known: Knowledge) -> str:
    blocks: list[str] = []
    for edit in known.edits:
        if edit.old:
            lines = [*(f"-{line}" for line in edit.old.split("\n")), *(f"+{line}" for line in edit.new.split("\n"))]
            diff = "\n".join(line for line in lines if line[1:] not in set(edit.old.split("\n")) & set(edit.new.split("\n")))
            blocks.append(f"In `{edit.path}` I changed:\n```diff\n{diff}\n```")
        else:
            blocks.append(f"I wrote `{edit.path}` anew.")
    return "\n".join(blocks)


def _tail(run: TestRun) -> str:
    lines = [line.rstrip() for line in run.output.splitlines() if line.strip()]
    return "\n".join(f"    {quoted(line)}" for line in lines[-OUTPUT_LINES_MAX:])


def plan(scene: Scene, known: Knowledge) -> str:
    """A plan, in plan mode; nothing is changed or run for it."""
    read = [path for path in relevant(scene, known) if path in known.contents][:FILES_MAX]
    found = [about(path, known.contents[path]) for path in read]
    if wants_repair(scene.task):
        commands = test_commands(scene, known)
        run = f"Run `{commands[0]}`" if commands else "Run the tests"
        guess = foreseen(scene, known)
        change = "Find the smallest change that makes the failing test hold"
        if guess is not None:
            change = f"In `{guess.path}`: {guess.what}, unless the run shows something else"
        steps = [f"{run} and see what fails.", f"{change}.", f"{run} again."]
    else:
        steps = [
            f"Read {', '.join(read) or 'the files that the task names'}.",
            "Say what is in them.",
            "Change nothing without being asked.",
        ]
    return marked("\n".join(["A plan; no model made it.", "", *found, "", *(f"{number}. {step}" for number, step in enumerate(steps, 1))]))


def chat(words: str, images: int) -> str:
    seen = f" I cannot see your {images} image(s)." if images else ""
    said = f' You wrote {len(words.split())} words, beginning "{quoted(words)[:60]}".' if words else ""
    return marked(
        f"No model read this: I am the simulator that answers where no provider has a key.{said}{seen} Connect a provider for an answer."
    )
