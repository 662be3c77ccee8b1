"""Rules about the messages of a request. Each message is changed by what it says itself, or by what stands before it: so the bytes of a
conversation's prefix stay the same from step to step, and what no rule is about keeps the client's own bytes.
"""

from __future__ import annotations

from typing import cast

from stepfare.dialects import elements, splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, is_list, text_of, with_own_fields
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.remembered import Remembered
from stepfare.dialects.rule_fields import drop_inner, fields

LISTS = {"openai": "messages", "anthropic": "messages", "responses": "input"}
INSTRUCTIONS = ("system", "developer")

CONTINUE = "Continue your last message exactly where it ends. Repeat nothing of it."
NOTHING = "(empty)"
READ = "I have read the results."
SEEN_BELOW = "[An image; it follows the results.]"

# Google's signatures stand in extra_content; whoever else is asked is not sent them in the first place.
_CHAT_FIELDS = frozenset({"role", "content", "tool_calls", "tool_call_id", "name", "extra_content"})
_CALL_FIELDS = frozenset({"id", "type", "function", "custom", "extra_content"})
_PART_TEXTS = ("text", "input_text", "output_text")


def no_prefill(dialect: str) -> Change:
    """A model that begins every answer itself is asked to continue. A last message that calls tools is none to be continued."""

    def ask(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw(LISTS[dialect])
        items = elements.elements_of(draft, LISTS[dialect])
        if raw is None or not items:
            return None
        last = splice.scan(items[-1])
        calls = b'"tool_use"' in items[-1] if dialect == "anthropic" else last.raw("tool_calls") not in (None, b"null", b"[]")
        if text_of(last, "role") != "assistant" or calls:
            return None
        end = raw.rindex(b"]")
        draft.set(LISTS[dialect], raw[:end] + b"," + dumped({"role": "user", "content": CONTINUE}) + raw[end:])
        return "a message that asks to continue added after the assistant's"

    return ask


def instructions_as(dialect: str, role: str) -> Change:
    """Says instructions in the role that a provider knows for them."""
    other = next(name for name in INSTRUCTIONS if name != role)

    def one(raw: bytes) -> list[bytes] | None:
        if other.encode() not in raw:
            return None
        obj = splice.scan(raw)
        return [splice.replace(obj, {"role": dumped(role)})] if text_of(obj, "role") == other else None

    return each(dialect, one, f"role {other} said as {role}", f'"{other}"'.encode())


def merge_system(dialect: str) -> Change:
    """One text of instructions, at the head: what comes with it is joined to it, and what comes later is told by the user, in the
    tags that coding agents themselves use for it."""

    def merge(draft: Draft, _limits: Limits) -> str | None:
        raw = draft.raw(LISTS[dialect])
        if raw is None or not is_list(raw) or not any(f'"{role}"'.encode() in raw for role in INSTRUCTIONS):
            return None
        head: list[splice.JsonObject] = []
        begun = dialect == "anthropic"  # Whose instructions at the head stand in a field of their own.

        def one(item: bytes) -> list[bytes] | None:
            nonlocal begun
            if _role_of(item) not in INSTRUCTIONS:
                begun = True
                return None
            obj = splice.scan(item)
            if not begun and dialect == "openai":
                head.append(obj)
                return None if len(head) == 1 else []
            return [_told_by_user(obj)] if begun else None

        if not elements.edit(draft, LISTS[dialect], one):
            return None
        if len(head) > 1:
            text = "\n\n".join(content_text(obj) for obj in head)
            elements.edit(draft, LISTS[dialect], first_only(splice.replace(head[0], {"content": dumped(text)})))
        return "later system messages told by the user, or joined to the first"

    return merge


def first_only(first: bytes) -> elements.Change:
    left = [first]
    return lambda _item: [left.pop()] if left else None


def _told_by_user(obj: splice.JsonObject) -> bytes:
    text = f"<system-reminder>\n{content_text(obj)}\n</system-reminder>"
    values: dict[str, bytes | None] = {"role": b'"user"', "content": dumped(text)}
    if obj.raw("output_config") is not None:
        values["output_config"] = None
    return splice.replace(obj, values)


def content_text(obj: splice.JsonObject) -> str:
    """The texts of a message's content; of what is no text, its name."""
    content = obj.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    return "\n".join(_part_text(fields(part)) for part in parts)


def _part_text(part: dict[str, object]) -> str:
    text = part.get("text", part.get("refusal"))
    return text if isinstance(text, str) else f"[{part.get('type', 'something')} left out: this model reads text only]"


def string_content() -> Change:
    """For chat providers that read a message's content as one string."""

    def one(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        if not is_list(obj.raw("content")):
            return None
        return [splice.replace(obj, {"content": dumped(content_text(obj))})]

    return each("openai", one, "contents in parts joined into one text")


def no_empty_content(dialect: str) -> Change:
    """Empty texts are left out, and where nothing else is said, a word says so. Calls and results may stand alone."""

    def one(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        content = obj.raw("content")
        if dialect == "responses" and (content is None or obj.raw("role") is None):
            return None  # Most items there have no content, or one of another kind.
        new = _filled(content, may_be_null=obj.raw("tool_calls") not in (None, b"null", b"[]"))
        if new is None or new == content:
            return None
        return [splice.replace(obj, {"content": new})]

    return each(dialect, one, "empty texts left out")


def _filled(content: bytes | None, *, may_be_null: bool) -> bytes | None:
    if content is not None and is_list(content):
        full = elements.edited(content, lambda part: () if _is_empty_text(part) else None) or content
        if splice.items(full):
            return full
    elif content not in (None, b'""', b"null"):
        return None
    return b"null" if may_be_null else dumped(NOTHING)


def _is_empty_text(part: bytes) -> bool:
    obj = splice.scan(part)
    return text_of(obj, "type") in _PART_TEXTS and not text_of(obj, "text")


def no_null_content() -> Change:
    """For chat providers that miss a content beside tool calls."""

    def one(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        return [splice.replace(obj, {"content": b'""'})] if obj.raw("content") in (None, b"null") else None

    return each("openai", one, "missing contents said as empty texts", b'"tool_calls"', b"null")


def known_message_fields() -> Change:
    """For chat providers that refuse whatever a message says beyond the format's oldest words."""

    def call(raw: bytes) -> list[bytes] | None:
        return _keeping(splice.scan(raw), _CALL_FIELDS)

    def one(raw: bytes) -> list[bytes] | None:
        obj = splice.scan(raw)
        calls = obj.raw("tool_calls")
        values: dict[str, bytes | None] = {span.key: None for span in obj.spans if span.key not in _CHAT_FIELDS}
        if calls is not None and is_list(calls):
            values["tool_calls"] = elements.edited(calls, call) or calls
        new = with_own_fields(obj, values)
        return None if new is None else [new]

    return each("openai", one, "fields of messages that it does not know left out")


def _keeping(obj: splice.JsonObject, known: frozenset[str]) -> list[bytes] | None:
    gone: dict[str, bytes | None] = {span.key: None for span in obj.spans if span.key not in known}
    return [splice.replace(obj, gone)] if gone else None


def no_user_after_tool(draft: Draft, _limits: Limits) -> str | None:
    """Between results and the user's next words, the assistant says that it has read them: Mistral will have it so."""
    before = ""

    def one(raw: bytes) -> list[bytes] | None:
        nonlocal before
        role, earlier = _role_of(raw), before
        before = role
        return [dumped({"role": "assistant", "content": READ}), raw] if role == "user" and earlier == "tool" else None

    return "an assistant's message put between results and the user's" if elements.edit(draft, "messages", one, b'"tool"') else None


def no_betas(draft: Draft, _limits: Limits) -> str | None:
    """What only Anthropic itself knows of a request: fields that its beta header announces, tools named in results, system messages
    in the middle."""
    gone = [key for key in ("context_management", "mcp_servers", "container", "speed", "betas") if draft.raw(key) is not None]
    for key in gone:
        draft.drop(key)
    gone += drop_inner(draft, "thinking", "display")
    if elements.edit(draft, "messages", _without_betas, b'"tool_reference"', b'"output_config"'):
        gone.append("what is beta of messages")
    if merge_system("anthropic")(draft, _limits):
        gone.append("system messages among the others")
    return f"{', '.join(gone)} left out or said plainly" if gone else None


def _without_betas(raw: bytes) -> list[bytes] | None:
    obj = splice.scan(raw)
    values: dict[str, bytes | None] = {"output_config": None} if obj.raw("output_config") is not None else {}
    content = obj.raw("content")
    if content is not None and is_list(content) and b'"tool_reference"' in content:
        values["content"] = elements.edited(content, _references_named) or content
    new = with_own_fields(obj, values)
    return None if new is None else [new]


def _references_named(block: bytes) -> list[bytes] | None:
    obj = splice.scan(block)
    if text_of(obj, "type") == "tool_reference":
        return [dumped({"type": "text", "text": f"The tool {text_of(obj, 'tool_name')} is now loaded."})]
    inside = obj.raw("content")
    if inside is None or not is_list(inside):
        return None
    new = elements.edited(inside, _references_named)
    return None if new is None else [splice.replace(obj, {"content": new})]


def no_cache_marks(dialect: str) -> Change:
    """For providers that cache by themselves, and refuse to be told."""

    def drop(draft: Draft, _limits: Limits) -> str | None:
        found = draft.raw("cache_control") is not None
        draft.drop("cache_control")
        for key in ("tools", "system", LISTS[dialect]):
            found = elements.edit(draft, key, _unmarked, b'"cache_control"') or found
        return "cache marks left out" if found else None

    return drop


def _unmarked(raw: bytes) -> list[bytes] | None:
    """Without a mark of its own, or of the parts in its content."""
    if b'"cache_control"' not in raw:
        return None
    obj = splice.scan(raw)
    values: dict[str, bytes | None] = {"cache_control": None} if obj.raw("cache_control") is not None else {}
    for key in ("content", "output"):
        inside = obj.raw(key)
        if inside is not None and is_list(inside):
            values[key] = elements.edited(inside, _unmarked) or inside
    new = with_own_fields(obj, values)
    return None if new is None else [new]


def _role(raw: bytes) -> str:
    try:
        return text_of(splice.scan(raw), "role")
    except BadRequest:
        return ""


_role_of = Remembered(_role, elements.REMEMBERED_BYTES_MAX).of


def each(dialect: str, one: elements.Change, words: str, *marks: bytes) -> Change:
    one = elements.remembering(one)

    def change(draft: Draft, _limits: Limits) -> str | None:
        return words if elements.edit(draft, LISTS[dialect], one, *marks) else None

    return change
