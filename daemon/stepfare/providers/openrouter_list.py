"""OpenRouter's own list of models (`GET /api/v1/models`) as rows of a price table. Nothing here asks for it.

Prices are decimal texts of dollars per token; a picodollar is the smallest unit of the books, and what is finer is left out with a
word, never rounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import cast

from stepfare.core.model import Capability
from stepfare.core.money import PUSD_PER_USD

RATE_PUSD_MAX = 10_000_000_000
"""Ten thousand dollars per million tokens: more is an error of the list."""
WINDOW_TOKENS_MAX = 1_000_000_000
MODELS_MAX = 5_000
ID_CHARS_MAX = 200
TEXT_CHARS_MAX = 40

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the list: rates in picodollars per token (input, cache read, cache write, cache write for an hour, output), None where the
    list names none."""

    name: str
    window_tokens: int
    max_output_tokens: int
    """0 where the list does not say."""
    capabilities: frozenset[Capability]
    rates: tuple[int, int | None, int | None, int | None, int]


@dataclass(frozen=True, slots=True)
class ModelList:
    """What a page of the list says: its models, those that cannot be used with the reason, and where the next page is."""

    models: tuple[ListedModel, ...]
    left_out: Mapping[str, str]
    next_page: str = ""


def read_list(text: bytes) -> ModelList:
    """A page of the list, read leniently. Raises ValueError where it is none at all."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    fields = _fields(value)
    rows = fields.get("data")
    if not isinstance(rows, list):
        raise ValueError("it has no list of models")
    models: dict[str, ListedModel] = {}
    left_out: dict[str, str] = {}
    for row in cast("list[object]", rows)[:MODELS_MAX]:
        said = _fields(row)
        name = said.get("id")
        if not isinstance(name, str) or not _is_name(name):
            continue
        found = _model(name, said)
        if isinstance(found, ListedModel):
            models[name] = found
        elif found:
            left_out[name] = found
    following = _fields(fields.get("links")).get("next")
    return ModelList(tuple(models.values()), left_out, following if isinstance(following, str) else "")


def _model(name: str, said: Json) -> ListedModel | str:
    """The model, or why it is left out; no reason for what was never meant for agents."""
    if name.startswith(("~", "openrouter/")) or name.partition(":")[2] not in ("", "free"):
        return ""  # A name that moves, a router, or a way of choosing the host: what is served under it has a row of its own.
    architecture = _fields(said.get("architecture"))
    makes = _texts(architecture.get("output_modalities"))
    if makes and "text" not in makes:
        return ""
    window = _tokens(said.get("context_length"))
    if not window:
        return "the list does not say how long its prompts may be"
    rates = _rates(_fields(said.get("pricing")))
    if isinstance(rates, str):
        return rates
    top = _fields(said.get("top_provider"))
    can = {_ABILITIES[word] for word in _texts(said.get("supported_parameters")) if word in _ABILITIES}
    if "image" in _texts(architecture.get("input_modalities")):
        can.add(Capability.VISION)
    output = min(_tokens(top.get("max_completion_tokens")), window)
    return ListedModel(name, window, output, frozenset(can), rates)


def _rates(pricing: Json) -> tuple[int, int | None, int | None, int | None, int] | str:
    known: dict[str, int] = {}
    for key in ("prompt", "completion", "input_cache_read", "input_cache_write", "input_cache_write_1h"):
        value = pricing.get(key)
        if value is None:
            continue
        rate = _rate(value)
        if rate is None:
            return f"its price {key} is {str(value)[:TEXT_CHARS_MAX]!r}, which is no whole number of picodollars per token within bounds"
        known[key] = rate
    if "prompt" not in known or "completion" not in known:
        return "no price is known"
    # A cache that costs nothing to write is how the list says that writing is not billed apart.
    write, hour = known.get("input_cache_write") or None, known.get("input_cache_write_1h") or None
    return known["prompt"], known.get("input_cache_read"), write, hour, known["completion"]


def _rate(value: object) -> int | None:
    """Dollars per token as picodollars per token, exactly."""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > TEXT_CHARS_MAX:
        return None
    try:
        rate = Decimal(value) * PUSD_PER_USD
    except InvalidOperation:
        return None
    if not rate.is_finite() or rate < 0 or rate > RATE_PUSD_MAX or rate != int(rate):
        return None
    return int(rate)


_ABILITIES = {
    "tools": Capability.TOOLS,
    "reasoning": Capability.REASONING,
    "structured_outputs": Capability.STRUCTURED,
}


def _is_name(name: str) -> bool:
    return len(name) <= ID_CHARS_MAX and "/" in name and name.isprintable() and " " not in name


def _fields(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else cast("Json", {})


def _texts(value: object) -> Sequence[str]:
    return [text for text in cast("list[object]", value) if isinstance(text, str)] if isinstance(value, list) else []


def _tokens(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= WINDOW_TOKENS_MAX else 0


def pages(found: Sequence[ModelList]) -> Iterator[ListedModel]:
    """All models of all pages, each once."""
    seen: set[str] = set()
    for page in found:
        for model in page.models:
            if model.name not in seen:
                seen.add(model.name)
                yield model
