"""What a call beside a conversation quotes of it, as digests: a title is asked for with the words that it is for, a commit message with
the answers that led to it, and a summary stands in the place of what it sums up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepfare.core.digest import reply_digest
from stepfare.core.request import Text, Turn

TEXT_CHARS_MAX = 65_536
QUOTES_MAX = 32
"""Of one turn; what is quoted last is looked at first."""

_SPOKEN = re.compile(
    # aider, for a commit message (`ASSISTANT: ...`) and for a summary (a heading for each role).
    r"(?:\A|\n)(?:# (?:USER|ASSISTANT)\n|(?:USER|ASSISTANT): )(.*?)"
    r"(?=\n(?:# (?:USER|ASSISTANT)\n|(?:USER|ASSISTANT): )|\ndiff --git |\nAdded [^\n]*\n|\n# These changes were made|\Z)",
    re.DOTALL,
)
_TAGGED = re.compile(r"<(session|conversation|state_snapshot|summary)>(.*)</\1>", re.DOTALL)


def quoted_in(turn: Turn) -> Iterator[str]:
    """Digests of what the texts of this turn may quote, each once: whole texts, what follows their first paragraphs, what they say that
    somebody said."""
    seen: set[str] = set()
    for block in turn.blocks:
        if isinstance(block, Text) and block.text:
            for number, piece in enumerate(_pieces(block.text[:TEXT_CHARS_MAX])):
                if number >= QUOTES_MAX:
                    break
                said = reply_digest(piece)
                if said and said not in seen:
                    seen.add(said)
                    yield said


def _pieces(text: str) -> Iterator[str]:
    yield text
    yield from reversed([found.group(1) for found in _SPOKEN.finditer(text)])
    yield from (found.group(2) for found in _TAGGED.finditer(text))
    at = text.find("\n\n")
    while at >= 0:
        yield text[at:]
        at = text.find("\n\n", at + 2)
