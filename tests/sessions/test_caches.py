"""What models are believed to hold after an attempt: its lifetime, an attempt that was escalated away, a history that was summed up."""

from __future__ import annotations

from dataclasses import replace

from stepfare.core.entry import KEPT_WARM, Reserved, Settled
from stepfare.core.model import CacheRule
from stepfare.core.money import Usage
from stepfare.core.session import HOUR_MS, Session, Warmth
from stepfare.sessions.caches import warmed
from stepfare.sessions.index import SessionIndex

RULE = CacheRule(min_tokens=1024, lifetime_ms=300_000, marked=True, hour=True)


def reserved(model: str = "lab/small", attempt: str = "a1", **fields: object) -> Reserved:
    known = Reserved(attempt, "d1", "s1", 1, 1_000, model, "frugal", "explore", "frugal", "settings", 5, "cline")
    return replace(known, **fields)


def settled(usage: Usage, attempt: str = "a1", at_ms: int = 2_000, **fields: object) -> Settled:
    known = Settled(attempt, "s1", at_ms, "ok", "explore", usage, 1, "usage-priced", None, "v1", committed=True)
    return replace(known, **fields)


def after(session: Session, usage: Usage, at_ms: int = 2_000) -> Warmth:
    return warmed(session, reserved(at_ms=at_ms - 1_000), settled(usage, at_ms=at_ms), RULE)["lab/small"]


def test_a_cache_that_was_written_for_an_hour_lives_an_hour_from_each_call_that_uses_it() -> None:
    written = after(Session("s1"), Usage(5_000, 0, 5_000, 10, cache_write_1h_tokens=5_000))
    assert (written.until_ms, written.hour) == (1_000 + HOUR_MS, True)
    read = after(Session("s1", warm={"lab/small": written}), Usage(5_100, 5_000, 100, 10), at_ms=1_000_000)
    assert (read.until_ms, read.hour) == (999_000 + HOUR_MS, True)


def test_a_cache_that_has_died_is_written_anew_with_the_usual_lifetime() -> None:
    dead = Warmth("lab/small", 5_000, 2_000, lifetime_ms=HOUR_MS)
    assert after(Session("s1", warm={"lab/small": dead}), Usage(5_100, 0, 5_100, 10)).lifetime_ms == RULE.lifetime_ms


def index_after(*entries: Reserved | Settled) -> Session:
    index = SessionIndex(lambda _: RULE)
    for entry in entries:
        index.apply(entry)
    session = index.get("s1")
    assert session is not None
    return session


def test_an_attempt_that_was_escalated_away_warmed_its_model_and_was_no_step() -> None:
    session = index_after(
        reserved(),
        settled(Usage(5_000, 0, 5_000, 80), outcome="escalated", committed=False),
        reserved("lab/middle", "a2"),
        settled(Usage(5_000, 0, 5_000, 300), "a2", 3_000, kind="edit"),
    )
    assert {model: warmth.tokens for model, warmth in session.warm.items()} == {"lab/small": 5_000, "lab/middle": 5_000}
    assert (session.last_model, session.habits.steps, session.habits.new_tokens) == ("lab/middle", 1, 5_000)


def test_of_an_escalated_attempt_a_guess_is_believed_too() -> None:
    guess = settled(Usage(5_000, 0, 5_000, 80), outcome="escalated", committed=False, source="estimated")
    assert index_after(reserved(), guess).warm["lab/small"].tokens == 5_000


def test_a_failed_attempt_warms_nothing() -> None:
    assert index_after(reserved(), settled(Usage(5_000, 0, 5_000, 80), outcome="cut", committed=False)).warm == {}


def test_when_the_history_is_summed_up_other_caches_hold_the_shortest_prompt() -> None:
    session = index_after(
        reserved(),
        settled(Usage(2_000, 0, 2_000, 80)),
        reserved("lab/middle", "a2"),
        settled(Usage(9_000, 0, 9_000, 300), "a2", 3_000),
        reserved("lab/small", "a3"),
        settled(Usage(9_000, 2_000, 7_000, 300), "a3", 4_000),
        reserved("lab/middle", "a4"),
        settled(Usage(4_000, 2_000, 2_000, 300), "a4", 5_000),
    )
    assert {model: warmth.tokens for model, warmth in session.warm.items()} == {"lab/small": 2_000, "lab/middle": 4_000}


SERVED = (reserved(), settled(Usage(5_000, 0, 5_000, 80), always_balanced_pusd=90))
PING = reserved(attempt="a2", at_ms=290_000, kind="side", side=KEPT_WARM)


def pinged(usage: Usage, **fields: object) -> Session:
    return index_after(*SERVED, PING, settled(usage, "a2", 291_000, outcome=KEPT_WARM, kind="side", committed=False, **fields))


def test_a_ping_prolongs_a_cache_and_is_no_sign_of_life() -> None:
    before, after = index_after(*SERVED), pinged(Usage(5_000, 5_000, 0, 1), always_balanced_pusd=0)
    assert after.warm["lab/small"] == Warmth("lab/small", 5_000, 590_000)
    assert (after.last_ms, after.steps, after.habits, after.last_model) == (before.last_ms, before.steps, before.habits, before.last_model)
    assert (after.spent_pusd, after.balanced_pusd, after.saved_pusd) == (2, 90, 88)


def test_a_ping_that_found_little_says_so() -> None:
    assert pinged(Usage(5_000, 1_000, 4_000, 1)).warm["lab/small"].tokens_at(300_000) == 1_000


def test_a_ping_of_unknown_usage_proves_nothing() -> None:
    assert pinged(Usage(5_000, 5_000, 0, 1), source="estimated").warm["lab/small"].until_ms == 301_000


def test_a_ping_does_not_make_its_session_the_newest() -> None:
    index = SessionIndex(lambda _: RULE)
    other = reserved(attempt="b1", session="s2", at_ms=5_000)
    for entry in (*SERVED, other, PING, settled(Usage(5_000, 5_000, 0, 1), "a2", 291_000, outcome=KEPT_WARM)):
        index.apply(entry)
    assert [one.id for one in index.newest_first()] == ["s2", "s1"]
