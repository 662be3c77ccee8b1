"""Where the measurements stand: the processes that are running, how thorough to be, and small sums over samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmark.wire import Target
from benchmark.world import CannotMeasure, Daemon, Process, Upstream

MS = 1_000.0
KB = 1_000
MB = 1_000_000


@dataclass(slots=True)
class Stand:
    """What a measurement may use. `daemon` is None where it could not be started; `why_no_daemon` says why."""

    upstream: Upstream
    bare_process: Process
    bare: Target
    daemon: Daemon | None
    why_no_daemon: str = ""
    quick: bool = False
    problems: list[str] = field(default_factory=list[str])

    @property
    def direct(self) -> Target:
        return Target("direct", self.upstream.port)

    def targets(self) -> list[Target]:
        """Direct, pass-through, and stepfare where it runs, in this order."""
        return [self.direct, self.bare, *([self.daemon.target] if self.daemon else [])]

    def needed_daemon(self) -> Daemon:
        if self.daemon is None:
            raise CannotMeasure(self.why_no_daemon)
        return self.daemon

    def rounds(self, thorough: int, quick: int) -> int:
        return quick if self.quick else thorough


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of all are not above."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def p50(samples: Sequence[float]) -> float:
    return percentile(samples, 0.50)


def p99(samples: Sequence[float]) -> float:
    return percentile(samples, 0.99)
