"""Which sessions are one task: whoever of them is asked, the answer is the same."""

from __future__ import annotations

from stepfare.core.annotation import Annotation, Merged, Split
from stepfare.core.entry import Opened
from stepfare.sessions.families import family_of
from stepfare.sessions.index import SessionIndex
from stepfare.sessions.shown import Shown

PARENTS = {"lead": "", "scout": "lead", "scribe": "lead", "deep": "scout", "other": ""}


def family(session: str, *said: Annotation, forgotten: str = "", parents: dict[str, str] = PARENTS) -> tuple[str, ...]:
    index = SessionIndex()
    for number, (name, parent) in enumerate(parents.items()):
        index.apply(Opened(name, number, "cline", "", "", "", "", parent=parent))
    index.forget(forgotten)
    return family_of(session, parents.get(session, ""), index, Shown.of_all(said))


def test_a_session_its_subagents_and_theirs_are_one_family() -> None:
    for one in ("lead", "scout", "scribe", "deep"):
        assert family(one) == ("lead", "scout", "scribe", "deep")
    assert family("other") == ("other",)
    assert family("unheard-of") == ("unheard-of",)


def test_a_parent_that_memory_has_let_go_is_known_by_its_name() -> None:
    assert family("deep", forgotten="lead") == ("lead", "scout", "scribe", "deep")
    assert family("lead", forgotten="deep") == ("lead", "scout", "scribe")
    # The way up is lost where a link of it is.
    assert family("deep", forgotten="scout") == ("scout", "deep")


def test_sessions_that_name_each_other_end_somewhere() -> None:
    assert set(family("a", parents={"a": "b", "b": "a"})) == {"a", "b"}


def test_what_people_say_of_sessions_is_so_for_families_too() -> None:
    # A subagent that was merged into its parent is no other session; one that was merged into a stranger is the stranger's.
    assert family("lead", Merged("scout", 1, "lead")) == ("lead", "scribe", "deep")
    assert family("lead", Merged("deep", 1, "other")) == ("lead", "scout", "scribe")
    assert family("part", Split("lead", 1, "part", (("lead", 3),))) == ("part", "scout", "scribe", "deep")
