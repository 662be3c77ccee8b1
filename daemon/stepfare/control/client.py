"""Finds the running daemon and asks it, for the command line and the language server.

Each answer is a message of `control.protocol`. Reconnecting, retrying and showing are the caller's business.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from stepfare.control import protocol
from stepfare.paths import Paths, is_private

if TYPE_CHECKING:
    # aiohttp is half of this module's import time, and half of the commands never get as far as asking.
    from aiohttp import ClientResponse, ClientSession

ROOT = "/control/v1"
CONNECT_S_MAX = 2.0
ANSWER_S_MAX = 15.0
DAEMON_FILE_BYTES_MAX = 64 * 1024
FEED_EVENT_BYTES_MAX = 8 * 1024 * 1024
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to knock when a daemon listens on every address."""
START_IT = "Start it with `stepfare serve`."

M = TypeVar("M", bound=protocol.Message)


class Unreachable(Exception):
    """Nobody of ours answers. `words` say what was tried and what to do; `running` is true where a daemon lives that we cannot talk to."""

    def __init__(self, words: str, *, running: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.running = running


class Refused(Exception):
    """The daemon understood, and said no. `failure` is what it said, `status` the HTTP status that it came with."""

    def __init__(self, failure: protocol.Failure, status: int) -> None:
        super().__init__(failure.words)
        self.failure = failure
        self.status = status


@dataclass(frozen=True, slots=True)
class Absent:
    """Why there is no daemon to talk to. `reason` is no-file, dead, not-private, unreadable or other-protocol; `words` say it."""

    reason: str
    words: str


def find_daemon(paths: Paths) -> protocol.DaemonFile | None:
    """The running daemon's file, or None. Says nothing of whether it answers."""
    found = look_for_daemon(paths)
    return None if isinstance(found, Absent) else found


def look_for_daemon(paths: Paths) -> protocol.DaemonFile | Absent:
    """The running daemon's file, or why there is none that can be used."""
    path = paths.daemon_json
    try:
        if not is_private(path):
            # Whoever could have written this file would be sent our token and believed.
            return Absent(
                "not-private", f"{path} can be read or written by others, so it is not trusted. Restart the daemon to write it anew."
            )
        found = _read(paths)
    except ValidationError:
        if (number := _protocol_number(path)) not in (None, protocol.PROTOCOL):
            return Absent("other-protocol", _other_protocol(number))
        return Absent("unreadable", f"{path} is not a daemon's file. Remove it, then restart the daemon.")
    except (FileNotFoundError, NotADirectoryError):
        return Absent("no-file", f"No daemon is running. {START_IT}")
    except OSError as problem:
        return Absent("unreadable", f"{path} cannot be read ({problem.strerror or problem}). Mend its permissions or remove it.")
    if not lives(found.pid):
        return Absent("dead", f"No daemon is running. {START_IT}")
    if found.protocol != protocol.PROTOCOL:
        return Absent("other-protocol", _other_protocol(found.protocol, found))
    return found


def last_daemon_file(paths: Paths) -> protocol.DaemonFile | None:
    """The file of the running daemon or of the last one, whose local token outlives it. None where it is missing or not private."""
    try:
        return _read(paths) if is_private(paths.daemon_json) else None
    except (OSError, ValidationError):
        return None


@asynccontextmanager
async def running_daemon(paths: Paths) -> AsyncGenerator[Daemon, None]:
    """The daemon of these paths, connected; raises Unreachable where there is none."""
    found = look_for_daemon(paths)
    if isinstance(found, Absent):
        raise Unreachable(found.words, running=found.reason in ("other-protocol", "not-private"))
    async with Daemon(found) as daemon:
        yield daemon


class Daemon:
    """A conversation with one daemon, open between `async with`. Each question raises Unreachable or Refused."""

    def __init__(self, file: protocol.DaemonFile) -> None:
        self.file = file
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Daemon:
        if self.file.protocol != protocol.PROTOCOL:
            raise Unreachable(_other_protocol(self.file.protocol, self.file), running=True)
        from aiohttp import ClientSession, ClientTimeout

        self._session = ClientSession(
            headers={"Authorization": f"Bearer {self.file.control_token}"},
            timeout=ClientTimeout(total=ANSWER_S_MAX, sock_connect=CONNECT_S_MAX),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def overview(self) -> protocol.Overview:
        return await self._get(protocol.Overview, "overview")

    async def sessions(self, *, workspace: str | None = None, since_ms: int | None = None, limit: int | None = None) -> protocol.Sessions:
        """Sessions, newest first: of one workspace, active since a time, so many at most."""
        return await self._get(protocol.Sessions, "sessions" + _query(workspace=workspace, since_ms=since_ms, limit=limit))

    async def session(self, session_id: str) -> protocol.SessionDetail:
        return await self._get(protocol.SessionDetail, f"sessions/{quote(session_id, safe='')}")

    async def rename(self, session_id: str, title: str) -> protocol.Said:
        return await self._ask(protocol.Said, "PUT", f"sessions/{quote(session_id, safe='')}/title", protocol.Rename(title=title))

    async def merge(self, session_id: str, into: str) -> protocol.Said:
        return await self._ask(protocol.Said, "PUT", f"sessions/{quote(session_id, safe='')}/merge", protocol.Merge(into=into))

    async def unmerge(self, session_id: str) -> protocol.Said:
        """Make a merged session, named by its own id, one of its own again."""
        return await self._ask(protocol.Said, "DELETE", f"sessions/{quote(session_id, safe='')}/merge")

    async def split(self, session_id: str, step: int) -> protocol.Said:
        """Make what came from this step on, counted from 1, a session of its own: the answer names it."""
        return await self._ask(protocol.Said, "POST", f"sessions/{quote(session_id, safe='')}/split", protocol.SplitAt(step=step))

    async def pin(self, session_id: str, tier: protocol.TierName | None) -> protocol.Said:
        """Let one tier serve every coming step; None gives the choice back."""
        return await self._ask(protocol.Said, "PUT", f"sessions/{quote(session_id, safe='')}/pin", protocol.Pin(tier=tier))

    async def unpin(self, session_id: str) -> protocol.Said:
        return await self._ask(protocol.Said, "DELETE", f"sessions/{quote(session_id, safe='')}/pin")

    async def decision(self, decision_id: str = "last", *, session: str | None = None) -> protocol.Decision:
        """A decision; `last` is the newest one, of all or of one session."""
        return await self._get(protocol.Decision, f"decisions/{quote(decision_id, safe='')}" + _query(session=session))

    async def report(self, question: protocol.ReportQuestion) -> protocol.Report:
        """What was spent, of whom and by what the question says."""
        asked = question.model_dump(exclude={"by"})
        return await self._get(protocol.Report, "report" + _query(by=",".join(question.by), **asked))

    async def files(self, project: str, since_ms: int) -> protocol.Files:
        """What was spent on the files of a project's folder since the day (UTC) that `since_ms` lies in."""
        return await self._get(protocol.Files, "files" + _query(project=project, since_ms=since_ms))

    async def prices(self, *, all_models: bool = False, look: bool = False) -> protocol.Prices:
        """The catalogue: models of providers in use, or of all providers. With `look`, servers of this machine are asked first."""
        return await self._get(protocol.Prices, "prices" + _query(all=1 if all_models else None, look=1 if look else None))

    async def workspace(self, workspace_id: str) -> protocol.Workspace:
        """A workspace by its root path, or by the id that a workspace message carries."""
        return await self._get(protocol.Workspace, f"workspaces/{quote(workspace_id, safe='')}")

    async def put_workspace(self, workspace: protocol.Workspace) -> protocol.Workspace:
        """Tell the daemon what an editor knows of its workspace; the answer is the workspace as the daemon now sees it."""
        return await self._ask(protocol.Workspace, "PUT", f"workspaces/{quote(workspace.id or workspace.root, safe='')}", workspace)

    async def decide(self, question: protocol.Decide) -> protocol.Decision:
        """What would be decided for this request; nothing is sent."""
        return await self._ask(protocol.Decision, "POST", "decide", question)

    async def budgets(self, session: str | None = None) -> protocol.Budgets:
        """The caps in force: of one session, or those that hold anyway and those of the latest sessions."""
        return await self._get(protocol.Budgets, "budgets" + _query(session=session))

    async def extend(self, scope: protocol.ScopeName, subject: str, more: protocol.Extend) -> protocol.Budgets:
        """Add to a cap; `subject` is the session's id or the project's folder, empty for the day and the month."""
        where = f"budgets/{scope}" + (f"/{quote(subject, safe='')}" if subject else "")
        return await self._ask(protocol.Budgets, "PUT", where, more)

    async def reload(self) -> protocol.Reloaded:
        return await self._ask(protocol.Reloaded, "POST", "reload")

    async def dashboard_link(self) -> protocol.DashboardLink:
        """A link that opens the dashboard once, within a minute."""
        return await self._ask(protocol.DashboardLink, "POST", "dashboard-links")

    async def events(self, after: int) -> AsyncGenerator[protocol.Event, None]:
        """What happens from event `after` on. Ends when the daemon closes the feed, raises Unreachable when the connection breaks.

        Use it in `contextlib.aclosing` where it may be left early, so that the connection is given back at once.
        """
        from aiohttp import ClientError, ClientTimeout

        reader = _FeedReader()
        # No limit on silence: nothing happening is the normal state of a feed, and on loopback a dead daemon closes its socket.
        timeout = ClientTimeout(total=None, sock_connect=CONNECT_S_MAX)
        try:
            async with self._request("GET", f"events?after={after}", timeout=timeout, accept="text/event-stream") as answer:
                if answer.status != 200:
                    raise self._refusal(answer, await answer.read())
                async for chunk in answer.content.iter_any():
                    for data in reader.feed(chunk):
                        yield protocol.Event.model_validate_json(data)
        except (ClientError, OSError) as problem:
            raise self._unreachable(problem) from problem
        except ValidationError as problem:
            raise self._not_ours() from problem

    async def _get(self, message: type[M], path: str) -> M:
        return await self._ask(message, "GET", path)

    async def _ask(self, message: type[M], method: str, path: str, body: protocol.Message | None = None) -> M:
        from aiohttp import ClientError

        try:
            async with self._request(method, path, body=body) as answer:
                data = await answer.read()
        except (ClientError, OSError) as problem:
            raise self._unreachable(problem) from problem
        if answer.status != 200:
            raise self._refusal(answer, data)
        try:
            return message.model_validate_json(data)
        except ValidationError as problem:
            raise self._not_ours() from problem

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *, body: protocol.Message | None = None, timeout: object = None, accept: str = "application/json"
    ) -> AsyncGenerator[ClientResponse, None]:
        from aiohttp import ClientTimeout
        from yarl import URL

        assert self._session is not None, "a daemon is asked inside `async with`"
        # Already encoded: a workspace is named by its quoted path, and one more round of quoting would name another.
        url = URL(f"{address_of(self.file)}{ROOT}/{path}", encoded=True)
        headers = {"Accept": accept}
        data: bytes | None = None
        if method != "GET":
            headers["Content-Type"] = "application/json"
            data = b"{}" if body is None else body.model_dump_json().encode()
        limits = timeout if isinstance(timeout, ClientTimeout) else self._session.timeout
        async with self._session.request(method, url, data=data, headers=headers, timeout=limits, allow_redirects=False) as answer:
            yield answer

    def _refusal(self, answer: ClientResponse, data: bytes) -> Unreachable | Refused:
        try:
            return Refused(protocol.Failure.model_validate_json(data), answer.status)
        except ValidationError:
            return self._not_ours()

    def _unreachable(self, problem: Exception) -> Unreachable:
        where = f"The daemon (process {self.file.pid}) on {address_of(self.file)}"
        if isinstance(problem, TimeoutError):
            return Unreachable(
                f"{where} gave no answer in time. Look into its log, or restart it: `stepfare stop`, then `stepfare serve`.", running=True
            )
        return Unreachable(f"{where} does not answer ({str(problem) or type(problem).__name__}). {START_IT}")

    def _not_ours(self) -> Unreachable:
        return Unreachable(
            f"What answers on {address_of(self.file)} does not talk like stepfare's daemon (process {self.file.pid}). "
            "If another program has taken its port, start the daemon on another one: `stepfare serve --port N`."
        )


def address_of(file: protocol.DaemonFile) -> str:
    """`http://host:port` of the daemon, as this machine reaches it."""
    host = WILDCARDS.get(file.host, file.host)
    return f"http://[{host}]:{file.port}" if ":" in host else f"http://{host}:{file.port}"


class _Numbered(protocol.Message):
    """As much of a daemon's file as every version of it has."""

    protocol: int


class _FeedReader:
    """The data of server-sent events from bytes cut anywhere; event names, ids and comments are left out, since our data tells all."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > FEED_EVENT_BYTES_MAX:
            raise Unreachable(f"The daemon's feed sent an event longer than {FEED_EVENT_BYTES_MAX} bytes.", running=True)
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                yield data


def _query(**parts: str | int | None) -> str:
    given = {name: value for name, value in parts.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def lives(pid: int) -> bool:
    """Whether there is a process of ours with this number."""
    if pid <= 0:
        return False
    # On Windows signal 0 is a real one and would end the process; there the question that nobody answers has to tell.
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        # A process of somebody else cannot be the one that wrote our file: the number was given away again.
        return False
    try:
        # Dead, but not yet taken note of by its parent; where nobody takes note (containers), for ever.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:1] != [b"Z"]
    except OSError:
        return True


def _read(paths: Paths) -> protocol.DaemonFile:
    with paths.daemon_json.open("rb") as file:
        return protocol.DaemonFile.model_validate_json(file.read(DAEMON_FILE_BYTES_MAX))


def _protocol_number(path: Path) -> int | None:
    try:
        return _Numbered.model_validate_json(path.read_bytes()[:DAEMON_FILE_BYTES_MAX]).protocol
    except (OSError, ValidationError):
        return None


def _other_protocol(number: int | None, file: protocol.DaemonFile | None = None) -> str:
    who = f"The running daemon (version {file.version}, process {file.pid})" if file else "The running daemon"
    return (
        f"{who} speaks control protocol {number}, this program speaks {protocol.PROTOCOL}. "
        "Use the same version of stepfare for both: restart the daemon or update this program."
    )
