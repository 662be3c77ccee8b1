"""The language server beside a daemon with a million entries: how long each request of an editor takes over the server's own stdin and
stdout, on a project's file of usual length and on one of ten thousand lines, and how soon a step's cost is in the editor."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from benchmark import bodies
from benchmark.ledger import ENTRIES, ENTRIES_QUICK, fill
from benchmark.report import Row
from benchmark.stand import KB, MS, Stand, p50, percentile
from benchmark.wire import ask
from benchmark.world import CannotMeasure, Daemon, cores, daemon, pin

ASKED, ASKED_QUICK = 60, 15
STEPS, STEPS_QUICK = 30, 8
P95_TARGET_MS, SEEN_TARGET_MS = 20.0, 150.0
WAIT_S = 30.0
CHANGING = frozenset({"command pinSession", "command unpinSession"})
"""What changes something is asked when the news of the time before was taken in: nobody pins twice in a tenth of a second."""
NEWS_S = 0.1
QUIET_S = 1.1

DOTFILE = """\
profile = "balanced"

[steps]
edit = "premium"
run = "frugal"

[[paths]]
match = ["src/part-1/**", "docs/**"]
floor = "premium"

[budget]
day_usd = 5
on_limit = "ask"
"""
LONG = 10_000
"""So many lines has a long one."""

Params = Mapping[str, Any]


class Editor:
    """A language client that times its requests, on the real server's stdin and stdout."""

    def __init__(self, started: Daemon, folder: str) -> None:
        environment = {**os.environ, "STEPFARE_HOME": str(started.home), "HOME": str(started.home)}
        command = [sys.executable, "-P", "-m", "stepfare_lsp", "--stdio"]
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        pin(self._process.pid, cores().measured)
        self._numbers = itertools.count(1)
        self._answers: Queue[tuple[float, dict[str, Any]]] = Queue()
        self.spends: Queue[tuple[float, dict[str, Any]]] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        folders = [{"uri": f"file://{folder}", "name": "bench"}]
        abilities: Params = {"workspace": {"workspaceFolders": True}, "window": {}}
        options: Params = {"lens": {"files": True}, "offer_to_start": False}
        self.ask(
            "initialize", {"processId": None, "capabilities": abilities, "workspaceFolders": folders, "initializationOptions": options}
        )
        self.tell("initialized", {})

    def ask(self, method: str, params: Params) -> tuple[float, Any]:
        """Milliseconds from the question's last byte to the answer's, and the answer."""
        number = next(self._numbers)
        began = time.perf_counter()
        self._send({"id": number, "method": method, "params": params})
        while True:
            try:
                at, message = self._answers.get(timeout=WAIT_S)
            except Empty:
                raise CannotMeasure(f"the language server did not answer {method} within {WAIT_S:g} s") from None
            if message.get("id") == number:
                if "error" in message:
                    raise CannotMeasure(f"{method}: {message['error']['message']}")
                return (at - began) * MS, message["result"]

    def tell(self, method: str, params: Params) -> None:
        self._send({"method": method, "params": params})

    def open(self, path: str, text: str) -> str:
        uri = f"file://{path}"
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "toml", "version": 1, "text": text}})
        return uri

    def close(self) -> None:
        self.ask("shutdown", {})
        self.tell("exit", {})
        try:
            self._process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _send(self, message: Params) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while (message := _next(self._process.stdout)) is not None:
            at = time.perf_counter()
            if message.get("method") == "stepfare/spend":
                self.spends.put((at, message["params"]))
            elif "method" not in message:
                self._answers.put((at, message))
            elif "id" in message:
                self._send({"id": message["id"], "result": None})


def _next(stream: IO[bytes]) -> dict[str, Any] | None:
    length = 0
    while line := stream.readline():
        if line == b"\r\n":
            return json.loads(stream.read(length))
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return None


def measure(stand: Stand) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="stepfare-bench-lsp-") as folder:
        books = Path(folder) / "books" / "ledger.db"
        books.parent.mkdir()
        what = f"{fill(books, ENTRIES_QUICK if stand.quick else ENTRIES):,} entries"
        with daemon(stand.upstream.port, books.parent) as started, _editor(started) as (editor, project):
            rows = _requests(editor, started, project, what, stand.rounds(ASKED, ASKED_QUICK))
            return [*rows, _seen(editor, started, project, what, stand)]


@contextmanager
def _editor(started: Daemon) -> Iterator[tuple[Editor, str]]:
    from benchmark.big_ledger import PROJECTS, folder_of

    project = folder_of(PROJECTS // 8)
    editor = Editor(started, project)
    try:
        _until(editor, lambda spend: spend["mode"] != "offline" and spend["session"])
        yield editor, project
    finally:
        editor.close()


def _requests(editor: Editor, started: Daemon, project: str, what: str, times: int) -> list[Row]:
    """Every request once for warmth, since figures are asked ahead, then so many times."""
    from benchmark.big_ledger import folder_of

    session = ask(started.port, f"/control/v1/sessions?limit=1&workspace={project}", token=started.control_token)["sessions"][0]["id"]
    short = editor.open(f"{project}/.stepfare.toml", DOTFILE)
    long_project = folder_of(0)
    filler = "#\n" * (LONG - DOTFILE.count("\n"))
    long = editor.open(f"{long_project}/.stepfare.toml", DOTFILE + filler)
    code = editor.open(f"{project}/src/part-1/file-1.py", "pass\n")
    questions: dict[str, tuple[str, Params]] = {
        name: (f"stepfare/{name}", params)
        for name, params in (
            ("overview", {}),
            ("sessions", {}),
            ("session", {"session": session}),
            ("decision", {"decision": "last"}),
            ("endpoint", {}),
            ("rows", {}),
            ("menu", {}),
        )
    }
    questions["rows of a session"] = ("stepfare/rows", {"session": session})
    for command, argument in (
        ("sessionSpend", {}),
        ("sessions", {"workspace": project}),
        ("todaySpend", {}),
        ("explainLast", {}),
        ("status", {}),
        ("showSession", {}),
        ("showDecision", {}),
        ("pinSession", {"tier": "premium"}),
        ("unpinSession", {}),
        ("openDashboard", {}),
    ):
        questions[f"command {command}"] = ("workspace/executeCommand", {"command": f"stepfare.{command}", "arguments": [argument]})
    for name, uri in (("short", short), ("long", long)):
        questions |= {f"{about}, {name} file": question for about, question in _of_document(uri).items()}
    questions["lens, code file"] = ("textDocument/codeLens", {"textDocument": {"uri": code}})
    for method, params in questions.values():
        editor.ask(method, params)
    time.sleep(QUIET_S)  # What is asked ahead has come.
    rows: list[Row] = []
    for name, (method, params) in questions.items():
        taken_ms = [_asked(editor, method, params, after_s=NEWS_S if name in CHANGING else 0) for _ in range(times)]
        note = f"p50 {p50(taken_ms):.1f}"
        rows.append(Row("lsp", f"{what}: {name}, p95", "ms", ours=percentile(taken_ms, 0.95), target=P95_TARGET_MS, note=note))
    return rows


def _asked(editor: Editor, method: str, params: Params, after_s: float) -> float:
    time.sleep(after_s)
    return editor.ask(method, params)[0]


def _of_document(uri: str) -> dict[str, tuple[str, Params]]:
    document, edit = {"uri": uri}, {"line": 3, "character": 9}
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": LONG, "character": 0}}
    return {
        "hover": ("textDocument/hover", {"textDocument": document, "position": edit}),
        "completion": ("textDocument/completion", {"textDocument": document, "position": edit}),
        "lens": ("textDocument/codeLens", {"textDocument": document}),
        "hints": ("textDocument/inlayHint", {"textDocument": document, "range": whole}),
        "outline": ("textDocument/documentSymbol", {"textDocument": document}),
        "actions": ("textDocument/codeAction", {"textDocument": document, "range": whole, "context": {"diagnostics": []}}),
    }


def _seen(editor: Editor, started: Daemon, project: str, what: str, stand: Stand) -> Row:
    """From the last byte of a step's answer to the line of the status bar that has its cost."""
    stand.upstream.plan(chunks=8, gap_ms=1)
    session = bodies.session(bodies.template(2 * KB, stream=True))
    seen_ms: list[float] = []
    for _ in range(stand.rounds(STEPS, STEPS_QUICK)):
        _until_quiet(editor)
        before_pusd = ask(started.port, "/control/v1/overview", token=started.control_token)["today"]["spent_pusd"]
        done = _step(started, project, session.next_body())
        at = _until(editor, lambda spend, before=before_pusd: (spend["today_pusd"] or 0) > before)
        seen_ms.append(max(0.0, at - done) * MS)
    name, note = f"{what}: from a step's end to its cost in the editor, p95", f"p50 {p50(seen_ms):.1f}"
    return Row("lsp", name, "ms", ours=percentile(seen_ms, 0.95), target=SEEN_TARGET_MS, note=note)


def _step(started: Daemon, project: str, body: bytes) -> float:
    """The moment at which the answer of one step was whole."""
    connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=WAIT_S)
    headers = {"Authorization": f"Bearer {started.local_token}", "Content-Type": "application/json", "x-stepfare-workspace": project}
    connection.request("POST", "/v1/chat/completions", body, headers)
    answer = connection.getresponse()
    answer.read()
    at = time.perf_counter()
    connection.close()
    if answer.status != 200:
        raise CannotMeasure(f"a step was answered {answer.status}")
    return at


def _until_quiet(editor: Editor) -> None:
    """The line goes out once a second at most, and what was held back for that belongs to the step before."""
    while True:
        try:
            editor.spends.get(timeout=QUIET_S)
        except Empty:
            return


def _until(editor: Editor, seen: Callable[[dict[str, Any]], object]) -> float:
    """The moment at which the line said that."""
    while True:
        try:
            at, spend = editor.spends.get(timeout=WAIT_S)
        except Empty:
            raise CannotMeasure("the line of the status bar did not come") from None
        if seen(spend):
            return at
