"""What is in play: the user's settings, the catalogue as they change it, and the providers whose key is there.

Read at start and at every change; who holds the result is `state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stepfare.config.check import SETTINGS_BYTES_MAX, Checked, check_settings
from stepfare.config.rows import price_rows
from stepfare.config.schema import ModelSettings, ProviderSettings, Settings
from stepfare.core.model import Billing, Capability, Model, Provider
from stepfare.core.problem import Problem
from stepfare.core.step import Tier
from stepfare.dialects.rules import is_rule
from stepfare.paths import Paths
from stepfare.providers import catalog as catalogs
from stepfare.providers.catalog import Catalog
from stepfare.providers.changes import with_addresses, with_settings
from stepfare.providers.local import with_found
from stepfare.providers.prices import PriceTable
from stepfare.providers.quirks import QUIRKS
from stepfare.providers.rows import SOURCE as CATALOG_NAME
from stepfare.providers.rows import bundled_catalog
from stepfare.runtime.state import Play
from stepfare.simulator.catalogue import catalogue as simulated_rows
from stepfare.upstream import keys

SETTINGS_NAME = "config.toml"


def read_settings(paths: Paths, before: Checked[Settings] | None = None) -> Checked[Settings]:
    """The user's settings as the file has them now. One that cannot be read at all keeps the last good ones, with its problems."""
    try:
        with paths.config_toml.open("rb") as file:
            found = check_settings(file.read(SETTINGS_BYTES_MAX + 1), SETTINGS_NAME)
    except FileNotFoundError:
        return check_settings("", SETTINGS_NAME)
    except OSError as error:
        words = f"{paths.config_toml} cannot be read ({error.strerror}). The last good settings stay in force; mend its permissions."
        found = Checked(check_settings("", SETTINGS_NAME).value, (Problem(SETTINGS_NAME, "unreadable", words),), {}, readable=False)
    if found.readable or before is None:
        return found
    return Checked(before.value, found.problems, before.lines, readable=False)


def play_of(
    settings: Checked[Settings],
    environ: Mapping[str, str],
    simulator_url: str = "",
    found: Sequence[Model] = (),
    prices: PriceTable | None = None,
) -> Play:
    """The models in play. Where no provider can be used, the simulator's, served at `simulator_url`. `found` are the models of this
    machine, `prices` those at hand where they are others than those that ship."""
    value = settings.value
    placed, misplaced = with_addresses(bundled_catalog(prices), environ)
    catalog, problems = with_settings(
        with_found(placed, found if value.local.discover else (), use=value.local.use),
        [_provider(name, table) for name, table in value.providers.items()],
        [_model(table, place, settings) for place, table in enumerate(value.models)],
        value.tiers.by_tier(),
    )
    problems = (*misplaced, *problems, *_unknown_rules(catalog))
    present, absent = _keys(catalog, value, environ)
    keyless = {name for name, provider in catalog.providers.items() if not provider.key}
    of_the_user = any(name in keyless for name in value.providers)
    # A server of this machine counts once one of its models may be chosen.
    of_this_machine = any(catalog.models[name].provider in keyless for name in catalog.in_play)
    usable = any(catalogs.usable(catalog.providers[name], present) for name in present)
    if usable or of_the_user or of_this_machine:
        return Play(settings, catalog, present, False, (*problems, *absent))
    providers, models = simulated_rows(simulator_url)
    # The others stay known: to say whose key is missing, and to serve what runs on this machine where it is asked for by name.
    play = replace(
        catalog,
        providers={row.id: row for row in providers} | dict(catalog.providers),
        models={row.id: row for row in models} | dict(catalog.models),
        in_play=tuple(row.id for row in models),
    )
    return Play(settings, play, present, True, (*problems, *absent))


def _keys(catalog: Catalog, settings: Settings, environ: Mapping[str, str]) -> tuple[frozenset[str], tuple[Problem, ...]]:
    """Providers whose key can be found, and a word on each key that the user names and that is not there."""
    present: set[str] = set()
    problems: list[Problem] = []
    for name, provider in catalog.providers.items():
        if not provider.key:
            continue
        try:
            keys.look_up(provider.key, environ)
            present.add(name)
            if not provider.base_url and name not in settings.providers:
                variable = catalog.addresses[name].variable
                words = (
                    f"There is a key for {name}, but not where it is, so it is left out: set {variable}, or base_url in [providers.{name}]."
                )
                problems.append(Problem(SETTINGS_NAME, "no-address", words, "warning"))
        except keys.NoKey as error:
            if name in settings.providers:
                words = f"Provider {name} is left out: {error}."
                problems.append(Problem(SETTINGS_NAME, "no-key", words, "warning"))
    return frozenset(present), tuple(problems)


def _unknown_rules(catalog: Catalog) -> tuple[Problem, ...]:
    """A word on each rule that a row names and that there is not: the request would go on unchanged."""
    rows = (*catalog.providers.values(), *catalog.models.values())
    unknown = {(row.id, quirk) for row in rows for quirk in row.quirks if quirk not in QUIRKS and not is_rule(quirk)}
    return tuple(
        Problem(CATALOG_NAME, "unknown-rule", f"{row}: no rule is called {quirk}, so it changes nothing.", "warning")
        for row, quirk in sorted(unknown)
    )


def _provider(name: str, table: ProviderSettings) -> Provider:
    billing = Billing(table.billing) if table.billing else Billing.TOKENS
    return Provider(name, table.dialect or "", table.base_url or "", table.api_key or "", table.auth or "bearer", billing=billing)


def _model(table: ModelSettings, place: int, settings: Checked[Settings]) -> Model:
    provider, _, upstream = table.id.partition("/")
    line = settings.lines.get(f"models.{place}.tier")
    return Model(
        id=table.id,
        provider=provider,
        upstream=upstream,
        tier=Tier.of(table.tier) if table.tier else Tier.BALANCED,
        context_tokens=table.context_tokens or 0,
        max_output_tokens=table.max_output_tokens or 0,
        capabilities=frozenset(Capability(word) for word in table.capabilities or ()),
        prices=price_rows(table, SETTINGS_NAME),
        tier_source=(f"{SETTINGS_NAME}:{line}" if line else SETTINGS_NAME) if table.tier else "",
        billing=Billing(table.billing) if table.billing else None,
    )
