"""The doctor finds what is wrong, says what to do, and shows no key."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from stepfare.control.protocol import ProviderState
from stepfare.paths import Paths
from tests.cli.conftest import Ran, Run
from tests.cli.samples import OVERVIEW
from tests.control.fake_daemon import FakeDaemon

SECRET = "sk-secret-of-the-test"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, so that no file around the tests is looked at; and a port that is surely free."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STEPFARE_PORT", "0")
    return folder


def found(ran: Ran) -> dict[str, list[tuple[str, str, str]]]:
    checks: dict[str, list[tuple[str, str, str]]] = {}
    for check in json.loads(ran.out)["checks"]:
        checks.setdefault(check["about"], []).append((check["state"], check["words"], check["todo"]))
    return checks


def states(checks: list[tuple[str, str, str]]) -> list[str]:
    return [state for state, _, _ in checks]


def test_a_fresh_machine_has_nothing_bad(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0
    assert ran.out.endswith("Nothing is bad; 2 warnings.\n")
    assert "-> Start it with `stepfare serve`." in ran.out
    checks = found(run("doctor", "--json"))
    assert set(checks) == {"python", "files", "settings", "project", "daemon", "port", "keys", "ledger", "agents", "watching"}
    assert (states(checks["daemon"]), states(checks["keys"])) == (["warn"], ["warn"])


def test_wrong_settings_are_named_with_their_line(run: Run, paths: Paths, elsewhere: Path) -> None:
    paths.config_toml.write_text('profile = "balanced"\n[server]\nport = "many"\n')
    (elsewhere / ".stepfare.toml").write_text('[steps]\nedit = "premum"\n')
    ran = run("doctor", "--json")
    checks = found(ran)
    assert ran.code == 1
    assert checks["settings"][0][0] == "bad"
    assert "config.toml:3:" in checks["settings"][0][1]
    assert ".stepfare.toml:2:" in checks["project"][0][1]


def test_keys_are_told_by_their_place_and_never_shown(run: Run, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    paths.config_toml.write_text('[providers.groq]\napi_key = "env:MY_GROQ_KEY"\n')
    ran = run("doctor", "--json")
    checks = found(ran)
    assert any("openrouter (env:OPENROUTER_API_KEY)" in words for _, words, _ in checks["keys"])
    assert any(state == "warn" and "MY_GROQ_KEY" in words for state, words, _ in checks["keys"])
    assert SECRET not in ran.out + ran.err


def test_open_files_and_folders_are_bad(run: Run, paths: Paths, fake: FakeDaemon) -> None:
    paths.home.chmod(0o777)
    paths.daemon_json.chmod(0o644)
    ran = run("doctor", "--json")
    checks = found(ran)
    assert ran.code == 1
    assert [todo.split(",")[0] for state, _, todo in checks["files"] if state == "bad"] == [
        f"chmod 700 {paths.home}",
        f"chmod 600 {paths.daemon_json}",
    ]
    assert states(checks["daemon"]) == ["bad"]


def test_a_port_that_another_program_has_is_bad(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("STEPFARE_PORT", str(other.getsockname()[1]))
        assert "taken by another program" in found(run("doctor", "--json"))["port"][0][1]
    monkeypatch.setenv("STEPFARE_PORT", "eighty")
    assert states(found(run("doctor", "--json"))["port"]) == ["bad"]


def test_a_running_daemon_tells_its_own_troubles(run: Run, fake: FakeDaemon) -> None:
    resting = ProviderState(id="groq", state="resting", since_ms=0, why="4 errors in a row")
    fake.answer("overview", OVERVIEW.model_copy(update={"providers": [resting]}))
    checks = found(run("doctor", "--json"))
    assert "port" not in checks
    assert states(checks["daemon"]) == ["ok", "warn", "warn", "bad"]
    assert "groq is resting: 4 errors in a row" in checks["daemon"][2][1]
    assert ".stepfare.toml:3" in checks["daemon"][3][1]


def test_a_daemon_of_an_older_version_is_to_be_restarted(run: Run, fake: FakeDaemon) -> None:
    fake.write_file(version="0.0.9")
    fake.answer("overview", OVERVIEW.model_copy(update={"mode": "live", "problems": [], "providers": []}))
    assert found(run("doctor", "--json"))["daemon"][0][:2] == (
        "warn",
        f"process {fake.file().pid} on http://127.0.0.1:{fake.port} is version 0.0.9",
    )


def test_damaged_books_are_bad(run: Run, paths: Paths) -> None:
    paths.ledger_db.write_bytes(b"no database" * 500)
    paths.ledger_db.chmod(0o600)
    ran = run("doctor", "--json")
    assert (ran.code, states(found(ran)["ledger"])) == (1, ["bad"])
