"""What a project's file means for a step."""

from __future__ import annotations

from stepfare.config.check import check_dotfile
from stepfare.config.dotfile import Dotfile, PathFloor
from stepfare.core.step import Tier


def dotfile(text: str) -> Dotfile:
    checked = check_dotfile(text, "/p/.stepfare.toml")
    assert checked.problems == ()
    return checked.value


PATHS = dotfile(
    """\
[[paths]]
match = ["docs/**", "*.md"]
floor = "frugal"
[[paths]]
match = ["src/**"]
floor = "balanced"
[[paths]]
match = [
    "migrations/**",
    "src/crypto/**",
]
floor = "premium"
"""
)


def test_the_highest_floor_of_all_files_holds() -> None:
    assert PATHS.floor_for(["README.md", "src/main.py"]) == PathFloor(Tier.BALANCED, "src/**", "src/main.py", 5)
    assert PATHS.floor_for(["src/main.py", "src/crypto/aes.py"]) == PathFloor(Tier.PREMIUM, "src/crypto/**", "src/crypto/aes.py", 10)
    assert PATHS.floor_for(["README.md"]) == PathFloor(Tier.FRUGAL, "*.md", "README.md", 2)


def test_files_that_no_rule_names_call_for_nothing() -> None:
    assert PATHS.floor_for(["Makefile", "/src/main.py", "../src/main.py"]) is None
    assert PATHS.floor_for([]) is None
    assert Dotfile().floor_for(["src/main.py"]) is None


def test_of_equal_floors_the_first_is_cited() -> None:
    both = dotfile('[[paths]]\nmatch = "a"\nfloor = "premium"\n[[paths]]\nmatch = "b"\nfloor = "premium"\n')
    assert both.floor_for(["b", "a"]) == PathFloor(Tier.PREMIUM, "a", "a", 2)


def test_denied_models_are_named_with_the_rule() -> None:
    rules = dotfile('[models]\ndeny = ["DeepSeek/*",\n "*/gpt-5*"]\n')
    assert rules.denied("deepseek/v4") == 'deny "DeepSeek/*" (/p/.stepfare.toml:2)'
    assert rules.denied("openrouter/openai/gpt-5-mini") == 'deny "*/gpt-5*" (/p/.stepfare.toml:3)'
    assert rules.denied("anthropic/claude") is None


def test_an_allow_list_denies_all_else_and_deny_outranks_it() -> None:
    rules = dotfile('[models]\nallow = ["anthropic/*"]\ndeny = "anthropic/old"\n')
    assert rules.denied("anthropic/new") is None
    assert rules.denied("anthropic/old") == 'deny "anthropic/old" (/p/.stepfare.toml:3)'
    assert rules.denied("openai/gpt") == "not in the allow list (/p/.stepfare.toml:2)"


def test_an_empty_file_asks_for_nothing() -> None:
    assert dotfile("") == Dotfile(source="/p/.stepfare.toml")
    assert Dotfile().denied("any/model") is None
