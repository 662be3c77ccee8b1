"""`stepfare learn`: what it reads of the ledger, when it keeps what it learnt, and how it is undone."""

from __future__ import annotations

import asyncio
import json
import random
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytest

from stepfare.cli import examples
from stepfare.cli.render import learning, paint
from stepfare.control import protocol
from stepfare.control.protocol import Learned, LearnedFigures, Reloaded
from stepfare.core.entry import Entry
from stepfare.core.step import StepKind
from stepfare.paths import Paths
from stepfare.runtime.own_weights import weights_at_hand
from stepfare.steps.classify import WEIGHTS
from stepfare.steps.vector import FEATURES_VERSION, vector_of
from stepfare.store.sqlite_file import SqliteFile, open_file
from tests.cli.conftest import Run
from tests.control.fake_daemon import FakeDaemon
from tests.ledger.samples import NOW_MS, opened, reserved, settled
from tests.steps.views import some_features

HABITS = (("read", StepKind.EDIT), ("list", StepKind.EXPLORE))
"""Of a user whose agent edits after whatever it reads, and looks on after each list."""


@dataclass(frozen=True)
class Lived:
    """A step as the books have it: its record, and how its attempts ended."""

    record: dict[str, object]
    kind: str
    outcomes: Sequence[tuple[str, bool]] = (("ok", True),)


@cache
def values_after(action: str) -> tuple[float, ...]:
    return vector_of(some_features(action))


def record(values: Sequence[float], version: str = FEATURES_VERSION) -> dict[str, object]:
    return {"features": {"version": version, "values": list(values)}}


def write(paths: Paths, sessions: Iterable[Sequence[Lived]]) -> None:
    """A ledger that a daemon has written and left."""

    async def written() -> None:
        store = open_file(paths.ledger_db, lambda: NOW_MS)
        for number, steps in enumerate(sessions):
            name = f"s{number:03d}"
            await store.append(replace(opened(name), at_ms=NOW_MS + number * 1_000))
            for step, lived in enumerate(steps, 1):
                decision = f"d-{name}-{step}"
                entries: list[Entry] = []
                for attempt, (outcome, committed) in enumerate(lived.outcomes):
                    attempt_id = f"a-{name}-{step}-{attempt}"
                    at_ms = NOW_MS + number * 1_000 + step
                    entries.append(replace(reserved(attempt_id, name, step, at_ms), decision=decision))
                    entries.append(replace(settled(attempt_id, name, at_ms, kind=lived.kind), outcome=outcome, committed=committed))
                await store.append(*entries, decision=(decision, name, json.dumps(lived.record).encode()))
        await store.close()

    asyncio.run(written())


def habitual(sessions: int = 10, steps: int = 40) -> list[list[Lived]]:
    dice = random.Random(1)
    return [[Lived(record(values_after(action)), kind) for action, kind in dice.choices(HABITS, k=steps)] for _ in range(sessions)]


def as_foretold(sessions: int = 10, steps: int = 40) -> list[list[Lived]]:
    """Steps that come just as the shipped weights say."""
    dice = random.Random(2)
    chances = {action: WEIGHTS.probabilities(values_after(action)) for action, _ in HABITS}

    def one() -> Lived:
        action, _ = dice.choice(HABITS)
        kinds = list(chances[action])
        return Lived(record(values_after(action)), dice.choices(kinds, [chances[action][kind] for kind in kinds])[0])

    return [[one() for _ in range(steps)] for _ in range(sessions)]


def test_what_proves_better_is_kept_for_its_owner_alone_and_serves_from_then_on(run: Run, paths: Paths) -> None:
    write(paths, habitual())
    ran = run("learn")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Your own sessions teach more than what ships. ")
    assert "The daemon takes it up when it starts." in ran.out
    assert stat.S_IMODE(paths.weights_json.stat().st_mode) == 0o600
    weights, problems = weights_at_hand(paths)
    assert problems == ()
    assert weights.probabilities(values_after("read"))[StepKind.EDIT] > 0.8 > WEIGHTS.probabilities(values_after("read"))[StepKind.EDIT]
    assert weights.probabilities(values_after("list"))[StepKind.EDIT] < 0.1


def test_it_says_in_figures_what_was_decided(run: Run, paths: Paths) -> None:
    write(paths, habitual())
    found = Learned.model_validate_json(run("learn", "--json").out)
    assert (found.verdict, found.kept, found.sessions, found.steps, found.daemon) == ("better", True, 10, 400, "not-running")
    assert found.file == str(paths.weights_json)
    assert found.own is not None
    assert found.shipped is not None
    assert found.own.log_loss < found.shipped.log_loss
    assert 0 < found.held_back_steps < found.steps


def test_a_dry_run_keeps_nothing(run: Run, paths: Paths) -> None:
    write(paths, habitual())
    found = Learned.model_validate_json(run("learn", "--dry-run", "--json").out)
    assert (found.verdict, found.kept, found.daemon) == ("better", False, "")
    assert not paths.weights_json.exists()
    assert "Nothing was kept (--dry-run)." in run("learn", "--dry-run").out


def test_what_is_no_better_leaves_everything_as_it_was(run: Run, paths: Paths) -> None:
    write(paths, as_foretold())
    paths.weights_json.write_bytes(b"as it was")
    found = Learned.model_validate_json(run("learn", "--json").out)
    assert (found.verdict, found.kept) == ("not-better", False)
    assert found.own is not None
    assert paths.weights_json.read_bytes() == b"as it was"
    assert "Everything stays as it was." in run("learn").out


def test_little_teaches_nothing(run: Run, paths: Paths) -> None:
    write(paths, habitual(sessions=2, steps=3))
    found = Learned.model_validate_json(run("learn", "--json").out)
    assert (found.verdict, found.kept, found.sessions, found.steps, found.shipped) == ("too-little", False, 2, 6, None)
    assert run("learn").out.startswith("There is too little to learn from yet. ")


def test_the_running_daemon_takes_it_up(run: Run, paths: Paths, fake: FakeDaemon) -> None:
    write(paths, habitual())
    fake.answer("reload", Reloaded(problems=[]), method="POST")
    assert "The running daemon has taken it up." in run("learn").out
    assert Learned.model_validate_json(run("learn", "--forget", "--json").out).daemon == "reloaded"
    assert [asked.path for asked in fake.asked] == ["/control/v1/reload"] * 2


def test_what_was_learnt_can_be_forgotten(run: Run, paths: Paths) -> None:
    write(paths, habitual())
    assert run("learn").code == 0
    assert "weights.json is still there (--dry-run)." in run("learn", "--forget", "--dry-run").out
    assert paths.weights_json.exists()
    ran = run("learn", "--forget")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "The weights that ship serve. What was learnt is forgotten.")
    assert weights_at_hand(paths) == (WEIGHTS, ())
    found = Learned.model_validate_json(run("learn", "--forget", "--json").out)
    assert (found.verdict, found.because, found.daemon) == ("forgotten", "nothing had been learnt", "")


def test_without_books_there_is_nothing_to_learn_from(run: Run, paths: Paths) -> None:
    ran = run("learn")
    assert (ran.code, ran.out) == (1, "")
    assert "There are no books yet" in ran.err
    paths.ledger_db.write_bytes(b"not a database, whatever its name says" * 50)
    assert "is not a database" in run("learn").err


LOOKED = values_after("list")


@pytest.mark.parametrize(
    ("lived", "kinds"),
    [
        pytest.param(Lived(record(LOOKED), "explore"), ["explore"], id="what the client was given"),
        pytest.param(Lived(record(LOOKED), "edit", [("escalated", False), ("ok", True)]), ["edit"], id="asked again of somebody better"),
        pytest.param(Lived(record(LOOKED), "edit", [("escalated", False)]), ["edit"], id="taken back, and then the client left"),
        pytest.param(Lived(record(LOOKED), "edit", [("busy", False), ("hang-up", False)]), [], id="nobody answered"),
        pytest.param(Lived(record(LOOKED), "recover"), ["recover"], id="a recovery"),
        pytest.param(Lived(record(LOOKED, "00000000"), "explore"), [], id="features of another version"),
        pytest.param(Lived(record(LOOKED[:-1]), "explore"), [], id="features that are not all there"),
        pytest.param(Lived({"because": []}, "explore"), [], id="an older record, or a rule's verdict"),
    ],
)
def test_steps_are_learnt_from_where_their_turns_are_known(paths: Paths, lived: Lived, kinds: list[str]) -> None:
    write(paths, [[lived]])
    told: list[tuple[int, int]] = []
    found = asyncio.run(examples.examples(SqliteFile(paths.ledger_db), lambda done, of: told.append((done, of))))
    assert [(row.session, row.numbers, row.kind) for row in found] == [("s000", LOOKED, StepKind(kind)) for kind in kinds]
    assert told == [(1, 1)]


def test_sessions_come_in_the_order_of_their_beginnings(paths: Paths) -> None:
    write(paths, [[Lived(record(LOOKED), "explore")] * 2] * 3)
    found = asyncio.run(examples.examples(SqliteFile(paths.ledger_db), lambda _done, _of: None))
    assert [row.session for row in found] == ["s000", "s000", "s001", "s001", "s002", "s002"]


def test_the_verdict_reads_well() -> None:
    message = protocol.Learned(
        verdict="better",
        kept=True,
        because="it is",
        sessions=10,
        steps=400,
        held_back_steps=120,
        shipped=LearnedFigures(log_loss=1.2345, auc_edit=0.81),
        own=LearnedFigures(log_loss=0.9, auc_edit=None),
        file="/x/weights.json",
    )
    assert paint.plain(learning.learned(message)).splitlines() == [
        "Your own sessions teach more than what ships. It is.",
        "",
        "Learnt from 400 steps of 10 sessions, the latest 120 of them held back to judge by.",
        "  ON STEPS HELD BACK      LOSS  EDITS RANKED RIGHT",
        "  the weights that ship  1.234               0.810",
        "  with what was learnt   0.900",
        "",
        "It is kept in /x/weights.json and in force from the next step on; `stepfare learn --forget` goes back.",
    ]
