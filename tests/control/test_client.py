"""The client finds the daemon, asks it, and has one word for nobody there and one for a no."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from stepfare.control import protocol
from stepfare.control.client import Absent, Daemon, Refused, Unreachable, find_daemon, look_for_daemon, running_daemon
from stepfare.paths import Paths, paths_from, write_private
from tests.control.fake_daemon import CONTROL_TOKEN, FakeDaemon

OVERVIEW = protocol.Overview(
    version="0.1.0",
    seq=7,
    started_ms=1,
    mode="simulator",
    today=protocol.Totals(steps=2, spent_pusd=3),
    sessions=[],
    providers=[],
    problems=[],
)
WORKSPACE = protocol.Workspace(id="w1", root="/home/ann/my project")
DECISION = protocol.Decision(
    id="d1",
    session="s1",
    kind="edit",
    floor=protocol.Floor(tier="balanced", source="profile", words="profile balanced asks balanced for edit"),
    candidates=[],
    rejections=[],
    chosen=None,
    because=[],
)


@pytest.fixture
def paths(stepfare_home: Path) -> Paths:
    return paths_from({"STEPFARE_HOME": str(stepfare_home)})


@pytest.fixture
def fake(paths: Paths) -> Iterator[FakeDaemon]:
    with FakeDaemon(paths) as daemon:
        yield daemon


def absent(paths: Paths) -> str:
    found = look_for_daemon(paths)
    assert isinstance(found, Absent), found
    assert find_daemon(paths) is None
    assert found.words
    return found.reason


def test_no_file_is_no_daemon(paths: Paths) -> None:
    assert absent(paths) == "no-file"


def test_a_file_of_a_dead_process_is_no_daemon(paths: Paths, fake: FakeDaemon) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    fake.write_file(pid=ended.pid)
    assert absent(paths) == "dead"


def test_a_file_that_others_may_write_is_not_trusted(paths: Paths, fake: FakeDaemon) -> None:
    assert find_daemon(paths) == fake.file()
    paths.daemon_json.chmod(0o620)
    assert absent(paths) == "not-private"


@pytest.mark.parametrize("content", [b"", b"{", b'{"protocol": 1}', b"[]", b"\xff\xfe", b'{"protocol": "one"}'])
def test_a_file_of_something_else_is_no_daemon(paths: Paths, content: bytes) -> None:
    write_private(paths.daemon_json, content)
    assert absent(paths) == "unreadable"


async def test_a_daemon_of_another_protocol_is_named_and_not_asked(paths: Paths, fake: FakeDaemon) -> None:
    fake.write_file(protocol=protocol.PROTOCOL + 1, version="9.0.0")
    found = look_for_daemon(paths)
    assert isinstance(found, Absent)
    assert found.reason == "other-protocol"
    assert "9.0.0" in found.words
    with pytest.raises(Unreachable) as caught:
        async with running_daemon(paths):
            pass
    assert caught.value.running
    with pytest.raises(Unreachable):
        async with Daemon(fake.file(protocol=99)):
            pass
    assert fake.asked == []


def test_a_later_protocol_is_recognised_even_if_its_file_has_changed(paths: Paths) -> None:
    write_private(paths.daemon_json, b'{"protocol": 2, "socket": "/run/x"}')
    assert absent(paths) == "other-protocol"


async def test_each_question_has_its_address_and_its_answer(paths: Paths, fake: FakeDaemon) -> None:
    session = protocol.Session(id="s/1", started_ms=1, last_ms=2, totals=protocol.Totals())
    detail = protocol.SessionDetail(session=session, steps=[])
    prices = protocol.Prices(catalogue="2026-09-01", models=[])
    problem = protocol.Problem(source=".stepfare.toml", line=3, words="no such tier")
    fake.answer("overview", OVERVIEW)
    fake.answer("sessions", protocol.Sessions(sessions=[session]))
    fake.answer("sessions?workspace=%2Fhome%2Fann%2Fmy+project&since_ms=5&limit=2", protocol.Sessions(sessions=[]))
    fake.answer("sessions/s%2F1", detail)
    fake.answer("decisions/last", DECISION)
    fake.answer("decisions/d1", DECISION)
    fake.answer("prices", prices)
    fake.answer("prices?all=1", prices.model_copy(update={"catalogue": "all"}))
    fake.answer("workspaces/%2Fhome%2Fann%2Fmy%20project", WORKSPACE)
    fake.answer("workspaces/w1", WORKSPACE, method="PUT")
    fake.answer("decide", DECISION, method="POST")
    fake.answer("reload", protocol.Reloaded(problems=[problem]), method="POST")
    question = protocol.Decide(body={"model": "auto", "messages": []})
    async with running_daemon(paths) as daemon:
        assert await daemon.overview() == OVERVIEW
        assert (await daemon.sessions()).sessions == [session]
        assert (await daemon.sessions(workspace="/home/ann/my project", since_ms=5, limit=2)).sessions == []
        assert await daemon.session("s/1") == detail
        assert await daemon.decision() == DECISION
        assert await daemon.decision("d1") == DECISION
        assert (await daemon.prices()).catalogue == "2026-09-01"
        assert (await daemon.prices(all_models=True)).catalogue == "all"
        assert await daemon.workspace("/home/ann/my project") == WORKSPACE
        assert await daemon.put_workspace(WORKSPACE) == WORKSPACE
        assert await daemon.decide(question) == DECISION
        assert (await daemon.reload()).problems == [problem]
    assert {asked.authorization for asked in fake.asked} == {f"Bearer {CONTROL_TOKEN}"}
    put, decide, reload = fake.asked[-3:]
    assert protocol.Workspace.model_validate_json(put.body) == WORKSPACE
    assert protocol.Decide.model_validate_json(decide.body) == question
    assert reload.body == b"{}"


async def test_fields_of_a_newer_daemon_are_left_out(paths: Paths, fake: FakeDaemon) -> None:
    fake.answer("overview", OVERVIEW.model_dump_json().replace('"seq":7', '"seq":7,"mood":"good"').encode())
    async with running_daemon(paths) as daemon:
        assert await daemon.overview() == OVERVIEW


async def test_a_no_carries_the_daemons_words(paths: Paths, fake: FakeDaemon) -> None:
    fake.answer("sessions/gone", protocol.Failure(error="not-found", words="There is no session gone."), status=404)
    async with running_daemon(paths) as daemon:
        with pytest.raises(Refused) as caught:
            await daemon.session("gone")
    assert caught.value.status == 404
    assert caught.value.failure.error == "not-found"
    assert str(caught.value) == "There is no session gone."


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"{}"), (502, b"<html>"), (302, b"")])
async def test_a_stranger_on_the_port_is_not_taken_for_the_daemon(paths: Paths, fake: FakeDaemon, status: int, body: bytes) -> None:
    fake.answer("overview", body, status=status)
    async with running_daemon(paths) as daemon:
        with pytest.raises(Unreachable, match="does not talk like stepfare's daemon"):
            await daemon.overview()


async def test_a_closed_port_says_how_to_start(paths: Paths, fake: FakeDaemon) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can take it meanwhile
        async with Daemon(fake.file(port=unused.getsockname()[1])) as daemon:
            with pytest.raises(Unreachable, match="stepfare serve") as caught:
                await daemon.overview()
            with pytest.raises(Unreachable):
                async for _event in daemon.events(0):
                    pass
    assert not caught.value.running


async def test_nobody_there_is_one_exception(paths: Paths) -> None:
    with pytest.raises(Unreachable, match="No daemon is running"):
        async with running_daemon(paths):
            pass


EVENTS = [
    protocol.Event(seq=8, kind="decided", at_ms=1, session="s1"),
    protocol.Event(seq=9, kind="posted", at_ms=2, session="s1", words="née"),
    protocol.Event(seq=10, kind="a-kind-of-tomorrow", at_ms=3),
]
FEED = b": hello\n\n" + b"".join(f"id: {e.seq}\nevent: {e.kind}\ndata: {e.model_dump_json()}\n\n".encode() for e in EVENTS[:2])
FEED += f"data:{EVENTS[2].model_dump_json()}\r\n\r\n".encode() + b": keep-alive\n\n"


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_the_feed_reads_the_same_however_it_is_cut(paths: Paths, fake: FakeDaemon, size: int) -> None:
    fake.feed(*[FEED[at : at + size] for at in range(0, len(FEED), size)])
    async with running_daemon(paths) as daemon:
        assert [event async for event in daemon.events(7)] == EVENTS
    assert fake.asked[-1].path == "/control/v1/events?after=7"


async def test_a_long_event_passes(paths: Paths, fake: FakeDaemon) -> None:
    event = protocol.Event(seq=1, kind="posted", at_ms=1, words="x" * 400_000)
    fake.feed(f"data: {event.model_dump_json()}\n\n".encode())
    async with running_daemon(paths) as daemon:
        assert [got async for got in daemon.events(0)] == [event]


async def test_a_broken_feed_is_told_apart_from_one_that_ended(paths: Paths, fake: FakeDaemon) -> None:
    fake.feed(FEED, broken=True)
    async with running_daemon(paths) as daemon:
        events = daemon.events(7)
        got = [await anext(events) for _ in EVENTS]
        with pytest.raises(Unreachable):
            await anext(events)
    assert got == EVENTS


async def test_a_feed_may_be_left_early(paths: Paths, fake: FakeDaemon) -> None:
    fake.feed(FEED)
    async with running_daemon(paths) as daemon:
        async with aclosing(daemon.events(7)) as events:
            assert await anext(events) == EVENTS[0]
        fake.answer("overview", OVERVIEW)
        assert (await daemon.overview()).seq == 7


async def test_a_refused_feed_says_why(paths: Paths, fake: FakeDaemon) -> None:
    fake.refuse_feed(protocol.Failure(error="token", words="The control token is wrong."), status=401)
    async with running_daemon(paths) as daemon:
        with pytest.raises(Refused, match="token is wrong"):
            await anext(daemon.events(0))


def test_asking_costs_aiohttp_only_when_it_comes_to_it() -> None:
    code = "import sys, stepfare.control.client; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
