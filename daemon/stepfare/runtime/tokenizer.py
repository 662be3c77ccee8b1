"""Counts prompts without ever making a request wait: the vocabulary is loaded, and long texts are counted, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from stepfare.core.request import RequestView
from stepfare.counting import vocabulary
from stepfare.counting.counts import Count, Counts, Piece

AT_ONCE_CHARS_MAX = 16_384
"""New text that is counted on the spot: about a millisecond. Longer ones are counted beside, and known in the session's next step."""

_log = logging.getLogger(__name__)
_loaded: list[Count] = []
"""The vocabulary, once for the whole process: it is 80 MB."""


class Tokenizer:
    """Tokens of requests, in o200k."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="stepfare-tokens")
        self._closed = False

    def count(self, view: RequestView) -> int:
        """Tokens of this prompt, or 0 where not all of it is counted yet."""
        missing = self._counts.missing(view)
        if missing:
            if not _loaded or sum(piece.chars for piece in missing) > AT_ONCE_CHARS_MAX:
                self._count_beside(missing)
                return 0
            self._counts.add(missing, _loaded[0])
        return self._counts.of(view)

    def count_surely(self, view: RequestView) -> int:
        """The same, and it waits for the vocabulary and for long texts: call it in a thread."""
        self._count_all(self._counts.missing(view))
        return self._counts.of(view)

    def close(self) -> None:
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _count_beside(self, pieces: Sequence[Piece]) -> None:
        if not self._closed:
            self._worker.submit(self._count_logged, pieces)

    def _count_logged(self, pieces: Sequence[Piece]) -> None:
        try:
            self._count_all(pieces)
        except Exception:  # noqa: BLE001 - nobody waits for this thread: what goes wrong in it is told, and prompts are estimated
            _log.exception("tokens could not be counted; prompts are estimated by their length")

    def _count_all(self, pieces: Sequence[Piece]) -> None:
        if not _loaded:
            _loaded.append(vocabulary.load())
        self._counts.add(pieces, _loaded[0])
