"""Where the end-to-end tests have their coding agents and client libraries from.

A machine that cannot have one fails the test instead of skipping it: these tests are asked for by name. None of the packages needs its
install scripts to run headless.
"""

from __future__ import annotations

from pathlib import Path

from tests.installs import Shelf

SHELF = Shelf("e2e", Path(__file__).parent / "clients")
