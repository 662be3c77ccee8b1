"""What entries add up to: `Totals`, and the folds that make them by session, day, tier, model and kind.

A step with several settled attempts is one step, counted where its first one ran; money is counted where each attempt ran.
An attempt at an unpriced model adds to no sum of money, so that the differences between the sums stay true; its step is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import add as plus
from typing import Literal, TypeAlias

from stepfare.core.entry import Entry, Lost, Opened, Reserved, Settled, Voided
from stepfare.ledger.journal import Phase, moved, phase_of

DAY_MS = 86_400_000

SUMS = (
    "steps",
    "spent_pusd",
    "lost_pusd",
    "unpriced_steps",
    "always_premium_pusd",
    "always_balanced_pusd",
    "switch_writes_pusd",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
)
"""What a closed attempt adds to, in this order wherever sums stand side by side."""

Group: TypeAlias = Literal["day", "session", "model", "tier", "kind"]
Closing: TypeAlias = Settled | Voided | Lost
Sums: TypeAlias = tuple[int, ...]
"""One number for each of `SUMS`."""

NOTHING: Sums = (0,) * len(SUMS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One slice of a total: how many steps, what they cost."""

    steps: int = 0
    spent_pusd: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over settled steps, field by field those of the control API. `spent`, `reserved` and `lost` are disjoint."""

    steps: int = 0
    spent_pusd: int = 0
    reserved_pusd: int = 0
    lost_pusd: int = 0
    unpriced_steps: int = 0
    always_premium_pusd: int = 0
    always_balanced_pusd: int = 0
    switch_writes_pusd: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    by_tier: Mapping[str, Bucket] = field(default_factory=dict[str, Bucket])
    by_model: Mapping[str, Bucket] = field(default_factory=dict[str, Bucket])
    by_kind: Mapping[str, Bucket] = field(default_factory=dict[str, Bucket])

    @property
    def saved_on_premium_pusd(self) -> int:
        """What always-premium would have cost more (negative: less)."""
        return self.always_premium_pusd - self.spent_pusd

    @property
    def saved_on_balanced_pusd(self) -> int:
        """What always-balanced would have cost more (negative: less)."""
        return self.always_balanced_pusd - self.spent_pusd


Firsts: TypeAlias = int
"""What an entry is the first of its step to be: it decides where a step is counted. Bits, since enum flags cost more than all the rest."""
FIRST_SETTLED: Firsts = 1
FIRST_UNPRICED: Firsts = 2


@dataclass(frozen=True, slots=True)
class Slice:
    """Sums of the attempts that share a model, a tier and a kind (what the turn was; for lost attempts, what it was to be)."""

    model: str
    tier: str
    kind: str
    sums: Sums


def firsts_of(entry: Closing, seen: Firsts) -> Firsts:
    """What this entry is the first of its step to be, when the step's earlier entries were `seen` already."""
    match entry:
        case Settled():
            says = FIRST_SETTLED if entry.cost_pusd is not None else FIRST_SETTLED | FIRST_UNPRICED
        case Lost():
            says = 0 if entry.ceiling_pusd is not None else FIRST_UNPRICED
        case Voided():
            says = 0
    return says & ~seen


def slice_of(reserved: Reserved, entry: Closing, firsts: Firsts) -> Slice | None:
    """What a closed attempt adds to the totals; None for a voided one, which adds nothing."""
    unpriced = int(firsts & FIRST_UNPRICED != 0)
    match entry:
        case Voided():
            return None
        case Lost():
            return Slice(reserved.model, reserved.tier, reserved.kind, (0, 0, entry.ceiling_pusd or 0, unpriced, *NOTHING[4:]))
        case Settled():
            cost_pusd, usage = entry.cost_pusd, entry.usage
            # Without a price of its own the attempt must not claim savings, and without a baseline it must not claim a loss.
            premium_pusd = 0 if cost_pusd is None else _or(entry.always_premium_pusd, cost_pusd)
            balanced_pusd = 0 if cost_pusd is None else _or(entry.always_balanced_pusd, cost_pusd)
            sums = (
                int(firsts & FIRST_SETTLED != 0),
                cost_pusd or 0,
                0,
                unpriced,
                premium_pusd,
                balanced_pusd,
                entry.switch_write_pusd,
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.output_tokens,
            )
            return Slice(reserved.model, reserved.tier, entry.kind, sums)


def added(one: Sums, other: Sums) -> Sums:
    return tuple(map(plus, one, other))


def totals_of_slices(slices: Iterable[Slice], reserved_pusd: int = 0) -> Totals:
    """The totals of these slices, with what is reserved beside them."""
    gathered = list(slices)
    tiers: dict[str, Bucket] = {}
    models: dict[str, Bucket] = {}
    kinds: dict[str, Bucket] = {}
    for one in gathered:
        steps, spent_pusd = one.sums[:2]
        if steps or spent_pusd:
            for buckets, name in ((tiers, one.tier), (models, one.model), (kinds, one.kind)):
                before = buckets.get(name)
                buckets[name] = (
                    Bucket(steps, spent_pusd) if before is None else Bucket(before.steps + steps, before.spent_pusd + spent_pusd)
                )
    whole = map(sum, zip(NOTHING, *(one.sums for one in gathered), strict=True))
    return Totals(reserved_pusd=reserved_pusd, by_tier=tiers, by_model=models, by_kind=kinds, **dict(zip(SUMS, whole, strict=True)))


def add(totals: Totals, reserved: Reserved, settled: Closing, seen: Firsts = 0) -> Totals:
    """The totals with one more closed attempt. `seen` says what earlier attempts of the same step were already counted for."""
    one = slice_of(reserved, settled, firsts_of(settled, seen))
    return totals if one is None else plus_totals(totals, totals_of_slices((one,)))


def plus_totals(one: Totals, other: Totals) -> Totals:
    """The totals of both, which must be of different attempts."""
    sums = {name: getattr(one, name) + getattr(other, name) for name in (*SUMS, "reserved_pusd")}
    return Totals(
        by_tier=_plus_buckets(one.by_tier, other.by_tier),
        by_model=_plus_buckets(one.by_model, other.by_model),
        by_kind=_plus_buckets(one.by_kind, other.by_kind),
        **sums,
    )


def day_of(at_ms: int) -> str:
    """The day in UTC, as 2026-11-21."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


GROUPS: Mapping[Group, Callable[[Reserved, Entry], str]] = {
    "day": lambda _, entry: day_of(entry.at_ms),
    "session": lambda _, entry: entry.session,
    "model": lambda reserved, _: reserved.model,
    "tier": lambda reserved, _: reserved.tier,
    "kind": lambda reserved, entry: entry.kind if isinstance(entry, Settled) else reserved.kind,
}


def report(entries: Iterable[Entry], group: Group, since_ms: int = 0, until_ms: int | None = None) -> dict[str, Totals]:
    """Totals per name of the group, over attempts closed (or, if open, reserved) from `since_ms` to before `until_ms`.

    `entries` are in journal order and reach back to the beginning of the sessions in question.
    """
    name_of = GROUPS[group]
    slices: dict[str, list[Slice]] = {}
    reserved_pusd: dict[str, int] = {}
    phases: dict[str, Phase] = {}
    still_open: dict[str, Reserved] = {}
    seen: dict[tuple[str, int], Firsts] = {}

    def in_time(at_ms: int) -> bool:
        return since_ms <= at_ms and (until_ms is None or at_ms < until_ms)

    for entry in entries:
        if isinstance(entry, Opened) or not moved(phases.get(entry.attempt), entry):
            continue
        phases[entry.attempt] = phase_of(entry)
        if isinstance(entry, Reserved):
            still_open[entry.attempt] = entry
            continue
        reserved = still_open.pop(entry.attempt)
        step = (reserved.session, reserved.step)
        before = seen.get(step, 0)
        firsts = firsts_of(entry, before)
        seen[step] = before | firsts
        one = slice_of(reserved, entry, firsts)
        if one is not None and in_time(entry.at_ms):
            slices.setdefault(name_of(reserved, entry), []).append(one)
    for reserved in still_open.values():
        if in_time(reserved.at_ms):
            name = name_of(reserved, reserved)
            reserved_pusd[name] = reserved_pusd.get(name, 0) + (reserved.ceiling_pusd or 0)
    return {name: totals_of_slices(slices.get(name, ()), reserved_pusd.get(name, 0)) for name in {**slices, **reserved_pusd}}


def totals_of(entries: Iterable[Entry], since_ms: int = 0, until_ms: int | None = None) -> Totals:
    """The totals of all entries in that time; see `report`."""
    whole = Totals()
    for part in report(entries, "tier", since_ms, until_ms).values():
        whole = plus_totals(whole, part)
    return whole


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _plus_buckets(one: Mapping[str, Bucket], other: Mapping[str, Bucket]) -> Mapping[str, Bucket]:
    both = dict(one)
    for name, bucket in other.items():
        before = both.get(name) or Bucket()
        both[name] = Bucket(before.steps + bucket.steps, before.spent_pusd + bucket.spent_pusd)
    return both
