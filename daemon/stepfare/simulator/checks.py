"""Test files as statements about the code: which of their tests hold, by evaluating both sides, and why the others do not."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import cast

from stepfare.simulator.allowed import COMPARE, MATH, Native
from stepfare.simulator.evaluated import Class, Expected, Function, Instance, Meter, Module, Raised, Returned, Scope, Unsupported
from stepfare.simulator.evaluator import Machine, errors_of

IMPORTS_MAX = 40
PARSED_MAX = 32


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
    """Uses something that the evaluator does not know."""


@dataclass(frozen=True, slots=True)
class Check:
    """One test: its function's name (cases of one function share it), the verdict, and the reason where it does not hold."""

    name: str
    verdict: Verdict
    why: str = ""


class Project:
    """Sources by path, imported as their importer would find them. A source that cannot be evaluated is as if it were not there."""

    def __init__(self, sources: Mapping[str, str], meter: Meter, trees: Mapping[str, ast.Module] | None = None) -> None:
        self._sources = sources
        self._trees = trees or {}
        self._meter = meter
        self._modules: dict[str, Scope] = {}
        self.machine = Machine(meter)

    def load(self, path: str) -> Scope:
        """The names of the module in this file; statements that cannot be evaluated are passed over, their names then unknown."""
        if path in self._modules:
            return self._modules[path]
        if len(self._modules) >= IMPORTS_MAX:
            raise Unsupported("too many imports")
        scope = self._modules[path] = Scope()
        tree = self._trees[path] if path in self._trees else parsed(self._sources[path])
        for statement in tree.body:
            self._meter.charge()
            try:
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    self._import(statement, scope, path)
                elif isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
                    self.machine.run([statement], scope)
            except (Unsupported, Raised, Returned, RecursionError):
                if self._meter.steps < 0:
                    raise Unsupported("too much work") from None
        return scope

    def _import(self, statement: ast.Import | ast.ImportFrom, scope: Scope, importer: str) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                module = self._module(alias.name, importer)
                first, *rest = alias.name.split(".")
                if not alias.asname:
                    # `import a.b` binds `a`, in which `b` is found.
                    for part in reversed(rest):
                        module = Module({part: module})
                scope.names[alias.asname or first] = module
            return
        dots = "." * statement.level
        for alias in statement.names:
            inside = self._path_of(f"{dots}{statement.module or ''}", importer)
            if inside is not None and alias.name in self.load(inside).names:
                scope.names[alias.asname or alias.name] = self.load(inside).names[alias.name]
                continue
            scope.names[alias.asname or alias.name] = self._module(
                ".".join(filter(None, (dots + (statement.module or ""), alias.name))), importer
            )

    def _module(self, name: str, importer: str) -> object:
        if name in KNOWN_MODULES:
            return Module(KNOWN_MODULES[name])
        path = self._path_of(name, importer)
        if path is None:
            package, _, member = name.rpartition(".")
            if package in KNOWN_MODULES and member in KNOWN_MODULES[package]:
                return KNOWN_MODULES[package][member]
            raise Unsupported(f"the module {name}")
        return Module(self.load(path).names)

    def _path_of(self, module: str, importer: str) -> str | None:
        return next((path for path in places_of(module, importer, self._sources)), None)


def places_of(module: str, importer: str, paths: Sequence[str] | Mapping[str, str]) -> Iterator[str]:
    """Files among `paths` that this module may be, the likeliest first."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    folder = importer.split("/")[:-1]
    if dots:
        folder = folder[: len(folder) - dots + 1]
        name = ".".join([*folder, name]).strip(".")
    tail = name.replace(".", "/")
    for ending in (f"{tail}.py", f"{tail}/__init__.py"):
        beside = "/".join([*folder, ending]) if not dots else ending
        for path in (ending, beside, *sorted(path for path in paths if path.endswith("/" + ending))):
            if path in paths:
                yield path


def _raises(kinds: object, function: Native | None = None, *arguments: object, **_: object) -> object:
    """With a function it is called here and now; without, the caller opens a `with` block."""
    expected = Expected(errors_of(kinds))
    if function is None:
        return expected
    try:
        function(*arguments)
    except Raised as raised:
        if isinstance(raised.error, expected.kinds):
            return None
        raise
    raise AssertionError(f"{expected.kinds[0].__name__} not raised")


class Approximately:
    """`pytest.approx`: equal to what is near."""

    def __init__(self, value: object, **tolerances: float) -> None:
        if not isinstance(value, int | float):
            raise Unsupported("approx of something else than a number")
        self._value = value
        self._tolerance = max(tolerances.get("abs", 1e-12), tolerances.get("rel", 1e-6) * abs(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and -self._tolerance <= other - self._value <= self._tolerance

    def __hash__(self) -> int:
        return hash(self._value)


KNOWN_MODULES: Mapping[str, Mapping[str, object]] = {
    "math": MATH,
    "pytest": {"raises": _raises, "approx": Approximately},
    "unittest": {"TestCase": None, "main": None},
}


@lru_cache(maxsize=PARSED_MAX)
def parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unsupported("a file that does not parse") from None


def run_checks(
    tests: Sequence[str], sources: Mapping[str, str], meter: Meter, trees: Mapping[str, ast.Module] | None = None
) -> tuple[Check, ...]:
    """Every test of the test files `tests`, with `sources` (test files among them) as the project; `trees` stand for their sources."""
    checks: list[Check] = []
    for path in tests:
        try:
            project = Project(sources, meter, trees)
            scope = project.load(path)
            tree = parsed(sources[path])
        except Unsupported as unsupported:
            checks.append(Check(path, Verdict.UNKNOWN, str(unsupported)))
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                checks.extend(_function_checks(project, scope, node))
            elif isinstance(node, ast.ClassDef):
                checks.extend(_class_checks(project, scope, node))
    return tuple(checks)


def _function_checks(project: Project, scope: Scope, node: ast.FunctionDef) -> Iterator[Check]:
    try:
        cases = _cases(project, scope, node)
    except (Unsupported, Raised) as reason:
        yield Check(node.name, Verdict.UNKNOWN, str(reason))
        return
    bare = _undecorated(node)
    for case in cases:
        yield _check(project, node.name, Function(bare, scope), (), case)


def _cases(project: Project, scope: Scope, node: ast.FunctionDef) -> list[dict[str, object]]:
    """The keyword arguments of each run: one empty one, or those of `pytest.mark.parametrize`."""
    cases: list[dict[str, object]] = [{}]
    for decorator in node.decorator_list:
        if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.parametrize") and len(decorator.args) >= 2):
            raise Unsupported("a decorated test")
        wanted = project.machine.value(decorator.args[0], scope)
        names = (
            [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) else [str(name) for name in cast(list[object], wanted)]
        )
        rows = cast(list[object], project.machine.value(decorator.args[1], scope))
        drawn = [
            dict(zip(names, cast(Sequence[object], row), strict=False))
            if len(names) > 1 and isinstance(row, list | tuple)
            else {names[0]: row}
            for row in rows
        ]
        cases = [case | row for case in cases for row in drawn]
    return cases


def _class_checks(project: Project, scope: Scope, node: ast.ClassDef) -> Iterator[Check]:
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    for name, method in methods.items():
        if not name.startswith("test"):
            continue
        case = Instance(Class(node.name, {}), {})
        case.made_by.members.update(_assertions(project.machine))
        case.made_by.members.update({other: Function(_undecorated(body), scope) for other, body in methods.items()})
        before = [Function(_undecorated(methods[starter]), scope) for starter in ("setUp", "setup_method") if starter in methods]
        try:
            for starter in before:
                project.machine.call(starter, (case,))
        except (Unsupported, Raised) as reason:
            yield Check(name, Verdict.UNKNOWN, str(reason))
            continue
        if method.decorator_list:
            yield Check(name, Verdict.UNKNOWN, "a decorated test")
            continue
        yield _check(project, name, Function(method, scope), (case,), {})


def _undecorated(node: ast.FunctionDef) -> ast.FunctionDef:
    if not node.decorator_list:
        return node
    bare = ast.FunctionDef(name=node.name, args=node.args, body=node.body, decorator_list=[])
    return ast.copy_location(bare, node)


def _check(project: Project, name: str, function: Function, arguments: Sequence[object], keywords: Mapping[str, object]) -> Check:
    try:
        project.machine.call(function, arguments, keywords)
    except Unsupported as unsupported:
        return Check(name, Verdict.UNKNOWN, str(unsupported))
    except RecursionError:
        return Check(name, Verdict.UNKNOWN, "too deep")
    except Raised as raised:
        return Check(name, Verdict.FAILS, f"{type(raised.error).__name__}: {raised.error}")
    return Check(name, Verdict.HOLDS)


_ASSERTIONS = {
    "assertEqual": "Eq", "assertNotEqual": "NotEq", "assertIs": "Is", "assertIsNot": "IsNot", "assertIn": "In", "assertNotIn": "NotIn",
    "assertLess": "Lt", "assertLessEqual": "LtE", "assertGreater": "Gt", "assertGreaterEqual": "GtE", "assertListEqual": "Eq",
    "assertDictEqual": "Eq", "assertTupleEqual": "Eq", "assertSetEqual": "Eq", "assertSequenceEqual": "Eq", "assertMultiLineEqual": "Eq",
}  # fmt: skip
_BY_NAME = {kind.__name__: kind for kind in COMPARE}


def _is_none(value: object) -> bool:
    return value is None


def _assertions(machine: Machine) -> dict[str, object]:
    """What `self.assert...` does, as members of a test case."""

    def comparing(name: str) -> Native:
        compare = COMPARE[_BY_NAME[_ASSERTIONS[name]]]

        def check(left: object, right: object, *_: object, **__: object) -> None:
            if not machine.native(compare, (left, right), {}):
                raise AssertionError(f"{name}({left!r}, {right!r})"[:200])

        return check

    def telling(name: str, holds: Native, *, wanted: bool) -> Native:
        def check(value: object, *_: object, **__: object) -> None:
            if holds(value) is not wanted:
                raise AssertionError(f"{name}({value!r})"[:200])

        return check

    def almost(left: float, right: float, places: int = 7, *_: object, delta: float | None = None) -> None:
        apart = left - right if left > right else right - left
        if not (apart <= delta if delta is not None else round(apart, places) == 0):
            raise AssertionError(f"assertAlmostEqual({left!r}, {right!r})")

    return {
        **{name: comparing(name) for name in _ASSERTIONS},
        "assertTrue": telling("assertTrue", bool, wanted=True),
        "assertFalse": telling("assertFalse", bool, wanted=False),
        "assertIsNone": telling("assertIsNone", _is_none, wanted=True),
        "assertIsNotNone": telling("assertIsNotNone", _is_none, wanted=False),
        "assertAlmostEqual": almost,
        "assertRaises": _raises,
    }
