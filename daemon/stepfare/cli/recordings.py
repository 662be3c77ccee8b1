"""Opens recorded sessions and replays them, on as many processors as there are: files in, outcomes out.

What the lines mean and what a session costs is the business of the room `replay`.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import click

from stepfare.cli.asking import Trouble
from stepfare.core.model import Candidate
from stepfare.core.step import Step, StepFeatures
from stepfare.replay.compare import Plan, compared
from stepfare.replay.figures import Outcome
from stepfare.replay.price_sets import CATALOGUE, SETS, rungs_of
from stepfare.replay.recorded import recording_of
from stepfare.replay.recording import Recording
from stepfare.steps.classify import classify
from stepfare.steps.weights import read_weights

FLAT_VIEW = "steps.jsonl.gz"
"""In a folder of trajectories, the file that says the same as the others, step by step."""
SUFFIXES = (".jsonl", ".jsonl.gz")
LINES_AT_ONCE = 12
SESSIONS_ALONE_MAX = 40
"""So few are done sooner than processes are started."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pricing:
    """A price set by its name; of the catalogue, the candidates with their prices come along."""

    name: str
    candidates: tuple[Candidate, ...] = ()

    def outcomes(self, recordings: Sequence[Recording], plan: Plan) -> list[Outcome]:
        rungs = rungs_of(self.candidates) if self.name == CATALOGUE else tuple(SETS[self.name].values())
        return compared(recordings, rungs, plan)


class Workers:
    """Processes that do the reading and the replaying, started when there is enough to do; progress is shown on a terminal."""

    def __init__(self, jobs: int | None) -> None:
        self._jobs = jobs if jobs is not None else os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, label: str, work: Callable[..., T], tasks: Sequence[tuple[object, ...]], size: int) -> list[T]:
        """`work` done on each task, in their order. `size` says how many sessions that is in all."""
        with click.progressbar(length=len(tasks), label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
            if self._jobs < 2 or size <= SESSIONS_ALONE_MAX or len(tasks) < 2:
                done: list[T] = []
                for task in tasks:
                    done.append(work(*task))
                    bar.update(1)
                return done
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self._jobs)
            futures: list[Future[T]] = [self._pool.submit(work, *task) for task in tasks]
            for _ in as_completed(futures):
                bar.update(1)
            return [future.result() for future in futures]


def files_in(source: Path) -> list[Path]:
    """The file itself, or the files with recorded sessions in a folder. Raises Trouble."""
    if source.is_file():
        return [source]
    files = [path for path in sorted(source.iterdir()) if path.name.endswith(SUFFIXES) and path.name != FLAT_VIEW]
    if not files:
        raise Trouble("no-recordings", f"{source} holds no recorded sessions (*.jsonl or *.jsonl.gz, one session a line).")
    return files


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file that may be compressed. Raises Trouble."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except (OSError, EOFError) as problem:
        raise Trouble("unreadable", f"{path} cannot be read: {problem}.") from problem


@dataclass(frozen=True, slots=True)
class Found:
    """What lines hold: sessions, and for each line that is none a sentence that says so."""

    recordings: list[Recording]
    troubles: list[str]


def read(source: Path, workers: Workers, *, merge: bool, weights: bytes | None, agent: str | None) -> Found:
    """All sessions of a file or folder, with what the classifier foresees of each step. Raises Trouble."""
    tasks: list[tuple[object, ...]] = []
    size = 0
    for path in files_in(source):
        lines: list[bytes] = []
        for line in lines_of(path):
            lines.append(line)
            size += 1
            if len(lines) == LINES_AT_ONCE:
                tasks.append((str(path), lines, merge, weights, agent))
                lines = []
        if lines:
            tasks.append((str(path), lines, merge, weights, agent))
    found = workers.map("Reading", _recordings, tasks, size)
    return Found([recording for one in found for recording in one.recordings], [words for one in found for words in one.troubles])


def replayed(recordings: Sequence[Recording], pricings: Iterable[Pricing], plan: Plan, workers: Workers) -> dict[str, list[Outcome]]:
    """What each price set makes of the sessions. A project's sessions are replayed together, since policies learn from one to the next."""
    by_project: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_project.setdefault(recording.project, []).append(recording)
    # The longest first, so that nobody waits for one who began late.
    projects = sorted(by_project.values(), key=lambda of_project: -sum(len(one.steps) for one in of_project))
    tasks: list[tuple[Pricing, list[Recording], Plan]] = [(pricing, sessions, plan) for sessions in projects for pricing in pricings]
    done = workers.map("Replaying", _outcomes, tasks, len(recordings))
    found: dict[str, list[Outcome]] = {}
    for (pricing, *_), outcomes in zip(tasks, done, strict=True):
        found.setdefault(pricing.name, []).extend(outcomes)
    return found


def _outcomes(pricing: Pricing, recordings: Sequence[Recording], plan: Plan) -> list[Outcome]:
    return pricing.outcomes(recordings, plan)


def _recordings(path: str, lines: Sequence[bytes], merge: bool, weights: bytes | None, agent: str | None) -> Found:
    classifier = _classifier(weights)
    found = Found([], [])
    for line in lines:
        try:
            raw = json.loads(line)
            if agent in (None, raw["agent"]):
                found.recordings.append(recording_of(raw, classifier, merge=merge))
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            found.troubles.append(f"{path} holds a line that is no recorded session ({type(problem).__name__}: {problem}).")
    return found


def _classifier(weights: bytes | None) -> Callable[[StepFeatures], Step]:
    if weights is None:
        return classify
    learned = read_weights(weights)
    return lambda features: classify(features, learned)
