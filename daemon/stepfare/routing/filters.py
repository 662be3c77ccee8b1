"""Which candidates can serve a step at all; every no is a Rejection with words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from stepfare.core.budget import Cap
from stepfare.core.decision import Decision, Floor, GatePlan, Rejection
from stepfare.core.model import Candidate, Capability
from stepfare.core.money import PUSD_PER_USD, Picodollars, Usage, priced, usd_text
from stepfare.core.prompt import Loss
from stepfare.core.request import NO_TOOLS, RequestView
from stepfare.core.step import Tier
from stepfare.core.tokens import on_model
from stepfare.dialects.hosted import NO_SERVER_TOOLS
from stepfare.dialects.services import asked_service
from stepfare.routing.health import resting
from stepfare.routing.snapshot import Snapshot

WINDOW_SHARE_MAX = 0.97
"""The share of a window that an estimated prompt may fill: estimates err by a few percent."""
FOUND_TOKENS_MAX = 8_000
"""What one call of a tool that the provider runs is taken to add to the prompt: as much as OpenAI counts for a search."""
SEARCH_PUSD_MAX = 35 * PUSD_PER_USD // 1_000
"""What a search is taken to cost where nobody lists its price: the dearest that anybody lists."""
OUTPUT_TOKENS_RESERVED_MAX = 32_000
"""Output that is reserved for where the client names no limit; agents' answers have a median of 150 tokens."""


Losses = Callable[[str], Sequence[Loss]]
"""What of a request cannot be said in a format, by the format's name."""


def no_losses(_dialect: str) -> Sequence[Loss]:
    return ()


@dataclass(frozen=True)
class Need:
    """What a candidate must meet: the request, its floor, its estimated length, and the world as it was read."""

    view: RequestView
    floor: Floor
    prompt_tokens: int
    snapshot: Snapshot
    manual: bool
    """Whether the client named the model itself: then quality and choice are its own business."""
    losses: Losses = no_losses
    gate: GatePlan = field(default_factory=GatePlan)
    """With the gate on, a model also counts that may only serve what the first answer turns out to need."""

    @cached_property
    def floors(self) -> tuple[Tier, ...]:
        """The floors for which somebody may be asked in this step, in ascending order; the first is the step's own."""
        above = {floor.tier for floor in self.gate.floors.values()} | {self.gate.highest} if self.gate.on else set[Tier]()
        return (self.floor.tier, *sorted(tier for tier in above if tier > self.floor.tier))

    def tokens_on(self, candidate: Candidate) -> int:
        """The prompt in this candidate's own tokens."""
        return on_model(self.prompt_tokens, candidate.model.id, self.snapshot.factors)


def rejected(candidate: Candidate, need: Need) -> Rejection | None:
    """Why this candidate cannot serve, or None where it can. The first reason in the order of FILTERS is given."""
    for check in FILTERS:
        words = check(candidate, need)
        if words is not None:
            return Rejection(candidate.model.id, _REASONS[check], words)
    return None


def ceiling_pusd(candidate: Candidate, view: RequestView, prompt_tokens: int) -> Picodollars | None:
    """The most that an attempt is taken to cost:
    the whole prompt, in its own tokens, written into a cache, and the longest output, at the price of the service that is asked for
    (which may be refused, and the usual one given). Where it offers tools that its provider runs, the prompt is read again behind each of
    their calls, from a cache where there is one, with all that was found so far; searches are paid beside. None: unpriced."""
    if candidate.price is None:
        return None
    prices = (candidate.price, candidate.price.served(asked_service(view))) if candidate.price.services else (candidate.price,)
    prompt = round(prompt_tokens / WINDOW_SHARE_MAX)
    asked, model = view.max_output_tokens, candidate.model
    output = min(asked, model.context_tokens) if asked else min(model.max_output_tokens, OUTPUT_TOKENS_RESERVED_MAX)
    cache = candidate.provider.cache
    hour = prompt if cache is not None and cache.hour else 0
    uses, searches = view.hosted if _runs_tools(candidate, view) else NO_TOOLS
    again = uses * prompt
    total = prompt + again + FOUND_TOKENS_MAX * uses * (uses + 1) // 2
    held = again if cache is not None and prompt >= cache.min_tokens else 0
    fresh = Usage(total, held, 0, output, web_searches=searches)
    written = Usage(total, held, prompt, output, hour, web_searches=searches)
    return Picodollars(
        max(
            priced(price, usage) + (0 if price.base.web_search is not None else searches * SEARCH_PUSD_MAX)
            for price in prices
            if price is not None
            for usage in (fresh, written)
        )
    )


def _runs_tools(candidate: Candidate, view: RequestView) -> bool:
    """Whether tools that the request offers for its provider to run reach this one: no bridge and no rule takes them away."""
    bridged = candidate.provider.door(view.dialect).dialect != view.dialect
    return not bridged and NO_SERVER_TOOLS not in (*candidate.provider.quirks, *candidate.model.quirks)


def _below_floor(candidate: Candidate, need: Need) -> str | None:
    tier = candidate.model.tier
    if need.manual or tier >= need.floor.tier:
        return None
    return f"it is {tier.word}, the floor is {need.floor.tier.word}"


def _denied(candidate: Candidate, need: Need) -> str | None:
    dotfile = need.snapshot.dotfile
    why = dotfile.denied(candidate.model.id) if dotfile else None
    return None if why is None else f"the project's file denies it: {why}"


def served(candidate: Candidate, need: Need) -> frozenset[Tier]:
    """The floors that the candidate may serve: its own tier meets them and the user lists no others for them. What the client names
    itself may serve all."""
    listed, model = need.snapshot.policy.tiers, candidate.model
    if need.manual:
        return frozenset(Tier)
    return frozenset(tier for tier in Tier if model.tier >= tier and (tier not in listed or model.id in listed[tier]))


def _not_chosen(candidate: Candidate, need: Need) -> str | None:
    return f"config.toml lists other models for {need.floor.tier.word}" if served(candidate, need).isdisjoint(need.floors) else None


def _wrong_kind(candidate: Candidate, need: Need) -> str | None:
    """What a request of words needs is said nowhere: its needs name only what is more than that."""
    if candidate.model.converses or need.view.needs & {Capability.FILL, Capability.EMBED}:
        return None
    return "it only makes vectors" if Capability.EMBED in candidate.model.capabilities else "it only fills gaps in code"


def _incapable(candidate: Candidate, need: Need) -> str | None:
    missing = sorted(need.view.needs - candidate.model.capabilities)
    return f"it lacks {' and '.join(missing)}" if missing else None


def _speechless(candidate: Candidate, need: Need) -> str | None:
    spoken = candidate.provider.door(need.view.dialect).dialect
    if spoken == need.view.dialect:
        return None
    lost = list(dict.fromkeys(loss.words for loss in need.losses(spoken) if loss.essential))
    return f"its provider speaks {spoken}, in which it cannot be given {'; '.join(lost)}" if lost else None


def _too_small(candidate: Candidate, need: Need) -> str | None:
    window = candidate.model.context_tokens
    prompt_tokens = need.tokens_on(candidate)
    if prompt_tokens <= window * WINDOW_SHARE_MAX:
        return None
    return f"the prompt has about {prompt_tokens:,} tokens, its window {window:,}"


def _resting(candidate: Candidate, need: Need) -> str | None:
    now_ms = need.snapshot.now_ms
    found = resting(need.snapshot.health, now_ms, candidate.provider.id, candidate.model.id)
    return None if found is None else f"it rests for {max(1, round((found.until_ms - now_ms) / 1000))} s more: {found.why}"


def within_budget(decision: Decision, view: RequestView, caps: Sequence[Cap]) -> Decision:
    """The same decision as the caps stand by now: between two attempts others have spent and reserved."""
    beyond = {row.candidate.model.id: _beyond_caps(row.candidate, view, row.prompt_tokens, caps) for row in decision.ranked}
    rejections = tuple(Rejection(model, "budget", words) for model, words in beyond.items() if words is not None)
    if not rejections:
        return decision
    ranked = tuple(row for row in decision.ranked if beyond[row.candidate.model.id] is None)
    return replace(decision, ranked=ranked, rejections=(*decision.rejections, *rejections))


def _beyond_budget(candidate: Candidate, need: Need) -> str | None:
    return _beyond_caps(candidate, need.view, need.tokens_on(candidate), need.snapshot.caps)


def _beyond_caps(candidate: Candidate, view: RequestView, prompt_tokens: int, caps: Sequence[Cap]) -> str | None:
    ceiling = ceiling_pusd(candidate, view, prompt_tokens) if caps else None
    for cap in caps:
        if cap.on_limit == "frugal" and candidate.model.tier == 0:
            continue  # The user chose to go on with frugal models.
        if cap.short_pusd(ceiling):
            most = "nobody knows what this model costs" if ceiling is None else f"this call may cost up to ${usd_text(ceiling)}"
            return f"{said_of(cap)}, and {most}"
    return None


def said_of(cap: Cap) -> str:
    """How a cap stands, and who set it."""
    limit, used = usd_text(cap.cap_pusd), usd_text(cap.used_pusd)
    more = f", extended by ${usd_text(cap.extended_pusd)}" if cap.extended_pusd else ""
    return f"the {cap.scope} budget of ${limit} ({cap.source}{more}) has ${used} used or reserved"


Check = Callable[[Candidate, Need], str | None]

FILTERS: tuple[Check, ...] = (
    _below_floor,
    _denied,
    _not_chosen,
    _wrong_kind,
    _incapable,
    _too_small,
    _speechless,
    _resting,
    _beyond_budget,
)

_REASONS: dict[Check, str] = {
    _below_floor: "below-floor",
    _denied: "denied",
    _not_chosen: "not-chosen",
    _wrong_kind: "capability",
    _incapable: "capability",
    _too_small: "context",
    _speechless: "format",
    _resting: "health",
    _beyond_budget: "budget",
}
