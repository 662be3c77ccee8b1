"""Which floor holds: everybody who may say so, strongest first, each with words that name file and line."""

from __future__ import annotations

import pytest

from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.routing.policy import floor_for, lowered
from stepfare.routing.snapshot import Cap, Policy
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
    found = floor_for(view, step(case.get("kind", StepKind.EDIT)), features(files=case.get("files", ())), world)
    assert (found.tier, found.source, found.words) == floor


def test_a_profile_of_the_users_own_may_be_asked_for_and_starts_from_the_default() -> None:
    own = Policy(profiles={"mine": {StepKind.EXPLORE: Tier.PREMIUM}})
    world = snapshot(policy=own)
    assert floor_for(request(model="mine"), step(StepKind.EXPLORE), features(), world).tier is Tier.PREMIUM
    assert floor_for(request(model="mine"), step(StepKind.EDIT), features(), world).tier is Tier.BALANCED


def test_a_projects_profile_that_is_gone_from_the_settings_is_passed_over() -> None:
    checked = dotfile('profile = "frugal"')
    gone = type(checked)(profile="gone")
    assert floor_for(request(), step(), features(), snapshot(dotfile=gone)).source == "settings"


def cap(used: int, limit: int = 100, on_limit: str = "ask", scope: str = "day") -> Cap:
    return Cap(scope, limit, used, "config.toml", on_limit)


@pytest.mark.parametrize(("on_limit", "tier"), [("frugal", Tier.FRUGAL), ("ask", None), ("stop", None)])
def test_only_the_users_own_word_lowers_a_floor(on_limit: str, tier: Tier | None) -> None:
    world = snapshot(caps=(cap(0, on_limit="ask", scope="session"), cap(100, on_limit=on_limit)))
    found = lowered(floor_for(request(), step(), features(), world), world)
    assert (None if found is None else found.tier) is tier
    if found is not None:
        assert found.source == "budget"
        assert found.words.startswith('the day budget (config.toml) leaves no room for balanced and on_limit is "frugal"; else: profile')


def test_what_is_frugal_already_cannot_be_lowered() -> None:
    world = snapshot(caps=(cap(100, on_limit="frugal"),))
    assert lowered(floor_for(request(), step(StepKind.EXPLORE), features(), world), world) is None
