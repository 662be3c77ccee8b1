"""Problems gathered while a file is checked, each with its place in the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from stepfare.config.places import KeyPath, Places
from stepfare.core.problem import Problem

PROBLEMS_MAX = 100
"""How many problems of a file are told."""
NOTED_MAX = 400
"""How many are worded and placed, so that the first ones of the text are among them."""
WORD_CHARS_MAX = 64


@dataclass
class Notes:
    """A pad for problems of one source. Once it is full, further ones are only counted."""

    source: str
    places: Places
    noted: list[Problem] = field(default_factory=list[Problem])
    unsaid: int = 0

    @property
    def full(self) -> bool:
        return len(self.noted) >= NOTED_MAX

    def add(self, path: KeyPath, code: str, words: str, *, severity: str = "error", key: bool = False) -> None:
        """Note a problem of the value at that path, or of its key."""
        if self.full:
            self.add_unsaid()
            return
        place = self.places.of(path, key=key)
        line, column, length = (place.line, place.column, place.length) if place else (0, 0, 0)
        self.noted.append(Problem(self.source, code, words, severity, line, column, length))

    def add_unsaid(self) -> None:
        self.unsaid += 1

    def sorted_with(self, earlier: Iterable[Problem]) -> tuple[Problem, ...]:
        """All problems in the order of the text; of very many, the first and one that says how many more there are."""
        problems = sorted([*earlier, *self.noted], key=lambda problem: (problem.line, problem.column))
        more = len(problems) - PROBLEMS_MAX + self.unsaid
        if more <= 0:
            return tuple(problems)
        last = problems[PROBLEMS_MAX - 1]
        words = f"{more} more problems are not listed."
        return (*problems[:PROBLEMS_MAX], Problem(self.source, "too-large", words, "warning", last.line, last.column, last.length))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean ...?`, or nothing where nothing is close."""
    close = get_close_matches(word.lower()[:WORD_CHARS_MAX], list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""
