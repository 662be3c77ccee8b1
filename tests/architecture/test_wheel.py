"""What is installed from a built wheel: both packages with their data files, and nothing else of the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HATCHLING = Path(sys.executable).parent / "hatchling"
LEFT_OUT = {"__pycache__"}


def test_a_wheel_holds_both_packages_whole_and_nothing_else(tmp_path: Path) -> None:
    built = subprocess.run(
        [str(HATCHLING), "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = {ROOT / "daemon": "stepfare", ROOT / "lsp": "stepfare_lsp"}
    ours = {
        str(path.relative_to(top))
        for top, package in packages.items()
        for path in (top / package).rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.parts)
    }
    assert inside == ours
    assert {"stepfare/__init__.py", "stepfare_lsp/__init__.py", "stepfare/providers/catalog.toml"} <= inside
