"""Images in the results of tools, for providers that take them from the user only: the user shows them after the results."""

from __future__ import annotations

from stepfare.dialects import elements, splice
from stepfare.dialects.draft import Draft
from stepfare.dialects.elements import dumped, is_list, text_of
from stepfare.dialects.limits import Change, Limits
from stepfare.dialects.rule_messages import LISTS, SEEN_BELOW

_IMAGES = {"openai": ("image_url",), "anthropic": ("image",), "responses": ("input_image",)}
_RESULTS = {"openai": "content", "responses": "output"}
"""Where a result's own parts stand."""


def no_images_in_tools(dialect: str) -> Change:
    def move(draft: Draft, _limits: Limits) -> str | None:
        mark = f'"{_IMAGES[dialect][0]}"'.encode()
        if dialect == "anthropic":
            moved = elements.edit(draft, "messages", _within_message, mark)
        else:
            moved = _behind_results(draft, dialect, mark)
        return "images in results shown after them" if moved else None

    return move


def _within_message(raw: bytes) -> list[bytes] | None:
    """Anthropic's results and the user's words share a message: the images go to its end."""
    if b'"tool_result"' not in raw:
        return None
    obj = splice.scan(raw)
    content = obj.raw("content")
    if content is None or not is_list(content):
        return None
    images: list[bytes] = []

    def one(block: bytes) -> list[bytes] | None:
        result = splice.scan(block)
        inside = result.raw("content") if text_of(result, "type") == "tool_result" else None
        if inside is None or not is_list(inside):
            return None
        new = _taken_out(inside, "anthropic", images)
        return None if new is None else [splice.replace(result, {"content": new})]

    new = elements.edited(content, one)
    return None if new is None else [splice.replace(obj, {"content": b"[" + b",".join((*splice.items(new), *images)) + b"]"})]


def _behind_results(draft: Draft, dialect: str, mark: bytes) -> bool:
    """Results of one turn come together and are followed by nothing until the next: their images go behind the last of them."""
    raw = draft.raw(LISTS[dialect])
    if raw is None or not is_list(raw) or mark not in raw:
        return False
    images: list[bytes] = []
    items = splice.items(raw)
    at = -1

    def one(item: bytes) -> list[bytes] | None:
        nonlocal at
        at += 1
        obj = splice.scan(item)
        key = _RESULTS[dialect]
        inside = obj.raw(key) if _is_result(obj, dialect) else None
        new = _taken_out(inside, dialect, images) if inside is not None and is_list(inside) else None
        said = item if new is None else splice.replace(obj, {key: new})
        ends = at + 1 == len(items) or not _is_result(splice.scan(items[at + 1]), dialect)
        if images and ends:
            shown = b'{"role":"user","content":[' + b",".join(images) + b"]}"
            images.clear()
            return [said, shown]
        return None if new is None else [said]

    new = elements.edited(raw, one)
    if new is not None:
        draft.set(LISTS[dialect], new)
    return new is not None


def _is_result(obj: splice.JsonObject, dialect: str) -> bool:
    if dialect == "openai":
        return text_of(obj, "role") == "tool"
    return text_of(obj, "type") in ("function_call_output", "custom_tool_call_output")


def _taken_out(parts: bytes, dialect: str, images: list[bytes]) -> bytes | None:
    """The parts with a word in place of each image, which is added to the others."""
    text = "input_text" if dialect == "responses" else "text"

    def one(part: bytes) -> list[bytes] | None:
        if text_of(splice.scan(part), "type") not in _IMAGES[dialect]:
            return None
        images.append(part)
        return [dumped({"type": text, "text": SEEN_BELOW})]

    return elements.edited(parts, one)
