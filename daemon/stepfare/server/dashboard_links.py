"""Links that open the dashboard once, and the visits that they begin. Kept in memory: both end with the daemon.

A visit is a cookie and a place of its own under `/dashboard/`. Browsers send a cookie to every port of its host, so that another server of
this machine would be shown one for `/`; the cookie of a place that nobody else knows is sent there alone.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest

from aiohttp import web

from stepfare.control import protocol
from stepfare.server.inference import HOUSE
from stepfare.server.messages import message

LINK_MS = 60_000
VISIT_MS = 12 * 3_600_000
LINKS_MAX = 16
"""Links that nobody has used yet; the oldest go first."""
VISITS_MAX = 32
KEY_BYTES = 24
COOKIE = "stepfare-dashboard"


@dataclass(frozen=True, slots=True)
class Visit:
    """`place` is the part of the path that is this visit's own, `secret` what its cookie holds."""

    place: str
    secret: str
    until_ms: int

    @property
    def path(self) -> str:
        return f"/dashboard/{self.place}/"


class Links:
    """Changed on the event loop only. Times are those of the daemon's clock."""

    def __init__(self) -> None:
        self._until_ms: OrderedDict[str, int] = OrderedDict()
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def make(self, now_ms: int) -> str:
        """The key of a new link."""
        key = secrets.token_urlsafe(KEY_BYTES)
        self._until_ms[key] = now_ms + LINK_MS
        while len(self._until_ms) > LINKS_MAX:
            self._until_ms.popitem(last=False)
        return key

    def enter(self, key: str, now_ms: int) -> Visit | None:
        """Use a link up. None where there is no such link, or no more."""
        found = next((one for one in self._until_ms if compare_digest(one.encode(), key.encode("utf-8", "replace"))), None)
        if found is None or self._until_ms.pop(found) < now_ms:
            return None
        visit = Visit(secrets.token_urlsafe(KEY_BYTES), secrets.token_urlsafe(KEY_BYTES), now_ms + VISIT_MS)
        self._visits[visit.place] = visit
        while len(self._visits) > VISITS_MAX:
            self._visits.popitem(last=False)
        return visit

    def admits(self, place: str, cookies: Mapping[str, str], now_ms: int) -> bool:
        """Whether this is the cookie of that place, and its visit not over."""
        visit = self._visits.get(place)
        sent = cookies.get(COOKIE, "").encode("utf-8", "replace")
        return visit is not None and compare_digest(sent, visit.secret.encode()) and now_ms <= visit.until_ms


LINKS = web.AppKey("dashboard_links", Links)


async def link(request: web.Request) -> web.Response:
    """Make a link that opens the dashboard once. It leads to the address at which the daemon was asked."""
    key = request.app[LINKS].make(request.app[HOUSE].world.now_ms())
    return message(protocol.DashboardLink(url=f"http://{request.host}/?key={key}", lasts_ms=LINK_MS))
