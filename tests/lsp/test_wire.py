"""The channel itself: nothing but LSP comes out, and nothing that goes in ends the server."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import pytest

from stepfare import __version__
from stepfare_lsp import __main__ as program

COMMAND = [sys.executable, "-P", "-m", "stepfare_lsp"]
Stream: TypeAlias = IO[bytes] | io.BufferedRWPair
CAPABILITIES = {"processId": None, "rootUri": None, "capabilities": {}}


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def message(**parts: object) -> bytes:
    return framed(json.dumps({"jsonrpc": "2.0", **parts}).encode())


def next_message(stream: Stream) -> dict[str, Any]:
    """The next message; anything else in the stream is an error."""
    headers: dict[bytes, bytes] = {}
    while (line := stream.readline()) != b"\r\n":
        name, colon, value = line.partition(b":")
        assert colon, f"not LSP: {line!r}"
        headers[name.lower()] = value.strip()
    return json.loads(stream.read(int(headers[b"content-length"])))


def answer_to(stream: Stream, asked: int) -> dict[str, Any]:
    while True:
        found = next_message(stream)
        if found.get("id") == asked and "method" not in found:
            return found


@pytest.fixture
def server(stepfare_home: Path):
    process = subprocess.Popen([*COMMAND, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def test_garbage_is_answered_or_passed_over(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    dotfile = {"uri": "file:///p/.stepfare.toml"}
    server.stdin.write(
        b"Nonsense: 1\r\nhello\r\n\r\n" + message(id=1, method="initialize", params=CAPABILITIES) + message(method="initialized", params={})
    )
    server.stdin.write(
        framed(b"{")
        + framed(b"null")
        + framed(b"[]")
        + framed(b"\xff\xfe")
        + framed(b"[" * 100_000)
        + framed(b'{"jsonrpc": "1.0"}')
        + message(method="stepfare/unknown", params={"a": [1]})
        + message(method="textDocument/didOpen", params={"textDocument": 3})
        + message(method="textDocument/didChange", params={"textDocument": {**dotfile, "version": 1}, "contentChanges": [{"text": "x"}]})
        + message(
            method="textDocument/didOpen", params={"textDocument": {**dotfile, "languageId": "toml", "version": 1, "text": "\ud800 = ["}}
        )
        + message(method="textDocument/didSave", params={"textDocument": {"uri": "::not a uri::"}})
        + message(method="$/cancelRequest", params={"id": 999})
        + message(id=2, method="textDocument/hover", params={"position": "here"})
        + message(id=3, method="stepfare/unknown", params=None)
        + message(id=4, method="workspace/executeCommand", params={"command": "stepfare.unknown"})
        + message(id=5, method="textDocument/hover", params={"textDocument": dotfile, "position": {"line": 99, "character": 99}})
        + message(id=6, method="textDocument/completion", params={"textDocument": {"uri": "x:"}, "position": {"line": 0, "character": 0}})
        + message(id=7, method="workspace/executeCommand", params={"command": "stepfare.setTier", "arguments": [{"tier": ["x"]}]})
    )
    server.stdin.flush()
    assert "error" in answer_to(server.stdout, 2)
    assert answer_to(server.stdout, 3)["error"]["code"] == -32601
    assert "error" in answer_to(server.stdout, 4)
    assert answer_to(server.stdout, 5)["result"] is None
    assert answer_to(server.stdout, 6)["result"]["items"] == []
    assert "`tier` must be a text" in answer_to(server.stdout, 7)["error"]["message"]
    server.stdin.write(message(id=8, method="shutdown") + message(method="exit"))
    server.stdin.flush()
    assert answer_to(server.stdout, 8)["result"] is None
    assert server.wait(20) == 0
    assert server.stdout.read() == b""


def test_the_server_leaves_with_its_editor(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(message(id=1, method="initialize", params=CAPABILITIES) + message(method="initialized", params={}))
    server.stdin.flush()
    assert answer_to(server.stdout, 1)["result"]["serverInfo"] == {"name": "stepfare-lsp", "version": __version__}
    server.stdin.close()
    assert server.wait(20) == 0


def test_on_tcp_one_editor_is_served_and_no_second(stepfare_home: Path) -> None:
    process = subprocess.Popen([*COMMAND, "--tcp"], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().decode().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as editor, editor.makefile("rwb") as stream:
            stream.write(message(id=1, method="initialize", params=CAPABILITIES))
            stream.flush()
            assert "result" in answer_to(stream, 1)
            assert not served(port)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def served(port: int) -> bool:
    """Whether whoever connects is answered; not to be let in at all is an answer too."""
    try:
        with socket.create_connection(("127.0.0.1", port)) as second, second.makefile("rwb") as stream:
            stream.write(message(id=1, method="initialize", params=CAPABILITIES))
            stream.flush()
            return bool(stream.read(1))
    except OSError:
        return False


def test_what_is_printed_does_not_reach_the_editor() -> None:
    script = (
        "import os, subprocess, sys; from stepfare_lsp.__main__ import _only_stdout; channel = _only_stdout();"
        "print('python'); os.write(1, b'system'); subprocess.run(['echo', 'child']); channel.write(b'lsp'); channel.flush()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"lsp"
    assert all(word in done.stderr for word in (b"python", b"system", b"child"))


def test_endless_messages_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "MESSAGE_BYTES_MAX", 10)
    bounded = program.BoundedInput(cast(Any, io.BytesIO(b"x" * 20 + b"after" + b"h" * 3 * program.HEADER_BYTES_MAX)))
    assert bounded.read(20) == b"null"
    assert bounded.read(5) == b"after"
    assert len(bounded.readline()) == program.HEADER_BYTES_MAX
    assert bounded.read(10**12) == b""


@pytest.mark.parametrize(("argument", "code", "words"), [("--version", 0, __version__), ("--help", 0, "--tcp"), ("--nonsense", 2, "usage")])
def test_the_program_explains_itself(argument: str, code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        program.main([argument])
    assert left.value.code == code
    assert words in "".join(capsys.readouterr())
