"""Ten thousand decisions in worlds by the roll of a die, from the request to what `explain` prints: what must hold of every one of them.

Which floor a step gets is said here once more, by the rule of the design and without a line of the product's.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from stepfare.cli.render import paint, reasons
from stepfare.control import protocol
from stepfare.core.attempt import Failure, Fault
from stepfare.core.decision import Decision, Ranked
from stepfare.core.step import StepKind, Tier
from stepfare.routing.decide import CANDIDATES_KEPT, decide
from stepfare.routing.failover import Failed, GiveUp, next_move
from stepfare.runtime.told import record_of
from tests.routing.random_worlds import World, world

SEEDS = range(20)
DECISIONS_EACH = 500
MADE_AGAIN_EVERY = 10
"""Decided twice is every world; so many are made anew for it, value by value."""

_F, _B, _P = Tier.FRUGAL, Tier.BALANCED, Tier.PREMIUM
# By profile: what working (answer, edit) and what thinking (plan, recover) needs; everything else is frugal.
_NEEDS = {"frugal": (_F, _F), "balanced": (_B, _B), "careful": (_B, _P), "premium": (_P, _P)}
_LOOKING = (StepKind.EXPLORE, StepKind.RUN, StepKind.SUMMARIZE)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_decisions_keep_their_floors_and_say_why(seed: int) -> None:
    dice = random.Random(seed)
    for number in range(DECISIONS_EACH):
        drawn = dice.getstate()
        made = world(dice)
        decision = decided(made)
        where = f"seed {seed}, decision {number}"
        failing = [dice.choice(tuple(Failure)) for _ in range(dice.choice((0, 0, 0, 1, 2)))]
        for kind in StepKind:
            served = serving(decision, kind, failing)
            assert served is None or served.candidate.model.tier >= least(made, decision, kind), f"{where}: a turn that is {kind.value}"
        assert all(row.candidate.model.tier >= decision.floor.tier for row in decision.ranked) or made.snapshot.named, where
        again = made
        if number % MADE_AGAIN_EVERY == 0:
            dice.setstate(drawn)
            again = world(dice)
        assert decided(again) == decision, f"{where}: the same world is decided otherwise"
        assert_explained(made, decision, where)


def test_the_worlds_are_as_unlike_as_they_should_be() -> None:
    """Whatever holds of all decisions says little where most of them are alike."""
    seen: Counter[str] = Counter()
    dice = random.Random(0)
    for _ in range(2_000):
        made = world(dice)
        decision = decided(made)
        seen.update([f"floor by {decision.floor.source}", "served" if decision.ranked else "refused"])
        seen.update(f"rejected: {reason}" for reason in {no.reason for no in decision.rejections})
        seen.update(["gate"] if decision.gate.on else [])
        if decision.gate.on and decision.ranked:
            first = decision.ranked[0].candidate.model.tier
            seen.update(["held" if decision.gate.holds(first) else "good enough for all"])
            seen.update(["escalates"] if serving(decision, StepKind.EDIT) not in (None, decision.ranked[0]) else [])
    floors = ("header", "pin", "path", "dotfile", "profile", "alias", "settings", "budget", "model")
    rejected = ("below-floor", "context", "capability", "health", "denied", "not-chosen", "budget")
    least_seen = min((seen[f"floor by {source}"], source) for source in floors)
    assert least_seen[0] >= 10, seen
    assert min(seen[f"rejected: {reason}"] for reason in rejected) >= 10, seen
    assert min(seen[what] for what in ("served", "refused", "gate", "held", "good enough for all", "escalates")) >= 50, seen


def decided(made: World) -> Decision:
    return decide(made.view, made.features, made.step, made.snapshot, "d1")


def serving(decision: Decision, kind: StepKind, failing: Sequence[Failure] = ()) -> Ranked | None:
    """Who gives a turn that turns out to be of this kind, where the first calls of all fail so; behind the gate, an answer of a tier
    that does not meet that kind's floor is dropped. None where nobody can."""
    failed: list[Failed] = []
    at_least: Tier | None = None
    while True:
        move = next_move(decision, failed, started=False, at_least=at_least)
        if isinstance(move, GiveUp):
            return None
        tier = move.ranked.candidate.model.tier
        if len(failed) < len(failing):
            failed.append(Failed(move.ranked.candidate.model.id, Fault(failing[len(failed)], "no", 503)))
        elif decision.gate.holds(tier) and tier < decision.gate.floors[kind].tier:
            assert at_least is None, "what was asked again for this kind meets its floor"
            at_least = decision.gate.floors[kind].tier
        else:
            return move.ranked


def least(made: World, decision: Decision, kind: StepKind) -> Tier:
    """The tier that must give a turn of this kind. Without a gate nobody knows what a turn will be: the predicted kind counts."""
    if made.snapshot.named:
        return Tier.FRUGAL  # Whoever names a model gets it.
    if decision.floor.source == "budget":
        assert any(cap.on_limit == "frugal" for cap in made.snapshot.caps), "nobody said that floors may be lowered"
        return Tier.FRUGAL
    return by_design(made, kind if decision.gate.on else made.step.kind)


def by_design(made: World, kind: StepKind) -> Tier:
    """Strongest first: header, pin, path rules (which only lift), the project's `[steps]`, its profile, the alias, the user's settings."""
    header, snapshot = made.view.headers.get("x-stepfare-tier", "").strip().lower(), made.snapshot
    if header in ("frugal", "balanced", "premium"):
        return Tier.of(header)
    if snapshot.session.pin is not None:
        return snapshot.session.pin
    dotfile, alias = snapshot.dotfile, made.view.model
    for beginning in ("stepfare/", "neo-mode/", "claude-stepfare-", "gpt-5-stepfare-"):
        alias = alias.removeprefix(beginning)
    names = [dotfile.profile if dotfile else None, alias if alias != "auto" else None, snapshot.policy.profile]
    ruled = _in_profile(next(name for name in names if name), kind, snapshot.policy.profiles)
    if dotfile is not None and kind in dotfile.steps:
        ruled = dotfile.steps[kind]
    lifted = dotfile.floor_for(made.features.files) if dotfile else None
    return ruled if lifted is None else max(ruled, lifted.tier)


def _in_profile(name: str, kind: StepKind, own: Mapping[str, Mapping[StepKind, Tier]]) -> Tier:
    if kind in own.get(name, {}):
        return own[name][kind]
    working, thinking = _NEEDS[name if name in _NEEDS else "balanced"]
    if kind in (StepKind.ANSWER, StepKind.EDIT):
        return working
    return thinking if kind in (StepKind.PLAN, StepKind.RECOVER) else Tier.FRUGAL


def assert_explained(made: World, decision: Decision, where: str) -> None:
    """Every model has its place or its reason, every sum its parts, and a person reads of all of it."""
    world_of = made.snapshot.named or made.snapshot.candidates
    ranked = [row.candidate.model.id for row in decision.ranked]
    rejected = [no.model for no in decision.rejections]
    assert len(set(ranked)) == len(ranked), where
    assert set(ranked) | set(rejected) <= {one.model.id for one in world_of}, where
    if len(ranked) < CANDIDATES_KEPT:
        assert sorted([*ranked, *rejected]) == sorted(one.model.id for one in world_of), where
    assert all(no.reason and no.words for no in decision.rejections), where
    for row in decision.ranked:
        assert row.expected_pusd is None or sum(part.pusd for part in row.arithmetic) == row.expected_pusd, where
        assert (row.expected_pusd is None) == (row.candidate.price is None), where
    assert all(decision.because), where
    message = protocol.Decision.model_validate_json(record_of(decision))
    text = paint.plain(reasons.decision(message))
    assert made.step.because in text, where
    assert decision.floor.words.partition("; held until")[0] in text, where
    if decision.chosen is None:
        assert "no model can serve this step" in text, where
    else:
        because = next((words for words in decision.because if words.startswith(decision.chosen.candidate.model.id)), "")
        assert because, where
        assert because in text, where
        assert f"Served by {decision.chosen.candidate.model.id}" in text, where
    assert ("answer is held" in text) == decision.gate.on, where
