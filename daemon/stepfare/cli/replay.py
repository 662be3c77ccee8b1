"""`stepfare replay`: what another policy, profile or price list would have cost on recorded sessions. No call is made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepfare.cli.asking import USAGE, Trouble, ask, ask_or_read, command_of, here, now_ms, print_message
from stepfare.core.money import PUSD_PER_USD

if TYPE_CHECKING:
    from stepfare.cli.recordings import Pricing
    from stepfare.control.protocol import ReplayedStep, ReplayFigures
    from stepfare.core.model import Candidate
    from stepfare.core.step import StepKind, Tier
    from stepfare.replay.figures import Decided, Figures, Outcome, Parts
    from stepfare.replay.recording import Recording

POLICIES = ("planner", "gate", "touch", "frugal", "balanced", "premium", "optimum")
LEARNING = frozenset({"planner", "optimum"})
"""Policies that learn for how long to open caches."""
PINGING = "planner"
"""The policy that keeps caches alive between steps."""
PRICE_SETS = ("A", "C", "O", "catalogue")
UNCALLED = "http://127.0.0.1/v1"
"""Where the simulator would be; nothing is asked of it."""
USD_DIGITS = 9
SHARE_DIGITS = 6

dollars_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON: money in dollars, times in ms since 1970.")


@click.command()
@click.argument("source", required=False, metavar="[FOLDER|FILE|SESSION|last]")
@click.option("--policy", type=click.Choice(POLICIES), default="planner", show_default=True, help="Who decides; `planner` is the daemon's.")
@click.option("--profile", help="Which tier each kind of step needs.  [default: balanced for recordings, else the one of your settings]")
@click.option(
    "--floors",
    type=click.Choice(("edits", "profile")),
    help="Whether edits alone need more than frugal, or each kind what the profile says. "
    "[default: edits for recordings under `balanced`, so that figures can be compared; else profile]",
)
@click.option(
    "--lifetime",
    type=click.Choice(("5m", "1h", "free")),
    help="For how long caches are opened; `free`: as the policy sees fit.  [default: 5m for recordings, with free beside it; else free]",
)
@click.option(
    "--pings/--no-pings",
    default=True,
    show_default=True,
    help="Whether the planner keeps caches alive in pauses by tiny calls, paid from what the session has saved.",
)
@click.option("--sets", "set_names", help="Price sets, of A, C, O, catalogue.  [default: A,C,O for recordings, else catalogue]")
@click.option("--agent", help="Only sessions of this agent.")
@click.option("--by", type=click.Choice(("agent", "project")), default="agent", show_default=True, help="What the figures are grouped by.")
@click.option("--merge", is_flag=True, help="Join rows that are one call, logged as several because it called several tools.")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False), help="Another classifier than the one that ships.")
@click.option("--steps", "stepwise", is_flag=True, help="Of a single session, also each step.")
@click.option("--since", default="7d", show_default=True, help="Of your own sessions, those active since: 30m, 12h, 7d, a day, or all.")
@click.option("--jobs", type=click.IntRange(1), help="So many processes.  [default: one for each processor]")
@dollars_option
@command_of
def replay(
    source: str | None,
    policy: str,
    profile: str | None,
    floors: str | None,
    lifetime: str | None,
    pings: bool,
    set_names: str | None,
    agent: str | None,
    by: str,
    merge: bool,
    weights: str | None,
    stepwise: bool,
    since: str,
    jobs: int | None,
    as_json: bool,
) -> None:
    """What sessions would have cost under another policy, beside the baselines and the cheapest way that there was. No call is made.

    Replays your own sessions (one by its id, `last`, or all since a time), a recorded file, or a folder of recordings.
    """
    from stepfare.cli import recordings
    from stepfare.config.profiles import DEFAULT_PROFILE, LADDER
    from stepfare.control.protocol import Replay
    from stepfare.replay.compare import Plan
    from stepfare.replay.figures import figures_of
    from stepfare.runtime.play import read_settings

    path = Path(source) if source is not None and Path(source).exists() else None
    if source is not None and path is None and ("/" in source or source.endswith(recordings.SUFFIXES)):
        raise Trouble("no-file", f"There is no file or folder {source}.")
    profile = profile or (DEFAULT_PROFILE if path is not None else read_settings(here()).value.profile)
    both = lifetime is None and path is not None and policy in LEARNING
    lifetime = lifetime or ("5m" if path is not None else "free")
    edits_only = floors == "edits" if floors else path is not None and profile == DEFAULT_PROFILE
    plan = Plan(policy, _profile(profile), edits_only, lifetime, lifts=profile == LADDER, stepwise=stepwise, pings=pings)
    names = [name.strip() for name in (set_names or ("A,C,O" if path else "catalogue")).split(",")]
    with recordings.Workers(jobs) as workers:
        if path is not None:
            read = Path(weights).read_bytes() if weights else None
            lines = recordings.read(path, workers, merge=merge, weights=read, agent=agent)
            found, troubles = lines.recordings, lines.troubles
        else:
            found, troubles = [one for one in booked_sessions(source, since) if agent in (None, one.agent)], []
        # Of one's own sessions the short ones count too.
        usable = [one for one in found if (one.usable() if path is not None else one.usable(1))]
        if not usable:
            raise Trouble("nothing-to-replay", troubles[0] if troubles and not found else _nothing(source, path, agent, found))
        if stepwise and len(usable) > 1:
            raise Trouble("usage", f"--steps is for one session, and there are {len(usable)}.", USAGE)
        if troubles:
            more = f" So do {len(troubles) - 1} more." if len(troubles) > 1 else ""
            click.echo(f"{troubles[0]}{more} The rest is replayed.", err=True)
        pricings = [_pricing(name) for name in names]
        outcomes = recordings.replayed(usable, pricings, plan, workers)
        free = recordings.replayed(usable, pricings, replace(plan, lifetime="free"), workers) if both else {}
        unkept = recordings.replayed(usable, pricings, replace(plan, pings=False), workers) if both and pings and policy == PINGING else {}
    message = Replay(
        policy=policy,
        profile=profile,
        floors="edits" if edits_only else "profile",
        lifetime=lifetime,
        merged=merge,
        left_out=len(found) - len(usable),
        unreadable=len(troubles),
        sets={name: _grouped(of_set, by) for name, of_set in outcomes.items()},
        totals={name: told(figures_of(of_set)) for name, of_set in outcomes.items()},
        lifetimes_free={name: _grouped(of_set, by) for name, of_set in free.items()},
        without_pings={name: _grouped(of_set, by) for name, of_set in unkept.items()},
        steps={name: [_step(one) for one in of_set[0].decided] for name, of_set in outcomes.items()} if stepwise else {},
    )
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import paint
    from stepfare.cli.render import replay as rendering

    paint.show(rendering.replay(message))


def _profile(name: str) -> Mapping[StepKind, Tier]:
    """The tiers of a profile, one of the user's own included."""
    from stepfare.config.profiles import PROFILES, profile_named
    from stepfare.runtime.play import read_settings

    own = read_settings(here()).value.user_profiles()
    table = profile_named(name, own)
    if table is None:
        raise Trouble("usage", f"There is no profile {name!r}. There are {', '.join([*PROFILES, *own])}.", USAGE)
    return dict(table)


def _pricing(name: str) -> Pricing:
    from stepfare.cli.recordings import Pricing
    from stepfare.replay.price_sets import CATALOGUE, SETS, rungs_of

    if name in SETS:
        return Pricing(name)
    if name != CATALOGUE:
        raise Trouble("usage", f"There is no price set {name!r}. There are {', '.join([*SETS, CATALOGUE])}.", USAGE)
    candidates = candidates_in_play()
    if not rungs_of(candidates):
        raise Trouble("no-prices", "No model in play has a price, so nothing can be said of money. `stepfare models` lists them.")
    return Pricing(name, candidates)


def candidates_in_play() -> tuple[Candidate, ...]:
    """The models that this user's daemon chooses from, with the prices of now; without a daemon, those that it would choose from here."""
    from stepfare.providers import catalog as catalogs
    from stepfare.runtime.play import play_of, read_settings
    from stepfare.runtime.renewing import prices_at_hand

    paths, now = here(), now_ms()
    prices, _ = prices_at_hand(paths)
    play = play_of(read_settings(paths), os.environ, UNCALLED, prices=prices)
    try:
        rows = ask(paths, lambda daemon: daemon.prices()).models
    except Trouble:
        rows = []
    # The daemon may have keys that this shell has not.
    known = [play.catalog.models[row.id] for row in rows if row.state == "in-play" and row.id in play.catalog.models]
    return tuple(catalogs.candidate(play.catalog, model, now) for model in known) or catalogs.candidates(play.catalog, play.keys, now)


def booked_sessions(session_id: str | None, since: str) -> list[Recording]:
    """The user's own: one session, or all that were active since. Raises Trouble."""
    from stepfare.cli import booked
    from stepfare.cli.spend import since_ms

    after_ms = since_ms(since, now_ms())
    return ask_or_read(here(), lambda source: booked.recordings(source, session_id, after_ms))


def _nothing(source: str | None, path: Path | None, agent: str | None, found: Sequence[Recording]) -> str:
    if found:
        least_more = ", and of at least five," if path is not None else ""
        return f"None of the sessions ({len(found)}) is known well enough: of four steps in five{least_more} the usage must be known."
    of_agent = f" of {agent}" if agent else ""
    if path is not None or source is not None:
        return f"There is no session{of_agent} in {source}."
    return f"No session{of_agent} in this time. All of them: `stepfare replay --since all`."


def _grouped(outcomes: Sequence[Outcome], by: str) -> dict[str, ReplayFigures]:
    from stepfare.replay.figures import figures_of

    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.project if by == "project" else outcome.agent, []).append(outcome)
    return {name: told(figures_of(groups[name])) for name in sorted(groups)}


def told(figures: Figures) -> ReplayFigures:
    """The figures as the message tells them: dollars and shares, rounded."""
    from stepfare.control.protocol import ReplayFigures

    return ReplayFigures(
        sessions=figures.sessions,
        steps=figures.steps,
        always_balanced_usd=usd(figures.balanced_pusd),
        always_premium_usd=usd(figures.premium_pusd),
        always_frugal_usd=usd(figures.frugal_pusd),
        policy_usd=usd(figures.policy.pusd),
        optimum_usd=usd(figures.optimum.pusd),
        switch_writes_usd=usd(figures.switch_pusd),
        share_of_balanced=_share(figures.policy.pusd, figures.balanced_pusd),
        optimum_share=_share(figures.optimum.pusd, figures.balanced_pusd),
        worst_session=None if figures.worst_share is None else round(figures.worst_share, SHARE_DIGITS),
        worst_session_id=figures.worst_session,
        sessions_above_102=figures.sessions_above,
        excess_share=_share(figures.excess_pusd, figures.policy.pusd) or 0.0,
        edits_below_floor=figures.edits_below_floor,
        escalations=figures.escalations,
        pings=figures.pings,
        booked_usd=None if figures.booked_pusd is None else usd(figures.booked_pusd),
        policy_parts_usd=_parts(figures.policy),
        optimum_parts_usd=_parts(figures.optimum),
    )


def _step(one: Decided) -> ReplayedStep:
    from stepfare.control.protocol import ReplayedStep
    from stepfare.server.present import tier_name

    step = one.step
    return ReplayedStep(
        at_ms=step.at_ms,
        kind=step.kind.value,
        needs=tier_name(one.needed),
        probes=list(one.probes),
        model=one.model,
        tier=tier_name(one.tier),
        usd=usd(one.pusd),
        booked_tier=None if step.tier is None else tier_name(step.tier),
        booked_usd=None if step.booked_pusd is None else usd(step.booked_pusd),
    )


def usd(pusd: int) -> float:
    """Dollars, for a message that people compute with."""
    return round(pusd / PUSD_PER_USD, USD_DIGITS)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, SHARE_DIGITS) if whole else None


def _parts(parts: Parts) -> dict[str, float]:
    return {field.name.removesuffix("_pusd"): usd(getattr(parts, field.name)) for field in fields(parts)}
