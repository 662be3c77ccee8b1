"""Worlds by the roll of a die: everything that a decision may look at, in combinations that nobody would think of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from stepfare.config.dotfile import Dotfile
from stepfare.core.budget import Cap
from stepfare.core.model import CacheRule, Candidate, Capability
from stepfare.core.money import Price
from stepfare.core.request import RequestView
from stepfare.core.session import Session, Warmth
from stepfare.core.step import Step, StepFeatures, StepKind, Tier
from stepfare.routing.health import Health
from stepfare.routing.snapshot import Policy, Snapshot
from tests.routing.samples import NOW_MS, candidate, dotfile, features, rates, request, stepped

FILES = ("src/crypto/keys.py", "src/app.py", "README.md", "migrations/0001_begin.sql", "tests/test_app.py")
PROFILES = ("frugal", "balanced", "careful", "premium")
OWN_PROFILE = "mine"
ALIASES = ("auto", "auto", "auto", "stepfare/auto", "claude-stepfare-auto", *PROFILES, "gpt-5-stepfare-careful", OWN_PROFILE)
CACHES = (None, CacheRule(1024, 300_000), CacheRule(1024, 300_000, marked=True), CacheRule(64, 3_600_000))
DOTFILE_TIERS = ("frugal", "balanced", "premium")


@dataclass(frozen=True)
class World:
    """What one decision is made of."""

    view: RequestView
    features: StepFeatures
    step: Step
    snapshot: Snapshot


def world(dice: random.Random) -> World:
    candidates = _candidates(dice)
    own = {OWN_PROFILE: {kind: dice.choice(tuple(Tier)) for kind in StepKind if dice.random() < 0.5}}
    named = tuple(dice.sample(candidates, 1)) if candidates and dice.random() < 0.08 else ()
    view = request(
        dice.choice((200, 4_000, 40_000, 40_000, 300_000, 900_000)),
        dialect=dice.choice(("openai", "anthropic", "responses")),
        model=named[0].model.id if named else dice.choice(ALIASES),
        headers={"x-stepfare-tier": dice.choice((*DOTFILE_TIERS, "Premium ", "cheap"))} if dice.random() < 0.1 else {},
        needs=frozenset(need for need in (Capability.TOOLS, Capability.VISION) if dice.random() < 0.2),
        max_output_tokens=dice.choice((None, 1, 500, 32_000)),
    )
    seen = features(
        client=dice.choice(("cline", "claude-code", "codex", "aider", "unknown")),
        mode=dice.choice(("", "act", "plan")),
        agent_loop=dice.random() < 0.8,
        failures=dice.choice((0, 0, 0, 1, 2, 5)),
        actions_since_human=dice.choice((0, 1, 7, 60)),
        files=tuple(dice.sample(FILES, dice.randrange(3))),
    )
    snapshot = Snapshot(
        now_ms=NOW_MS,
        policy=Policy(
            profile=dice.choice((*PROFILES, OWN_PROFILE)),
            profiles=own,
            tiers=_lists(dice, candidates),
            gate_enabled=dice.random() < 0.7,
        ),
        candidates=tuple(candidates),
        health=_health(dice, candidates),
        session=_session(dice, candidates),
        dotfile=_dotfile(dice, candidates),
        named=named,
        caps=tuple(_cap(dice) for _ in range(dice.choice((0, 0, 0, 1, 2)))),
        counted_tokens=dice.choice((0, 0, 700, 12_000, 150_000)),
        factors={one.model.id: dice.choice((0.8, 1.0, 1.37)) for one in candidates if dice.random() < 0.5},
        output_tokens={kind: dice.choice((0, 80, 150, 2_000)) for kind in StepKind if dice.random() < 0.9},
    )
    return World(view, seen, _step(dice), snapshot)


def _candidates(dice: random.Random) -> list[Candidate]:
    """Up to twelve models at three providers; every fourth world holds the usual three tiers at a tenth of the price each."""
    made: list[Candidate] = []
    for number in range(dice.choice((0, 1, 2, 3, 3, 3, 6, 6, 12))):
        base = dice.choice((100_000, 300_000, 2_000_000, 2_000_000, 20_000_000))
        flat = rates(base, dice.choice((base, base * 5)), write=dice.choice((base, base * 5 // 4)))
        price: Price | None = dice.choice((Price(flat), Price(flat), stepped(flat, 100_000, rates(base * 5)), None))
        made.append(
            candidate(
                f"{dice.choice(('lab', 'mill', 'forge'))}/m{number:02}",
                dice.choice(tuple(Tier)),
                price,
                window=dice.choice((16_000, 200_000, 1_000_000)),
                output=dice.choice((4_000, 32_000)),
                able=(Capability.TOOLS, *((Capability.VISION,) if dice.random() < 0.5 else ())),
                cache=dice.choice(CACHES),
            )
        )
    return made


def _lists(dice: random.Random, candidates: Sequence[Candidate]) -> dict[Tier, tuple[str, ...]]:
    """The user's own lists of who may serve a floor; like those of the settings, they hold models that meet it."""
    lists: dict[Tier, tuple[str, ...]] = {}
    for tier in Tier:
        able = [one.model.id for one in candidates if one.model.tier >= tier]
        if able and dice.random() < 0.15:
            lists[tier] = tuple(dice.sample(able, dice.randint(1, len(able))))
    return lists


def _health(dice: random.Random, candidates: Sequence[Candidate]) -> dict[str, Health]:
    resting = Health(3, NOW_MS + 15_000, NOW_MS - 1, "it answered 503 three times")
    over = Health(1, NOW_MS - 1, NOW_MS - 20_000, "it answered 429")
    subjects = {one.model.id for one in candidates} | {one.provider.id for one in candidates}
    return {name: dice.choice((resting, over)) for name in sorted(subjects) if dice.random() < 0.05}


def _session(dice: random.Random, candidates: Sequence[Candidate]) -> Session:
    warm = {
        one.model.id: Warmth(
            one.model.id,
            dice.choice((1_100, 9_000, 120_000)),
            NOW_MS + dice.choice((-1, 0, 1, 60_000, 299_000)),
            dice.choice((0.0, 0.5, 1.0)),
        )
        for one in candidates
        if dice.random() < 0.4
    }
    return Session(
        "s1",
        last_ms=NOW_MS - dice.choice((1_000, 200_000, 4_000_000)),
        steps=dice.choice((0, 1, 20, 200)),
        last_model=dice.choice(("", *(one.model.id for one in candidates), "gone/model")),
        last_prompt_tokens=dice.choice((0, 9_000, 120_000)),
        last_body_bytes=dice.choice((0, 36_000, 480_000)),
        last_counted_tokens=dice.choice((0, 8_000, 100_000)),
        warm=warm,
        pin=dice.choice(tuple(Tier)) if dice.random() < 0.08 else None,
    )


def _dotfile(dice: random.Random, candidates: Sequence[Candidate]) -> Dotfile | None:
    """Through the real reader of such files, so that lines are there to be cited."""
    if dice.random() < 0.5:
        return None
    profile = f'profile = "{dice.choice(PROFILES)}"\n' if dice.random() < 0.4 else ""
    steps = "".join(f'{kind.value} = "{dice.choice(DOTFILE_TIERS)}"\n' for kind in StepKind if dice.random() < 0.15)
    paths = "".join(
        f'[[paths]]\nmatch = ["{glob}"]\nfloor = "{dice.choice(DOTFILE_TIERS)}"\n'
        for glob in ("migrations/**", "src/crypto/**", "*.md")
        if dice.random() < 0.3
    )
    deny = f'[models]\ndeny = ["{dice.choice(candidates).model.id}"]\n' if candidates and dice.random() < 0.2 else ""
    return dotfile("".join((profile, f"[steps]\n{steps}" if steps else "", paths, deny)))


def _cap(dice: random.Random) -> Cap:
    cap_pusd = dice.choice((10**11, 10**13, 10**14))
    used_pusd = round(cap_pusd * dice.choice((0, 0.5, 0.95, 1)))
    return Cap(dice.choice(("session", "project", "day")), cap_pusd, used_pusd, "config.toml", dice.choice(("ask", "frugal", "stop")))


def _step(dice: random.Random) -> Step:
    if dice.random() < 0.25:
        kind = dice.choice(tuple(StepKind))
        return Step(kind, {kind: 1.0}, f"a rule says {kind.value}", certain=True)
    weights = [dice.random() ** 3 for _ in StepKind]
    chances = {kind: weight / sum(weights) for kind, weight in zip(StepKind, weights, strict=True)}
    kind = max(chances, key=lambda each: chances[each])
    return Step(kind, chances, f"{kind.value} is the likeliest")
