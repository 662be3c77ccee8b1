"""The simulator's own account of every call: the truth that a ledger can be compared with."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

from stepfare.core.model import Model
from stepfare.core.money import Usage, priced
from stepfare.providers.prices import price_at
from stepfare.simulator.options import BILL_LINES_MAX
from stepfare.simulator.values import Json, JsonObject


@dataclass(frozen=True, slots=True)
class BillLine:
    """One call. `outcome` is ok, cancelled (the client hung up), or the fault that was played; refused calls cost nothing."""

    id: str
    model: str
    at_ms: int
    outcome: str
    usage: Usage
    cost_pusd: int
    total_ms: int
    stream: bool
    fault: str = ""
    family: str = ""
    """Whose API it was sent to; empty for the simulator's own models."""
    dialect: str = "openai"

    @property
    def cancelled(self) -> bool:
        return self.outcome == "cancelled"


class Bill:
    """The newest `lines_max` lines, and totals that forget nothing."""

    def __init__(self, lines_max: int = BILL_LINES_MAX) -> None:
        self._lines: deque[BillLine] = deque(maxlen=lines_max)
        self._calls = 0
        self._cost_pusd = 0

    def add(self, line: BillLine) -> None:
        self._lines.append(line)
        self._calls += 1
        self._cost_pusd += line.cost_pusd

    def as_json(self) -> JsonObject:
        """Lines oldest first; `calls` and `cost_pusd` count also those that were forgotten."""
        lines: list[Json] = [asdict(line) | {"cancelled": line.cancelled} for line in self._lines]
        return {"simulator": True, "currency": "play money", "calls": self._calls, "cost_pusd": self._cost_pusd, "lines": lines}


def price_of(model: Model, usage: Usage, at_ms: int = 0) -> int:
    """What this usage costs at the price that held then, in picodollars; nothing where no price is known."""
    price = price_at(model.prices, at_ms)
    return 0 if price is None else priced(price, usage)
