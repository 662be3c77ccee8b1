"""Several daemons on one set of books, over real connections: one cap, one session wherever its steps arrive, nothing lost of anybody's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from stepfare.core.entry import Lost, Opened, Reserved, Settled
from stepfare.ledger.journal import balance_of
from stepfare.paths import paths_from
from stepfare.runtime.startup import wake
from stepfare.store.postgres import Postgres
from stepfare.store.store import Remembered
from stepfare.store.verify import verify_books
from tests.fakes.provider import playing, stream
from tests.flows.conftest import SETTINGS, Running, Start, ask, daemon
from tests.postgres import Server, serving

USD = 10**12


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.database()


def ledger(url: str, more: str = "", user: str = "ann") -> str:
    return f'{more}\n[ledger]\nurl = "{url}"\nuser = "{user}"\n'


async def three(
    start: Start, tmp_path: Path, url: str, more: str = "", users: tuple[str, str, str] = ("ann", "ann", "ann")
) -> list[Running]:
    play = stream("It sums things up.", before_s=0.02, usage={"prompt_tokens": 20, "completion_tokens": 600, "total_tokens": 620})
    homes = enumerate(users)
    return [await start(play, more=ledger(url, more, user), home=tmp_path / f"home-{number}") for number, user in homes]


async def journal(one: Running) -> list:
    return [row.entry async for batch in one.house.store.entries() for row in batch]


USED_AFTER_EACH = """
SELECT sum(CASE j.phase WHEN 'reserved' THEN (j.body::jsonb ->> 'ceiling_pusd')::numeric
                        WHEN 'settled' THEN (j.body::jsonb ->> 'cost_pusd')::numeric - (r.body::jsonb ->> 'ceiling_pusd')::numeric
                        WHEN 'voided' THEN -(r.body::jsonb ->> 'ceiling_pusd')::numeric
                        ELSE 0 END) OVER (ORDER BY j.row)
FROM stepfare.journal j LEFT JOIN stepfare.journal r ON r.attempt = j.attempt AND r.phase = 'reserved' AND j.phase IN ('settled', 'voided')
ORDER BY j.row
"""


def used_after_each(url: str) -> list[int]:
    """What was spent, lost or reserved after each entry, in picodollars."""
    with psycopg.connect(url) as connection:
        return [int(used_pusd) for (used_pusd,) in connection.execute(USED_AFTER_EACH)]


@pytest.mark.parametrize(
    ("cap", "users"),
    [
        ("day_usd = 1.00", ("ann", "ann", "ann")),
        ("month_usd = 1.00", ("ann", "ann", "ann")),
        ("team_month_usd = 1.00", ("ann", "ben", "cleo")),
    ],
)
async def test_64_streams_at_once_on_three_daemons_never_pass_a_cap_of_one_dollar(
    start: Start, tmp_path: Path, url: str, cap: str, users: tuple[str, str, str]
) -> None:
    daemons = await three(start, tmp_path, url, f'[budget]\n{cap}\non_limit = "stop"\n', users)

    async def agent(number: int) -> list[int]:
        statuses: list[int] = []
        for step in range(4):
            at = daemons[(number + step) % 3]
            text = f"Task {number}, question {step}"
            # Asked of the premium model, so that 64 of them have no room at once.
            async with at.chat(ask(text, model="lab/large", max_tokens=700)) as answer:
                statuses.append(answer.status)
                await answer.read()
        return statuses

    statuses = [status for one in await asyncio.gather(*(agent(number) for number in range(64))) for status in one]
    entries = await journal(daemons[0])
    # After every entry of the journal, which is the order in which the books were written; told by the server and not by our own sums.
    after_each = used_after_each(url)
    assert len(after_each) == len(entries)
    assert max(after_each) <= USD
    balance = balance_of(entries)
    assert after_each[-1] == balance.spent_pusd
    assert balance.reserved_pusd == 0
    assert set(statuses) == {200, 402}
    # The cap is used and not only kept: what is left has no room for one more.
    most = max(entry.ceiling_pusd or 0 for entry in entries if isinstance(entry, Reserved))
    assert balance.spent_pusd > USD - most
    assert statuses.count(200) == sum(isinstance(entry, Settled) for entry in entries)
    for one in daemons:
        _, overview = await one.control("GET", "overview")
        assert overview["today"]["spent_pusd"] == balance.spent_pusd
    assert verify_books(Postgres(url, tmp_path / "home-0")).problems == ()


async def test_one_session_through_two_daemons_by_turns_is_one_session_with_its_caches(start: Start, tmp_path: Path, url: str) -> None:
    daemons = (await three(start, tmp_path, url))[:2]
    messages: list[dict] = [{"role": "system", "content": "You are an agent. " * 400}, {"role": "user", "content": "What does this do?"}]
    sessions: list[str] = []
    for step in range(6):
        at = daemons[step % 2]
        async with at.chat({"model": "auto", "stream": True, "messages": messages}) as answer:
            sessions.append(answer.headers["x-stepfare-session"])
            said = (await answer.read()).decode()
        words = "".join(
            json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
            for line in said.splitlines()
            if line.startswith("data: {") and json.loads(line[6:])["choices"]
        )
        messages += [{"role": "assistant", "content": words}, {"role": "user", "content": f"And then? ({step})"}]
    assert len(set(sessions)) == 1
    await asyncio.gather(*(at.house.books.look() for at in daemons))
    known = [at.house.state.sessions.get(sessions[0]) for at in daemons]
    assert known[0] is not None
    assert known[0] == known[1]
    assert known[0].steps == 6
    assert known[0].last_model
    assert known[0].last_prompt_tokens
    _, detail = await daemons[0].control("GET", f"sessions/{sessions[0]}")
    assert len(detail["steps"]) == 6


async def test_what_is_said_of_sessions_through_one_daemon_is_in_force_in_the_other_at_once(start: Start, tmp_path: Path, url: str) -> None:
    one, other = (await three(start, tmp_path, url))[:2]
    first, second = [await session_of(one, text) for text in ("First", "Second")]
    await other.house.books.look()
    feed = other.house.hub.seq
    assert await one.control("PUT", f"sessions/{first}/title", {"title": "The parser"}) == (200, {"session": first})
    assert await one.control("PUT", f"sessions/{second}/merge", {"into": first}) == (200, {"session": first})
    # Announced, without anybody asking.
    async with asyncio.timeout(5):
        while other.house.state.shown.count < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert other.house.hub.seq == feed + 2
    _, listed = await other.control("GET", "sessions")
    assert [(row["id"], row["title"], row["merged"]) for row in listed["sessions"]] == [(first, "The parser", [second])]
    # And before a step, though an announcement were late: the merged session's next step is told as the other's.
    await one.control("DELETE", f"sessions/{second}/merge")
    assert await session_of(other, "Second", answered=True) == second
    await other.control("PUT", f"sessions/{second}/merge", {"into": first})
    assert await session_of(one, "Second", answered=True) == first
    assert one.house.state.shown == other.house.state.shown
    assert one.house.state.shown.count == 4


async def session_of(at: Running, text: str, *, answered: bool = False) -> str:
    messages = [{"role": "user", "content": text}]
    more = [{"role": "assistant", "content": "It sums things up. "}, {"role": "user", "content": "Go on"}] if answered else []
    async with at.chat({"model": "auto", "stream": True, "messages": messages + more}) as answer:
        assert answer.status == 200
        await answer.read()
        return answer.headers["x-stepfare-session"]


async def test_a_daemon_that_starts_later_knows_the_sessions_of_the_others(start: Start, tmp_path: Path, url: str) -> None:
    first = await start(stream("One."), more=ledger(url), home=tmp_path / "first")
    async with first.chat(ask("Begin")) as answer:
        session = answer.headers["x-stepfare-session"]
        await answer.read()
    second = await start(stream("Two."), more=ledger(url, user="ben"), home=tmp_path / "second")
    messages = [{"role": "user", "content": "Begin"}, {"role": "assistant", "content": "One. "}, {"role": "user", "content": "Go on"}]
    async with second.chat({"model": "auto", "stream": True, "messages": messages}) as answer:
        assert answer.headers["x-stepfare-session"] == session
        await answer.read()
    _, overview = await second.control("GET", "overview")
    assert overview["today"]["steps"] == 2


async def test_what_one_user_spends_counts_for_that_user(start: Start, tmp_path: Path, url: str) -> None:
    usage = {"prompt_tokens": 2_000, "completion_tokens": 400, "total_tokens": 2_400}
    more = '[budget]\nday_usd = 0.10\non_limit = "stop"\n'
    ann = await start(stream("One.", usage=usage), more=ledger(url, more), home=tmp_path / "ann")
    ben = await start(stream("Two.", usage=usage), more=ledger(url, more, "ben"), home=tmp_path / "ben")

    dear = {"model": "lab/large", "max_tokens": 400}
    assert [await spend(ann, f"Question {number}", **dear) for number in range(3)] == [200, 402, 402]
    assert await spend(ben, "Question 9", **dear) == 200
    by_user = await ann.house.store.report(("user",))
    assert {name: totals.steps for (name,), totals in by_user.parts.items()} == {"ann": 1, "ben": 1}


async def test_what_is_added_to_a_cap_at_one_daemon_is_in_force_at_all_of_that_user(start: Start, tmp_path: Path, url: str) -> None:
    usage = {"prompt_tokens": 2_000, "completion_tokens": 400, "total_tokens": 2_400}
    more = '[budget]\nday_usd = 0.10\non_limit = "stop"\n'
    dear = {"model": "lab/large", "max_tokens": 400}
    homes = (("one", "ann"), ("two", "ann"), ("three", "ben"))
    one, two, bens = [await start(stream("Said.", usage=usage), more=ledger(url, more, user), home=tmp_path / name) for name, user in homes]
    assert [await spend(at, f"Question at {at.home.name}", **dear) for at in (one, two, bens)] == [200, 402, 200]
    status, told = await one.control("PUT", "budgets/day", {"pusd": USD // 10, "id": "more", "by": "a test"})
    assert (status, told["caps"][0]["cap_pusd"]) == (200, USD // 5)
    assert [await spend(at, f"Again at {at.home.name}", **dear) for at in (two, one, bens)] == [200, 402, 402]
    # A daemon of hers that starts later knows it too.
    late = await start(stream("Said.", usage=usage), more=ledger(url, more), home=tmp_path / "late")
    for at, pusd in ((late, USD // 5), (bens, USD // 10)):
        _, told = await at.control("GET", "budgets")
        assert [cap["cap_pusd"] for cap in told["caps"]] == [pusd]
    assert verify_books(Postgres(url, tmp_path / "one")).problems == ()


async def test_a_wrong_address_of_the_books_is_no_reason_to_keep_others(start: Start, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"\[ledger\] is wrong"):
        await start(stream("One."), more='[ledger]\nurl = "mysql://db/books"\n', home=tmp_path / "home")
    assert not (tmp_path / "home" / "ledger.db").exists()


async def spend(at: Running, text: str, **more: Any) -> int:
    async with at.chat(ask(text, **more)) as answer:
        await answer.read()
        return answer.status


async def test_daemons_serve_on_while_the_server_is_away_and_the_books_are_whole_when_it_is_back(start: Start, tmp_path: Path) -> None:
    with serving() as server:
        url = server.database()
        daemons = (await three(start, tmp_path, url))[:2]
        assert [await spend(at, "Before") for at in daemons] == [200, 200]
        server.stop()
        assert await asyncio.gather(*(spend(at, f"Meanwhile {number}") for at in daemons for number in range(8))) == [200] * 16
        assert all(at.house.store.put_aside for at in daemons)
        status, failure = await daemons[0].control("GET", "overview")
        assert (status, failure["error"]) == (503, "ledger")
        server.start()
        async with asyncio.timeout(20):
            while any(at.house.store.put_aside for at in daemons):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert [await spend(at, "After") for at in daemons] == [200, 200]
        entries = await journal(daemons[0])
        assert sum(isinstance(entry, Settled) for entry in entries) == 2 + 16 + 2
        assert balance_of(entries).reserved_pusd == 0
        assert verify_books(Postgres(url, tmp_path / "home-0")).problems == ()


async def test_a_daemon_that_starts_while_the_server_is_away_refuses_until_it_knows_what_was_spent(start: Start, tmp_path: Path) -> None:
    more = '[budget]\nday_usd = 0.10\non_limit = "stop"\n'
    usage = {"prompt_tokens": 2_000, "completion_tokens": 400, "total_tokens": 2_400}
    dear = {"model": "lab/large", "max_tokens": 400}
    with serving() as server:
        url = server.database()
        async with AsyncExitStack() as stack:
            provider = await stack.enter_async_context(playing(stream("One.", usage=usage)))
            before = await stack.enter_async_context(daemon(tmp_path / "home", provider, more=ledger(url, more)))
            server.stop()
            # Closed while the server is away: what was spent waits in the spool of this home.
            assert await spend(before, "Before", **dear) == 200
            assert before.house.store.put_aside == 2
        again = await start(stream("Two."), more=ledger(url, more), home=tmp_path / "home")
        async with again.chat(ask("Meanwhile")) as answer:
            assert (answer.status, answer.headers["retry-after"]) == (503, "15")
            refused = (await answer.json())["error"]
        assert refused["code"] == "ledger_unavailable"
        assert "no cap can be held: calls are refused until they are" in refused["message"]
        async with again.client.get(f"{again.url}/health") as answer:
            assert (answer.status, (await answer.json())["status"]) == (503, "waiting")
        status, failure = await again.control("GET", "overview")
        assert (status, failure["error"]) == (503, "ledger")
        assert "were not reached since this daemon started" in failure["words"]
        assert any("were not reached" in problem.words for problem in again.house.state.problems())
        assert again.provider.asked == []
        server.start()
        async with asyncio.timeout(30):
            while again.house.books.unmet:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with again.client.get(f"{again.url}/health") as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "ok")
        # It knows what its earlier life spent, and holds the cap that this left little of.
        assert await spend(again, "After", **dear) == 402
        assert await spend(again, "After", model="lab/small") == 200
        assert again.house.state.problems() == ()
        entries = await journal(again)
        assert [type(entry) for entry in entries if not isinstance(entry, Opened)] == [Reserved, Settled] * 2
        assert verify_books(Postgres(url, tmp_path / "home")).problems == ()


async def test_a_server_that_goes_away_while_the_books_are_opened_is_waited_for(tmp_path: Path) -> None:
    with serving() as server:
        (tmp_path / "config.toml").write_text(ledger(server.database()))
        environ = {"STEPFARE_HOME": str(tmp_path)}
        house = await wake(paths_from(environ), environ)
        try:
            await house.opened()
            server.stop()
            # As at a start whose server was there a moment ago.
            await house.open_books()
            assert "cannot be reached" in house.books.unmet
            server.start()
            async with asyncio.timeout(30):
                while house.books.unmet:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert house.state.problems() == ()
            assert await house.store.left_open(house.world.now_ms()) == []
        finally:
            await house.close()


async def test_what_nobody_foresaw_while_the_books_are_waited_for_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        (tmp_path / "config.toml").write_text(ledger(server.database()))
        environ = {"STEPFARE_HOME": str(tmp_path)}
        server.stop()
        house = await wake(paths_from(environ), environ)
        try:
            await house.opened()
            remembered, flaws = house.store.remembered, ["a row that cannot be read", ""]

            async def read(since_ms: int, periods_ms: Sequence[int] = ()) -> Remembered:
                if flaw := flaws.pop(0):
                    raise ValueError(flaw)
                return await remembered(since_ms, periods_ms)

            monkeypatch.setattr(house.store, "remembered", read)
            server.start()
            async with asyncio.timeout(30):
                while len(flaws) == 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert "(ValueError: a row that cannot be read)" in house.books.unmet
                while house.books.unmet:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert house.state.problems() == ()
            assert ["could not be taken up" in record.message for record in caplog.records if record.exc_info] == [True]
        finally:
            await house.close()


async def test_a_daemon_that_never_met_its_books_can_be_stopped_and_started(start: Start, tmp_path: Path) -> None:
    nowhere = f"postgresql://owner@/nothing?host={tmp_path}"
    for _ in range(2):
        async with playing(stream("One.")) as provider, daemon(tmp_path / "home", provider, more=ledger(nowhere)) as running:
            assert await spend(running, "Hello") == 503
            assert await running.control("PUT", "sessions/s1/title", {"title": "x"}) == (
                503,
                {"error": "ledger", "words": running.house.books.unmet},
            )
    assert not (tmp_path / "home" / "shared-ledger.spool").exists()


async def test_while_the_server_is_away_daemons_spend_no_more_of_a_cap_together_than_was_left(start: Start, tmp_path: Path) -> None:
    with serving() as server:
        url = server.database()
        daemons = await three(start, tmp_path, url, '[budget]\nday_usd = 1.00\non_limit = "stop"\n')
        dear = {"model": "lab/large", "max_tokens": 700}
        assert [await spend(at, "Before", **dear) for at in daemons] == [200, 200, 200]
        await known(daemons)
        server.stop()

        async def agent(at: Running, number: int) -> list[int]:
            return [await spend(at, f"Meanwhile {number}, {step}", **dear) for step in range(4)]

        found = await asyncio.gather(*(agent(at, number) for at in daemons for number in range(8)))
        statuses = [status for one in found for status in one]
        # Each goes on for a while, and then says why not, with a time to ask again.
        assert set(statuses) == {200, 503}
        used = [at.house.state.budgets.day.used() for at in daemons]
        assert all(one.reserved_pusd == 0 for one in used)
        server.start()
        async with asyncio.timeout(20):
            while any(at.house.store.put_aside for at in daemons):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        balance = balance_of(await journal(daemons[0]))
        assert balance.reserved_pusd == 0
        assert max(one.spent_pusd for one in used) < balance.spent_pusd <= USD
        # What is left is everybody's again.
        before = len([entry for entry in await journal(daemons[0]) if isinstance(entry, Settled)])
        assert 200 in [await spend(at, "After") for at in daemons]
        assert len([entry for entry in await journal(daemons[0]) if isinstance(entry, Settled)]) > before


async def known(daemons: list[Running]) -> None:
    """Every one has heard what the others spent, and of the others."""
    await asyncio.gather(*(at.house.books.look() for at in daemons))
    async with asyncio.timeout(20):
        while not all(at.house.store.daemons == len(daemons) for at in daemons):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_daemon_that_is_killed_loses_nothing_of_the_others_and_only_its_own_open_call(
    start: Start, tmp_path: Path, url: str
) -> None:
    other = await start(stream("Two."), more=ledger(url, user="ben"), home=tmp_path / "other")
    slow = stream("A long answer that never ends.", pause_s=30)
    async with playing(slow) as provider:
        home = tmp_path / "killed"
        home.mkdir()
        (home / "config.toml").write_text(ledger(url) + SETTINGS.format(base_url=provider.base_url))
        environ = {**os.environ, "STEPFARE_HOME": str(home), "LAB_KEY": "sk-lab"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stepfare", "serve", "--port", "0", env=environ, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(30):
                while not (home / "daemon.json").exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            told = json.loads((home / "daemon.json").read_text())
            headers = {"authorization": f"Bearer {told['local_token']}"}
            asking = other.client.post(f"http://127.0.0.1:{told['port']}/v1/chat/completions", json=ask("Go"), headers=headers)
            waiting = asyncio.ensure_future(_read(asking))
            async with asyncio.timeout(20):
                while not await other.house.store.open_reservations():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await spend(other, "Meanwhile") == 200
            process.kill()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(waiting, return_exceptions=True)
        # Nobody else may say what became of it: it is held reserved until its own daemon, or time, does.
        assert await spend(other, "After") == 200
        assert [entry.attempt for entry in await other.house.store.open_reservations()] != []
        again = await start(stream("One."), more=ledger(url), home=home)
        assert await again.house.store.open_reservations() == []
        entries = await journal(other)
        assert sum(isinstance(entry, Lost) for entry in entries) == 1
        assert sum(isinstance(entry, Settled) for entry in entries) == 2
        assert verify_books(Postgres(url, tmp_path / "other")).problems == ()


async def _read(asking: aiohttp.client._RequestContextManager) -> bytes:
    async with asking as answer:
        return await answer.read()
