"""The world as tests may see it: a home of their own, no network beyond this machine, a clock that they move themselves.

Reaching for the real ones fails the test, even where the code under test swallows the error that it gets.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.clock import FakeClock
from tests.postgres import Server, serving

# Where programs look for a person's files. Each points into an empty folder during a test.
HOME_VARIABLES = {
    "HOME": "",
    "USERPROFILE": "",
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
    "XDG_RUNTIME_DIR": ".run",
}
# A key, a proxy or a setting of the person who runs the tests must not change what they show.
LEFT_OUT_PREFIXES = ("STEPFARE_",)
LEFT_OUT_SUFFIXES = ("_API_KEY", "_PROXY", "_proxy")
LOOPBACK_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", ""}


class Outside(OSError):
    """A test reached for an address that is not on this machine."""


_guard = threading.Lock()
_watching = False
_reached: list[str] = []


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes | bytearray):
        host = bytes(host).decode("ascii", "replace")
    if not isinstance(host, str):
        return host is None  # the wildcard of a listening socket
    if host.lower() in LOOPBACK_NAMES or host.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook sees every connection of this process, whichever library makes it, and cannot be patched away by one."""
    if not _watching or event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    target = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    if event != "socket.getaddrinfo":
        if not isinstance(target, tuple):
            return  # a socket of the file system
        target = target[0]
    if _is_loopback(target):
        return
    with _guard:
        _reached.append(f"{event} {target!r}")
    raise Outside(f"a test reached outside this machine: {event} {target!r}")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Only loopback. A connection elsewhere raises at once, and fails the test at its end if that was swallowed."""
    global _watching  # noqa: PLW0603
    _reached.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    if _reached:
        pytest.fail("reached outside this machine: " + "; ".join(_reached))


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder for the test, with no keys, no settings and no keyring of the person who runs it."""
    folder = tmp_path_factory.mktemp("home")
    for name, below in HOME_VARIABLES.items():
        monkeypatch.setenv(name, str(folder / below) if below else str(folder))
    for name in os.environ:
        if name.startswith(LEFT_OUT_PREFIXES) or name.endswith(LEFT_OUT_SUFFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    # A daemon of a test must not ask whatever listens at the usual ports of this machine.
    monkeypatch.setenv("STEPFARE_LOCAL", "off")
    return folder


@pytest.fixture
def stepfare_home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty STEPFARE_HOME for the test: settings, state and books all live in it."""
    folder = tmp_path / "stepfare-home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("STEPFARE_HOME", str(folder))
    return folder


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A real PostgreSQL server, started when the first test asks for it."""
    with serving() as server:
        yield server
