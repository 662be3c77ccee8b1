"""Which models there are to choose from, and how one is found by name: the rows of the catalogue, and every other model that is known.

The rows come from `rows`, what the user's settings change from `changes`, models of this machine from `local`; prices are those of
`prices`. Whether a provider answers, and where its key is, is for others to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from stepfare.core.model import Billing, Candidate, Capability, Model, PriceRow, Provider
from stepfare.core.money import Price, Rates
from stepfare.core.step import Tier
from stepfare.providers.names import identity, same_model, split
from stepfare.providers.prices import Listed, PriceTable, price_at

UNTIERED = Tier.BALANCED
"""The tier under which a model is booked that has none: such a model is served only where it is asked for by name."""
BY_NAME = "no tier is set for it; booked as balanced"

# Of a model that is asked for by name and that no table knows, nothing is refused on a guess: the provider itself will say no.
UNKNOWN_WINDOW_TOKENS = 1_000_000
UNKNOWN_OUTPUT_TOKENS = 131_072
EVERYTHING = frozenset(Capability)

NOTHING = (PriceRow(Price(Rates(0, 0, 0, 0, 0), source="runs on this machine")),)
"""Nobody bills what runs here: a known price, not an unknown one."""
UNBILLED = (PriceRow(Price(Rates(0, 0, 0, 0, 0), source="a subscription, or free")),)
"""What one more token costs where nobody bills by tokens."""
ELSEWHERE = ("-cloud", ":cloud")
"""How a local server's models are called that run on its maker's machines; what those cost is not known."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the address of a provider is found that each user has an own one of: a variable of the environment, and what follows it."""

    variable: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Providers and models by id. `in_play` are the models that may be chosen unasked, lower tiers first, then in order of preference.

    A provider of `addresses` without a `base_url` is known, but cannot be used before the user says where it is.
    """

    providers: Mapping[str, Provider]
    models: Mapping[str, Model]
    in_play: tuple[str, ...]
    prices: PriceTable = field(repr=False)
    addresses: Mapping[str, Address] = field(default_factory=dict[str, Address])

    @property
    def catalogue_version(self) -> str:
        return self.prices.catalogue_version


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
    provider = catalog.providers[model.provider]
    by_tokens = (model.billing or provider.billing) is Billing.TOKENS
    return Candidate(model, provider, price_at(model.prices if by_tokens else UNBILLED, now_ms))


def usable(provider: Provider, keys_present: Set[str]) -> bool:
    """Whether it is known where the provider is, and its key is there or it needs none."""
    return bool(provider.base_url) and (not provider.key or provider.auth == "none" or provider.id in keys_present)


def find(catalog: Catalog, name: str) -> tuple[Model, ...]:
    """The model that a client asks for by name, then the same model at other providers; empty where nobody is known to have it.

    `name` is `provider/model`, or what the model is called without a provider (`gpt-6-luna`, `anthropic/claude-opus-5.5`). It is sent
    upstream as it was asked for. A provider's model that no table knows is found all the same, unpriced, unless others are known to
    have it. What is asked of a provider of the user's own, local or not, is looked for nowhere else.
    """
    provider, upstream = home_of(catalog, name)
    if not upstream:
        return _elsewhere(catalog, identity("", name), but="")
    model = model_called(catalog, provider, upstream)
    if provider not in catalog.prices.providers:
        return (model,)
    others = _elsewhere(catalog, identity(provider, upstream), but=provider)
    return (model, *others) if is_known(catalog, model.id) or not others else others


def home_of(catalog: Catalog, name: str) -> tuple[str, str]:
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
        model_called(catalog, provider, name)
        for provider in catalog.providers
        for where, name in listed
        if where == provider and f"{provider}/{name}" not in catalog.models
    ]
    return tuple(model for model in found if model.provider != but and not catalog.providers[model.provider].local)


def is_known(catalog: Catalog, model_id: str) -> bool:
    return model_id in catalog.models or catalog.prices.lookup(model_id) is not None


def model_called(catalog: Catalog, provider: str, upstream: str) -> Model:
    """The row of a model; without one what the price table says of it, else nothing but its name."""
    model_id = f"{provider}/{upstream}"
    present = catalog.models.get(model_id)
    if present is not None:
        return present
    listed = catalog.prices.lookup(model_id)
    same = catalog.models.get(f"{provider}/{listed.name}") if listed else None
    if same is not None:
        # Dated, dotted or in other letters, but the model of that row: what it refuses, it refuses under this name too.
        return replace(same, id=model_id, upstream=upstream)
    said = listed or Listed(provider, upstream, UNKNOWN_WINDOW_TOKENS, 0, None, ())
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


def prices_of(catalog: Catalog, model_id: str) -> tuple[PriceRow, ...]:
    """The prices of a model that was once served, whether its provider is still known or not."""
    provider, _, upstream = model_id.partition("/")
    if provider not in catalog.providers:
        return catalog.prices.rows_for(model_id)
    return model_called(catalog, provider, upstream).prices


def in_order(models: Iterable[Model]) -> tuple[str, ...]:
    """Ids by tier; within a tier in the order given."""
    return tuple(model.id for model in sorted(models, key=lambda model: model.tier))
