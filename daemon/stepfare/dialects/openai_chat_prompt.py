"""OpenAI chat completions, read as a prompt: what a client of this format asks, for those who speak another one.

Writing a prompt in this format is the business of `openai_chat_request`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from stepfare.core.prompt import (
    EFFORTS,
    FIVE_MINUTES_S,
    HOUR_S,
    CallPart,
    FilePart,
    ImagePart,
    Loss,
    Message,
    OtherPart,
    OutputForm,
    Part,
    Prompt,
    ResultPart,
    TextPart,
    ThoughtPart,
    ToolOffer,
)
from stepfare.core.request import RequestView, Role
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.numbers import number
from stepfare.dialects.openai_chat_thoughts import is_marked, thought_of
from stepfare.dialects.remembered import Remembered

ROLES: Mapping[str, Role] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
AUDIO = Loss("audio", "the sound in the prompt", essential=True)
VIDEO = Loss("video", "the film in the prompt", essential=True)
STORED = Loss("file", "the file that the client stored at its own provider", essential=True)
HARMLESS = {
    "logprobs": "the probabilities of the tokens",
    "logit_bias": "the bias of single tokens",
    "seed": "the seed",
    "presence_penalty": "the penalty on what was said",
    "frequency_penalty": "the penalty on what was said often",
    "prediction": "the text that the client expects",
    "web_search_options": "the provider's own web search",
    "verbosity": "how wordy the answer should be",
}
"""What a prompt has no word for and an answer can do without, by its key."""

_LOW_TOKENS, _MEDIUM_TOKENS = 2_048, 8_192
"""Budgets of thinking up to which it is low or medium effort."""


def read_prompt(view: RequestView) -> Prompt:
    """What this body asks. Lenient: what is not understood becomes an `OtherPart` or a `Loss`, never an error."""
    obj = splice.JsonObject(view.raw, view.spans)
    fields = {span.key: _value(view.raw[span.start : span.end]) for span in view.spans if span.key != "messages"}
    lost: dict[str, Loss] = {}
    choice, allowed = _choice(fields.get("tool_choice", fields.get("function_call")))
    tools = tuple(tool for tool in tool_offers(fields, lost) if allowed is None or tool.name in allowed)
    messages = _messages(splice.items(obj.raw("messages") or b"[]"), lost)
    _lose(fields, lost)
    effort, show = _effort(fields)
    return Prompt(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        parallel=_flag(fields.get("parallel_tool_calls")),
        stream=view.stream,
        max_output_tokens=view.max_output_tokens,
        temperature=number(fields.get("temperature")),
        top_p=number(fields.get("top_p")),
        stop=_stops(fields.get("stop")),
        effort=effort,
        show_thoughts=show,
        form=_form(fields.get("response_format")),
        cache_key=_string(fields.get("prompt_cache_key")),
        service="" if (tier := _string(fields.get("service_tier"))) in ("auto", "default") else tier,
        losses=tuple(lost.values()),
    )


def tool_offers(fields: Mapping[str, object], lost: dict[str, Loss]) -> list[ToolOffer]:
    """The tools of a decoded body; those that only its own provider can run are told in `lost`."""
    found: list[ToolOffer] = []
    for tool in _objects(fields.get("tools")):
        kind = "custom" if isinstance(tool.get("custom"), dict) else _string(tool.get("type")) or "function"
        named = _object(tool.get(kind)) or tool
        name = _string(named.get("name"))
        if kind in ("function", "custom") and name:
            found.append(_offer(name, named, _seconds(tool) or _seconds(named), custom=kind == "custom"))
        else:
            lost[f"tool {kind}"] = Loss(f"tool {kind}", f"the provider's own tool {kind}")
    legacy = _objects(fields.get("functions"))
    return found + [_offer(name, function, 0, custom=False) for function in legacy if (name := _string(function.get("name")))]


def _offer(name: str, named: Mapping[str, object], cache_s: int, *, custom: bool) -> ToolOffer:
    schema = _object(None if custom else named.get("parameters"))
    return ToolOffer(name, _string(named.get("description")), schema, "", custom, _flag(named.get("strict")), cache_s)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one message says."""

    message: Message
    losses: Mapping[str, Loss]
    custom: frozenset[str]
    """The ids of its calls of custom tools."""


def _messages(raws: Sequence[bytes], lost: dict[str, Loss]) -> tuple[Message, ...]:
    messages: list[Message] = []
    custom: set[str] = set()
    for raw in raws:
        read = _MESSAGES.of(raw)
        lost.update(read.losses)
        custom |= read.custom
        answers_custom = custom and read.message.role is Role.TOOL
        messages.append(_of_custom(read.message, custom) if answers_custom else read.message)
    return tuple(messages)


def _read_message(raw: bytes) -> _Read:
    lost: dict[str, Loss] = {}
    try:
        fields = _object(splice.loads(raw))
    except BadRequest:
        fields = _object(None)
    role = ROLES.get(_string(fields.get("role")), Role.USER)
    parts: list[Part] = _parts(fields.get("content"), lost) if fields else [OtherPart("unreadable")]
    if mark_s := _seconds(fields):
        parts[-1:] = [_marked(part, mark_s) for part in parts[-1:]]
    if role is Role.TOOL:
        said = tuple(part for part in parts if isinstance(part, TextPart | ImagePart | FilePart))
        parts = [ResultPart(_string(fields.get("tool_call_id")), said)]
    elif role is Role.ASSISTANT:
        parts = _assistant(fields, parts, thinks=is_marked(raw), lost=lost)
    custom = frozenset(part.id for part in parts if isinstance(part, CallPart) and part.custom)
    return _Read(Message(role, tuple(parts)), lost, custom)


_MESSAGES = Remembered(_read_message)


def _of_custom(message: Message, custom: Collection[str]) -> Message:
    """The same with results of custom tools known as such."""
    parts = (replace(part, custom=part.id in custom) if isinstance(part, ResultPart) else part for part in message.parts)
    return Message(message.role, tuple(parts))


def _assistant(fields: Mapping[str, object], parts: list[Part], *, thinks: bool, lost: dict[str, Loss]) -> list[Part]:
    thought = thought_of(fields) if thinks else None
    refusal = _string(fields.get("refusal"))
    if refusal and not parts:
        parts = [TextPart(refusal)]
    if isinstance(fields.get("audio"), dict):
        lost["audio"] = AUDIO
    calls = [_call(call) for call in _objects(fields.get("tool_calls"))]
    if legacy := _object(fields.get("function_call")):
        calls.append(CallPart("", _string(legacy.get("name")), _json_text(legacy.get("arguments"))))
    return [*([ThoughtPart(thought)] if thought is not None else []), *parts, *calls]


def _call(call: Mapping[str, object]) -> CallPart:
    free = _object(call.get("custom"))
    named = free or _object(call.get("function"))
    said = named.get("input") if free else named.get("arguments")
    return CallPart(_string(call.get("id")), _string(named.get("name")), _json_text(said), "", bool(free), _seconds(call))


def _parts(content: object, lost: dict[str, Loss]) -> list[Part]:
    if isinstance(content, str):
        return [TextPart(content)] if content else []
    found: list[Part] = []
    for part in cast("list[object]", content) if isinstance(content, list) else []:
        if isinstance(part, str):
            found.append(TextPart(part))
        elif isinstance(part, dict):
            found.append(_part(cast("dict[str, object]", part), lost))
        else:
            found.append(OtherPart("unknown"))
    return found


def _part(part: Mapping[str, object], lost: dict[str, Loss]) -> Part:
    kind, cache_s = _string(part.get("type")) or "unknown", _seconds(part)
    text = part.get("refusal" if kind == "refusal" else "text")
    if kind in ("text", "input_text", "output_text", "refusal") and isinstance(text, str):
        return TextPart(text, cache_s)
    if kind in ("image_url", "input_image", "image"):
        return _image(part, cache_s)
    if kind in ("file", "input_file"):
        return _file(_object(part.get("file")) or part, cache_s, lost)
    if kind == "input_audio":
        lost["audio"] = AUDIO
    elif kind in ("video_url", "input_video"):
        lost["video"] = VIDEO
    elif kind not in ("thinking", "reasoning"):  # Another's thoughts are no loss.
        lost[f"part {kind}"] = Loss(f"part {kind}", f"a part of the kind {kind}")
    return OtherPart(kind)


def _image(part: Mapping[str, object], cache_s: int) -> ImagePart:
    named = part.get("image_url")
    place = _object(named) or {"url": named}
    detail = _string(place.get("detail")) or _string(part.get("detail"))
    source = _object(part.get("source"))  # As Anthropic writes it; some clients mix the two.
    if source:
        return ImagePart(
            _string(source.get("media_type")), _string(source.get("data")), _string(source.get("url")), detail=detail, cache_s=cache_s
        )
    media_type, data, url = _data_url(_string(place.get("url")))
    return ImagePart(media_type, data, url, detail, cache_s)


def _file(named: Mapping[str, object], cache_s: int, lost: dict[str, Loss]) -> Part:
    name, content = _string(named.get("filename")), _string(named.get("file_data")) or _string(named.get("file_url"))
    if not content:
        lost["file"] = STORED
        return OtherPart("file")
    media_type, data, url = _data_url(content)
    if url and "://" not in url[:16]:  # Bare base64.
        media_type, data, url = "application/pdf", url, ""
    return FilePart(media_type, data, url, name=name, cache_s=cache_s)


def _data_url(url: str) -> tuple[str, str, str]:
    """The media type and the base64 that such an address holds, or the address itself."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        return "", "", url
    return head[5:-7].partition(";")[0], data, ""


def _choice(value: object) -> tuple[str, frozenset[str] | None]:
    """How tools must be chosen, and the names of those that may be, where not all may."""
    if isinstance(value, str):
        return ("required" if value == "any" else value) if value in ("auto", "none", "required", "any") else "", None
    fields = _object(value)
    if fields.get("type") == "allowed_tools":
        inner = _object(fields.get("allowed_tools")) or fields
        names = frozenset(
            _string((_object(tool.get(_string(tool.get("type")))) or tool).get("name")) for tool in _objects(inner.get("tools"))
        )
        return _choice(inner.get("mode"))[0], names or None
    if fields.get("type") in ("auto", "none", "required", "any"):
        return _choice(fields.get("type"))
    name = _string((_object(fields.get("function")) or _object(fields.get("custom")) or fields).get("name"))
    return f"tool:{name}" if name else "", None


def _effort(fields: Mapping[str, object]) -> tuple[str, bool]:
    """How hard to think, as OpenAI, OpenRouter and the others let a client say it, and whether it wants to be shown."""
    reasoning = _object(fields.get("reasoning"))
    show = reasoning.get("exclude") is not True and fields.get("include_reasoning") is not False
    said = _string(fields.get("reasoning_effort")) or _string(reasoning.get("effort"))
    budget = reasoning.get("max_tokens")
    if said in EFFORTS:
        return said, show
    if isinstance(budget, int) and not isinstance(budget, bool):
        words = ((0, "none"), (_LOW_TOKENS, "low"), (_MEDIUM_TOKENS, "medium"))
        return next((word for most, word in words if budget <= most), "high"), show
    switch = _object(fields.get("thinking")).get("type")
    if reasoning.get("enabled") is False or switch == "disabled" or fields.get("enable_thinking") is False:
        return "none", show
    wanted = reasoning.get("enabled") is True or switch == "enabled" or fields.get("enable_thinking") is True
    return "medium" if wanted else "", show


def _form(value: object) -> OutputForm | None:
    fields = _object(value)
    if fields.get("type") == "json_object":
        return OutputForm()
    if fields.get("type") != "json_schema":
        return None
    named = _object(fields.get("json_schema")) or fields
    return OutputForm(_string(named.get("name")), _object(named.get("schema")) or None, _flag(named.get("strict")))


def _lose(fields: Mapping[str, object], lost: dict[str, Loss]) -> None:
    """Tell what the fields of the body ask for that a prompt has no word for."""
    answers = fields.get("n")
    if isinstance(answers, int) and answers > 1:
        lost["n"] = Loss("n", f"{answers} answers at once", essential=True)
    modalities = fields.get("modalities")
    if isinstance(modalities, list) and "audio" in cast("list[object]", modalities):
        lost["modalities"] = Loss("modalities", "a spoken answer", essential=True)
    for key, words in HARMLESS.items():
        if fields.get(key):
            lost[key] = Loss(key, words)


def _stops(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(one for one in cast("list[object]", value) if isinstance(one, str) and one) if isinstance(value, list) else ()


def _seconds(part: Mapping[str, object]) -> int:
    """The lifetime that a cache mark here asks for."""
    mark = _object(part.get("cache_control"))
    return 0 if not mark else HOUR_S if mark.get("ttl") == "1h" else FIVE_MINUTES_S


def _marked(part: Part, cache_s: int) -> Part:
    if isinstance(part, TextPart):
        return TextPart(part.text, cache_s)
    if isinstance(part, ImagePart):
        return ImagePart(part.media_type, part.data, part.url, part.detail, cache_s)
    return part


def _value(raw: bytes) -> object:
    try:
        return splice.loads(raw)
    except BadRequest:
        return None


def _json_text(value: object) -> str:
    """Arguments as text, which some clients send as an object."""
    return value if isinstance(value, str) else "" if value is None else splice.dumps(value).decode()


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, object]]:
    parts = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, object]", part) for part in parts if isinstance(part, dict)]
