"""Problems gathered while a file is checked, each with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from collections.abc import Iterable

from stepfare.config.places import KeyPath, Places
from stepfare.core.problem import Problem

PROBLEMS_MAX = 100
WORD_CHARS_MAX = 64


@dataclass
class Notes:
    """A pad for problems of one source."""

    source: str
    places: Places
    noted: list[Problem] = field(default_factory=list[Problem])

    def add(self, path: KeyPath, code: str, words: str, *, severity: str = "error", key: bool = False) -> None:
        """Note a problem of the value at that path, or of its key."""
        place = self.places.of(path, key=key)
        line, column, length = (place.line, place.column, place.length) if place else (0, 0, 0)
        self.noted.append(Problem(self.source, code, words, severity, line, column, length))

    def sorted_with(self, earlier: Iterable[Problem]) -> tuple[Problem, ...]:
        """All problems in the order of the text; of very many, the first and one that says how many more there are."""
        problems = sorted([*earlier, *self.noted], key=lambda problem: (problem.line, problem.column))
        if len(problems) <= PROBLEMS_MAX:
            return tuple(problems)
        more = Problem(
            self.source,
            "too-large",
            f"{len(problems) - PROBLEMS_MAX} more problems are not listed.",
            "warning",
            problems[PROBLEMS_MAX].line,
            1,
            1,
        )
        return (*problems[:PROBLEMS_MAX], more)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean ...?`, or nothing where nothing is close."""
    close = get_close_matches(word.lower()[:WORD_CHARS_MAX], list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""
