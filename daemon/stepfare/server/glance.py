"""The control API's shortest answer: what a status bar shows of one session. It is asked every few seconds, so it counts nothing anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from stepfare.control import protocol
from stepfare.core.step import Tier
from stepfare.runtime.startup import House
from stepfare.server import present
from stepfare.server.families import families, severity
from stepfare.server.present import tier_name
from stepfare.store.queries import SessionRow

LOOKED_THROUGH_MAX = 20
"""So many of the newest sessions are looked through for one of a folder."""


async def glance(house: House, query: Mapping[str, str]) -> protocol.Glance:
    """Of the session with that id (`session`; nothing else will do), or of the newest one at work around `folder`, else of the newest."""
    today = await house.store.totals(house.world.day_start_ms())
    message = protocol.Glance(
        mode="simulator" if house.state.play.simulated else "live",
        today_pusd=today.spent_pusd,
        today_unbilled=present.totals(today).unbilled,
    )
    row = await _meant(house, query)
    if row is None:
        return message
    name = row.opened.session
    (family,) = await families(house, [row])
    totals = family.totals if family else present.totals(row.totals)
    last = await house.store.last_reserved(name)
    return message.model_copy(
        update={
            "session": name,
            "spent_pusd": None if totals.steps and totals.unpriced_steps == totals.steps and not totals.spent_pusd else totals.spent_pusd,
            "unbilled": totals.unbilled,
            "saved_pusd": totals.always_premium_pusd - totals.spent_pusd,
            "tier": tier_name(Tier.of(last.tier)) if last else None,
            "severity": family.severity if family else severity(house, [name]),
        }
    )


async def _meant(house: House, query: Mapping[str, str]) -> SessionRow | None:
    if session := query.get("session"):
        return await house.store.session(session)
    rows = await house.store.sessions(LOOKED_THROUGH_MAX)
    folder = PurePath(query.get("folder", "/"))
    around = {str(path) for path in (folder, *folder.parents)}
    return next((row for row in rows if row.opened.workspace in around), rows[0] if rows else None)
