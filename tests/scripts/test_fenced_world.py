"""The fence around the tests themselves: no network, no home, no keys of whoever runs them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.clock import FakeClock

ROOT = Path(__file__).resolve().parents[2]
PLAY = '''"""Tests that reach too far, and one that does not."""
import asyncio, socket
from contextlib import suppress

def test_swallows():
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)

def test_looks_up():
    with suppress(OSError):
        socket.getaddrinfo("example.invalid", 443)

def test_datagram():
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", ("192.0.2.1", 53))

async def test_loop():
    with suppress(OSError):
        await asyncio.open_connection("192.0.2.1", 80)

async def test_loopback():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "localhost", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.close()
    server.close()
'''


def test_reaching_out_fails_a_test_even_where_the_error_is_swallowed(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_play.py").write_text(PLAY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
        "--rootdir",
        str(tmp_path),
        ".",
    ]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    for name, event in (("swallows", "connect"), ("looks_up", "getaddrinfo"), ("datagram", "sendto"), ("loop", "192.0.2.1")):
        assert f"ERROR test_play.py::test_{name} - Failed: reached outside this machine" in done.stdout, done.stdout
        assert event in done.stdout
    assert "5 passed, 4 errors" in done.stdout, done.stdout


def test_the_home_is_empty_and_not_the_persons(home: Path) -> None:
    assert Path.home() == home
    assert not list(home.iterdir())


def test_keys_and_settings_of_the_person_are_not_seen() -> None:
    own = {"STEPFARE_LOCAL"}  # Set for all tests: no server of this machine is asked what it serves.
    assert not [name for name in os.environ if name.endswith("_API_KEY") or (name.startswith("STEPFARE_") and name not in own)]


def test_stepfare_has_a_home_of_its_own(stepfare_home: Path) -> None:
    from stepfare.paths import paths_from

    assert paths_from(os.environ).home == stepfare_home
    assert paths_from(os.environ).daemon_json.parent == stepfare_home


def test_a_socket_of_this_machine_may_be_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize("ms", [0, 1, 60_000])
def test_the_clock_moves_only_when_it_is_moved(clock: FakeClock, ms: int) -> None:
    before = clock()
    assert clock.advance(ms) == before + ms == clock.now_ms()
    assert clock.monotonic() == ms / 1000
