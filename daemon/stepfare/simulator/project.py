"""What the known files are to each other: which the task means, which are tests, what those import, how they are run."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from stepfare.simulator.checks import places_of
from stepfare.simulator.knowledge import Knowledge
from stepfare.simulator.transcript import Scene

TEST_FILES_MAX = 3
SOURCES_MAX = 8
TESTS_AT_ONCE_MAX = 20
PYTHONS = ("python3 -B", "python -B")
"""Without bytecode files: one that is as old and as long as the edited source would be taken for it."""

TEST_FILE = re.compile(r"(^|/)(test_[^/]*\.py|[^/]*_test\.py|[^/]*\.(test|spec)\.[jt]sx?)$")
SOURCE = re.compile(r"\.(py|[jt]sx?|go|rs|java|rb|c|cc|cpp|h|lua|sh|toml|md)$")
SKIPPED = re.compile(r"(^|/)(\.|node_modules/|__pycache__/|dist/|build/|\.venv/)|\.(pyc|lock|png|jpe?g|svg|ico)$")


_WANTS_REPAIR = re.compile(
    r"\b(fix|repair|debug|correct)\b|\bmake\b.{0,40}\b(pass|green|work)\b"
    r"|\b(failing|broken|fails?)\b.{0,60}\btests?\b|\btests?\b.{0,40}\b(fails?|failing|broken)\b",
    re.IGNORECASE | re.DOTALL,
)
_ONLY_ASKS = re.compile(r"^\W*(explain|why|what|how|describe|summari[sz]e|show|list|look|review|tell)\b", re.IGNORECASE)
_COMMAND = re.compile(r"`([^`\n]*(?:pytest|unittest|npm test|node --test|tox|nox|make test|cargo test|go test)[^`\n]*)`")


def wants_repair(task: str) -> bool:
    return bool(_WANTS_REPAIR.search(task)) and not _ONLY_ASKS.match(task)


def is_test(path: str) -> bool:
    return bool(TEST_FILE.search(path)) and not SKIPPED.search(path)


def is_named(path: str, task: str) -> bool:
    return path in task or posixpath.basename(path) in task


def test_files(scene: Scene, known: Knowledge) -> list[str]:
    """Tests that the task names, else those whose failure was seen, else all that are known, a few."""
    tests = [path for path in known.files if is_test(path)]
    named = [path for path in tests if is_named(path, scene.task)]
    output = "\n".join(run.output for run in known.runs)
    seen = [path for path in tests if path in output or path.removesuffix(".py").replace("/", ".") in output]
    return (named or seen or sorted(tests))[:TEST_FILES_MAX]


def relevant(scene: Scene, known: Knowledge) -> list[str]:
    """Known files, those that the task's words point to first."""
    words = {word.lower() for word in re.findall(r"[A-Za-z_]{3,}", scene.task)} - _COMMON
    paths = [path for path in known.files if SOURCE.search(path) and not SKIPPED.search(path)]

    def rank(path: str) -> tuple[int, int, int, str]:
        stem = posixpath.splitext(path)[0].lower()
        hits = sum(1 for word in words if word in stem)
        named = is_named(path, scene.task)
        plain = 1 if path.endswith("__init__.py") else 0
        return (-10 * named - hits, plain + bool(TEST_FILE.search(path)), 0 if path.lower().startswith("readme") else 1, path)

    return sorted(paths, key=rank)


_COMMON = frozenset(
    ("the", "and", "what", "does", "how", "this", "that", "module", "file", "files", "code", "look", "test", "tests", "explain")
)


_IMPORT = re.compile(r"^\s*(?:from\s+([.\w]+)\s+import\s+\(?([\w ,]+)|import\s+([\w.]+))", re.MULTILINE)


def imported(path: str, source: str, files: Sequence[str]) -> list[str]:
    """Files of the project that this Python source imports."""
    found: dict[str, None] = {}
    mapping = dict.fromkeys(files, "")
    for statement in _IMPORT.finditer(source):
        package, names, module = statement[1], statement[2] or "", statement[3]
        wanted = [module] if module else [package, *(f"{package}.{name.split()[0]}" for name in names.split(",") if name.strip())]
        for name in wanted:
            first = next(iter(places_of(name, path, mapping)), None)
            if first is not None:
                found.setdefault(first)
    return list(found)


def source_files(scene: Scene, known: Knowledge) -> list[str]:
    """What the tests import, and what that imports."""
    queue = [path for path in test_files(scene, known) if path in known.contents]
    found: dict[str, None] = {}
    while queue and len(found) < SOURCES_MAX:
        path = queue.pop(0)
        for target in imported(path, known.contents.get(path, ""), list(known.files)):
            if target not in found and not TEST_FILE.search(target):
                found.setdefault(target)
                queue.append(target)
    return list(found)[:SOURCES_MAX]


def import_roots(known: Knowledge, tests: Sequence[str]) -> list[str]:
    """Folders below the workspace from which the tests' imports start, such as `src`."""
    mapping = dict.fromkeys(known.files, "")
    roots: dict[str, None] = {}
    for test in tests:
        for statement in _IMPORT.finditer(known.contents.get(test, "")):
            module = statement[1] or statement[3]
            tail = module.replace(".", "/")
            path = next(iter(places_of(module, test, mapping)), "")
            for ending in (f"/{tail}.py", f"/{tail}/__init__.py"):
                if path.endswith(ending):
                    roots.setdefault(path.removesuffix(ending))
    return list(roots)


def test_commands(scene: Scene, known: Knowledge) -> list[str]:
    """Ways to run the tests, from what was read: the one that the task names, then what fits the test files."""
    if asked := _COMMAND.search(scene.task):
        return [asked[1].strip()]
    shown = [path for path in test_files(scene, known) if path.endswith(".py")]
    if not shown:
        return ["npm test"] if "package.json" in known.files else []
    everyone = sorted(path for path in known.files if path.endswith(".py") and is_test(path))
    named = [path for path in shown if is_named(path, scene.task)]
    if any("unittest" in known.contents.get(path, "") for path in shown):
        names = " ".join(named or everyone[:TESTS_AT_ONCE_MAX])
        commands = [f"{python} -m unittest {names}" for python in PYTHONS]
    else:
        names = " ".join(["", *(named or everyone[:1])]) if named or len(everyone) == 1 else ""
        commands = [f"{program}{names}" for program in (*(f"{python} -m pytest -q" for python in PYTHONS), "pytest -q")]
        commands += [_without_pytest(path) for path in shown if not _NEEDS_PYTEST.search(known.contents.get(path, "pytest"))]
    seen = "\n".join(run.output for run in known.runs)
    if _NO_PYTEST.search(seen):
        commands = [command for command in commands if "pytest" not in command] or commands
    roots = ":".join(import_roots(known, shown))
    if not roots:
        return commands
    rooted = [f"PYTHONPATH={roots} {command}" for command in commands]
    return [*rooted, *commands] if _NO_MODULE.search(seen) else [*commands, *rooted]


_NO_PYTEST = re.compile(r"No module named '?pytest")
_NO_MODULE = re.compile(r"No module named (?!'?pytest)")


_NEEDS_PYTEST = re.compile(r"\bpytest\b|def test\w*\([^)]")


def _without_pytest(path: str) -> str:
    """Plain test functions need no runner: call them, the first that fails ends it."""
    module = path.removesuffix(".py").replace("/", ".")
    code = f'import {module} as t; print(sum(f() is None for n, f in vars(t).items() if n.startswith("test")), "passed")'
    return f"{PYTHONS[0]} -c '{code}'"
