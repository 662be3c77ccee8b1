"""What refusals taught: kept across restarts, and doubted after a month."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepfare.runtime.lessons import HELD_MS, LESSONS_MAX, Lessons


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000

    def __call__(self) -> int:
        return self.ms


def lessons(path: Path, clock: Clock | None = None) -> Lessons:
    made = Lessons(clock or Clock())
    made.load(path)
    return made


def test_a_rule_is_learned_once_and_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "home" / "lessons.json"
    first = lessons(path)
    assert first.learn("lab/small", "drop:temperature")
    assert not first.learn("lab/small", "drop:temperature")
    assert first.learn("lab/small", "no-stop")
    again = lessons(path)
    assert again.of("lab/small") == ("drop:temperature", "no-stop")
    assert again.of("lab/large") == ()
    assert path.stat().st_mode & 0o077 == 0


def test_a_rule_that_has_held_for_a_month_is_tried_without(tmp_path: Path) -> None:
    clock = Clock()
    known = lessons(tmp_path / "lessons.json", clock)
    known.learn("lab/small", "drop:temperature")
    clock.ms += HELD_MS
    assert known.of("lab/small") == ()
    assert known.learn("lab/small", "drop:temperature")
    assert known.of("lab/small") == ("drop:temperature",)


def test_no_more_is_learned_of_a_model_than_could_be_its_own_doing(tmp_path: Path) -> None:
    known = lessons(tmp_path / "lessons.json")
    taken = [known.learn("lab/small", f"drop:field_{number}") for number in range(LESSONS_MAX + 2)]
    assert taken == [True] * LESSONS_MAX + [False, False]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"lessons": 1}', json.dumps({"lessons": {"lab/small": {"sing": 1, "drop:temperature": 900}}}), "\xff"]
)
def test_a_file_that_is_broken_teaches_what_can_be_understood_and_breaks_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lessons.json"
    path.write_text(text, encoding="latin-1")
    assert lessons(path).of("lab/small") == (("drop:temperature",) if "drop" in text else ())


def test_a_disk_that_refuses_costs_the_memory_across_restarts_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    known = lessons(tmp_path / "file" / "lessons.json")
    assert known.learn("lab/small", "drop:temperature")
    assert known.of("lab/small") == ("drop:temperature",)
    assert "cannot be" in caplog.text
