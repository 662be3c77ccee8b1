#!/usr/bin/env python3
"""Measure the daemon beside a direct connection and a bare aiohttp pass-through, in one run, against the targets.

Everything runs on loopback, in processes of its own: a fake provider that plays a fixed stream, the pass-through, and
`stepfare serve` in a home that is thrown away. Nothing here is a test: figures are shown beside their targets, never asserted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
MEASURES = (
    "overhead",
    "gate",
    "throughput",
    "streams",
    "hangups",
    "memory",
    "session",
    "tokens",
    "bridge",
    "ledger",
    "shared_ledger",
    "dashboard",
    "lsp",
    "classifier",
    "start",
)
ALONE = frozenset({"tokens", "bridge", "ledger", "shared_ledger", "dashboard", "lsp", "classifier"})
"""Measured without the three processes."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=MEASURES, help="measure this alone; may be given more than once")
    parser.add_argument("--quick", action="store_true", help="fewer samples: a look, not a figure to publish")
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    chosen = parser.parse_args(arguments)
    wanted: list[str] = [name for name in MEASURES if name in (chosen.only or MEASURES)]

    from benchmark import report, world
    from benchmark.stand import Stand
    from benchmark.wire import WrongAnswer

    world.settle_in()
    rows: list[report.Row] = []
    problems: list[str] = []
    with ExitStack() as stack:
        upstream = stack.enter_context(world.upstream())
        process, bare, loop = stack.enter_context(world.pass_through(upstream.port))
        about = world.machine(loop)
        daemon, why = None, ""
        if set(wanted) - ALONE:
            try:
                daemon = stack.enter_context(world.daemon(upstream.port))
            except world.CannotMeasure as problem:
                why = str(problem)
                problems.append(why)
        stand = Stand(upstream, process, bare, daemon, why, quick=chosen.quick)
        for name in wanted:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            measure: Callable[[Stand], list[report.Row]] = import_module(f"benchmark.{name}").measure
            try:
                rows += measure(stand)
            except (world.CannotMeasure, WrongAnswer, OSError, TimeoutError) as problem:
                if str(problem) != why:
                    problems.append(f"{name}: {problem or type(problem).__name__}")
    print((report.as_json if chosen.json else report.table)(rows, about, problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    import_module("environment").enter(__file__)
    sys.exit(main(sys.argv[1:]))
