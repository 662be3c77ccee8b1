"""Emacs with the package, in batch, with each of its clients: the mode line equals the ledger, and .stepfare.toml is looked after."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stepfare_lsp.present import coins
from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.debian import newer
from tests.editors.installs import program
from tests.editors.noting import RUN_S_MAX, play
from tests.editors.steps import step
from tests.installs import NotReady

PACKAGE = Path(__file__).parents[2] / "integrations" / "emacs"
SCRIPT = Path(__file__).parent / "emacs" / "script.el"
PACKAGES = {"eglot": "elpa-eglot", "lsp-mode": "elpa-lsp-mode"}
"""The system's package of each client, where Emacs does not bring it."""
EMACSES: Mapping[str, Callable[[], Path]] = {"emacs": lambda: program("emacs", "emacs-nox"), "emacs30": lambda: newer("emacs-nox")}


def emacs(client: str, which: str = "emacs") -> Path:
    """The program, where it has this client. Raises NotReady."""
    path = EMACSES[which]()
    # -q, not -Q: the system's packages for Emacs are found by the site's own files.
    done = subprocess.run([path, "-q", "--batch", "-l", client], capture_output=True, check=False, timeout=RUN_S_MAX)
    if done.returncode:
        raise NotReady(f"Emacs has no {client} here; on Debian it comes with `apt install {PACKAGES[client]}`.")
    return path


@pytest.mark.parametrize(
    ("client", "which"),
    [
        pytest.param("eglot", "emacs", marks=pytest.mark.editors),
        pytest.param("lsp-mode", "emacs", marks=pytest.mark.editors),
        pytest.param("eglot", "emacs30", marks=pytest.mark.editors_extended),
    ],
)
def test_what_emacs_shows_is_what_the_ledger_says(desk: Desk, client: str, which: str, tmp_path: Path) -> None:
    path = needed(lambda: emacs(client, which))
    (desk.folder / "app.py").write_text("print('x')\n")
    (desk.folder / ".stepfare.toml").write_text('profile = "cheapo"\n\n[steps]\nedti = "premium"\n')
    desk.project({})
    pins: list[str | None] = []
    told = play(
        [path, "-q", "--batch", "-l", SCRIPT],
        desk.folder,
        tmp_path / "notes",
        {
            **desk.environment,
            "SCRIPT_CLIENT": client,
            "SCRIPT_PACKAGE": str(PACKAGE),
            "SCRIPT_SERVER": json.dumps([sys.executable, "-P", "-m", "stepfare_lsp", "--stdio"]),
        },
        {
            "take-a-step": lambda: step(desk, "What does this do?"),
            "look-at-the-pin": lambda: pins.append(desk.sessions()[0].pin),
            "end-the-daemon": lambda: pins.append(f"{coins(desk.sessions()[0].totals.spent_pusd)} {desk.stepfare('stop') and ''}"),
        },
    )
    assert told["first"] in ("", "$0.00 today . play money")
    assert told["mode-line"] == f"{str(pins[1]).strip()} . balanced . play money"
    assert told["in-mode-line"] is True
    assert told["spend"].startswith('"What does this do?": $')
    assert "answer step" in told["explain"]
    assert "serves the simulator" in told["status"]
    assert pins[0] == "premium"
    assert told["mode"] == "stepfare-dotfile-mode"
    assert len(told["diagnostics"]) == 2
    assert any("Did you mean" in words for words in told["diagnostics"])
    assert "Change to edit" in told["actions"]
    assert told["off"] == "stepfare is off"
    desk.stepfare("serve", "--detach", "--port", "0")


def compiled(file: str, which: str, tmp_path: Path) -> None:
    path = needed(lambda: emacs("lsp-mode" if file == "stepfare-lsp-mode.el" else "eglot", which))
    target = f'(setq byte-compile-error-on-warn t byte-compile-dest-file-function (lambda (_) "{tmp_path}/{file}c"))'
    done = subprocess.run(
        [path, "-q", "--batch", "-L", PACKAGE, "--eval", target, "-f", "batch-byte-compile", PACKAGE / file],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S_MAX,
    )
    assert done.returncode == 0, done.stderr


FILES = sorted(path.name for path in PACKAGE.glob("*.el"))


@pytest.mark.editors
@pytest.mark.parametrize("file", FILES)
def test_the_package_is_compiled_without_a_warning(file: str, tmp_path: Path) -> None:
    compiled(file, "emacs", tmp_path)


@pytest.mark.editors_extended
@pytest.mark.parametrize("file", [name for name in FILES if name != "stepfare-lsp-mode.el"])
def test_the_package_is_compiled_without_a_warning_by_a_newer_emacs(file: str, tmp_path: Path) -> None:
    compiled(file, "emacs30", tmp_path)
