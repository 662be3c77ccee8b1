"""Pins: one tier at least for all that comes of a session."""

from __future__ import annotations

from typing import get_args

from pygls.exceptions import JsonRpcInvalidParams

from stepfare.control.client import Daemon
from stepfare.control.protocol import Session, TierName
from stepfare_lsp import present
from stepfare_lsp.base import StepfareServer
from stepfare_lsp.features.arguments import Arguments
from stepfare_lsp.features.asking import Result, asked_of_daemon, session_meant, shown

TIERS: dict[str, TierName] = {tier: tier for tier in get_args(TierName)}


async def pin_session(ls: StepfareServer, asked: Arguments) -> Result:
    """Pin a session to `tier`; the person is asked where none is named. Returns the session as it is then. Raises JsonRpcInvalidParams."""
    if asked.tier is not None and asked.tier not in TIERS:
        raise JsonRpcInvalidParams(message=f"stepfare.pinSession: `tier` is one of {', '.join(TIERS)}.")
    if asked.tier is None and not ls.can_ask:
        raise JsonRpcInvalidParams(message='stepfare.pinSession needs a tier: {"tier": "premium"}.')
    session = await asked_of_daemon(ls, lambda daemon: session_meant(ls, daemon, asked))
    if session is None:
        return None
    tier = asked.tier or await ls.choose(present.pin_question(session), list(TIERS))
    if tier is None:
        return None
    pinned = await asked_of_daemon(ls, lambda daemon: _pinned(daemon, session, TIERS[tier]))
    return None if pinned is None else shown(ls, pinned, present.pinned_line(pinned))


async def unpin_session(ls: StepfareServer, asked: Arguments) -> Result:
    """Take a session's pin away; its steps get the tiers that project and profile say again. Returns the session as it is then."""
    session = await asked_of_daemon(ls, lambda daemon: session_meant(ls, daemon, asked))
    if session is None:
        return None
    freed = await asked_of_daemon(ls, lambda daemon: _unpinned(daemon, session))
    return None if freed is None else shown(ls, freed, present.pinned_line(freed))


async def _pinned(daemon: Daemon, session: Session, tier: TierName) -> Session:
    said = await daemon.pin(session.id, tier)
    return session.model_copy(update={"id": said.session, "pin": tier})


async def _unpinned(daemon: Daemon, session: Session) -> Session:
    said = await daemon.unpin(session.id)
    return session.model_copy(update={"id": said.session, "pin": None})
