"""What is in play: the last good settings, the providers whose key is there, and the simulator where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepfare.config.check import check_settings
from stepfare.core.model import Capability, Door
from stepfare.core.step import Tier
from stepfare.paths import Paths, paths_from
from stepfare.providers.catalog import candidates
from stepfare.providers.local import Said, found_models
from stepfare.providers.prices import bundled_prices
from stepfare.providers.rows import bundled_catalog, load_catalog
from stepfare.runtime.play import play_of, read_settings
from stepfare.runtime.state import Play

LAB = """
[providers.lab]
dialect = "openai"
base_url = "http://127.0.0.1:9000/v1"
{key}

[[models]]
id = "lab/small"
tier = "frugal"
context_tokens = 200_000
max_output_tokens = 8_000
capabilities = ["tools"]
price = {{ input = 0.10, output = 0.50 }}
"""
WITH_KEY = LAB.format(key='api_key = "env:LAB_KEY"')
WITHOUT_KEY = LAB.format(key="")
KEYS = {"OPENROUTER_API_KEY": "sk", "DEEPSEEK_API_KEY": "sk"}


def play(text: str = "", environ: dict[str, str] | None = None) -> Play:
    return play_of(check_settings(text, "config.toml"), environ or {}, "http://127.0.0.1:1/v1")


def in_play(made: Play) -> set[str]:
    return {name.partition("/")[0] for name in made.catalog.in_play}


def test_with_no_key_at_all_the_simulator_plays() -> None:
    made = play()
    assert (made.simulated, made.keys, made.problems) == (True, frozenset(), ())
    assert in_play(made) == {"simulator"}
    assert {made.catalog.models[name].tier for name in made.catalog.in_play} == set(Tier)
    assert made.catalog.providers["simulator"].base_url.startswith("http://127.0.0.1:1")


def test_a_usual_key_in_the_environment_is_enough() -> None:
    made = play(environ={"OPENROUTER_API_KEY": "sk"})
    assert (made.simulated, made.keys) == (False, frozenset({"openrouter"}))
    assert "simulator" not in in_play(made)


def test_a_provider_of_the_users_own_is_in_play_with_its_model() -> None:
    made = play(WITH_KEY, {"LAB_KEY": "sk-lab"})
    model = made.catalog.models["lab/small"]
    assert (made.simulated, made.keys) == (False, frozenset({"lab"}))
    assert (model.tier, model.context_tokens, model.max_output_tokens) == (Tier.FRUGAL, 200_000, 8_000)
    assert (model.capabilities, model.tier_source) == (frozenset({Capability.TOOLS}), "config.toml:9")
    assert model.prices[0].price.base.input == 100_000
    assert "sk-lab" not in repr(made)


def test_a_provider_that_needs_no_key_is_in_play_at_once() -> None:
    made = play(WITHOUT_KEY)
    assert (made.simulated, made.keys) == (False, frozenset())
    assert "lab/small" in made.catalog.in_play


def test_a_key_that_the_user_names_and_that_is_not_there_is_said() -> None:
    made = play(WITH_KEY)
    assert made.simulated
    assert [(one.code, one.severity, one.words) for one in made.problems] == [
        ("no-key", "warning", "Provider lab is left out: the environment variable LAB_KEY is not set.")
    ]


def test_keys_that_nobody_named_are_no_problem_where_they_are_missing() -> None:
    assert play(WITH_KEY, {"LAB_KEY": "sk"}).problems == ()


@pytest.fixture
def paths(stepfare_home: Path) -> Paths:
    return paths_from({"STEPFARE_HOME": str(stepfare_home)})


def test_settings_are_read_from_the_file_and_without_one_are_the_default(paths: Paths) -> None:
    assert read_settings(paths).value.profile == "balanced"
    paths.config_toml.write_text('profile = "premium"\n')
    found = read_settings(paths)
    assert (found.value.profile, found.problems, found.lines["profile"]) == ("premium", (), 1)


def test_a_broken_file_keeps_the_last_good_settings_and_says_what_is_wrong(paths: Paths) -> None:
    paths.config_toml.write_text('profile = "premium"\n')
    before = read_settings(paths)
    paths.config_toml.write_text('profile = "frugal\n')
    found = read_settings(paths, before)
    assert (found.value.profile, [problem.code for problem in found.problems]) == ("premium", ["syntax"])
    paths.config_toml.write_text('profile = "frugal"\n')
    assert read_settings(paths, found).value.profile == "frugal"


def test_a_wrong_value_leaves_the_rest_in_force(paths: Paths) -> None:
    paths.config_toml.write_text('profile = "frugal"\nbaseline = 7\n')
    found = read_settings(paths)
    assert (found.value.profile, len(found.problems)) == ("frugal", 1)


def test_a_file_that_is_gone_means_the_defaults(paths: Paths) -> None:
    paths.config_toml.write_text('profile = "premium"\n')
    before = read_settings(paths)
    paths.config_toml.unlink()
    assert read_settings(paths, before).value.profile == "balanced"


def test_a_file_that_cannot_be_read_keeps_the_last_good_settings(paths: Paths) -> None:
    paths.config_toml.write_text('profile = "premium"\n')
    before = read_settings(paths)
    paths.config_toml.unlink()
    paths.config_toml.mkdir()
    found = read_settings(paths, before)
    assert (found.value.profile, [problem.code for problem in found.problems]) == ("premium", ["unreadable"])
    assert "cannot be read (Is a directory)" in found.problems[0].words
    assert read_settings(paths).value.profile == "balanced"
    assert os.path.isdir(paths.config_toml)


def test_a_provider_with_an_address_of_the_user_s_own_is_out_of_play_until_it_is_known() -> None:
    key = {"AZURE_OPENAI_API_KEY": "sk"}
    without = play(environ=key)
    assert without.simulated
    assert [problem.words for problem in without.problems] == [
        "There is a key for azure, but not where it is, so it is left out: set AZURE_OPENAI_ENDPOINT, or base_url in [providers.azure]."
    ]
    for said in ("https://me.openai.azure.com", "https://me.openai.azure.com/", "https://me.openai.azure.com/openai/v1"):
        made = play(environ={**key, "AZURE_OPENAI_ENDPOINT": said})
        azure = made.catalog.providers["azure"]
        assert (made.simulated, made.problems, azure.auth) == (False, (), "api-key")
        assert azure.door("responses") == Door("responses", "https://me.openai.azure.com/openai/v1")
        assert {door.base_url for door in azure.doors} == {"https://me.openai.azure.com/openai/v1"}
        assert {one.model.tier for one in candidates(made.catalog, made.keys, 0)} == set(Tier)


def test_an_address_may_stand_in_the_settings_and_is_asked_for_there() -> None:
    text = '[providers.azure]\nbase_url = "https://me.openai.azure.com/openai/v1"'
    made = play(text, {"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_ENDPOINT": "https://other.example"})
    assert made.catalog.providers["azure"].base_url == "https://me.openai.azure.com/openai/v1"
    (told,) = play('[providers.azure]\napi_key = "env:AZ"', {"AZ": "sk"}).problems
    assert "set base_url (it ends in /openai/v1) or AZURE_OPENAI_ENDPOINT" in told.words
    (odd, _) = play(environ={"AZURE_OPENAI_API_KEY": "sk", "AZURE_OPENAI_ENDPOINT": "me.openai.azure.com"}).problems
    assert "AZURE_OPENAI_ENDPOINT is no http or https address" in odd.words


def test_every_provider_with_a_key_in_the_environment_is_in_play_without_a_file() -> None:
    for provider in bundled_catalog().providers.values():
        if provider.key and provider.base_url:
            made = play(environ={provider.key.removeprefix("env:"): "sk"})
            assert (made.simulated, made.keys, made.problems) == (False, {provider.id}, ())
            assert {one.provider.id for one in candidates(made.catalog, made.keys, 0)} == {provider.id}


def test_a_provider_moved_elsewhere_takes_its_doors_along_or_shuts_them() -> None:
    moved = '[providers.deepseek]\nbase_url = "http://10.0.0.1/v1"\n[providers.openrouter]\nbase_url = "http://10.0.0.2/v1"'
    catalog = play(moved, KEYS).catalog
    # What speaks Messages for DeepSeek is at an address of its own, which the user has not named.
    assert catalog.providers["deepseek"].doors == ()
    assert catalog.providers["openrouter"].door("anthropic") == Door("anthropic", "http://10.0.0.2/v1")
    said = play('[providers.openrouter]\nbase_url = "http://10.0.0.2/v1"\ndialect = "anthropic"', KEYS).catalog.providers["openrouter"]
    assert (said.dialect, said.doors) == ("anthropic", ())


FOUND = found_models("ollama", [Said("qwen3:8b", 16_384)])


def found_play(text: str, environ: dict[str, str] | None = None) -> Play:
    return play_of(check_settings(text, "config.toml"), environ or {}, "http://127.0.0.1:1/v1", FOUND)


def test_models_of_this_machine_are_known_by_name_and_play_where_the_user_wants_them() -> None:
    assert found_play("").simulated
    by_name = found_play("", KEYS)
    assert by_name.catalog.models["ollama/qwen3:8b"].context_tokens == 16_384
    assert "ollama/qwen3:8b" not in by_name.catalog.in_play
    used = found_play("[local]\nuse = true")
    assert (used.simulated, [one.model.id for one in candidates(used.catalog, used.keys, 0)]) == (False, ["ollama/qwen3:8b"])
    listed = found_play('[tiers]\nfrugal = ["ollama/qwen3:8b"]', KEYS)
    assert [name for name in listed.catalog.in_play if listed.catalog.models[name].tier is Tier.FRUGAL] == ["ollama/qwen3:8b"]
    assert listed.problems == ()
    assert "ollama/qwen3:8b" not in found_play("[local]\ndiscover = false", KEYS).catalog.models


def test_a_rule_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    quirks = '["no-strict", "billed-cost", "drop:seed", "sing"]'
    text = f'models = []\n[providers.x]\ndialect = "openai"\nbase_url = "https://x/v1"\nquirks = {quirks}'
    catalog, _ = load_catalog(text, bundled_prices())
    monkeypatch.setattr("stepfare.runtime.play.bundled_catalog", lambda _prices: catalog)
    assert [(one.code, one.words) for one in play().problems] == [("unknown-rule", "x: no rule is called sing, so it changes nothing.")]
