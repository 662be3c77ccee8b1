"""What tools give back, in the forms of real clients."""

from __future__ import annotations

import pytest

from stepfare.simulator.knowledge import Verdict, failing_line, failing_tests, verdict_of
from stepfare.simulator.results import file_text, files_hit, files_in, folders_in, is_partial, read_result

SOURCE = "def f():\n\n    return 1\n"


@pytest.mark.parametrize(
    "told",
    [
        SOURCE,
        "Content of a/b.py:\n" + SOURCE,
        " 1 | def f():\n 2 | \n 3 |     return 1",
        "1 | def f():\n2 | \n3 |     return 1\n\n(File has 3 lines total.)",
        "     1→def f():\n     2→\n     3→    return 1",
        "     1\tdef f():\n     2\t\n     3\t    return 1\n",
        "<file>\n00001| def f():\n00002| \n00003|     return 1\n\n(End of file - total 3 lines)\n</file>",
        '<file_content path="a.py">\ndef f():\n\n    return 1\n</file_content>',
        "```python\ndef f():\n\n    return 1\n```",
        "[Showing lines 1-3 of 3]\n1 | def f():\n2 | \n3 |     return 1",
        SOURCE + "\n<system-reminder>\nBe careful.\n</system-reminder>",
        "Chunk ID: 7\nWall time: 0.1 s\nProcess exited with code 0\nOutput:\n" + SOURCE,
    ],
)
def test_a_file_is_freed_of_what_the_client_wrote_around_it(told: str) -> None:
    assert file_text(read_result(told).text) == SOURCE


def test_several_results_in_one_answer_are_told_apart() -> None:
    result = read_result('[{"query":"a","result":"A","success":true},{"query":"b","result":"","error":"ENOENT","success":false}]')
    assert [(part.text, part.failed) for part in result.parts] == [("A", False), ("ENOENT", True)]
    assert not result.failed
    assert read_result('{"returncode": 1, "output": "no"}').text == "no"
    assert read_result("[1, 2]").text == "[1, 2]"
    assert read_result('{"name": "calc", "scripts": {}}').text == '{"name": "calc", "scripts": {}}'


@pytest.mark.parametrize(
    "told", ["Error executing tool Read: File not found", "The tool execution failed", "Unknown tool: Grep", "ENOENT: no such file"]
)
def test_a_failure_is_known_by_its_words(told: str) -> None:
    assert read_result(told).failed


def test_a_file_about_errors_is_no_failure() -> None:
    assert not read_result("Content of errors.py:\nclass Error(Exception): ...").failed


def test_a_part_of_a_file_is_known_as_such() -> None:
    assert is_partial("[Showing lines 1-100 of 7201. Use start_line to go on]\n1 | x")
    assert not is_partial(SOURCE)


@pytest.mark.parametrize(
    ("listing", "files", "folders"),
    [
        (".:\nREADME.md\ncalc\n\n./calc:\na.py\n\n./calc/deep:\nb.py\n", ["README.md", "calc/a.py", "calc/deep/b.py"], []),
        ("Files in /w/x:\n.git (directory)\nREADME.md (file, 35 bytes)\ncalc (directory)", ["README.md"], [".git", "calc"]),
        ("README.md\ncalc/\ncalc/a.py\n", ["README.md", "calc/a.py"], ["calc"]),
        ("Directory listing for /w:\n[DIR] calc\nsetup.cfg\n", ["setup.cfg"], ["calc"]),
        ("- src/\n  - not this/\n- a.py", ["a.py"], ["src"]),
    ],
)  # fmt: skip
def test_listings_in_every_form(listing: str, files: list[str], folders: list[str]) -> None:
    assert [list(files_in(listing)), list(folders_in(listing))] == [files, folders]


def test_hits_of_a_search_name_files_only_at_the_start_of_a_line() -> None:
    hits = "Found 2 results\n\ncalc/a.py:4:1\n  3: x = y.z\n> 4: def add(a, b):\n\n./b.py:1: import os.path\nc.py\n"
    assert list(files_hit(hits)) == ["calc/a.py", "b.py", "c.py"]


UNITTEST = """FF
======================================================================
FAIL: test_add (tests.test_a.ATest.test_add)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/w/tests/test_a.py", line 8, in test_add
    self.assertEqual(add(2, 3), 5)
AssertionError: -1 != 5

======================================================================
ERROR: test_sub (tests.test_a.ATest)
----------------------------------------------------------------------
Ran 2 tests in 0.000s

FAILED (failures=1, errors=1)
"""
PYTEST = """FF.
>       assert add(2, 3) == 5
E       assert -1 == 5
E        +  where -1 = add(2, 3)
FAILED tests/test_a.py::test_add - assert -1 == 5
FAILED tests/test_a.py::TestA::test_more[1-2] - KeyError
2 failed, 1 passed in 0.02s
"""


@pytest.mark.parametrize(
    ("output", "verdict", "names", "line"),
    [
        (UNITTEST, Verdict.FAILED, ("test_add", "test_sub"), "AssertionError: -1 != 5"),
        (PYTEST, Verdict.FAILED, ("test_add", "test_more"), "assert -1 == 5"),
        ("..\n-----\nRan 2 tests in 0.0s\n\nOK\n", Verdict.PASSED, (), ""),
        ("..   [100%]\n2 passed in 0.01s", Verdict.PASSED, (), ""),
        ("/usr/bin/python3: No module named pytest", Verdict.DID_NOT_RUN, (), ""),
        ("sh: 1: pytest: not found", Verdict.DID_NOT_RUN, (), ""),
        ("no tests ran in 0.00s", Verdict.DID_NOT_RUN, (), ""),
        ("", Verdict.DID_NOT_RUN, (), ""),
    ],
)
def test_how_a_run_went_is_read_from_its_output(output: str, verdict: Verdict, names: tuple[str, ...], line: str) -> None:
    assert verdict_of(output) is verdict
    assert failing_tests(output) == names
    assert failing_line(output) == line
