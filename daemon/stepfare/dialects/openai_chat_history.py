"""The history of a chat completions request, with just those thoughts that the model to be asked had itself.

A thought of another model is refused by its provider or misleads it; some models demand their own back within a run of tool calls. So
what the client repeats of another's is taken out, and what it dropped of the model's own is put back. Every other byte stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from stepfare.core.digest import reply_digest
from stepfare.core.request import RequestView
from stepfare.dialects import splice
from stepfare.dialects.care import Care
from stepfare.dialects.openai_chat_thoughts import CALLS, DIALECT, is_marked, thought_of, with_thoughts
from stepfare.dialects.remembered import Remembered
from stepfare.dialects.turns import LazyTurns

REMEMBERED_MAX = 20_000
"""Messages of which is remembered whose thought they hold, so that a session's next step reads what is new only."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """`marked`: it holds fields for thoughts; `thought`: the digest of what they say; `key`: under which a thought is kept for it."""

    marked: bool = False
    thought: str = ""
    key: str = ""


def _without(raw: bytes) -> bytes:
    return with_thoughts(raw, ())


_NOTHING = _Seen()
_WITHOUT = Remembered(_without)
_seen: dict[bytes, _Seen] = {}


def own_history(view: RequestView, care: Care) -> bytes | None:
    """The client's list of messages as this candidate may see it; None where that is the list as it came."""
    place = next((span for span in reversed(view.spans) if span.key == "messages"), None)
    if place is None:
        return None
    raws = view.turns.raws if isinstance(view.turns, LazyTurns) else splice.items(view.raw[place.start : place.end])
    changed: dict[int, bytes] = {}
    answers = 0
    for index, seen in enumerate(map(_seen.get, view.digests)):
        if seen is _NOTHING:
            continue  # What nobody but the model says holds no thought of it.
        raw = raws[index]
        seen = seen or _look(raw, view.digests[index])
        answers += bool(seen.key)
        if seen.thought and care.maker_of(seen.thought) == care.model:
            continue
        kept = [thought for thought in care.kept_for(seen.key, answers - 1) if thought.dialect == DIALECT] if seen.key else []
        if seen.marked or kept:
            new = with_thoughts(raw, kept) if kept else _WITHOUT.of(raw)
            if new != raw:
                changed[index] = new
    return splice.with_items(view.raw[place.start : place.end], raws, changed) if changed else None


def answers_in(view: RequestView) -> int:
    """How many answers with a text or a call this conversation holds: the place at which the one to come is found again."""
    raws = view.turns.raws if isinstance(view.turns, LazyTurns) else ()
    return sum(bool((_seen.get(digest) or _look(raw, digest)).key) for raw, digest in zip(raws, view.digests, strict=True))


def _look(raw: bytes, digest: bytes) -> _Seen:
    """What is to be known of a message. Equal digests mean messages equal but for cache marks, which hold no thoughts."""
    while len(_seen) >= REMEMBERED_MAX:
        del _seen[next(iter(_seen))]
    _seen[digest] = seen = _read(raw) if b'"assistant"' in raw else _NOTHING
    return seen


def _read(raw: bytes) -> _Seen:
    fields = splice.object_of(raw) or {}
    if fields.get("role") != "assistant":
        return _NOTHING
    marked = is_marked(raw)
    thought = thought_of(fields) if marked else None
    key = _call_id(fields.get(CALLS)) or reply_digest(_text(fields.get("content")))
    return _Seen(marked, "" if thought is None else thought.digest, key)


def _call_id(calls: object) -> str:
    """The id of the first call that has one."""
    for call in cast("Sequence[object]", calls) if isinstance(calls, list) else ():
        found = cast("dict[str, object]", call).get("id") if isinstance(call, dict) else None
        if isinstance(found, str) and found:
            return found
    return ""


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    texts = [cast("dict[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
