"""Which client asks, where it works, in which mode."""

from __future__ import annotations

import json

import pytest

from stepfare.core.request import RequestView, Role, Text, ToolResult, Turn
from stepfare.steps.clients import client_of, mode_of, workspace_of
from tests.steps.views import a_view, called, gave, system, user

CLAUDE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
PLAN = "Plan mode is active. The user indicated that they do not want you to execute yet."


@pytest.mark.parametrize(
    ("view", "client"),
    [
        (a_view(user("x"), headers=CLAUDE), "claude-code"),
        (a_view(system("x-anthropic-billing-header: cc_version=2.1"), user("x")), "claude-code"),
        (a_view(user("x"), headers={"user-agent": "codex_exec/0.169.0 (Debian)"}), "codex"),
        (a_view(user("x"), headers={"originator": "codex_vscode"}), "codex"),
        (a_view(system("You are Cline, mentioned in AGENTS.md"), user("x"), tools=("read_files", "run_commands", "editor")), "cline"),
        (a_view(system("You are Cline, a highly skilled software engineer."), user("x"), tools=()), "cline-classic"),
        (a_view(system("You are a helpful assistant that can interact with a computer."), user("x"), tools=("bash",)), "mini-swe-agent"),
        (a_view(user("x"), tools=("execute_bash", "str_replace_editor")), "openhands"),
        (a_view(user("x"), tools=("my_tool",)), "unknown"),
        (a_view(user("You are Claude Code"), tools=()), "unknown"),
    ],
)
def test_a_client_is_known_by_its_marks(view: RequestView, client: str) -> None:
    assert client_of(view.headers, view) == client


@pytest.mark.parametrize(
    ("turn", "workspace"),
    [
        (system("# Environment\nPrimary working directory: /home/dev/ws\nIs a git repository: true"), "/home/dev/ws"),
        (system("4. Working Directory: /home/dev/my ws/"), "/home/dev/my ws"),
        (system("Current Working Directory: c:\\dev\\ws\n"), "c:\\dev\\ws"),
        (user("<environment_context>\n  <cwd>/home/dev/ws</cwd>\n</environment_context>"), "/home/dev/ws"),
        (user("# AGENTS.md instructions for /home/dev/ws\n\nbe brief"), "/home/dev/ws"),
        (user("[TASK RESUMPTION] The current working directory is now '/home/dev/ws'."), ""),
        (user("my working directory: /home/dev/other"), ""),
        (system("Working directory: src/relative"), ""),
    ],
)
def test_the_workspace_is_read_from_the_clients_marks_alone(turn: Turn, workspace: str) -> None:
    assert workspace_of(a_view(turn, user("hello"))) == workspace


def test_the_latest_workspace_wins() -> None:
    later = user("<environment_details>\nCurrent Working Directory: /home/dev/b\n</environment_details>")
    assert (
        workspace_of(a_view(system("Working directory: /home/dev/a"), user("x"), called("1", "read"), gave("1", "y"), later))
        == "/home/dev/b"
    )


def test_codex_names_its_workspace_in_a_header() -> None:
    header = json.dumps({"workspaces": {"/home/dev/ws": {"has_changes": False}}})
    assert workspace_of(a_view(user("x"), headers={"x-codex-turn-metadata": header})) == "/home/dev/ws"
    assert workspace_of(a_view(user("x"), headers={"x-codex-turn-metadata": "{broken"})) == ""


def test_the_last_mark_of_a_mode_wins() -> None:
    asked = (user("plan it"), system(PLAN))
    assert mode_of(a_view(*asked, headers=CLAUDE)) == "plan"
    left = (called("1", "ExitPlanMode", plan="x"), Turn(Role.USER, (ToolResult("1", "User has approved your plan. Go on."),)))
    assert mode_of(a_view(*asked, *left, headers=CLAUDE)) == "act"
    again = (system("## Exited Plan Mode\n\nYou may edit now."), user("and plan the next"), system(PLAN))
    assert mode_of(a_view(*asked, *again[:1], headers=CLAUDE)) == "act"
    assert mode_of(a_view(*asked, *again, headers=CLAUDE)) == "plan"


def test_talk_about_modes_is_no_mode() -> None:
    assert mode_of(a_view(user("What does '# Current Mode\nPLAN MODE' mean? Plan mode is active."), headers=CLAUDE)) == "act"
    read = (called("1", "read", path="a"), gave("1", PLAN))
    assert mode_of(a_view(user("x"), *read, headers=CLAUDE)) == "act"
    assert mode_of(a_view(user("x"))) == ""


def test_marks_in_the_users_own_envelope_count() -> None:
    assert mode_of(a_view(user('<user_input mode="plan">x</user_input>'), tools=("read_files", "run_commands"))) == "plan"
    assert mode_of(a_view(Turn(Role.USER, (Text("<system-reminder>\nPlan mode ACTIVE\n</system-reminder>"), Text("x"))))) == "plan"
