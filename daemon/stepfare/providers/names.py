"""The many names of one model: dated, dotted or dashed, with or without its maker. Which names exist is up to the price table.

A name that is only similar is another model: nothing here guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# How others call the providers of our table.
PROVIDER_NAMES = {
    "dashscope": "qwen",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "mistralai": "mistral",
    "moonshotai": "moonshot",
    "together_ai": "together",
    "x-ai": "xai",
    "z-ai": "zai",
    "zai-org": "zai",
}
# Providers that serve models of their own making under names without a maker.
MAKERS = frozenset({"anthropic", "deepseek", "google", "mistral", "moonshot", "openai", "qwen", "xai", "zai"})

_DATED = re.compile(r"-(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$")


def split(model_id: str) -> tuple[str, str]:
    """`provider/name` in two, the provider by our name for it; the second is empty where there is no slash."""
    provider, _, name = model_id.partition("/")
    return PROVIDER_NAMES.get(provider.lower(), provider.lower()), name


def spellings(provider: str, name: str) -> Iterator[str]:
    """The names under which a table may know this one, nearest first: as it stands, with its date dashed, and without its date."""
    plain = name.lower()
    if plain.startswith(f"{provider}/"):
        plain = plain.removeprefix(f"{provider}/")
    yield plain
    dated = _DATED.search(plain)
    if dated:
        undated = plain[: dated.start()]
        yield f"{undated}-{dated[1]}-{dated[2]}-{dated[3]}"
        yield undated


def dashed(name: str) -> str:
    """`claude-opus-5.5` is `claude-opus-5-5` elsewhere."""
    return name.replace(".", "-")


def identity(provider: str, upstream: str) -> tuple[str, str]:
    """(maker, bare name) of a model, by which it is recognised at another provider; the maker is empty where the name does not tell."""
    path, _, bare = upstream.lower().rpartition("/")
    maker = path.rpartition("/")[2]
    # Fireworks keeps all models, whoever made them, in a folder of that name.
    if not maker or maker == "models":
        maker = provider if provider in MAKERS else ""
    return PROVIDER_NAMES.get(maker, maker), dashed(_DATED.sub("", bare))


def same_model(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two identities name the same model: an unknown maker is no objection."""
    return one[1] == other[1] and (one[0] == other[0] or not one[0] or not other[0])
