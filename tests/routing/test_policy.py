"""Which floor holds: everybody who may say so, strongest first, each with words that name file and line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfare.core.budget import Cap
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier, Trouble
from stepfare.routing.policy import floor_of_action, floors_for, gate_plan, lowered
from stepfare.routing.snapshot import Policy
from tests.routing.samples import dotfile, features, request, snapshot, step

EVERYBODY = dotfile(
    """\
profile = "careful"
[steps]
edit = "balanced"
[[paths]]
match = ["migrations/**"]
floor = "premium"
[[paths]]
match = ["docs/**"]
floor = "frugal"
"""
)
PROFILE_ONLY = dotfile('profile = "careful"\n')
STEPS_ONLY = dotfile('[steps]\nedit = "premium"\n')
PATHS_ONLY = dotfile('[[paths]]\nmatch = ["migrations/**"]\nfloor = "premium"\n')
LOW_PATHS = dotfile('[[paths]]\nmatch = ["docs/**"]\nfloor = "frugal"\n[steps]\nedit = "balanced"\n')


@pytest.mark.parametrize(
    ("case", "floor"),
    [
        ({}, (Tier.BALANCED, "settings", "profile balanced (the default): edit is balanced")),
        ({"policy": Policy("premium", "config.toml:1")}, (Tier.PREMIUM, "settings", "profile premium (config.toml:1): edit is premium")),
        ({"model": "premium"}, (Tier.PREMIUM, "alias", "the client asks for profile premium: edit is premium")),
        ({"model": "stepfare/frugal"}, (Tier.FRUGAL, "alias", "the client asks for profile frugal: edit is frugal")),
        ({"model": "stepfare/auto"}, (Tier.BALANCED, "settings", "profile balanced (the default): edit is balanced")),
        (
            {"model": "premium", "dotfile": PROFILE_ONLY},
            (Tier.BALANCED, "profile", ".stepfare.toml:1 starts from profile careful: edit is balanced"),
        ),
        (
            {"model": "premium", "dotfile": PROFILE_ONLY, "kind": StepKind.PLAN},
            (Tier.PREMIUM, "profile", ".stepfare.toml:1 starts from profile careful: plan is premium"),
        ),
        ({"model": "frugal", "dotfile": STEPS_ONLY}, (Tier.PREMIUM, "dotfile", ".stepfare.toml:2 sets edit to premium")),
        (
            {"dotfile": STEPS_ONLY, "kind": StepKind.PLAN},
            (Tier.BALANCED, "settings", "profile balanced (the default): plan is balanced"),
        ),
        (
            {"dotfile": PATHS_ONLY, "files": ("src/a.py", "migrations/1.sql")},
            (Tier.PREMIUM, "path", ".stepfare.toml:2 asks for premium on migrations/**, and migrations/1.sql is in play"),
        ),
        ({"dotfile": PATHS_ONLY, "files": ("src/a.py",)}, (Tier.BALANCED, "settings", "profile balanced (the default): edit is balanced")),
        # A path rule lifts, it never lowers.
        ({"dotfile": LOW_PATHS, "files": ("docs/a.md",)}, (Tier.BALANCED, "dotfile", ".stepfare.toml:5 sets edit to balanced")),
        (
            {"dotfile": LOW_PATHS, "files": ("docs/a.md",), "kind": StepKind.EXPLORE},
            (Tier.FRUGAL, "path", ".stepfare.toml:2 asks for frugal on docs/**, and docs/a.md is in play"),
        ),
        (
            {"dotfile": EVERYBODY, "files": ("migrations/1.sql",), "model": "premium"},
            (Tier.PREMIUM, "path", ".stepfare.toml:5 asks for premium on migrations/**, and migrations/1.sql is in play"),
        ),
        (
            {"dotfile": EVERYBODY, "files": ("migrations/1.sql",), "pin": Tier.FRUGAL},
            (Tier.FRUGAL, "pin", "the session is pinned to frugal"),
        ),
        (
            {"dotfile": EVERYBODY, "pin": Tier.FRUGAL, "header": "Premium "},
            (Tier.PREMIUM, "header", "the call asks for premium (x-stepfare-tier)"),
        ),
        ({"header": "cheap"}, (Tier.BALANCED, "settings", "profile balanced (the default): edit is balanced")),
        ({"header": "", "pin": Tier.PREMIUM}, (Tier.PREMIUM, "pin", "the session is pinned to premium")),
    ],
)
def test_the_strongest_of_all_who_speak_holds(case: dict, floor: tuple[Tier, str, str]) -> None:
    view = request(model=case.get("model", "auto"), headers={"x-stepfare-tier": case["header"]} if "header" in case else {})
    world = snapshot(policy=case.get("policy", Policy()), dotfile=case.get("dotfile"), session=Session("s1", pin=case.get("pin")))
    found = floors_for(view, features(files=case.get("files", ())), world)[case.get("kind", StepKind.EDIT)]
    assert (found.tier, found.source, found.words) == floor


def test_a_profile_of_the_users_own_may_be_asked_for_and_starts_from_the_default() -> None:
    own = Policy(profiles={"mine": {StepKind.EXPLORE: Tier.PREMIUM}})
    world = snapshot(policy=own)
    assert floors_for(request(model="mine"), features(), world)[StepKind.EXPLORE].tier is Tier.PREMIUM
    assert floors_for(request(model="mine"), features(), world)[StepKind.EDIT].tier is Tier.BALANCED


def test_a_projects_profile_that_is_gone_from_the_settings_is_passed_over() -> None:
    checked = dotfile('profile = "frugal"')
    gone = type(checked)(profile="gone")
    assert floors_for(request(), features(), snapshot(dotfile=gone))[StepKind.EDIT].source == "settings"


def cap(used: int, limit: int = 100, on_limit: str = "ask", scope: str = "day") -> Cap:
    return Cap(scope, limit, used, "config.toml", on_limit)


@pytest.mark.parametrize(("on_limit", "tier"), [("frugal", Tier.FRUGAL), ("ask", None), ("stop", None)])
def test_only_the_users_own_word_lowers_a_floor(on_limit: str, tier: Tier | None) -> None:
    world = snapshot(caps=(cap(0, on_limit="ask", scope="session"), cap(100, on_limit=on_limit)))
    found = lowered(floors_for(request(), features(), world)[StepKind.EDIT], world)
    assert (None if found is None else found.tier) is tier
    if found is not None:
        assert found.source == "budget"
        assert found.words.startswith('the day budget (config.toml) leaves no room for balanced and on_limit is "frugal"; else: profile')


def test_what_is_frugal_already_cannot_be_lowered() -> None:
    world = snapshot(caps=(cap(100, on_limit="frugal"),))
    assert lowered(floors_for(request(), features(), world)[StepKind.EXPLORE], world) is None


GATED = Policy(gate_enabled=True)
GUARDED = Policy("frugal", "config.toml:1", gate_enabled=True)


@pytest.mark.parametrize(
    ("case", "on", "needs", "highest"),
    [
        ({}, True, Tier.BALANCED, Tier.BALANCED),
        ({"policy": Policy()}, False, Tier.BALANCED, Tier.BALANCED),
        ({"model": "careful"}, True, Tier.BALANCED, Tier.PREMIUM),
        ({"model": "frugal"}, False, Tier.FRUGAL, Tier.FRUGAL),
        # Nothing needs more than a look, but for files that the project guards.
        ({"model": "frugal", "dotfile": PATHS_ONLY}, True, Tier.FRUGAL, Tier.PREMIUM),
        ({"dotfile": STEPS_ONLY}, True, Tier.PREMIUM, Tier.PREMIUM),
        ({"header": "frugal"}, False, Tier.FRUGAL, Tier.FRUGAL),
        ({"pin": Tier.BALANCED}, False, Tier.BALANCED, Tier.BALANCED),
        ({"certain": True}, False, Tier.BALANCED, Tier.BALANCED),
        ({"agent_loop": False}, False, Tier.BALANCED, Tier.BALANCED),
        ({"manual": True}, False, Tier.BALANCED, Tier.BALANCED),
        # All that is in play is guarded already: there is nothing below that floor to begin with.
        ({"dotfile": PATHS_ONLY, "files": ("migrations/1.sql",)}, False, Tier.PREMIUM, Tier.PREMIUM),
    ],
)
def test_an_answer_is_held_where_its_action_may_need_more_than_a_look_around(case: dict, on: bool, needs: Tier, highest: Tier) -> None:
    view = request(model=case.get("model", "auto"), headers={"x-stepfare-tier": case["header"]} if "header" in case else {})
    world = snapshot(policy=case.get("policy", GATED), dotfile=case.get("dotfile"), session=Session("s1", pin=case.get("pin")))
    seen = features(files=case.get("files", ()), agent_loop=case.get("agent_loop", True))
    coming = replace(step(), certain=case.get("certain", False))
    plan = gate_plan(coming, seen, floors_for(view, seen, world), world, manual=case.get("manual", False))
    assert (plan.on, plan.needs, plan.highest) == (on, needs, highest)
    assert plan.holds(Tier.FRUGAL) is on
    assert not plan.holds(highest)


@pytest.mark.parametrize(
    ("kind", "files", "tier", "source"),
    [
        (StepKind.EDIT, ("src/a.py",), Tier.FRUGAL, "settings"),
        (StepKind.EDIT, ("src/a.py", "migrations/1.sql"), Tier.PREMIUM, "path"),
        (StepKind.RECOVER, ("migrations/1.sql",), Tier.PREMIUM, "path"),
        (StepKind.EXPLORE, ("migrations/1.sql",), Tier.FRUGAL, "settings"),
    ],
)
def test_a_turn_that_changes_guarded_files_needs_what_they_ask_for(kind: StepKind, files: tuple[str, ...], tier: Tier, source: str) -> None:
    world = snapshot(policy=GUARDED, dotfile=PATHS_ONLY)
    found = floor_of_action(kind, files, floors_for(request(), features(), world), world)
    assert (found.tier, found.source) == (tier, source)


def test_a_fixed_tier_is_not_lifted_by_the_files_of_an_action() -> None:
    world = snapshot(policy=GUARDED, dotfile=PATHS_ONLY, session=Session("s1", pin=Tier.FRUGAL))
    assert floor_of_action(StepKind.EDIT, ("migrations/1.sql",), floors_for(request(), features(), world), world).source == "pin"


@pytest.mark.parametrize(
    ("rungs", "shown", "failures", "tier"),
    [
        (0, 0, 0, Tier.FRUGAL),
        (0, 0, 1, Tier.FRUGAL),
        (0, 0, 2, Tier.BALANCED),
        # What the step before showed already lifts nothing again; what it lifted stays.
        (1, 1, 2, Tier.BALANCED),
        (1, 1, 3, Tier.BALANCED),
        (1, 1, 4, Tier.PREMIUM),
        (1, 0, 0, Tier.BALANCED),
        (2, 2, 9, Tier.PREMIUM),
    ],
)
def test_a_ladder_begins_at_the_bottom_and_each_new_piece_of_evidence_lifts_the_whole_session(
    rungs: int, shown: int, failures: int, tier: Tier
) -> None:
    world = snapshot(session=Session("s1", rungs=rungs, evidence=shown))
    found = floors_for(request(model="ladder"), features(trouble=Trouble(failing_verifications=failures)), world)
    assert {floor.tier for floor in found.values()} == {tier}
    lifted = ", where evidence of trouble has lifted the session by" in found[StepKind.EDIT].words
    assert lifted is (tier > Tier.FRUGAL)


def test_in_trouble_an_edit_an_answer_and_a_plan_need_what_a_recovery_needs() -> None:
    trouble = features(trouble=Trouble(failing_verifications=2))
    found = floors_for(request(model="careful"), trouble, snapshot())
    assert {kind: found[kind].tier for kind in (StepKind.EDIT, StepKind.ANSWER, StepKind.PLAN, StepKind.RECOVER)} == dict.fromkeys(
        (StepKind.EDIT, StepKind.ANSWER, StepKind.PLAN, StepKind.RECOVER), Tier.PREMIUM
    )
    assert found[StepKind.EXPLORE].tier is Tier.FRUGAL
    assert found[StepKind.EDIT].words == (
        "2 verifications have failed since one last passed; the client asks for profile careful: recover is premium"
    )
    plan = gate_plan(step(), trouble, found, snapshot(policy=GATED), manual=False)
    assert (plan.needs, plan.highest) == (Tier.PREMIUM, Tier.PREMIUM)
