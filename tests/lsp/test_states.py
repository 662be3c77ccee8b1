"""Every feature beside a daemon that is down, comes, speaks another protocol, goes and comes back: one editor lives through all of it."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from stepfare.control import protocol
from stepfare.control.protocol import Budgets, Decision, Floor, Sessions
from stepfare_lsp.features.table import ROWS
from stepfare_lsp.wire import REQUEST_FAILED, TO_SERVER
from tests.lsp.editor import Editor, editor
from tests.lsp.standing import StandingDaemon, overview, session

INVALID_PARAMS = -32602
TEXT = 'profile = "balanced"\n[steps]\nedit = "prem"\n'
NEEDS_A_DAEMON = (
    "sessionSpend",
    "sessions",
    "todaySpend",
    "explainLast",
    "status",
    "pinSession",
    "extendBudget",
    "openDashboard",
    "showSession",
)
ASKED: dict[str, dict[str, Any]] = {"stepfare/session": {"session": "s_1"}, "stepfare/decision": {"decision": "last"}}


async def answers(shown: Editor) -> dict[str, str]:
    """How each request of ours is answered: ok, or the words of its error."""
    found: dict[str, str] = {}
    for name, method in TO_SERVER.items():
        if method.answer is None:
            continue
        found[name] = await how(shown.ask(name, ASKED.get(name, {})), REQUEST_FAILED)
    return found


async def how(asked: Awaitable[object], *codes: int) -> str:
    """`ok`, or the words of an error that has one of these codes; any other error is one of the test."""
    try:
        await asked
    except JsonRpcException as error:
        if error.code not in codes:
            raise
        return str(error)
    return "ok"


async def files_are_served(shown: Editor, uri: str) -> None:
    """What needs no daemon works in every state."""
    document = types.TextDocumentIdentifier(uri)
    assert "Writing or changing code" in await shown.hover(uri, 2, 1)
    assert set(await shown.complete(uri, 2, 12)) == {"frugal", "balanced", "premium"}
    assert [one.code for one in shown.client.diagnostics[uri]] == ["wrong-value"]
    (mend, *_) = await shown.actions(uri, shown.client.diagnostics[uri], ["quickfix"])
    assert mend.title == 'Change to "premium"'
    assert len(await shown.client.text_document_document_symbol_async(types.DocumentSymbolParams(document)) or ()) == 2
    assert await shown.client.text_document_code_lens_async(types.CodeLensParams(document)) is not None


async def test_all_features_live_through_all_states_of_the_daemon(stepfare_home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    agent = session("s_1", project, 42)
    async with editor(project, options={"offer_to_start": False}) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "offline")
        uri = shown.open(project / ".stepfare.toml", TEXT)
        await shown.problems(uri, 1)
        await files_are_served(shown, uri)
        down = await answers(shown)
        assert down.pop("stepfare/menu") == "ok"
        assert all("No daemon is running" in words for words in down.values()), down
        for command in NEEDS_A_DAEMON:
            assert await shown.run(command, {"tier": "premium"}) is None, command
            assert "No daemon is running" in shown.said[-1]
        assert shown.questions == []

        with StandingDaemon(stepfare_home) as daemon:
            prepare(daemon, agent)
            await shown.until(lambda: shown.last_spend["mode"] == "live")
            assert set((await answers(shown)).values()) == {"ok"}
            await files_are_served(shown, uri)
            assert (await shown.run("sessionSpend"))["totals"]["spent_pusd"] == agent.totals.spent_pusd == shown.last_spend["spent_pusd"]

            # Replaced by a version that speaks otherwise.
            daemon.write_file(protocol=protocol.PROTOCOL + 1, version="8.0")
            daemon.publish(None)
            await shown.until(lambda: shown.last_spend["mode"] == "offline")
            assert f"speaks control protocol {protocol.PROTOCOL + 1}" in shown.last_spend["tooltip"]
            other = await answers(shown)
            assert other.pop("stepfare/menu") == "ok"
            assert all("restart the daemon or update this program" in words for words in other.values()), other
            assert await shown.run("todaySpend") is None
            assert "control protocol" in shown.said[-1]
            await files_are_served(shown, uri)

            # And back, under another number; what was spent in between is told.
            prepare(daemon, session("s_1", project, 50), started_ms=9)
            daemon.write_file()
            await shown.until(lambda: shown.last_spend["mode"] == "live" and shown.last_spend["text"] == "$0.50")
            daemon.publish(None)
        await shown.until(lambda: shown.last_spend["mode"] == "offline")
        await files_are_served(shown, uri)


def prepare(daemon: StandingDaemon, agent: protocol.Session, started_ms: int = 1) -> None:
    here = agent.workspace.replace("/", "%2F")
    detail = protocol.SessionDetail(session=agent, steps=[])
    floor = Floor(tier="balanced", source="profile", words="")
    daemon.answer("overview", overview(agent).model_copy(update={"started_ms": started_ms}))
    daemon.answer(f"sessions?workspace={here}&limit=1", Sessions(sessions=[agent]))
    daemon.answer("sessions?limit=20", Sessions(sessions=[agent]))
    daemon.answer("sessions/s_1", detail)
    daemon.answer("budgets", Budgets())
    daemon.answer(
        "decisions/last", Decision(id="d", session="s_1", kind="edit", floor=floor, candidates=[], rejections=[], chosen=None, because=[])
    )


async def test_garbage_for_every_method_is_an_error_and_no_end(stepfare_home: Path, tmp_path: Path) -> None:
    garbage: list[Any] = [
        None,
        3,
        "x",
        [],
        [[]],
        {"session": {}},
        {"session": None, "limit": "x"},
        {"a": {"b": [1]}},
        {"session": "\ud800" * 9},
    ]
    async with editor(tmp_path) as shown:
        await shown.until(lambda: shown.spends)
        for name in TO_SERVER:
            for params in garbage:
                if TO_SERVER[name].answer is None:
                    shown.client.protocol.notify(name, params)
                    continue
                await how(shown.ask(name, params), REQUEST_FAILED, INVALID_PARAMS)
        for row in ROWS:
            # What takes no arguments would start a daemon.
            for params in garbage if row.name != "startDaemon" else garbage[1:5]:
                await how(shown.run(row.name, params), INVALID_PARAMS)
        shown.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
        for options in ({"lens": 3}, {"lens": {"files": []}}, [], "x", {"trusted": None}):
            shown.configure(options)
        first, *_ = (await shown.ask("stepfare/menu", {})).items
        assert first.label == "Start the daemon"


async def test_a_file_that_is_renamed_or_deleted_has_no_problems_any_more(stepfare_home: Path, tmp_path: Path) -> None:
    dotfile = tmp_path / ".stepfare.toml"
    async with editor(tmp_path) as shown:
        await shown.until_so(lambda: types.WORKSPACE_DID_CHANGE_WATCHED_FILES in shown.registered)
        uri = shown.open(dotfile, "nonsense = 1\n")
        await shown.problems(uri, 1)
        gone = types.DidChangeWatchedFilesParams([types.FileEvent(uri, types.FileChangeType.Deleted)])
        shown.client.workspace_did_change_watched_files(gone)  # deleted under an editor that keeps it open
        await shown.hover(uri, 0, 0)
        await shown.problems(uri, 1)
        shown.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
        await shown.problems(uri, 0)
        renamed = types.FileRename(uri, (tmp_path / "old.toml").as_uri())
        shown.client.workspace_did_rename_files(types.RenameFilesParams([renamed]))
        shown.client.workspace_did_delete_files(types.DeleteFilesParams([types.FileDelete(uri), types.FileDelete("x:")]))
        create = [one.title for one in await shown.actions(uri) if "create" in one.title]
        assert create
        dotfile.write_text("")
        shown.client.workspace_did_create_files(types.CreateFilesParams([types.FileCreate(uri)]))
        assert [one.title for one in await shown.actions(uri) if "create" in one.title] == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_places_are_in_the_editors_units(stepfare_home: Path, tmp_path: Path, encoding: str) -> None:
    width = {"utf-8": 4, "utf-16": 2, "utf-32": 1}[encoding]
    text = '[models]\ndeny = ["\U0001f600", ""] \n[[paths]]\nmatch = ["\U0001f600/**"]\nfloor = "prem"\n'
    async with editor(tmp_path, encoding=encoding) as shown:
        uri = shown.open(tmp_path / ".stepfare.toml", text)
        empty, unmatched, floor = await shown.problems(uri, 3)
        assert (empty.range.start.character, empty.range.end.character) == (12 + width, 14 + width)
        assert (unmatched.range.start.character, unmatched.range.end.character) == (9, 14 + width)
        assert floor.range.start == types.Position(4, 8)
        assert "never serve" in await shown.hover(uri, 1, 1)
        options = await shown.complete(uri, 1, 13 + width)
        assert all(edit.range.start.character == 12 + width for edit in options.values())
        outline = await shown.client.text_document_document_symbol_async(types.DocumentSymbolParams(types.TextDocumentIdentifier(uri)))
        rule = next(one for one in outline or () if isinstance(one, types.DocumentSymbol) and one.name == "paths 1")
        assert [inner.range.end.character for inner in rule.children or ()] == [15 + width, 14]


async def test_a_file_of_ten_thousand_lines_is_served(stepfare_home: Path, tmp_path: Path) -> None:
    lines = ["[steps]", 'edit = "premium"', *["# a"] * 9_000, "[[paths]]", 'match = ["no/**"]', 'floor = "premum"', *["#"] * 1_000]
    async with editor(tmp_path) as shown:
        uri = shown.open(tmp_path / ".stepfare.toml", "\n".join(lines))
        assert [one.range.start.line for one in await shown.problems(uri, 2)] == [9_003, 9_004]
        assert "Writing or changing" in await shown.hover(uri, 1, 1)
        shown.change(uri, "\n".join([*lines[:-1], "[budget]", "on_limit = "]))
        assert set(await shown.complete(uri, len(lines), 11)) == {"ask", "frugal", "stop"}
        assert set(await shown.complete(uri, 1, 8)) == {"frugal", "balanced", "premium"}
        for number in range(3, 30):  # while a person types, what is between two pauses is not checked
            shown.change(uri, "x" * 70_000 + str(number), number)
        (too_large,) = await shown.problems(uri, 1)
        assert too_large.code == "too-large"
