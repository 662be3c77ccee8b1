"""What a step has come to by several attempts: the floor that holds by now, what the client has read already, and what was spent."""

from __future__ import annotations

from dataclasses import dataclass, field

from stepfare.core.decision import Floor
from stepfare.core.step import Tier


@dataclass(slots=True)
class Turn:
    """One answer in the making. `floor` is the one that the next attempt must meet, `spent_pusd` what dropped answers cost (None: a part
    of it is not known), `begun` whether the client has seen content of the attempt that is running: nobody else may finish that one."""

    floor: Floor
    attempts: int = 0
    escalations: int = 0
    begun: bool = False
    spent_pusd: int | None = 0
    shown: list[bytes] = field(default_factory=list[bytes])
    """Frames of answers that the gate dropped in the middle: what is said next goes on behind them."""
    text: str = ""
    """The text of these frames, and what joins it to the next."""

    @property
    def at_least(self) -> Tier | None:
        """The tier without which nobody need be asked any more; None as long as no answer was dropped."""
        return self.floor.tier if self.escalations else None

    def escalate(self, floor: Floor, cost_pusd: int | None) -> None:
        """An answer was dropped that cost so much: the next one must meet this floor."""
        self.floor = floor
        self.spent_pusd = self.plus(cost_pusd)
        self.escalations += 1
        self.begun = False

    def plus(self, cost_pusd: int | None) -> int | None:
        """What the whole step costs if its last attempt costs so much."""
        return None if cost_pusd is None or self.spent_pusd is None else self.spent_pusd + cost_pusd
