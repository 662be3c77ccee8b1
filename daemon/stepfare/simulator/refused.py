"""A request that cannot be served, as a value; how it is said in a provider's own shape is for `errors` to know."""

from __future__ import annotations

from stepfare.simulator.fields import Fields


class Refused(Exception):
    """`words` are the provider's own. `detail` is what some add: the list of faulty places of Mistral, the maker behind OpenRouter."""

    def __init__(self, status: int, words: str, code: str | None = None, param: str | None = None, *, detail: Fields | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.code = code
        self.param = param
        self.detail = detail or {}
