"""The parts of Python that the evaluator knows: operators, built-in functions, methods, errors. Nothing outside of these tables is run."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, ItemsView, KeysView, Mapping, ValuesView
from types import ModuleType
from typing import TypeAlias, cast

Native: TypeAlias = Callable[..., object]


def _from(module: ModuleType, name: str) -> Native:
    return cast(Native, getattr(module, name))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ERROR_KINDS: tuple[type[BaseException], ...] = (
    Exception, ValueError, TypeError, KeyError, IndexError, LookupError, ZeroDivisionError, ArithmeticError, OverflowError,
    RuntimeError, NotImplementedError, AttributeError, AssertionError, StopIteration,
)  # fmt: skip
ERRORS: Mapping[str, type[BaseException]] = {kind.__name__: kind for kind in _ERROR_KINDS}

CATCHABLE = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, StopIteration)
"""What a built-in function may raise on values of theirs."""

TYPES: Mapping[str, type] = {kind.__name__: kind for kind in (int, float, str, bool, list, tuple, dict, set)}

_FUNCTIONS: tuple[Native, ...] = (
    len, sum, min, max, sorted, abs, round, any, all, enumerate, zip, reversed, range, divmod, ord, chr, isinstance, map, filter, repr,
)  # fmt: skip
BUILTINS: Mapping[str, object] = {**{function.__name__: function for function in _FUNCTIONS}, **TYPES, **ERRORS}

LAZY = (enumerate, zip, reversed, map, filter)
VIEWS = (KeysView, ValuesView, ItemsView)

MATH: Mapping[str, object] = {
    name: cast(object, getattr(math, name))
    for name in _words("floor ceil sqrt gcd isclose fabs trunc hypot log log2 log10 exp sin cos tan radians degrees pi e inf")
}

METHODS: Mapping[type, frozenset[str]] = {
    str: _words(
        "lower upper strip lstrip rstrip split rsplit splitlines join replace startswith endswith find rfind index count title capitalize"
        " isdigit isalpha isalnum isspace islower isupper swapcase removeprefix removesuffix partition rpartition casefold"
    ),
    list: _words("append extend insert pop remove index count sort reverse copy clear"),
    tuple: _words("index count"),
    dict: _words("get items keys values pop setdefault update copy clear"),
    set: _words("add remove discard union intersection difference issubset issuperset copy clear update"),
    float: _words("is_integer"),
}

POWER = _from(operator, "pow")
TIMES = _from(operator, "mul")
GET_ITEM = _from(operator, "getitem")
SET_ITEM = _from(operator, "setitem")
_CONTAINS = _from(operator, "contains")


def _in(item: object, box: object) -> object:
    return _CONTAINS(box, item)


def _not_in(item: object, box: object) -> object:
    return not _CONTAINS(box, item)


BINARY: Mapping[type[ast.operator], Native] = {
    ast.Add: _from(operator, "add"),
    ast.Sub: _from(operator, "sub"),
    ast.Mult: TIMES,
    ast.Div: _from(operator, "truediv"),
    ast.FloorDiv: _from(operator, "floordiv"),
    ast.Mod: _from(operator, "mod"),
    ast.Pow: POWER,
    ast.BitAnd: _from(operator, "and_"),
    ast.BitOr: _from(operator, "or_"),
    ast.BitXor: _from(operator, "xor"),
}

COMPARE: Mapping[type[ast.cmpop], Native] = {
    ast.Eq: _from(operator, "eq"),
    ast.NotEq: _from(operator, "ne"),
    ast.Lt: _from(operator, "lt"),
    ast.LtE: _from(operator, "le"),
    ast.Gt: _from(operator, "gt"),
    ast.GtE: _from(operator, "ge"),
    ast.Is: _from(operator, "is_"),
    ast.IsNot: _from(operator, "is_not"),
    ast.In: _in,
    ast.NotIn: _not_in,
}

UNARY: Mapping[type[ast.unaryop], Native] = {
    ast.USub: _from(operator, "neg"),
    ast.UAdd: _from(operator, "pos"),
    ast.Not: _from(operator, "not_"),
    ast.Invert: _from(operator, "invert"),
}

FORMAT = re.compile(r"\A[<>^]?0?\d{0,2},?(\.\d{1,2})?[dfsxbo%eg]?\Z")
"""Format specifications that cannot blow a value up."""
