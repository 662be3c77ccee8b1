"""What chat providers put of a model's thinking into their messages: found, told apart, taken out, and put back.

OpenAI's own models show none; the others have fields of their own for it. `reasoning_content` (DeepSeek, Moonshot, Z.ai, Qwen, llama.cpp)
and `reasoning` (OpenRouter, Groq, vLLM) are texts, `reasoning_details` (OpenRouter) a list with signatures and encrypted items, and
Google signs in `extra_content`, of a message or of one of its calls. Whose thought a message holds is for `openai_chat` to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from stepfare.core.prompt import Thought
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.thoughts import digest_of

DIALECT = "openai"
TEXTS = ("reasoning_content", "reasoning")
DETAILS = "reasoning_details"
EXTRA = "extra_content"
CALLS = "tool_calls"
_FIELDS = frozenset((*TEXTS, DETAILS, EXTRA))
MARKS = (b'"reasoning_content"', b'"reasoning"', b'"reasoning_details"', b'"extra_content"')
"""One of them stands in the bytes of every message that holds a thought; within a string the quotes would be escaped."""

KEPT_CHARS_MAX = 1024 * 1024
"""Of one answer. A thought that is longer is shown and not kept, for a part of it is worth nothing to its maker."""
MADE_MAX = 16
"""So often is a thought told before an answer's end; what grows after that is told at the end."""


def is_marked(raw: bytes) -> bool:
    """Whether this message may hold a thought."""
    return any(mark in raw for mark in MARKS)


def thought_of(message: Mapping[str, object]) -> Thought | None:
    """The thought that an assistant's message holds; None where it holds none that could be told from another's."""
    fields: dict[str, object] = {key: message[key] for key in TEXTS if isinstance(message.get(key), str) and message[key]}
    details = message.get(DETAILS)
    if isinstance(details, list) and details:
        fields[DETAILS] = cast("list[object]", details)
    if _signature(message.get(EXTRA)):
        fields[EXTRA] = message[EXTRA]
    calls = message.get(CALLS)
    signed = list(_signed_calls(cast("list[object]", calls))) if isinstance(calls, list) else []
    if signed:
        fields[CALLS] = signed
    text = fields.get(TEXTS[0]) or fields.get(TEXTS[1]) or details_text(fields.get(DETAILS))
    return _thought(fields, text if isinstance(text, str) else "")


def details_text(details: object) -> str:
    """What of OpenRouter's list may be read."""
    parts = [part.get("text") or part.get("summary") for part in _objects(details)]
    return "".join(part for part in parts if isinstance(part, str))


class Thinking:
    """What an answer has told of its model's thinking so far, delta by delta."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._read: list[str] = []
        self._details: list[dict[str, object]] = []
        self._extra: object = None
        self._calls: list[dict[str, object]] = []
        self._chars = 0
        self._new = False
        self._made = 0

    def hear(self, delta: Mapping[str, object]) -> str:
        """What of this delta's thinking may be read."""
        if _FIELDS.isdisjoint(delta):
            return ""
        texts = {key: value for key in TEXTS if isinstance(value := delta.get(key), str) and value}
        details = [part for part in _objects(delta.get(DETAILS)) if part]
        text = texts.get(TEXTS[0]) or texts.get(TEXTS[1]) or details_text(details)
        self._chars += len(text) + (len(splice.dumps(details)) if details else 0)
        if self._chars <= KEPT_CHARS_MAX:
            for key, value in texts.items():
                self._texts.setdefault(key, []).append(value)
            for part in details:
                self._add(part)
            if text:
                self._read.append(text)
            self._new = self._new or bool(text or details)
        if _signature(delta.get(EXTRA)):
            self._extra, self._new = delta[EXTRA], True
        return text

    def hear_call(self, index: int, call_id: str, extra: object) -> None:
        """What stands beside a call."""
        if _signature(extra) and len(self._calls) < MADE_MAX:
            self._calls.append({"index": index, "id": call_id, EXTRA: extra})
            self._new = True

    def made(self, *, at_end: bool = False) -> Thought | None:
        """The whole thought, where there is more of it than was told before. One that is told later holds all of the earlier one."""
        if not self._new or self._chars > KEPT_CHARS_MAX or (self._made >= MADE_MAX and not at_end):
            return None
        self._new = False
        self._made += 1
        fields: dict[str, object] = {key: "".join(pieces) for key, pieces in self._texts.items()}
        fields |= {DETAILS: self._details} if self._details else {}
        fields |= {EXTRA: self._extra} if self._extra is not None else {}
        fields |= {CALLS: self._calls} if self._calls else {}
        return _thought(fields, "".join(self._read))

    def _add(self, part: dict[str, object]) -> None:
        """Pieces of one item share its index and type: texts grow, and what is said once is filled in."""
        same = (held for held in reversed(self._details) if all(held.get(key) == part.get(key) for key in ("index", "type")))
        held = next(same, None) if "index" in part else None
        if held is None or (held.get("data") and part.get("data")):
            self._details.append(dict(part))
            return
        for key, value in part.items():
            if value is None:
                continue
            before = held.get(key)
            grows = key in ("text", "summary") and isinstance(before, str) and isinstance(value, str)
            held[key] = cast("str", before) + cast("str", value) if grows else value


def with_thoughts(raw: bytes, thoughts: Iterable[Thought]) -> bytes:
    """The message with just these thoughts, a later one in place of an earlier one; every other byte as it was."""
    try:
        message = splice.scan(raw)
        values: dict[str, bytes | None] = {key: None for key in (*TEXTS, DETAILS) if message.span(key) is not None}
        if _signature(message.get(EXTRA)):
            values[EXTRA] = None
        signed: list[object] = []
        for thought in thoughts:
            told = splice.scan(thought.raw)
            values |= {key: told.raw(key) for key in (*TEXTS, DETAILS, EXTRA) if told.span(key) is not None}
            signed += cast("list[object]", told.get(CALLS) or [])
        calls = message.raw(CALLS)
        if calls is not None and calls.startswith(b"[") and (signed or b'"extra_content"' in calls):
            values[CALLS] = _with_signatures(calls, signed)
        return splice.replace(message, values) if values else raw
    except BadRequest:
        return raw


def _with_signatures(calls: bytes, signed: Iterable[object]) -> bytes:
    """The calls of a message with just these signatures, each beside the call of its id, or of its place where it has none."""
    by_key: dict[str | int, object] = {}
    for one in signed:
        fields = cast("dict[str, object]", one) if isinstance(one, dict) else {}
        by_key[_key(fields, fields.get("index"))] = fields.get(EXTRA)
    elements = splice.items(calls)
    changed: dict[int, bytes] = {}
    for place, element in enumerate(elements):
        if not element.startswith(b"{"):
            continue
        call = splice.scan(element)
        extra = by_key.get(_key({"id": call.get("id")}, place))
        if extra is not None:
            changed[place] = splice.replace(call, {EXTRA: splice.dumps(extra)})
        elif _signature(call.get(EXTRA)):
            changed[place] = splice.replace(call, {EXTRA: None})
    return splice.with_items(calls, elements, changed)


def _key(call: Mapping[str, object], place: object) -> str | int:
    call_id = call.get("id")
    if isinstance(call_id, str) and call_id:
        return call_id
    return place if isinstance(place, int) else 0


def _thought(fields: Mapping[str, object], text: str) -> Thought | None:
    # Clients trim what they repeat, so white space at the ends stands for nothing.
    secret = next(_signatures(fields), "") or text.strip()
    return Thought(DIALECT, splice.dumps(fields), digest_of(secret), text) if secret else None


def _signatures(fields: Mapping[str, object]) -> Iterator[str]:
    for part in _objects(fields.get(DETAILS)):
        found = part.get("signature") or part.get("data")
        if isinstance(found, str) and found:
            yield found
    for extra in (fields.get(EXTRA), *(call.get(EXTRA) for call in _objects(fields.get(CALLS)))):
        if signature := _signature(extra):
            yield signature


def _signature(extra: object) -> str:
    """Google's signature in such a field; empty where it holds something else."""
    google = cast("dict[str, object]", extra).get("google") if isinstance(extra, dict) else None
    signature = cast("dict[str, object]", google).get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else ""


def _signed_calls(calls: Sequence[object]) -> Iterator[dict[str, object]]:
    for place, call in enumerate(calls):
        fields = cast("dict[str, object]", call) if isinstance(call, dict) else {}
        if _signature(fields.get(EXTRA)):
            yield {"index": place, "id": fields.get("id") or "", EXTRA: fields[EXTRA]}


def _objects(value: object) -> list[dict[str, object]]:
    parts = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", part) for part in parts if isinstance(part, dict)]
