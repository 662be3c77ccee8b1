"""`stepfare audit` as a person runs it on the books."""

from __future__ import annotations

import asyncio

import pytest

from stepfare.control.protocol import Audit
from stepfare.paths import Paths
from tests.cli.conftest import Run
from tests.cli.recorded import NOW_MS, booked

TIERS = {"edit": "balanced"}


def fill(paths: Paths, count: int) -> None:
    async def write() -> None:
        for number in range(count):
            kinds = ("explore",) * (12 + number) + ("edit",) * 3
            await booked(paths, f"s-{number}", *kinds, tiers=TIERS, start_ms=NOW_MS + 10_000_000 * number, gap_ms=100_000)

    asyncio.run(write())


def test_routing_that_keeps_edits_together_helped(run: Run, paths: Paths) -> None:
    fill(paths, 10)
    ran = run("audit", "--since", "all", "--json")
    told = Audit.model_validate_json(ran.out)
    assert (told.verdict, len(told.sessions), told.left_out) == ("helped", 10, 0)
    assert 0 < told.saved.low <= told.saved.share <= told.saved.high < 1
    assert told.routed_usd < told.shuffled_usd < told.always_balanced_usd < told.always_premium_usd
    assert told.booked_usd == pytest.approx(0.01 * told.steps)
    assert run("audit", "--since", "all", "--json").out == ran.out
    assert run("audit", "--since", "all").out.startswith("Routing helped: it was cheaper than the balanced model alone, and cheaper")


def test_few_sessions_are_no_evidence(run: Run, paths: Paths) -> None:
    fill(paths, 3)
    assert Audit.model_validate_json(run("audit", "--since", "all", "--json").out).verdict == "no evidence"
    assert "No evidence that routing helped: there are only 3 sessions" in run("audit", "--since", "all").out


def test_without_sessions_there_is_nothing_to_audit(run: Run, paths: Paths) -> None:
    fill(paths, 1)
    ran = run("audit", "--since", "all", "--agent", "aider")
    assert (ran.code, "No sessions since all" in ran.err) == (1, True)
