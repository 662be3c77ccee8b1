"""Looks for models of this machine, once a minute at most, and remembers what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from stepfare.core.model import Model, Provider
from stepfare.upstream.discover import discover

LOOK_AGAIN_MS = 60_000
VARIABLE = "STEPFARE_LOCAL"
"""`off` in the environment: nothing of this machine is asked, whatever the settings say."""


class Finder:
    """What was found last, and when."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.found: tuple[Model, ...] = ()
        self.one_at_a_time = asyncio.Lock()
        """Held while somebody looks and until what was found is in play, so that who asks meanwhile sees it."""
        self._allowed = environ.get(VARIABLE, "").strip().lower() not in ("off", "0", "no", "false")
        self._looked_ms: int | None = None

    async def look(self, providers: Iterable[Provider], now_ms: int, *, wanted: bool) -> bool:
        """Ask the servers of this machine, unless that was done within a minute; whether something else was found than before.

        Where it is not `wanted` any more, what was found is forgotten.
        """
        before = self.found
        if not wanted or not self._allowed:
            self.found, self._looked_ms = (), None
        elif self._looked_ms is None or now_ms - self._looked_ms >= LOOK_AGAIN_MS:
            self._looked_ms = now_ms
            self.found = await discover(providers)
        return self.found != before
