"""What a project's file means for a step: tiers by kind, floors by path, models denied, caps, each with the line to cite.

The file was checked by `check`; which of all floors holds is the business of routing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from stepfare.config.globs import Globs
from stepfare.core.step import StepKind, Tier

DOTFILE_NAME = ".stepfare.toml"


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps in picodollars (None: none), the share of one at which to warn, and what to do at it: ask, frugal or stop (None: not said)."""

    session_pusd: int | None = None
    day_pusd: int | None = None
    month_pusd: int | None = None
    warn_at: float | None = None
    on_limit: str | None = None


@dataclass(frozen=True, slots=True)
class UserLimits:
    """What of the user's own settings a project's file is measured against. `profiles` are the names of the user's own profiles."""

    session_pusd: int | None = None
    day_pusd: int | None = None
    month_pusd: int | None = None
    profiles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PathFloor:
    """A floor that a file calls for: which glob took it in, and the line on which the glob stands."""

    tier: Tier
    glob: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class PathFloors:
    """One `[[paths]]` table. `lines` are those of its globs."""

    tier: Tier
    globs: Globs
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelGlob:
    """A glob over PROVIDER/MODEL, whatever the case, and its line. A star also takes in slashes."""

    glob: str
    line: int

    def takes_in(self, model_id: str) -> bool:
        return re.match(translate(self.glob.lower()), model_id.lower()) is not None


@dataclass(frozen=True, slots=True)
class Dotfile:
    """A project's wishes. An empty one asks for nothing."""

    source: str = DOTFILE_NAME
    profile: str | None = None
    steps: Mapping[StepKind, Tier] = field(default_factory=dict[StepKind, Tier])
    paths: tuple[PathFloors, ...] = ()
    deny: tuple[ModelGlob, ...] = ()
    allow: tuple[ModelGlob, ...] | None = None
    """None: all that are not denied. Empty: none."""
    budget: Caps = field(default_factory=Caps)
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    """Key path (`steps.edit`, `paths.0.match.1`) -> line, from 1."""

    def floor_for(self, files: Sequence[str]) -> PathFloor | None:
        """The highest floor that any of these files calls for; of equal ones the first. Files are relative to the file's folder."""
        highest: PathFloor | None = None
        for rule in self.paths:
            if highest is not None and rule.tier <= highest.tier:
                continue
            for file in files:
                index = rule.globs.matching(file)
                if index is not None:
                    highest = PathFloor(rule.tier, rule.globs.globs[index], file, rule.lines[index])
                    break
        return highest

    def denied(self, model_id: str) -> str | None:
        """The rule that denies this model, in words with its line; None where the project lets it serve."""
        for rule in self.deny:
            if rule.takes_in(model_id):
                return f'deny "{rule.glob}" ({self.source}:{rule.line})'
        if self.allow is None or any(rule.takes_in(model_id) for rule in self.allow):
            return None
        return f"not in the allow list ({self.cite('models.allow')})"

    def cite(self, key: str) -> str:
        """File and line of a key path: `.stepfare.toml:4`; the file alone where the key is not in it."""
        line = self.lines.get(key)
        return self.source if line is None else f"{self.source}:{line}"
