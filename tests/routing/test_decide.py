"""A decision in whole: floor, candidates in order, every rejection, and the sentences that say why."""

from __future__ import annotations

from stepfare.core.attempt import Failure, Fault
from stepfare.core.budget import Cap
from stepfare.core.model import Capability
from stepfare.core.session import Session
from stepfare.core.step import StepKind, Tier
from stepfare.routing.decide import CANDIDATES_KEPT, decide
from stepfare.routing.health import WELL, after_failure
from stepfare.routing.snapshot import Policy, Snapshot
from tests.routing.samples import MIDDLE, NOW_MS, THREE, candidate, features, request, snapshot, step, warm


def decided(world: Snapshot, kind: StepKind = StepKind.EDIT, **fields):
    return decide(request(**fields), features(), step(kind), world, "d1")


def test_the_cheapest_that_meets_the_floor_is_chosen_and_every_other_has_its_word() -> None:
    found = decided(snapshot())
    assert [row.candidate.model.id for row in found.ranked] == ["lab/middle", "lab/large"]
    assert [(no.model, no.reason) for no in found.rejections] == [("lab/small", "below-floor")]
    assert found.chosen is found.ranked[0]
    assert (found.id, found.session, found.prompt_tokens, found.output_tokens) == ("d1", "s1", 10_000, 200)
    assert found.because == (
        "it is to be edit",
        "profile balanced (the default): edit is balanced",
        "lab/middle is the cheapest that can: $0.004 expected, lab/large $0.22",
    )


def test_what_is_warm_and_what_is_left_is_said() -> None:
    session = Session("s1", last_model="lab/middle", warm=warm(small=9_000))
    found = decided(snapshot(session=session), StepKind.EXPLORE)
    assert found.because[2:] == (
        "lab/small is the cheapest that can: $0.0002 expected, lab/middle $0.007744",
        "its cache is believed to hold 9,000 of about 10,000 prompt tokens",
        "the session leaves lab/middle",
    )


def test_the_prompt_is_counted_from_what_the_provider_counted_last() -> None:
    session = Session("s1", last_prompt_tokens=5_000, last_body_bytes=20_000)
    assert decided(snapshot(session=session), size_bytes=23_600).prompt_tokens == 6_000
    assert decided(snapshot(session=session), size_bytes=10_000).prompt_tokens == 2_500  # It shrank: by length alone.


def test_when_nobody_can_every_reason_is_kept() -> None:
    found = decided(snapshot(), needs=frozenset({Capability.VISION}))
    assert (found.ranked, found.chosen) == ((), None)
    assert [(no.model, no.reason) for no in found.rejections] == [
        ("lab/small", "below-floor"),
        ("lab/middle", "capability"),
        ("lab/large", "capability"),
    ]
    assert found.because[-1] == "no model can serve this step"


def test_a_model_named_by_the_client_is_the_only_choice_and_its_own_floor() -> None:
    found = decided(snapshot(named=THREE[:1]))
    assert [row.candidate.model.id for row in found.ranked] == ["lab/small"]
    assert (found.floor.tier, found.floor.source) == (Tier.FRUGAL, "model")
    assert found.floor.words == "the client names the model itself (lab/small)"
    assert found.rejections == ()


def test_a_named_model_fails_over_to_the_same_model_elsewhere_only() -> None:
    same = (candidate("lab/small"), candidate("other/small"))
    resting = {"lab": after_failure(WELL, Fault(Failure.KEY, "it answered 401", 401), NOW_MS)}
    found = decided(snapshot(named=same, health=resting))
    assert [row.candidate.model.id for row in found.ranked] == ["other/small"]
    assert [no.reason for no in found.rejections] == ["health"]


def test_an_unpriced_choice_says_that_nobody_knows_its_price() -> None:
    found = decided(snapshot(named=(candidate("lab/new", Tier.BALANCED, None),)))
    assert found.because[2] == "lab/new is the only kind left: its price is not known"


LIMIT = 10**12


def capped(used_pusd: int, on_limit: str) -> Snapshot:
    return snapshot(caps=(Cap("day", LIMIT, used_pusd, "config.toml", on_limit),))


def test_a_spent_budget_stops_or_goes_on_with_frugal_models_as_the_user_said() -> None:
    stopped, going_on = decided(capped(LIMIT, "ask")), decided(capped(LIMIT, "frugal"))
    assert stopped.ranked == ()
    assert {no.reason for no in stopped.rejections} == {"below-floor", "budget"}
    assert [row.candidate.model.id for row in going_on.ranked] == ["lab/small"]
    assert (going_on.floor.tier, going_on.floor.source) == (Tier.FRUGAL, "budget")


def test_a_budget_with_too_little_left_for_one_call_is_as_good_as_spent() -> None:
    # $0.05 are left; a call of the middle model may cost $0.10.
    found = decided(capped(LIMIT * 95 // 100, "frugal"))
    assert [row.candidate.model.id for row in found.ranked] == ["lab/small"]
    assert found.floor.source == "budget"


def test_a_budget_with_enough_left_lowers_nothing() -> None:
    assert decided(capped(0, "frugal")).floor.source == "settings"


def test_only_so_many_candidates_are_kept() -> None:
    many = [candidate(f"lab/m{number:02}", Tier.BALANCED, MIDDLE) for number in range(20)]
    found = decided(snapshot(*many))
    assert len(found.ranked) == CANDIDATES_KEPT
    assert found.ranked[0].candidate.model.id == "lab/m00"


GATED = Policy(gate_enabled=True)


def test_behind_the_gate_a_step_begins_at_the_floor_of_a_look_around_and_all_who_may_take_it_over_are_ranked() -> None:
    found = decided(snapshot(policy=GATED), StepKind.EXPLORE)
    assert [row.candidate.model.id for row in found.ranked] == ["lab/small", "lab/middle", "lab/large"]
    assert (found.floor.tier, found.gate.on, found.gate.needs) == (Tier.FRUGAL, True, Tier.BALANCED)
    assert found.floor.words == (
        "profile balanced (the default): explore is frugal; held until its action is known, "
        "for profile balanced (the default): edit is balanced"
    )
    assert found.rejections == ()


def test_models_that_the_user_lists_for_an_edit_only_come_behind_those_for_a_look_around() -> None:
    listed = Policy(gate_enabled=True, tiers={Tier.FRUGAL: ("lab/small",), Tier.BALANCED: ("lab/large",)})
    session = Session("s1", last_model="lab/large", warm=warm(large=10_000_000))
    found = decided(snapshot(policy=listed, session=session))
    assert [(row.candidate.model.id, row.serves) for row in found.ranked] == [
        ("lab/small", {Tier.FRUGAL}),
        ("lab/large", {Tier.BALANCED, Tier.PREMIUM}),
    ]
    assert [(no.model, no.reason) for no in found.rejections] == [("lab/middle", "not-chosen")]


def test_where_the_budget_forbids_the_edit_the_user_goes_on_with_frugal_models_and_nothing_is_held() -> None:
    world = snapshot(policy=GATED, caps=(Cap("day", LIMIT, LIMIT, "config.toml", "frugal"),))
    found = decided(world)
    assert [row.candidate.model.id for row in found.ranked] == ["lab/small"]
    assert (found.floor.source, found.gate.on) == ("budget", False)
    asked = decided(snapshot(policy=GATED, caps=(Cap("day", LIMIT, LIMIT * 95 // 100, "config.toml", "ask"),)))
    assert [row.candidate.model.id for row in asked.ranked] == ["lab/small"]
    assert (asked.floor.source, asked.gate.on) == ("settings", True)


def test_behind_the_gate_a_sure_edit_goes_straight_to_a_model_that_may_make_it() -> None:
    found = decided(snapshot(policy=GATED))
    assert [row.candidate.model.id for row in found.ranked] == ["lab/middle", "lab/small", "lab/large"]
    assert (found.gate.on, found.gate.holds(Tier.FRUGAL), found.gate.holds(Tier.BALANCED)) == (True, True, False)


def test_however_many_can_look_around_somebody_is_kept_who_may_edit() -> None:
    many = [candidate(f"lab/m{number:02}") for number in range(20)]
    found = decided(snapshot(*many, *THREE[1:], policy=GATED), StepKind.EXPLORE)
    assert len([row for row in found.ranked if row.candidate.model.tier is Tier.FRUGAL]) == CANDIDATES_KEPT
    assert {row.candidate.model.id for row in found.ranked if Tier.BALANCED in row.serves} == {"lab/middle", "lab/large"}


def test_a_model_that_the_user_lists_for_a_look_around_only_takes_over_no_edit() -> None:
    listed = Policy(gate_enabled=True, tiers={Tier.FRUGAL: ("lab/small", "lab/large"), Tier.BALANCED: ("lab/middle",)})
    found = decided(snapshot(policy=listed), StepKind.EXPLORE)
    assert [row.candidate.model.id for row in found.ranked if Tier.BALANCED in row.serves] == ["lab/middle"]
