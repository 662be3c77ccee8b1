"""The feed: every listener hears every event in order, and a slow one loses the oldest without slowing anybody."""

from __future__ import annotations

import asyncio

import pytest

from stepfare.control.protocol import Event
from stepfare.runtime import hub as hub_module
from stepfare.runtime.hub import LISTENERS_MAX, QUEUE_MAX, REPLAY_MAX, Hub, Listener, TooManyListeners


def event(words: str = "") -> Event:
    return Event(seq=0, kind="settled", at_ms=1, session="s1", words=words)


def filled(count: int) -> Hub:
    hub = Hub()
    for number in range(count):
        hub.publish(event(str(number)))
    return hub


async def heard(listener: Listener, count: int) -> list[int]:
    seqs: list[int] = []
    for _ in range(count):
        async with asyncio.timeout(5):
            one = await listener()
        assert one is not None
        seqs.append(one.seq)
    return seqs


async def test_events_are_numbered_from_one() -> None:
    hub = filled(3)
    assert hub.seq == 3
    with hub.listen(0) as listener:
        assert await heard(listener, 3) == [1, 2, 3]


async def test_a_listener_hears_what_it_missed_and_then_what_comes() -> None:
    hub = filled(5)
    with hub.listen(3) as listener:
        hub.publish(event())
        assert await heard(listener, 3) == [4, 5, 6]


async def test_a_listener_that_waits_is_woken() -> None:
    hub = Hub()
    with hub.listen(0) as listener:
        waiting = asyncio.create_task(heard(listener, 1))
        await asyncio.sleep(0)
        hub.publish(event())
        assert await waiting == [1]


async def test_all_hear_the_same() -> None:
    hub = Hub()
    with hub.listen(0) as one, hub.listen(0) as other:
        for _ in range(3):
            hub.publish(event())
        assert await heard(one, 3) == await heard(other, 3) == [1, 2, 3]


async def test_a_slow_listener_loses_the_oldest() -> None:
    hub = Hub()
    with hub.listen(0) as slow:
        for _ in range(QUEUE_MAX + 10):
            hub.publish(event())
        assert await heard(slow, QUEUE_MAX) == list(range(11, QUEUE_MAX + 11))


async def test_only_so_many_events_are_kept_for_who_comes_later() -> None:
    hub = filled(REPLAY_MAX + 10)
    with hub.listen(0) as listener:
        assert await heard(listener, REPLAY_MAX) == list(range(11, REPLAY_MAX + 11))


async def test_only_so_many_may_listen_and_a_place_becomes_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LISTENERS_MAX >= 8
    monkeypatch.setattr(hub_module, "LISTENERS_MAX", 1)
    hub = Hub()
    with hub.listen(0), pytest.raises(TooManyListeners), hub.listen(0):
        pass
    with hub.listen(0):
        pass


async def test_at_the_end_every_feed_ends_after_what_was_said() -> None:
    hub = filled(1)
    with hub.listen(0) as listener:
        hub.close()
        assert await heard(listener, 1) == [1]
        assert await listener() is None
    with hub.listen(1) as late:
        assert await late() is None


async def test_a_full_listener_hears_the_end_too() -> None:
    hub = Hub()
    with hub.listen(0) as listener:
        for _ in range(QUEUE_MAX):
            hub.publish(event())
        hub.close()
        assert await heard(listener, QUEUE_MAX - 1) == list(range(2, QUEUE_MAX + 1))
        assert await listener() is None


async def test_a_latecomer_to_a_full_and_ended_feed_hears_its_end() -> None:
    hub = filled(REPLAY_MAX)
    hub.close()
    with hub.listen(0) as listener:
        last = None
        for _ in range(QUEUE_MAX + 1):
            async with asyncio.timeout(5):
                last = await listener()
            if last is None:
                break
        assert last is None
