"""Visual Studio Code as it really is, for one test: served to a browser on this machine, with folders and settings of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.desk import Desk
from tests.editors import installs

START_S_MAX = 90
INSTALL_S_MAX = 120
PROGRAMS = ("stepfare", "stepfare-lsp")
NOWHERE = "http://127.0.0.1:9"
QUIET: Mapping[str, object] = {
    "workbench.startupEditor": "none",
    "workbench.reduceMotion": "on",
    "workbench.layoutControl.enabled": False,
    "workbench.tips.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "workbench.enableExperiments": False,
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "chat.commandCenter.enabled": False,
    "window.commandCenter": False,
    "remote.autoForwardPorts": False,
    "git.openRepositoryInParentFolders": "never",
    "editor.inlayHints.enabled": "on",
}
"""Nothing that talks to anybody or opens by itself."""


class CodeServer:
    """`address` is its host and port."""

    def __init__(self, address: str, log: Path) -> None:
        self.address = address
        self.log = log

    def url(self, folder: Path) -> str:
        return f"http://{self.address}/?folder={folder}"


@contextmanager
def code_server(
    desk: Desk,
    *,
    vsix: Path | None = None,
    trust: bool = False,
    settings: Mapping[str, object] | None = None,
    programs: Sequence[str] = PROGRAMS,
) -> Iterator[CodeServer]:
    """Code on the person's desk, which finds their daemon and these programs of ours. Everything is trusted without asking unless `trust`
    is on. Raises NotReady where it cannot be installed."""
    install_programs(desk.home / ".local/bin", programs)
    data = desk.root / "code"
    (data / "User").mkdir(parents=True)
    trusting = {"security.workspace.trust.enabled": trust, "security.workspace.trust.startupPrompt": "never"}
    (data / "User" / "settings.json").write_text(json.dumps({**QUIET, **trusting, **(settings or {})}))
    node = installs.node()
    command = [str(node / "node"), str(installs.code_server() / "out/node/entry.js"), "--config", os.devnull]
    command += ["--user-data-dir", str(data), "--extensions-dir", str(data / "extensions")]
    outside = desk.environment
    around = {
        **outside,
        # Its shop is nowhere: neither it nor the page asks anybody.
        "EXTENSIONS_GALLERY": json.dumps({"serviceUrl": f"{NOWHERE}/g", "itemUrl": f"{NOWHERE}/i"}),
        "PASSWORD": "",
    }
    if vsix is not None:
        subprocess.run([*command, "--install-extension", str(vsix)], env=around, check=True, capture_output=True, timeout=INSTALL_S_MAX)
    log = data / "server.log"
    words = ["--auth", "none", "--bind-addr", "127.0.0.1:0", "--disable-telemetry", "--disable-update-check"]
    words += [] if trust else ["--disable-workspace-trust"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, *words], env=around, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield CodeServer(_address(process, log), log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def install_programs(folder: Path, programs: Sequence[str]) -> None:
    """What an installer of tools does for a person. The editor asks their shell for PATH, so it does not help to set that."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in programs:
        (folder / name).symlink_to(Path(sys.executable).parent / name)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it says so."""
    until_s = time.monotonic() + START_S_MAX
    while time.monotonic() < until_s and process.poll() is None:
        if said := re.search(r"listening on http://(127\.0\.0\.1:\d+)", log.read_text()):
            return said[1]
        time.sleep(0.1)
    raise AssertionError(f"code-server did not start:\n{log.read_text()}")
