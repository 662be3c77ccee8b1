"""What the tests of `connect` share: a home of their own in which no client is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connect.desk import TOKEN, Desk

MOVERS = (
    "CLINE_DIR",
    "CLINE_DATA_DIR",
    "CLINE_PROVIDER_SETTINGS_PATH",
    "CONTINUE_GLOBAL_DIR",
    "CLAUDE_CONFIG_DIR",
    "CODEX_HOME",
    "XDG_CONFIG_HOME",
    "MSWEA_GLOBAL_CONFIG_DIR",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
)


@pytest.fixture
def desk(home: Path, stepfare_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("STEPFARE_TOKEN", TOKEN)
    for name in MOVERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Desk(home, stepfare_home)
