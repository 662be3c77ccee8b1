"""The digest of a conversation up to each of its turns: two that begin alike have the same chain up to where they part. What was seen of
late is not hashed again; whose conversation it is, is left to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

TURNS_NEW_MAX = 48
"""How far back the turn is looked for up to which a conversation's chain is known."""
CHAINS_KEPT_MAX = 128


def chain_of(anchors: Sequence[bytes]) -> tuple[str, ...]:
    """For each turn the digest of the conversation up to it; a turn without an anchor adds nothing. A step goes on from where the
    conversation was left."""
    turns = tuple(anchors)
    known: tuple[str, ...] = ()
    for end in range(len(turns), max(0, len(turns) - TURNS_NEW_MAX), -1):
        kept = _chains.get(turns[end - 1])
        if kept is not None and kept[0] == turns[:end]:
            known = kept[1]
            break
    link = known[-1] if known else ""
    new: list[str] = []
    for anchor in turns[len(known) :]:
        if anchor:
            link = blake2b(bytes.fromhex(link) + anchor, digest_size=16).hexdigest()
        new.append(link)
    chain = (*known, *new)
    if new and turns[-1]:
        while len(_chains) >= CHAINS_KEPT_MAX:
            _chains.pop(next(iter(_chains)), None)
        _chains[turns[-1]] = (turns, chain)
    return chain


_chains: dict[bytes, tuple[tuple[bytes, ...], tuple[str, ...]]] = {}
"""Conversations of late with their chains, by the anchor of their last turn; the oldest goes first."""
