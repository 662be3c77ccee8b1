"""`POST decide`: the question of a dry run, read and bounded. What it comes to is the business of `runtime.rehearsal`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from stepfare.control import protocol
from stepfare.core.decision import Decision
from stepfare.core.request import RequestView
from stepfare.dialects import splice
from stepfare.dialects.base import BadRequest
from stepfare.dialects.table import DIALECTS, Dialect
from stepfare.runtime.rehearsal import rehearse
from stepfare.runtime.startup import House
from stepfare.server.guard import without_secrets

EARLIER_MAX = 1_000
"""Bodies of earlier steps that one question may hold: of a longer session the latest tell enough."""
EARLIER_BYTES_MAX = 48 * 1024 * 1024
"""All of them together."""


async def dry_run(data: bytes, house: House) -> Decision:
    """What would be decided on the request that this message holds. Raises BadRequest and ValidationError."""
    parts = splice.scan(data)
    # Bodies stay as they were written: their length tells how long the prompt is.
    body, raws = parts.raw("body"), parts.raw("earlier")
    asked = protocol.Decide.model_validate(parts.decoded("body", "earlier") | ({} if body is None else {"body": {}}))
    dialect, headers = DIALECTS[asked.dialect], without_secrets(asked.headers)
    view = _read(body or b"", "body", dialect, headers)
    views: list[RequestView] = []
    for place, raw in enumerate(_earlier(raws) if raws is not None else ()):
        views.append(_read(raw, f"earlier[{place}]", dialect, headers))
        await asyncio.sleep(0)  # Whoever waits for a real answer comes in between.
    return await rehearse(view, views, house.state, house.world.now_ms(), asked.workspace or "")


def _earlier(raws: bytes) -> Sequence[bytes]:
    if len(raws) > EARLIER_BYTES_MAX:
        raise BadRequest(f"earlier holds {len(raws):,} bytes and may hold {EARLIER_BYTES_MAX:,}: send the latest bodies only")
    if not raws.startswith(b"["):
        raise BadRequest("earlier is not a list of bodies")
    earlier = splice.items(raws)
    if len(earlier) > EARLIER_MAX:
        raise BadRequest(f"earlier holds {len(earlier):,} bodies and may hold {EARLIER_MAX:,}: send the latest only")
    return earlier


def _read(raw: bytes, which: str, dialect: Dialect, headers: Mapping[str, str]) -> RequestView:
    try:
        return dialect.read_request(raw, headers)
    except BadRequest as error:
        raise BadRequest(f"{which} cannot be read as a request of {dialect.name}: {error}") from error
