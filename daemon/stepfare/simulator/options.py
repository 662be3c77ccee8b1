"""What can be set about the simulator, and every bound it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from stepfare.core.step import Tier

BODY_BYTES_MAX = 64 * 1024 * 1024
BILL_LINES_MAX = 10_000
CACHE_PREFIXES_MAX = 20_000
QUEUED_FAULTS_MAX = 1_000
STALL_MS_MAX = 600_000
WAIT_MS_MAX = 600_000
MOVES_MAX = 40
"""Tool calls since the human's last words; then the play ends with a final text, whatever was reached."""
PLAYED_AT_ONCE_MAX = 2
"""Messages of a request without tools that is answered without a thread of its own."""

MARK = "[stepfare simulator] "
FINGERPRINT = "stepfare-simulator"
HEADER_SIMULATOR = "x-stepfare-simulator"
HEADER_FAULT = "x-simulator-fault"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """Latency of every call, and the two sources of chance: ids (fixed by `seed`) and the clock of the caches."""

    first_byte_ms: int = 0
    chunk_ms: int = 0
    seed: int | None = None
    now_ms: Callable[[], int] = _now_ms
    eager: frozenset[Tier] = frozenset()
    """Tiers whose models edit before they have looked around; every edit that they make is wrong and signed."""
