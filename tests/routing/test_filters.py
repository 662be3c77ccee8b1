"""Who can serve at all: every no has a reason of a closed list, and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepfare.core.attempt import Failure, Fault
from stepfare.core.budget import Cap
from stepfare.core.decision import Floor
from stepfare.core.model import Candidate, Capability
from stepfare.core.money import Price
from stepfare.core.request import Hosted
from stepfare.core.step import Tier
from stepfare.routing.filters import Need, ceiling_pusd, rejected
from stepfare.routing.health import WELL, after_failure
from stepfare.routing.snapshot import Policy
from tests.routing.samples import MIDDLE, NOW_MS, SMALL, candidate, dotfile, rates, request, snapshot, stepped

BALANCED = Floor(Tier.BALANCED, "settings", "")
FRUGAL = Floor(Tier.FRUGAL, "settings", "")
MIDDLE_ONE = candidate("lab/middle", Tier.BALANCED, MIDDLE)


def need(floor: Floor = BALANCED, prompt_tokens: int = 10_000, *, manual: bool = False, view=None, **world) -> Need:
    return Need(view or request(), floor, prompt_tokens, snapshot(**world), manual)


def no(one: Candidate, of: Need) -> tuple[str, str] | None:
    found = rejected(one, of)
    if found is None:
        return None
    assert found.model == one.model.id
    return found.reason, found.words


def test_one_that_meets_everything_can_serve() -> None:
    assert no(MIDDLE_ONE, need()) is None


def test_below_the_floor() -> None:
    assert no(candidate(), need()) == ("below-floor", "it is frugal, the floor is balanced")
    assert no(candidate(), need(FRUGAL)) is None
    assert no(candidate(), need(manual=True)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[models]\ndeny = ["lab/*"]', 'the project\'s file denies it: deny "lab/*" (.stepfare.toml:2)'),
        ('[models]\nallow = ["other/*"]', "the project's file denies it: not in the allow list (.stepfare.toml:2)"),
        ("[models]\nallow = []", "the project's file denies it: not in the allow list (.stepfare.toml:2)"),
        ('[models]\nallow = ["LAB/Middle"]', None),
        ("", None),
    ],
)
@pytest.mark.parametrize("manual", [True, False])
def test_a_project_narrows_even_what_a_client_names(text: str, words: str | None, manual: bool) -> None:
    found = no(MIDDLE_ONE, need(manual=manual, dotfile=dotfile(text)))
    assert found == (None if words is None else ("denied", words))


@pytest.mark.parametrize(
    ("able", "needs", "words"),
    [
        ((Capability.EMBED,), (), "it only makes vectors"),
        ((Capability.EMBED,), (Capability.EMBED,), None),
        ((Capability.EMBED,), (Capability.FILL,), "it lacks fill"),
        ((Capability.FILL,), (), "it only fills gaps in code"),
        ((Capability.FILL,), (Capability.TOOLS,), "it only fills gaps in code"),
        ((Capability.FILL,), (Capability.FILL,), None),
        ((Capability.TOOLS,), (Capability.EMBED,), "it lacks embed"),
        ((Capability.TOOLS, Capability.FILL), (), None),
        ((), (), None),
    ],
)
def test_a_model_of_one_purpose_serves_that_one_only(able, needs, words: str | None) -> None:
    one = candidate("lab/middle", Tier.BALANCED, MIDDLE, able=able)
    for manual in (True, False):
        found = no(one, need(manual=manual, view=request(needs=frozenset(needs))))
        assert found == (None if words is None else ("capability", words))


def test_only_the_models_that_the_user_lists_for_a_floor_serve_it() -> None:
    policy = Policy(tiers={Tier.BALANCED: ("lab/other",)})
    assert no(MIDDLE_ONE, need(policy=policy)) == ("not-chosen", "config.toml lists other models for balanced")
    assert no(MIDDLE_ONE, need(FRUGAL, policy=policy)) is None
    assert no(MIDDLE_ONE, need(policy=policy, manual=True)) is None
    assert no(MIDDLE_ONE, need(policy=Policy(tiers={Tier.BALANCED: ("lab/middle",)}))) is None


def test_what_it_lacks_is_named() -> None:
    view = request(needs=frozenset({Capability.TOOLS, Capability.VISION, Capability.STRUCTURED}))
    assert no(MIDDLE_ONE, need(view=view)) == ("capability", "it lacks structured and vision")
    assert no(MIDDLE_ONE, need(view=request(needs=frozenset({Capability.TOOLS})))) is None


@pytest.mark.parametrize(("prompt_tokens", "fits"), [(194_000, True), (194_001, False)])
def test_the_window_is_held_with_a_margin(prompt_tokens: int, fits: bool) -> None:
    found = no(MIDDLE_ONE, need(prompt_tokens=prompt_tokens))
    assert found == (None if fits else ("context", f"the prompt has about {prompt_tokens:,} tokens, its window 200,000"))


@pytest.mark.parametrize("subject", ["lab", "lab/middle"])
def test_one_that_rests_is_passed_over_until_its_rest_ends(subject: str) -> None:
    health = {subject: after_failure(WELL, Fault(Failure.BUSY, "it answered 429", retry_after_ms=30_000), NOW_MS)}
    assert no(MIDDLE_ONE, need(health=health)) == ("health", "it rests for 30 s more: it answered 429")
    assert no(MIDDLE_ONE, need(health=health, now_ms=NOW_MS + 29_900)) == ("health", "it rests for 1 s more: it answered 429")
    assert no(MIDDLE_ONE, need(health=health, now_ms=NOW_MS + 30_000)) is None
    assert no(candidate("other/middle", Tier.BALANCED), need(health=health)) is None


# 10,309 tokens of prompt (with the margin) at $2 and 1,000 of output at $10.
CEILING = 10_309 * 2_000_000 + 1_000 * 10_000_000


def capped(left_pusd: int, on_limit: str = "ask") -> Need:
    limit = 100 * 10**12
    return need(view=request(max_output_tokens=1_000), caps=(Cap("day", limit, limit - left_pusd, "config.toml", on_limit),))


def test_a_cap_is_never_passed_by_the_worst_case() -> None:
    assert no(MIDDLE_ONE, capped(CEILING)) is None
    found = no(MIDDLE_ONE, capped(CEILING - 1))
    assert found is not None
    reason, words = found
    assert reason == "budget"
    assert words == ("the day budget of $100.0 (config.toml) has $99.969382000001 used or reserved, and this call may cost up to $0.030618")


def test_where_the_user_goes_on_with_frugal_models_only_those_pass_a_cap() -> None:
    frugal_floor = need(FRUGAL, caps=capped(0, "frugal").snapshot.caps)
    assert no(candidate(), frugal_floor) is None
    assert no(MIDDLE_ONE, frugal_floor) is not None
    assert no(candidate(), need(FRUGAL, caps=capped(0, "ask").snapshot.caps)) is not None


def test_an_unpriced_model_serves_until_a_cap_is_spent() -> None:
    unpriced = candidate("lab/middle", Tier.BALANCED, None)
    assert no(unpriced, capped(1)) is None
    assert no(unpriced, capped(0)) == (
        "budget",
        "the day budget of $100.0 (config.toml) has $100.0 used or reserved, and nobody knows what this model costs",
    )


def test_what_costs_nothing_passes_every_cap() -> None:
    assert no(candidate("local/middle", Tier.BALANCED, rates(0, 0)), capped(0)) is None


def test_the_first_reason_is_told() -> None:
    view = request(needs=frozenset({Capability.VISION}))
    assert no(candidate(), need(view=view, prompt_tokens=500_000)) == ("below-floor", "it is frugal, the floor is balanced")
    assert no(MIDDLE_ONE, need(view=view, prompt_tokens=500_000)) == ("capability", "it lacks vision")


@pytest.mark.parametrize(
    ("one", "asked", "pusd"),
    [
        # 1,031 tokens of prompt; output as asked, or the longest of the model up to what is reserved for.
        (candidate(price=rates(100, 1_000)), 50, 1_031 * 100 + 50 * 1_000),
        (candidate(price=rates(100, 1_000), output=8_000), None, 1_031 * 100 + 8_000 * 1_000),
        (candidate(price=rates(100, 1_000), output=200_000), None, 1_031 * 100 + 32_000 * 1_000),
        (candidate(price=rates(100, 1_000), window=5_000), 10**30, 1_031 * 100 + 5_000 * 1_000),
        # Written into a cache where that is dearer, and fresh where it is not.
        (candidate(price=rates(100, 1_000, write=125)), 50, 1_031 * 125 + 50 * 1_000),
        (candidate(price=rates(100, 1_000, write=0)), 50, 1_031 * 100 + 50 * 1_000),
        (candidate(price=stepped(rates(100, 1_000), 1_000, rates(500, 5_000))), 50, 1_031 * 500 + 50 * 5_000),
        (candidate(price=None), 50, None),
        (candidate(price=SMALL), 1, 1_031 * 100_000 + 500_000),
    ],
)
def test_the_ceiling_is_the_worst_case(one: Candidate, asked: int | None, pusd: int | None) -> None:
    assert ceiling_pusd(one, request(max_output_tokens=asked), 1_000) == pusd


SEARCH_PUSD = 10_000_000_000
SEARCHES = Price(replace(rates(100, 1_000, read=10), web_search=SEARCH_PUSD))
FOUND = 3 * 8_000 * 2  # 8,000 tokens behind the first call, 16,000 behind the second, 24,000 behind the third.


@pytest.mark.parametrize(
    ("one", "view", "prompt_tokens", "beyond_pusd"),
    [
        # Short prompts no cache holds: each call reads all again, and all that was found before.
        (candidate(price=SEARCHES), {}, 900, (3 * 928 + FOUND) * 100 + 3 * SEARCH_PUSD),
        (candidate(price=SEARCHES, cache=None), {}, 9_700, (3 * 10_000 + FOUND) * 100 + 3 * SEARCH_PUSD),
        (candidate(price=SEARCHES), {}, 9_700, 3 * 10_000 * 10 + FOUND * 100 + 3 * SEARCH_PUSD),
        (candidate(price=SEARCHES), {"hosted": Hosted(3)}, 9_700, 3 * 10_000 * 10 + FOUND * 100),
        # Nobody knows what a search costs here: it is taken to be as dear as anywhere.
        (candidate(price=rates(100, 1_000, read=10)), {}, 9_700, 3 * 10_000 * 10 + FOUND * 100 + 3 * 35_000_000_000),
        # Whoever does not run the tool is not asked to.
        (candidate(price=SEARCHES, quirks=("no-server-tools",)), {}, 9_700, 0),
        (candidate(price=SEARCHES), {"dialect": "responses"}, 9_700, 0),
        (candidate(price=SEARCHES), {"hosted": Hosted()}, 9_700, 0),
        (candidate(price=None), {}, 9_700, None),
    ],
)
def test_the_ceiling_has_room_for_what_the_provider_does_itself(
    one: Candidate, view: dict[str, Any], prompt_tokens: int, beyond_pusd: int | None
) -> None:
    with_tools = ceiling_pusd(one, request(**{"max_output_tokens": 50, "hosted": Hosted(3, 3), **view}), prompt_tokens)
    without = ceiling_pusd(one, request(max_output_tokens=50), prompt_tokens)
    assert (None if with_tools is None or without is None else with_tools - without) == beyond_pusd
