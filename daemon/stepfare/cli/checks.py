"""What `stepfare doctor` looks at. Each check only looks, never mends, and never holds a secret: of a key it says where it is."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stepfare import __version__
from stepfare.cli.asking import Trouble, ask
from stepfare.cli.connect import clients, connection
from stepfare.cli.connect.place import World
from stepfare.cli.render.checks import Check, State
from stepfare.cli.render.words import clean, counted, short_path
from stepfare.config.check import limits_of
from stepfare.control.client import Absent, address_of, look_for_daemon
from stepfare.control.protocol import Overview
from stepfare.core.problem import Problem
from stepfare.paths import Paths, is_private
from stepfare.runtime.ledger_at import database_of, is_shared
from stepfare.runtime.play import play_of, read_settings
from stepfare.runtime.state import Play
from stepfare.runtime.workspaces import Workspaces
from stepfare.store import files, queries
from stepfare.store.errors import StoreError
from stepfare.store.readers import Readers
from stepfare.store.sqlite_file import SqliteFile
from stepfare.store.verify import verify

LEDGER_WHOLE_BYTES_MAX = 64 * 1024 * 1024
"""Larger books are checked at their end only: the whole proof takes seconds, and `stepfare ledger verify` gives it."""


def every_check(paths: Paths, environ: Mapping[str, str], folder: Path) -> Iterator[Check]:
    """All findings, from the ground up; `folder` is the project to look at."""
    play = play_of(read_settings(paths), environ)
    yield _python()
    yield from _folders(paths)
    yield from _settings(paths, play, folder)
    yield from _daemon(paths, play, environ)
    yield from _keys(play)
    yield _shared_ledger(play, paths, environ) if is_shared(play.settings.value.ledger) else _ledger(paths)
    yield from _clients(paths, environ)
    yield _watching(paths)


def _python() -> Check:
    return Check("python", "ok", f"stepfare {__version__} on Python {platform.python_version()} ({short_path(sys.executable)})")


def _folders(paths: Paths) -> Iterator[Check]:
    for folder in dict.fromkeys((paths.home, paths.config_dir)):
        yield _folder(folder)
    for file in (paths.daemon_json, paths.ledger_db):
        if file.exists() and not is_private(file):
            words = f"{short_path(str(file))} can be read or written by others"
            yield Check("files", "bad", words, f"chmod 600 {file}, and restart the daemon if you do not know who did that.")


def _folder(folder: Path) -> Check:
    shown = short_path(str(folder))
    if not folder.exists():
        return Check("files", "ok", f"{shown} is not there yet; the daemon makes it")
    if not folder.is_dir():
        return Check("files", "bad", f"{shown} is not a folder", "Move it away, or set STEPFARE_HOME to another place.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(
            "files", "bad", f"{shown} cannot be written", "Check who owns it and its permissions, or set STEPFARE_HOME to another."
        )
    if os.name != "nt" and folder.stat().st_mode & 0o022:
        return Check("files", "bad", f"others may put files into {shown}", f"chmod 700 {folder}")
    return Check("files", "ok", f"{shown} is yours and can be written")


def _settings(paths: Paths, play: Play, folder: Path) -> Iterator[Check]:
    problems = play.settings.problems
    if not paths.config_toml.exists():
        yield Check("settings", "ok", f"no {short_path(str(paths.config_toml))}: everything is at its default")
    elif not problems:
        yield Check("settings", "ok", f"{short_path(str(paths.config_toml))} is right")
    yield from _problems("settings", problems)
    workspace = Workspaces(lambda: limits_of(play.settings.value)).look(str(folder))
    if not workspace.dotfile_path:
        yield Check("project", "ok", f"no .stepfare.toml for {short_path(str(folder))}")
    elif not workspace.problems:
        yield Check("project", "ok", f"{short_path(workspace.dotfile_path)} is right")
    yield from _problems("project", workspace.problems)


def _problems(about: str, problems: Iterable[Problem]) -> Iterator[Check]:
    for problem in problems:
        place = f":{problem.line}" if problem.line else ""
        yield Check(
            about, "warn" if problem.severity == "warning" else "bad", f"{short_path(problem.source)}{place}: {clean(problem.words)}"
        )


def _daemon(paths: Paths, play: Play, environ: Mapping[str, str]) -> Iterator[Check]:
    found = look_for_daemon(paths)
    if isinstance(found, Absent):
        state: State = "warn" if found.reason in ("no-file", "dead") else "bad"
        words, _, todo = found.words.partition(". ")
        yield Check("daemon", state, words.rstrip("."), todo)
        yield _port(play, environ)
        return
    try:
        message = ask(paths, lambda daemon: daemon.overview())
    except Trouble as trouble:
        yield Check("daemon", "bad", clean(trouble.words))
        return
    who = f"process {found.pid} on {address_of(found)}"
    if found.version != __version__:
        yield Check(
            "daemon", "warn", f"{who} is version {found.version}", "`stepfare stop`, then `stepfare serve`: the new version takes over."
        )
    else:
        yield Check("daemon", "ok", f"{who} answers")
    yield from _overview(message)


def _overview(message: Overview) -> Iterator[Check]:
    if message.mode == "simulator":
        todo = "Set a provider's key where the daemon starts, for example OPENROUTER_API_KEY, and restart it."
        yield Check("daemon", "warn", "it serves the built-in simulator: no real model answers, all sums are play money", todo)
    for provider in message.providers:
        if provider.state == "resting":
            yield Check("daemon", "warn", f"provider {provider.id} is resting: {clean(provider.why)}")
    for problem in message.problems:
        place = f":{problem.line}" if problem.line else ""
        words = f"{short_path(problem.source)}{place}: {clean(problem.words)}"
        yield Check("daemon", "warn" if problem.severity == "warning" else "bad", words)


def _port(play: Play, environ: Mapping[str, str]) -> Check:
    server = play.settings.value.server
    said = environ.get("STEPFARE_PORT", "").strip()
    if said and not (said.isdecimal() and int(said) <= 65535):
        return Check(
            "port", "bad", f"STEPFARE_PORT is {clean(said)!r}, which is no port", "Set it to a number from 0 to 65535, or not at all."
        )
    port = int(said) if said else server.port
    try:
        family, kind, number, _, address = socket.getaddrinfo(server.host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        why = "taken by another program" if problem.errno == errno.EADDRINUSE else f"not to be had ({problem.strerror or problem})"
        return Check(
            "port", "bad", f"port {port} on {server.host} is {why}", "Choose another: `stepfare serve --port 4885`, or port in config.toml."
        )
    return Check("port", "ok", f"port {port} on {server.host} is free")


def _keys(play: Play) -> Iterator[Check]:
    # The reference, never the secret: `env:NAME` says all that a person needs.
    present = [f"{name} ({play.catalog.providers[name].key})" for name in sorted(play.keys) if name in play.catalog.providers]
    if present:
        yield Check("keys", "ok", f"in this shell: {', '.join(present)}")
    elif play.simulated:
        todo = "Set one, for example OPENROUTER_API_KEY, and restart the daemon; without any the simulator answers."
        yield Check("keys", "warn", "no provider has a key in this shell", todo)
    else:
        yield Check("keys", "ok", "the providers of config.toml need no key")
    yield from _problems("keys", play.problems)


def _shared_ledger(play: Play, paths: Paths, environ: Mapping[str, str]) -> Check:
    ledger = play.settings.value.ledger
    todo = (
        "Check [ledger] in config.toml, and that this machine may connect. Meanwhile a daemon that has met these books keeps here what is"
        " spent, and one that has not refuses calls."
    )
    try:
        books = database_of(ledger, paths, environ)
        readers = Readers(books)
        try:
            refusal, head = asyncio.run(readers.ask(lambda connection: (books.refusal(connection), queries.head(connection))))
        finally:
            readers.close()
    except StoreError as problem:
        return Check("ledger", "bad", clean(str(problem)), todo)
    if refusal:
        return Check("ledger", "bad", clean(refusal), todo)
    return Check("ledger", "ok", f"{counted(head.count, 'entry', 'entries')} at {books.name}; the whole proof: `stepfare ledger verify`")


def _ledger(paths: Paths) -> Check:
    path = paths.ledger_db
    if not path.is_file():
        return Check("ledger", "ok", "no books yet; they begin with the first start of the daemon")
    todo = "Run `stepfare ledger verify` for the whole story; keep a copy of the file before anything else."
    if path.stat().st_size <= LEDGER_WHOLE_BYTES_MAX:
        verdict = verify(path)
        if verdict.whole:
            return Check("ledger", "ok", f"{counted(verdict.rows, 'entry', 'entries')}, whole to the last")
        return Check("ledger", "bad", clean(verdict.problems[0]), todo)
    head = files.read_head(files.head_path(path))
    readers = Readers(SqliteFile(path))
    try:
        flaw = (
            "its head file is missing" if head is None else asyncio.run(readers.ask(lambda connection: queries.head_flaw(connection, head)))
        )
    except StoreError as problem:
        flaw = str(problem)
    finally:
        readers.close()
    if flaw:
        return Check("ledger", "bad", clean(flaw), todo)
    return Check("ledger", "ok", "its end is where it was last seen; the whole proof: `stepfare ledger verify`")


def _clients(paths: Paths, environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        states = [state for client in clients.CLIENTS for state in connection.state_of(client, World(Path.home(), environ), paths)]
    except connection.Refused as problem:
        yield Check("agents", "bad", clean(problem.words))
        return
    here = [state for state in states if state.trace or state.state != "not-connected"]
    if not here:
        yield Check("agents", "ok", "none found of those that `stepfare connect --list` knows")
    for state in here:
        title = f"{state.client.title} is {state.state.replace('-', ' ')}"
        if state.state == "connected":
            yield Check("agents", "ok", f"{title} to {state.base_url}")
        elif state.state == "not-connected":
            yield Check("agents", "ok", title, f"`stepfare connect {state.client.id}` connects it.")
        else:
            yield Check("agents", "warn", f"{title}: {clean(state.words)}", f"`stepfare connect {state.client.id}` connects it again.")


def _watching(paths: Paths) -> Check:
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    observer = Observer()
    observer.daemon = True
    folder = paths.config_dir if paths.config_dir.is_dir() else Path.home()
    try:
        observer.schedule(FileSystemEventHandler(), str(folder), recursive=False)
        observer.start()
    except OSError as problem:
        todo = "Nothing breaks: the daemon looks every second instead. On Linux, raise fs.inotify.max_user_instances or max_user_watches."
        return Check("watching", "warn", f"the system gives no file watches ({problem.strerror or problem})", todo)
    observer.stop()
    observer.join(timeout=2)
    return Check("watching", "ok", "changes of settings and project files are noticed at once")
