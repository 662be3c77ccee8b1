"""Where a cursor stands, in texts that are being written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare_lsp.context import Context, Scanned, Spot, context_at


@pytest.mark.parametrize(
    ("text", "spot", "path", "begun"),
    [
        ("", Spot.KEY, (), ""),
        ("pro", Spot.KEY, (), "pro"),
        ("profile = ", Spot.VALUE, ("profile",), ""),
        ('profile = "bal', Spot.VALUE, ("profile",), '"bal'),
        ('profile = "balanced"\n', Spot.KEY, (), ""),
        ("[", Spot.HEADER, (), "["),
        ("[[pa", Spot.HEADER, (), "[[pa"),
        ("[steps]\ned", Spot.KEY, ("steps",), "ed"),
        ("[steps] # why\n  edit=", Spot.VALUE, ("steps", "edit"), ""),
        ('[steps]\nedit = "premium"\nrun = \'', Spot.VALUE, ("steps", "run"), "'"),
        ('[steps]\nedit = "prem\nrun = "', Spot.VALUE, ("steps", "run"), '"'),
        ('steps.edit = "', Spot.VALUE, ("steps", "edit"), '"'),
        ('[[paths]]\nmatch = ["a", "b', Spot.VALUE, ("paths", "match"), '"b'),
        ('[models]\ndeny = [\n  "a/*", # those\n  ', Spot.VALUE, ("models", "deny"), ""),
        ('[models]\ndeny = [\n  # none\n  "a', Spot.VALUE, ("models", "deny"), '"a'),
        ("[models]\ndeny = [[1, 2], ", Spot.VALUE, ("models", "deny"), ""),
        ('budget = { on_limit = "', Spot.VALUE, ("budget", "on_limit"), '"'),
        ("budget = { day_usd = 1, se", Spot.KEY, ("budget",), "se"),
        ("a = { b = [ { c = 1 } ], d", Spot.KEY, ("a",), "d"),
        ("budget = { day_usd = 1 }\npro", Spot.KEY, (), "pro"),
        ('x = """\n[steps]\n', Spot.VALUE, ("x",), '"""\n[steps]\n'),
        ('x = """\n"""\npro', Spot.KEY, (), "pro"),
        ('"a.b" = ', Spot.VALUE, ("a.b",), ""),
        ('[providers.lab]\ndialect = "', Spot.VALUE, ("providers", "lab", "dialect"), '"'),
    ],
)
def test_the_context_is_that_of_the_last_thing_begun(text: str, spot: Spot, path: tuple[str, ...], begun: str) -> None:
    context = context_at(text)
    assert context is not None
    assert (context.spot, context.path, text[context.start :]) == (spot, path, begun)


@pytest.mark.parametrize("text", ["# a", "profile = 1 # a", "[steps]\nedit = [ # "])
def test_a_comment_has_no_context(text: str) -> None:
    assert context_at(text) is None


def test_items_of_lists_and_keys_of_inline_tables_are_told_apart() -> None:
    assert context_at("deny = [") == Context(Spot.VALUE, ("deny",), 8, listed=True)
    assert context_at("a = { ") == Context(Spot.KEY, ("a",), 6, inline=True)


def test_a_later_look_scans_only_what_is_new() -> None:
    scanned = Scanned()
    text = "[steps]\n" + 'edit = "premium"\n' * 500
    context_at(text, scanned)
    kept = len(scanned.at)
    assert kept == 502
    assert context_at(text[:-10] + "x", scanned) == context_at(text[:-10] + "x")
    assert len(scanned.at) == kept - 1
    assert context_at("[budget]\non_limit = ", scanned) == context_at("[budget]\non_limit = ")


PIECES = st.sampled_from([*"[]{}=,.#\"'\\\n\r \t", '"""', "'''", "steps", "edit", "\u00e9", "\U0001f600", "[[", "\x00"])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_has_a_context_or_none(text: str) -> None:
    context = context_at(text)
    assert context is None or 0 <= context.start <= len(text)


@given(st.lists(st.tuples(st.lists(PIECES, max_size=12).map("".join), st.integers(0, 40)), min_size=2, max_size=6))
def test_what_is_remembered_of_other_texts_changes_no_context(edits: list[tuple[str, int]]) -> None:
    scanned, text = Scanned(), ""
    for piece, kept in edits:
        text = text[:kept] + piece
        assert context_at(text, scanned) == context_at(text), text
