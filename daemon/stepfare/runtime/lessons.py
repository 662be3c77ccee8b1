"""What refusals taught about models, kept in a file of its own so that a restart learns nothing twice.

Which rule a refusal teaches is for the wire formats to say (`dialects.lessons`); a rule that has held for a month is tried without again,
since models learn too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from stepfare.dialects.rules import is_rule
from stepfare.paths import write_private

HELD_MS = 30 * 86_400_000
"""How long a lesson holds."""
LESSONS_MAX = 32
"""Of one model; it is not the model's fault where there are more."""
FILE_BYTES_MAX = 1024 * 1024

_log = logging.getLogger(__name__)


class _File(msgspec.Struct):
    lessons: dict[str, dict[str, int]]


class Lessons:
    """Rules by model (its id), each with the time at which it was learned. `path` is None where nothing is to be kept."""

    def __init__(self, now_ms: Callable[[], int], path: Path | None = None) -> None:
        self._now_ms = now_ms
        self._path = path
        self._learned: dict[str, dict[str, int]] = {}

    def load(self, path: Path) -> None:
        """Take up what was learned before. A file that cannot be read teaches nothing: it will be learned anew."""
        self._path = path
        try:
            with path.open("rb") as file:
                found = msgspec.json.decode(file.read(FILE_BYTES_MAX), type=_File)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read (%s): what it held is learned anew", path.name, type(error).__name__)
            return
        self._learned = {
            model: {rule: at_ms for rule, at_ms in list(rules.items())[:LESSONS_MAX] if is_rule(rule)}
            for model, rules in found.lessons.items()
        }

    def of(self, model: str) -> tuple[str, ...]:
        """The rules that hold for this model now, in the order in which they were learned."""
        now_ms = self._now_ms()
        return tuple(rule for rule, at_ms in self._learned.get(model, {}).items() if now_ms - at_ms < HELD_MS)

    def learn(self, model: str, rule: str) -> bool:
        """Remember a rule; False where it holds already, so that it is not tried again."""
        if rule in self.of(model) or len(self.of(model)) >= LESSONS_MAX:
            return False
        rules = {known: at_ms for known, at_ms in self._learned.get(model, {}).items() if known != rule}
        self._learned[model] = {**rules, rule: self._now_ms()}
        self._write()
        return True

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            write_private(self._path, msgspec.json.encode(_File(self._learned)))
        except OSError as error:
            _log.warning(
                "what a model refuses cannot be kept in %s (%s): after a restart it is learned anew", self._path.name, error.strerror
            )
