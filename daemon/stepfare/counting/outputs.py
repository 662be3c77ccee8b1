"""How many tokens a model writes in a step of each kind, thinking included: what recorded sessions say of any model, then learned from
what this one reports.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from stepfare.core.entry import Entry, Lost, Reserved, Settled, Voided
from stepfare.core.step import StepKind

STEPS_BELIEVED = 20
"""What the recordings say of a kind weighs as much as so many answers of the model itself."""
WEIGHT_MIN = 0.01
"""Of a new answer: a model's habit follows some hundred steps of a kind."""
MODELS_MAX = 500
_KINDS = frozenset(kind.value for kind in StepKind)


@dataclass(slots=True)
class _Habit:
    answers: int = 0
    mean_tokens: float = 0.0


class Outputs:
    """A fold of journal entries; `apply` is its only way to change. `expected` are the tokens of any model, by kind."""

    def __init__(self, expected: Mapping[StepKind, int]) -> None:
        self._expected = dict(expected)
        self._models: OrderedDict[str, dict[StepKind, _Habit]] = OrderedDict()
        self._learned: dict[str, Mapping[StepKind, int]] = {}
        self._open: dict[str, str] = {}

    def of(self, model: str) -> Mapping[StepKind, int]:
        """Tokens that this model (its id) is expected to write, by kind."""
        return self._learned.get(model, self._expected)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Reserved():
                self._open[entry.attempt] = entry.model
            case Settled():
                model = self._open.pop(entry.attempt, "")
                if model and entry.outcome == "ok" and entry.measured and entry.kind in _KINDS:
                    self._learn(model, StepKind(entry.kind), entry.usage.output_tokens)
            case Voided() | Lost():
                self._open.pop(entry.attempt, None)
            case _:
                pass

    def _learn(self, model: str, kind: StepKind, output_tokens: int) -> None:
        habit = self._habits(model).setdefault(kind, _Habit())
        habit.answers += 1
        habit.mean_tokens += (output_tokens - habit.mean_tokens) * max(1 / habit.answers, WEIGHT_MIN)
        self._learned[model] = {**self.of(model), kind: self._joined(kind, habit)}

    def _habits(self, model: str) -> dict[StepKind, _Habit]:
        found = self._models.setdefault(model, {})
        self._models.move_to_end(model)
        while len(self._models) > MODELS_MAX:
            forgotten, _ = self._models.popitem(last=False)
            self._learned.pop(forgotten, None)
        return found

    def _joined(self, kind: StepKind, habit: _Habit) -> int:
        total = habit.answers + STEPS_BELIEVED
        return round((habit.mean_tokens * habit.answers + self._expected[kind] * STEPS_BELIEVED) / total)
