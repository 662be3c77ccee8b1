"""Edits as a whole answer in text, in the forms that aider's prompts ask for: which form it is, and how edits are said in it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from stepfare.simulator import patches

FENCE = "```"
_LANGUAGES = {".py": "python", ".js": "javascript", ".ts": "typescript", ".go": "go", ".rs": "rust", ".java": "java", ".md": "markdown"}


class Form(StrEnum):
    """What the rules ask for: one of five forms of edits, advice in words, or names of files."""

    BLOCKS = "blocks"
    FENCED_BLOCKS = "fenced blocks"
    WHOLE = "whole files"
    DIFF = "diff"
    PATCH = "patch"
    ADVICE = "advice"
    NAMES = "names"


_RULES: tuple[tuple[Form, re.Pattern[str]], ...] = (
    # Order matters: the first match wins.
    (Form.ADVICE, re.compile(r"Act as an expert architect engineer|Act as an expert code analyst\.\s+Answer questions")),
    (Form.NAMES, re.compile(r"Act as an expert code analyst\.\s+Understand")),
    (Form.PATCH, re.compile(r"V4A diff format", re.IGNORECASE)),
    (Form.FENCED_BLOCKS, re.compile(r"\*SEARCH/REPLACE block\* Rules:.{0,120}1\. The opening fence", re.DOTALL)),
    (Form.BLOCKS, re.compile(r"\*SEARCH/REPLACE block\*")),
    (Form.WHOLE, re.compile(r"\*file listing\*")),
    (Form.DIFF, re.compile(r"^# File editing rules:", re.MULTILINE)),
)


def form_of(rules: str) -> Form | None:
    """The form that a system prompt asks for; None where it is not one of these."""
    return next((form for form, pattern in _RULES if pattern.search(rules)), None)


@dataclass(frozen=True, slots=True)
class Hunk:
    """Whole lines of a file, found once in it, and what stands there afterwards."""

    old: str
    new: str


def hunks(before: str, after: str) -> list[Hunk]:
    """What differs, place by place, with as many lines above as make each place the only one of its kind.

    It is so both in the file as it was and in the file with the places above already changed: clients apply in either way.
    """
    old, new = before.split("\n"), after.split("\n")
    places: list[_Place] = []
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        place = _Place(start, end, new_start, new_end)
        while True:
            above = places[-1].end if places else 0
            while place.start > above and not place.alone(old, new):
                place = place.grown(up=1)
            if not places or place.alone(old, new):
                break
            earlier = places.pop()
            place = _Place(earlier.start, place.end, earlier.new_start, place.new_end)
        # At the very top the line below tells the place.
        places.append(place.grown(down=1) if place.empty and place.end < len(old) else place)
    return [Hunk("\n".join(old[place.start : place.end]), "\n".join(new[place.new_start : place.new_end])) for place in places]


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines `start` to `end` become lines `new_start` to `new_end`."""

    start: int
    end: int
    new_start: int
    new_end: int

    def grown(self, up: int = 0, down: int = 0) -> _Place:
        return _Place(self.start - up, self.end + down, self.new_start - up, self.new_end + down)

    @property
    def empty(self) -> bool:
        """Nothing cannot be searched for, and nothing in place of something reads like an empty line."""
        return self.start == self.end or self.new_start == self.new_end

    def alone(self, old: Sequence[str], new: Sequence[str]) -> bool:
        part = old[self.start : self.end]
        half = [*new[: self.new_start], *old[self.start :]]
        return not self.empty and _count(old, part) == 1 and _count(half, part) == 1


def _count(lines: Sequence[str], part: Sequence[str]) -> int:
    return sum(1 for index in range(len(lines) - len(part) + 1) if lines[index : index + len(part)] == part)


def as_text(form: Form, before: Mapping[str, str], after: Mapping[str, str], fence: str = FENCE) -> str:
    """The changes of all files in this form; `fence` is the one that the client uses."""
    changed = [path for path, text in after.items() if before.get(path) != text]
    match form:
        case Form.WHOLE:
            return "\n\n".join("\n".join([path, fence, after[path].removesuffix("\n"), closing(fence)]) for path in changed)
        case Form.BLOCKS | Form.FENCED_BLOCKS:
            blocks = [_block(form, path, hunk, fence) for path in changed for hunk in hunks(before[path], after[path])]
            return "\n\n".join(blocks)
        case Form.DIFF:
            return "\n".join([f"{FENCE}diff", *(_diff(path, before[path], after[path]) for path in changed), FENCE])
        case Form.PATCH:
            return "\n".join([patches.BEGIN, *(_patch(path, before[path], after[path]) for path in changed), patches.END])
        case Form.ADVICE | Form.NAMES:
            return "\n\n".join(_advice(path, hunk, fence) for path in changed for hunk in hunks(before[path], after[path]))


def closing(fence: str) -> str:
    return f"</{fence[1:]}" if fence.startswith("<") else fence


def _block(form: Form, path: str, hunk: Hunk, fence: str) -> str:
    opening = fence + _LANGUAGES.get(posixpath.splitext(path)[1], "")
    above = [opening, path] if form is Form.FENCED_BLOCKS else [path, opening]
    return "\n".join([*above, "<<<<<<< SEARCH", hunk.old, "=======", hunk.new, ">>>>>>> REPLACE", closing(fence)])


def _diff(path: str, before: str, after: str) -> str:
    rows = [f"@@ ... @@\n{patches.hunk(hunk.old, hunk.new)}" for hunk in hunks(before, after)]
    return "\n".join([f"--- {path}", f"+++ {path}", *rows])


def _patch(path: str, before: str, after: str) -> str:
    return "\n".join([f"*** Update File: {path}", *(f"@@\n{patches.hunk(hunk.old, hunk.new)}" for hunk in hunks(before, after))])


def _advice(path: str, hunk: Hunk, fence: str) -> str:
    return f"In `{path}`, replace\n{fence}\n{hunk.old}\n{closing(fence)}\nwith\n{fence}\n{hunk.new}\n{closing(fence)}"


_ADVICE = re.compile(
    r"^In `(?P<path>[^`\n]+)`, replace\n(?P<fence>`{3,}|<\w+>)\n(?P<old>.*?)\n(?:`{3,}|</\w+>)\n"
    r"with\n(?P=fence)\n(?P<new>.*?)\n(?:`{3,}|</\w+>)$",
    re.MULTILINE | re.DOTALL,
)


def advised(text: str) -> Iterator[tuple[str, Hunk]]:
    """The changes that advice in words asks for, with the path of the file."""
    for found in _ADVICE.finditer(text):
        yield found["path"], Hunk(found["old"], found["new"])
