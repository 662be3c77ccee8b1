"""What entries add up to: `Totals`, and the folds that make them by whatever a report may be asked for.

A step with several settled attempts is one step, counted where its first one ran; money is counted where each attempt ran.
An attempt at an unpriced model adds to no sum of money, so that the differences between the sums stay true; its step is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add as plus
from typing import TypeAlias

from stepfare.core.entry import SUBSCRIPTION, Entry, Extended, Lost, Opened, Reserved, Settled, Voided
from stepfare.ledger.calendar import OffsetAt, utc
from stepfare.ledger.groups import CALENDAR, NOWHERE, Group, Labels, Place, name_of, place_of
from stepfare.ledger.journal import Phase, moved, phase_of

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
    "unpriced_tokens",
    "estimated_pusd",
    "estimated_low_pusd",
    "estimated_high_pusd",
    "escalations",
    "escalated_pusd",
    "subscription_steps",
)
"""What a closed attempt adds to, in this order wherever sums stand side by side."""

Closing: TypeAlias = Settled | Voided | Lost
Sums: TypeAlias = tuple[int, ...]
"""One number for each of `SUMS`."""
Names: TypeAlias = tuple[str, ...]
"""What a row of a report is about: one name for each group that was asked for."""
ESTIMATED, ESCALATED = "estimated", "escalated"

NOTHING: Sums = (0,) * len(SUMS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One slice of a total: how many steps, what they cost."""

    steps: int = 0
    spent_pusd: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over settled steps, field by field those of the control API. `spent`, `reserved` and `lost` are disjoint.

    `unpriced_tokens` are those of all tokens, in and out, that no price is known for. `estimated_pusd` is the part of `spent_pusd` that
    no provider reported the usage of, with the bounds that it surely lies in. `escalations` counts answers that the gate dropped,
    `escalated_pusd` is what they cost. `subscription_steps` are paid for by the month, and are in no sum of money.
    """

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
    unpriced_tokens: int = 0
    estimated_pusd: int = 0
    estimated_low_pusd: int = 0
    estimated_high_pusd: int = 0
    escalations: int = 0
    escalated_pusd: int = 0
    subscription_steps: int = 0
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

    @property
    def cache_hit_rate(self) -> float | None:
        """Tokens read from caches per token of the prompts; None where there were none."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None

    @property
    def pusd_per_million_tokens(self) -> int | None:
        """What a million tokens cost on average, in and out, of those that have a price; None where none has."""
        priced_tokens = self.input_tokens + self.output_tokens - self.unpriced_tokens
        return self.spent_pusd * 1_000_000 // priced_tokens if priced_tokens else None


Firsts: TypeAlias = int
"""What an entry is the first of its step to be: it decides where a step is counted. Bits, since enum flags cost more than all the rest."""
FIRST_SETTLED: Firsts = 1
FIRST_UNPRICED: Firsts = 2


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent in some time, or lost sight of in a crash, in picodollars: all of it by users, and all of it by projects."""

    by_user: Mapping[str, int]
    by_project: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """Sums of the attempts that share these labels (the kind is what the turn was; for lost attempts, what it was to be)."""

    labels: Labels
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


def slice_of(reserved: Reserved, entry: Closing, firsts: Firsts, place: Place = NOWHERE) -> Slice | None:
    """What a closed attempt adds to the totals; None for a voided one, which adds nothing. `place` is where its session is at work."""
    unpriced = int(firsts & FIRST_UNPRICED != 0)
    match entry:
        case Voided():
            return None
        case Lost():
            return Slice(
                Labels(*place, reserved.client, reserved.model, reserved.tier, reserved.kind),
                (0, 0, entry.ceiling_pusd or 0, unpriced, *NOTHING[4:]),
            )
        case Settled():
            cost_pusd, usage = entry.cost_pusd, entry.usage
            # Without a price of its own the attempt must not claim savings, and without a baseline it must not claim a loss.
            premium_pusd = 0 if cost_pusd is None else _or(entry.always_premium_pusd, cost_pusd)
            balanced_pusd = 0 if cost_pusd is None else _or(entry.always_balanced_pusd, cost_pusd)
            guessed_pusd = cost_pusd if entry.source == ESTIMATED else None
            escalated = entry.outcome == ESCALATED
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
                usage.input_tokens + usage.output_tokens if cost_pusd is None else 0,
                _or(guessed_pusd, 0),
                0 if guessed_pusd is None else _or(entry.low_pusd, guessed_pusd),
                0 if guessed_pusd is None else _or(entry.high_pusd, guessed_pusd),
                int(escalated),
                (cost_pusd or 0) if escalated else 0,
                int(firsts & FIRST_SETTLED != 0 and entry.source == SUBSCRIPTION),
            )
            return Slice(Labels(*place, reserved.client, reserved.model, reserved.tier, entry.kind), sums)


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
            for buckets, name in ((tiers, one.labels.tier), (models, one.labels.model), (kinds, one.labels.kind)):
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


def report(
    entries: Iterable[Entry], by: Sequence[Group], since_ms: int = 0, until_ms: int | None = None, offset_at: OffsetAt = utc
) -> dict[Names, Totals]:
    """Totals for each combination of names of the groups, over attempts closed (or, if open, reserved) from `since_ms` to before
    `until_ms`. The parts of these totals by tier, model and kind are left out: they are reports of their own.

    `entries` are in journal order and reach back to the beginning of the sessions in question.
    """
    sums: dict[Names, Sums] = {}
    reserved_pusd: dict[Names, int] = {}
    for names, one in _closed(entries, by, since_ms, until_ms, offset_at, reserved_pusd):
        sums[names] = added(sums.get(names, NOTHING), one.sums)
    return totals_by_name(sums, reserved_pusd)


def totals_by_name(sums: Mapping[Names, Sums], reserved_pusd: Mapping[Names, int]) -> dict[Names, Totals]:
    """Sums and what is reserved as totals, names in order."""
    return {
        names: Totals(reserved_pusd=reserved_pusd.get(names, 0), **dict(zip(SUMS, sums.get(names, NOTHING), strict=True)))
        for names in sorted({*sums, *reserved_pusd})
    }


def by_weight(parts: Mapping[Names, Totals], by: Sequence[Group]) -> list[tuple[Names, Totals]]:
    """The parts as a person reads them: days and months as they came, all else by what it cost, the dearest first; at every level."""
    heaps: dict[Names, int] = {}
    for names, totals in parts.items():
        for depth in range(1, len(names) + 1):
            heaps[names[:depth]] = heaps.get(names[:depth], 0) + totals.spent_pusd

    def place(row: tuple[Names, Totals]) -> tuple[tuple[int, str], ...]:
        names = row[0]
        return tuple((0 if group in CALENDAR else -heaps[names[: at + 1]], names[at]) for at, group in enumerate(by))

    return sorted(parts.items(), key=place)


def totals_of(entries: Iterable[Entry], since_ms: int = 0, until_ms: int | None = None) -> Totals:
    """The totals of all entries in that time, with their parts; see `report`."""
    reserved_pusd: dict[Names, int] = {}
    slices = [one for _, one in _closed(entries, (), since_ms, until_ms, utc, reserved_pusd)]
    return totals_of_slices(slices, sum(reserved_pusd.values()))


def _closed(
    entries: Iterable[Entry], by: Sequence[Group], since_ms: int, until_ms: int | None, offset_at: OffsetAt, reserved_pusd: dict[Names, int]
) -> Iterable[tuple[Names, Slice]]:
    """What each attempt adds that closed in that time, under its names; at the end, `reserved_pusd` has what is open by then."""
    places: dict[str, Place] = {}
    phases: dict[str, Phase] = {}
    still_open: dict[str, Reserved] = {}
    seen: dict[tuple[str, int], Firsts] = {}

    def in_time(at_ms: int) -> bool:
        return since_ms <= at_ms and (until_ms is None or at_ms < until_ms)

    def names_of(labels: Labels, session: str, at_ms: int) -> Names:
        return tuple(name_of(group, labels, session, at_ms + offset_at(at_ms)) for group in by)

    for entry in entries:
        if isinstance(entry, Opened):
            places.setdefault(entry.session, place_of(entry))
            continue
        if isinstance(entry, Extended):
            continue
        if not moved(phases.get(entry.attempt), entry):
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
        # An attempt that ended before its session was opened is at no place.
        one = slice_of(reserved, entry, firsts, places.get(entry.session, NOWHERE))
        if one is not None and in_time(entry.at_ms):
            yield names_of(one.labels, entry.session, entry.at_ms), one
    for one in still_open.values():
        if in_time(one.at_ms):
            names = names_of(labels_of_open(one, places.get(one.session, NOWHERE)), one.session, one.at_ms)
            reserved_pusd[names] = reserved_pusd.get(names, 0) + (one.ceiling_pusd or 0)


def labels_of_open(reserved: Reserved, place: Place) -> Labels:
    """The labels of an attempt that is under way, whose session is at work at that place by now."""
    return Labels(*place, reserved.client, reserved.model, reserved.tier, reserved.kind)


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _plus_buckets(one: Mapping[str, Bucket], other: Mapping[str, Bucket]) -> Mapping[str, Bucket]:
    both = dict(one)
    for name, bucket in other.items():
        before = both.get(name) or Bucket()
        both[name] = Bucket(before.steps + bucket.steps, before.spent_pusd + bucket.spent_pusd)
    return both
