"""Kilo's command line, which is built on opencode and keeps the same settings in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from stepfare.cli.connect.edits import Edit
from stepfare.cli.connect.opencode import config_folder, edits_in, settings_file
from stepfare.cli.connect.place import Client, Endpoint, Place, Scope, World


def _path(world: World) -> Path:
    # In the order in which Kilo itself looks for the file to write into.
    return settings_file(config_folder(world, "kilo"), "kilo.jsonc", "opencode.jsonc", "opencode.json", "kilo.json")


def _edits(world: World, place: Place, endpoint: Endpoint) -> tuple[Edit, ...]:
    return edits_in(place.at if place.scope is Scope.FILE else _path(world), endpoint)


def _trace(world: World) -> str:
    return world.seen(_path(world), "kilo", "kilocode")


def _hints(world: World, place: Place) -> tuple[str, ...]:
    del world
    if place.scope is Scope.FILE:
        return (f"Run it with this file: KILO_CONFIG={place.at} kilo",)
    return ('Run it as ever, e.g.: kilo run "explain this project"',)


CLIENT = Client("kilo", "Kilo", ("kilo",), (Scope.USER, Scope.FILE), _edits, _trace, _hints)
