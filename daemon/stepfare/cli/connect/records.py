"""What was done to whose file: a folder for each connection below stepfare's home, with a manifest and the texts before and after."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from stepfare.cli.connect.place import OPENAI, Endpoint, Place, Scope
from stepfare.paths import Paths, make_private_dir, write_private

FOLDER = "connect"
MANIFEST = "manifest.json"
VERSION = 1


class FileRecord(BaseModel):
    """One file of a connection. `before` and `after` name the copies beside the manifest; no `before`: there was no file."""

    model_config = ConfigDict(frozen=True)

    path: str
    real: str
    before: str | None
    after: str
    folders: list[str]
    """Folders that had to be made for it."""


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: int = VERSION
    client: str
    scope: Scope
    at: str
    base_url: str
    context_tokens: int
    dialect: str = OPENAI
    statusline: bool = False
    at_ms: int
    files: list[FileRecord]


@dataclass(frozen=True, slots=True)
class Kept:
    """One file's texts as they were before and after we wrote."""

    path: Path
    before: str | None
    after: str
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A connection that stands: whose, where, what it was told, and its files."""

    client: str
    place: Place
    base_url: str
    context_tokens: int
    dialect: str
    statusline: bool
    at_ms: int
    files: tuple[Kept, ...]

    @property
    def endpoint(self) -> Endpoint:
        """What the client was told, but for the token."""
        return Endpoint(self.base_url, "", self.context_tokens, dialect=self.dialect, statusline=self.statusline)


class Unreadable(Exception):
    """A record is damaged. `words` say which and what to do."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def folder_of(paths: Paths, client: str, place: Place) -> Path:
    """Where the record of this connection lies, if there is one."""
    name = client
    if place.scope is not Scope.USER:
        name += f"-{place.scope}-{hashlib.sha256(str(place.at).encode()).hexdigest()[:12]}"
    return paths.home / FOLDER / name


def load(paths: Paths, client: str, place: Place) -> Record | None:
    """The record of this connection, or None. Raises Unreadable."""
    folder = folder_of(paths, client, place)
    return _load(folder) if (folder / MANIFEST).exists() else None


def load_all(paths: Paths) -> Iterator[Record]:
    """Every record. Raises Unreadable at the first damaged one."""
    root = paths.home / FOLDER
    for manifest in sorted(root.glob(f"*/{MANIFEST}")) if root.is_dir() else []:
        yield _load(manifest.parent)


def save(paths: Paths, record: Record) -> Path:
    """Write the record down, private, and return its folder. The manifest comes last: with it the record stands. Raises OSError."""
    folder = folder_of(paths, record.client, record.place)
    make_private_dir(folder)
    names = [_Names(index, kept) for index, kept in enumerate(record.files)]
    for name, kept in zip(names, record.files, strict=True):
        if kept.before is not None:
            write_private(folder / f"{name.stem}.before", kept.before.encode())
        write_private(folder / f"{name.stem}.after", kept.after.encode())
    manifest = Manifest(
        client=record.client,
        scope=record.place.scope,
        at=str(record.place.at),
        base_url=record.base_url,
        context_tokens=record.context_tokens,
        dialect=record.dialect,
        statusline=record.statusline,
        at_ms=record.at_ms,
        files=[name.record for name in names],
    )
    write_private(folder / MANIFEST, (json.dumps(manifest.model_dump(mode="json"), indent=2) + "\n").encode())
    return folder


def forget(paths: Paths, record: Record) -> None:
    """Remove the record and its copies. The manifest goes first: without it there is no record. Raises OSError."""
    folder = folder_of(paths, record.client, record.place)
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


class _Names:
    def __init__(self, index: int, kept: Kept) -> None:
        self.stem = f"{index}-{kept.path.name}"
        self.record = FileRecord(
            path=str(kept.path),
            real=str(kept.path.resolve()),
            before=f"{self.stem}.before" if kept.before is not None else None,
            after=f"{self.stem}.after",
            folders=[str(folder) for folder in kept.folders],
        )


def _load(folder: Path) -> Record:
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        if manifest.version != VERSION:
            raise Unreadable(f"{folder} was written by another version of stepfare ({manifest.version}). Use that one to disconnect.")
        return Record(
            manifest.client,
            Place(manifest.scope, Path(manifest.at)),
            manifest.base_url,
            manifest.context_tokens,
            manifest.dialect,
            manifest.statusline,
            manifest.at_ms,
            tuple(_kept(folder, file) for file in manifest.files),
        )
    except (OSError, ValidationError, UnicodeDecodeError) as problem:
        raise Unreadable(
            f"The record in {folder} is damaged. If a *.before file is in it, that is the client's file as it was: copy it back, "
            "then remove the folder."
        ) from problem


def _kept(folder: Path, file: FileRecord) -> Kept:
    before = None if file.before is None else (folder / Path(file.before).name).read_bytes().decode()
    after = (folder / Path(file.after).name).read_bytes().decode()
    return Kept(Path(file.path), before, after, tuple(Path(each) for each in file.folders))


def paths_of(record: Record) -> Sequence[Path]:
    return [kept.path for kept in record.files]
