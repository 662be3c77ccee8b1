"""What a call used, as each provider counts and calls it. `Usage` itself is inclusive; who counts otherwise is told so here."""

from __future__ import annotations

from stepfare.core.money import PUSD_PER_USD, Usage
from stepfare.simulator.values import JsonObject


def chat_usage(shape: str, usage: Usage, cost_pusd: int) -> JsonObject:
    """Usage in chat completions; `shape` as families name it."""
    thought, said = usage.reasoning_tokens, usage.output_tokens - usage.reasoning_tokens
    total = usage.input_tokens + usage.output_tokens
    read: JsonObject = {"cached_tokens": usage.cache_read_tokens}
    written: JsonObject = {"cache_write_tokens": usage.cache_write_tokens}
    reasoning: JsonObject = {"reasoning_tokens": thought}
    match shape:
        case "deepseek":
            hits: JsonObject = {
                "prompt_cache_hit_tokens": usage.cache_read_tokens,
                "prompt_cache_miss_tokens": usage.input_tokens - usage.cache_read_tokens,
            }
            return _counts(usage.input_tokens, usage.output_tokens, total) | hits | _details(read, reasoning)
        case "xai":  # What was thought is counted beside what was said.
            texts: JsonObject = {"text_tokens": usage.input_tokens, "audio_tokens": 0, "image_tokens": 0}
            return _counts(usage.input_tokens, said, total) | _details(texts | read, reasoning)
        case "google":  # The same, and only the total tells of it.
            return _counts(usage.input_tokens, said, total) | {"prompt_tokens_details": read}
        case "openrouter":
            billed: JsonObject = {
                "cost": cost_pusd / PUSD_PER_USD,
                "is_byok": False,
                "cost_details": {"upstream_inference_cost": None},
            }
            return _counts(usage.input_tokens, usage.output_tokens, total) | _details(read | written, reasoning) | billed
        case _:
            return _counts(usage.input_tokens, usage.output_tokens, total) | _details(read | written, reasoning)


def _counts(prompt: int, completion: int, total: int) -> JsonObject:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


def _details(prompt: JsonObject, completion: JsonObject) -> JsonObject:
    return {"prompt_tokens_details": prompt, "completion_tokens_details": completion}


def anthropic_usage(usage: Usage) -> JsonObject:
    """Usage in Messages: what was read from a cache or written into one is counted beside the input."""
    return {
        "input_tokens": usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "service_tier": "standard",
    }


def responses_usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
