"""A person's home for tests of `connect` and `disconnect`, and what every client's settings may look like in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from click.testing import CliRunner

from stepfare.cli.connect.commands import connect, disconnect

TOKEN = "sk-stepfare-0123456789"
URL = "http://127.0.0.1:4999/v1"


@dataclass
class Desk:
    """A person's home, and the two commands in it."""

    home: Path
    stepfare: Path

    def put(self, files: dict[str, str], mode: int = 0o600) -> None:
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            path.chmod(mode)

    def text(self, name: str) -> str:
        return (self.home / name).read_bytes().decode()

    def json(self, name: str) -> dict[str, object]:
        return cast("dict[str, object]", json.loads(self.text(name)))

    def everything(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.home)): path.read_bytes() for path in sorted(self.home.rglob("*")) if path.is_file()}

    def connect(self, *words: str, fails: int = 0) -> dict[str, object]:
        return self._run(connect, *words, fails=fails)

    def disconnect(self, *words: str, fails: int = 0) -> dict[str, object]:
        return self._run(disconnect, *words, fails=fails)

    def _run(self, command: object, *words: str, fails: int) -> dict[str, object]:
        result = CliRunner().invoke(command, [*words, "--json"])  # pyright: ignore[reportArgumentType]
        assert result.exit_code == fails, result.output
        return cast("dict[str, object]", json.loads(result.stdout))
