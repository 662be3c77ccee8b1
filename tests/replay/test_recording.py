"""Which recorded sessions are known well enough to be replayed."""

from __future__ import annotations

import pytest

from stepfare.replay.recording import Recording
from tests.replay.little import a_step


@pytest.mark.parametrize(("known", "unknown", "usable"), [(4, 0, False), (5, 0, True), (8, 2, True), (7, 2, False), (0, 3, False)])
def test_a_session_is_left_out_of_which_too_little_is_known(known: int, unknown: int, usable: bool) -> None:
    steps = tuple(a_step(at, 2_000) for at in range(known))
    assert Recording("s", "codex-cli", "p", steps, unknown).usable() is usable
