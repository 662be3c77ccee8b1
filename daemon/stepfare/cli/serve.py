"""`stepfare serve`: runs the daemon in the foreground, or starts it in the background and waits until it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from stepfare.cli.asking import Trouble, command_of, here, json_option, now_ms, print_json
from stepfare.cli.render.words import ago
from stepfare.control.client import Absent, address_of, find_daemon, look_for_daemon
from stepfare.control.protocol import DaemonFile
from stepfare.paths import HOME_VARIABLE, PRIVATE_FILE_MODE, Paths, make_private_dir

SILENT_S_MAX = 30.0
"""How long a daemon that begins may say nothing in its log, and give no answer."""
SLOW_S = 3.0
"""Of a daemon that takes longer to begin, what it says meanwhile is shown."""
LOOK_EVERY_S = 0.05
HEALTH_S_MAX = 2.0
HEALTH_BYTES_MAX = 64 * 1024
LOG_NAME = "serve.log"
LOG_BYTES_MAX = 5 * 1024 * 1024
LOG_SHOWN_LINES_MAX = 15


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Listen here (0: any free port); else STEPFARE_PORT, else config.toml, else 4884."
)
@click.option("--host", help="Listen on this address; else config.toml, else 127.0.0.1, which only this machine reaches.")
@click.option("--detach", is_flag=True, help="Run in the background; return as soon as it answers.")
@json_option
@command_of
def serve(port: int | None, host: str | None, detach: bool, as_json: bool) -> None:
    """Run the daemon. Without any provider key it serves a built-in simulator, and says so everywhere.

    Then point a coding agent at it: `stepfare connect cline`, or by hand with the base URL http://127.0.0.1:4884/v1, the model `auto`
    and the key that `stepfare token` prints.
    """
    paths = here()
    _refuse_a_second(paths)
    if detach:
        _start_in_background(paths, host, port, as_json=as_json)
        return
    # The daemon's own rooms are imported here and nowhere else on the command line: they are most of the program.
    from stepfare.server.run import ServeOptions
    from stepfare.server.run import serve as serve_until_stopped

    click.get_current_context().exit(serve_until_stopped(ServeOptions(host=host, port=port)))


def _refuse_a_second(paths: Paths) -> None:
    found = look_for_daemon(paths)
    if isinstance(found, Absent):
        if found.reason == "other-protocol":
            raise Trouble("already-running", found.words)
        return
    if _health_of(found) is not None:
        raise Trouble(
            "already-running",
            f"A daemon is running already: process {found.pid} on {address_of(found)}, started {ago(found.started_ms, now_ms())}. "
            "Use that one, or end it with `stepfare stop`.",
        )


def _start_in_background(paths: Paths, host: str | None, port: int | None, *, as_json: bool) -> None:
    log = paths.log_dir / LOG_NAME
    with _opened_log(log) as output:
        begins_at = output.tell()
        # In a session of its own: closing this terminal must not end it.
        child = subprocess.Popen(
            _command(host, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=_lasting_folder(paths),
            env=_environment(paths),
        )
    shown = _Meanwhile(log, begins_at)
    while True:
        file = find_daemon(paths)
        health = _health_of(file) if file is not None and file.pid == child.pid else None
        if file is not None and health is not None:
            break
        if child.poll() is not None:
            said = _end_of(log, begins_at)
            raise Trouble("not-started", (said or f"The daemon ended at once with exit code {child.returncode}.") + f"\nIts log: {log}")
        if shown.look(time.monotonic()) > SILENT_S_MAX:
            raise Trouble(
                "slow-start",
                f"The daemon (process {child.pid}) has started, but it gives no answer and has said nothing for {SILENT_S_MAX:.0f} s."
                f" It was left running: `stepfare status` says whether it answers by now, `kill {child.pid}` ends it. Its log: {log}",
            )
        time.sleep(LOOK_EVERY_S)
    mode, status = health.get("mode", ""), health.get("status", "")
    if as_json:
        told = {"pid": file.pid, "address": address_of(file), "version": file.version, "mode": mode, "status": status, "log": str(log)}
        print_json(told)
        return
    click.echo(f"stepfare runs in the background: process {file.pid} on {address_of(file)}")
    if status == "waiting":
        click.echo(f"It waits: {health.get('words', '')}. `stepfare status` says why.", err=True)
    if mode == "simulator":
        from stepfare.cli.render.spend import PLAY_MONEY

        click.echo(PLAY_MONEY)
    click.echo(
        "Point a coding agent at it: `stepfare connect --list` names those that can be set up; or by hand with\n"
        f"base URL {address_of(file)}/v1, model auto, and the key that `stepfare token` prints.\n"
        f"End it with `stepfare stop`. Its log: {log}"
    )


class _Meanwhile:
    """What a daemon says while it begins: it is waited for as long as it says something."""

    def __init__(self, log: Path, begins_at: int) -> None:
        self._log, self._read_to = log, begins_at
        self._began_s = self._heard_s = time.monotonic()
        self._news: list[str] = []

    def look(self, now_s: float) -> float:
        """Shows what it said, once it takes long. For how many seconds it has said nothing."""
        with self._log.open("rb") as file:
            file.seek(self._read_to)
            lines, end, _ = file.read(LOG_BYTES_MAX).rpartition(b"\n")
        if end:
            self._heard_s = now_s
            self._read_to += len(lines) + len(end)
            self._news += lines.decode("utf-8", "replace").splitlines()
        if now_s - self._began_s >= SLOW_S:
            for line in self._news:
                click.echo(line.partition(": ")[2] or line, err=True)  # Without time, level and room.
            self._news.clear()
        return now_s - self._heard_s


def _command(host: str | None, port: int | None) -> list[str]:
    command = [sys.executable, "-m", "stepfare", "serve"]
    if host is not None:
        command += ["--host", host]
    if port is not None:
        command += ["--port", str(port)]
    return command


def _environment(paths: Paths) -> dict[str, str]:
    # A relative STEPFARE_HOME would mean another folder in the folder that the daemon runs in.
    return {**os.environ, HOME_VARIABLE: str(paths.home)} if os.environ.get(HOME_VARIABLE) else dict(os.environ)


def _lasting_folder(paths: Paths) -> Path:
    # Not the caller's folder: that may be deleted, or be a disk to unmount, while the daemon runs.
    make_private_dir(paths.home)
    return paths.home


def _opened_log(log: Path) -> BinaryIO:
    make_private_dir(log.parent)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".old.log"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE_MODE), "ab")


def _end_of(log: Path, begins_at: int) -> str:
    with log.open("rb") as file:
        file.seek(begins_at)
        lines = file.read(LOG_BYTES_MAX).decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-LOG_SHOWN_LINES_MAX:])


def _health_of(file: DaemonFile) -> dict[str, str] | None:
    """What answers /health there; None where nothing does."""
    scheme, _, place = address_of(file).partition("://")
    assert scheme == "http", file
    connection = HTTPConnection(place, timeout=HEALTH_S_MAX)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        # 503: it runs, and waits for its books.
        return msgspec.json.decode(answer.read(HEALTH_BYTES_MAX), type=dict[str, str]) if answer.status in (200, 503) else None
    except (OSError, HTTPException, msgspec.MsgspecError):
        return None
    finally:
        connection.close()
