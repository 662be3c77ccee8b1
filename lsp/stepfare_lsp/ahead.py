"""What is asked of the daemon ahead of time, so that nobody who looks at a text waits: the last answer is given at once, and where it is
no longer fresh the next one is on its way. An answer that has grown too old is not shown at all.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

from stepfare.control.client import Daemon, Refused, Unreachable
from stepfare_lsp.link import Link

FRESH_S = 2.0
SHOWN_S_MAX = 120.0
ANSWERS_MAX = 64

T = TypeVar("T")
Question = Callable[[Daemon], Awaitable[Any]]


@dataclass(slots=True)
class _Known(Generic[T]):
    answer: T
    at_s: float


class Ahead:
    """The last answers, each by the key of its question. `on_news` is told when one has changed."""

    def __init__(self, link: Link, run_aside: Callable[[Coroutine[Any, Any, None]], None], on_news: Callable[[], None]) -> None:
        self._link = link
        self._run_aside = run_aside
        self._on_news = on_news
        self._known: OrderedDict[Hashable, _Known[Any]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Event] = {}

    def known(self, key: Hashable, question: Question, *, fresh_s: float = FRESH_S, shown_s: float = SHOWN_S_MAX) -> Any:
        """The last answer, None where there is none that is young enough; the next one is asked for where it is time."""
        known = self._known.get(key)
        age_s = monotonic() - known.at_s if known else float("inf")
        if age_s > fresh_s and key not in self._asking:
            self._asking[key] = asyncio.Event()
            self._run_aside(self._ask(key, question))
        return known.answer if known and age_s <= shown_s else None

    async def soon(
        self, key: Hashable, question: Question, wait_s: float, *, fresh_s: float = FRESH_S, shown_s: float = SHOWN_S_MAX
    ) -> Any:
        """The same; where there is none yet, the answer that comes within so many seconds."""
        answer = self.known(key, question, fresh_s=fresh_s, shown_s=shown_s)
        if answer is None and (asking := self._asking.get(key)) is not None:
            try:
                async with asyncio.timeout(wait_s):
                    await asking.wait()
            except TimeoutError:
                return None
            known = self._known.get(key)
            return known.answer if known else None
        return answer

    def forget(self) -> None:
        """Another daemon knows other things."""
        self._known.clear()

    async def _ask(self, key: Hashable, question: Question) -> None:
        asking = self._asking[key]
        try:
            answer = await self._link.ask(question)
        except (Unreachable, Refused):
            return  # what was known grows old; who looks is told that the daemon is away
        finally:
            self._asking.pop(key, None)
            asking.set()
        before = self._known.pop(key, None)
        self._known[key] = _Known(answer, monotonic())
        while len(self._known) > ANSWERS_MAX:
            self._known.popitem(last=False)
        if before is None or before.answer != answer:
            self._on_news()
