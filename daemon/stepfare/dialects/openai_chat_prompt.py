"""OpenAI chat completions, said and read as a prompt: the request half of a bridge."""

from __future__ import annotations

from stepfare.core.prompt import Loss, Prompt
from stepfare.core.request import RequestView
from stepfare.dialects.care import Care
from stepfare.dialects.draft import Draft


def read_prompt(view: RequestView) -> Prompt:
    raise NotImplementedError


def write_prompt(prompt: Prompt, care: Care) -> Draft:
    raise NotImplementedError


def losses(prompt: Prompt) -> tuple[Loss, ...]:
    raise NotImplementedError
