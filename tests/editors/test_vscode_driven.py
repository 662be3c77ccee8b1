"""A person in Visual Studio Code beside a working agent: what they see is what the books say, and a click lets a stopped agent go on.

The pictures of these tests are the ones in the extension's README.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.agents import CLINE, end_marked
from tests.e2e.desk import Desk, desk_with_providers
from tests.e2e.provider import simulator
from tests.e2e.tasks import BROKEN, EXPLAIN_TASK, FIX_TASK
from tests.editors.steps import ledger_sum, step, until, workspace
from tests.editors.vscode.code_server import PROGRAMS, code_server
from tests.editors.vscode.packed import Packed
from tests.editors.vscode.person import Person, person

pytestmark = [pytest.mark.editors, pytest.mark.usefixtures("visual_studio_code")]

STATUS = '.statusbar-item[id="stepfare.stepfare.spend"]'
MENU = ".quick-input-list .monaco-list-row"
TOAST = ".notification-list-item-message"
TREE = ".pane-body .monaco-list-row"
OUR_VIEW = '.activitybar .action-label[aria-label^="stepfare"]'

DOTFILE = """profile = "balanced"

[steps]
edit = "balancd"

[[paths]]
match = ["tests/**"]
floor = "balanced"

[budget]
session_usd = 2.00
"""
"""With one mistake."""
CAP_USD = "5.00"
NEW_USER_S_MAX = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with simulator() as provider, desk_with_providers(tmp_path, provider, ["openai"], f"[budget]\nday_usd = {CAP_USD}\n") as desk:
        yield desk


def works(desk: Desk) -> None:
    """Real Cline mends the project's failing tests."""
    desk.stepfare("connect", "cline3")
    told = desk.do(CLINE, FIX_TASK)
    assert told.code == 0, told


def opens(someone: Person, name: str) -> None:
    someone.presses("Control+P")
    someone.sees(".quick-input-widget input")
    someone.types(name)
    someone.sees(MENU, re.escape(name))
    someone.presses("Enter")
    someone.sees(".tab.active", re.escape(name))


def runs(someone: Person, command: str) -> None:
    """A command of the palette."""
    someone.presses("Control+Shift+P")
    someone.sees(".quick-input-widget input")
    someone.types(command)
    someone.clicks(MENU, re.escape(command))


def test_what_an_agent_cost_is_in_the_editor_with_its_reasons(desk: Desk, extension: Packed, pictures: Path) -> None:
    desk.project({**BROKEN, ".stepfare.toml": DOTFILE})
    with code_server(desk, vsix=extension.vsix) as code, person(pictures) as someone:
        someone.goes_to(code.url(desk.folder))
        assert someone.sees(STATUS, r"\$0\.00 today").strip() == "$0.00 today"
        works(desk)
        # The number of the books, and the tier that served last, in one line.
        spent = ledger_sum(desk)
        assert spent != "$0.00"
        shown = someone.sees(STATUS, rf"^\s*{re.escape(spent)} \. ").strip()
        assert shown.split(" . ")[1] in ("frugal", "balanced", "premium"), shown
        assert desk.stepfare("status", "--format", "plain").startswith(shown), shown

        someone.hovers(STATUS)
        tooltip = someone.sees(".monaco-hover", "The tests of this project fail")
        assert "than always balanced" in tooltip, tooltip
        assert "Session budget: " in tooltip, tooltip
        someone.picture("tooltip")
        someone.presses("Escape")

        opens(someone, ".stepfare.toml")
        someone.sees(".squiggly-error")
        assert "$" in someone.sees(".codelens-decoration a", r"\$")
        someone.sees(".view-lines", r"\$\d.*in 7 days|7 days|\$\d")
        someone.clicks(OUR_VIEW)
        title = "The tests of this project fail"
        someone.clicks(TREE, title)
        someone.sees(TREE, r"edit \$")
        someone.picture("dotfile-and-tree")
        someone.clicks(TREE, r"edit \$")
        someone.sees(".tab.active", r"Preview d_\w+\.md")
        someone.reads("Why openai/.* served this step")
        someone.picture("decision")

        someone.clicks(STATUS)
        someone.sees(MENU, "Explain the last step")
        someone.picture("menu")
        someone.clicks(MENU, "Explain the last step")
        someone.sees(TOAST, r"step, floor")

        runs(someone, "stepfare: Show what today cost")
        today = someone.sees(TOAST, r"Today: \$")
        assert re.match(r"Today: \$0\.\d+ in \d+ steps", today), today
        assert Decimal(today.split("$")[1].split(" ")[0]).quantize(Decimal("0.01")) == Decimal(spent.strip("$")), (today, spent)
        assert someone.refused() == []


def test_a_click_lets_a_stopped_agent_go_on(desk: Desk, extension: Packed, pictures: Path) -> None:
    desk.project(BROKEN)
    with code_server(desk, vsix=extension.vsix) as code, person(pictures) as someone:
        someone.goes_to(code.url(desk.folder))
        someone.sees(STATUS, "today")
        step(desk, "Explain this project.")
        someone.sees(STATUS, r"\$0\.\d\d \. |<\$0\.01 \. ")
        desk.stepfare("budget", "set", "--day", "0.0001")
        stopped = until("the cap holds", lambda: _stopped(desk))
        someone.sees(TOAST, "waits: the day budget leaves no room")
        until("a colour at the cap", lambda: someone.style(STATUS, "backgroundColor") not in ("", "rgba(0, 0, 0, 0)"))
        someone.picture("budget-question")
        someone.clicks(".notification-list-item .monaco-button", "^Add ")
        someone.sees(TOAST, "Added ")
        again = step(desk, "Explain this project.")
        assert "x-stepfare-budget" not in again.headers
        assert again.headers["x-stepfare-session"] == stopped


def _stopped(desk: Desk) -> str:
    answer = step(desk, "Explain this project.")
    return answer.headers["x-stepfare-session"] if "x-stepfare-budget" in answer.headers else ""


def test_from_nothing_to_the_spend_of_a_real_run(extension: Packed, tmp_path: Path, pictures: Path) -> None:
    """What the extension's README says, step by step, as somebody does it who has the two programs and nothing else."""
    desk = Desk(tmp_path, keys={"STEPFARE_PORT": str(free_port()), "STEPFARE_LOCAL": "off"})
    for folder in (desk.home, desk.folder, tmp_path / "stepfare"):
        folder.mkdir(mode=0o700)
    desk.project(BROKEN)
    CLINE.path()  # There is a Cline; how long a download takes is none of ours.
    began_s = time.monotonic()
    try:
        with code_server(desk, vsix=extension.vsix) as code, person(pictures) as someone:
            someone.goes_to(code.url(desk.folder))
            someone.sees(STATUS, "^\\s*stepfare is off")
            someone.clicks(STATUS)
            someone.clicks(MENU, "Start the daemon")
            someone.sees(STATUS, r"\$0\.00 today \. play money")
            runs(someone, "stepfare: Connect Cline")
            someone.clicks(".monaco-dialog-box .monaco-button", "^Connect$")
            someone.sees(TOAST, "Cline|cline")
            told = desk.do(CLINE, EXPLAIN_TASK)
            assert told.code == 0, told
            someone.sees(STATUS, rf"{re.escape(ledger_sum(desk))} \. \w+ \. play money")
            took_s = time.monotonic() - began_s
            someone.picture("first-run")
            print(f"from nothing to the spend of a real run: {took_s:.0f} s")
    finally:
        end_marked(desk.mark)
    assert took_s < NEW_USER_S_MAX


def test_a_missing_server_is_installed_after_asking(desk: Desk, extension: Packed, pictures: Path) -> None:
    folder = desk.home / ".local/bin"
    folder.mkdir(parents=True)
    ours = " ".join(str(Path(sys.executable).parent / name) for name in PROGRAMS)
    (folder / "uv").write_text(f'#!/bin/sh\n[ "$*" = "tool install stepfare" ] && ln -s {ours} {folder}\n')
    (folder / "uv").chmod(0o755)
    with code_server(desk, vsix=extension.vsix, programs=()) as code, person(pictures) as someone:
        someone.goes_to(code.url(desk.folder))
        someone.sees(TOAST, "stepfare is not installed here")
        assert not (folder / "stepfare-lsp").exists()
        someone.clicks(".notification-list-item .monaco-button", "^Install with uv$")
        someone.sees(STATUS, r"\$0\.00 today")


HOSTILE_DOTFILE = """base_url = "http://127.0.0.1:9/v1"
api_key = "sk-theirs"

[providers.openai]
base_url = "http://127.0.0.1:9/v1"

[budget]
day_usd = 1000000.00
"""


def test_a_hostile_project_changes_nothing(desk: Desk, extension: Packed, pictures: Path, tmp_path: Path) -> None:
    trap, trace = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {trace}\n")
    trap.chmod(0o755)
    settings = {"stepfare.server.path": str(trap), "stepfare.sendContext": False, "stepfare.trace.server": "verbose"}
    desk.project(
        {**BROKEN, ".stepfare.toml": HOSTILE_DOTFILE, ".vscode/settings.json": json.dumps(settings), "stepfare-lsp": trap.read_text()}
    )
    (desk.folder / "stepfare-lsp").chmod(0o755)
    with code_server(desk, vsix=extension.vsix) as code, person(pictures) as someone:
        someone.goes_to(code.url(desk.folder))
        someone.sees(STATUS, r"\$0\.00 today")
        opens(someone, ".stepfare.toml")
        someone.sees(".squiggly-error")
        # What a project says of the editor's own switch is not heard either.
        until("the context", lambda: [one.path for one in workspace(desk).documents] == [".stepfare.toml"])
        answer = step(desk, "Explain this project.")
        assert answer.words
        assert answer.headers["x-stepfare-model"].startswith("openai/")
        someone.sees(STATUS, r"<?\$0\.\d\d \. ")
        caps = json.loads(desk.stepfare("budget", "--json"))["caps"]
        assert [(cap["scope"], cap["cap_pusd"]) for cap in caps if cap["scope"] == "day"] == [("day", 5 * 10**12)]
        someone.picture("hostile")
    assert not trace.exists()


def test_restricted_mode_shows_spend_and_sends_nothing(desk: Desk, extension: Packed, pictures: Path) -> None:
    desk.project(BROKEN)
    with code_server(desk, vsix=extension.vsix, trust=True) as code, person(pictures) as someone:
        someone.goes_to(code.url(desk.folder))
        someone.sees(".statusbar-item", "Restricted Mode")
        someone.sees(STATUS, r"\$0\.00 today")
        opens(someone, "README.md")
        step(desk, "Explain this project.")
        someone.sees(STATUS, r"<?\$0\.\d\d \. ")
        someone.picture("restricted")
        assert workspace(desk).documents == []
        runs(someone, "Workspaces: Manage Workspace Trust")
        someone.clicks(".workspace-trust-editor .monaco-button", "^Trust$")
        until("the context, once the folder is trusted", lambda: "README.md" in [one.path for one in workspace(desk).documents])
        someone.sees_no_more(".statusbar-item", "Restricted Mode")
