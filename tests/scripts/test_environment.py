"""scripts/environment.py on machines that lack something: each ends in a clear word, and no folder that is not ours is touched."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def environment(tmp_path: Path) -> ModuleType:
    """The module as it would be in a checkout at `tmp_path/project`."""
    spec = importlib.util.spec_from_file_location("environment_under_test", SCRIPTS / "environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    project = tmp_path / "project"
    (project / "scripts").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]\n")
    for lock in module.LEVELS.values():
        (project / "scripts" / lock).write_text("six==1.17.0\n")
    places = {"ROOT": ".", "VENV": ".venv", "LOCK_FILE": ".venv.lock", "STAMP": ".venv/stamp", "UNFINISHED": ".venv/unfinished"}
    vars(module).update({name: str(project / place) for name, place in places.items()})
    return module


def bare_venv(environment: ModuleType) -> Path:
    """An environment without packages, made as the module makes one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment.VENV], check=True)
    return Path(environment.VENV)


def stamped(environment: ModuleType, level: str) -> None:
    Path(environment.STAMP).write_text(environment.stamp_of(level) + "\n")


@pytest.mark.parametrize(
    ("made_for", "wanted", "usable"), [("run", "run", True), ("test", "test", True), ("test", "run", True), ("run", "test", False)]
)
def test_an_environment_for_tests_serves_for_running_and_not_the_other_way_round(
    environment: ModuleType, made_for: str, wanted: str, usable: bool
) -> None:
    bare_venv(environment)
    stamped(environment, made_for)
    assert environment.environment_is_usable(wanted) is usable


@pytest.mark.parametrize("changed", ["pyproject.toml", "scripts/requirements.lock"])
def test_a_change_of_what_it_was_made_from_makes_it_stale(environment: ModuleType, changed: str) -> None:
    bare_venv(environment)
    stamped(environment, "run")
    (Path(environment.ROOT) / changed).write_text("other\n")
    assert not environment.environment_is_usable("run")


def test_an_environment_whose_python_went_away_is_not_usable(environment: ModuleType) -> None:
    python = bare_venv(environment) / "bin" / "python"
    stamped(environment, "run")
    python.unlink()
    python.symlink_to(Path(environment.ROOT) / "gone")
    assert not environment.environment_is_usable("run")


def test_a_half_made_environment_is_removed(environment: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    bare_venv(environment)
    Path(environment.UNFINISHED).touch()
    environment._clear_what_is_broken()
    assert not Path(environment.VENV).exists()
    assert "half made" in capsys.readouterr().err


def test_an_environment_that_was_moved_is_made_anew(environment: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    there = bare_venv(environment)
    (there / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip.py").write_text("")
    (there / "bin" / "pip").write_text("#!/somewhere/else/.venv/bin/python\n")
    environment._clear_what_is_broken()
    assert not there.exists()
    assert "not usable any more" in capsys.readouterr().err


def test_a_working_environment_is_kept(environment: ModuleType) -> None:
    there = bare_venv(environment)
    (there / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / "pip.py").write_text("")
    (there / "bin" / "pip").write_text(f"#!{there}/bin/python\n")
    environment._clear_what_is_broken()
    assert there.exists()


def test_a_folder_that_is_no_environment_is_left_alone(environment: ModuleType) -> None:
    kept = Path(environment.VENV) / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    with pytest.raises(SystemExit):
        environment.prepare("run")
    assert kept.read_text() == "years of work"


def test_no_network_is_said_in_words(
    environment: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A pip that has an index nobody answers for: the port is closed, so the answer comes at once.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(environment, "PIP_RETRIES", 0)
    lock = Path(environment.ROOT) / "scripts" / environment.LEVELS["run"]
    lock.write_text("six==1.17.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(SystemExit) as ended:
        environment.prepare("run")
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "The packages could not be installed." in said
    assert "package index cannot be reached" in said
    assert Path(environment.UNFINISHED).exists()


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one that was pinned"),
        ("Temporary failure in name resolution", "cannot be reached"),
        ("The virtual environment was not created successfully because ensurepip is not available", "apt install python3-venv"),
        ("error: command 'gcc' failed", "printed last is above"),
    ],
)
def test_what_pip_prints_becomes_what_to_do(environment: ModuleType, printed: str, advice: str) -> None:
    words = environment.words_for("It failed.", printed)
    assert words.startswith("It failed.")
    assert printed in words
    assert advice in words


def run_as(version: str, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """scripts/environment.py under a Python that believes to be of another version."""
    code = f"""
import sys
sys.version_info = {version}
sys.path.insert(0, {str(SCRIPTS)!r})
sys.dont_write_bytecode = True
sys.argv = ["start", *{list(arguments)!r}]
import environment
environment.use_a_python_that_will_do()
print("went on")
"""
    return subprocess.run([sys.executable, "-c", code], env={"PATH": path}, capture_output=True, text=True, check=False)


def test_an_old_python_without_a_newer_one_says_what_to_install(tmp_path: Path) -> None:
    done = run_as("(3, 8, 10)", str(tmp_path))
    assert done.returncode == 1
    assert "this is Python 3.8, and stepfare needs 3.11 or newer" in done.stderr
    assert "apt install" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_python_gives_way_to_a_newer_one_on_path(tmp_path: Path) -> None:
    newer = tmp_path / "python3.13"
    newer.write_text('#!/bin/sh\nif [ "$1" = -c ]; then exit 0; fi\necho "newer: $*"\n')
    newer.chmod(0o755)
    done = run_as("(3, 8, 10)", str(tmp_path), "--port", "5000")
    assert (done.returncode, done.stdout) == (0, "newer: start --port 5000\n")


def test_a_newer_python_that_cannot_make_environments_is_passed_over(tmp_path: Path) -> None:
    crippled = tmp_path / "python3.14"
    crippled.write_text("#!/bin/sh\nexit 1\n")
    crippled.chmod(0o755)
    done = run_as("(3, 8, 10)", str(tmp_path))
    assert done.returncode == 1
    assert "found none that will do" in done.stderr


def test_a_right_python_goes_on(tmp_path: Path) -> None:
    assert run_as("(3, 12, 1)", str(tmp_path)).stdout == "went on\n"


def test_a_python_without_ensurepip_says_which_package_brings_it(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(environment, "missing_modules", lambda: ["ensurepip"])
    said: list[str] = []
    monkeypatch.setattr(environment, "say", said.append)
    with pytest.raises(SystemExit):
        environment.use_a_python_that_will_do()
    assert "has no ensurepip" in said[0]
    assert "apt install python3-venv" in said[0]


def test_settings_that_lead_out_of_the_environment_are_dropped(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.invalid/simple")
    variables = environment.clean_environment()
    assert "PYTHONPATH" not in variables
    assert "PIP_TARGET" not in variables
    assert variables["PIP_INDEX_URL"] == "https://mirror.invalid/simple"
