"""What the ledger's file says when no daemon is there to be asked, and the proof that the file is whole."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from stepfare.control.protocol import Decision, Report, SessionDetail, Sessions
from stepfare.core.entry import Entry, Opened, Reserved, Settled
from stepfare.core.money import Rates, Usage
from stepfare.paths import Paths
from stepfare.store.sqlite_file import open_file
from tests.cli.conftest import Run
from tests.cli.samples import DECISION, NOW_MS

FROM_FILE = "The daemon is not running; this is what the ledger says. (`stepfare serve` starts it.)\n"
RATES = Rates(input=100_000, cache_read=10_000, cache_write=125_000, cache_write_1h=200_000, output=400_000)
ENTRIES: tuple[Entry, ...] = (
    Opened("s-4f2a", NOW_MS, "cline", "/srv/shop", "/srv/shop", "main", "=Fix the cart"),
    Reserved("a-1", "d-1", "s-4f2a", 1, NOW_MS, "lab/small", "frugal", "explore", "frugal", "profile", 900_000_000, "cline"),
    Settled("a-1", "s-4f2a", NOW_MS + 5, "ok", "explore", Usage(1000, output_tokens=10), 104_000_000, "usage-priced", RATES, "2026-09-21"),
    Reserved("a-2", "d-2", "s-4f2a", 2, NOW_MS + 9, "lab/small", "frugal", "edit", "frugal", "profile", 900_000_000, "cline"),
)


@pytest.fixture
def books(paths: Paths) -> Paths:
    """A ledger that a daemon has written and left."""

    async def write() -> None:
        store = open_file(paths.ledger_db, lambda: NOW_MS)
        await store.append(*ENTRIES[:2], decision=("d-1", "s-4f2a", DECISION.model_dump_json().encode()))
        await store.append(*ENTRIES[2:])
        await store.close()

    asyncio.run(write())
    return paths


def test_sessions_and_reasons_are_read_from_the_file(run: Run, books: Paths) -> None:
    ran = run("sessions", "--since", "all")
    assert (ran.code, ran.err) == (0, FROM_FILE)
    assert ran.out.splitlines()[1].split()[0] == "s-4f2a"
    found = Sessions.model_validate_json(run("sessions", "--since", "all", "--json").out)
    assert [(one.id, one.totals.spent_pusd, one.totals.reserved_pusd) for one in found.sessions] == [("s-4f2a", 104_000_000, 900_000_000)]
    detail = SessionDetail.model_validate_json(run("session", "s-4", "--json").out)
    assert [(step.kind, step.cost_pusd, step.because) for step in detail.steps] == [
        ("explore", 104_000_000, DECISION.because),
        ("edit", None, []),
    ]
    for way in ("last", "d-1", "s-4f2a:1"):
        assert Decision.model_validate_json(run("explain", way, "--json").out) == DECISION


def test_what_the_file_does_not_hold_is_not_found(run: Run, books: Paths) -> None:
    for arguments in (("session", "zebra"), ("explain", "zebra")):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "zebra" in ran.err


def test_what_only_a_daemon_can_tell_still_needs_one(run: Run, books: Paths) -> None:
    for command in ("status", "models", "prices"):
        assert run(command).code == 3


def test_a_report_is_read_from_the_file_in_every_format(run: Run, books: Paths) -> None:
    ran = run("report", "--by", "day,model", "--since", "all")
    assert (ran.code, ran.err) == (0, FROM_FILE)
    title, row, whole, *_ = ran.out.splitlines()
    assert title.split()[:4] == ["DAY", "MODEL", "STEPS", "SPENT"]
    assert row.split()[1:4] == ["lab/small", "1", "$0.00010400"]
    assert "$0.0009000 at most under way" in row
    assert whole.startswith("in all")
    found = Report.model_validate_json(run("report", "--since", "all", "--json").out)
    assert (found.by, found.whole.totals.spent_pusd, found.whole.totals.reserved_pusd) == (["day"], 104_000_000, 900_000_000)
    assert found.rows[0].pusd_per_million_tokens == 104_000_000 * 1_000_000 // 1010
    written = list(csv.DictReader(io.StringIO(run("report", "--by", "project,kind", "--since", "all", "--format", "csv").out)))
    assert [(one["project"], one["kind"], one["spent_usd"]) for one in written] == [
        ("/srv/shop", "explore", "0.000104"),
        ("/srv/shop", "edit", "0.0"),
    ]
    lines = run("report", "--by", "session", "--since", "all", "--format", "jsonl").out.splitlines()
    assert [(json.loads(line)["session"], json.loads(line)["spent_pusd"]) for line in lines] == [("s-4f2a", 104_000_000)]
    journal = run("report", "--since", "all", "--format", "hledger").out
    assert "    expenses:ai:shop:lab/small  USD 0.000104\n    liabilities:ai:lab  USD -0.000104\n" in journal


def test_a_report_is_of_a_time_a_session_or_a_project(run: Run, books: Paths, tmp_path: Path) -> None:
    spent = {
        arguments: Report.model_validate_json(run("report", "--json", *arguments).out).whole.totals.spent_pusd
        for arguments in (
            ("--since", "all", "--session", "s-4"),
            ("--since", "all", "--session", "last"),
            ("--since", "all", "--project", str(tmp_path)),
            ("--since", "all", "--until", "2001-01-01"),
            ("--since", "today"),
        )
    }
    assert list(spent.values()) == [104_000_000, 104_000_000, 0, 0, 0]
    assert "Nothing was spent in that time" in run("report", "--since", "all", "--until", "2001-01-01").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "colour"), "'colour' is none of session, project"),
        (("--by", "day,day"), "3 different ones at most"),
        (("--since", "soon"), "--since 'soon' is no time"),
        (("--until", "soon"), "--until 'soon' is no time"),
        (("--by", "day", "--format", "hledger"), "leave --by out"),
    ],
)
def test_a_report_of_something_else_is_refused_in_words(run: Run, books: Paths, arguments: tuple[str, ...], words: str) -> None:
    ran = run("report", *arguments)
    assert ran.code == 2
    assert words in ran.err


def test_an_export_holds_every_entry_in_order(run: Run, books: Paths) -> None:
    lines = run("ledger", "export", "--format", "jsonl").out.splitlines()
    assert len(lines) == len(ENTRIES)
    assert json.loads(run("ledger", "export", "--json").out) == [json.loads(line) for line in lines]
    rows = list(csv.DictReader(io.StringIO(run("ledger", "export").out)))
    assert [row["phase"] for row in rows] == ["opened", "reserved", "settled", "reserved"]
    assert rows[0]["title"] == "'=Fix the cart"
    assert rows[2]["cost_pusd"] == "104000000"
    assert "    expenses:ai:shop:lab/small  USD 0.000104\n" in run("ledger", "export", "--format", "hledger").out


def test_whole_books_are_proved_whole(run: Run, books: Paths) -> None:
    ran = run("ledger", "verify")
    assert ran.code == 0
    assert ran.out.startswith("The books are whole: 4 entries, each hashed to the one before it")
    found = json.loads(run("ledger", "verify", "--json").out)
    assert (found["whole"], found["entries"], found["problems"]) == (True, 4, [])


def test_a_changed_entry_is_found_and_named(run: Run, books: Paths) -> None:
    connection = sqlite3.connect(books.ledger_db)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("UPDATE journal SET body = replace(CAST(body AS TEXT), '104000000', '4000000') WHERE row = 3")
    connection.commit()
    connection.close()
    ran = run("ledger", "verify")
    assert (ran.code, ran.out) == (1, "")
    assert "NOT whole. Sound are the first 2 entries" in ran.err
    assert "row 3" in ran.err
    ran = run("ledger", "verify", "--json")
    assert (ran.code, json.loads(ran.out)["whole"]) == (1, False)


def test_a_file_that_is_no_ledger_is_said_to_be_none(run: Run, paths: Paths) -> None:
    paths.ledger_db.write_bytes(b"not a database, whatever its name says" * 50)
    for arguments in (("ledger", "verify"), ("ledger", "export"), ("sessions",), ("explain",)):
        ran = run(*arguments)
        assert ran.code == 1
        assert "is not a database" in ran.err


def test_no_books_yet_is_said_as_such(run: Run) -> None:
    for arguments in (("ledger", "verify"), ("ledger", "export")):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (1, "")
        assert "There are no books yet" in ran.err


def test_a_backup_is_made_checked_and_can_be_checked_again(run: Run, books: Paths, tmp_path: Path) -> None:
    copy = tmp_path / "kept" / "copy.db"
    ran = run("ledger", "backup", str(copy))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("The books are whole: 4 entries")
    assert json.loads(run("ledger", "verify", str(copy), "--json").out)["whole"] is True
    again = run("ledger", "backup", str(copy))
    assert again.code == 1
    assert "exists already" in again.err
