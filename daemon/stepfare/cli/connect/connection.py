"""The story of connecting: what stands in the files, what should, write that down, then change them; and all of it backwards.

Texts are worked out for all files of a client before the first is written, and the record is on disk before any of them.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stepfare.cli.connect import files, records
from stepfare.cli.connect.edits import Edit
from stepfare.cli.connect.endpoint import CONTEXT_TOKENS
from stepfare.cli.connect.files import UserFile
from stepfare.cli.connect.json_text import Unsuitable
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World
from stepfare.cli.connect.records import Kept, Record
from stepfare.paths import Paths


class Refused(Exception):
    """Nothing was changed. `words` say why and what to do."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Touched:
    """What became of one file: written, unchanged, restored, cleaned, removed or missing."""

    path: Path
    outcome: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    client: Client
    place: Place
    base_url: str
    touched: tuple[Touched, ...]
    backup: Path | None

    @property
    def changed(self) -> bool:
        return any(each.outcome not in ("unchanged", "missing") for each in self.touched)


@dataclass(frozen=True, slots=True)
class State:
    """Where a client stands. `state` is connected, changed (the record says so, the file no longer does), or not-connected."""

    client: Client
    place: Place
    trace: str
    state: str
    base_url: str
    paths: tuple[Path, ...]
    words: str = ""


def connect(
    client: Client,
    world: World,
    place: Place,
    endpoint: Endpoint,
    paths: Paths,
    dialect: str | None = None,
    statusline: bool | None = None,
) -> Result:
    """Make the client's files point at the daemon. Doing it twice changes nothing. Raises Refused, and nothing is changed then.

    Without a dialect the client keeps the one that it was told last, and begins with its usual one; so it does with a status line.
    """
    if place.scope not in client.scopes:
        raise Refused(_no_scope(client, place))
    if dialect is not None and dialect not in client.dialects:
        raise Refused(f"{client.title} does not speak {dialect}. It speaks {', '.join(client.dialects)}.")
    if statusline and not client.has_statusline:
        raise Refused(f"{client.title} has no status line that a command can fill. `stepfare status` shows what its sessions cost.")
    record = _record(paths, client, place)
    standing = record.dialect if record is not None and record.dialect in client.dialects else client.dialects[0]
    shown = (record is not None and record.statusline) if statusline is None else statusline
    endpoint = replace(endpoint, dialect=dialect or standing, statusline=shown)
    if endpoint.context_tokens == 0:  # nobody answered: what was true at the last time is the best that is known
        endpoint = replace(endpoint, context_tokens=record.context_tokens if record else CONTEXT_TOKENS)
    edits = client.edits(world, place, endpoint)
    before = [_read(edit.path) for edit in edits]
    if all(_holds(edit, file) for edit, file in zip(edits, before, strict=True)):
        backup = records.folder_of(paths, client.id, place) if record else None
        return Result(client, place, endpoint.base_url, tuple(Touched(edit.path, "unchanged") for edit in edits), backup)
    formerly = {edit.path: edit for edit in client.edits(world, place, record.endpoint)} if record else {}
    plans = [_plan(edit, formerly.get(edit.path, edit), file, _kept(record, edit.path)) for edit, file in zip(edits, before, strict=True)]
    at_ms = time.time_ns() // 1_000_000
    made = Record(client.id, place, endpoint.base_url, endpoint.context_tokens, endpoint.dialect, endpoint.statusline, at_ms, tuple(plans))
    return _write(client, list(edits), before, made, record, paths)


def disconnect(client: Client, world: World, record: Record, paths: Paths) -> Result:
    """Give the client's files their former content back, but for what the user changed since. Raises Refused, nothing changed then."""
    edits = {edit.path: edit for edit in client.edits(world, record.place, record.endpoint)}
    heirs = {kept.path: _heir(paths, record, kept.path) for kept in record.files}
    work: list[tuple[UserFile, Kept, str | None, bool]] = []
    for kept in record.files:
        if heirs[kept.path] is not None:
            continue
        file, edit = _read(kept.path), edits.get(kept.path)
        text = file.text
        if text is not None:
            text = kept.before if text == kept.after else _undone(edit, text, kept)
        work.append((file, kept, text, edit is None or edit.secret))
    touched = [_put_back(file, kept, text, secret=secret) for file, kept, text, secret in work]
    files.remove_empty([folder for _, kept, _, _ in work for folder in kept.folders])
    for kept in record.files:
        if (heir := heirs[kept.path]) is not None:
            _bequeath(paths, kept, heir)
            touched.append(Touched(kept.path, "unchanged", "Another connection still needs it."))
    records.forget(paths, record)
    return Result(client, record.place, record.base_url, tuple(touched), None)


def records_of(client: Client, paths: Paths, place: Place | None) -> list[Record]:
    """The connections of this client: all of them, or the one at this place. Raises Refused."""
    standing = [record for record in _all(paths) if record.client == client.id]
    return [record for record in standing if place is None or record.place == place]


def state_of(client: Client, world: World, paths: Paths) -> list[State]:
    """Where this client stands: a row for each of its connections, or one that says that there is none."""
    trace = client.trace(world)
    standing = records_of(client, paths, None)
    if standing:
        return [_state(client, world, record, trace) for record in standing]
    place = Place(Scope.USER)
    edits = client.edits(world, place, Endpoint("", "", CONTEXT_TOKENS, dialect=client.dialects[0]))
    return [State(client, place, trace, "not-connected", "", tuple(edit.path for edit in edits))]


def _state(client: Client, world: World, record: Record, trace: str) -> State:
    edits = client.edits(world, record.place, record.endpoint)
    at = tuple(records.paths_of(record))
    try:
        now = files.read(edits[0].path)
        points_to = edits[0].points_to(now.text) if now.text is not None else ""
    except Unsuitable as problem:
        return State(client, record.place, trace, "changed", record.base_url, at, f"{edits[0].path}: {problem.words}")
    if points_to == record.base_url:
        return State(client, record.place, trace, "connected", record.base_url, at)
    words = f"{edits[0].path} points at {points_to or 'nothing of ours'} now. Connect again, or disconnect to drop the record."
    return State(client, record.place, trace, "changed", record.base_url, at, words)


def _plan(edit: Edit, formerly: Edit, file: UserFile, kept: Kept | None) -> Kept:
    """The text to write, and the text to come back to: what the file would be if we had never been there.

    `formerly` is the change that stands in the file by now, which may have put other values.
    """
    try:
        before = file.text
        if kept is not None and file.text is not None:
            before = kept.before if file.text == kept.after else formerly.undone(file.text, kept.before, kept.after)
        return Kept(edit.path, before, edit.applied(before), kept.folders if kept else ())
    except Unsuitable as problem:
        raise Refused(_unsuitable(edit.path, problem)) from problem


def _write(client: Client, edits: list[Edit], before: list[UserFile], made: Record, standing: Record | None, paths: Paths) -> Result:
    done: list[UserFile] = []
    new_folders: list[Path] = []
    try:
        kept_files: list[Kept] = []
        for kept, file in zip(made.files, before, strict=True):
            folders = files.make_folders(file.real.parent)
            new_folders += folders
            kept_files.append(replace(kept, folders=(*kept.folders, *folders)))
        made = replace(made, files=tuple(kept_files))
        backup = records.save(paths, made)
        touched: list[Touched] = []
        for edit, file, kept in zip(edits, before, made.files, strict=True):
            if kept.after == file.text:
                touched.append(Touched(edit.path, "unchanged"))
                continue
            done.append(file)
            files.write(file, kept.after, secret=edit.secret)
            others = (
                " Others on this machine can read it: `chmod 600` it if that is not meant." if edit.secret and file.open_to_others else ""
            )
            touched.append(Touched(edit.path, "written", others.strip()))
    except OSError as problem:
        for file in reversed(done):
            _undo_write(file)
        files.remove_empty(new_folders)
        with suppress(OSError):
            if standing is not None:  # the copies of the first time are still the only way back
                records.save(paths, standing)
            else:
                records.forget(paths, made)
        raise Refused(
            f"{problem.filename or 'A file'} could not be written ({problem.strerror or problem}). Nothing was changed."
        ) from problem
    return Result(client, made.place, made.base_url, tuple(touched), backup)


def _undo_write(file: UserFile) -> None:
    with suppress(OSError):
        if file.text is None:
            file.real.unlink(missing_ok=True)
        else:
            files.write(file, file.text, secret=True)


def _put_back(file: UserFile, kept: Kept, text: str | None, *, secret: bool) -> Touched:
    try:
        if file.text is None:
            return Touched(kept.path, "missing", "It was removed since; it stays removed.")
        if text is None:
            file.real.unlink(missing_ok=True)
            return Touched(kept.path, "removed")
        if text == file.text:
            return Touched(kept.path, "unchanged")
        files.write(file, text, secret=secret)
    except OSError as problem:
        raise Refused(f"{kept.path} could not be written ({problem.strerror or problem}). Mend that and disconnect again.") from problem
    if text == kept.before:
        return Touched(kept.path, "restored")
    return Touched(kept.path, "cleaned", "It was changed since: only our values were taken out.")


def _heir(paths: Paths, record: Record, path: Path) -> Record | None:
    """Another connection that wrote into the same file: two projects share one line of tokens."""
    others = [other for other in _all(paths) if (other.client, other.place) != (record.client, record.place)]
    return next((other for other in others if _kept(other, path) is not None), None)


def _bequeath(paths: Paths, kept: Kept, heir: Record) -> None:
    """The other connection takes over what the file was before the first of them, so that the last one to go restores that."""
    inherited = tuple(
        replace(each, before=kept.before, folders=(*kept.folders, *each.folders))
        if each.path == kept.path and each.before == kept.after
        else each
        for each in heir.files
    )
    try:
        records.save(paths, replace(heir, files=inherited))
    except OSError as problem:
        raise Refused(f"The record of another connection could not be written ({problem.strerror or problem}).") from problem


def _undone(edit: Edit | None, now: str, kept: Kept) -> str | None:
    if edit is None:
        raise Refused(f"{kept.path} is no longer where this client keeps its settings. Its former content is in the record's .before file.")
    try:
        return edit.undone(now, kept.before, kept.after)
    except Unsuitable as problem:
        raise Refused(_unsuitable(kept.path, problem)) from problem


def _holds(edit: Edit, file: UserFile) -> bool:
    try:
        return edit.holds(file.text)
    except Unsuitable as problem:
        raise Refused(_unsuitable(edit.path, problem)) from problem


def _read(path: Path) -> UserFile:
    try:
        return files.read(path)
    except Unsuitable as problem:
        raise Refused(_unsuitable(path, problem)) from problem


def _all(paths: Paths) -> list[Record]:
    try:
        return list(records.load_all(paths))
    except records.Unreadable as problem:
        raise Refused(problem.words) from problem


def _record(paths: Paths, client: Client, place: Place) -> Record | None:
    try:
        return records.load(paths, client.id, place)
    except records.Unreadable as problem:
        raise Refused(problem.words) from problem


def _kept(record: Record | None, path: Path) -> Kept | None:
    return next((kept for kept in record.files if kept.path == path), None) if record else None


def _unsuitable(path: Path, problem: Unsuitable) -> str:
    return f"{path} was left alone: {problem.words}. Mend it or move it away, then try again."


def _no_scope(client: Client, place: Place) -> str:
    if place.scope is Scope.PROJECT:
        return f"{client.title} has no settings of a project that could name a provider. Connect it with --user."
    return f"{client.title} keeps its settings in a fixed place, not in a file of your choice."
