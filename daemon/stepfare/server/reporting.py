"""The report of the control API: what was spent, by what was asked for. The sums are the store's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from stepfare.control import protocol
from stepfare.dialects.base import BadRequest
from stepfare.ledger.calendar import DAY_MS
from stepfare.ledger.groups import BY_MAX, Group
from stepfare.runtime.startup import House
from stepfare.server import present
from stepfare.store.slices import Of

FILES_SHOWN_MAX = 2_000
_GROUPS: Mapping[str, Group] = {name: name for name in get_args(Group)}


async def report(house: House, query: Mapping[str, str]) -> protocol.Report:
    """`by` names groups, one within the other, with commas between; `since_ms`, `until_ms`, `session`, `workspace` and `project` say
    what of. Raises BadRequest."""
    question = protocol.ReportQuestion(
        by=groups_of(query.get("by", "day")),
        since_ms=_time(query, "since_ms") or 0,
        until_ms=_time(query, "until_ms"),
        session=query.get("session"),
        workspace=query.get("workspace"),
        project=query.get("project"),
    )
    of = Of(question.session, question.workspace, question.project)
    found = await house.store.report(question.by, question.since_ms, question.until_ms, of, house.world.offset_at)
    return present.report(found, question)


async def files(house: House, query: Mapping[str, str]) -> protocol.Files:
    """What was spent on the files of `project` since `since_ms`, days counted whole. Raises BadRequest."""
    project, since_ms = query.get("project", ""), _time(query, "since_ms") or 0
    found = await house.store.files(project, since_ms, FILES_SHOWN_MAX)
    return protocol.Files(
        project=project,
        since_ms=since_ms - since_ms % DAY_MS,
        files=[protocol.FileSpend(file=one.file, steps=one.steps, spent_pusd=one.spent_pusd) for one in found],
    )


def groups_of(text: str) -> tuple[Group, ...]:
    """The groups that a text names, as `day,model`. Raises BadRequest."""
    names = [name.strip() for name in text.split(",")]
    unknown = next((name for name in names if name not in _GROUPS), None)
    if unknown is not None:
        raise BadRequest(f"there is no report by {unknown[:40]!r}; there are: {', '.join(_GROUPS)}")
    if len(set(names)) < len(names) or len(names) > BY_MAX:
        raise BadRequest(f"a report is by {BY_MAX} different things at most, not by {text[:80]!r}")
    return tuple(_GROUPS[name] for name in names)


def _time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if text and not text.isdigit():
        raise BadRequest(f"{name} must be a number, not {text[:40]!r}")
    return int(text) if text else None
