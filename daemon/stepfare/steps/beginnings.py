"""How a conversation begins: the first words that a human said in it, by which it is told from others, or that a client has put a summary
in their place.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from stepfare.core.request import RequestView, Role, Text
from stepfare.steps.envelopes import words_of_turn

HEAD_TURNS_MAX = 6
"""Where the scene that a client sets ends at the latest."""
EXAMPLES_TURNS_MAX = 16
"""The same for aider, which shows a model examples first."""
KEPT_MAX = 2_048

_REWRITTEN = re.compile(
    r"\A\s*(?:What did we do so far\?|\[Continue assisting the user|This session is being continued from"
    r"|Another language model started to solve|<state_snapshot|I spoke to you previously about a number of things)"
)
_EXAMPLES_END = "I switched to a new code base"


@dataclass(frozen=True, slots=True)
class Began:
    """The human's first words, at most `WORDS_CHARS_MAX` characters of them; empty where they are not there."""

    words: str = ""
    rewritten: bool = False


# A conversation's beginning is the same in every step: it is read once. The one that is longest unused goes first.
_kept: OrderedDict[bytes, Began] = OrderedDict()


def beginning_of(view: RequestView, client: str) -> Began:
    turns_max = EXAMPLES_TURNS_MAX if client == "aider" else HEAD_TURNS_MAX
    key = b"".join(view.digests[:turns_max])
    began = _kept.get(key)
    if began is None:
        began = _kept[key] = _read(view, turns_max)
        if len(_kept) > KEPT_MAX:
            _kept.popitem(last=False)
    else:
        _kept.move_to_end(key)
    return began


def _read(view: RequestView, turns_max: int) -> Began:
    """The first words; those of examples are passed over. An answer before anybody has asked is a summary."""
    found = ""
    asked = False
    for turn in view.turns[: min(turns_max, len(view.turns))]:
        if turn.role is Role.ASSISTANT and not asked:
            return Began(rewritten=True)
        if turn.role is not Role.USER:
            continue
        asked = True
        texts = [block.text for block in turn.blocks if isinstance(block, Text)]
        if any(_REWRITTEN.match(text) for text in texts):
            return Began(rewritten=True)
        if any(text.startswith(_EXAMPLES_END) for text in texts):
            found = ""
            continue
        found = found or words_of_turn(turn)
        if found and turns_max == HEAD_TURNS_MAX:
            break
    return Began(found)
