"""What a project's file and code files show of the books: lenses, hints, hovers, outline, each equal to what the daemon says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path

import pytest
from lsprotocol import types

from stepfare.control.protocol import ModelInfo, PriceRow, Prices
from tests.lsp.editor import Editor, editor
from tests.lsp.standing import StandingDaemon, overview, session

TEXT = """\
profile = "balanced"

[steps]
edit = "premium" # because
run = "frugal"

[[paths]]
match = ["src/**"]
floor = "premium"

[[paths]]
match = ["docs/**", "!docs/a.md"]
floor = "balanced"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("src/main.py", "docs/a.md", ".git/HEAD"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


@pytest.fixture
async def daemon(stepfare_home: Path, project: Path) -> AsyncGenerator[StandingDaemon]:
    with StandingDaemon(stepfare_home) as daemon:
        daemon.answer("overview", overview(session("s_1", project, 42)))
        today = datetime.now().astimezone().strftime("%Y-%m-%d")
        daemon.spent("day", project, {(today,): (42, 10), ("2001-01-01",): (58, 0)})
        daemon.spent("kind,model", project, {("edit", "a/big"): (30, 5), ("edit", "a/small"): (12, -7), ("run", "a/small"): (1, 0)})
        price = PriceRow(input=3_000_000, cache_read=0, cache_write=0, cache_write_1h=0, output=15_000_000)
        model = ModelInfo(
            id="a/big",
            provider="a",
            tier="premium",
            context_tokens=200_000,
            max_output_tokens=1,
            capabilities=[],
            prices=[price],
            price_now=price,
            state="in-play",
            why="",
        )
        daemon.answer("prices", Prices(catalogue="c", models=[model]))
        daemon.spent("tier", project, {("premium",): (30, -20), ("frugal",): (12, 30)})
        daemon.files(project, {"src/main.py": 25, "docs/b.md": 3, "docs/a.md": 2, "setup.py": 9})
        yield daemon
        daemon.publish(None)


async def lenses(shown: Editor, uri: str) -> list[str]:
    found = await shown.client.text_document_code_lens_async(types.CodeLensParams(types.TextDocumentIdentifier(uri)))
    return [lens.command.title for lens in found or () if lens.command]


async def hints(shown: Editor, uri: str, first: int = 0, last: int = 99) -> dict[int, str]:
    stretch = types.Range(types.Position(first, 0), types.Position(last, 0))
    found = await shown.client.text_document_inlay_hint_async(types.InlayHintParams(types.TextDocumentIdentifier(uri), stretch))
    return {hint.position.line: str(hint.label).strip() for hint in found or ()}


async def test_a_project_file_says_what_it_comes_to(daemon: StandingDaemon, project: Path) -> None:
    async with editor(project) as shown:
        await shown.until(lambda: shown.last_spend.get("mode") == "live")
        uri = shown.open(project / ".stepfare.toml", TEXT)
        await shown.problems(uri, 0)
        # Figures are asked for when the file is opened; the editor is told to look again once they are there.
        await shown.until_true(lambda: lenses(shown, uri), lambda found: len(found) == 3)
        assert await lenses(shown, uri) == ["today $0.42 in 3 steps", "last session $0.42", "open dashboard"]
        await shown.until_true(lambda: hints(shown, uri), lambda found: len(found) == 4)
        assert await hints(shown, uri) == {
            3: "a/big and 1 more, $0.42 in 7 days",
            4: "a/small, $0.01 in 7 days",
            7: "$0.25 in 7 days (2 steps)",
            11: "$0.03 in 7 days (2 steps)",
        }
        assert set(await hints(shown, uri, 4, 8)) == {4, 7}
        for line, character, words in (
            (0, 1, "In the last 7 days this project cost $1.00 in 6 steps, $0.1000 less than always balanced."),
            (3, 1, "In the last 7 days edit steps here cost $0.4200 in 6 steps, $0.02000 more than always balanced, most of it by a/big."),
            (3, 9, "In the last 7 days premium models here cost $0.3000 in 3 steps, $0.2000 more than always balanced."),
            (6, 3, "In the last 7 days steps that touched these files cost $0.2500 in 2 steps."),
        ):
            assert words in await shown.hover(uri, line, character), words
        outline = await shown.client.text_document_document_symbol_async(types.DocumentSymbolParams(types.TextDocumentIdentifier(uri)))
        assert [
            (one.name, [inner.name for inner in one.children or ()]) for one in outline or () if isinstance(one, types.DocumentSymbol)
        ] == [
            ("profile", []),
            ("steps", ["edit", "run"]),
            ("paths 1", ["match", "floor"]),
            ("paths 2", ["match", "floor"]),
        ]
        shown.change(uri, '[models]\ndeny = ["')
        (detail,) = [one.detail for one in await shown.options(uri, 1, 9) if one.label == "a/big"]
        assert detail == "premium, $3.00 in, $15.00 out per million tokens, 200,000 tokens"
        code = (project / "src" / "main.py").as_uri()
        assert await lenses(shown, code) == []
        shown.configure({"lens": {"files": True, "dotfile": False}, "hints": False})
        assert await lenses(shown, code) == ["agents spent $0.25 on this file in 7 days (2 steps)"]
        assert await lenses(shown, (project / "src" / "other.py").as_uri()) == []
        assert await lenses(shown, uri) == []
        assert await hints(shown, uri) == {}
        assert shown.refreshed


async def test_without_a_daemon_there_is_one_lens_that_starts_it(stepfare_home: Path, project: Path) -> None:
    async with editor(project) as shown:
        await shown.until(lambda: shown.spends)
        uri = shown.open(project / ".stepfare.toml", TEXT)
        assert await lenses(shown, uri) == ["stepfare is off: start it"]
        assert await hints(shown, uri) == {}
        assert "In the last" not in await shown.hover(uri, 3, 1)
