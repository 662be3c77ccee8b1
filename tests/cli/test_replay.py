"""`stepfare replay` as a person runs it: on files, on folders, and on the books."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stepfare.control.protocol import Replay
from stepfare.paths import Paths
from tests.cli.conftest import Run
from tests.cli.recorded import booked, session, written

KINDS = ("read", "read", "edit", "read", "edit")
# Set A: Sonnet 5.5 and Haiku 5.5, in dollars per million tokens.
BALANCED = (10_000 * 2.50 + (10_000 + 11_000 + 12_000 + 13_000) * 0.10 + 4 * 1_000 * 2.50 + 5 * 100 * 10.00) / 1e6
FRUGAL = (10_000 * 0.125 + (10_000 + 11_000 + 12_000 + 13_000) * 0.01 + 4 * 1_000 * 0.125) / 1e6
GATE = (
    FRUGAL + (3 * 100 + 2 * 80) * 0.50 / 1e6  # every step is read by Haiku, which writes three answers and begins two
    + (12_000 * 2.50 + 12_000 * 0.10 + 2_000 * 2.50 + 2 * 100 * 10.00) / 1e6  # and Sonnet makes the two edits
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path / "shop.jsonl.gz", session(*KINDS))


def replayed(run: Run, *arguments: str) -> Replay:
    ran = run("replay", *arguments, "--json")
    assert ran.code == 0, ran
    return Replay.model_validate_json(ran.out)


def test_a_recorded_file_is_replayed_beside_its_baselines(run: Run, file: Path) -> None:
    told = replayed(run, str(file), "--policy", "gate", "--sets", "A").sets["A"]["claude-code"]
    assert (told.sessions, told.steps, told.escalations, told.edits_below_floor) == (1, 5, 2, 0)
    assert told.always_balanced_usd == pytest.approx(BALANCED)
    assert told.always_premium_usd == pytest.approx(2 * BALANCED)
    assert told.always_frugal_usd == pytest.approx(FRUGAL + 500 * 0.50 / 1e6)
    assert told.policy_usd == pytest.approx(GATE)
    assert told.share_of_balanced == told.worst_session == pytest.approx(GATE / BALANCED, abs=1e-5)
    assert told.optimum_usd <= told.policy_usd
    assert sum(told.policy_parts_usd.values()) == pytest.approx(told.policy_usd)


def test_the_message_has_all_that_was_promised(run: Run, file: Path) -> None:
    message = json.loads(run("replay", str(file), "--json").out)
    assert list(message["sets"]) == ["A", "C", "O"]
    assert {
        "sessions", "steps", "always_balanced_usd", "always_premium_usd", "always_frugal_usd", "policy_usd", "optimum_usd",
        "switch_writes_usd", "share_of_balanced", "worst_session", "sessions_above_102", "excess_share", "edits_below_floor", "escalations",
    } <= set(message["sets"]["C"]["claude-code"])  # fmt: skip


def test_a_policy_that_leaves_edits_to_the_frugal_model_is_told_so(run: Run, file: Path) -> None:
    told = replayed(run, str(file), "--policy", "frugal", "--sets", "O").sets["O"]["claude-code"]
    assert (told.edits_below_floor, told.policy_usd) == (2, told.always_frugal_usd)
    assert "2 edits below their floor" in run("replay", str(file), "--policy", "frugal", "--sets", "O").out


@pytest.mark.parametrize("policy", ["balanced", "premium", "optimum"])
def test_baselines_and_optimum_can_be_replayed_as_policies(run: Run, file: Path, policy: str) -> None:
    told = replayed(run, str(file), "--policy", policy, "--sets", "A").sets["A"]["claude-code"]
    expected = {"balanced": told.always_balanced_usd, "premium": told.always_premium_usd, "optimum": told.optimum_usd}
    assert told.policy_usd == expected[policy]


def test_the_planner_makes_no_edit_below_its_floor(run: Run, file: Path) -> None:
    told = replayed(run, str(file)).sets["A"]["claude-code"]
    assert told.edits_below_floor == 0
    assert told.optimum_usd <= told.policy_usd < told.always_premium_usd


def test_a_folder_is_replayed_by_agent_or_by_project(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    written(folder / "a.jsonl.gz", session(*KINDS), session(*KINDS, name="shop#2", start=9_000))
    written(folder / "b.jsonl", session(*KINDS, name="lib#1", agent="codex-cli", project="lib"), session("read", name="lib#2"))
    (folder / "steps.jsonl.gz").write_text("the same, step by step")
    by_agent = replayed(run, str(folder), "--sets", "A", "--policy", "gate")
    assert {name: one.sessions for name, one in by_agent.sets["A"].items()} == {"claude-code": 2, "codex-cli": 1}
    assert (by_agent.totals["A"].sessions, by_agent.left_out) == (3, 1)
    assert list(replayed(run, str(folder), "--sets", "A", "--by", "project").sets["A"]) == ["lib", "shop"]
    assert list(replayed(run, str(folder), "--sets", "A", "--agent", "codex-cli").sets["A"]) == ["codex-cli"]


def test_many_sessions_cost_the_same_on_one_processor_and_on_two(run: Run, tmp_path: Path) -> None:
    sessions = [session(*KINDS, name=f"s{n}", project=f"p{n % 2}", gap_s=10 + n, start=3_600 * n) for n in range(42)]
    file = written(tmp_path / "many.jsonl", *sessions)
    assert replayed(run, str(file), "--jobs", "1") == replayed(run, str(file), "--jobs", "2")


def test_rows_that_are_one_call_are_joined_on_request(run: Run, tmp_path: Path) -> None:
    one = session(*KINDS, "edit", "read")
    one["steps"][-1]["u"] = one["steps"][-2]["u"]
    file = written(tmp_path / "one.jsonl", one)
    assert [replayed(run, str(file), *more).totals["A"].steps for more in ((), ("--merge",))] == [7, 6]


def test_a_line_that_is_no_session_is_told_and_the_rest_replayed(run: Run, file: Path, tmp_path: Path) -> None:
    half = written(tmp_path / "half.jsonl", session(*KINDS), {"session_id": 1}, {})
    ran = run("replay", str(half), "--json")
    told = Replay.model_validate_json(ran.out)
    assert (ran.code, told.unreadable, told.totals["A"].sessions) == (0, 2, 1)
    assert ran.err.endswith("So do 1 more. The rest is replayed.\n")


def test_a_dearer_profile_needs_dearer_models(run: Run, file: Path) -> None:
    careful, premium = (replayed(run, str(file), "--policy", "gate", "--profile", name) for name in ("balanced", "premium"))
    assert (careful.floors, premium.floors) == ("edits", "profile")
    assert careful.totals["A"].policy_usd < premium.totals["A"].policy_usd
    assert premium.totals["A"].edits_below_floor == 0


def test_an_hour_on_both_sides_is_paid_by_both(run: Run, tmp_path: Path) -> None:
    slow = written(tmp_path / "slow.jsonl", session(*KINDS, gap_s=900))
    short, long = (replayed(run, str(slow), "--policy", "gate", "--lifetime", life).totals["A"] for life in ("5m", "1h"))
    assert long.always_balanced_usd < short.always_balanced_usd
    assert long.policy_usd < short.policy_usd


def test_a_single_session_is_told_step_by_step(run: Run, file: Path, tmp_path: Path) -> None:
    message = replayed(run, str(file), "--policy", "gate", "--sets", "A", "--steps")
    steps = message.steps["A"]
    assert [(one.kind, one.needs, one.tier, len(one.probes)) for one in steps] == [
        ("explore", "frugal", "frugal", 0),
        ("explore", "frugal", "frugal", 0),
        ("edit", "balanced", "balanced", 1),
        ("explore", "frugal", "frugal", 0),
        ("edit", "balanced", "balanced", 1),
    ]
    assert sum(one.usd for one in steps) == pytest.approx(message.totals["A"].policy_usd)
    text = run("replay", str(file), "--policy", "gate", "--sets", "A", "--steps").out
    assert "anthropic/claude-sonnet-5-5 after anthropic/claude-haiku-5-5" in text
    two = written(tmp_path / "two.jsonl", session(*KINDS), session(*KINDS, name="shop#2"))
    assert run("replay", str(two), "--steps").code == 2


def test_the_text_says_of_what_the_gap_is_made(run: Run, file: Path) -> None:
    out = run("replay", str(file), "--policy", "gate", "--sets", "C").out
    assert "C: Opus 4.8, Sonnet 4.6, Haiku 4.5" in out
    assert "no edit below its floor" in out
    assert "points above the optimum" in out


def test_own_sessions_are_replayed_from_the_books_under_the_models_in_play(run: Run, paths: Paths) -> None:
    asyncio.run(booked(paths, "s-1", "explore", "edit", "explore"))
    for arguments in (("s-1",), ("last",), ("--since", "all", "--policy", "balanced")):
        message = replayed(run, *arguments)
        if arguments[0] == "--since":
            assert message.left_out == 0
        told = message.sets["catalogue"]["cline"]
        assert (message.floors, told.sessions, told.steps) == ("profile", 1, 3)
        assert told.booked_usd == pytest.approx(3 * 0.01)
        assert told.always_frugal_usd < told.always_balanced_usd < told.always_premium_usd
    (steps,) = replayed(run, "s-1", "--steps").steps.values()
    assert [(one.booked_tier, one.booked_usd) for one in steps] == [("frugal", pytest.approx(0.01))] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere.jsonl",), 1, "no file or folder nowhere.jsonl"),
        (("s-1",), 3, "No daemon is running"),
        (("{empty}",), 1, "holds no recorded sessions"),
        (("{bad}",), 1, "holds a line that is no recorded session"),
        (("{file}", "--sets", "A,Z"), 2, "no price set 'Z'"),
        (("{file}", "--profile", "zebra"), 2, "no profile 'zebra'"),
        (("{file}", "--agent", "aider"), 1, "no session of aider"),
        (("{short}",), 1, "None of the sessions (1) is known well enough"),
    ],
)
def test_what_cannot_be_replayed_is_said(run: Run, tmp_path: Path, file: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jsonl").write_text('{"session_id": 1}\n')
    places = {"empty": tmp_path / "empty", "bad": tmp_path / "bad.jsonl", "file": file}
    places["short"] = written(tmp_path / "short.jsonl", session("read"))
    ran = run("replay", *(argument.format(**places) for argument in arguments))
    assert (ran.code, words in ran.err) == (code, True), ran
