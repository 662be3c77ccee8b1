"""Exports: every entry, in journal order, in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given

from stepfare.core.entry import Entry
from stepfare.ledger import codec
from stepfare.ledger.export import COLUMNS, DECISION_COLUMNS, Format, export, export_decisions
from tests.ledger.samples import SOME, journals, opened, reserved, settled, voided


def text_of(entries: list[Entry], form: Format) -> str:
    return "".join(export(entries, form))


@SOME
@given(entries=journals())
def test_every_form_holds_every_entry_in_order(entries: list[Entry]) -> None:
    lines = text_of(entries, "jsonl").split("\n")[:-1]
    assert [codec.decode(line.encode()) for line in lines] == entries
    assert json.loads(text_of(entries, "json")) == [json.loads(line) for line in lines]
    rows = list(csv.DictReader(io.StringIO(text_of(entries, "csv"), newline="")))
    assert [(row["phase"], row["session"], row["at_ms"]) for row in rows] == [
        (read["phase"], read.get("session", ""), str(read["at_ms"])) for read in map(json.loads, lines)
    ]


def test_a_csv_row_holds_nested_numbers_in_columns_of_their_own() -> None:
    [row] = csv.DictReader(io.StringIO(text_of([settled()], "csv")))
    assert (row["usage_input_tokens"], row["rates_output"], row["cost_pusd"], row["committed"]) == ("1000", "10000000", "500", "false")
    assert (row["ceiling_pusd"], row["low_pusd"]) == ("", "")
    assert tuple(row) == COLUMNS


def test_an_unpriced_cost_is_an_empty_cell_and_not_zero() -> None:
    [row] = csv.DictReader(io.StringIO(text_of([settled(cost_pusd=None)], "csv")))
    assert row["cost_pusd"] == ""


def test_a_title_cannot_become_a_formula() -> None:
    [row] = csv.DictReader(io.StringIO(text_of([opened(title='=HYPERLINK("http://example.org")')], "csv")))
    assert row["title"].startswith("'=")


DECISION = {
    "id": "d1",
    "session": "s1",
    "kind": "explore",
    "floor": {"tier": "frugal", "source": "profile", "words": "=1+1"},
    "candidates": [
        {"model": "lab/large", "tier": "premium", "expected_pusd": 9},
        {"model": "lab/small", "tier": "frugal", "expected_pusd": 12_345_678_901_234_567},
    ],
    "rejections": [{"model": "lab/middle", "reason": "context", "words": "too small"}],
    "gate": {"on": True, "needs": "balanced"},
    "chosen": "lab/small",
    "because": ["the first, of two", "the second"],
}


def test_reasons_are_exported_whole_or_as_a_row_that_says_what_was_chosen() -> None:
    messages = [json.dumps(one).encode() for one in (DECISION, {**DECISION, "id": "d2", "chosen": None, "gate": {}})]
    assert json.loads("".join(export_decisions(messages, "json"))) == [json.loads(message) for message in messages]
    assert "".join(export_decisions(messages, "jsonl")).encode() == b"\n".join(messages) + b"\n"
    first, second = csv.DictReader(io.StringIO("".join(export_decisions(messages, "csv")), newline=""))
    assert tuple(first) == DECISION_COLUMNS
    assert (first["tier"], first["expected_pusd"], first["candidates"], first["rejections"]) == ("frugal", "12345678901234567", "2", "1")
    assert (first["gate_on"], first["gate_needs"], first["because"]) == ("true", "balanced", "the first, of two; the second")
    assert first["floor_words"] == "'=1+1"
    assert (second["chosen"], second["tier"], second["gate_on"], second["gate_needs"]) == ("", "", "false", "")


def test_no_entries_are_an_empty_list_and_a_header() -> None:
    assert json.loads(text_of([], "json")) == []
    assert text_of([], "jsonl") == ""
    assert text_of([], "csv") == ",".join(COLUMNS) + "\n"


def test_half_a_character_does_not_stop_an_export() -> None:
    entries: list[Entry] = [opened(title="\ud83d"), reserved(), voided()]
    assert len(text_of(entries, "jsonl").splitlines()) == len(text_of(entries, "csv").splitlines()) - 1 == 3


def test_a_carriage_return_in_a_title_does_not_end_its_row() -> None:
    rows = list(csv.DictReader(io.StringIO(text_of([opened(title="one\rtwo")], "csv"), newline="")))
    assert [row["title"] for row in rows] == ["one\rtwo"]
