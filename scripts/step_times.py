"""What a step costs in processor time: its features and its verdict, in conversations of any length."""

from __future__ import annotations

import gc
import random
import time
from collections import defaultdict
from pathlib import Path

from recordings import sessions
from stepfare.replay.recorded import digests_of, turns_of, view_of
from stepfare.steps.classify import WEIGHTS, classify
from stepfare.steps.features import features_of
from stepfare.steps.trail import Trails
from stepfare.steps.vector import vector_of

SEED = 4884
LENGTHS = (20, 200, 1_000)
"""Turns of the conversation before a timed step."""
STEPS_EACH = 400
PLACES_PER_SESSION = 8


def timing(folder: Path) -> dict[str, dict[str, float]]:
    """Microseconds: features of a conversation's next step by its length, of one met in its middle, the weights, the whole verdict."""
    spent: defaultdict[str, list[float]] = defaultdict(list)
    generator = random.Random(SEED)
    for session in sessions(folder):
        if all(len(spent[_next(length)]) >= STEPS_EACH for length in LENGTHS):
            break
        turns, digests, steps = turns_of(session), digests_of(session), session["steps"]
        # A conversation of many turns is a rare one: those at hand are told one after the other, until they are as long.
        for length in LENGTHS:
            if len(spent[_next(length)]) >= STEPS_EACH or len(steps) < 3:
                continue
            repeats = max(1, -(-length // len(turns)) + 1)
            long_turns = turns * repeats
            long_digests = tuple(digest[:8] + repeat.to_bytes(8, "big") for repeat in range(repeats) for digest in digests)
            base = (repeats - 1) * len(turns)
            for place in generator.sample(range(1, len(steps)), min(PLACES_PER_SESSION, len(steps) - 1)):
                before, now = (view_of(session, long_turns, long_digests, base + steps[one]["i"]) for one in (place - 1, place))
                trails: Trails = {}
                gc.disable()
                start = time.process_time_ns()
                features_of(before, trails)
                met = time.process_time_ns()
                features = features_of(now, trails)
                read = time.process_time_ns()
                numbers = vector_of(features)
                said = time.process_time_ns()
                WEIGHTS.read(numbers)
                weighed = time.process_time_ns()
                classify(features)
                judged = time.process_time_ns()
                gc.enable()
                for name, since, until in (
                    (_next(length), met, read),
                    (f"features, {length:,} turns, met in its middle", start, met),
                    ("features as numbers", read, said),
                    ("the weights, contributions included", said, weighed),
                    ("the whole verdict, numbers included", weighed, judged),
                ):
                    spent[name].append((until - since) / 1_000)
    return {name: _figures(values) for name, values in spent.items() if values}


def _next(length: int) -> str:
    return f"features, {length:,} turns, next step"


def _figures(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {"p50_us": ranked[len(ranked) // 2], "p99_us": ranked[len(ranked) * 99 // 100], "cases": len(ranked)}
