"""The commands, the silent requests behind trees and pickers, and the pages, with a daemon whose answers are known."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import client_capabilities

from stepfare.control.client import address_of
from stepfare.control.protocol import (
    Attempt,
    Budget,
    Budgets,
    Cap,
    DashboardLink,
    Decision,
    Floor,
    Pin,
    Question,
    Said,
    Session,
    SessionDetail,
    Sessions,
    Step,
)
from stepfare.control.protocol import Proposal as Proposed
from stepfare_lsp.wire import REQUEST_FAILED
from tests.control.fake_daemon import LOCAL_TOKEN
from tests.lsp.editor import Editor, editor
from tests.lsp.standing import CENT, StandingDaemon, overview, session

CAP = Cap(scope="session", subject="s_1", cap_pusd=200 * CENT, spent_pusd=42 * CENT, reserved_pusd=0, left_pusd=158 * CENT)
DECISION = Decision(
    id="d_1",
    session="s_1",
    kind="edit",
    probabilities={"edit": 0.9, "explore": 0.1},
    floor=Floor(tier="balanced", source="profile", words="an edit"),
    candidates=[],
    rejections=[],
    chosen="a/big",
    because=["an [edit](command:evil) is coming"],
)


def step(name: str, outcome: str, **more: object) -> Step:
    return Step.model_validate(
        {
            "decision": name,
            "session": "s_1",
            "at_ms": 1_780_000_000_000,
            "kind": "edit",
            "predicted": "edit",
            "floor": "balanced",
            "floor_source": "profile",
            "tier": "balanced",
            "model": "a/big",
            "attempts": [Attempt(id="a", model="a/big", outcome=outcome)],
            "because": ["because | of <that>"],
            **more,
        }
    )


STEPS = [
    step("d_1", "ok", cost_pusd=12 * CENT, cost_source="usage-priced"),
    step("d_2", "busy", cost_source="usage-priced"),
    step("d_3", "open", tier="premium"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    return folder


@pytest.fixture
def agent(project: Path) -> Session:
    return session("s_1", project, 42, client="cline", budget=Budget(caps=[CAP]), burn_pusd_per_hour=CENT)


@pytest.fixture
async def daemon(stepfare_home: Path, agent: Session) -> AsyncGenerator[StandingDaemon]:
    with StandingDaemon(stepfare_home) as daemon:
        daemon.answer("overview", overview(agent))
        daemon.answer("sessions?limit=20", Sessions(sessions=[agent]))
        daemon.answer(f"sessions?workspace={agent.workspace.replace('/', '%2F')}&limit=1", Sessions(sessions=[agent]))
        daemon.answer("sessions/s_1", SessionDetail(session=agent, steps=STEPS))
        daemon.answer("decisions/d_1", DECISION)
        daemon.answer("decisions/last?session=s_1", DECISION)
        daemon.answer("budgets", Budgets(caps=[CAP]))
        for method in ("PUT", "DELETE"):
            daemon.answer("sessions/s_1/pin", Said(session="s_1"), method=method)
        daemon.answer("budgets/session/s_1", Budgets(caps=[CAP]), method="PUT")
        yield daemon
        daemon.publish(None)


async def live(shown: Editor) -> None:
    await shown.until(lambda: shown.last_spend.get("mode") == "live")


async def test_trees_and_pickers_are_answered_without_a_word(daemon: StandingDaemon, project: Path) -> None:
    async with editor(project) as shown:
        await live(shown)
        assert (await shown.ask("stepfare/overview", None)).version == "7.7"
        assert [one.id for one in (await shown.ask("stepfare/sessions", {})).sessions] == ["s_1"]
        assert len((await shown.ask("stepfare/session", {"session": "s_1"})).steps) == 3
        assert (await shown.ask("stepfare/decision", {"decision": "d_1"})).chosen == "a/big"
        endpoint = await shown.ask("stepfare/endpoint", {})
        assert (endpoint.base_url, endpoint.token) == (f"{address_of(daemon.file())}/v1", LOCAL_TOKEN)
        (row,) = (await shown.ask("stepfare/rows", {})).rows
        assert (row.id, row.label, row.description, row.icon, row.expandable) == ("s_1", "s_1", "$0.42 . 1 step . cline", "session", True)
        rows = (await shown.ask("stepfare/rows", {"session": "s_1"})).rows
        assert [(one.id, one.label, one.icon) for one in rows] == [
            ("d_3", "edit open", "running"),
            ("d_2", "edit unpriced", "error"),
            ("d_1", "edit $0.1200", "balanced"),
        ]
        assert "because \\| of \\<that\\>" in rows[2].tooltip
        for method, params in (("stepfare/session", {"session": ""}), ("stepfare/rows", [1]), ("stepfare/sessions", {"workspace": "x"})):
            with pytest.raises(JsonRpcException) as wrong:
                await shown.ask(method, params)
            assert wrong.value.code == -32602
        with pytest.raises(JsonRpcException) as refused:
            await shown.ask("stepfare/session", {"session": "s_none"})
        assert refused.value.code == REQUEST_FAILED
        assert shown.said == []


async def test_the_menu_is_the_palette_and_each_of_its_rows_works(daemon: StandingDaemon, project: Path) -> None:
    async with editor(project) as shown:
        await live(shown)
        tooltip = shown.last_spend["tooltip"].split("\n\n")
        assert tooltip == [
            "**s\\_1** (cline)",
            "$0.4200 in 1 step",
            "$0.01000 an hour",
            "Session budget: $0.4200 of $2.00, $1.58 left",
            "Today: $0.4200 in 1 step",
        ]
        menu = await shown.ask("stepfare/menu", {})
        titles = [item.label for item in menu.items]
        assert titles == [
            "This session $0.42",
            "Explain the last step",
            "Extend the session budget",
            "Pin this session to a tier",
            "Open this session step by step",
            "Open why the last step went where it went",
            "Today $0.42",
            "Sessions",
            "Set the profile of this project",
            "Create .stepfare.toml for this project",
            "Open the dashboard",
            "Status",
        ]
        actions = [
            one.title.removeprefix("stepfare: ") for one in await shown.actions((project / "a.py").as_uri(), only=["source.stepfare"])
        ]
        assert [title[:1].upper() + title[1:] for title in actions] == titles
        rows = {item.label: (item.command.removeprefix("stepfare."), item.arguments[0]._asdict()) for item in menu.items}

        command, arguments = rows["This session $0.42"]
        assert (await shown.run(command, arguments))["id"] == "s_1"
        command, arguments = rows["Explain the last step"]
        assert (await shown.run(command, arguments))["id"] == "d_1"

        command, arguments = rows["Pin this session to a tier"]
        assert await shown.run(command, arguments) is None  # asked, and not answered
        assert [action.title for action in shown.questions[-1].actions or ()] == ["frugal", "balanced", "premium"]
        shown.answer_with = "premium"
        assert (await shown.run(command, arguments))["pin"] == "premium"
        assert daemon.told("PUT", "sessions/s_1/pin") == [Pin(tier="premium").model_dump_json().encode()]
        assert "premium or better serves all that comes of it" in shown.said[-1]
        assert (await shown.run("unpinSession", arguments))["pin"] is None
        assert len(daemon.told("DELETE", "sessions/s_1/pin")) == 1
        with pytest.raises(JsonRpcException, match="frugal, balanced, premium"):
            await shown.run(command, {"tier": "cheap"})

        command, arguments = rows["Extend the session budget"]
        shown.answer_with = "$0.5000"
        assert (await shown.run(command, arguments))["caps"][0]["scope"] == "session"
        assert [action.title for action in shown.questions[-1].actions or ()] == ["$0.5000", "$1.00", "$2.00"]
        assert b'"pusd":500000000000' in daemon.told("PUT", "budgets/session/s_1")[-1]

        command, arguments = rows["Open the dashboard"]
        link = f"{address_of(daemon.file())}/?key=once"
        daemon.answer("dashboard-links", DashboardLink(url=link, lasts_ms=60_000), method="POST")
        assert await shown.run(command, arguments) == {"url": link, "opened": True}
        assert (shown.client.shown_documents[-1].uri, shown.client.shown_documents[-1].external) == (link, True)
        daemon.answer("dashboard-links", DashboardLink(url="https://elsewhere.example/", lasts_ms=60_000), method="POST")
        assert await shown.run(command, arguments) is None
        assert "leads away" in shown.said[-1]
        assert len(shown.client.shown_documents) == 1


async def test_a_question_of_a_budget_comes_first_and_pins_are_shown(daemon: StandingDaemon, project: Path, agent: Session) -> None:
    asked = Question(session="s_1", at_ms=1, words="no room", proposals=[Proposed(scope="session", subject="s_1", pusd=100 * CENT)])
    daemon.answer("overview", overview(agent.model_copy(update={"pin": "premium"}), questions=[asked]))
    abilities = types.ClientCapabilities()  # an editor that can ask nothing
    async with editor(project, capabilities=abilities) as shown:
        await live(shown)
        offered = {item.label: item.arguments[0]._asdict() for item in (await shown.ask("stepfare/menu", {})).items}
        assert offered["Add $1.00 to the budget"] == {"session": "s_1"}
        assert offered["Unpin this session from premium"] == {"session": "s_1"}
        daemon.now(overview(agent, seq=1))
        await shown.until(lambda: "Pinned" not in shown.last_spend["tooltip"])
        offered = {item.label: item.arguments[0]._asdict() for item in (await shown.ask("stepfare/menu", {})).items}
        assert offered["Add $1.00 to the session budget"] == {"scope": "session", "session": "s_1", "usd": "$1.00"}
        assert offered["Pin this session to balanced"] == {"session": "s_1", "tier": "balanced"}
        titles = [one.title for one in await shown.actions((project / "src" / "a.py").as_uri())]
        assert "stepfare: set premium for this folder" in titles
        with pytest.raises(JsonRpcException, match="needs a tier"):
            await shown.run("pinSession", {"session": "s_1"})


async def test_pages_are_virtual_where_the_editor_knows_that(daemon: StandingDaemon, project: Path, agent: Session) -> None:
    abilities = client_capabilities("visual_studio_code")
    assert abilities.workspace is not None
    abilities.workspace.text_document_content = types.TextDocumentContentClientCapabilities(dynamic_registration=True)
    async with editor(project, capabilities=abilities) as shown:
        await live(shown)
        assert types.WORKSPACE_TEXT_DOCUMENT_CONTENT in shown.registered
        uri = (await shown.run("showSession", {"session": "s_1"}))["uri"]
        assert uri == "stepfare:/session/s_1.md"
        assert shown.client.shown_documents[-1].uri == uri
        page = await page_of(shown, uri)
        assert page.startswith("# s\\_1\n")
        assert "| 1 | 2026-05-28 20:26:40 | edit | balanced | balanced: a/big | $0.1200 | because \\| of \\<that\\> |" in page
        assert (await shown.run("showDecision"))["uri"] == "stepfare:/decision/d_1.md"
        decision = await page_of(shown, "stepfare:/decision/d_1.md")
        assert "* an \\[edit\\]\\(command:evil\\) is coming" in decision
        assert "| edit | 90.0% |" in decision
        for wrong in ("stepfare:/other/x.md", "file:///etc/passwd", "stepfare:/session/none.md"):
            with pytest.raises(JsonRpcException) as failed:
                await page_of(shown, wrong)
            assert failed.value.code == REQUEST_FAILED
        daemon.now(overview(agent.model_copy(update={"last_ms": 3}), seq=1))
        await shown.until(lambda: uri in shown.refreshed)


async def page_of(shown: Editor, uri: str) -> str:
    return (await shown.client.workspace_text_document_content_async(types.TextDocumentContentParams(uri=uri))).text


async def test_pages_are_files_to_read_elsewhere(daemon: StandingDaemon, project: Path) -> None:
    async with editor(project, spec="emacs") as shown:
        await live(shown)
        uri = (await shown.run("showSession"))["uri"]
        path = Path(unquote(urlparse(uri).path))
        assert path.read_text().startswith("# s\\_1\n")
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o400, 0o700)
        assert (await shown.run("showSession"))["uri"] == uri  # written anew
        assert await shown.run("showSession", {"session": "s_none"}) is None
        assert "Nothing here by that name" in shown.said[-1]
    assert not path.parent.exists()


async def test_a_daemon_that_is_away_is_an_error_in_words(stepfare_home: Path, project: Path) -> None:
    async with editor(project) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "offline")
        for method, params in (("overview", {}), ("rows", {}), ("session", {"session": "s"}), ("endpoint", {})):
            with pytest.raises(JsonRpcException, match="No daemon is running") as failed:
                await shown.ask(f"stepfare/{method}", params)
            assert failed.value.code == REQUEST_FAILED
        assert shown.said == []
        assert "No daemon is running" in shown.last_spend["tooltip"]
        for command in ("pinSession", "unpinSession", "extendBudget", "openDashboard", "showSession", "showDecision"):
            assert await shown.run(command, {"tier": "premium"}) is None
        assert len(shown.said) == 6
