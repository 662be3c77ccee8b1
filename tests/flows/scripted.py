"""A long session of a coding agent by a script: what each step is for, how much comes of it, how long it takes until the next.

Which model is asked is the daemon's business. A frugal model that is asked for a step in which the script edits gives an edit of its own,
made of nothing but `TAINT`, so that every byte of it can be told from all others.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stepfare.core.step import Tier
from stepfare.simulator.reading import Request
from stepfare.simulator.reply import OutCall, Reply
from tests.flows.conversing import Story

TAINT = "~q"
"""Stands in every text and every argument of an edit by a frugal model, over and over, and nowhere else."""

_TAINTED = TAINT * 40
_TEXT = {"type": "string"}


def _takes(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict.fromkeys(names, _TEXT), "required": list(names)}


TOOLS: Mapping[str, dict[str, Any]] = {
    "Read": _takes("file_path"),
    "Grep": _takes("pattern", "path"),
    "Bash": _takes("command"),
    "Edit": _takes("file_path", "old_string", "new_string"),
}


@dataclass(frozen=True)
class Scripted:
    """One step: what the model does, the length of what its tool then gives back, and the pause before the step after it.

    `compacts` says that the client puts a summary in the place of its history when this step is over."""

    does: str
    result_chars: int = 0
    pause_ms: int = 7_000
    compacts: bool = False


def script(steps: int, seed: int = 4) -> list[Scripted]:
    """Tasks one after the other: the agent looks around, edits, tests, sometimes in vain, and reports; then the human thinks. There is a
    pause beyond the life of a five-minute cache, one beyond that of an hour's, and one compaction."""
    dice = random.Random(seed)
    made: list[Scripted] = []
    while len(made) < steps:
        made += [_looks(dice) for _ in range(dice.randint(3, 9))]
        for _ in range(dice.choice((1, 1, 2))):
            made += [Scripted("edit", 220, dice.randint(4_000, 15_000)) for _ in range(dice.choice((1, 1, 2, 3)))]
            made.append(Scripted("test", dice.choice((400, 900, 6_000)), dice.randint(5_000, 40_000)))
        made.append(Scripted("report", pause_ms=dice.randint(15_000, 120_000)))
    made = made[:steps]
    pauses = [place for place, step in enumerate(made) if step.does == "report"]
    for place, pause_ms in ((pauses[len(pauses) // 4], 420_000), (pauses[len(pauses) * 3 // 4], 4_000_000)):
        made[place] = Scripted("report", pause_ms=pause_ms)
    looked = max(place for place, step in enumerate(made[: steps * 3 // 5]) if step.does == "look")
    made[looked] = Scripted("look", made[looked].result_chars, made[looked].pause_ms, compacts=True)
    return made


def _looks(dice: random.Random) -> Scripted:
    return Scripted("look", min(24_000, round(dice.lognormvariate(8.3, 0.9))), dice.randint(3_000, 12_000))


BETWEEN = -1
"""The place of a call that is made while no step is under way."""


@dataclass
class Stage:
    """The script as it is played. `asked` are all calls of models: the place in the script, and the tier that was asked."""

    steps: Sequence[Scripted]
    now: int = 0
    pausing: bool = False
    asked: list[tuple[int, Tier]] = field(default_factory=list[tuple[int, Tier]])

    @property
    def step(self) -> Scripted:
        return self.steps[self.now]

    @property
    def tainted(self) -> list[int]:
        """The places of the edits that a frugal model was asked for and made, once for each call."""
        return [place for place, tier in self.asked if self.taints(place, tier)]

    def taints(self, place: int, tier: Tier) -> bool:
        return place != BETWEEN and tier is Tier.FRUGAL and self.steps[place].does == "edit"

    def play(self, request: Request) -> Reply:
        """What the model does in the step at hand: a player for the simulator."""
        tier = request.model.tier
        self.asked.append((BETWEEN if self.pausing else self.now, tier))
        if self.pausing:
            return Reply("So")
        number = self.now + 1
        match self.step.does:
            case "edit" if tier is Tier.FRUGAL:
                edit = _call("Edit", file_path=_TAINTED, old_string=_TAINTED, new_string=_TAINTED * 20)
                # Every other time it hides behind a look.
                return Reply(_TAINTED, (edit,) if number % 2 else (_call("Read", file_path=_TAINTED), edit))
            case "edit":
                old, new = f"limit = {number}", f"limit = {number + 1}  # seen by {tier.word}"
                words = f"The limit of step {number} is one too low."
                return _acts(words, "Edit", file_path=f"shop/part_{number % 7}.py", old_string=old * 6, new_string=new * 6)
            case "test":
                return _acts("I will run the tests.", "Bash", command="python -m pytest -q tests/test_parts.py")
            case "look" if number % 3:
                return _acts(f"Next I will read part {number % 7}.", "Read", file_path=f"shop/part_{number % 7}.py")
            case "look":
                return _acts("Where is it used?", "Grep", pattern=f"limit_{number}", path="shop")
            case _:
                return Reply(f"That was task {number}: the limit is right now, and the tests pass. " * 4)


def _acts(words: str, tool: str, **arguments: str) -> Reply:
    return Reply(words, (_call(tool, **arguments),))


def _call(tool: str, **arguments: str) -> OutCall:
    return OutCall(tool, json.dumps(arguments))


def story(steps: Sequence[Scripted], *, stream: bool, instructions_chars: int) -> Story:
    """The client's side of the script: the results of its tools in order, and what the human says."""
    results = tuple(_lines(place, step.result_chars) for place, step in enumerate(steps) if step.does != "report")
    return Story(
        "a long session",
        task="The limits of the parts are wrong. Look at one part after the other, mend it, and run its tests.",
        system=_lines(0, instructions_chars),
        offers=TOOLS,
        results=results,
        asks=("Good. Please go on with the next part.", "Thanks! The next one, please, and mind its callers."),
        stream=stream,
    )


_PROSE = "the rows of a part are kept in order while its limit holds and no caller may ask for more than one page at a time"


def _lines(place: int, chars: int) -> str:
    """Prose that nobody wrote before: another text for each place, of words that are as long in tokens as the simulator takes them for."""
    dice, words = random.Random(place), _PROSE.split()
    lines: list[str] = []
    while chars > 0:
        lines.append(" ".join(dice.choice(words) for _ in range(14)))
        chars -= len(lines[-1]) + 1
    return "\n".join(lines)
