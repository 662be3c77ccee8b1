"""The gate: what becomes of a cheap model's answer, told from what the model does and not from what it might have done.

Pure. Time, bytes and the acting out are the business of `runtime.holding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from stepfare.core.decision import Floor, GatePlan
from stepfare.core.step import StepKind, Tier

TEXT_CHARS = 600
TEXT_MS = 3_000
"""Text without a tool call is shown from so many characters on, or when it has waited so long."""
HELD_BYTES_MAX = 64 * 1024
SOURCE = "gate"
"""Who says so, of a floor that no setting asks for: the answer itself was of no use."""


@dataclass(frozen=True, slots=True)
class CallSeen:
    """What is seen of one call. `floor` is what it needs, as far as that is known; `flaw` says why the client could not carry it out.

    `whole` says that nothing of it is still to come."""

    floor: Floor | None = None
    whole: bool = False
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is heard of an answer. Times run from the first content (or the first text) that is still held; `shown` says that the client
    has seen text of it already."""

    calls: Sequence[CallSeen] = ()
    text_chars: int = 0
    may_call_in_text: bool = False
    """Whether its calls stand in its text, so that a text is only known when it has ended."""
    finished: bool = False
    needs: Floor | None = None
    """What a finished answer without any call needs."""
    one_call: bool = False
    """Whether the client takes one call a turn only."""
    shown: bool = False
    held_ms: int = 0
    text_ms: int = 0
    held_bytes: int = 0


class Pass(StrEnum):
    """What of a held answer goes to the client now."""

    NOTHING = "nothing"
    """It is held on."""
    TEXT = "text"
    """Text and thinking pass; calls are held."""
    ALL = "all"
    """Nothing is held any more."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """The answer is never shown: somebody of at least this floor gives another one."""

    floor: Floor


Verdict: TypeAlias = Pass | Escalate


def verdict(seen: Seen, plan: GatePlan, tier: Tier) -> Verdict:
    """What becomes of the answer of a model of this tier."""
    too_much = _too_much(seen, tier)
    if too_much is not None:
        return Escalate(too_much)
    if seen.finished:
        return Pass.ALL
    if seen.one_call and len(seen.calls) == 1 and seen.calls[0].whole:
        return Pass.ALL
    if seen.held_ms >= plan.hold_ms or seen.held_bytes >= HELD_BYTES_MAX:
        return Escalate(_unknown(seen, plan, tier)) if seen.calls else Pass.TEXT
    if seen.calls:
        return Pass.NOTHING
    long_enough = seen.text_chars >= TEXT_CHARS or (seen.text_chars > 0 and seen.text_ms >= TEXT_MS)
    return Pass.TEXT if seen.shown or (long_enough and not seen.may_call_in_text) else Pass.NOTHING


def due_ms(seen: Seen, plan: GatePlan) -> int:
    """How long the verdict stands if nothing more is heard: in so many ms it may be another."""
    waits = [plan.hold_ms - seen.held_ms]
    if seen.text_chars and not seen.calls and not seen.may_call_in_text:
        waits.append(TEXT_MS - seen.text_ms)
    return max(0, min(waits))


def _too_much(seen: Seen, tier: Tier) -> Floor | None:
    """The floor of what is known to be beyond this tier, the most demanding first."""
    needed = [call.floor for call in seen.calls if call.floor is not None and call.floor.tier > tier]
    needed += [above(tier, call.flaw) for call in seen.calls if call.flaw]
    if seen.finished and not seen.calls and not seen.shown and seen.needs is not None and seen.needs.tier > tier:
        needed.append(seen.needs)
    return max(needed, key=lambda floor: floor.tier, default=None)


def above(tier: Tier, why: str) -> Floor:
    """The next tier, for a reason that stands in no settings."""
    higher = Tier(min(tier + 1, Tier.PREMIUM))
    return Floor(higher, SOURCE, f"an answer of a {tier.word} model is of no use here: {why}")


def _unknown(seen: Seen, plan: GatePlan, tier: Tier) -> Floor:
    what = f"for {plan.hold_ms / 1000:g} s" if seen.held_ms >= plan.hold_ms else f"for {HELD_BYTES_MAX // 1024} KiB"
    edit = plan.floors.get(StepKind.EDIT)
    if edit is not None and edit.tier > tier:
        return Floor(
            edit.tier, SOURCE, f"what the {tier.word} model is about to do was not known {what}, and an edit needs {edit.tier.word}"
        )
    return above(tier, f"what it is about to do was not known {what}")
