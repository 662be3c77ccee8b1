"""The extension, built and packed from a copy of its sources, without any network: the project's own folder stays as it is."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.editors import installs
from tests.editors.vscode.code_server import NOWHERE
from tests.installs import OUTSIDE

BUILD_S_MAX = 180
TESTS = Path(__file__).parent / "inside"


@dataclass(frozen=True, slots=True)
class Packed:
    """`folder` is the built extension, `vsix` the package, `tests` the module that runs inside the extension host."""

    folder: Path
    vsix: Path
    tests: Path
    said: str


def packed(root: Path) -> Packed:
    """Check, bundle and pack it below `root`. Raises NotReady where its tools cannot be installed."""
    tools = installs.extension_tools()
    folder = root / "vscode"
    shutil.copytree(installs.EXTENSION, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "*.vsix"))
    shutil.copytree(TESTS, folder / "test")
    (folder / "node_modules").symlink_to(tools / "node_modules")
    said = _npm(folder, "check") + _npm(folder, "build")
    vsix = root / "stepfare.vsix"
    said += _npm(folder, "package", "--out", str(vsix))
    bundled = folder / "test/dist/tests.js"
    _run(
        [
            str(folder / "node_modules/.bin/esbuild"),
            "test/tests.ts",
            "--bundle",
            "--platform=node",
            "--external:vscode",
            f"--outfile={bundled}",
        ],
        folder,
    )
    return Packed(folder, vsix, bundled, said)


def _npm(folder: Path, script: str, *words: str) -> str:
    return _run(["npm", "run", "--silent", script, *(["--", *words] if words else [])], folder)


def _run(command: list[str], folder: Path) -> str:
    offline = {**OUTSIDE, "npm_config_offline": "true", "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}
    done = subprocess.run(command, cwd=folder, env=offline, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
