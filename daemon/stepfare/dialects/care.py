"""What a body must be made with besides the client's words: which model it is for, and whose thoughts are whose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stepfare.core.prompt import Thought


def _nobody(_digest: str) -> str:
    return ""


def _nothing(_key: str, _place: int) -> tuple[Thought, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Care:
    """One candidate, as a dialect that writes its request needs to know it."""

    model: str
    """The candidate's id, `provider/model`: thoughts that another model made are dropped, its own are kept byte for byte."""
    upstream: str
    """What its provider calls it."""
    max_output_tokens: int
    """The longest answer that it can give; for formats that must name a limit."""
    maker_of: Callable[[str], str] = _nobody
    """The model that made the thought of this digest; empty where nobody knows, which counts as another's."""
    kept_for: Callable[[str, int], tuple[Thought, ...]] = _nothing
    """The thoughts that this very candidate had in an earlier answer, for clients whose format has no place for them: by the id of the
    answer's first tool call or else the digest of its text (`core.digest.reply_digest`), and by how many answers that hold either
    stand before it. What the client has put elsewhere since is not found: a thought is bound to what was said before it."""
    foreign: bool = True
    """Whether the provider is another one than the client was written for: then lines that only that one understands are left out."""
