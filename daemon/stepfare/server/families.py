"""What works on one task, summed up for status bars and editors, where a person takes it for one session. Who belongs together is
decided in `sessions.families`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepfare.control import protocol
from stepfare.runtime.startup import House
from stepfare.server import present
from stepfare.sessions.families import family_of
from stepfare.store.queries import SessionRow


async def families(house: House, rows: Sequence[SessionRow]) -> list[protocol.Family | None]:
    """The family of each of these sessions; None where it works alone."""
    state = house.state
    named = [family_of(row.opened.session, row.opened.parent, state.sessions, state.shown) for row in rows]
    found: dict[Sequence[str], protocol.Family] = {}
    for names in named:
        if len(names) > 1 and names not in found:
            totals = present.totals(await house.store.together(names))
            found[names] = protocol.Family(sessions=list(names), totals=totals, severity=severity(house, names))
    return [found.get(names) for names in named]


def severity(house: House, sessions: Iterable[str]) -> protocol.Severity:
    """How the budgets of these sessions stand; of those that memory has let go nothing is known."""
    known = [live for name in sessions if (live := house.state.sessions.get(name)) is not None]
    caps = [cap for live in known for cap in house.state.caps(live, house.state.workspaces.look(live.workspace))]
    return "error" if any(cap.left_pusd <= 0 for cap in caps) else "warning" if any(cap.warned for cap in caps) else "info"
