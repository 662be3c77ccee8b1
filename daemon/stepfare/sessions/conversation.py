"""A request read as a conversation: up to where it may have been sent before, what was answered in it, and what was asked before that.
Whose it is, is left to others: nothing is known here but the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from stepfare.core.digest import reply_digest
from stepfare.core.request import RequestView, Role, Text, ToolCall, ToolResult
from stepfare.sessions.chains import chain_of

TURNS_SEARCHED_MAX = 12
"""How many turns from the end are searched for tool-call ids: they stand in the last one or two, unless results follow apart."""
SPREAD = {"responses": 3}
"""Where a thought, a text and each call are turns of their own, so many times more are searched."""
TAIL_JOINT = "+"


@dataclass(frozen=True)
class Conversation:
    """Places are those of turns, from 0. An answer may be several turns, where its pieces are; its place is that of the first."""

    view: RequestView

    @cached_property
    def chains(self) -> tuple[str, ...]:
        """For each turn the digest of all up to it."""
        return chain_of(self._anchors)

    @cached_property
    def tail(self) -> str:
        """What was asked last, as it is remembered of a session's last request."""
        return self.tail_before(len(self._anchors))

    def tail_before(self, place: int) -> str:
        """What stands before this turn, written as `tail`."""
        for at in range(min(place, len(self._anchors)) - 1, -1, -1):
            if self._anchors[at]:
                # Both, where they differ: what it says, and what the client wrote beside it then.
                anchor, digest = self._anchors[at].hex(), self.view.digests[at].hex()
                return anchor if anchor == digest else f"{anchor}{TAIL_JOINT}{digest}"
        return ""

    def tail_before_answer(self, place: int) -> str:
        """The tail before the answer that this turn belongs to, or gives a result of."""
        return self.tail_before(self._answer_of(place))

    def said_around(self, place: int) -> str:
        """Digest of the texts of that answer."""
        return self.said_at(self._answer_of(place))

    def calls(self) -> Iterator[tuple[int, str]]:
        """Ids of the last tool calls and results, the latest turn first, each with its place."""
        turns = self.view.turns
        for place in range(len(turns) - 1, self._first_searched - 1, -1):
            for block in turns[place].blocks:
                if isinstance(block, ToolCall | ToolResult) and block.id:
                    yield place, block.id

    @cached_property
    def answers(self) -> Sequence[tuple[int, str]]:
        """The last answers that say something, the latest first: the place of each, and the digest of its text."""
        found: list[tuple[int, str]] = []
        place = len(self.view.turns) - 1
        while place >= self._first_searched:
            if self._is_answer(place):
                place = self._began(place)
                said = self.said_at(place)
                if said:
                    found.append((place, said))
            place -= 1
        return found

    def answers_from(self, place: int) -> int:
        """How many answers there are from this turn on, those that say nothing too."""
        return sum(self._is_answer(at) and self._began(at) == at for at in range(place, len(self.view.turns)))

    def said_at(self, place: int) -> str:
        """Digest of the texts of the answer at this place; empty where there is none, or where it says nothing."""
        turns = self.view.turns
        if not self._is_answer(place):
            return ""
        end = place + 1
        while self._is_piece(end):
            end += 1
        return reply_digest("".join(block.text for turn in turns[place:end] for block in turn.blocks if isinstance(block, Text)))

    def said_next(self, place: int) -> str:
        """The same of the answer that follows here, whatever stands between that counts for nothing."""
        while place < len(self._anchors) and not self._anchors[place]:
            place += 1
        return self.said_at(place)

    @cached_property
    def _anchors(self) -> Sequence[bytes]:
        return self.view.anchors if any(self.view.anchors) else self.view.digests

    @property
    def _first_searched(self) -> int:
        return max(0, len(self.view.turns) - TURNS_SEARCHED_MAX * SPREAD.get(self.view.dialect, 1))

    def _is_answer(self, place: int) -> bool:
        return 0 <= place < len(self.view.turns) and self.view.turns[place].role is Role.ASSISTANT

    def _is_piece(self, place: int) -> bool:
        """Whether this turn may belong to the same answer as its neighbour: where one answer is several items, they stand in a row."""
        return self.view.dialect in SPREAD and self._is_answer(place)

    def _answer_of(self, place: int) -> int:
        while place > 0 and not self._is_answer(place):
            place -= 1
        return self._began(place)

    def _began(self, place: int) -> int:
        """Where the answer that this turn belongs to begins."""
        while self._is_piece(place - 1):
            place -= 1
        return place


def same_words(tail: str, other: str) -> bool:
    """Whether two tails say the same, whatever the client wrote beside it."""
    return tail.partition(TAIL_JOINT)[0] == other.partition(TAIL_JOINT)[0]
