"""Small worlds for the tests of routing: models, a session, a step, a request, and the snapshot that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepfare.config.check import check_dotfile
from stepfare.config.dotfile import Dotfile
from stepfare.core.decision import Decision, Floor, Ranked
from stepfare.core.model import CacheRule, Candidate, Capability, Model, Provider
from stepfare.core.money import LengthStep, Price, Rates
from stepfare.core.request import RequestView
from stepfare.core.session import Session, Warmth
from stepfare.core.step import Step, StepFeatures, StepKind, Tier
from stepfare.routing.snapshot import Policy, Snapshot

NOW_MS = 1_000_000
CACHES = CacheRule(min_tokens=1024, lifetime_ms=300_000)


def rates(input: int, output: int | None = None, *, read: int | None = None, write: int | None = None) -> Rates:  # noqa: A002
    """In dollars per million tokens times a million, as everywhere: 2_000_000 is $2."""
    write = input if write is None else write
    return Rates(input, input // 10 if read is None else read, write, 2 * write, input * 5 if output is None else output)


SMALL, MIDDLE, LARGE = rates(100_000, 500_000), rates(2_000_000, 10_000_000), rates(20_000_000, 100_000_000)


def candidate(
    id: str = "lab/small",  # noqa: A002
    tier: Tier = Tier.FRUGAL,
    price: Rates | Price | None = SMALL,
    *,
    window: int = 200_000,
    output: int = 8_000,
    able: tuple[Capability, ...] = (Capability.TOOLS,),
    cache: CacheRule | None = CACHES,
    quirks: tuple[str, ...] = (),
) -> Candidate:
    provider, _, upstream = id.partition("/")
    return Candidate(
        Model(id, provider, upstream, tier, window, output, frozenset(able)),
        Provider(provider, "openai", f"http://{provider}.example/v1", cache=cache, quirks=quirks),
        Price(price) if isinstance(price, Rates) else price,
    )


def stepped(base: Rates, above_tokens: int, above: Rates) -> Price:
    return Price(base, (LengthStep(above_tokens, above),))


THREE = (
    candidate("lab/small", Tier.FRUGAL, SMALL),
    candidate("lab/middle", Tier.BALANCED, MIDDLE),
    candidate("lab/large", Tier.PREMIUM, LARGE),
)


def request(size_bytes: int = 40_000, **fields: Any) -> RequestView:
    """A request of so many bytes; four of them are one prompt token where nothing was counted yet."""
    known: dict[str, Any] = {
        "dialect": "openai",
        "endpoint": "chat",
        "raw": b"x" * size_bytes,
        "headers": {},
        "model": "auto",
        "stream": True,
        "turns": (),
        "digests": (),
        "tools": (),
        "needs": frozenset(),
    }
    return RequestView(**{**known, **fields})


def features(**fields: Any) -> StepFeatures:
    known: dict[str, Any] = {
        "client": "cline",
        "mode": "act",
        "side": "",
        "completion": False,
        "agent_loop": True,
        "recent": (),
        "actions_since_human": 0,
        "failures": 0,
        "files": (),
        "human_words": "Fix it",
    }
    return StepFeatures(**{**known, **fields})


def step(kind: StepKind = StepKind.EDIT) -> Step:
    return Step(kind, {kind: 1.0}, f"it is to be {kind.value}")


def snapshot(*candidates: Candidate, **fields: Any) -> Snapshot:
    known: dict[str, Any] = {
        "now_ms": NOW_MS,
        "policy": Policy(),
        "candidates": candidates or THREE,
        "health": {},
        "session": Session("s1"),
        "output_tokens": dict.fromkeys(StepKind, 200),
    }
    return Snapshot(**{**known, **fields})


def warm(**tokens: int) -> Mapping[str, Warmth]:
    """Caches by the model's upstream name at `lab`, just used and alive for a minute."""
    return {f"lab/{name}": Warmth(f"lab/{name}", count, NOW_MS + 60_000, lifetime_ms=60_000) for name, count in tokens.items()}


def dotfile(text: str) -> Dotfile:
    checked = check_dotfile(text, ".stepfare.toml")
    assert checked.problems == (), checked.problems
    return checked.value


def decision(*candidates: Candidate, floor: Tier = Tier.BALANCED) -> Decision:
    """One that ranked these candidates in this order."""
    rows = tuple(Ranked(one, 1, ()) for one in candidates)
    return Decision("d1", "s1", step(), Floor(floor, "settings", "profile balanced"), rows, (), (), 10_000, 200)
