"""Which model made which thought, folded from the journal."""

from __future__ import annotations

from dataclasses import replace

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided
from stepfare.sessions.thoughts import THOUGHTS_MAX, ThoughtIndex
from tests.ledger import samples


def reserved(attempt: str, model: str) -> Reserved:
    return replace(samples.reserved(attempt), model=model)


def settled(attempt: str, thoughts: tuple[str, ...]) -> Settled:
    return replace(samples.settled(attempt), thoughts=thoughts)


def index(*entries: Entry) -> ThoughtIndex:
    made = ThoughtIndex()
    for entry in entries:
        made.apply(entry)
    return made


def test_a_thought_belongs_to_the_model_whose_attempt_made_it() -> None:
    seen = index(
        reserved(attempt="a1", model="lab/small"),
        reserved(attempt="a2", model="lab/large"),
        settled(attempt="a2", thoughts=("t2", "t3")),
        settled(attempt="a1", thoughts=("t1",)),
    )
    assert [seen.maker_of(digest) for digest in ("t1", "t2", "t3", "t4")] == ["lab/small", "lab/large", "lab/large", ""]


def test_the_last_maker_of_an_equal_thought_counts() -> None:
    seen = index(
        reserved(attempt="a1", model="lab/small"),
        settled(attempt="a1", thoughts=("t",)),
        reserved(attempt="a2", model="lab/large"),
        settled(attempt="a2", thoughts=("t",)),
    )
    assert seen.maker_of("t") == "lab/large"


def test_attempts_that_ended_otherwise_and_unknown_ones_make_none() -> None:
    seen = index(
        reserved(attempt="a1", model="lab/small"),
        Voided("a1", "s1", 1, "busy", "no"),
        settled(attempt="a1", thoughts=("t1",)),
        reserved(attempt="a2", model="lab/small"),
        Lost("a2", "s1", 1, 5),
        settled(attempt="a2", thoughts=("t2",)),
        settled(attempt="a3", thoughts=("t3",)),
    )
    assert [seen.maker_of(digest) for digest in ("t1", "t2", "t3")] == ["", "", ""]


def test_the_oldest_thoughts_are_forgotten_first() -> None:
    many = tuple(f"t{number}" for number in range(THOUGHTS_MAX + 1))
    seen = index(reserved(attempt="a1", model="lab/small"), settled(attempt="a1", thoughts=many))
    assert (seen.maker_of("t0"), seen.maker_of("t1"), seen.maker_of(many[-1])) == ("", "lab/small", "lab/small")


def test_thoughts_that_were_refused_are_nobodys_and_later_ones_are_known_again() -> None:
    seen = index(reserved("a1", "lab/large"), settled("a1", ("t1",)), reserved("a2", "lab/small"), settled("a2", ("t2",)))
    seen.forget("s1", "lab/large")
    seen.apply(reserved("a3", "lab/large"))
    seen.apply(settled("a3", ("t3",)))
    assert [seen.maker_of(digest) for digest in ("t1", "t2", "t3")] == ["", "lab/small", "lab/large"]
