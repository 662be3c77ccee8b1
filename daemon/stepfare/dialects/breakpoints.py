"""Asks a provider to cache what will be sent again, where the client asks for nothing: marks at the end of the tools, of the
instructions, of the last step's request and of this one, or a key by which a session's requests find each other.

A model that comes back to a session after others served it finds what it holds only where a mark stands near the end of its own last
request. No client knows of that: this one mark is added to a client's own. A mark changes no meaning and moves from step to step;
everything else keeps its bytes. How long a cache should live, and whether a provider wants to be asked at all, is decided elsewhere.
"""

from __future__ import annotations

from itertools import count

from stepfare.core.prompt import HOUR_S
from stepfare.dialects import elements, splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import is_list, text_of
from stepfare.dialects.rule_fields import set_where_missing

MARKS, KEY = "marks", "key"
"""How a provider wants to be asked: by marks in the prompt, or by a key beside it."""
MARKS_MAX = 4
"""Of one request: Anthropic refuses a fifth."""
BLOCKS_SEEN_BACK = 20
"""How many blocks before a mark Anthropic looks for what an earlier one cached."""
BLOCKS_APART = BLOCKS_SEEN_BACK - 2
CACHE_KEY_CHARS_MAX = 64
"""The longest prompt_cache_key that OpenAI takes."""

_MARK = b'"cache_control"'
_FIVE_MINUTES, _HOUR = b'{"type":"ephemeral"}', b'{"type":"ephemeral","ttl":"1h"}'
_UNMARKABLE = ("thinking", "redacted_thinking", "tool_reference")
_INSTRUCTIONS = ("system", "developer")
_CHAT_ROLES = ("user", "tool")


def mark(draft: Draft, dialect: str, how: str, cache_s: int, key: str, held: int = 0) -> tuple[str, ...]:
    """Ask for caching in this way: MARKS (Anthropic's own format, or Claude through chat completions) with a lifetime of `cache_s`
    seconds (an hour, or else five minutes), or KEY. Any other way asks for nothing, and so does one that the format cannot say.
    `held` is how many messages this model was sent when it was last asked, 0 where that is not known.
    Returns what was added, in words for a person."""
    try:
        if how == KEY and dialect in ("openai", "responses"):
            words = set_where_missing(draft, "prompt_cache_key", key[:CACHE_KEY_CHARS_MAX])
            return (words,) if words else ()
        if how == MARKS and dialect in ("anthropic", "openai"):
            own = _marks_of_client(draft)
            if not own:
                return _marked(draft, dialect, _HOUR if cache_s >= HOUR_S else _FIVE_MINUTES, held)
            return _marked_besides(draft, dialect, own[-1], held) if len(own) < MARKS_MAX else ()
    except BadRequest:
        pass  # Too odd to be marked: it goes as it is.
    return ()


def messages_in(draft: Draft) -> int:
    """How many messages a request holds; 0 where that cannot be told."""
    raw = draft.raw("messages")
    try:
        return len(elements.elements_of(draft, "messages")) if raw is not None and is_list(raw) else 0
    except BadRequest:
        return 0


def _marked(draft: Draft, dialect: str, sign: bytes, held: int) -> tuple[str, ...]:
    if not messages_in(draft):
        return ()
    items = elements.elements_of(draft, "messages")
    changed: dict[int, bytes] = {}
    last, before, behind = len(items) - 1, _end_of_last_step(items), _far_behind(items, held)
    # What others were sent since this model was last asked is in no cache of its own.
    ends = [_marked_before(items, end, dialect, sign, changed) for end in (last, before if behind < 0 else behind) if end >= 0]
    middle = before >= 0 > behind and _marked_between(items, before, dialect, sign, changed)
    if dialect == "openai":
        heads = ["instructions"] if _head_marked(items, sign, changed) else []
    else:
        # Instructions come after the tools: their mark covers both, so the tools' own can be spared.
        heads = ["instructions"] if _system_marked(draft, sign) else []
        heads += ["tools"] if len(heads) + sum(ends) + middle < MARKS_MAX and _tools_marked(draft, sign) else []
    if changed:
        elements.edit(draft, "messages", _at_places(changed))
    named = [*heads, *(["a long step's middle"] if middle else []), *(["the last turns"] if any(ends) else [])]
    return (f"cache marks added at the end of {', '.join(named)}",) if named else ()


def _marked_besides(draft: Draft, dialect: str, last: bytes, held: int) -> tuple[str, ...]:
    """One mark more than the client's own: where this model's cache ends, if those would not find it."""
    items = elements.elements_of(draft, "messages") if messages_in(draft) else []
    behind = _far_behind(items, held)
    if behind < 0 or _marks_in(items[behind]):
        return ()
    # A longer life must not follow a shorter one, so it lives as long as what the client marks next.
    sign = next((found for item in items[behind + 1 :] for found in _marks_in(item)), last)
    changed: dict[int, bytes] = {}
    if not _marked_before(items, behind, dialect, sign, changed):
        return ()
    elements.edit(draft, "messages", _at_places(changed))
    return ("a cache mark added where this model was last asked",)


def _far_behind(items: list[bytes], held: int) -> int:
    """The message with which the model's last request ended, where that is too far back to be seen from the end; else -1."""
    if not 0 < held < len(items) or sum(_count(item) for item in items[held:]) <= BLOCKS_SEEN_BACK:
        return -1
    return held - 1


def _end_of_last_step(items: list[bytes]) -> int:
    """The message with which the last step's request ended: the one before the assistant's last words; -1 where there is none."""
    at = len(items) - 1
    for spoken in (False, True):  # What followed the assistant's words, and then those.
        while at >= 0 and (_role(items[at]) == "assistant") is spoken:
            at -= 1
    return at


def _marked_before(items: list[bytes], end: int, dialect: str, sign: bytes, changed: dict[int, bytes]) -> bool:
    """Mark the last message up to that one which can be."""
    for at in range(end, -1, -1):
        if at in changed:
            return False  # What comes before is marked there.
        new = _message_marked(items[at], dialect, sign)
        if new is not None:
            changed[at] = new
            return True
    return False


def _marked_between(items: list[bytes], before: int, dialect: str, sign: bytes, changed: dict[int, bytes]) -> bool:
    """Where a step added more blocks than are looked at behind a mark, set one as far before the last as that one sees."""
    sizes = [_count(item) for item in items[before + 1 :]]
    if sum(sizes) <= BLOCKS_SEEN_BACK:
        return False
    behind = 0
    for at in range(len(items) - 1, before, -1):
        size = sizes[at - before - 1]
        upto = size + behind - BLOCKS_APART  # Blocks of this message that stand before the place.
        if upto > 0:
            new = _message_marked(changed.get(at, items[at]), dialect, sign, upto)
            if new is not None:
                changed[at] = new
                return True
        behind += size
    return False


def _message_marked(item: bytes, dialect: str, sign: bytes, blocks: int | None = None) -> bytes | None:
    """The message with a mark at its last block that takes one, of its first `blocks` where that is said."""
    obj = splice.scan(item)
    content = obj.raw("content")
    if content is None or (dialect == "openai" and text_of(obj, "role") not in (*_CHAT_ROLES, *_INSTRUCTIONS)):
        return None
    if content.startswith(b'"'):
        return None if not text_of(obj, "content").strip() else splice.replace(obj, {"content": _text_marked(content, sign)})
    new = _block_marked(content, dialect, sign, blocks) if is_list(content) else None
    return None if new is None else splice.replace(obj, {"content": new})


def _block_marked(content: bytes, dialect: str, sign: bytes, blocks: int | None = None) -> bytes | None:
    parts = splice.items(content)
    for at in range(min(len(parts), len(parts) if blocks is None else blocks) - 1, -1, -1):
        obj = splice.scan(parts[at])
        kind = text_of(obj, "type")
        if obj.raw("cache_control") is not None:
            return None
        if (dialect == "openai" and kind != "text") or kind in _UNMARKABLE or (kind == "text" and not text_of(obj, "text").strip()):
            continue
        return _with(content, {at: splice.replace(obj, {"cache_control": sign})})
    return None


def _text_marked(text: bytes, sign: bytes) -> bytes:
    """A text as one block, which is the same to the cache."""
    return b'[{"type":"text","text":' + text + b',"cache_control":' + sign + b"}]"


def _head_marked(items: list[bytes], sign: bytes, changed: dict[int, bytes]) -> bool:
    """Chat's instructions stand at the head of the messages."""
    heads = 0
    while heads < len(items) and _role(items[heads]) in _INSTRUCTIONS:
        heads += 1
    return heads > 0 and _marked_before(items, heads - 1, "openai", sign, changed)


def _system_marked(draft: Draft, sign: bytes) -> bool:
    raw = draft.raw("system")
    if raw is None:
        return False
    if raw.startswith(b'"'):
        text = draft.get("system")
        new = _text_marked(raw, sign) if isinstance(text, str) and text.strip() else None
    else:
        new = _block_marked(raw, "anthropic", sign) if is_list(raw) else None
    if new is not None:
        draft.set("system", new)
    return new is not None


def _tools_marked(draft: Draft, sign: bytes) -> bool:
    """The last tool that stands in the prompt: one that is loaded later does not, and takes no mark."""
    raw = draft.raw("tools")
    tools = splice.items(raw) if raw is not None and is_list(raw) else []
    for at in range(len(tools) - 1, -1, -1):
        obj = splice.scan(tools[at])
        if raw is not None and obj.get("defer_loading") is not True:
            draft.set("tools", _with(raw, {at: splice.replace(obj, {"cache_control": sign})}))
            return True
    return False


def _marks_of_client(draft: Draft) -> list[bytes]:
    """The marks that the client sets itself, in their order; one that it asks its provider to set stands first."""
    asked = draft.raw("cache_control")
    found = [asked] if asked is not None else []
    for key in ("tools", "system", "messages"):
        raw = draft.raw(key)
        if raw is not None and is_list(raw) and _MARK in raw:
            found += [sign for item in splice.items(raw) for sign in _marks_in(item)]
    return found


def _marks_in(item: bytes) -> list[bytes]:
    """The word may stand in a tool's schema or in what a call wrote: a mark stands beside a block's type."""
    if _MARK not in item or not item.startswith(b"{"):
        return []
    obj = splice.scan(item)
    content, function, sign = obj.raw("content"), obj.raw("function"), obj.raw("cache_control")
    found = [sign for part in splice.items(content) for sign in _marks_in(part)] if content is not None and is_list(content) else []
    if function is not None and function.startswith(b"{") and (inner := splice.scan(function).raw("cache_control")) is not None:
        found.append(inner)
    return [*found, *([sign] if sign is not None else [])]


def _with(raw: bytes, changed: dict[int, bytes]) -> bytes:
    """The list with these elements in place of its own; bytes between the elements stay."""
    return elements.edited(raw, _at_places(changed)) or raw


def _at_places(changed: dict[int, bytes]) -> elements.Change:
    places = count()
    return lambda _item: [new] if (new := changed.get(next(places))) is not None else None


def _role(item: bytes) -> str:
    return text_of(splice.scan(item), "role")


def _count(item: bytes) -> int:
    """How many blocks a message is to Anthropic."""
    obj = splice.scan(item)
    content, calls = obj.raw("content"), obj.raw("tool_calls")
    called = len(splice.items(calls)) if calls is not None and is_list(calls) else 0
    return called + (len(splice.items(content)) if content is not None and is_list(content) else int(content not in (None, b"null", b'""')))
