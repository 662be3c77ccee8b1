"""Prefix caches as providers keep them: by account and model, either of every prompt by itself or only where the client set marks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from stepfare.simulator.options import CACHE_PREFIXES_MAX
from stepfare.simulator.prefixes import HOUR_S, Prefix

LOOK_BACK_BLOCKS = 20
"""How many blocks before a mark are searched for something warm."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How a provider caches. `unit` is the step in which it counts, `writes` whether it bills them, `marked` whether only marks write."""

    min_tokens: int = 1024
    lifetime_ms: int = 300_000
    unit: int = 1
    writes: bool = True
    marked: bool = False


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How a prompt met the cache: so many of its tokens were read from it, so many written into it, of those so many for an hour."""

    read_tokens: int
    write_tokens: int
    write_1h_tokens: int = 0


NOTHING = CacheUse(0, 0)


@dataclass(slots=True)
class _Entry:
    until_ms: int
    lifetime_ms: int


class PrefixCache:
    """Which prefixes are warm, and until when. Holds at most `prefixes_max`; the longest unused go first."""

    def __init__(self, prefixes_max: int = CACHE_PREFIXES_MAX) -> None:
        self._prefixes_max = prefixes_max
        self._entries: OrderedDict[tuple[str, str, bytes], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def meet(self, policy: CachePolicy, account: str, model: str, prefixes: tuple[Prefix, ...], now_ms: int) -> CacheUse:
        """Read the longest warm prefix, write what this provider writes, and keep what was used warm from now on."""
        use = (self._marked if policy.marked else self._automatic)(policy, account, model, prefixes, now_ms)
        while len(self._entries) > self._prefixes_max:
            self._entries.popitem(last=False)
        return use

    def _automatic(self, policy: CachePolicy, account: str, model: str, prefixes: tuple[Prefix, ...], now_ms: int) -> CacheUse:
        total = prefixes[-1].tokens
        if total < policy.min_tokens:
            return NOTHING
        warm = next((prefix for prefix in reversed(prefixes) if self._is_warm(account, model, prefix, now_ms)), None)
        for prefix in prefixes:
            # Only what is long enough to be kept can later be found.
            if prefix.tokens >= policy.min_tokens:
                self._keep(account, model, prefix, policy.lifetime_ms, now_ms)
        read = warm.tokens // policy.unit * policy.unit if warm is not None else 0
        read = read if read >= policy.min_tokens else 0
        return CacheUse(read, total // policy.unit * policy.unit - read if policy.writes else 0)

    def _marked(self, policy: CachePolicy, account: str, model: str, prefixes: tuple[Prefix, ...], now_ms: int) -> CacheUse:
        marks = [index for index, prefix in enumerate(prefixes) if prefix.mark_s and prefix.tokens >= policy.min_tokens]
        if not marks:
            return NOTHING
        hit = self._longest(account, model, prefixes, marks, now_ms)
        hit_tokens = prefixes[hit].tokens if hit is not None else 0
        if hit is not None:
            for index in (*(mark for mark in marks if mark <= hit), hit):
                entry = self._entries.get((account, model, prefixes[index].digest))
                if entry is not None and entry.until_ms > now_ms:
                    self._keep(account, model, prefixes[index], entry.lifetime_ms, now_ms)
        written_from, written_1h = hit_tokens, 0
        for index in marks:
            prefix = prefixes[index]
            if prefix.tokens > hit_tokens:
                if prefix.mark_s == HOUR_S:
                    written_1h += prefix.tokens - written_from
                written_from = prefix.tokens
                self._keep(account, model, prefix, prefix.mark_s * 1000, now_ms)
        return CacheUse(hit_tokens, written_from - hit_tokens, written_1h)

    def _longest(self, account: str, model: str, prefixes: tuple[Prefix, ...], marks: list[int], now_ms: int) -> int | None:
        """The longest warm prefix that a look back from one of the marks finds."""
        for mark in reversed(marks):
            for index in range(mark, max(-1, mark - LOOK_BACK_BLOCKS), -1):
                if self._is_warm(account, model, prefixes[index], now_ms):
                    return index
        return None

    def _is_warm(self, account: str, model: str, prefix: Prefix, now_ms: int) -> bool:
        entry = self._entries.get((account, model, prefix.digest))
        return entry is not None and entry.until_ms > now_ms

    def _keep(self, account: str, model: str, prefix: Prefix, lifetime_ms: int, now_ms: int) -> None:
        key = (account, model, prefix.digest)
        known = self._entries.get(key)
        if known is not None and known.until_ms > now_ms:
            lifetime_ms = max(lifetime_ms, known.lifetime_ms)
        self._entries[key] = _Entry(now_ms + lifetime_ms, lifetime_ms)
        self._entries.move_to_end(key)
