"""Whose API the simulator plays under which path: one row for each provider, with its rules, shapes, caches and prices.

The prices and models of a family are those of the bundled catalogue. The simulator's own models are a family too, without a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from stepfare.core.model import Capability, Model
from stepfare.core.step import Tier
from stepfare.providers.catalog import EVERYTHING, NOTHING, Catalog
from stepfare.providers.rows import bundled_catalog
from stepfare.simulator import strict_anthropic, strict_google, strict_mistral, strict_openai, strict_others, strict_responses
from stepfare.simulator.cache import CachePolicy
from stepfare.simulator.catalogue import CACHE
from stepfare.simulator.fields import fields_of
from stepfare.simulator.reading import own_model
from stepfare.simulator.refused import Refused
from stepfare.simulator.rules import Ask, Rule, named

LOCAL_CONTEXT_TOKENS = 131_072
LOCAL_OUTPUT_TOKENS = 32_768
UNSAID_OUTPUT_TOKENS = 32_768

EMBEDDERS = ("text-embedding-", "mistral-embed", "codestral-embed", "gemini-embedding-", "qwen3-embedding", "nomic-embed")
"""How models are called that the price tables leave out, and that make vectors of texts; calls of them are unpriced."""

MARK_MIN_TOKENS = (("claude-opus-4-5", 4096), ("claude-opus-4-6", 4096), ("claude-haiku-4-5", 4096), ("claude-opus-4-7", 2048), ("", 1024))
"""The shortest prompt that Anthropic caches, by the beginning of the model's name."""


def _thinks_if_asked(ask: Ask) -> bool | None:
    """What a request of any format says about thinking; None where it says nothing."""
    thinking = fields_of(ask.body.get("thinking")).get("type")
    effort = ask.body.get("reasoning_effort") or fields_of(ask.body.get("reasoning")).get("effort")
    if thinking == "disabled" or effort == "none":
        return False
    return True if thinking in ("enabled", "adaptive") or effort else None


def _never(_ask: Ask) -> bool | None:
    return False


def _own_cache(_model: Model) -> CachePolicy:
    return CachePolicy(CACHE.min_tokens, CACHE.lifetime_ms)


def _anthropic_cache(model: Model) -> CachePolicy:
    name = model.upstream.removeprefix("anthropic/").replace(".", "-")
    least = next(tokens for beginning, tokens in MARK_MIN_TOKENS if name.startswith(beginning))
    return CachePolicy(min_tokens=least, marked=True)


def _openai_cache(_model: Model) -> CachePolicy:
    return CachePolicy(min_tokens=1024, lifetime_ms=300_000, unit=128)


def _silent_cache(unit: int, min_tokens: int) -> Callable[[Model], CachePolicy]:
    """A cache that is filled for nothing, and lives as long as the catalogue believes."""

    def policy(model: Model) -> CachePolicy:
        provider = _catalog().providers.get(model.provider)
        known = provider.cache if provider is not None else None
        return CachePolicy(min_tokens, known.lifetime_ms if known else 300_000, unit, writes=False)

    return policy


_plain_cache = _silent_cache(64, 1024)


def _openrouter_cache(model: Model) -> CachePolicy:
    maker = model.upstream.partition("/")[0]
    if maker == "anthropic":
        return _anthropic_cache(model)
    return _openai_cache(model) if maker == "openai" else CachePolicy(1024, 300_000, 64, writes=False)


@dataclass(frozen=True, slots=True)
class Family:
    """How one provider's API behaves. `rules` has a row for each format that it speaks; an empty one is lenient.

    `errors` and `usage` name shapes of `errors` and `usages`. `shows` is where chat completions tell thoughts: the name of a field of the
    message, or nothing.
    """

    id: str
    rules: Mapping[str, tuple[Rule, ...]]
    thinks: Mapping[str, Callable[[Ask], bool | None]] = field(default_factory=dict[str, Callable[[Ask], "bool | None"]])
    cache: Callable[[Model], CachePolicy] = _plain_cache
    errors: str = "openai"
    usage: str = "openai"
    shows: str = "reasoning_content"
    call_ids: str = "call_"
    needs_key: bool = True
    local: bool = False

    @property
    def own(self) -> bool:
        """Whether these are the simulator's own models."""
        return not self.id


_CHAT_ONLY: Mapping[str, tuple[Rule, ...]] = {"openai": ()}

OWN = Family(
    "",
    {"openai": (), "anthropic": (), "responses": ()},
    dict.fromkeys(("openai", "anthropic", "responses"), _thinks_if_asked),
    _own_cache,
    needs_key=False,
)

_TABLE = (
    Family(
        "anthropic",
        {"anthropic": strict_anthropic.RULES},
        {"anthropic": strict_anthropic.thinks},
        _anthropic_cache,
        "anthropic",
        "anthropic",
    ),
    Family(
        "openai",
        {"openai": strict_openai.RULES, "responses": strict_responses.RULES},
        {"openai": strict_openai.thinks, "responses": strict_responses.thinks},
        _openai_cache,
        shows="",
    ),
    Family(
        "google",
        {"openai": strict_google.RULES},
        {"openai": strict_google.thinks},
        _silent_cache(1, 2048),
        errors="google",
        usage="google",
        shows="",
        call_ids="function-call-",
    ),
    Family(
        "deepseek",
        {"openai": strict_others.DEEPSEEK_CHAT, "anthropic": strict_others.DEEPSEEK_MESSAGES},
        {"openai": strict_others.deepseek_thinks, "anthropic": strict_others.deepseek_thinks},
        _silent_cache(64, 64),
        usage="deepseek",
        call_ids="call_00_",
    ),
    Family("mistral", {"openai": strict_mistral.RULES}, {"openai": _never}, errors="mistral", shows="", call_ids=""),
    Family("xai", {"openai": strict_others.XAI_CHAT}, {"openai": strict_others.xai_thinks}, errors="xai", usage="xai", shows=""),
    Family(
        "openrouter",
        {"openai": strict_others.OPENROUTER_CHAT},
        {"openai": strict_others.openrouter_thinks},
        _openrouter_cache,
        errors="openrouter",
        usage="openrouter",
        shows="reasoning",
    ),
    *(
        Family(name, _CHAT_ONLY, {"openai": _thinks_if_asked}, needs_key=False, local=True)
        for name in ("local", "ollama", "lmstudio", "llamacpp", "vllm")
    ),
)
FAMILIES: Mapping[str, Family] = {family.id: family for family in _TABLE}
"""Those with rules of their own; every other provider of the price table is a lenient one that speaks chat completions."""


@cache
def _catalog() -> Catalog:
    return bundled_catalog()


def family_of(name: str) -> Family:
    """The family under this path; raises `Refused` where there is none."""
    if not name:
        return OWN
    if name in FAMILIES:
        return FAMILIES[name]
    if name in _catalog().prices.providers:
        return Family(name, _CHAT_ONLY, {"openai": _thinks_if_asked})
    known = ", ".join((*FAMILIES, *(each for each in _catalog().prices.providers if each not in FAMILIES)))
    raise Refused(404, f"The simulator plays no provider {name}. It plays {known}.", "not_found")


def model_of(family: Family, name: object) -> Model:
    """The model of this name; raises `Refused` in the words of the provider where it has none."""
    if family.own:
        return own_model(name)
    if not isinstance(name, str) or not name:
        words = "model: Field required" if family.id == "anthropic" else "you must provide a model parameter"
        raise Refused(400, words, None, "model")
    if family.local:
        return _local(family, name)
    present = _catalog().models.get(f"{family.id}/{name}")
    if present is not None:
        return present
    listed = _catalog().prices.lookup(f"{family.id}/{name}")
    if listed is None and name.startswith(EMBEDDERS):
        return Model(f"{family.id}/{name}", family.id, name, Tier.FRUGAL, 8192, 1, frozenset({Capability.EMBED}))
    if listed is None:
        raise _no_model(family, name)
    return Model(
        id=f"{family.id}/{listed.name}",
        provider=family.id,
        upstream=listed.name,
        tier=Tier.BALANCED,
        context_tokens=listed.window_tokens,
        max_output_tokens=listed.max_output_tokens or min(UNSAID_OUTPUT_TOKENS, listed.window_tokens),
        capabilities=EVERYTHING if listed.capabilities is None else listed.capabilities,
        prices=listed.prices,
    )


def models_of(family: Family) -> tuple[str, ...]:
    """The names of its models."""
    return ("qwen3:8b", "gpt-oss:20b") if family.local else _catalog().prices.names(family.id)


def _local(family: Family, name: str) -> Model:
    can = frozenset({Capability.TOOLS, Capability.STRUCTURED, Capability.FILL, Capability.EMBED})
    return Model(f"{family.id}/{name}", family.id, name, Tier.FRUGAL, LOCAL_CONTEXT_TOKENS, LOCAL_OUTPUT_TOKENS, can, NOTHING)


def _no_model(family: Family, name: str) -> Refused:
    match family.id:
        case "anthropic":
            return Refused(404, f"model: {name}")
        case "openrouter":
            return Refused(400, f"{name} is not a valid model ID")
        case "google":
            return Refused(404, f"models/{name} is not found for API version v1main, or is not supported for generateContent.")
        case "mistral":
            return Refused(400, f"Invalid model: {name}", "1500")
        case "xai":
            return Refused(
                404, f"The model {name} does not exist or your team does not have access to it.", "Some requested entity was not found"
            )
        case "deepseek":
            return Refused(400, "Model Not Exist", "invalid_request_error")
        case _:
            return Refused(404, f"The model `{name}` does not exist or you do not have access to it.", "model_not_found")


def no_key(family: Family) -> Refused:
    """What a provider says to a call without a key."""
    match family.id:
        case "anthropic":
            return Refused(401, "x-api-key header is required")
        case "google":
            return Refused(400, "Missing or invalid Authorization header.")
        case "mistral":
            return Refused(401, "Unauthorized")
        case "openrouter":
            return Refused(401, "No auth credentials found")
        case "xai":
            return Refused(
                400,
                "Incorrect API key provided. You can obtain an API key from https://console.x.ai.",
                "Client specified an invalid argument",
            )
        case _:
            return Refused(401, "You didn't provide an API key. Send one in an Authorization header with Bearer auth.")


def signs_calls(family: Family, model: Model) -> bool:
    """Whether calls bear a thought signature."""
    return family.id == "google" and named(model.upstream, *strict_google.SIGNS_CALLS)
