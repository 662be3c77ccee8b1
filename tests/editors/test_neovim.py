"""Neovim with the plugin: what it shows equals the ledger, what it does reaches daemon and server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from stepfare_lsp.present import coins
from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.debian import newer
from tests.editors.installs import neovim
from tests.editors.neovim.editor import Neovim, editor
from tests.editors.steps import step

VERSIONS: Mapping[str, Callable[[], Path]] = {"0.11": neovim, "0.10": lambda: newer("nvim")}
STATUS_LINE = "return vim.api.nvim_eval_statusline(vim.o.statusline, {}).str:match('%S.*$')"
SPEND = "return require('stepfare').statusline()"
DIAGNOSTICS = """return vim.tbl_map(function(one) return { one.lnum, one.severity, one.code } end, vim.diagnostic.get(0))"""
BROKEN = 'profile = "cheapo"\n\n[steps]\nedti = "premium"\nrun = "frugal"\n'

Start = Callable[..., Neovim]


@pytest.fixture(params=[pytest.param("0.11", marks=pytest.mark.editors), pytest.param("0.10", marks=pytest.mark.editors_extended)])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(desk: Desk, version: str, tmp_path: Path) -> Iterator[Start]:
    program = needed(VERSIONS[version])
    (desk.folder / "app.py").write_text("print('x')\n")
    (desk.folder / ".stepfare.toml").write_text(BROKEN)
    desk.project({})
    with ExitStack() as stack:

        def begin(**options: object) -> Neovim:
            return stack.enter_context(editor(program, desk, tmp_path / "nvim", **options))

        yield begin


def spent(desk: Desk) -> str:
    return coins(desk.sessions()[0].totals.spent_pusd)


def test_the_status_line_says_what_the_ledger_says(desk: Desk, start: Start) -> None:
    nvim = start()
    nvim.edit(desk.folder / "app.py")
    assert nvim.until(SPEND) == "$0.00 today . play money"
    for words in ("What does this do?", "And this? " * 4_000):
        step(desk, words)
        shown = f"{spent(desk)} . balanced . play money"
        nvim.until(SPEND, shown)
        assert nvim.lua(STATUS_LINE).endswith(shown)
    spend = nvim.lua("return require('stepfare').spend()")
    session = desk.sessions()[0]
    assert (spend["session"], spend["spent_pusd"]) == (session.id, session.totals.spent_pusd)
    assert nvim.lua("return #vim.lsp.get_clients()") == 1
    assert nvim.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 0


def test_the_dotfile_is_checked_completed_and_mended(desk: Desk, start: Start) -> None:
    nvim = start()
    nvim.edit(desk.folder / ".stepfare.toml")
    assert nvim.until(DIAGNOSTICS, [[0, 1, "wrong-value"], [3, 2, "unknown-key"]])
    assert nvim.lua("return vim.bo.filetype") == "toml"
    place = "{ textDocument = { uri = vim.uri_from_bufnr(0) }, position = { line = %d, character = %d } }"
    hover = nvim.ask_server("textDocument/hover", place % (4, 8))
    assert "frugal" in hover["contents"]["value"]
    offered = nvim.ask_server("textDocument/completion", place % (4, 7))
    assert {"frugal", "balanced", "premium"} <= {item["label"].strip('"') for item in offered["items"]}
    actions = nvim.lua("""
        local client = require("stepfare.client").client()
        local diagnostics = vim.tbl_map(function(one) return one.user_data.lsp end, vim.diagnostic.get(0, { lnum = 3 }))
        local params = vim.lsp.util.make_range_params(0, client.offset_encoding)
        params.range = diagnostics[1].range
        params.context = { diagnostics = diagnostics }
        local answer = Asks(client, "textDocument/codeAction", params)
        vim.lsp.util.apply_workspace_edit(answer.result[1].edit, client.offset_encoding)
        return vim.api.nvim_buf_get_lines(0, 3, 4, false)[1]
    """)
    assert actions == 'edit = "premium"'
    nvim.until(DIAGNOSTICS, [[0, 1, "wrong-value"]])


def test_commands_say_what_the_daemon_knows(desk: Desk, start: Start) -> None:
    step(desk, "What does this do?")
    nvim = start()
    nvim.edit(desk.folder / "app.py")
    nvim.until(SPEND)

    def run(words: str) -> str:
        before = nvim.lua("return #Said")
        nvim.lua(f"vim.cmd('Stepfare {words}') return true")
        nvim.until(f"return #Said > {before}")
        return nvim.lua("return Said[#Said]")

    assert run("spend").startswith('"What does this do?": $')
    assert run("today").startswith("Today: $")
    assert "answer step" in run("explain")
    assert "serves the simulator" in run("status")
    run("pin premium")
    assert desk.sessions()[0].pin == "premium"
    run("unpin")
    assert desk.sessions()[0].pin is None
    assert "knows no nonsense" in run("nonsense")
    assert "Which tier" in run("pin")
    assert nvim.lua("return vim.fn.getcompletion('Stepfare p', 'cmdline')") == ["pin"]
    assert nvim.lua("return vim.fn.getcompletion('Stepfare pin ', 'cmdline')") == ["frugal", "balanced", "premium"]
    assert nvim.lua("return vim.fn.getcompletion('Stepfare extend 1 d', 'cmdline')") == ["day"]


def test_what_is_open_is_told_and_nothing_outside(desk: Desk, start: Start, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("secret\n")
    nvim = start()
    nvim.edit(tmp_path / "elsewhere.py")
    nvim.edit(desk.folder / "app.py")
    nvim.lua("""
        vim.diagnostic.set(vim.api.nvim_create_namespace("other"), 0, { { lnum = 0, col = 0, message = "x" } })
        return true
    """)
    told = until_told(desk, lambda known: known["documents"] and known["documents"][0]["errors"])
    assert told["active"] == "app.py"
    assert told["documents"] == [{"path": "app.py", "errors": 1, "warnings": 0}]


def test_a_project_that_is_not_trusted_is_not_told_of(desk: Desk, start: Start) -> None:
    nvim = start(context=True)
    nvim.lua("require('stepfare').setup{ trusted = function() return false end } return true")
    nvim.edit(desk.folder / "app.py")
    nvim.until(SPEND)
    nvim.lua("vim.wait(1200) return true")
    assert workspace(desk)["documents"] == []


def test_a_daemon_that_is_gone_is_said_and_started_again(desk: Desk, start: Start) -> None:
    step(desk, "What does this do?")
    nvim = start(offer_to_start=False)
    nvim.edit(desk.folder / "app.py")
    nvim.until(SPEND, f"{spent(desk)} . balanced . play money")
    desk.stepfare("stop")
    nvim.until(SPEND, "stepfare is off")
    nvim.lua("vim.cmd('Stepfare start') return true")
    nvim.until(SPEND, f"{spent(desk)} . balanced . play money")


def test_health_names_what_is_missing_and_what_runs(desk: Desk, start: Start) -> None:
    health = "vim.cmd('checkhealth stepfare') return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')"
    nvim = start()
    assert "No server runs" in nvim.lua(health)
    nvim.edit(desk.folder / "app.py")
    nvim.until(SPEND)
    assert f"{desk.folder}: $0.00 today" in nvim.lua(health)
    nvim.lua("require('stepfare').options.cmd = { 'no-such-program' } return true")
    assert "no-such-program is not there" in nvim.lua(health)


def test_the_help_has_its_tags(start: Start) -> None:
    nvim = start()
    assert nvim.lua("""
        local folder = vim.fn.tempname()
        vim.fn.mkdir(folder .. "/doc", "p")
        vim.uv.fs_copyfile(vim.api.nvim_get_runtime_file("doc/stepfare.txt", false)[1], folder .. "/doc/stepfare.txt")
        vim.cmd("helptags " .. folder .. "/doc")
        vim.opt.rtp:append(folder)
        vim.cmd("help :Stepfare")
        return vim.fn.getline(".")
    """).endswith("*:Stepfare*")


def workspace(desk: Desk) -> dict[str, Any]:
    """What the daemon knows of the project from editors."""
    file = json.loads((desk.root / "stepfare" / "daemon.json").read_text())
    address = f"{desk.address}/control/v1/workspaces/{quote(str(desk.folder), safe='')}"
    with urlopen(Request(address, headers={"authorization": f"Bearer {file['control_token']}"}), timeout=10) as answer:
        return json.loads(answer.read())


def until_told(desk: Desk, seen: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    until_s = time.monotonic() + 20
    while not seen(known := workspace(desk)):
        assert time.monotonic() < until_s, json.dumps(known)
        time.sleep(0.05)
    return known
