"""Honest repairs: small changes of the code that was read, chosen because the tests that failed then hold and no other breaks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from stepfare.simulator.checks import Check, Verdict, parsed, run_checks
from stepfare.simulator.evaluated import Meter, Unsupported
from stepfare.simulator.mistakes import MAKERS, Change, Spot

CANDIDATES_MAX = 1_500
STEPS_IN_ALL_MAX = 200_000
STEPS_PER_TRY_MAX = 20_000
STEPS_PER_TRY_MIN = 2_000
LONGER_MAX = 4
"""How many times the work of the tests as they are may a change cost."""
LITERALS_MAX = 12
PARSED_CHARS_PER_STEP = 10
"""Parsing a candidate is work too."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Put `new` where `old` (whole lines, found once in the file) stands. `whole` is the file afterwards."""

    path: str
    old: str
    new: str
    whole: str
    what: str
    fixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoRepair:
    """Why nothing was found, in words."""

    why: str


def find_repair(
    tests: Sequence[str], sources: Mapping[str, str], *, failing: Sequence[str], refused: Sequence[str] = ()
) -> Repair | NoRepair:
    """A repair of one place in one source file.

    `tests` are paths within `sources`; `failing` names of test functions that really failed (empty: whatever fails here);
    `refused` are whole files that were tried before and did not help.
    """
    meter = Meter(STEPS_IN_ALL_MAX)
    first = Meter(STEPS_PER_TRY_MAX)
    before = run_checks(tests, sources, first)
    # A change that makes a loop endless must not use up the work of all the others.
    per_try = min(STEPS_PER_TRY_MAX, max(STEPS_PER_TRY_MIN, LONGER_MAX * (STEPS_PER_TRY_MAX - first.steps)))
    broken = [check for check in before if check.verdict is Verdict.FAILS and (not failing or check.name in failing)]
    if not broken:
        return NoRepair(_why_not(before, failing))
    literals = _literals(tests, sources)
    best: Repair | None = None
    tried = 0
    for path, spot, change in islice(_candidates(tests, sources, broken, literals), CANDIDATES_MAX):
        whole = apply(sources[path], change)
        tree = spot.changed(change) if whole not in refused else None
        if tree is None:
            continue
        tried += 1
        try:
            meter.charge(len(spot.tree.body) + (spot.end(spot.function) - spot.start(spot.function)) // PARSED_CHARS_PER_STEP)
            spent = Meter(min(per_try, meter.steps))
            limit = spent.steps
            after = run_checks(tests, sources, spent, {path: tree})
            meter.charge(limit - max(0, spent.steps))
            fixed = _fixed(before, after, broken)
        except Unsupported:
            break
        if fixed and (best is None or len(fixed) > len(best.fixes)):
            old, new = _lines(sources[path], change)
            best = Repair(path, old, new, whole, change.what, fixed)
            if len(fixed) == len(broken):
                return best
    if best is None and not tried:
        return NoRepair(f"I know no small change of the code that I have read that could make {broken[0].name} hold ({broken[0].why})")
    return best or NoRepair(f"none of the {tried} small changes that I know makes {broken[0].name} hold ({broken[0].why})")


def _why_not(before: Sequence[Check], failing: Sequence[str]) -> str:
    unknown = [check for check in before if check.verdict is Verdict.UNKNOWN and (not failing or check.name in failing)]
    if unknown:
        return f"{unknown[0].name} uses what my evaluator does not know: {unknown[0].why}"
    return "every test that I can evaluate holds in the code that I have read"


def _fixed(before: Sequence[Check], after: Sequence[Check], broken: Sequence[Check]) -> tuple[str, ...]:
    """Names of the broken tests that hold afterwards; none when any other broke."""
    if [check.name for check in before] != [check.name for check in after]:
        return ()
    if any(old.verdict is Verdict.HOLDS and new.verdict is not Verdict.HOLDS for old, new in zip(before, after, strict=True)):
        return ()
    return tuple(new.name for old, new in zip(before, after, strict=True) if old in broken and new.verdict is Verdict.HOLDS)


def apply(source: str, change: Change) -> str:
    raw = source.encode()
    return (raw[: change.start] + change.text.encode() + raw[change.end :]).decode()


def _lines(source: str, change: Change) -> tuple[str, str]:
    """The changed lines before and after, with as many lines above as make them unique in the file."""
    raw = source.encode()
    start = raw.rfind(b"\n", 0, change.start) + 1
    end = raw.find(b"\n", change.end)
    end = len(raw) if end < 0 else end
    while start and raw.count(raw[start:end]) > 1:
        start = raw.rfind(b"\n", 0, start - 1) + 1
    return raw[start:end].decode(), (raw[start : change.start] + change.text.encode() + raw[change.end : end]).decode()


def _candidates(
    tests: Sequence[str], sources: Mapping[str, str], broken: Sequence[Check], literals: tuple[object, ...]
) -> Iterator[tuple[str, Spot, Change]]:
    """Changes of the functions that the broken tests name, then of the rest; each kind of mistake over all of them before the next."""
    wanted = _named_by(tests, sources, {check.name for check in broken})
    named: list[tuple[str, Spot]] = []
    others: list[tuple[str, Spot]] = []
    for path, source in sources.items():
        if path in tests:
            continue
        try:
            tree = parsed(source)
        except Unsupported:
            continue
        raw = source.encode()
        starts = (0, *(found.end() for found in re.finditer(rb"\n", raw)))
        for function in _functions(tree):
            (named if function.name in wanted else others).append((path, Spot(raw, starts, tree, function, literals)))
    for spots in (named, others):
        for maker in MAKERS:
            for path, spot in spots:
                for change in maker(spot):
                    if change is not None:
                        yield path, spot, change


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions and methods; what is defined within one belongs to it."""
    for statement in tree.body:
        for node in statement.body if isinstance(statement, ast.ClassDef) else (statement,):
            if isinstance(node, ast.FunctionDef):
                yield node


def _named_by(tests: Sequence[str], sources: Mapping[str, str], names: set[str]) -> set[str]:
    found: set[str] = set()
    for path in tests:
        try:
            tree = parsed(sources[path])
        except Unsupported:
            continue
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in names:
                found |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
                found |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return found


def _literals(tests: Sequence[str], sources: Mapping[str, str]) -> tuple[object, ...]:
    """Numbers and texts that the tests expect: a wrong constant may have to be one of them."""
    found: list[object] = []
    for path in tests:
        try:
            tree = parsed(sources[path])
        except Unsupported:
            continue
        for node in ast.walk(tree):
            sides: list[ast.expr] = []
            if isinstance(node, ast.Compare):
                sides = list(node.comparators)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert"):
                sides = list(node.args[1:2])
            values = [side.value for side in sides if isinstance(side, ast.Constant)]
            found.extend(value for value in values if isinstance(value, int | float | str) and not isinstance(value, bool))
    return tuple(dict.fromkeys(found))[:LITERALS_MAX]
