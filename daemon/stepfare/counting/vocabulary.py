"""The o200k vocabulary of tiktoken, from an asset that ships: nothing is downloaded, and nothing is loaded before it is needed.

`scripts/pack_vocabulary.py` makes the asset; the vocabulary is OpenAI's, published with tiktoken under the MIT licence.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path

ASSET = Path(__file__).parent / "o200k.bin"
SOURCE_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of the text form of the vocabulary, as tiktoken 0.14 pins it."""
TOKENS = 199_998
"""Mergeable tokens; the two special ones have later ranks."""
SPECIAL = {"<|endoftext|>": 199_999, "<|endofprompt|>": 200_018}

_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# How o200k cuts a text before it merges: the vocabulary means nothing without it. A test holds it equal to tiktoken's own.
PATTERN = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_SHORT}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_SHORT}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


def ranks(packed: bytes) -> dict[bytes, int]:
    """Token -> rank, from the bytes of the asset."""
    lengths, tokens = packed[:TOKENS], packed[TOKENS:]
    ends = accumulate(lengths, initial=0)
    return {tokens[start:end]: rank for rank, (start, end) in enumerate(pairwise(ends))}


def load() -> Callable[[str], int]:
    """What counts a text's tokens. Takes a quarter of a second of processor time and 80 MB: call it in a thread, once."""
    import tiktoken  # The one import that is worth waiting for only when tokens are to be counted.

    encoding = tiktoken.Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks(ASSET.read_bytes()), special_tokens=SPECIAL)

    def count(text: str) -> int:
        # Texts that happen to hold a special token's name are text.
        return len(encoding.encode_ordinary(text))

    return count
