"""What another price table would have said of attempts that are booked, beside what was booked. It only reads: what was booked stays.

Where the other prices come from is for others to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided
from stepfare.core.money import Price, priced

PriceOf = Callable[[str, int], Price | None]
"""The price of a model (its id) at a moment; None where nobody knows it."""


@dataclass(slots=True)
class Repriced:
    """Attempts that were settled, those that both tables price apart from the others: only what was booked of the first can be compared.

    Of `booked_pusd` the part `billed_pusd` is what providers billed themselves, `estimated_pusd` what was estimated: neither table's word
    against the other's, but against a bill, and against a guess.
    """

    attempts: int = 0
    booked_pusd: int = 0
    repriced_pusd: int = 0
    billed_pusd: int = 0
    estimated_pusd: int = 0
    newly_priced_attempts: int = 0
    """Unpriced when they were booked; the other table has a price."""
    newly_priced_pusd: int = 0
    not_priced_attempts: int = 0
    """The other table has no price."""
    not_priced_booked_pusd: int = 0

    def add(self, settled: Settled, pusd: int | None) -> None:
        """One more attempt, of which the other table says that it cost so much."""
        if pusd is None:
            self.not_priced_attempts += 1
            self.not_priced_booked_pusd += settled.cost_pusd or 0
        elif settled.cost_pusd is None:
            self.newly_priced_attempts += 1
            self.newly_priced_pusd += pusd
        else:
            self.attempts += 1
            self.booked_pusd += settled.cost_pusd
            self.repriced_pusd += pusd
            self.billed_pusd += settled.cost_pusd if settled.source == "provider-billed" else 0
            self.estimated_pusd += settled.cost_pusd if settled.source == "estimated" else 0

    @property
    def difference_pusd(self) -> int:
        """What the other table would have said more (negative: less)."""
        return self.repriced_pusd - self.booked_pusd


def repriced(entries: Iterable[Entry], price_of: PriceOf, since_ms: int = 0) -> Mapping[str, Repriced]:
    """By model, what was settled since, at the prices that the other table has for the moment at which each attempt was sent.

    `entries` are in journal order and reach back to the reservations of the attempts in question.
    """
    reserved: dict[str, Reserved] = {}
    models: dict[str, Repriced] = {}
    for entry in entries:
        match entry:
            case Reserved():
                reserved[entry.attempt] = entry
            case Settled():
                of = reserved.pop(entry.attempt, None)
                if of is not None and entry.at_ms >= since_ms:
                    models.setdefault(of.model, Repriced()).add(entry, _cost(entry, price_of(of.model, of.at_ms)))
            case Voided() | Lost():
                reserved.pop(entry.attempt, None)
            case _:
                pass
    return models


def in_all(models: Mapping[str, Repriced]) -> Repriced:
    """All models together."""
    total = Repriced()
    for one in models.values():
        for field in fields(Repriced):
            setattr(total, field.name, getattr(total, field.name) + getattr(one, field.name))
    return total


def _cost(settled: Settled, price: Price | None) -> int | None:
    if price is None:
        return None
    # A service that the other table does not price costs there what the usual one does, as it would have been booked.
    return priced(price.served(settled.service) or price, settled.usage)
