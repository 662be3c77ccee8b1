"""The language server without a daemon: files are checked, words are ordinary, and nothing kills it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from stepfare_lsp.rewrite import TEMPLATE
from tests.lsp.editor import Editor, edited, editor

TEXT = """\
proflie = "x"
profile = "balancd"
base_url = "http://elsewhere.example"
[steps]
edit = "premum" # \U0001f600
[[paths]]
match = ["src/**", "srcs/**"]
floor = "premium"
"""


@pytest.fixture
def project(stepfare_home: Path, tmp_path: Path) -> Path:
    """A folder with one source file in it."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.py").write_text("")
    return folder


async def test_a_project_file_is_checked_as_it_is_typed(project: Path) -> None:
    async with editor(project) as shown:
        uri = shown.open(project / ".stepfare.toml", TEXT)
        problems = await shown.problems(uri, 5)
        assert [(one.code, one.range.start.line, one.range.start.character, one.range.end.character) for one in problems] == [
            ("unknown-key", 0, 0, 7),
            ("wrong-value", 1, 10, 19),
            ("forbidden", 2, 0, 8),
            ("wrong-value", 4, 7, 15),
            ("unmatched-glob", 6, 19, 28),
        ]
        await _mends_are_offered(shown, uri, problems)
        await _keys_and_values_are_explained(shown, uri)
        await _keys_and_values_are_completed(shown, uri)
        await _the_palette_is_there(shown, uri, project)
        shown.change(uri, '[steps]\nedit = "premium"\n')
        await shown.problems(uri, 0)
        shown.change(uri, "[steps\n", 3)
        assert [one.code for one in await shown.problems(uri, 1)] == ["syntax"]
        shown.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))
        await shown.problems(uri, 0)


async def _mends_are_offered(shown: Editor, uri: str, problems: object) -> None:
    assert isinstance(problems, list | tuple)
    for problem, title, line in (
        (problems[0], "Change to profile", 'profile = "x"'),
        (problems[1], 'Change to "balanced"', 'profile = "balanced"'),
        (problems[2], "Remove this line", None),
        (problems[3], 'Change to "premium"', 'edit = "premium" # \U0001f600'),
    ):
        first = (await shown.actions(uri, [problem], ["quickfix"]))[0]
        assert first.title == title
        text = edited(TEXT, first.edit.changes[uri][0])
        if line is None:
            assert "base_url" not in text
        else:
            assert line in text.split("\n")


async def _keys_and_values_are_explained(shown: Editor, uri: str) -> None:
    shown.change(uri, '[steps]\nedit = "premium"\n[budget]\non_limit = "ask"\nday_usd = 3\n')
    assert "Writing or changing code" in await shown.hover(uri, 1, 2)
    assert "Only premium models" in await shown.hover(uri, 1, 9)
    assert "ask, frugal, stop" in await shown.hover(uri, 3, 1)
    assert "[budget]" in await shown.hover(uri, 2, 3)
    assert await shown.hover(uri, 5, 0) == ""
    shown.change(uri, 'profile = "careful"\n')
    assert "premium: plan, recover" in await shown.hover(uri, 0, 12)


async def _keys_and_values_are_completed(shown: Editor, uri: str) -> None:
    for text, label, becomes in (
        ("", "profile", "profile = "),
        ("", "[[paths]]", "[[paths]]"),
        ("[", "[steps]", "[steps]"),
        ("[steps]\ned", "edit", "[steps]\nedit = "),
        ("[steps]\nedit = ", "premium", '[steps]\nedit = "premium"'),
        ('[steps]\nedit = "pr', "premium", '[steps]\nedit = "premium"'),
        ("budget = { on_limit = ", "stop", 'budget = { on_limit = "stop"'),
        ("profile = ", "careful", 'profile = "careful"'),
    ):
        shown.change(uri, text)
        line = text.count("\n")
        options = await shown.complete(uri, line, len(text.split("\n")[line]))
        assert edited(text, options[label]) == becomes, text
    shown.change(uri, '[steps]\nedit = "premum" # x\n')
    options = await shown.complete(uri, 1, 9)
    assert set(options) == {"frugal", "balanced", "premium"}
    assert edited(shown.texts[uri], options["premium"]) == '[steps]\nedit = "premium" # x\n'
    shown.change(uri, "# [steps")
    assert await shown.complete(uri, 0, 8) == {}


async def _the_palette_is_there(shown: Editor, uri: str, project: Path) -> None:
    start, profile, create = "start the daemon", "set the profile of this project", "create .stepfare.toml for this project"
    titles = [action.title.removeprefix("stepfare: ") for action in await shown.actions(uri)]
    assert titles == [start, profile, create]
    in_code = await shown.actions((project / "src" / "main.py").as_uri(), only=["source"])
    assert [action.title.removeprefix("stepfare: ") for action in in_code] == [start, "set the tier for this folder", profile, create]
    menu = await shown.ask("stepfare/menu", {})
    assert [(item.label, item.command, [one._asdict() for one in item.arguments]) for item in menu.items] == [
        ("Start the daemon", "stepfare.startDaemon", [{}]),
        ("Set the profile of this project", "stepfare.setTier", [{"workspace": str(project)}]),
        ("Create .stepfare.toml for this project", "stepfare.createDotfile", [{"workspace": str(project)}]),
    ]
    assert await shown.actions(uri, only=["refactor"]) == []


async def test_questions_are_answered_in_ordinary_words(project: Path) -> None:
    async with editor(project) as shown:
        await shown.until(lambda: shown.spends)
        assert shown.last_spend["text"] == "stepfare is off"
        assert shown.last_spend["session"] is None
        for command in ("sessionSpend", "sessions", "todaySpend", "explainLast", "status"):
            assert await shown.run(command, {"workspace": str(project)}) is None
        assert len(shown.said) == 5
        assert all("No daemon is running" in words and "stepfare.startDaemon" in words for words in shown.said)
        await shown.until(lambda: shown.questions)
        assert [action.title for action in shown.questions[0].actions or ()] == ["Start it"]
        assert len(shown.questions) == 1
        for arguments in ([7], [{"workspace": "relative"}], [{"session": 3}], ["text"]):
            with pytest.raises(JsonRpcException):
                await shown.run("sessionSpend", *arguments)
        assert await shown.run("sessionSpend", None, {"more": "of the editor's own"}) is None


async def test_a_tier_is_set_through_the_editor_and_through_the_disk(project: Path) -> None:
    async with editor(project) as shown:
        created = await shown.run("setTier", {"tier": "premium", "kind": "edit"})
        dotfile = project / ".stepfare.toml"
        assert created["created"]
        assert dotfile.read_text() == TEMPLATE.replace("# edit =", 'edit = "premium"\n# edit =')
        text = '# ours\n[steps]\nedit = "frugal" # because\n'
        uri = shown.open(dotfile, text)
        result = await shown.run("setTier", {"tier": "balanced", "kind": "edit", "workspace": project.as_uri()})
        assert result == {"path": str(dotfile), "text": 'edit = "balanced"', "applied": True}
        (change,) = (shown.edits[0].changes or {})[uri]
        assert edited(text, change) == '# ours\n[steps]\nedit = "balanced" # because\n'
        assert (change.range.start.line, change.range.end.line) == (2, 3)
        await shown.run("setTier", {"tier": "careful"})
        (change,) = (shown.edits[1].changes or {})[uri]
        assert edited(text, change).startswith('# ours\nprofile = "careful"\n')
        shown.takes_edits = False
        assert not (await shown.run("setTier", {"tier": "premium"}))["applied"]
        assert "read only" in shown.said[-1]
        shown.change(uri, "[steps\n")
        assert await shown.run("setTier", {"tier": "premium"}) is None
        assert "broken (line 1" in shown.said[-1]
        assert await shown.run("setTier") is None  # asked, and not answered
        assert [action.title for action in shown.questions[-1].actions or ()] == ["frugal", "balanced", "careful", "premium", "ladder"]
        for wrong in ({"tier": "cheap"}, {"tier": "careful", "kind": "edit"}, {"tier": "frugal", "kind": "edits"}):
            with pytest.raises(JsonRpcException):
                await shown.run("setTier", wrong)
        assert (await shown.run("createDotfile"))["created"] is False
        assert "left as it is" in shown.said[-1]


async def test_several_folders_each_have_a_file_and_floors_of_their_own(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other [2]"
    (other / "deep" / "er").mkdir(parents=True)
    (other / ".stepfare.toml").write_text('profile = "careful"\n')
    async with editor(project, other) as shown:
        code = (other / "deep" / "er" / "a.py").as_uri()
        titles = [one.title.removeprefix("stepfare: ") for one in await shown.actions(code)]
        assert titles == ["start the daemon", "set the tier for this folder", "set the profile of this project"]
        assert "create" in "".join(one.title for one in await shown.actions((project / "src" / "main.py").as_uri()))
        shown.answer_with = "premium"
        done = await shown.run("setTier", {"folder": (other / "deep" / "er").as_uri()})
        assert done == {
            "path": str(other / ".stepfare.toml"),
            "text": 'match = ["deep/er/**"], floor = "premium"',
            "applied": True,
        }
        assert shown.questions[-1].message == "Which tier shall steps get at least that touch deep/er/**?"
        (change,) = next(iter((shown.edits[-1].changes or {}).values()))
        assert edited('profile = "careful"\n', change) == 'profile = "careful"\n\n[[paths]]\nmatch = ["deep/er/**"]\nfloor = "premium"\n'
        await shown.run("setTier", {"folder": str(project / "src"), "tier": "balanced"})
        assert (project / ".stepfare.toml").read_text().endswith('[[paths]]\nmatch = ["src/**"]\nfloor = "balanced"\n')
        for outside in (str(tmp_path), str(other), "/"):
            with pytest.raises(JsonRpcException, match="is no folder below that of"):
                await shown.run("setTier", {"folder": outside, "workspace": str(project), "tier": "premium"})
        assert not (tmp_path / ".stepfare.toml").exists()


async def test_globs_are_completed_from_the_tree_and_mended_by_it(project: Path) -> None:
    async with editor(project) as shown:
        uri = shown.open(project / ".stepfare.toml", TEXT)
        unmatched = (await shown.problems(uri, 5))[4]
        (mend,) = await shown.actions(uri, [unmatched], ["quickfix"])
        assert edited(TEXT, mend.edit.changes[uri][0]).split("\n")[6] == 'match = ["src/**", "src/**"]'
        shown.change(uri, "[[paths]]\nmatch = [")
        assert set(await shown.complete(uri, 1, 9)) == {"src/**", "**/*.py"}
        (project / "lib").mkdir()
        (project / "lib" / "a.c").write_text("")
        shown.client.workspace_did_create_files(types.CreateFilesParams([types.FileCreate((project / "lib" / "a.c").as_uri())]))
        assert set(await shown.complete(uri, 1, 9)) == {"lib/**", "src/**", "**/*.py", "**/*.c"}


async def test_an_editor_that_takes_no_edits_has_them_written_to_disk(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with editor(project, other, capabilities=types.ClientCapabilities()) as shown:
        dotfile = other / ".stepfare.toml"
        assert (await shown.run("createDotfile", {"workspace": str(other)}))["created"]
        dotfile.chmod(0o640)
        assert (await shown.run("setTier", {"tier": "premium", "workspace": str(other)}))["applied"]
        assert 'profile = "premium"\n' in dotfile.read_text()
        assert dotfile.stat().st_mode & 0o777 == 0o640
        uri = shown.open(dotfile, "")
        assert not (await shown.run("setTier", {"tier": "frugal", "workspace": str(other)}))["applied"]
        assert "by hand" in shown.said[-1]
        await shown.problems(uri, 0)


async def test_positions_are_in_the_editors_own_units(project: Path) -> None:
    async with editor(project, encoding="utf-8") as shown:
        uri = shown.open(project / ".stepfare.toml", '"\U0001f600" = "\u2028"\n[models]\ndeny = ["\U0001f600", ""]\n')
        problems = await shown.problems(uri, 2)
        assert problems[0].range == types.Range(types.Position(0, 0), types.Position(0, 6))
        assert problems[1].range == types.Range(types.Position(2, 16), types.Position(2, 18))
        assert "never serve" in await shown.hover(uri, 2, 1)


async def test_the_users_own_settings_are_checked_too(project: Path, stepfare_home: Path) -> None:
    config = stepfare_home / "config.toml"
    config.write_text('[profiles.nightly]\nedit = "frugal"\n[budget]\nsession_usd = 1\n')
    async with editor(project) as shown:
        uri = shown.open(config, "[server]\nport = 0\n")
        assert [one.code for one in await shown.problems(uri, 1)] == ["wrong-value"]
        assert "The port to listen on" in await shown.hover(uri, 1, 1)
        dotfile = shown.open(project / ".stepfare.toml", 'profile = "nightly"\n[budget]\nsession_usd = 2\n')
        problems = await shown.problems(dotfile, 1)
        assert [one.code for one in problems] == ["budget-above-user"]
        (mend,) = await shown.actions(dotfile, problems, ["quickfix"])
        assert mend.title == "Lower to 1.00"
        assert mend.edit.changes[dotfile][0].new_text == "1.00"
        assert "nightly" in await shown.complete(dotfile, 0, 10)
