"""Models of this machine: what the servers that run here say of theirs, read leniently, and the catalogue with them.

Who asks the servers is `upstream.discover`. A found model costs nothing and is known by its own server's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

from stepfare.core.model import Capability, Model
from stepfare.core.step import Tier
from stepfare.providers.catalog import ELSEWHERE, NOTHING, UNKNOWN_OUTPUT_TOKENS, Catalog, in_order

FOUND = "found on this machine"
USED = "found on this machine; config.toml [local] use"
UNSAID_WINDOW_TOKENS = 8_192
"""Of a server that does not say how long a prompt may be: small servers are often started with less than their model allows."""
WINDOW_TOKENS_MAX = 100_000_000
MODELS_MAX = 64
"""Of one server; more are not looked at."""
NAME_CHARS_MAX = 256
EVERY = frozenset({Capability.TOOLS, Capability.STRUCTURED})
"""What is taken for granted of a model of a server that does not say: all four servers offer both for models that can."""

Json = Mapping[str, object]
_EMPTY: Json = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Said:
    """What a server says of one of its models; 0 tokens where it does not say."""

    name: str
    window_tokens: int = 0
    capabilities: frozenset[Capability] = EVERY


def ollama_names(tags: object) -> tuple[str, ...]:
    """The models of `GET /api/tags`."""
    return tuple(dict.fromkeys(name for row in _rows(tags, "models") if (name := _name(row.get("model") or row.get("name")))))[:MODELS_MAX]


def ollama_model(name: str, shown: object, running: object) -> Said:
    """A model by `POST /api/show`, and by `GET /api/ps` where it is loaded.

    What it is served with counts: loaded, that of its run; else what its parameters set; else what it was made for, which is the most
    that the server can be told to give it. Ollama cuts longer prompts without a word.
    """
    fields = _fields(shown)
    loaded = next((row for row in _rows(running, "models") if _name(row.get("model") or row.get("name")) == name), _EMPTY)
    made_for = next((value for key, value in _fields(fields.get("model_info")).items() if key.endswith(".context_length")), 0)
    window = _tokens(loaded.get("context_length")) or _num_ctx(fields.get("parameters")) or _tokens(made_for)
    return Said(name, window, _capabilities(fields.get("capabilities")))


def lmstudio_models(listed: object) -> tuple[Said, ...]:
    """The models of `GET /api/v0/models`; a loaded one has the window that it was loaded with."""
    found: list[Said] = []
    for row in _rows(listed, "data"):
        name = _name(row.get("id"))
        if name:
            window = _tokens(row.get("loaded_context_length")) or _tokens(row.get("max_context_length"))
            kind = row.get("type")
            said = ["embedding"] if kind == "embeddings" else ["completion", *_words(row.get("capabilities"))]
            can = _capabilities([*said, *(["vision"] if kind == "vlm" else [])])
            found.append(Said(name, window, can))
    return tuple(found[:MODELS_MAX])


def llamacpp_models(listed: object, props: object) -> tuple[Said, ...]:
    """The models of `GET /v1/models`, with the window of `GET /props`, which speaks of the one that is loaded. Nothing where these are
    not a llama.cpp's settings."""
    settings = _fields(_fields(props).get("default_generation_settings"))
    if not settings:
        return ()
    template = _fields(_fields(props).get("chat_template_caps"))
    served = _tokens(settings.get("n_ctx")) or _tokens(_fields(props).get("n_ctx"))
    rows = _rows(listed, "data")
    can = set(EVERY)
    if template.get("supports_tools") is False or template.get("supports_tool_calls") is False:
        can.discard(Capability.TOOLS)
    if _fields(_fields(props).get("modalities")).get("vision") is True:
        can.add(Capability.VISION)
    found: list[Said] = []
    for row in rows[:MODELS_MAX]:
        name = _name(row.get("id"))
        # A server of several models speaks of none in particular.
        window = served if len(rows) == 1 else 0
        if name:
            found.append(Said(name, window or _tokens(_fields(row.get("meta")).get("n_ctx")), frozenset(can)))
    return tuple(found)


def vllm_models(listed: object) -> tuple[Said, ...]:
    """The models of `GET /v1/models` with `max_model_len`, by which a vLLM is told from whatever else listens at its port."""
    rows = [row for row in _rows(listed, "data") if row.get("owned_by") == "vllm" or _tokens(row.get("max_model_len"))]
    found = [Said(name, _tokens(row.get("max_model_len"))) for row in rows if (name := _name(row.get("id")))]
    return tuple(found[:MODELS_MAX])


def found_models(provider: str, said: Iterable[Said]) -> tuple[Model, ...]:
    """Rows for what a server said. They are frugal: no maker's price tells what a model that fits here is worth."""
    return tuple(_model(provider, one) for one in said)


def with_found(catalog: Catalog, found: Sequence[Model], *, use: bool) -> Catalog:
    """The catalogue with the models of this machine; with `use` those that converse may be chosen unasked. A row that is there stays."""
    new = {model.id: model for model in found if model.id not in catalog.models and model.provider in catalog.providers}
    if use:
        new = {name: replace(model, tier_source=USED) if model.converses else model for name, model in new.items()}
    models = {**catalog.models, **new}
    playing = [models[name] for name in (*catalog.in_play, *(name for name, model in new.items() if use and model.converses))]
    return replace(catalog, models=MappingProxyType(models), in_play=in_order(playing))


def _model(provider: str, said: Said) -> Model:
    window = said.window_tokens or UNSAID_WINDOW_TOKENS
    return Model(
        id=f"{provider}/{said.name}",
        provider=provider,
        upstream=said.name,
        tier=Tier.FRUGAL,
        context_tokens=window,
        max_output_tokens=min(UNKNOWN_OUTPUT_TOKENS, window),
        capabilities=said.capabilities,
        prices=() if said.name.endswith(ELSEWHERE) else NOTHING,
        tier_source=FOUND,
    )


_ABILITIES = {
    "tools": Capability.TOOLS,
    "tool_use": Capability.TOOLS,
    "vision": Capability.VISION,
    "thinking": Capability.REASONING,
    "reasoning": Capability.REASONING,
    "insert": Capability.FILL,
    "embedding": Capability.EMBED,
}
"""What servers call what a model can do."""


def _capabilities(said: object) -> frozenset[Capability]:
    words = _words(said)
    if not words:
        return EVERY
    known = {_ABILITIES[word] for word in words if word in _ABILITIES}
    return frozenset(known) if known == {Capability.EMBED} else frozenset(known | {Capability.STRUCTURED})


def _num_ctx(parameters: object) -> int:
    """`num_ctx` of a model's parameters, which are lines of name and value."""
    if not isinstance(parameters, str):
        return 0
    for line in parameters.splitlines():
        name, _, value = line.partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return _tokens(int(value.strip()[:12]))
    return 0


def _rows(value: object, key: str) -> list[Json]:
    rows = _fields(value).get(key)
    return [cast("Json", row) for row in cast("list[object]", rows) if isinstance(row, dict)] if isinstance(rows, list) else []


def _fields(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else _EMPTY


def _words(value: object) -> list[str]:
    return [word for word in cast("list[object]", value) if isinstance(word, str)] if isinstance(value, list) else []


def _name(value: object) -> str:
    """A name that can be asked for: one word of printable signs."""
    if not isinstance(value, str) or not 0 < len(value) <= NAME_CHARS_MAX or not value.isprintable() or " " in value:
        return ""
    return value


def _tokens(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= WINDOW_TOKENS_MAX else 0
