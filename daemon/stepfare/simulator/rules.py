"""What a rule of a provider is: words for the reader, and a check that yields the refusals of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from stepfare.core.model import Model
from stepfare.simulator.fields import Fields
from stepfare.simulator.refused import Refused


@dataclass(frozen=True, slots=True)
class Ask:
    """A call as the rules see it: the decoded body, headers with lower-case names, and whose key it bears (a digest)."""

    family: str
    dialect: str
    body: Fields
    headers: Mapping[str, str]
    model: Model
    account: str

    @property
    def name(self) -> str:
        """The model as its maker calls it, without a date."""
        return self.model.upstream


Check: TypeAlias = Callable[[Ask], Iterator[Refused]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`says` completes the sentence "it is a rule that ..."."""

    says: str
    check: Check


def first_refusal(rules: Sequence[Rule], ask: Ask) -> Refused | None:
    """What the first broken rule says; None where all are kept."""
    return next((refused for rule in rules for refused in rule.check(ask)), None)


def named(name: str, *beginnings: str) -> bool:
    """Whether a model's name begins with one of these."""
    return name.startswith(beginnings)
