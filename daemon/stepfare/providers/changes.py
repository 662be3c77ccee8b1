"""What the user's settings make of the catalogue: providers and models that they add or change, and which models serve a tier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from stepfare.core.model import Billing, Capability, Door, Model, Provider
from stepfare.core.problem import Problem
from stepfare.core.step import Tier
from stepfare.providers.catalog import Catalog, home_of, in_order, is_known, model_called

SETTINGS = "config.toml"
DIALECTS = frozenset({"openai", "responses", "anthropic"})
"""What can be spoken to a provider."""

# A model that the settings bring into play without saying its size must not be overfilled.
UNSAID_WINDOW_TOKENS = 131_072
UNSAID_OUTPUT_TOKENS = 16_384


def with_addresses(catalog: Catalog, environ: Mapping[str, str]) -> tuple[Catalog, tuple[Problem, ...]]:
    """The catalogue with the addresses that the environment names for providers that each user has an own one of."""
    problems: list[Problem] = []
    known = dict(catalog.providers)
    for name, address in catalog.addresses.items():
        said = environ.get(address.variable, "").strip().rstrip("/")
        if not said or known[name].base_url:
            continue
        if not _is_address(said):
            words = (
                f"{address.variable} is no http or https address, so {name} is left out; it is one such as https://NAME.openai.azure.com."
            )
            problems.append(Problem("environment", "wrong-value", words, "warning"))
            continue
        base_url = said if said.endswith(address.path) else said + address.path
        known[name] = _moved(known[name], base_url)
    return replace(catalog, providers=MappingProxyType(known)), tuple(problems)


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
        merged, problem = _merged_provider(known.get(wanted.id), wanted, catalog)
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
            provider, upstream = home_of(grown, name)
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
    order = in_order([*(rows[name] for name in listed), *others])
    return replace(grown, in_play=order), tuple(problems)


def _merged_provider(present: Provider | None, wanted: Provider, catalog: Catalog) -> tuple[Provider | None, Problem | None]:
    base = present or Provider(wanted.id, "", "", auth=wanted.auth if wanted.key else "none")
    merged = replace(
        _moved(base, wanted.base_url.rstrip("/")) if wanted.base_url else base,
        dialect=wanted.dialect or base.dialect,
        key=wanted.key or base.key,
        # Bearer is also what a value says that leaves it open.
        auth=wanted.auth if wanted.auth != "bearer" else base.auth,
        quirks=wanted.quirks or base.quirks,
        cache=wanted.cache or base.cache,
        local=wanted.local or base.local,
        billing=base.billing if wanted.billing is Billing.TOKENS else wanted.billing,
    )
    if wanted.dialect and wanted.dialect != base.dialect:
        # Who says what is spoken there says what is not, too.
        merged = replace(merged, doors=())
    place = f"[providers.{wanted.id}]"
    if not merged.base_url and wanted.id in catalog.addresses:
        address = catalog.addresses[wanted.id]
        words = f"{place} says not where it is, so it is left out; set base_url (it ends in {address.path}) or {address.variable}."
        return merged, _wrong("", words)
    if not merged.dialect or not merged.base_url:
        return None, _wrong("", f"{place} is not in the catalogue and lacks dialect or base_url, so it is left out; add both.")
    if merged.dialect not in DIALECTS:
        spoken = ", ".join(sorted(DIALECTS))
        return None, _wrong("", f"{place} speaks {merged.dialect}, which cannot be sent (only {spoken}), so its settings are left out.")
    return merged, None


def _moved(provider: Provider, base_url: str) -> Provider:
    """The provider at another address. Doors at the old one move along; of those elsewhere nobody knows where they are now."""
    doors = tuple(Door(door.dialect, base_url) for door in provider.doors if door.base_url == provider.base_url)
    return replace(provider, base_url=base_url, doors=doors)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not parts.query and not parts.fragment and parts.username is None


def _merged_model(catalog: Catalog, wanted: Model) -> Model:
    base = model_called(catalog, wanted.provider, wanted.upstream)
    known = is_known(catalog, wanted.id)
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
        billing=wanted.billing or base.billing,
    )


def _size_unsaid(catalog: Catalog, wanted: Model) -> list[Problem]:
    if wanted.context_tokens or is_known(catalog, wanted.id):
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
