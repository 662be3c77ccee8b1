"""Counts prompts without ever making a request wait: what is new of a conversation is counted when its answer is over, in a thread of
its own, and until then estimated by its length."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from stepfare.core.request import RequestView
from stepfare.counting import vocabulary
from stepfare.counting.counts import Count, Counts

ESTIMATED_SHARE_MAX = 0.25
"""Of a prompt: where more of it was never counted, the number is an estimate and no count."""
WAITING_MAX = 64
"""Conversations that wait to be counted; with more of them, those that come later are counted with their next step."""

_log = logging.getLogger(__name__)
_loaded: list[Count] = []
"""The vocabulary, once for the whole process: it is 80 MB."""


class Tokenizer:
    """Tokens of requests, in o200k."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stepfare-tokens")
        self._waiting = 0
        self._closed = False

    def count(self, view: RequestView) -> int:
        """Tokens of this prompt, the newest words estimated; 0 where too much of it was never counted."""
        known, new = self._counts.tally(view)
        return known + new if new <= ESTIMATED_SHARE_MAX * (known + new) else 0

    def count_surely(self, view: RequestView) -> int:
        """The same with nothing estimated. It waits for the vocabulary and for long texts: call it in a thread."""
        self._count_new(view)
        return self._counts.tally(view)[0]

    def learn(self, view: RequestView) -> None:
        """Count what is new of this prompt beside, for the steps to come."""
        if self._closed or self._waiting >= WAITING_MAX:
            return
        self._waiting += 1
        self._worker.submit(self._learn, view)

    def close(self) -> None:
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _count_new(self, view: RequestView) -> None:
        if not _loaded:
            _loaded.append(vocabulary.load())
        self._counts.add(self._counts.missing(view), _loaded[0])

    def _learn(self, view: RequestView) -> None:
        try:
            self._count_new(view)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: what goes wrong in it is told, and prompts are estimated
            _log.exception("tokens could not be counted; prompts are estimated by their length")
        finally:
            self._waiting -= 1
