"""Faults and delays on demand: how they are written, and the queue in which they wait for real clients' calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from stepfare.simulator.options import QUEUED_FAULTS_MAX, WAIT_MS_MAX

KINDS = {
    "none": 0,
    "html": 0,
    "disconnect-before": 0,
    "disconnect-after": 3,
    "stall": 0,
    "error-in-stream": 3,
    "overflow": 0,
    "no-usage": 0,
}
"""Every kind but the bare status codes, with the number of chunks that go before it by default."""

DELAYS = ("first-byte-ms", "chunk-ms")


@dataclass(frozen=True, slots=True)
class Fault:
    """One call's misfortune. `chunks` are those sent before it happens; a delay of None leaves the option's."""

    kind: str = "none"
    status: int = 0
    chunks: int = 0
    retry_after: str = ""
    message: str = ""
    code: str = ""
    first_byte_ms: int | None = None
    chunk_ms: int | None = None
    words: int = 0
    """Where set, the answer is that many words of nothing, for measuring streams."""
    spec: str = ""


NO_FAULT = Fault()


def parse_fault(spec: str) -> Fault:
    """`429;retry-after=2`, `disconnect-after=5`, `first-byte-ms=200;chunk-ms=5`, ...; raises ValueError with words."""
    kind, status, chunks = "none", 0, 0
    settings: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in spec.split(";"))):
        name, _, value = piece.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name.isdigit() and 400 <= int(name) <= 599:
            kind, status = "status", int(name)
        elif name in KINDS:
            kind, chunks = name, _number(name, value, KINDS[name])
        elif name in (*DELAYS, "words", "retry-after", "message", "code", "status"):
            settings[name] = value
        else:
            known = ", ".join(("4xx", "5xx", *KINDS, *DELAYS, "words", "retry-after", "message", "code", "status"))
            raise ValueError(f"fault `{name}` is not known; known are {known}")
    if "status" in settings:
        status = _number("status", settings["status"], 0)
    return Fault(
        kind=kind,
        status=status,
        chunks=chunks,
        retry_after=settings.get("retry-after", ""),
        message=settings.get("message", ""),
        code=settings.get("code", ""),
        first_byte_ms=_number("first-byte-ms", settings["first-byte-ms"], 0) if "first-byte-ms" in settings else None,
        chunk_ms=_number("chunk-ms", settings["chunk-ms"], 0) if "chunk-ms" in settings else None,
        words=_number("words", settings.get("words", ""), 0),
        spec=spec,
    )


def _number(name: str, value: str, default: int) -> int:
    if not value:
        return default
    if not value.isdigit() or int(value) > WAIT_MS_MAX:
        raise ValueError(f"`{name}={value}`: expected a whole number of at most {WAIT_MS_MAX}")
    return int(value)


class FaultQueue:
    """Faults for the calls to come, first in first out; one that names a model waits for a call of that model."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Fault]] = deque()

    def add(self, fault: Fault, model: str = "", times: int = 1) -> None:
        """Raises ValueError when the queue would grow beyond its bound."""
        if times < 1 or len(self._waiting) + times > QUEUED_FAULTS_MAX:
            raise ValueError(f"the queue holds at most {QUEUED_FAULTS_MAX} faults, and each is played at least once")
        self._waiting.extend([(model, fault)] * times)

    def take(self, model: str) -> Fault:
        for index, (wanted, fault) in enumerate(self._waiting):
            if wanted in ("", model):
                del self._waiting[index]
                return fault
        return NO_FAULT

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[dict[str, str]]:
        return [{"spec": fault.spec, "model": model} for model, fault in self._waiting]
