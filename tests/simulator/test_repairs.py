"""Repairs come from what was read: the change that makes the failing test hold, or none."""

from __future__ import annotations

import pytest

from stepfare.simulator.checks import Verdict, run_checks
from stepfare.simulator.evaluated import Meter
from stepfare.simulator.repairs import NoRepair, Repair, find_repair


def repaired(source: str, test: str, *failing: str) -> Repair | NoRepair:
    return find_repair(["test_m.py"], {"m.py": source, "test_m.py": test}, failing=failing)


IMPORT = "from m import f\n\n\ndef test_f():\n    "


@pytest.mark.parametrize(
    ("source", "test", "line"),
    [
        ("def f(a, b):\n    return a - b\n", "assert f(2, 3) == 5", "return a + b"),
        ("def f(a, b):\n    return (a) * (b)\n", "assert f(6, 3) == 2", "return (a) // (b)"),
        ("def f(xs):\n    t = 0\n    for x in xs:\n        t -= x\n    return t\n", "assert f([1, 2]) == 3", "t += x"),
        ("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n", "assert f(4) == 10", "range(n + 1)"),
        ("def f(n):\n    return list(range(n - 1))\n", "assert f(3) == [0, 1, 2]", "range(n)"),
        ("def f(xs, n):\n    return xs[:n]\n", "assert f([1, 2, 3], 2) == [2, 3]", "xs[-n:]"),
        ("def f(xs):\n    return xs[0]\n", "assert f([1, 2, 3]) == 3", "xs[-1]"),
        ("def f(x):\n    if x > 10:\n        return 'big'\n    return 'small'\n", "assert f(10) == 'big'", "if x >= 10:"),
        ("def f(x):\n    return x < 0 and x > 9\n", "assert f(-1)\n    assert f(10)\n    assert not f(5)", "x < 0 or x > 9"),
        ("def f(x):\n    if not x:\n        return 'some'\n    return 'none'\n", "assert f([1]) == 'some'", "if x:"),
        ("def f(x):\n    x + 1\n", "assert f(1) == 2", "return x + 1"),
        (
            "def f(xs):\n    best = xs[0]\n    for x in xs:\n        if x > best:\n            best = x\n",
            "assert f([1, 3, 2]) == 3",
            "return best",
        ),
        ("def f(xs):\n    n = 0\n    for x in xs:\n        n += 1\n        return n\n", "assert f([1, 1]) == 2", "\n    return n"),
        ("def f():\n    return 'ok'\n", "assert f() == 'ready'", "return 'ready'"),
        ("def f():\n    return 41\n", "assert f() == 42", "return 42"),
        ("def f():\n    return False\n", "assert f()", "return True"),
        ("def f(a, b):\n    return max(a, b)\n", "assert f(1, 2) == 1", "min(a, b)"),
        ("def f(a, b):\n    return a - b\n", "assert f(1, 5) == 4\n    assert f(5, 1) == -4", "return b - a"),
        ("def f(s):\n    return s.upper()\n", "assert f('aB') == 'ab'", "s.lower()"),
        ("def f(width, height):\n    return width * width\n", "assert f(2, 3) == 6", "height * width"),
        ("import math\n\n\ndef f(x):\n    return math.floor(x)\n", "assert f(1.2) == 2", "math.ceil(x)"),
    ],
)
def test_a_common_mistake_is_found(source: str, test: str, line: str) -> None:
    found = repaired(source, IMPORT + test + "\n", "test_f")
    assert isinstance(found, Repair), found
    assert line in found.whole
    assert source.count(found.old) == 1
    assert source.replace(found.old, found.new) == found.whole
    verdicts = run_checks(["test_m.py"], {"m.py": found.whole, "test_m.py": IMPORT + test}, Meter())
    assert [check.verdict for check in verdicts] == [Verdict.HOLDS]


@pytest.mark.parametrize(
    ("source", "test", "why"),
    [
        ("def f(a):\n    return a * 17 + 4\n", "assert f(1) == 1000", "none of the"),
        ("import os\n\n\ndef f(a):\n    return os.getcwd()\n", "assert f(1) == 2", "the name os"),
        ("def f(a):\n    return 1\n", "assert f(1) == 1", "every test that I can evaluate holds"),
        ("def f(a)\n    return 1\n", "assert f(1) == 1", "test_f uses"),
        ("def f(n):\n    return f'Hallo {n}'\n", "assert f('Bo') == 'Hello Bo'", "no small change"),
    ],
)
def test_where_there_is_no_honest_repair_it_says_why(source: str, test: str, why: str) -> None:
    found = repaired(source, IMPORT + test + "\n", "test_f")
    assert isinstance(found, NoRepair), found
    assert why in found.why


def test_a_change_that_breaks_another_test_is_no_repair() -> None:
    test = "from m import f\n\n\ndef test_wrong():\n    assert f(2, 2) == 0\n\n\ndef test_right():\n    assert f(1, 2) == 3\n"
    found = repaired("def f(a, b):\n    return a + b\n", test, "test_wrong")
    assert isinstance(found, NoRepair), found


def test_of_two_mistakes_one_is_repaired_at_a_time() -> None:
    source = "def f(a, b):\n    return a - b\n\n\ndef g(x):\n    return x > 1\n"
    test = "from m import f, g\n\n\ndef test_f():\n    assert f(1, 2) == 3\n\n\ndef test_g():\n    assert g(1)\n"
    first = repaired(source, test, "test_f", "test_g")
    assert isinstance(first, Repair)
    second = repaired(first.whole, test, *({"test_f", "test_g"} - set(first.fixes)))
    assert isinstance(second, Repair)
    assert second.whole == source.replace("a - b", "a + b").replace("x > 1", "x >= 1")


def test_what_was_tried_in_vain_is_not_tried_again() -> None:
    source, test = "def f(a, b):\n    return a - b\n", IMPORT + "assert f(2, 2) == 4\n"
    first = repaired(source, test, "test_f")
    assert isinstance(first, Repair)
    second = find_repair(["test_m.py"], {"m.py": source, "test_m.py": test}, failing=("test_f",), refused=[first.whole])
    assert isinstance(second, Repair)
    assert second.whole != first.whole


def test_a_changed_line_that_stands_twice_is_told_with_the_line_above() -> None:
    source = "def g(a, b):\n    return a - b\n\n\ndef f(a, b):\n    return a - b\n"
    found = repaired(source, IMPORT + "assert f(2, 3) == 5\n", "test_f")
    assert isinstance(found, Repair)
    assert found.old == "def f(a, b):\n    return a - b"


def test_tests_of_every_common_form_are_understood() -> None:
    test = """
import math
import unittest

import pytest

import pkg.m
from pkg import m as alias
from pkg.m import Empty, f


@pytest.mark.parametrize(("x", "wanted"), [(1, 2), (2, 3)])
@pytest.mark.parametrize("again", [True, False])
def test_cases(x, wanted, again):
    assert f(x) == wanted


def test_raises():
    with pytest.raises(Empty):
        alias.first([])
    assert pkg.m.first([4]) == 4
    assert pytest.approx(0.3) == 0.1 + 0.2


class TestPlain:
    def setup_method(self):
        self.x = 1

    def test_it(self):
        assert f(self.x) == 2


class Case(unittest.TestCase):
    def setUp(self):
        self.values = [1, 2]

    def helper(self):
        return f(self.values[0])

    def test_members(self):
        self.assertEqual(self.helper(), 2, "words")
        self.assertIn(1, self.values)
        self.assertTrue(self.values)
        self.assertIsNone(None)
        self.assertAlmostEqual(0.1 + 0.2, 0.3)
        self.assertGreater(math.pi, 3)
        self.assertRaises(Empty, alias.first, [])
        with self.assertRaises(Empty):
            alias.first([])

    def test_fails(self):
        self.assertEqual(f(1), 3)


@pytest.fixture
def thing():
    return 1


def test_fixture(thing):
    assert thing
"""
    module = (
        "class Empty(Exception):\n    pass\n\n\ndef f(x):\n    return x + 1\n\n\n"
        "def first(xs):\n    if not xs:\n        raise Empty('nothing')\n    return xs[0]\n"
    )
    checks = run_checks(["t/test_m.py"], {"src/pkg/m.py": module, "src/pkg/__init__.py": "", "t/test_m.py": test}, Meter())
    assert [(check.name, check.verdict) for check in checks] == [
        *[("test_cases", Verdict.HOLDS)] * 4,
        ("test_raises", Verdict.HOLDS),
        ("test_it", Verdict.HOLDS),
        ("test_members", Verdict.HOLDS),
        ("test_fails", Verdict.FAILS),
        ("test_fixture", Verdict.FAILS),
    ], checks
