"""The simulator's own count of tokens: four bytes a token, rounded up. Simple, so that a test can do it in the head."""

from __future__ import annotations

BYTES_PER_TOKEN = 4
MESSAGE_TOKENS = 4
"""What each message costs for its envelope."""
IMAGE_TOKENS = 800


def tokens_of(text: str) -> int:
    return tokens_of_bytes(len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def tokens_of_bytes(size_bytes: int) -> int:
    return -(-size_bytes // BYTES_PER_TOKEN)
