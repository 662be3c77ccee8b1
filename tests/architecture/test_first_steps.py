"""What a bare Python runs on a new machine: scripts that an old one can read, with the standard library alone, from any folder."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FIRST = ("start", "test", "lock", "environment.py")
OLD_GRAMMAR = (3, 7)  # the oldest that this Python can still tell apart


@pytest.mark.parametrize("script", FIRST)
def test_an_old_python_reads_far_enough_to_say_what_is_wrong(script: str) -> None:
    tree = ast.parse((SCRIPTS / script).read_text("utf-8"), feature_version=OLD_GRAMMAR)
    # Python 3.6, which some systems still call python3, stops at this import before it can say a word.
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]


@pytest.mark.parametrize("script", FIRST)
def test_nothing_is_needed_but_the_standard_library(script: str) -> None:
    tree = ast.parse((SCRIPTS / script).read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"environment"}


@pytest.mark.parametrize("script", [name for name in FIRST if "." not in name])
def test_a_command_can_be_called_by_its_name(script: str) -> None:
    assert os.access(SCRIPTS / script, os.X_OK)
    assert (SCRIPTS / script).read_text("utf-8").startswith("#!/usr/bin/env python3\n")
