"""What a model says that it is about, counted."""

from __future__ import annotations

import pytest

from stepfare.steps.wording import FAMILIES, wording_of


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (
            "Now let me fix the failing test:",
            {"now": 1, "let": 1, "fix": 1, "error": 1, "test": 1, "changing": 1, "running": 1, "colon": 1},
        ),
        ("I'll verify it.", {"will": 1, "verify": 1, "running": 1}),
        ("prefixes and latest", {}),
        ("Done?\n```", {"done": 1, "over": 1, "question": 1, "line_end": 1, "code": 1}),
    ],
)
def test_families_and_marks_are_counted(text: str, counts: dict[str, int]) -> None:
    found = dict(zip(FAMILIES, wording_of(text), strict=True))
    assert {family: count for family, count in found.items() if count} == counts


def test_silence_has_no_wording() -> None:
    assert wording_of("  \n") == ()
