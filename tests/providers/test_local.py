"""What becomes of the catalogue when models of this machine are found."""

from __future__ import annotations

from stepfare.core.model import Capability, Model
from stepfare.core.step import Tier
from stepfare.providers.catalog import candidates, find
from stepfare.providers.changes import with_settings
from stepfare.providers.local import FOUND, MODELS_MAX, USED, Said, found_models, ollama_names, with_found
from stepfare.providers.rows import bundled_catalog

CATALOG = bundled_catalog()
MODELS = found_models("ollama", [Said("qwen3:8b", 16_384), Said("nomic:1", 2_048, frozenset({Capability.EMBED}))])


def asked_to_play(name: str) -> Model:
    provider, upstream = name.split("/", 1)
    return Model(name, provider, upstream, Tier.BALANCED, 0, 0, frozenset(), tier_source="config.toml:7")


def test_found_models_are_served_by_name_and_not_chosen_unasked() -> None:
    catalog = with_found(CATALOG, MODELS, use=False)
    assert catalog.in_play == CATALOG.in_play
    (model,) = find(catalog, "ollama/qwen3:8b")
    assert (model.context_tokens, model.tier, model.tier_source) == (16_384, Tier.FRUGAL, FOUND)
    # A name without a provider does not lead to this machine by accident.
    assert find(catalog, "qwen3:8b") == ()


def test_with_use_they_are_frugal_candidates_that_cost_nothing() -> None:
    catalog = with_found(CATALOG, MODELS, use=True)
    (one,) = candidates(catalog, set(), 0)
    assert (one.model.id, one.model.tier, one.model.tier_source) == ("ollama/qwen3:8b", Tier.FRUGAL, USED)
    assert one.price is not None
    assert one.price.base.input == one.price.base.output == 0
    assert "ollama/nomic:1" in catalog.models


def test_the_window_that_was_found_holds_for_a_row_of_the_user_too() -> None:
    catalog, problems = with_settings(with_found(CATALOG, MODELS, use=False), models=[asked_to_play("ollama/qwen3:8b")])
    assert problems == ()
    model = catalog.models["ollama/qwen3:8b"]
    assert (model.context_tokens, model.tier, model.tier_source) == (16_384, Tier.BALANCED, "config.toml:7")
    assert "ollama/qwen3:8b" in catalog.in_play


def test_what_is_known_is_not_found_anew() -> None:
    known, _ = with_settings(CATALOG, models=[asked_to_play("ollama/qwen3:8b")])
    assert with_found(known, MODELS, use=True).models["ollama/qwen3:8b"] is known.models["ollama/qwen3:8b"]
    assert with_found(CATALOG, found_models("nowhere", [Said("x")]), use=True).models == CATALOG.models


def test_a_server_of_very_many_models_is_not_followed_for_ever() -> None:
    assert len(ollama_names({"models": [{"name": f"m{number}"} for number in range(1_000)]})) == MODELS_MAX
