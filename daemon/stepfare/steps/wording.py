"""What a model says that it is about: how often some families of words, and some marks, stand in the text that it wrote last.

This is the model's own announcement of its work, not the human's wish. What it tells of the turn to come is learned, not laid down here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stepfare.steps.tables import words

_ENDINGS = ("", "e", "y", "s", "es", "ing", "ify", "ies", "ying", "ning")


def _forms(stems: str) -> tuple[str, ...]:
    return tuple(stem + ending for stem in stems.split() for ending in _ENDINGS)


_FORMS: Mapping[str, tuple[str, ...]] = {
    "add": words("add adds adding added"),
    "again": ("again",),
    "all": words("all both each every"),
    "change": words("change changes changing changed modify modifying modified modification"),
    "check": words("check checks checking checked"),
    "commit": words("commit commits committing committed push pushed pushing"),
    "create": words("create creates creating created write writing"),
    "done": words("done complete completed finished summary passes passed green works"),
    "edit": words("edit edits editing edited apply applying applied sed patch"),
    "error": words("error errors fail fails failed failing failure bug issue problem"),
    "existing": words("existing exists already"),
    "first": ("first",),
    "fix": words("fix fixes fixing fixed"),
    "how": words("how where what why"),
    "implement": words("implement implements implementing implemented implementation refactor wire"),
    "let": ("let",),
    "line": words("line lines"),
    "look": words("look looks looking see examine inspect"),
    "need": words("need needs should must"),
    "now": ("now",),
    "next": words("next then"),
    "read": words("read reads reading understand"),
    "remain": words("remaining remain also other rest"),
    "replace": words("replace replaces replacing replaced remove removing removed rename delete"),
    "reproduce": words("reproduce reproduces reproducing reproduced reproduction repro"),
    "run": words("run runs running ran"),
    "script": words("script scripts"),
    "search": words("search searching find grep explore"),
    "test": words("test tests testing tested"),
    "update": words("update updates updating updated"),
    "use": words("use uses using used"),
    "verify": words("verify verifies verifying verified verification confirm"),
    "wait": words("wait however but"),
    "will": words("will ll going"),
}
# Wider families, each of all words of one purpose: their sum says more than each of them.
_PURPOSES: Mapping[str, tuple[str, ...]] = {
    "changing": _forms("fix updat add implement chang modif appl replac renam remov rewrit creat edit refactor writ insert wir extend"),
    "looking": _forms("look check read see find explor search examin inspect investigat understand review"),
    "running": _forms("run test verif build lint execut compil"),
    "over": words("done passes passed complete completed succeeds success finished works green clean"),
}
_MARKS: Mapping[str, str] = {"code": "```", "colon": ":", "question": "?", "line_end": "\n"}
FAMILIES: tuple[str, ...] = (*_FORMS, *_PURPOSES, *_MARKS)
_PLACES: dict[str, tuple[int, ...]] = {}
for _place, _words in enumerate((*_FORMS.values(), *_PURPOSES.values())):
    for _form in _words:
        _PLACES[_form] = (*_PLACES.get(_form, ()), _place)
_WORD = re.compile(r"[a-z]+")


def wording_of(text: str) -> tuple[int, ...]:
    """Counts in the order of `FAMILIES`; empty for a text without words."""
    if not text.strip():
        return ()
    counts = [0] * (len(_FORMS) + len(_PURPOSES))
    for word in _WORD.findall(text.lower()):
        for place in _PLACES.get(word, ()):
            counts[place] += 1
    return (*counts, *(text.count(mark) for mark in _MARKS.values()))
