"""Kate with the shipped configuration, as it is: it starts the server, which checks the project's file and tells what is open."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.desk import Desk
from tests.editors.conftest import needed
from tests.editors.display import display
from tests.editors.installs import program
from tests.editors.steps import until, workspace

pytestmark = pytest.mark.editors_extended

SHIPPED = Path(__file__).parents[2] / "integrations" / "kate"
SAID_YES = """[General]
Show welcome view for new window=false

[Kate Plugins]
lspclientplugin=true

[lspclient]
AllowedServerCommandLines=stepfare-lsp --stdio,{server} --stdio
"""
"""What Kate keeps once the plugin is on, and its question whether it may start the program was answered."""


def test_kate_starts_the_server_that_the_shipped_settings_name(desk: Desk, tmp_path: Path, pictures: Path) -> None:
    kate = needed(lambda: program("kate", "kate"))
    for tool, package in (("Xvfb", "xvfb"), ("dbus-run-session", "dbus"), ("import", "imagemagick")):
        needed(lambda tool=tool, package=package: program(tool, package))
    settings = desk.home / ".config"
    (settings / "kate/lspclient").mkdir(parents=True)
    (settings / "kate/lspclient/settings.json").write_bytes((SHIPPED / "settings.json").read_bytes())
    # Between Kate and the server nobody can listen; so the server itself writes down what it does.
    log, wrapper = tmp_path / "server.log", tmp_path / "bin" / "stepfare-lsp"
    wrapper.parent.mkdir()
    desk.project({".stepfare.toml": '[steps]\nanswer = "balanced"\nedti = "premium"\n'})
    server = Path(desk.environment["PATH"].split(":")[0]) / "stepfare-lsp"
    wrapper.write_text(f'#!/bin/sh\nexec {server} -vv --log-file {log} "$@"\n')
    wrapper.chmod(0o755)
    (settings / "katerc").write_text(SAID_YES.format(server=wrapper))
    environment = {**desk.environment, "PATH": f"{wrapper.parent}:{desk.environment['PATH']}"}
    with display([kate, "-n", ".stepfare.toml"], desk.folder, environment, tmp_path / "kate.log") as screen:
        until("the server's log", lambda: log.exists() and "textDocument/publishDiagnostics" in log.read_text())
        told = until("the daemon to know what is open", lambda: [one.path for one in workspace(desk).documents])
        screen.picture(pictures / "kate.png")
    assert told == [".stepfare.toml"]
    assert 'Did you mean \\"edit\\"' in log.read_text()
