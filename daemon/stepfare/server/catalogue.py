"""The catalogue as control messages: models, who serves which tier or why nobody does, and what each provider lacks or is particular in."""

from __future__ import annotations

from typing import NamedTuple

from stepfare.control import protocol
from stepfare.core.model import CacheRule, Model, Provider
from stepfare.core.step import Tier
from stepfare.dialects.rules import RULES
from stepfare.providers import catalog as catalogs
from stepfare.providers.prices import price_at
from stepfare.providers.quirks import QUIRKS
from stepfare.runtime.state import State
from stepfare.server.present import price_row, price_rows, tier_name
from stepfare.simulator.catalogue import PROVIDER_ID as SIMULATOR

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


class _Condition(NamedTuple):
    state: str
    why: str = ""


def prices(state: State, now_ms: int, *, all_models: bool) -> protocol.Prices:
    """The models of the providers in use, in play or not, or those of every provider; the tiers and the providers always whole."""
    catalog = state.play.catalog
    models = [model(one, state, now_ms) for one in catalog.models.values()]
    return protocol.Prices(
        catalogue=catalog.catalogue_version,
        models=[one for one in models if all_models or one.state != "no-key"],
        as_of=catalog.prices.as_of,
        tiers=[tier(one, state) for one in Tier],
        providers=[provider(one, state) for one in catalog.providers.values()],
    )


def model(value: Model, state: State, now_ms: int) -> protocol.ModelInfo:
    """A model as it is in play here, and why or why not."""
    catalog = state.play.catalog
    home = catalog.providers[value.provider]
    price = price_at(value.prices, now_ms)
    if not catalogs.usable(home, state.play.keys):
        condition, why = "no-key", _missing(home, state).why
    elif value.id in catalog.in_play:
        condition, why = "in-play", f"{value.tier.word} by {value.tier_source}"
    else:
        condition, why = "not-chosen", "served where it is asked for by name"
    return protocol.ModelInfo(
        id=value.id,
        provider=value.provider,
        tier=tier_name(value.tier),
        context_tokens=value.context_tokens,
        max_output_tokens=value.max_output_tokens,
        capabilities=sorted(value.capabilities),
        prices=[one for row in value.prices for one in price_rows(row)],
        price_now=price_row(price.base) if price else None,
        price_source=price.source if price else "",
        price_as_of=price.as_of if price else "",
        state=condition,
        why=why,
        tier_source=value.tier_source,
        quirks=[
            *(quirk_words(name) for name in value.quirks),
            *(f"{quirk_words(name)} (learned)" for name in state.lessons.of(value.id)),
        ],
    )


def tier(value: Tier, state: State) -> protocol.TierInfo:
    """Who may serve the steps whose floor is this tier: its own models, then those above it."""
    chosen = state.settings.tiers.by_tier().get(value)
    able = [one.model for one in state.candidates() if one.model.converses and one.model.tier >= value]
    serving = [one.id for one in able if chosen is None or one.id in chosen]
    if serving:
        above = "" if any(one.tier is value for one in able if one.id in serving) else f"no {value.word} model is in play; better ones do"
        return protocol.TierInfo(tier=tier_name(value), models=serving, why=above)
    if chosen is not None:
        why = f"config.toml [tiers] {value.word} names no model that can be used; name others there, or take the line out"
    else:
        why = (
            f"no provider in use sells a {value.word} model, so steps that need one are refused; set the key of one that does,"
            f' or call your best model {value.word}: a [[models]] row of config.toml with its id and tier = "{value.word}"'
        )
    return protocol.TierInfo(tier=tier_name(value), models=[], why=why)


def provider(value: Provider, state: State) -> protocol.ProviderInfo:
    """A provider: whether it can be used, and what to do where it cannot."""
    condition = _missing(value, state)
    return protocol.ProviderInfo(
        id=value.id,
        state=condition.state,
        why=condition.why,
        dialects=[value.dialect, *(door.dialect for door in value.doors)],
        base_url=value.base_url,
        key=value.key,
        local=value.local,
        cache=cache_words(value.cache),
        quirks=[quirk_words(name) for name in value.quirks],
    )


def _missing(value: Provider, state: State) -> _Condition:
    catalog = state.play.catalog
    if catalogs.usable(value, state.play.keys):
        return _this_machine(value, state) if value.local and value.id != SIMULATOR else _Condition("in-use")
    variable = value.key.removeprefix("env:")
    key = f"set {variable}" if value.key.startswith("env:") else f"put its key at {value.key}"
    if not value.base_url:
        address = catalog.addresses.get(value.id)
        where = f"set {address.variable}" if address else f"set base_url in [providers.{value.id}]"
        lacking = where if value.id in state.play.keys else f"{where} and {key.removeprefix('set ')}"
        return _Condition("no-address", lacking)
    return _Condition("no-key", key)


def _this_machine(value: Provider, state: State) -> _Condition:
    own = [one.id for one in state.play.catalog.models.values() if one.provider == value.id]
    if own:
        chosen = any(name in state.play.catalog.in_play for name in own)
        how = "" if chosen else ", by name only: [local] use = true in config.toml brings them into play"
        return _Condition("found", f"{len(own)} {'model' if len(own) == 1 else 'models'} at {value.base_url}{how}")
    return _Condition("not-found", f"nothing found at {value.base_url}")


def cache_words(rule: CacheRule | None) -> str:
    """A cache rule in words; empty where none is known."""
    if rule is None:
        return ""
    kept = f"{rule.lifetime_ms // HOUR_MS} h" if rule.lifetime_ms % HOUR_MS == 0 else f"{rule.lifetime_ms // MINUTE_MS} min"
    what = "what is marked" if rule.marked else "prompts"
    return f"{what} from {rule.min_tokens:,} tokens on, kept {kept}"


def quirk_words(name: str) -> str:
    """What a rule is for, in words that complete "this model ..."."""
    if name in RULES:
        return RULES[name].words
    kind, _, argument = name.partition(":")
    if not argument or kind not in _LEARNED:
        return QUIRKS.get(name, name)
    first, _, second = argument.partition(":")
    return _LEARNED[kind].format(first.replace(",", ", "), second)


_LEARNED = {
    "drop": "refuses {0}",
    "rename": "says {1} for {0}",
    "clamp": "takes {0} up to {1}",
    "only": "takes these fields only: {0}",
    "effort": "knows these efforts only: {0}",
}
"""Rules with an argument, in words."""
