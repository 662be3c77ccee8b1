"""Which models there are to choose from: the rows of catalog.toml, what the user's settings add and change, and every other model by name.

Prices are those of `prices`; whether a provider answers, and where its key is, is for others to know.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stepfare.core.model import CacheRule, Candidate, Capability, Model, PriceRow, Provider
from stepfare.core.money import Price, Rates
from stepfare.core.problem import Problem
from stepfare.core.step import Tier
from stepfare.providers.names import identity, same_model, split
from stepfare.providers.prices import Listed, PriceTable, bundled_prices, price_at

BUNDLED = Path(__file__).with_name("catalog.toml")
SOURCE = "catalog.toml"
SETTINGS = "config.toml"
DIALECTS = frozenset({"openai"})
"""What can be spoken to a provider so far."""

UNTIERED = Tier.BALANCED
"""The tier under which a model is booked that has none: such a model is served only where it is asked for by name."""
BY_NAME = "no tier is set for it; booked as balanced"

# Of a model that is asked for by name and that no table knows, nothing is refused on a guess: the provider itself will say no.
UNKNOWN_WINDOW_TOKENS = 1_000_000
UNKNOWN_OUTPUT_TOKENS = 131_072
# A model that the settings bring into play without saying its size must not be overfilled.
UNSAID_WINDOW_TOKENS = 131_072
UNSAID_OUTPUT_TOKENS = 16_384
EVERYTHING = frozenset(Capability)

NOTHING = (PriceRow(Price(Rates(0, 0, 0, 0, 0), source="runs on this machine")),)
"""Nobody bills what runs here: a known price, not an unknown one."""
ELSEWHERE = ("-cloud", ":cloud")
"""How a local server's models are called that run on its maker's machines; what those cost is not known."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _CacheTable(_Table):
    min_tokens: Annotated[int, Field(ge=0)]
    lifetime_s: Annotated[int, Field(gt=0)]


class _ProviderTable(_Table):
    dialect: Literal["openai"]
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?[^\s/]$")]
    key: Annotated[str, Field(pattern=r"^(env:[A-Z][A-Z0-9_]*)?$")] = ""
    auth: Literal["bearer", "x-api-key", "none"] = "bearer"
    quirks: tuple[str, ...] = ()
    cache: _CacheTable | None = None
    local: bool = False


class _ModelTable(_Table):
    id: Annotated[str, Field(pattern=r"^[^/\s]+/\S+$")]
    tier: Literal["frugal", "balanced", "premium"]
    context_tokens: Annotated[int, Field(gt=0)]
    max_output_tokens: Annotated[int, Field(gt=0)]
    capabilities: tuple[Capability, ...]


class _CatalogFile(_Table):
    providers: dict[str, _ProviderTable]
    models: tuple[_ModelTable, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers and models by id. `in_play` are the models that may be chosen unasked, lower tiers first, then in order of preference."""

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    in_play: tuple[str, ...]
    prices: PriceTable = field(repr=False)

    @property
    def catalogue_version(self) -> str:
        return self.prices.catalogue_version


def load_catalog(text: str, prices: PriceTable) -> tuple[Catalog, tuple[Problem, ...]]:
    """The catalogue that this text (as catalog.toml) describes. A broken text gives an empty one, with its problems."""
    nothing = Catalog(MappingProxyType({}), MappingProxyType({}), (), prices)
    try:
        file = _CatalogFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as trouble:
        return nothing, (Problem(SOURCE, "syntax", f"{trouble}. No provider is known until it is mended."),)
    except ValidationError as trouble:
        return nothing, tuple(
            Problem(SOURCE, "wrong-value", f"{'.'.join(map(str, one['loc']))}: {one['msg']}. No provider is known until it is mended.")
            for one in trouble.errors(include_url=False)
        )
    providers = {name: _provider(name, table) for name, table in file.providers.items()}
    strays = [table.id for table in file.models if table.id.partition("/")[0] not in providers]
    twice = sorted({table.id for table in file.models if sum(table.id == other.id for other in file.models) > 1})
    if strays or twice:
        return nothing, (
            *(
                Problem(SOURCE, "wrong-value", f"{name}: its provider has no table here. No model is known until it is mended.")
                for name in strays
            ),
            *(Problem(SOURCE, "wrong-value", f"{name}: there are two rows of it. No model is known until it is mended.") for name in twice),
        )
    models = {table.id: _model(table, prices) for table in file.models}
    return Catalog(MappingProxyType(providers), MappingProxyType(models), _in_order(models.values()), prices), ()


def bundled_catalog() -> Catalog:
    """What ships with this version. That it is whole is held by the tests."""
    catalog, problems = load_catalog(BUNDLED.read_text(encoding="utf-8"), bundled_prices())
    assert not problems, problems
    return catalog


def with_settings(
    catalog: Catalog,
    providers: Iterable[Provider] = (),
    models: Iterable[Model] = (),
    tiers: Mapping[Tier, Sequence[str]] = MappingProxyType({}),
) -> tuple[Catalog, tuple[Problem, ...]]:
    """The catalogue as the user's settings change it, and what of them could not be followed.

    What a value leaves empty (`""`, 0, an empty set, no price; a tier without `tier_source`) stays as the catalogue has it. A tier
    that `tiers` names is served by the models of its list only, in that order; a model of two lists counts as of the higher tier.
    """
    problems: list[Problem] = []
    known = dict(catalog.providers)
    for wanted in providers:
        merged, problem = _merged_provider(known.get(wanted.id), wanted)
        if merged is not None:
            known[wanted.id] = merged
        problems += [problem] if problem else []

    rows = dict(catalog.models)
    in_play = list(catalog.in_play)
    grown = replace(catalog, providers=MappingProxyType(known), models=MappingProxyType(rows))
    for wanted in models:
        if wanted.provider not in known:
            words = f"{wanted.id}: no provider {wanted.provider} is known, so the model is left out; add [providers.{wanted.provider}]."
            problems.append(_wrong(wanted.tier_source, words))
            continue
        tiered = bool(wanted.tier_source) or wanted.id in in_play
        merged = _merged_model(grown, wanted)
        problems += _size_unsaid(grown, wanted) if tiered else []
        rows[wanted.id] = merged
        if tiered and wanted.id not in in_play:
            in_play.append(wanted.id)

    listed: list[str] = []
    for tier in sorted(tiers, reverse=True):
        named: list[str] = []
        for name in tiers[tier]:
            provider, upstream = _home(grown, name)
            if not upstream:
                words = f"[tiers] {tier.word}: no provider of {name} is known, so it is left out; write PROVIDER/MODEL of one that is."
                problems.append(_wrong("", words))
                continue
            model_id = f"{provider}/{upstream}"
            if model_id in listed or model_id in named:
                continue
            wanted = Model(model_id, provider, upstream, tier, 0, 0, frozenset(), tier_source=f"{SETTINGS} [tiers]")
            merged = _merged_model(grown, wanted)
            problems += _size_unsaid(grown, wanted)
            rows[model_id] = merged
            named.append(model_id)
        listed = named + listed
    others = [rows[name] for name in in_play if name not in listed and rows[name].tier not in tiers]
    order = _in_order([*(rows[name] for name in listed), *others])
    return replace(grown, in_play=order), tuple(problems)


def candidates(catalog: Catalog, keys_present: Set[str], now_ms: int) -> tuple[Candidate, ...]:
    """The models in play whose provider can be used, each with the price of this moment. `keys_present` are ids of providers."""
    models = (catalog.models[name] for name in catalog.in_play)
    return tuple(candidate(catalog, model, now_ms) for model in models if usable(catalog.providers[model.provider], keys_present))


def named(catalog: Catalog, name: str, keys_present: Set[str], now_ms: int) -> tuple[Candidate, ...]:
    """The candidates that a requested name means (`find`), of providers that can be used, each with the price of this moment."""
    models = (model for model in find(catalog, name) if usable(catalog.providers[model.provider], keys_present))
    return tuple(candidate(catalog, model, now_ms) for model in models)


def candidate(catalog: Catalog, model: Model, now_ms: int) -> Candidate:
    """A model of this catalogue, also one of `find`, with its provider and the price that holds now."""
    return Candidate(model, catalog.providers[model.provider], price_at(model.prices, now_ms))


def usable(provider: Provider, keys_present: Set[str]) -> bool:
    """Whether a provider's key is there, or it needs none."""
    return not provider.key or provider.auth == "none" or provider.id in keys_present


def find(catalog: Catalog, name: str) -> tuple[Model, ...]:
    """The model that a client asks for by name, then the same model at other providers; empty where nobody is known to have it.

    `name` is `provider/model`, or what the model is called without a provider (`gpt-6-luna`, `anthropic/claude-opus-5.5`). It is sent
    upstream as it was asked for. A provider's model that no table knows is found all the same, unpriced, unless others are known to
    have it. What is asked of a provider of the user's own, local or not, is looked for nowhere else.
    """
    provider, upstream = _home(catalog, name)
    if not upstream:
        return _elsewhere(catalog, identity("", name), but="")
    model = _model_called(catalog, provider, upstream)
    if provider not in catalog.prices.providers:
        return (model,)
    others = _elsewhere(catalog, identity(provider, upstream), but=provider)
    return (model, *others) if _is_known(catalog, model.id) or not others else others


def _home(catalog: Catalog, name: str) -> tuple[str, str]:
    """The provider that a name begins with and the rest of it; the rest is empty where it begins with none of the catalogue."""
    first, _, upstream = name.partition("/")
    provider = first if first in catalog.providers else split(name)[0]
    return (provider, upstream) if provider in catalog.providers else (provider, "")


def _elsewhere(catalog: Catalog, wanted: tuple[str, str], but: str) -> tuple[Model, ...]:
    """The model of this identity at every provider but one, those in play first; nothing of this machine."""
    ids = [*catalog.in_play, *(name for name in catalog.models if name not in catalog.in_play)]
    found = [model for name in ids if same_model(identity((model := catalog.models[name]).provider, model.upstream), wanted)]
    listed = [(provider, name) for provider, name in catalog.prices.called(wanted[1]) if same_model(identity(provider, name), wanted)]
    found += [
        _model_called(catalog, provider, name)
        for provider in catalog.providers
        for where, name in listed
        if where == provider and f"{provider}/{name}" not in catalog.models
    ]
    return tuple(model for model in found if model.provider != but and not catalog.providers[model.provider].local)


def _is_known(catalog: Catalog, model_id: str) -> bool:
    return model_id in catalog.models or catalog.prices.lookup(model_id) is not None


def _model_called(catalog: Catalog, provider: str, upstream: str) -> Model:
    """The row of a model; without one what the price table says of it, else nothing but its name."""
    model_id = f"{provider}/{upstream}"
    present = catalog.models.get(model_id)
    if present is not None:
        return present
    said = catalog.prices.lookup(model_id) or Listed(provider, upstream, UNKNOWN_WINDOW_TOKENS, 0, None, ())
    billed_by_nobody = catalog.providers[provider].local and not upstream.endswith(ELSEWHERE)
    return Model(
        id=model_id,
        provider=provider,
        upstream=upstream,
        tier=UNTIERED,
        context_tokens=said.window_tokens,
        max_output_tokens=said.max_output_tokens or min(UNKNOWN_OUTPUT_TOKENS, said.window_tokens),
        capabilities=EVERYTHING if said.capabilities is None else said.capabilities,
        prices=NOTHING if billed_by_nobody else said.prices,
        tier_source=BY_NAME,
    )


def _merged_provider(present: Provider | None, wanted: Provider) -> tuple[Provider | None, Problem | None]:
    base = present or Provider(wanted.id, "", "", auth=wanted.auth if wanted.key else "none")
    merged = replace(
        base,
        dialect=wanted.dialect or base.dialect,
        base_url=wanted.base_url.rstrip("/") or base.base_url,
        key=wanted.key or base.key,
        # Bearer is also what a value says that leaves it open.
        auth=wanted.auth if wanted.auth != "bearer" else base.auth,
        quirks=wanted.quirks or base.quirks,
        cache=wanted.cache or base.cache,
        local=wanted.local or base.local,
    )
    place = f"[providers.{wanted.id}]"
    if not merged.dialect or not merged.base_url:
        return None, _wrong("", f"{place} is not in the catalogue and lacks dialect or base_url, so it is left out; add both.")
    if merged.dialect not in DIALECTS:
        spoken = ", ".join(sorted(DIALECTS))
        return None, _wrong("", f"{place} speaks {merged.dialect}, which cannot be sent yet (only {spoken}), so its settings are left out.")
    return merged, None


def _merged_model(catalog: Catalog, wanted: Model) -> Model:
    base = _model_called(catalog, wanted.provider, wanted.upstream)
    known = _is_known(catalog, wanted.id)
    context = wanted.context_tokens or (base.context_tokens if known else UNSAID_WINDOW_TOKENS)
    output = wanted.max_output_tokens or (base.max_output_tokens if known else UNSAID_OUTPUT_TOKENS)
    return replace(
        base,
        tier=wanted.tier if wanted.tier_source else base.tier,
        tier_source=wanted.tier_source or base.tier_source,
        context_tokens=context,
        max_output_tokens=min(output, context),
        # An agent's every request offers tools; a model brought in for one surely takes them.
        capabilities=wanted.capabilities or (base.capabilities if known else frozenset({Capability.TOOLS})),
        prices=wanted.prices or base.prices,
    )


def _size_unsaid(catalog: Catalog, wanted: Model) -> list[Problem]:
    if wanted.context_tokens or _is_known(catalog, wanted.id):
        return []
    unsaid = f"how long its prompts may be is not known, so {UNSAID_WINDOW_TOKENS} tokens are assumed"
    words = f"{wanted.id}: {unsaid}; set context_tokens in its [[models]]."
    return [_wrong(wanted.tier_source, words, severity="warning")]


def _wrong(place: str, words: str, severity: str = "error") -> Problem:
    """`place` is `file:line`, or empty where only the file is known."""
    source, _, line = place.rpartition(":")
    if source and line.isdigit():
        return Problem(source, "wrong-value", words, severity, line=int(line))
    return Problem(SETTINGS, "wrong-value", words, severity)


def _provider(name: str, table: _ProviderTable) -> Provider:
    cache = None if table.cache is None else CacheRule(table.cache.min_tokens, table.cache.lifetime_s * 1000)
    return Provider(name, table.dialect, table.base_url, table.key, table.auth, table.quirks, cache, table.local)


def _model(table: _ModelTable, prices: PriceTable) -> Model:
    provider, _, upstream = table.id.partition("/")
    return Model(
        id=table.id,
        provider=provider,
        upstream=upstream,
        tier=Tier.of(table.tier),
        context_tokens=table.context_tokens,
        max_output_tokens=table.max_output_tokens,
        capabilities=frozenset(table.capabilities),
        prices=prices.rows_for(table.id),
        tier_source="catalogue",
    )


def _in_order(models: Iterable[Model]) -> tuple[str, ...]:
    """Ids by tier; within a tier in the order given."""
    return tuple(model.id for model in sorted(models, key=lambda model: model.tier))
