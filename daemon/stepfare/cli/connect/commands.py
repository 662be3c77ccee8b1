"""The commands `connect` and `disconnect`: from words to places, from results to words. What is done is told in `connection`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from stepfare.cli.asking import USAGE, Trouble, command_of, here, json_option, print_json
from stepfare.cli.connect import clients, connection
from stepfare.cli.connect.connection import Result, State
from stepfare.cli.connect.endpoint import NoEndpoint, endpoint_from
from stepfare.cli.connect.place import ANTHROPIC, OPENAI, RESPONSES, Client, Place, Scope, World

T = TypeVar("T")

DIALECTS = (OPENAI, ANTHROPIC, RESPONSES)
OUTCOMES = {
    "written": "changed",
    "unchanged": "left as it was",
    "restored": "put back as it was",
    "cleaned": "cleaned of our values",
    "removed": "removed, since it was not there before",
    "missing": "gone already",
}

_user = click.option("--user", "scope", flag_value="user", default=None, help="For you, in every project (the default).")
_project = click.option("--project", "scope", flag_value="project", help="For the project around the working directory only.")
_file = click.option(
    "--file", "file", type=click.Path(dir_okay=False, path_type=Path), help="In this file, for clients that can be given one."
)


@click.command()
@click.argument("client", required=False)
@_user
@_project
@_file
@click.option("--url", help="Where the daemon answers, if not on this machine's usual port.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="The wire format, for clients that have a choice; openai at first.")
@click.option(
    "--statusline/--no-statusline",
    default=None,
    help="Have the client's status line show what the session costs (claude-code). As it was last if not given.",
)
@click.option("--list", "listing", is_flag=True, help="Show every client: whether it is here, whether it is connected, and where.")
@json_option
@command_of
def connect(
    client: str | None,
    scope: str | None,
    file: Path | None,
    url: str | None,
    dialect: str | None,
    statusline: bool | None,
    listing: bool,
    as_json: bool,
) -> None:
    """Point a coding agent at the daemon by changing its own settings file.

    CLIENT is claude-code, codex, cline (3, or the classic 2 where that is what is found), cline3, cline-classic, continue, aider, opencode,
    kilo, qwen or mini-swe-agent. The rest of the file stays as it is, a copy of it is kept, and `stepfare disconnect` brings it back.
    """
    world, paths = _world(), here()
    if listing:
        states = _guarded(lambda: [state for each in clients.CLIENTS for state in connection.state_of(each, world, paths)])
        _show_states(states, as_json=as_json)
        return
    found = _clients(client, clients.meant_by(client or "", world))
    place = _place(scope, file) or Place(Scope.USER)
    try:
        endpoint = endpoint_from(paths, os.environ, url)
    except NoEndpoint as problem:
        raise Trouble("no-endpoint", problem.words) from problem
    results = [_guarded(lambda each=each: connection.connect(each, world, place, endpoint, paths, dialect, statusline)) for each in found]
    _show_results(results, as_json=as_json, hints=lambda each: each.client.hints(world, each.place))


@click.command()
@click.argument("client")
@_user
@_project
@_file
@json_option
@command_of
def disconnect(client: str, scope: str | None, file: Path | None, as_json: bool) -> None:
    """Give a coding agent its own settings back, in every place where it was connected or in the one that is named.

    A file that only we changed becomes what it was, to the byte. From one that was changed since, only our values are taken out.
    """
    world, paths = _world(), here()
    place = _place(scope, file)
    named = _clients(client, clients.called(client))
    standing = [(each, record) for each in named for record in _guarded(lambda each=each: connection.records_of(each, paths, place))]
    if not standing:
        raise Trouble(
            "not-connected", f"{client} is not connected{' there' if place else ''}; nothing was changed. See `stepfare connect --list`."
        )
    results = [_guarded(lambda each=each, record=record: connection.disconnect(each, world, record, paths)) for each, record in standing]
    _show_results(results, as_json=as_json, hints=lambda _: ())


def _world() -> World:
    return World(Path.home(), os.environ)


def _clients(name: str | None, found: Sequence[Client]) -> Sequence[Client]:
    if not found:
        known = ", ".join(clients.names())
        what = f"There is no client {name!r}." if name else "Say which client."
        raise Trouble("unknown-client", f"{what} Known are: {known}. `stepfare connect --list` shows them.", USAGE)
    return found


def _place(scope: str | None, file: Path | None) -> Place | None:
    if file is not None:
        if scope is not None:
            raise Trouble("usage", f"--file and --{scope} name two places. Give one of them.", USAGE)
        return Place(Scope.FILE, Path(os.path.abspath(file.expanduser())))
    if scope == "project":
        return Place(Scope.PROJECT, _project_root(Path.cwd()))
    return Place(Scope.USER) if scope else None


def _project_root(folder: Path) -> Path:
    """The repository around this folder, or the folder itself."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def _guarded(work: Callable[[], T]) -> T:
    try:
        return work()
    except connection.Refused as problem:
        raise Trouble("refused", problem.words) from problem


def _show_results(results: Sequence[Result], *, as_json: bool, hints: Callable[[Result], Sequence[str]]) -> None:
    if as_json:
        print_json({"clients": [_result_json(result, hints(result)) for result in results]})
        return
    for result in results:
        title = f"{result.client.title} ({result.place.scope})"
        click.echo(f"{title}: {result.base_url}" if result.backup else title)
        for each in result.touched:
            click.echo(f"  {each.path}: {OUTCOMES[each.outcome]}" + (f". {each.words}" if each.words else ""))
        if result.backup and any(result.backup.glob("*.before")):
            click.echo(f"  Copy of what was there: {result.backup}")
        for hint in hints(result):
            click.echo(f"  {hint}")


def _result_json(result: Result, hints: Sequence[str]) -> dict[str, object]:
    return {
        "client": result.client.id,
        "title": result.client.title,
        "scope": str(result.place.scope),
        "changed": result.changed,
        "base_url": result.base_url,
        "files": [{"path": str(each.path), "outcome": each.outcome, "words": each.words} for each in result.touched],
        "backup": str(result.backup) if result.backup else None,
        "hints": list(hints),
    }


def _show_states(states: Sequence[State], *, as_json: bool) -> None:
    if as_json:
        print_json({"clients": [_state_json(state) for state in states]})
        return
    for state in states:
        where = f"{state.base_url} ({state.place.scope})" if state.base_url else ""
        click.echo(f"{state.client.id:<14} {'found' if state.trace else 'not found':<10} {state.state:<14} {where}".rstrip())
        if state.trace:
            click.echo(f"{'':<14} {state.trace}")
        if state.base_url:
            for path in state.paths:
                click.echo(f"{'':<14} writes to {path}")
        if state.words:
            click.echo(f"{'':<14} {state.words}")


def _state_json(state: State) -> dict[str, object]:
    return {
        "client": state.client.id,
        "title": state.client.title,
        "found": bool(state.trace),
        "trace": state.trace,
        "state": state.state,
        "connected": state.state == "connected",
        "scope": str(state.place.scope),
        "base_url": state.base_url,
        "files": [str(path) for path in state.paths],
        "words": state.words,
    }
