"""What was spent on a project lately, as lenses, hints and hovers say it. Asked ahead: nobody who looks at a text waits for the books."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stepfare.config.globs import Globs
from stepfare.control.protocol import Files, Grouping, Report, ReportQuestion, ReportRow
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.places import inside_of, project_of

DAYS = 7
DAY_MS = 86_400_000
FIRST_S_MAX = 0.01
"""A hover waits this long for figures that nobody has asked for before."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Steps, what they cost, and how much less that is than always balanced (negative: more). `models` by what they cost, dearest first."""

    steps: int
    spent_pusd: int
    saved_pusd: int = 0
    models: tuple[str, ...] = ()


def today(ls: StepfareServer, folder: str) -> Sum | None:
    """What a project has cost today; None while nobody knows."""
    report = _report(ls, folder, "day")
    if report is None:
        return None
    day = datetime.now().astimezone().strftime("%Y-%m-%d")  # as the daemon of this machine names its days
    return _sum([row for row in report.rows if row.names[0] == day])


def by_kind(ls: StepfareServer, folder: str) -> Mapping[str, Sum] | None:
    """What each kind of step cost in the last days, and who served it."""
    report = _report(ls, folder, "kind", "model")
    if report is None:
        return None
    kinds = dict.fromkeys(row.names[0] for row in report.rows)
    return {kind: _sum([row for row in report.rows if row.names[0] == kind]) for kind in kinds}


def by_tier(ls: StepfareServer, folder: str) -> Mapping[str, Sum] | None:
    report = _report(ls, folder, "tier")
    return None if report is None else {row.names[0]: _sum([row]) for row in report.rows}


def whole(ls: StepfareServer, folder: str) -> Sum | None:
    report = _report(ls, folder, "day")
    return None if report is None else _sum([report.whole])


def on_file(ls: StepfareServer, path: str) -> Sum | None:
    """What was spent on one file; None while nobody knows, and for nothing."""
    project = project_of(os.path.dirname(path))
    files = _files(ls, project)
    name = inside_of(path, project)
    found = next((one for one in files.files if one.file == name), None) if files is not None and name else None
    return None if found is None else Sum(found.steps, found.spent_pusd)


def on_globs(ls: StepfareServer, folder: str, globs: Globs) -> Sum | None:
    """What was spent on the files that the globs take in, which are relative to `folder`."""
    project = project_of(folder)
    files = _files(ls, project)
    if files is None:
        return None
    below = inside_of(folder, project)
    start = f"{below}/" if below else ""
    taken = [one for one in files.files if one.file.startswith(start) and globs.matching(one.file.removeprefix(start)) is not None]
    return Sum(sum(one.steps for one in taken), sum(one.spent_pusd for one in taken))


def ask_ahead(ls: StepfareServer, folder: str) -> None:
    """Somebody will want to know soon."""
    today(ls, folder)
    by_kind(ls, folder)
    by_tier(ls, folder)
    _files(ls, project_of(folder))


def _report(ls: StepfareServer, folder: str, *by: Grouping) -> Report | None:
    project = project_of(folder)
    question = ReportQuestion(by=by, since_ms=_since_ms(), project=project)
    return ls.ahead.known((project, by), lambda daemon: daemon.report(question))


def _files(ls: StepfareServer, project: str) -> Files | None:
    since_ms = _since_ms()
    return ls.ahead.known((project, "files"), lambda daemon: daemon.files(project, since_ms))


def _since_ms() -> int:
    now_ms = time.time_ns() // 1_000_000
    return now_ms - now_ms % DAY_MS - (DAYS - 1) * DAY_MS


def _sum(rows: list[ReportRow]) -> Sum:
    models: dict[str, int] = {}
    for row in rows:
        if len(row.names) > 1:
            models[row.names[1]] = models.get(row.names[1], 0) + row.totals.spent_pusd
    return Sum(
        sum(row.totals.steps for row in rows),
        sum(row.totals.spent_pusd for row in rows),
        sum(row.saved_on_balanced_pusd for row in rows),
        tuple(sorted(models, key=lambda model: -models[model])),
    )
