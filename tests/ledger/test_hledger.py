"""The books as a journal of hledger: exact, balanced, and read by hledger itself where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from hypothesis import given

from stepfare.core.entry import Entry
from stepfare.ledger.calendar import utc
from stepfare.ledger.export import export
from stepfare.ledger.hledger import HEADER, Spent, of_days, of_entries
from stepfare.ledger.totals import totals_of
from tests.ledger.samples import NOW_MS, SOME, journals, lost, opened, reserved, settled, voided

POSTING = re.compile(r"^    (\S.*?)  USD (-?[\d.]+)$", re.MULTILINE)


def postings(text: str) -> list[tuple[str, Decimal]]:
    return [(account, Decimal(amount)) for account, amount in POSTING.findall(text)]


def body(entries: Sequence[Entry]) -> str:
    return "".join(of_entries(entries, utc)).removeprefix(HEADER)


def test_an_attempt_is_a_transaction_with_both_sides() -> None:
    assert body([opened(workspace="/srv"), reserved(), settled(cost_pusd=4_200_000_001)]) == (
        "2026-11-18 * edit  ; session:s1, attempt:a1\n"
        "    expenses:ai:shop:lab/large  USD 0.004200000001\n"
        "    liabilities:ai:lab  USD -0.004200000001\n\n"
    )


def test_a_guess_is_pending_and_what_has_no_sum_is_a_comment() -> None:
    entries = [
        *(reserved(), replace(settled(), source="estimated")),
        *(reserved("a2", step=2), settled("a2", cost_pusd=None)),
        *(reserved("a3", step=3), lost("a3")),
        *(reserved("a4", step=4), voided("a4")),
        reserved("a5", step=5),
    ]
    first, unpriced, gone = body(entries).strip().split("\n\n")
    assert first.startswith("2026-11-18 ! edit")
    assert "no project" in first
    assert "    ; ai:no project:lab/large: 1 without a known price" in unpriced
    assert "USD 0.0000000009 at most, lost sight of" in gone
    assert postings(unpriced) == postings(gone) == []


def test_play_money_and_odd_names_stand_where_they_do_no_harm() -> None:
    odd = replace(opened(), project="/srv/a:b;  c,\u2028d\n2026-01-01 * theft")
    played = replace(reserved(), model="simulator/small:free")
    text = body([odd, played, settled()])
    assert postings(text) == [
        ("expenses:simulator:a-b- c- d 2026-01-01 * theft:simulator/small-free", Decimal("0.0000000005")),
        ("liabilities:simulator", Decimal("-0.0000000005")),
    ]


def test_a_day_is_one_transaction() -> None:
    days = [
        Spent("2026-11-20", "/srv/shop", "lab/large", 5),
        Spent("2026-11-20", "/srv/till", "lab/small", 7, estimated=True),
        Spent("2026-11-20", "/srv/till", "den/small", 0, unpriced_steps=3),
        Spent("2026-11-21", "/srv/shop", "lab/large", 1),
    ]
    text = "".join(of_days(days))
    assert [line[:12] for line in text.splitlines() if line.startswith("2026")] == ["2026-11-20 !", "2026-11-21 *"]
    assert ("liabilities:ai:lab", Decimal("-0.000000000012")) in postings(text)
    assert "3 without a known price" in text


@SOME
@given(entries=journals())
def test_the_expenses_are_what_was_spent_and_every_transaction_balances(entries: list[Entry]) -> None:
    text = "".join(export(entries, "hledger"))
    spent = sum(amount for account, amount in postings(text) if account.startswith("expenses:"))
    assert spent == Decimal(totals_of(entries).spent_pusd).scaleb(-12)
    for transaction in text.removeprefix(HEADER).split("\n\n"):
        assert sum(amount for _, amount in postings(transaction)) == 0


def expenses(text: str) -> Decimal:
    """All expenses, as hledger sums them; on a machine that has none, as we read its journal ourselves."""
    if shutil.which("hledger") is None:
        return sum((amount for account, amount in postings(text) if account.startswith("expenses:")), Decimal())
    command = ["hledger", "-f", "-", "balance", "expenses", "--depth", "1", "--output-format", "csv"]
    said = subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout
    return Decimal(re.findall(r'"total","USD ([\d.]+)"', said)[0])


def test_hledger_reads_it_and_comes_to_the_same_sum() -> None:
    costs = [1, 999_999_999_999, 123_456_789_012_345, 5_000_000]
    entries: list[Entry] = [replace(opened(), project="/srv/a:b;  c")]
    for number, cost in enumerate(costs):
        entries += [reserved(f"a{number}", step=number), settled(f"a{number}", at_ms=NOW_MS + number * 86_400_000, cost_pusd=cost)]
    assert expenses("".join(of_entries(entries, utc))) == Decimal(sum(costs)).scaleb(-12)
