"""Totals: steps counted once, money where it was spent, nothing unpriced taken for free."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfare.control import protocol
from stepfare.core.entry import Entry
from stepfare.ledger.groups import Group
from stepfare.ledger.journal import balance_of
from stepfare.ledger.totals import FIRST_SETTLED, SUMS, Bucket, Totals, add, report, totals_of
from tests.ledger.samples import NOW_MS, SOME, journals, lost, opened, reserved, settled, voided


def test_the_fields_are_those_of_the_control_api() -> None:
    assert [field.name for field in fields(Totals)] == list(protocol.Totals.model_fields)
    assert [field.name for field in fields(Bucket)] == list(protocol.Bucket.model_fields)
    assert get_args(Group) == get_args(protocol.Grouping)


def test_one_settled_attempt_is_one_step_with_all_that_it_used() -> None:
    spent = replace(settled(), always_premium_pusd=900, always_balanced_pusd=450, switch_write_pusd=20)
    expected = Totals(
        steps=1,
        spent_pusd=500,
        always_premium_pusd=900,
        always_balanced_pusd=450,
        switch_writes_pusd=20,
        input_tokens=1_000,
        cache_read_tokens=800,
        cache_write_tokens=100,
        output_tokens=50,
        by_tier={"balanced": Bucket(1, 500)},
        by_model={"lab/large": Bucket(1, 500)},
        by_kind={"edit": Bucket(1, 500)},
    )
    assert totals_of([opened(), reserved(), spent]) == add(Totals(), reserved(), spent) == expected
    assert (expected.saved_on_premium_pusd, expected.saved_on_balanced_pusd) == (400, -50)


def test_a_step_of_two_attempts_is_one_step_with_the_money_of_both() -> None:
    second = replace(reserved("a2"), model="lab/small", tier="frugal")
    totals = totals_of([reserved(), settled(), second, settled("a2", cost_pusd=70)])
    assert (totals.steps, totals.spent_pusd) == (1, 570)
    assert totals.by_model == {"lab/large": Bucket(1, 500), "lab/small": Bucket(0, 70)}
    assert totals == add(add(Totals(), reserved(), settled()), second, settled("a2", cost_pusd=70), FIRST_SETTLED)


def test_a_failed_attempt_counts_for_nothing_and_the_next_one_for_its_step() -> None:
    assert totals_of([reserved(), voided(), reserved("a2"), settled("a2")]).steps == 1
    assert totals_of([reserved(), voided()]) == Totals()


def test_open_and_lost_money_stand_apart() -> None:
    totals = totals_of([reserved(), reserved("a2", step=2), lost("a2")])
    assert (totals.steps, totals.spent_pusd, totals.reserved_pusd, totals.lost_pusd) == (0, 0, 900, 900)


@pytest.mark.parametrize(
    "entries",
    [
        (reserved(), settled(cost_pusd=None)),
        (reserved(), settled(cost_pusd=None), reserved("a2"), settled("a2", cost_pusd=None)),
        (reserved(ceiling_pusd=None), lost(ceiling_pusd=None)),
    ],
)
def test_an_unpriced_step_is_counted_apart_and_once(entries: tuple[Entry, ...]) -> None:
    assert totals_of(entries).unpriced_steps == 1


def test_an_unpriced_attempt_claims_no_savings_and_one_without_a_baseline_neither() -> None:
    unpriced = replace(settled(cost_pusd=None), always_premium_pusd=900, always_balanced_pusd=900)
    totals = totals_of([reserved(), unpriced, reserved("a2", step=2), settled("a2")])
    assert (totals.saved_on_premium_pusd, totals.saved_on_balanced_pusd) == (0, 0)
    assert totals.spent_pusd == 500


def test_a_day_begins_at_midnight_and_ends_before_the_next() -> None:
    midnight_ms = NOW_MS - NOW_MS % 86_400_000
    entries = [reserved(), settled(at_ms=midnight_ms - 1), reserved("a2", step=2), settled("a2", at_ms=midnight_ms)]
    assert {day: totals.steps for (day,), totals in report(entries, ("day",)).items()} == {"2026-11-17": 1, "2026-11-18": 1}
    assert totals_of(entries, since_ms=midnight_ms).steps == totals_of(entries, until_ms=midnight_ms).steps == 1


def test_what_is_not_known_for_sure_stands_apart() -> None:
    guessed = replace(settled("a2"), source="estimated", low_pusd=400, high_pusd=900)
    unpriced = settled("a3", cost_pusd=None)
    totals = totals_of([reserved(), settled(), reserved("a2", step=2), guessed, reserved("a3", step=3), unpriced])
    assert (totals.spent_pusd, totals.estimated_pusd) == (1_000, 500)
    assert (totals.estimated_low_pusd, totals.estimated_high_pusd) == (400, 900)
    assert (totals.unpriced_steps, totals.unpriced_tokens) == (1, 1_050)


def test_what_the_gate_dropped_is_counted_with_its_cost() -> None:
    dropped = replace(settled(), outcome="escalated")
    totals = totals_of([reserved(), dropped, reserved("a2"), settled("a2", cost_pusd=70)])
    assert (totals.steps, totals.escalations, totals.spent_pusd, totals.escalated_pusd) == (1, 1, 570, 500)


def test_each_group_names_what_it_is_about() -> None:
    entries = [opened(), reserved(), settled()]
    names = {group: list(report(entries, (group,))) for group in get_args(Group)}
    assert names == {
        "session": [("s1",)],
        "project": [("shop",)],
        "branch": [("main",)],
        "day": [("2026-11-18",)],
        "month": [("2026-11",)],
        "model": [("lab/large",)],
        "tier": [("balanced",)],
        "kind": [("edit",)],
        "client": [("cline",)],
        "provider": [("lab",)],
        "user": [("ann",)],
    }


GROUPS = st.lists(st.sampled_from(get_args(Group)), max_size=2, unique=True)


@SOME
@given(entries=journals(), by=GROUPS)
def test_the_parts_of_any_report_make_up_the_whole(entries: list[Entry], by: list[Group]) -> None:
    whole, balance = totals_of(entries), balance_of(entries)
    parts = report(entries, by)
    assert all(len(names) == len(by) for names in parts)
    for name in (*SUMS, "reserved_pusd"):
        assert sum(getattr(part, name) for part in parts.values()) == getattr(whole, name)
    assert (whole.spent_pusd, whole.reserved_pusd, whole.lost_pusd) == (balance.spent_pusd, balance.reserved_pusd, balance.lost_pusd)
    for buckets in (whole.by_tier, whole.by_model, whole.by_kind):
        assert sum(bucket.steps for bucket in buckets.values()) == whole.steps
        assert sum(bucket.spent_pusd for bucket in buckets.values()) == whole.spent_pusd
