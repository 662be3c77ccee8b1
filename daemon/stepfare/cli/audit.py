"""`stepfare audit`: whether routing helped on the user's own sessions, or whether there is no evidence. No call is made."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import click

from stepfare.cli.asking import Trouble, command_of, print_message
from stepfare.cli.replay import booked_sessions, candidates_in_play, dollars_option, usd

if TYPE_CHECKING:
    from stepfare.control.protocol import Audit, Share
    from stepfare.replay import audit as audits
    from stepfare.replay.price_sets import Ladder

SEED = 4884
SHARE_DIGITS = 6


@click.command()
@click.option("--since", default="30d", show_default=True, help="Sessions active since: 12h, 7d, 4w, a day like 2026-09-21, or all.")
@click.option("--agent", help="Only sessions of this agent.")
@click.option("--seed", default=SEED, show_default=True, help="Draws and deals are the same for the same seed.")
@dollars_option
@command_of
def audit(since: str, agent: str | None, seed: int, as_json: bool) -> None:
    """Whether routing helped: what your sessions cost against the balanced model alone, and against the same models dealt to the same
    steps at random. Says so only where the sessions are many and clear enough; else that there is no evidence. No call is made."""
    from stepfare.replay import audit as audits

    found = [one for one in booked_sessions(None, since) if agent in (None, one.agent)]
    known = [one for one in found if one.usable(1) and all(step.tier is not None for step in one.steps)]
    if not known:
        raise Trouble("nothing-to-audit", _nothing(since, len(found)))
    chance = random.Random(seed)
    ladder = _ladder()
    sessions = [audits.served(one, ladder, chance.randrange) for one in known]
    message = _message(audits.audited(sessions, chance.randrange), seed, left_out=len(found) - len(known))
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import audit as rendering
    from stepfare.cli.render import paint

    paint.show(rendering.audit(message))


def _ladder() -> Ladder:
    from stepfare.core.step import Tier
    from stepfare.replay.price_sets import baselines_of, rungs_of

    ladder = baselines_of(rungs_of(candidates_in_play()))
    if not {Tier.FRUGAL, Tier.BALANCED} <= set(ladder):
        raise Trouble("no-prices", "There is no priced frugal and balanced model in play to compare with. `stepfare models` lists them.")
    return ladder


def _nothing(since: str, found: int) -> str:
    if found:
        return f"Of {found} sessions since {since} none is known well enough: the usage of four steps in five must have been reported."
    return f"No sessions since {since}. All of them: `stepfare audit --since all`."


def _message(found: audits.Audit, seed: int, left_out: int) -> Audit:
    from stepfare.control.protocol import Audit, AuditedSession

    booked = [one.booked_pusd for one in found.sessions if one.booked_pusd is not None]
    return Audit(
        verdict=found.verdict.value,
        because=found.because,
        steps=sum(len(one.recording.steps) for one in found.sessions),
        booked_usd=usd(sum(booked)) if len(booked) == len(found.sessions) else None,
        routed_usd=usd(sum(one.routed_pusd for one in found.sessions)),
        always_balanced_usd=usd(sum(one.balanced_pusd for one in found.sessions)),
        always_premium_usd=usd(sum(one.premium_pusd for one in found.sessions)),
        shuffled_usd=usd(sum(one.dealt_pusd for one in found.sessions)),
        saved=_share(found.saved),
        saved_of_premium=_share(found.saved_of_premium),
        beside_chance=_share(found.beside_chance),
        seed=seed,
        left_out=left_out,
        sessions=[
            AuditedSession(
                id=one.recording.id,
                agent=one.recording.agent,
                steps=len(one.recording.steps),
                booked_usd=None if one.booked_pusd is None else usd(one.booked_pusd),
                routed_usd=usd(one.routed_pusd),
                always_balanced_usd=usd(one.balanced_pusd),
                always_premium_usd=usd(one.premium_pusd),
                shuffled_usd=usd(one.dealt_pusd),
            )
            for one in found.sessions
        ],
    )


def _share(interval: audits.Interval) -> Share:
    from stepfare.control.protocol import Share

    return Share(share=round(interval.share, SHARE_DIGITS), low=round(interval.low, SHARE_DIGITS), high=round(interval.high, SHARE_DIGITS))
