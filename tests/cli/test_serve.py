"""A real daemon, started and ended by the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from stepfare.cli import serve
from stepfare.control.client import find_daemon, lives
from stepfare.paths import Paths
from tests.cli.conftest import Run


@pytest.fixture
def tidy(run: Run, paths: Paths) -> Iterator[None]:
    """No daemon of a test outlives it."""
    yield
    if find_daemon(paths) is not None:
        run("stop")


def test_a_daemon_in_the_background_answers_refuses_a_second_and_ends(run: Run, paths: Paths, tidy: None) -> None:
    ran = run("serve", "--detach", "--port", "0", "--json")
    assert ran.code == 0, ran
    started = json.loads(ran.out)
    file = find_daemon(paths)
    assert file is not None
    assert (started["pid"], started["mode"]) == (file.pid, "simulator")
    assert started["address"] == f"http://127.0.0.1:{file.port}"

    assert "play money" in run("status").out
    assert run("token").out == f"{file.local_token}\n"
    assert "simulator/frugal" in run("models").out
    assert run("ledger", "verify").code == 0
    ran = run("serve", "--detach")
    assert ran.code == 1
    assert f"process {file.pid}" in ran.err

    ran = run("stop", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"stopped": file.pid})
    assert not lives(file.pid)
    assert run("stop").code == 3
    assert run("token").out == f"{file.local_token}\n"


def test_a_taken_port_is_told_and_no_daemon_stays(run: Run, paths: Paths, tidy: None) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = run("serve", "--detach", "--port", str(port))
        assert ran.code == 1
        assert f"port {port} on 127.0.0.1 is taken by another program" in ran.err
        assert str(paths.log_dir) in ran.err
        in_front = subprocess.run(
            [sys.executable, "-m", "stepfare", "serve", "--port", str(port)], capture_output=True, text=True, check=False
        )
        assert in_front.returncode == 1
        assert f"port {port} on 127.0.0.1 is taken by another program" in in_front.stderr
    assert find_daemon(paths) is None


def begins(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Another program in the daemon's place, and hardly any patience with it."""
    monkeypatch.setattr(serve, "_command", lambda host, port: [sys.executable, "-c", script])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(serve, "SILENT_S_MAX", 1.0)
    monkeypatch.setattr(serve, "SLOW_S", 0.5)


def test_a_daemon_that_says_what_it_does_is_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "for n in range(8): time.sleep(0.3); print(f'2026 INFO stepfare.store: adding up {n}', flush=True)"
    begins(monkeypatch, f"import time\n{says}\nraise SystemExit(4)")
    ran = run("serve", "--detach", "--port", "0")
    assert ran.code == 1
    # To its end, which came long after a silent one would have been given up.
    assert "adding up 7" in ran.err
    assert [f"\nadding up {n}\n" in f"\n{ran.err}" for n in range(7)] == [True] * 7


def test_a_daemon_that_says_nothing_is_given_up_and_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begins(monkeypatch, "import time; time.sleep(60)")
    ran = run("serve", "--detach", "--port", "0")
    named = re.search(r"`kill (\d+)` ends it", ran.err)
    assert named is not None, ran
    os.kill(int(named[1]), signal.SIGKILL)
    assert (ran.code, "has said nothing for 1 s" in ran.err) == (1, True)


def test_the_log_is_private(run: Run, paths: Paths, tidy: None) -> None:
    assert run("serve", "--detach", "--port", "0").code == 0
    assert [path.stat().st_mode & 0o077 for path in (paths.log_dir, *paths.log_dir.iterdir())] == [0, 0]


def test_nothing_is_ended_that_does_not_answer_as_the_daemon(run: Run, paths: Paths) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            paths.daemon_json.write_text(
                json.dumps(
                    {
                        "protocol": 1,
                        "version": "0",
                        "pid": sleeper.pid,
                        "port": port,
                        "started_ms": 0,
                        "local_token": "a",
                        "control_token": "b",
                    }
                )
            )
            paths.daemon_json.chmod(0o600)
            ran = run("stop")
        assert ran.code == 3
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.communicate()
