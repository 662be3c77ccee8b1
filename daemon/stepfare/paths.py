"""Where stepfare keeps its files, and how private files are written; the only module that knows appdirs.

What stands in the files is their owners' business.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

APP = "stepfare"
HOME_VARIABLE = "STEPFARE_HOME"
PRIVATE_DIR_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files of one user's stepfare; all absolute, none promised to exist.

    `home` is where state lies that is not settings: the ledger, the daemon's file, backups of clients' settings.
    With STEPFARE_HOME, `home` and `config_dir` are the same folder and the log lies in it.
    """

    home: Path
    config_dir: Path
    config_toml: Path
    ledger_db: Path
    daemon_json: Path
    catalogue_json: Path
    lessons_json: Path
    weights_json: Path
    log_dir: Path


def paths_from(environ: Mapping[str, str]) -> Paths:
    """The paths for this environment. STEPFARE_HOME moves everything into one folder; else each thing lies where the system wants it."""
    one_folder = environ.get(HOME_VARIABLE, "")
    if one_folder:
        home = Path(os.path.abspath(os.path.expanduser(one_folder)))
        return _paths(home, home, home / "log")
    # Imported late, since whoever names one folder needs no knowledge of the system's habits; and by name, since it carries no types.
    appdirs = cast(_AppDirs, import_module("appdirs"))
    return _paths(
        _absolute(appdirs.user_data_dir(APP, appauthor=False), f"~/.local/share/{APP}"),
        _absolute(appdirs.user_config_dir(APP, appauthor=False), f"~/.config/{APP}"),
        _absolute(appdirs.user_log_dir(APP, appauthor=False), f"~/.cache/{APP}/log"),
    )


def make_private_dir(path: Path) -> None:
    """Make the folder and its missing parents, ours alone. One that exists keeps its mode: it may be shared for a reason."""
    if not path.parent.exists():
        make_private_dir(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=PRIVATE_DIR_MODE)
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is not a folder")


def write_private(path: Path, data: bytes) -> None:
    """Replace the file's content in one step, readable by its owner alone; the old content stays whole until the new one is on disk.

    Makes the folder. Raises OSError; nothing is left behind then.
    """
    make_private_dir(path.parent)
    # A name of its own for each writer: two at once must not write into one another's file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(6)}.tmp")
    try:
        # Exclusive and 0600 from the start, so that there is no moment in which others could open it.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_dir(path.parent)


def is_private(path: Path) -> bool:
    """Whether the file or folder belongs to this user and no other may read or write it. Raises OSError where there is none."""
    status = path.stat()
    # Windows has neither owners nor modes in this sense: there the user's profile folder is what protects.
    return os.name == "nt" or (status.st_uid == os.getuid() and status.st_mode & 0o077 == 0)


class _AppDirs(Protocol):
    def user_data_dir(self, appname: str, appauthor: bool) -> str: ...
    def user_config_dir(self, appname: str, appauthor: bool) -> str: ...
    def user_log_dir(self, appname: str, appauthor: bool) -> str: ...


def _paths(home: Path, config_dir: Path, log_dir: Path) -> Paths:
    return Paths(
        home=home,
        config_dir=config_dir,
        config_toml=config_dir / "config.toml",
        ledger_db=home / "ledger.db",
        daemon_json=home / "daemon.json",
        catalogue_json=home / "catalogue.json",
        lessons_json=home / "lessons.json",
        weights_json=home / "weights.json",
        log_dir=log_dir,
    )


def _absolute(path: str, otherwise: str) -> Path:
    # An empty or relative XDG variable counts as not set, says the standard; appdirs takes it at its word.
    return Path(path) if os.path.isabs(path) else Path(otherwise).expanduser()


def _sync_dir(folder: Path) -> None:
    # The rename itself must survive a power cut. Not every system opens folders; there the rename is as safe as it gets.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
