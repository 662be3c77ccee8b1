"""Prefix caches as providers keep them: per account and model, by whole messages, forgotten after five unused minutes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from stepfare.core.model import CacheRule
from stepfare.simulator.options import CACHE_PREFIXES_MAX
from stepfare.simulator.reading import Prefix


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How a prompt met the cache: so many of its tokens were read from it, so many written into it."""

    read_tokens: int
    write_tokens: int


class PrefixCache:
    """Which prefixes are warm, and until when. Holds at most `prefixes_max`; the longest unused go first."""

    def __init__(self, rule: CacheRule, prefixes_max: int = CACHE_PREFIXES_MAX) -> None:
        self._rule = rule
        self._prefixes_max = prefixes_max
        self._until_ms: OrderedDict[tuple[str, str, bytes], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until_ms)

    def meet(self, account: str, model: str, prefixes: tuple[Prefix, ...], now_ms: int) -> CacheUse:
        """Read the longest warm prefix, write the rest, and keep all of it warm from now on."""
        read_tokens = 0
        for prefix in reversed(prefixes):
            if self._until_ms.get((account, model, prefix.digest), 0) > now_ms:
                read_tokens = prefix.tokens
                break
        if prefixes[-1].tokens < self._rule.min_tokens:
            return CacheUse(0, 0)
        for prefix in prefixes:
            # Only what is long enough to be kept can later be found.
            if prefix.tokens >= self._rule.min_tokens:
                key = (account, model, prefix.digest)
                self._until_ms[key] = now_ms + self._rule.lifetime_ms
                self._until_ms.move_to_end(key)
        while len(self._until_ms) > self._prefixes_max:
            self._until_ms.popitem(last=False)
        return CacheUse(read_tokens, prefixes[-1].tokens - read_tokens)
