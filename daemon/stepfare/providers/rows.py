"""The catalogue as it ships: who serves models and which of them serve a tier, read from catalog.toml.

Which rules there are that a row may name as quirks is not known here; `runtime.play` looks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stepfare.core.model import CacheRule, Capability, Door, Model, Provider
from stepfare.core.problem import Problem
from stepfare.core.step import Tier
from stepfare.providers.catalog import BY_NAME, UNTIERED, Address, Catalog, in_order
from stepfare.providers.prices import PriceTable, bundled_prices

BUNDLED = Path(__file__).with_name("catalog.toml")
SOURCE = "catalog.toml"

_URL = r"^https?://[^\s/]+(/\S*)?[^\s/]$"
_Dialect = Literal["openai", "responses", "anthropic"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _CacheTable(_Table):
    min_tokens: Annotated[int, Field(ge=0)]
    lifetime_s: Annotated[int, Field(gt=0)]
    marked: bool = False
    hour: bool = False


class _DoorTable(_Table):
    dialect: _Dialect | Literal["completions", "embeddings"]
    base_url: Annotated[str, Field(pattern=_URL)] | None = None
    """That of the provider where it is left out."""


class _AddressTable(_Table):
    variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    path: Annotated[str, Field(pattern=r"^(/[^\s/]+)*$")] = ""


class _ProviderTable(_Table):
    dialect: _Dialect
    base_url: Annotated[str, Field(pattern=_URL)] | None = None
    address: _AddressTable | None = None
    doors: tuple[_DoorTable, ...] = ()
    key: Annotated[str, Field(pattern=r"^(env:[A-Z][A-Z0-9_]*)?$")] = ""
    auth: Literal["bearer", "x-api-key", "api-key", "none"] = "bearer"
    quirks: tuple[str, ...] = ()
    cache: _CacheTable | None = None
    local: bool = False


class _ModelTable(_Table):
    id: Annotated[str, Field(pattern=r"^[^/\s]+/\S+$")]
    tier: Literal["frugal", "balanced", "premium"] | None = None
    """Without one the model is served where it is asked for by name."""
    context_tokens: Annotated[int, Field(gt=0)]
    max_output_tokens: Annotated[int, Field(gt=0)]
    capabilities: tuple[Capability, ...]
    quirks: tuple[str, ...] = ()


class _CatalogFile(_Table):
    providers: dict[str, _ProviderTable]
    models: tuple[_ModelTable, ...]


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
    wrong = tuple(Problem(SOURCE, "wrong-value", f"{words}. No model is known until it is mended.") for words in _contradictions(file))
    if wrong:
        return nothing, wrong
    providers = {name: _provider(name, table) for name, table in file.providers.items()}
    models = {table.id: _model(table, prices) for table in file.models}
    in_play = in_order(models[table.id] for table in file.models if table.tier)
    addresses = {name: Address(table.address.variable, table.address.path) for name, table in file.providers.items() if table.address}
    return Catalog(MappingProxyType(providers), MappingProxyType(models), in_play, prices, MappingProxyType(addresses)), ()


def bundled_catalog(prices: PriceTable | None = None) -> Catalog:
    """What ships with this version, at these prices or those that ship. That it is whole is held by the tests."""
    catalog, problems = load_catalog(BUNDLED.read_text(encoding="utf-8"), prices or bundled_prices())
    assert not problems, problems
    return catalog


def _contradictions(file: _CatalogFile) -> Iterator[str]:
    ids = [table.id for table in file.models]
    for name in ids:
        if name.partition("/")[0] not in file.providers:
            yield f"{name}: its provider has no table here"
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"{name}: there are two rows of it"
    for name, provider in file.providers.items():
        if (provider.base_url is None) == (provider.address is None):
            yield f"providers.{name}: it needs either base_url or address"
        if provider.base_url is None and any(door.base_url for door in provider.doors):
            yield f"providers.{name}: a door with an address of its own beside a provider without one"


def _provider(name: str, table: _ProviderTable) -> Provider:
    kept = table.cache
    cache = None if kept is None else CacheRule(kept.min_tokens, kept.lifetime_s * 1000, kept.marked, kept.hour)
    base_url = table.base_url or ""
    doors = tuple(Door(door.dialect, door.base_url or base_url) for door in table.doors)
    return Provider(name, table.dialect, base_url, table.key, table.auth, table.quirks, cache, table.local, doors)


def _model(table: _ModelTable, prices: PriceTable) -> Model:
    provider, _, upstream = table.id.partition("/")
    return Model(
        id=table.id,
        provider=provider,
        upstream=upstream,
        tier=Tier.of(table.tier) if table.tier else UNTIERED,
        context_tokens=table.context_tokens,
        max_output_tokens=table.max_output_tokens,
        capabilities=frozenset(table.capabilities),
        prices=prices.rows_for(table.id),
        tier_source="catalogue" if table.tier else BY_NAME,
        quirks=table.quirks,
    )
