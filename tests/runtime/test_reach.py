"""How far each model was asked into each session."""

from __future__ import annotations

from stepfare.runtime.reach import Reach


def test_each_model_has_its_own_place_in_each_session() -> None:
    reach = Reach()
    assert [reach.move("s1", "lab/small", 3), reach.move("s1", "lab/large", 5), reach.move("s2", "lab/small", 7)] == [0, 0, 0]
    assert [reach.move("s1", "lab/small", 9), reach.move("s1", "lab/large", 11), reach.move("s2", "lab/small", 13)] == [3, 5, 7]
    assert reach.move("s1", "lab/small", 15) == 9


def test_what_is_longest_unused_is_forgotten_first() -> None:
    reach = Reach(kept_max=2)
    reach.move("s1", "a/a", 1)
    reach.move("s2", "a/a", 2)
    reach.move("s1", "a/a", 3)
    reach.move("s3", "a/a", 4)
    assert [reach.move("s2", "a/a", 5), reach.move("s3", "a/a", 6)] == [0, 4]
