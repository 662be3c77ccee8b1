"""The evaluator agrees with Python where it answers, and refuses the rest within bounds."""

from __future__ import annotations

import ast
import math

import pytest

from stepfare.simulator.allowed import MATH
from stepfare.simulator.evaluated import Meter, Module, Raised, Scope, Unsupported
from stepfare.simulator.evaluator import Machine


def value(source: str, call: str = "") -> object:
    """What the last expression is worth, after the statements before it."""
    scope = Scope({"math": Module(MATH)})
    machine = Machine(Meter())
    machine.run(ast.parse(source).body if call else [], scope)
    return machine.value(ast.parse(call or source, mode="eval").body, scope)


@pytest.mark.parametrize(
    "source",
    [
        "1 + 2 * 3 ** 2 - 7 // 2 % 3",
        "-7 // 2, 7 / 2, not 0, ~5, 6 & 3, 6 | 3, 6 ^ 3",
        "1 < 2 <= 2 != 3 and 'a' in 'cat' and [] is not None",
        "0 or '' or 'last'",
        "[x * y for x in range(4) if x % 2 for y in (1, 10)]",
        "{k: v for k, v in zip('abc', range(3))}",
        "{x % 3 for x in range(9)} == {0, 1, 2}",
        "sorted(['bb', 'a', 'ccc'], key=len, reverse=True)",
        "sorted([3, 1, 2], key=lambda x: -x)",
        "list(map(lambda x: x + 1, [1, 2])) + list(filter(None, [0, 1]))",
        "max([1, 5, 3]), min(2, 1), sum([1, 2]), abs(-3), round(2.567, 2), divmod(7, 2)",
        "'Hello World'.lower().split()[0][::-1].upper()",
        "'-'.join(['a', 'b']).replace('-', '+')",
        "f'{3.14159:.2f}|{7:>3d}|{\"x\"!r}'",
        "[1, 2, 3, 4][1:3], (1, 2, 3)[-1], 'abc'[:2], {'a': [1]}['a'][0]",
        "{'a': 1}.get('b', 5), list({'a': 1}.items())",
        "math.floor(2.7) + math.ceil(2.1), math.sqrt(16)",
        "isinstance(3, int) and not isinstance('3', (int, float))",
        "any(x > 2 for x in [1, 3]) and all([])",
        "3 if [] else 4",
        "[*range(3), *'ab']",
    ],
)
def test_expressions_are_worth_what_python_says(source: str) -> None:
    assert value(source) == eval(source, {"math": math})


FUNCTIONS = """
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def takes(a, b=2, *rest, c=3):
    return (a, b, rest, c)


def weighed(values):
    total = 0
    for place, value in enumerate(values):
        if value < 0:
            continue
        if value > 9:
            break
        total += place * value
    return total


def collatz(n):
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
    return n


def caught(x):
    try:
        return 1 // x
    except ZeroDivisionError:
        return "none"
    finally:
        x = 0


class Stack:
    size = 10

    def __init__(self):
        self.items = []

    def push(self, x):
        self.items.append(x)
        return len(self.items) + self.size


class Odd(ValueError):
    pass


def odd():
    try:
        raise Odd("x")
    except ValueError:
        return "caught"


def counted(d):
    d["a"] = d.get("a", 0) + 1
    first, (second, third) = 1, (2, 3)
    return d, first + second + third


stack = Stack()
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("factorial(6)", 720),
        ("takes(1, 5, 6, c=7)", (1, 5, (6,), 7)),
        ("weighed([1, -2, 3, 99, 4])", 6),
        ("collatz(6)", 1),
        ("caught(0)", "none"),
        ("stack.push(1) + stack.push(2)", 23),
        ("odd()", "caught"),
        ("counted({})", ({"a": 1}, 6)),
    ],
)
def test_functions_and_classes(call: str, expected: object) -> None:
    assert value(FUNCTIONS, call) == expected


@pytest.mark.parametrize(
    ("source", "kind"),
    [("1 // 0", ZeroDivisionError), ("[][1]", IndexError), ("{}['a']", KeyError), ("int('x')", ValueError), ("'a' + 1", TypeError)],
)
def test_errors_are_theirs(source: str, kind: type[Exception]) -> None:
    with pytest.raises(Raised) as raised:
        value(source)
    assert isinstance(raised.value.error, kind)


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os')",
        "open('x')",
        "exec('1')",
        "().__class__",
        "'{0.__class__}'.format(1)",
        "'%s' % 1",
        "(lambda: 0).__globals__",
        "f'{1:>99999999}'",
        "10 ** 10 ** 10",
        "'x' * 10 ** 9",
        "[0] * 10 ** 9",
        "list(range(10 ** 12))",
        "sum(range(10 ** 12))",
        "[x for x in range(4000) for y in range(4000)]",
        "(lambda f: f(f))(lambda f: f(f))",
        "getattr(1, 'real')",
        "str.join",
        "unknown",
        "(y := 1)",
        "'ab'.ljust(10 ** 9)",
    ],
)  # fmt: skip
def test_what_is_not_in_the_tables_or_too_much_is_not_evaluated(source: str) -> None:
    with pytest.raises((Unsupported, RecursionError)):
        value(source)


def test_shared_values_are_not_walked_for_ever() -> None:
    source = "def f():\n    x = [1]\n    for i in range(60):\n        x = [x, x]\n    return str(x)"
    with pytest.raises(Unsupported):
        value(source, "f()")


def test_work_is_bounded() -> None:
    with pytest.raises(Unsupported, match="too much work"):
        value("def f():\n    while True:\n        pass", "f()")
