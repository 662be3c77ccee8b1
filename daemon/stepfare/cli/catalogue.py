"""`stepfare models` and `stepfare prices`: the catalogue as the running daemon uses it."""

from __future__ import annotations

import click

from stepfare.cli.asking import ask, command_of, here, json_option, now_ms, print_message
from stepfare.control.protocol import Prices

all_option = click.option("--all", "all_models", is_flag=True, help="Models of all providers, not only of those in use.")


@click.command()
@all_option
@json_option
@command_of
def models(all_models: bool, as_json: bool) -> None:
    """List the models in play: tier, context window, price now, abilities; with --all also those that are not, and why not."""
    message = _catalogue(all_models)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import catalogue, paint

    paint.show(catalogue.models(message, all_models=all_models))


@click.command()
@all_option
@json_option
@command_of
def prices(all_models: bool, as_json: bool) -> None:
    """List what the models cost: every price with its condition, its source and its day."""
    message = _catalogue(all_models)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import catalogue, paint

    paint.show(catalogue.prices(message, now_ms()))


def _catalogue(all_models: bool) -> Prices:
    return ask(here(), lambda daemon: daemon.prices(all_models=all_models))
