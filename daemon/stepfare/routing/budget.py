"""When a budget is all that keeps a step from being served: which caps, by how much, and what to add so that it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from stepfare.core.budget import Cap, Reached
from stepfare.core.decision import Decision
from stepfare.core.model import Candidate
from stepfare.core.money import PUSD_PER_USD
from stepfare.core.request import RequestView
from stepfare.core.step import Tier
from stepfare.core.tokens import on_model
from stepfare.routing.filters import ceiling_pusd
from stepfare.routing.snapshot import Snapshot

STEPS_MORE = 4
"""An extension that is proposed has room for so many steps as dear as the one that was stopped, or for this part of the cap."""
ROUND = (1, 2, 5)
CENT_PUSD = PUSD_PER_USD // 100


def reached(decision: Decision, floor: Tier, view: RequestView, snapshot: Snapshot, caps: Sequence[Cap]) -> Reached | None:
    """The caps that keep back the cheapest of those models which only a budget keeps from meeting this floor; None where there are none
    such. `caps` are as they stand now."""
    kept = {no.model for no in decision.rejections if no.reason == "budget"}
    able = {one.model.id: one for one in (*snapshot.named, *snapshot.candidates) if one.model.id in kept and one.model.tier >= floor}

    def most(candidate: Candidate) -> int | None:
        return ceiling_pusd(candidate, view, on_model(decision.prompt_tokens, candidate.model.id, snapshot.factors))

    for candidate in sorted(able.values(), key=lambda one: (most(one) is None, most(one) or 0)):
        short = tuple(cap for cap in caps if cap.short_pusd(most(candidate)))
        if short:
            return Reached(short, candidate.model.id, most(candidate))
    return None


def proposed_pusd(cap: Cap, found: Reached) -> int:
    """A round sum that lets the session go on for a while."""
    more = max(STEPS_MORE * (found.most_pusd or 0), (cap.cap_pusd - cap.extended_pusd) // STEPS_MORE)
    return _rounded_up(max(0, cap.used_pusd - cap.cap_pusd) + more)


def _rounded_up(pusd: int) -> int:
    """The next of 1, 2 and 5 cents, and their tenfolds."""
    size = CENT_PUSD
    while True:
        for digit in ROUND:
            if digit * size >= pusd:
                return digit * size
        size *= 10
