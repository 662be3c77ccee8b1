"""The control door: snapshot, then tail; dry runs; what an editor tells and asks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from stepfare.control import protocol
from stepfare.control.client import Daemon, Refused
from stepfare.control.protocol import PROTOCOL, DaemonFile, Glance
from stepfare_lsp.link import Online
from stepfare_lsp.spend import spend_of
from tests.fakes.provider import stream
from tests.flows.conftest import Running, Start, ask


def file_of(running: Running) -> DaemonFile:
    house = running.house
    port = int(running.url.rpartition(":")[2])
    return DaemonFile(
        protocol=PROTOCOL,
        version="0",
        pid=1,
        port=port,
        started_ms=0,
        local_token=house.local_token,
        control_token=house.control_token,
    )


async def test_the_feed_goes_on_where_the_overview_ended(start: Start) -> None:
    running = await start(stream())
    async with Daemon(file_of(running)) as daemon:
        overview = await daemon.overview()
        feed = daemon.events(overview.seq)
        async with running.chat(ask()) as answer:
            await answer.text()
        kinds = [(await asyncio.wait_for(anext(feed), 5)).kind for _ in range(2)]
        await feed.aclose()
        assert kinds == ["reserved", "settled"]
        again = daemon.events(overview.seq)
        late = await asyncio.wait_for(anext(again), 5)
        assert late.seq == overview.seq + 1
        await again.aclose()


async def test_a_settled_event_means_that_the_books_have_it(start: Start) -> None:
    running = await start(stream())
    async with Daemon(file_of(running)) as daemon:
        feed = daemon.events(0)
        async with running.chat(ask()) as answer:
            await answer.text()
        event = await asyncio.wait_for(anext(feed), 5)
        while event.kind != "settled":
            event = await asyncio.wait_for(anext(feed), 5)
        assert event.session is not None
        detail = await daemon.session(event.session)
        await feed.aclose()
    assert detail.steps[0].cost_pusd == 4_100_000_000


async def test_a_dry_run_decides_and_leaves_no_trace(start: Start) -> None:
    running = await start(stream())
    async with Daemon(file_of(running)) as daemon:
        decision = await daemon.decide(protocol.Decide(body=ask()))
        assert decision.id is None
        assert decision.chosen == "lab/middle"
        assert (await daemon.sessions()).sessions == []
    assert not running.provider.asked


async def test_a_dry_run_and_the_real_one_decide_alike(start: Start) -> None:
    running = await start(stream())
    async with Daemon(file_of(running)) as daemon:
        dry = await daemon.decide(protocol.Decide(body=ask()))
        # Byte for byte the same body: the prompt is estimated by its length.
        async with running.chat(json.dumps(ask(), separators=(",", ":")).encode()) as answer:
            await answer.text()
        real = await daemon.decision("last")
    assert dry.model_copy(update={"id": None, "session": ""}) == real.model_copy(update={"id": None, "session": ""})


async def test_an_editors_workspace_keeps_relative_paths_only(start: Start, tmp_path: Path) -> None:
    running = await start(stream())
    told = {
        "root": str(tmp_path),
        "documents": [{"path": "src/a.py", "errors": 2}, {"path": "/etc/passwd"}, {"path": "../outside"}],
        "active": "src/a.py",
    }
    status, kept = await running.control("PUT", f"workspaces/{quote(str(tmp_path), safe='')}", told)
    assert status == 200
    assert [one["path"] for one in kept["documents"]] == ["src/a.py"]
    _, found = await running.control("GET", f"workspaces/{quote(str(tmp_path), safe='')}")
    assert found["active"] == "src/a.py"


async def test_an_untrusted_workspace_tells_nothing(start: Start, tmp_path: Path) -> None:
    running = await start(stream())
    place = f"workspaces/{quote(str(tmp_path), safe='')}"
    await running.control("PUT", place, {"root": str(tmp_path), "active": "a.py"})
    await running.control("PUT", place, {"root": str(tmp_path), "active": "a.py", "trusted": False})
    _, found = await running.control("GET", place)
    assert found["active"] == ""


async def test_every_answer_of_the_control_door_is_a_message_of_the_protocol(start: Start) -> None:
    running = await start(stream())
    async with running.chat(ask()) as answer:
        await answer.text()
    messages = {
        "overview": protocol.Overview,
        "sessions": protocol.Sessions,
        "sessions/last": protocol.SessionDetail,
        "decisions/last": protocol.Decision,
        "prices": protocol.Prices,
        "prices?all=1": protocol.Prices,
    }
    for path, message in messages.items():
        status, body = await running.control("GET", path)
        assert status == 200
        read = message.model_validate(body)
        assert json.loads(read.model_dump_json()) == body, path


async def test_models_without_a_key_are_listed_only_where_asked_for(start: Start) -> None:
    running = await start(stream())
    _, used = await running.control("GET", "prices")
    _, everything = await running.control("GET", "prices?all=1")
    assert {one["provider"] for one in used["models"]} == {"lab"}
    assert {"openai", "openrouter", "deepseek", "groq"} <= {one["provider"] for one in everything["models"]}
    assert {one["state"] for one in everything["models"] if one["provider"] == "openai"} == {"no-key"}


async def test_a_feed_ends_when_the_daemon_stops(start: Start) -> None:
    running = await start(stream())
    async with Daemon(file_of(running)) as daemon:
        feed = daemon.events(0)
        async with running.chat(ask()) as answer:
            await answer.text()
        await asyncio.wait_for(anext(feed), 5)
        running.house.hub.close()
        left = [event.kind async for event in feed]
    assert left == ["settled"]


async def test_a_report_is_the_sum_of_what_was_served(start: Start) -> None:
    running = await start(stream(), stream())
    for _ in range(2):
        async with running.chat(ask()) as answer:
            await answer.text()
    async with Daemon(file_of(running)) as daemon:
        found = await daemon.report(protocol.ReportQuestion(by=("day", "provider", "model")))
        assert [row.totals.steps for row in found.rows] == [2]
        assert found.rows[0].names[1:] == [found.rows[0].names[2].partition("/")[0], found.rows[0].names[2]]
        assert found.whole.totals.spent_pusd == found.rows[0].totals.spent_pusd == 2 * 4_100_000_000
        assert found.whole.totals.by_kind
        assert (await daemon.report(protocol.ReportQuestion(by=("month",), until_ms=1))).rows == []
        for by in ("colour", "day,day", "day,model,tier,kind"):
            with pytest.raises(Refused, match="report"):
                await daemon._get(protocol.Report, f"report?by={by}")  # pyright: ignore[reportPrivateUsage]


async def test_a_line_counts_the_subagents_of_its_session_and_how_their_budgets_stand(start: Start) -> None:
    """A person waits for one task: what its subagents cost is what "this session" costs."""
    running = await start(*(stream() for _ in range(4)), more="[budget]\nsession_usd = 1.00\nwarn_at = 0.008\n")
    told = [("lead", ""), ("scout", "lead"), ("scout", "lead"), ("other", "")]
    for session, parent in told:
        links = {"x-parent-session-id": parent} if parent else {}
        async with running.chat(ask(), **{"x-stepfare-session": session, **links}) as answer:
            await answer.text()
    async with Daemon(file_of(running)) as daemon:
        lead, scout, other = [(await daemon.session(name)).session for name in ("lead", "scout", "other")]
        each = [one.totals.spent_pusd for one in (lead, scout, other)]
        assert each == [4_100_000_000, 8_200_000_000, 4_100_000_000]
        assert (scout.parent, other.family) == ("lead", None)
        assert lead.family is not None
        assert lead.family == scout.family
        assert lead.family.sessions == ["lead", "scout"]
        assert (lead.family.totals.spent_pusd, lead.family.totals.steps) == (12_300_000_000, 3)
        # The scout alone is near its cap.
        assert lead.family.severity == "warning"
        shown = {one.id: one for one in (await daemon.overview()).sessions}
        assert shown["lead"].family == lead.family
        for name, spent_pusd, severity in (
            ("lead", 12_300_000_000, "warning"),
            ("scout", 12_300_000_000, "warning"),
            ("other", 4_100_000_000, "info"),
        ):
            glance = await daemon._get(Glance, f"glance?session={name}")  # pyright: ignore[reportPrivateUsage]
            line = spend_of(Online(daemon, (await daemon.overview()).model_copy(update={"sessions": [shown[name]]})), [])
            assert line is not None
            assert (glance.session, glance.spent_pusd, glance.severity) == (name, spent_pusd, severity)
            assert (line.session, line.spent_pusd, line.severity) == (name, spent_pusd, severity)


async def test_a_glance_is_of_the_session_that_is_named_or_that_works_in_the_folder(start: Start) -> None:
    running = await start(stream(), stream())
    for session, folder in (("mine", "/srv/shop"), ("other", "/srv/till")):
        async with running.chat(ask(), **{"x-stepfare-session": session, "x-stepfare-workspace": folder}) as answer:
            await answer.text()
    async with Daemon(file_of(running)) as daemon:

        async def glance(query: str) -> Glance:
            return await daemon._get(Glance, f"glance?{query}")  # pyright: ignore[reportPrivateUsage]

        mine = await glance("session=mine")
        assert (mine.session, mine.spent_pusd, mine.today_pusd, mine.tier) == ("mine", 4_100_000_000, 8_200_000_000, "balanced")
        assert (await glance("folder=/srv/shop/src")).session == "mine"
        assert (await glance("folder=/elsewhere")).session == "other"
        unknown = await glance("session=never-heard-of")
        assert (unknown.session, unknown.today_pusd) == (None, 8_200_000_000)
