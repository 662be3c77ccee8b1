"""One try at one candidate: the call described, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why a try gave nothing. Each calls for a different next move."""

    BUSY = "busy"
    """Rate limit or overload: the provider asks us to wait."""
    DOWN = "down"
    """No connection, a server error, an answer that is not the format's."""
    SLOW = "slow"
    """A time limit passed before the first content."""
    REFUSED = "refused"
    """The request itself is wrong; another provider of the same model would say the same."""
    OVERFLOW = "overflow"
    """The prompt is longer than the model's window."""
    KEY = "key"
    """The provider does not take our key, or wants money for it."""
    CUT = "cut"
    """The stream broke after content was shown."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A call described, not made. `key` says where the secret is; only `upstream.keys` looks it up."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    key: str
    auth: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure with its circumstances. `words` are for a person; `status` and `body` are what the provider said."""

    failure: Failure
    words: str
    status: int = 0
    retry_after_ms: int | None = None
    body: bytes = b""
