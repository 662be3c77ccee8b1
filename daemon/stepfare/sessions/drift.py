"""What of a conversation its client changed after it was sent, so that a provider's cache of it is lost: where, what, and how much.

Works on digests alone: no prompt is kept, and none is quoted. Whose conversation it is, is for `identify`; what was in fact read from
a cache, for `index`; which request follows which, for `footprints`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepfare.core.request import Block, RequestView, Role, Text, ToolCall, ToolResult, Turn
from stepfare.core.tokens import BYTES_PER_TOKEN
from stepfare.sessions.lines import changed_lines

TURN_BYTES = 16
"""Of a turn's digest."""
NAMES_SHOWN_MAX = 4
TURN_JSON_BYTES, CALL_JSON_BYTES, BLOCK_JSON_BYTES = 36, 80, 20
"""Of JSON around the texts of a turn, a call, and any other block, about."""
CUT_SHARE = 0.75
"""A conversation that has become shorter than this was begun anew, or goes back."""

TOOLS, SYSTEM, MESSAGE, INSERTED, REMOVED, ORDER, TRUNCATION = "tools", "system", "message", "inserted", "removed", "order", "truncation"
COMPACTION, ANEW, BACK = "compaction", "anew", "back"
NOT_BLAMED = frozenset({COMPACTION, ANEW, BACK})
"""Changes that are meant: a summary in the place of the history, a new conversation, a return to an earlier point."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one request looked like."""

    digests: bytes = b""
    """Of its turns, TURN_BYTES each."""
    tools: bytes = b""
    """Digest of the tools as they were sent; empty for none."""
    tool_digests: tuple[tuple[str, bytes], ...] = ()
    """The name and digest of each tool in order, without cache marks; those that are loaded later do not stand in the prompt."""
    heads: int = 0
    """How many turns at its head are instructions."""
    lines: bytes = b""
    """The lines of those, as `lines` packs them."""
    size_bytes: int = 0

    @property
    def turns(self) -> list[bytes]:
        return [self.digests[at : at + TURN_BYTES] for at in range(0, len(self.digests), TURN_BYTES)]


@dataclass(frozen=True, slots=True)
class Drift:
    """`place` is one of the words above; `what` a sentence for a person, without its full stop. `turn` is the place of the first turn
    that differs in the new request, -1 where the tools do. `lost_tokens` estimates what must be written to a cache again."""

    place: str
    what: str
    turn: int
    lost_tokens: int

    @property
    def blamed(self) -> bool:
        """Whether the client lost a cache that it could have kept."""
        return self.place not in NOT_BLAMED


def drift_of(last: Footprint, new: Footprint, view: RequestView, last_tokens: int = 0, *, summed_up: bool = False) -> Drift | None:
    """What the client changed since the last request of the same conversation; None where it only added to it. `view` is the new
    request, `last_tokens` what the last one's prompt counted (0: not counted), `summed_up` whether a summary was asked for meanwhile."""
    tokens = last_tokens or round(last.size_bytes / BYTES_PER_TOKEN)
    if last.tools != new.tools and last.tool_digests != new.tool_digests:
        return Drift(TOOLS, _tools_words(last.tool_digests, new.tool_digests), -1, tokens)
    if new.digests.startswith(last.digests) or last.digests.startswith(new.digests):
        return None  # Added to, sent again, or cut at its end: what is left stands in the cache.
    before, after = last.turns, new.turns
    at = next(place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    lost_tokens = round(tokens * max(0.0, 1 - _kept_bytes(view, at) / max(1, last.size_bytes)))
    if summed_up:
        return Drift(COMPACTION, "the client put a summary in the place of its history", at, lost_tokens)
    if at < max(last.heads, new.heads):
        return Drift(SYSTEM, f"the client changed its instructions {changed_lines(last.lines, new.lines)}".rstrip(), at, lost_tokens)
    shorter = new.size_bytes < CUT_SHARE * last.size_bytes
    place, words = _in_messages(before[at:], after[at:], kept=at - new.heads, shorter=shorter)
    number, turn = _ordinal(at - new.heads + 1), view.turns[at]
    return Drift(place, words.format(number=number, role=_role(turn), size=_size(_turn_bytes(turn))), at, lost_tokens)


def _in_messages(before: Sequence[bytes], after: Sequence[bytes], *, kept: int, shorter: bool) -> tuple[str, str]:
    """Which kind of change it is, and its words, from where the two begin to differ; `kept` messages before that are the same."""
    places = {digest: at for at, digest in reversed(list(enumerate(after)))}
    # How many went, and how many came, before the nearest message that was and is. The same words may be said twice.
    both = ((at + places[digest], at, places[digest]) for at, digest in enumerate(before) if digest in places)
    _, gone, come = min(both, default=(0, len(before), len(after)))
    if gone == len(before) > 1 and (shorter or len(after) < len(before)):
        return (BACK, "the conversation goes back to before its {number} message") if kept else (ANEW, "the client began anew")
    if sorted(before) == sorted(after[: len(before)]):
        return ORDER, "the client changed the order of its messages from the {number} on"
    if gone == 0:
        return INSERTED, f"the client put {_messages(come)} ({'' if come == 1 else 'the first: '}{{role}}, {{size}}) before its {{number}}"
    if gone < len(before) and gone > come and (come == 0 or gone - come > 1):
        words = f"{_messages(gone - come)} out of its conversation, from the {{number}} on"
        return (TRUNCATION, f"the client cut {words}") if kept <= 1 and gone - come > 1 else (REMOVED, f"the client took {words}")
    if gone == 1:
        return MESSAGE, "the client changed its {number} message ({role}, {size})"
    return MESSAGE, f"the client changed {_messages(gone)} from its {{number}} on ({{role}}, {{size}})"


def _tools_words(before: Sequence[tuple[str, bytes]], after: Sequence[tuple[str, bytes]]) -> str:
    old, new = dict(before), dict(after)
    told = (
        _named([name for name in new if name not in old], "came"),
        _named([name for name in old if name not in new], "went"),
        _named([name for name in new if name in old and old[name] != new[name]], "changed"),
    )
    said = ", ".join(words for words in told if words)
    return f"the client changed its tools: {said}" if said else "the client changed the order of its tools"


def _named(names: Sequence[str], did: str) -> str:
    if not names:
        return ""
    shown, more = names[:NAMES_SHOWN_MAX], len(names) - NAMES_SHOWN_MAX
    listed = f"{', '.join(shown)} and {more} more" if more > 0 else " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return f"{listed} {did}"


def _kept_bytes(view: RequestView, at: int) -> int:
    """About how much of the new request stands before this turn. The shorter side is looked at, for turns must be decoded for it."""
    if at > len(view.turns) - at:
        return max(0, len(view.raw) - sum(_turn_bytes(turn) for turn in view.turns[at:]))
    tools = next((span.end - span.start for span in view.spans if span.key == "tools"), 0)
    return tools + sum(_turn_bytes(turn) for turn in view.turns[:at])


def _turn_bytes(turn: Turn) -> int:
    return TURN_JSON_BYTES + sum(_block_bytes(block) for block in turn.blocks)


def _block_bytes(block: Block) -> int:
    match block:
        case Text():
            return len(block.text)
        case ToolResult():
            return BLOCK_JSON_BYTES + len(block.text)
        case ToolCall():
            return CALL_JSON_BYTES + len(block.name) + len(block.arguments)
        case _:
            return BLOCK_JSON_BYTES


_ROLE_WORDS: Mapping[Role, str] = {Role.SYSTEM: "instructions", Role.USER: "user", Role.ASSISTANT: "assistant", Role.TOOL: "tool result"}


def _role(turn: Turn) -> str:
    if turn.role is Role.USER and any(isinstance(block, ToolResult) for block in turn.blocks):
        return _ROLE_WORDS[Role.TOOL]
    return _ROLE_WORDS[turn.role]


def _size(size_bytes: int) -> str:
    return f"{round(size_bytes / 1000)} kB" if size_bytes >= 1000 else "under 1 kB"


def _messages(count: int) -> str:
    return "a message" if count == 1 else f"{count} messages"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
