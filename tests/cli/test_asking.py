"""Commands against a daemon that answers, refuses, is another one, or is not there."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stepfare.control import protocol
from stepfare.control.protocol import Failure, Overview, Prices, Sessions
from tests.cli.conftest import Run
from tests.cli.samples import DECISION, DETAIL, OVERVIEW, PRICES, SESSION, SIMPLE
from tests.control.fake_daemon import LOCAL_TOKEN, FakeDaemon

NOBODY = "No daemon is running. Start it with `stepfare serve`.\n"


@pytest.mark.parametrize("command", ["status", "sessions", "session", "explain", "models", "prices", "stop"])
def test_no_daemon_is_an_ordinary_state_with_its_own_words(run: Run, command: str) -> None:
    ran = run(command)
    assert (ran.code, ran.out, ran.err) == (3, "", NOBODY)
    ran = run(command, "--json")
    assert (ran.code, ran.err) == (3, "")
    assert json.loads(ran.out) == {"error": "not-running", "words": NOBODY.strip()}


def test_a_daemon_of_another_version_is_named(run: Run, fake: FakeDaemon) -> None:
    fake.write_file(protocol=protocol.PROTOCOL + 1, version="9.0.0")
    ran = run("status")
    assert ran.code == 1
    assert "version 9.0.0" in ran.err
    assert "speaks control protocol" in ran.err


def test_a_refusal_is_shown_in_the_daemons_words(run: Run, fake: FakeDaemon) -> None:
    fake.answer("prices", Failure(error="busy", words="The catalogue is being read."), status=503)
    assert run("prices").err == "The catalogue is being read.\n"
    ran = run("prices", "--json")
    assert (ran.code, json.loads(ran.out)["error"]) == (1, "busy")


def test_status_speaks_to_people_programs_and_bars(run: Run, fake: FakeDaemon) -> None:
    fake.answer("overview", OVERVIEW)
    text = run("status").out
    assert text.startswith(f"stepfare 0.1.0 on http://127.0.0.1:{fake.port}, up ")
    assert "play money" in text
    for arguments in (("--json",), ("--format", "json"), ("--format", "tmux", "--json")):
        assert Overview.model_validate_json(run("status", *arguments).out) == OVERVIEW


def test_sessions_are_those_of_the_last_week(run: Run, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepfare.cli.spend.now_ms", lambda: 1_780_000_000_000)
    since = 1_780_000_000_000 - 7 * 86_400_000
    fake.answer(f"sessions?since_ms={since}&limit=50", Sessions(sessions=[SESSION]))
    fake.answer("sessions?limit=1", Sessions(sessions=[SESSION]))
    assert SESSION.id in run("sessions").out
    assert Sessions.model_validate_json(run("sessions", "--json").out).sessions == [SESSION]
    assert run("sessions", "--since", "all", "--limit", "1").out.endswith("Only the newest 1; more with --limit.\n")


@pytest.mark.parametrize(("since", "ms"), [("30m", 1_800_000), ("12h", 43_200_000), ("7d", 604_800_000), ("2w", 1_209_600_000)])
def test_since_counts_back_from_now(run: Run, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch, since: str, ms: int) -> None:
    monkeypatch.setattr("stepfare.cli.spend.now_ms", lambda: 1_780_000_000_000)
    fake.answer(f"sessions?since_ms={1_780_000_000_000 - ms}&limit=50", Sessions(sessions=[]))
    ran = run("sessions", "--since", since)
    assert (ran.code, ran.out) == (0, f"No sessions since {since}. All of them: `stepfare sessions --since all`.\n")


def test_since_takes_a_day_as_this_machine_counts_it(run: Run, fake: FakeDaemon) -> None:
    run("sessions", "--since", "2026-09-21T12:00:00+02:00")
    assert fake.asked[-1].path == "/control/v1/sessions?since_ms=1789984800000&limit=50"


@pytest.mark.parametrize("since", ["soon", "", "-3d", "3", "2026-13-40"])
def test_a_time_that_is_none_is_wrong_usage(run: Run, fake: FakeDaemon, since: str) -> None:
    ran = run("sessions", "--since", since)
    assert ran.code == 2
    assert "Write 30m, 12h" in ran.err
    assert fake.asked == []


def test_a_project_is_the_folder_or_else_the_repository_around_it(run: Run, fake: FakeDaemon, tmp_path: Path) -> None:
    inside = tmp_path / "shop" / "src"
    inside.mkdir(parents=True)
    (tmp_path / "shop" / ".git").mkdir()
    run("sessions", "--project", str(inside), "--since", "all")
    fake.answer(f"sessions?workspace={str(inside).replace('/', '%2F')}&limit=50", Sessions(sessions=[]))
    fake.answer(f"sessions?workspace={str(inside.parent).replace('/', '%2F')}&limit=50", Sessions(sessions=[SESSION]))
    assert SESSION.id in run("sessions", "--project", str(inside), "--since", "all").out


def test_a_session_is_found_by_the_beginning_of_its_id(run: Run, fake: FakeDaemon) -> None:
    fake.answer(f"sessions/{SESSION.id}", DETAIL)
    fake.answer("sessions?limit=1", Sessions(sessions=[SESSION]))
    fake.answer("sessions?limit=1000", Sessions(sessions=[SESSION, SIMPLE]))
    for way in (SESSION.id, "s-4", "last"):
        assert run("session", way).out.startswith("Session s-4f2a: ")
    assert run("session").out.startswith("Session s-4f2a: ")
    assert json.loads(run("session", "s-4", "--json").out) == json.loads(DETAIL.model_dump_json())
    ran = run("session", "s-")
    assert (ran.code, ran.err) == (1, "2 sessions begin with s-: s-4f2a, s-77. Write more of the id.\n")
    assert "There is no session zebra" in run("session", "zebra").err


def test_explain_takes_a_decision_a_session_or_a_step_of_it(run: Run, fake: FakeDaemon) -> None:
    fake.answer("decisions/last", DECISION)
    fake.answer("decisions/d-1", DECISION)
    fake.answer(f"sessions/{SESSION.id}", DETAIL)
    fake.answer("sessions?limit=1000", Sessions(sessions=[SESSION]))
    for way in ((), ("last",), ("d-1",), (SESSION.id,), ("s-4:2",)):
        assert run("explain", *way).out.startswith("Decision d-1 of session s-4f2a\nServed by lab/medium (balanced)\n")
    assert json.loads(run("explain", "--json").out) == json.loads(DECISION.model_dump_json())
    for step in ("0", "5", "x"):
        assert f"has no step {step}; it has 4" in run("explain", f"{SESSION.id}:{step}").err
    assert "no decision and no session zebra" in run("explain", "zebra").err


@pytest.mark.parametrize(
    ("body", "options", "dialect"),
    [
        ({"model": "auto", "messages": []}, (), "openai"),
        ({"model": "auto", "input": []}, (), "responses"),
        ({"model": "auto", "messages": [], "system": "x"}, (), "anthropic"),
        ({"model": "auto", "messages": [], "tools": [{"name": "a", "input_schema": {}}]}, (), "anthropic"),
        ({"model": "auto", "messages": []}, ("--dialect", "anthropic"), "anthropic"),
    ],
)
def test_a_dry_run_asks_in_the_format_of_the_request(
    run: Run, fake: FakeDaemon, tmp_path: Path, body: dict[str, object], options: tuple[str, ...], dialect: str
) -> None:
    fake.answer("decide", DECISION.model_copy(update={"id": None}), method="POST")
    file, before = tmp_path / "body.json", tmp_path / "before.json"
    file.write_text(json.dumps(body))
    before.write_text(json.dumps({"model": "before"}))
    arguments = ("decide", str(file), "--earlier", str(before), "--earlier", str(file), "--workspace", str(tmp_path), *options)
    assert run(*arguments).out.startswith("Dry run of session s-4f2a\nWould be served by lab/medium (balanced)\n")
    assert json.loads(run(*arguments, "--json").out)["id"] is None
    asked = json.loads(fake.asked[-1].body)
    told = {"dialect": dialect, "headers": {}, "body": body, "workspace": str(tmp_path), "earlier": [{"model": "before"}, body]}
    assert asked == told


@pytest.mark.parametrize(("text", "words"), [("{", "body.json is not JSON"), ("[]", "body.json does not hold a JSON object")])
def test_what_is_no_request_is_not_asked_about(run: Run, fake: FakeDaemon, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "body.json").write_text(text)
    ran = run("decide", str(tmp_path / "body.json"))
    assert (ran.code, words in ran.err, fake.asked) == (2, True, [])


def test_explain_says_when_nothing_was_decided_yet(run: Run, fake: FakeDaemon) -> None:
    fake.answer("decisions/last", Failure(error="no-decision", words="Nothing has been decided yet."), status=404)
    assert run("explain").err == "Nothing has been decided yet.\n"


def test_models_and_prices_show_those_in_use_or_all(run: Run, fake: FakeDaemon) -> None:
    for query in ("", "?look=1"):
        fake.answer(f"prices{query}", PRICES.model_copy(update={"models": PRICES.models[:1]}))
    for query in ("?all=1", "?all=1&look=1"):
        fake.answer(f"prices{query}", PRICES)
    for command in ("models", "prices"):
        assert "lab/new" not in run(command).out
        assert "lab/new" in run(command, "--all").out
        assert Prices.model_validate_json(run(command, "--all", "--json").out) == PRICES


def test_the_token_outlives_the_daemon_and_may_come_from_outside(run: Run, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.write_file(pid=2**22 + 1)
    assert run("token").out == f"{LOCAL_TOKEN}\n"
    assert json.loads(run("token", "--json").out) == {"local_token": LOCAL_TOKEN}
    monkeypatch.setenv("STEPFARE_TOKEN", " mine ")
    assert run("token").out == "mine\n"


def test_no_token_yet_says_how_to_get_one(run: Run) -> None:
    ran = run("token")
    assert ran.code == 1
    assert "Start the daemon once" in ran.err


def test_a_second_daemon_is_refused_with_the_place_of_the_first(run: Run, fake: FakeDaemon) -> None:
    for arguments in (("serve",), ("serve", "--detach")):
        fake.answer("/health", b"{}")
        ran = run(*arguments)
        assert ran.code == 1
        assert f"process {os.getpid()} on http://127.0.0.1:{fake.port}" in ran.err
        assert "stepfare stop" in ran.err


def on_a_terminal(environ: dict[str, str], *arguments: str) -> bytes:
    """What a command writes to a terminal of 80 columns."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "stepfare", *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "COLUMNS": "80", **environ},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says so when the other side has closed.
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert child.wait() == 0, shown
    return shown


def test_a_terminal_gets_colours_and_whole_lines_and_may_refuse_colours(fake: FakeDaemon) -> None:
    fake.answer(f"sessions/{SESSION.id}", DETAIL)
    coloured = on_a_terminal({"TERM": "xterm-256color"}, "session", SESSION.id)
    assert b"\x1b[34mbalanced" in coloured
    assert b"\x1b[31m" not in coloured  # the title's own attempt at a colour
    plain = on_a_terminal({"TERM": "xterm-256color", "NO_COLOR": "1"}, "session", SESSION.id)
    assert b"\x1b[3" not in plain
    lines = re.sub(r"\x1b\[\d*m", "", plain.decode()).splitlines()
    assert max(len(line) for line in lines) <= 80
    at = next(number for number, line in enumerate(lines) if line.startswith("2  edit"))
    # Nine columns and a reason have no room side by side in 80: the reason goes below its row.
    assert lines[at : at + 2] == [
        "2  edit       balanced  lab/medium  12,000   8,000  220    ~$0.4000",
        "    explore was foreseen; it had read the file; lab/other was busy",
    ]
