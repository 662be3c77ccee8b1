"""Common small mistakes, and what the text of a function would be without them. Which one it is, `repairs` finds out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes `start` to `end` of the source become `text`."""

    start: int
    end: int
    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Spot:
    """One function of a source, with what is needed to change its text."""

    raw: bytes
    starts: tuple[int, ...]
    tree: ast.Module
    function: ast.FunctionDef
    literals: tuple[object, ...]

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.raw[self.start(node) : self.end(node)].decode()

    def instead(self, node: ast.expr | ast.stmt, text: str) -> Change:
        return Change(self.start(node), self.end(node), text, f"`{self.text(node)}` becomes `{text}`")

    def changed(self, change: Change) -> ast.Module | None:
        """The module with this function changed; None where the change does not parse. Only the function is parsed anew."""
        start, end = self.at(self.function.lineno, 0), self.end(self.function)
        text = (self.raw[start : change.start] + change.text.encode() + self.raw[change.end : end]).decode()
        try:
            # Within a block, so that a method keeps its indentation.
            made = ast.parse(f"if 1:\n{text}" if self.function.col_offset else text).body[0]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        function = made.body[0] if isinstance(made, ast.If) else made
        return ast.Module([_with(statement, self.function, function) for statement in self.tree.body], [])

    def between(self, left: ast.expr, right: ast.expr, symbol: str, text: str) -> Change | None:
        """The operator between two operands becomes another."""
        start, end = self.end(left), self.start(right)
        place = re.search(rf"(?<![\w<>=!*/]){re.escape(symbol)}(?![\w<>=*/])", self.raw[start:end].decode())
        if place is None:
            return None
        what = f"`{symbol}` between `{self.text(left)}` and `{self.text(right)}` becomes `{text}`"
        return Change(start + place.start(), start + place.end(), text, what)


def _with(statement: ast.stmt, old: ast.stmt, new: ast.stmt) -> ast.stmt:
    if statement is old:
        return new
    if isinstance(statement, ast.ClassDef) and old in statement.body:
        body = [new if inner is old else inner for inner in statement.body]
        return ast.ClassDef(statement.name, statement.bases, statement.keywords, body, statement.decorator_list)
    return statement


Maker: TypeAlias = Callable[[Spot], Iterator[Change | None]]

_ARITHMETIC: dict[type[ast.operator], tuple[str, tuple[str, ...]]] = {
    ast.Add: ("+", ("-", "*", "//", "/")),
    ast.Sub: ("-", ("+", "*", "//", "/", "%")),
    ast.Mult: ("*", ("+", "**", "//", "/", "-")),
    ast.Div: ("/", ("//", "*", "%", "-", "+")),
    ast.FloorDiv: ("//", ("/", "%", "*", "-")),
    ast.Mod: ("%", ("//", "/", "*")),
    ast.Pow: ("**", ("*", "+")),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">", ">=", "==")),
    ast.LtE: ("<=", ("<", ">=", ">", "==")),
    ast.Gt: (">", (">=", "<", "<=", "==")),
    ast.GtE: (">=", (">", "<=", "<", "==")),
    ast.Eq: ("==", ("!=", "<=", ">=")),
    ast.NotEq: ("!=", ("==", "<", ">")),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
}
_PAIRS = {
    left: right
    for one, other in (
        ("min", "max"), ("any", "all"), ("floor", "ceil"), ("lower", "upper"), ("startswith", "endswith"), ("lstrip", "rstrip"),
        ("append", "extend"), ("keys", "values"), ("union", "intersection"), ("find", "rfind"), ("int", "float"),
        ("removeprefix", "removesuffix"),
    )
    for left, right in ((one, other), (other, one))
}  # fmt: skip


def _operators(spot: Spot) -> Iterator[Change | None]:
    for node in ast.walk(spot.function):
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            symbol, others = _ARITHMETIC[type(node.op)]
            for other in others:
                yield spot.between(node.left, node.right, symbol, other)
        elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
            symbol, others = _ARITHMETIC[type(node.op)]
            for other in others:
                yield spot.between(node.target, node.value, symbol + "=", other + "=")


def _comparisons(spot: Spot) -> Iterator[Change | None]:
    for node in ast.walk(spot.function):
        if isinstance(node, ast.Compare):
            for kind, left, right in zip(node.ops, (node.left, *node.comparators), node.comparators, strict=False):
                symbol, others = _COMPARISONS[type(kind)]
                for other in others:
                    yield spot.between(left, right, symbol, other)


def _bounds(spot: Spot) -> Iterator[Change | None]:
    """Off by one: arguments of `range`, ends of slices, indices."""
    for node in ast.walk(spot.function):
        ends: list[ast.expr | None] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            ends = list(node.args)
        elif isinstance(node, ast.Slice):
            ends = [node.lower, node.upper]
            yield from _turned(spot, node)
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            ends = [node.slice]
        for end in ends:
            if end is None or (isinstance(end, ast.Constant) and not isinstance(end.value, int)):
                continue
            if isinstance(end, ast.BinOp) and isinstance(end.right, ast.Constant) and end.right.value == 1:
                yield spot.instead(end, spot.text(end.left))
            if isinstance(end, ast.Constant):
                continue
            yield spot.instead(end, f"{spot.text(end)} + 1")
            yield spot.instead(end, f"{spot.text(end)} - 1")


def _turned(spot: Spot, node: ast.Slice) -> Iterator[Change]:
    """The other end of the sequence: `[:n]` for `[n:]`, `[-n:]` for `[:n]`."""
    end = node.lower or node.upper
    if end is None or (node.lower and node.upper) or node.step:
        return
    text = spot.text(end)
    start, stop = (spot.start(end), spot.end(end) + 1) if node.lower else (spot.start(end) - 1, spot.end(end))
    before = spot.raw[start:stop].decode()
    if before.strip(":") != text:
        return
    for other in (f"-{text}:", f":-{text}", f"{text}:", f":{text}"):
        if other != before:
            yield Change(start, stop, other, f"`[{before}]` becomes `[{other}]`")


def _constants(spot: Spot) -> Iterator[Change | None]:
    first = spot.function.body[0]
    # Neither the docstring nor the pieces of a formatted text, which would be replaced as a whole.
    passed_over = {first.value} if isinstance(first, ast.Expr) else set[ast.expr]()
    for node in ast.walk(spot.function):
        if isinstance(node, ast.JoinedStr):
            passed_over.update(inner for inner in ast.walk(node) if isinstance(inner, ast.Constant))
    for node in ast.walk(spot.function):
        if not isinstance(node, ast.Constant) or node in passed_over:
            continue
        value = node.value
        if isinstance(value, bool):
            yield spot.instead(node, str(not value))
            continue
        if isinstance(value, int):
            for other in (value + 1, value - 1, 0, 1):
                yield spot.instead(node, str(other)) if other != value else None
        for literal in spot.literals:
            if type(literal) is type(value) and literal != value:
                yield spot.instead(node, _quoted(literal, spot.text(node)))


def _quoted(literal: object, before: str) -> str:
    """The literal as code, with the quotes that stood there before."""
    text = repr(literal)
    if isinstance(literal, str) and before.startswith('"') and '"' not in literal and "\\" not in text:
        return f'"{literal}"'
    return text


def _returns(spot: Spot) -> Iterator[Change | None]:
    """A missing or empty `return`, or one that stands in the loop instead of behind it."""
    function = spot.function
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    assigned = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    last = function.body[-1]
    if not returns:
        if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Constant):
            yield Change(spot.start(last), spot.start(last), "return ", f"`{spot.text(last)}` is returned")
        indent = " " * last.col_offset
        for name in dict.fromkeys(reversed(assigned)):
            yield Change(spot.end(last), spot.end(last), f"\n{indent}return {name}", f"`return {name}` at the end")
    for node in returns:
        if node.value is None:
            for name in dict.fromkeys(reversed(assigned)):
                yield spot.instead(node, f"return {name}")
    for loop in (node for node in function.body if isinstance(node, ast.For | ast.While)):
        inner = loop.body[-1]
        if isinstance(inner, ast.Return) and len(loop.body) > 1:
            start = spot.at(inner.lineno, 0)
            what = f"`{spot.text(inner)}` moves behind the loop"
            yield Change(start, spot.start(inner), " " * loop.col_offset, what)


def _logic(spot: Spot) -> Iterator[Change | None]:
    for node in ast.walk(spot.function):
        if isinstance(node, ast.BoolOp):
            symbol, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                start, end = spot.end(left), spot.start(right)
                place = re.search(rf"\b{symbol}\b", spot.raw[start:end].decode())
                if place:
                    what = f"`{symbol}` before `{spot.text(right)}` becomes `{other}`"
                    yield Change(start + place.start(), start + place.end(), other, what)
        elif isinstance(node, ast.UnaryOp):
            yield spot.instead(node, spot.text(node.operand))
        elif isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.UnaryOp):
            yield spot.instead(node.test, f"not ({spot.text(node.test)})")


def _names(spot: Spot) -> Iterator[Change | None]:
    """A neighbouring name, swapped operands or arguments, the function's counterpart (`min` for `max`)."""
    function = spot.function
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and len(node.args) == 2:
            yield _swapped(spot, node.args[0], node.args[1])
        elif isinstance(node, ast.BinOp):
            yield _swapped(spot, node.left, node.right)
        if isinstance(node, ast.Name) and node.id in _PAIRS:
            yield spot.instead(node, _PAIRS[node.id])
        elif isinstance(node, ast.Attribute) and node.attr in _PAIRS:
            yield spot.instead(node, f"{spot.text(node.value)}.{_PAIRS[node.attr]}")
    known = [argument.arg for argument in function.args.args]
    known += [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in known:
            for other in dict.fromkeys(known):
                yield spot.instead(node, other) if other != node.id else None


def _swapped(spot: Spot, left: ast.expr, right: ast.expr) -> Change:
    start, end = spot.start(left), spot.end(right)
    middle = spot.raw[spot.end(left) : spot.start(right)].decode()
    text = f"{spot.text(right)}{middle}{spot.text(left)}"
    return Change(start, end, text, f"`{spot.raw[start:end].decode()}` becomes `{text}`")


MAKERS: tuple[Maker, ...] = (_bounds, _operators, _comparisons, _returns, _logic, _constants, _names)
"""In the order in which such mistakes are common."""
