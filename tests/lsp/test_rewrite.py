"""One wish written into a project's file; everything else stays as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from pygls.workspace import PositionCodec

from stepfare.config.check import check_dotfile
from stepfare.core.step import StepKind, Tier
from stepfare_lsp.features.wishes import smallest_edit
from stepfare_lsp.places import page_of
from stepfare_lsp.rewrite import TEMPLATE, CannotWrite, with_path_floor, with_profile, with_tier

COMMENTED = """\
# keep me
profile = 'careful'   # and me

[steps] # the kinds
run  =  "frugal" # odd spaces stay

[[paths]]
match = [
  "src/**", # why
]
floor = "premium"
"""


def test_a_tier_is_written_beside_what_is_there() -> None:
    assert with_tier(COMMENTED, StepKind.EDIT, Tier.PREMIUM) == COMMENTED.replace(
        "odd spaces stay\n", 'odd spaces stay\nedit = "premium"\n'
    )


def test_a_value_is_replaced_where_it_stands() -> None:
    written = with_profile(COMMENTED, "frugal")
    assert [line for line in written.splitlines() if line not in COMMENTED.splitlines()] == ['profile = "frugal"   # and me']


@pytest.mark.parametrize(
    "text", ["", "# only words", "[steps]", "[budget]\nday_usd = 1", "steps.run = 'frugal'\n", "steps = { run = 'frugal' }\n", TEMPLATE]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_it_can_be_written_into_any_right_file(text: str, end: str) -> None:
    text = text.replace("\n", end)
    written = with_profile(with_tier(text, StepKind.PLAN, Tier.BALANCED), "premium")
    value = check_dotfile(written, "").value
    assert (value.profile, value.steps[StepKind.PLAN]) == ("premium", Tier.BALANCED)
    assert all(line.removesuffix("\r") in written for line in text.split("\n") if not line.startswith("steps ="))
    assert ("\r\n" in text) == ("\r\n" in written) or "\n" not in text
    assert end == "\n" or "\n" not in text or "\n" not in written.replace("\r\n", "")


@pytest.mark.parametrize("text", ["steps = 3\n", "[[steps]]\n", "steps = [1]\n", "[steps\n", "profile = \n", "x" * 70_000])
def test_a_file_that_cannot_take_it_is_refused_in_words(text: str) -> None:
    with pytest.raises(CannotWrite) as refused:
        with_tier(text, StepKind.EDIT, Tier.PREMIUM)
    assert ".stepfare.toml" in str(refused.value)


def test_the_template_asks_for_nothing_and_each_of_its_examples_is_right() -> None:
    assert check_dotfile(TEMPLATE, "").problems == ()
    lines = [line.removeprefix("# ") if line.startswith("# ") and ("=" in line or "[" in line) else line for line in TEMPLATE.splitlines()]
    checked = check_dotfile("\n".join(lines), "")
    assert checked.problems == ()
    assert checked.value.budget.on_limit == "ask"
    assert len(checked.value.paths) == len(checked.value.deny) == len(checked.value.steps) == 1
    assert set(tomllib.loads("\n".join(lines))) == {"profile", "steps", "paths", "models", "budget"}


@pytest.mark.parametrize("text", ["", COMMENTED, TEMPLATE, "[budget]\r\nday_usd = 1\r\n", "[budget]\nday_usd = 1"])
def test_a_floor_for_a_folder_is_a_rule_of_its_own_and_is_changed_in_place(text: str) -> None:
    glob = "src/a b\\[1]/**"
    once = with_path_floor(text, glob, Tier.PREMIUM)
    rules = check_dotfile(once, "").value.paths
    assert (rules[-1].globs.globs, rules[-1].tier) == ((glob,), Tier.PREMIUM)
    assert once.startswith(text)
    twice = with_path_floor(once, glob, Tier.FRUGAL)
    assert [rule.tier for rule in check_dotfile(twice, "").value.paths] == [*(rule.tier for rule in rules[:-1]), Tier.FRUGAL]
    assert ("\r\n" in text) == ("\r\n" in twice)
    with pytest.raises(CannotWrite):
        with_path_floor("paths = 3\n", glob, Tier.PREMIUM)


LINES = st.lists(st.sampled_from(["a", "b", "\u00e9\U0001f600", ""]), max_size=6).map("\n".join)


@given(LINES, LINES, st.sampled_from(list(types.PositionEncodingKind)))
def test_the_smallest_edit_makes_one_text_of_the_other(before: str, after: str, encoding: types.PositionEncodingKind) -> None:
    page = page_of("file:///p/.stepfare.toml", before, PositionCodec(encoding), 1, Path("/config.toml"))
    assert page is not None
    edit = smallest_edit(before, after, page)
    start, end = page.offset(edit.range.start), page.offset(edit.range.end)
    assert before[:start] + edit.new_text + before[end:] == after
