"""The books as text that other programs read, in their order: entries of the journal as csv, json, jsonl or a journal of hledger, and the
reasons of decisions as the first three."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, TypeAlias

from stepfare.core.entry import Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.core.money import Rates, Usage
from stepfare.ledger import codec, hledger
from stepfare.ledger.calendar import OffsetAt, utc
from stepfare.ledger.journal import phase_of

Format: TypeAlias = Literal["csv", "json", "jsonl", "hledger"]

Table: TypeAlias = Literal["csv", "json", "jsonl"]

_NESTED: dict[str, type[Usage] | type[Rates]] = {"usage": Usage, "rates": Rates}
# A cell that begins like a formula is run by spreadsheets; titles and words of providers are not ours to trust.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _columns() -> tuple[str, ...]:
    names: dict[str, None] = {"phase": None}
    for kind in (Opened, Reserved, Settled, Voided, Lost, Extended):
        for field in fields(kind):
            nested = _NESTED.get(field.name)
            names.update(dict.fromkeys([f"{field.name}_{inner.name}" for inner in fields(nested)] if nested else [field.name]))
    return tuple(names)


COLUMNS = _columns()
"""Of the csv: the phase, then every field that some entry has, nested ones as usage_input_tokens. Empty where there is no value."""


def export(entries: Iterable[Entry], form: Format, offset_at: OffsetAt = utc) -> Iterator[str]:
    """Pieces of text that make up the whole when joined. json is one array; money stays an integer of picodollars in all but hledger,
    which has a transaction for each attempt, under the day that `offset_at` says."""
    match form:
        case "jsonl":
            for entry in entries:
                yield _json(entry) + "\n"
        case "json":
            yield from _array(map(_json, entries))
        case "hledger":
            yield from hledger.of_entries(entries, offset_at)
        case "csv":
            yield csv_row(COLUMNS)
            for entry in entries:
                cells = _cells(entry)
                yield csv_row(cells.get(name, "") for name in COLUMNS)


DECISION_COLUMNS = (
    "id",
    "session",
    "kind",
    "floor_tier",
    "floor_source",
    "floor_words",
    "gate_on",
    "gate_needs",
    "chosen",
    "tier",
    "expected_pusd",
    "candidates",
    "rejections",
    "because",
)


def export_decisions(messages: Iterable[bytes], form: Table) -> Iterator[str]:
    """The reasons of decisions, as they are kept, one each. A row of the csv has what is said of the chosen candidate and how many others
    there were; the json has all of it."""
    match form:
        case "jsonl":
            yield from (message.decode() + "\n" for message in messages)
        case "json":
            yield from _array(message.decode() for message in messages)
        case "csv":
            yield csv_row(DECISION_COLUMNS)
            for message in messages:
                cells = _decision_cells(json.loads(message))
                yield csv_row(no_formula(cell) if isinstance(cell, str) else cell for cell in map(cells.get, DECISION_COLUMNS))


def _decision_cells(message: Mapping[str, Any]) -> dict[str, object]:
    floor: Mapping[str, Any] = message["floor"]
    gate: Mapping[str, Any] = message.get("gate") or dict[str, Any]()
    candidates: Sequence[Mapping[str, Any]] = message["candidates"]
    chosen = next((one for one in candidates if one["model"] == message["chosen"]), dict[str, Any]())
    return {
        "id": message["id"],
        "session": message["session"],
        "kind": message["kind"],
        **{f"floor_{name}": floor[name] for name in ("tier", "source", "words")},
        "gate_on": str(gate.get("on", False)).lower(),
        "gate_needs": gate.get("needs"),
        "chosen": message["chosen"],
        "tier": chosen.get("tier"),
        "expected_pusd": chosen.get("expected_pusd"),
        "candidates": len(candidates),
        "rejections": len(message["rejections"]),
        "because": "; ".join(message["because"]),
    }


def _array(texts: Iterable[str]) -> Iterator[str]:
    """One array of JSON, an element a line."""
    before = "["
    for text in texts:
        yield before + "\n" + text
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _json(entry: Entry) -> str:
    return codec.encode(codec.whole(entry)).decode()


def _cells(entry: Entry) -> dict[str, object]:
    cells: dict[str, object] = {"phase": phase_of(entry)}
    for field in fields(entry):
        value: object = getattr(entry, field.name)
        if isinstance(value, Usage | Rates):
            cells.update({f"{field.name}_{inner.name}": getattr(value, inner.name) for inner in fields(value)})
        elif field.name == "call_ids" and isinstance(entry, Settled):
            cells[field.name] = " ".join(entry.call_ids)
        elif isinstance(value, str):
            cells[field.name] = no_formula(value)
        elif isinstance(value, bool):
            cells[field.name] = str(value).lower()
        else:
            cells[field.name] = value
    return cells


def no_formula(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_row(cells: Iterable[object]) -> str:
    """One line of a csv, its end included; None is an empty cell."""
    text = io.StringIO()
    # Some Pythons quote a carriage return only where it ends lines; so it ends them here, and is taken off again.
    csv.writer(text, lineterminator="\r\n").writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue().removesuffix("\r\n") + "\n"
