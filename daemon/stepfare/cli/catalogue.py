"""`stepfare models` and `stepfare prices`: the catalogue as the running daemon uses it, and newer prices for it."""

from __future__ import annotations

import asyncio

import click

from stepfare.cli.asking import Trouble, ask, command_of, here, json_option, now_ms, print_json, print_message, told_to_reload
from stepfare.control.protocol import Prices

all_option = click.option("--all", "all_models", is_flag=True, help="Models of all providers, not only of those in use.")


@click.command()
@all_option
@json_option
@command_of
def models(all_models: bool, as_json: bool) -> None:
    """List the models in play and why: tier, context window, price now, abilities, who serves which floor, what a provider lacks; with
    --all also the models that are not in play, and why not."""
    message = _catalogue(all_models, look=True)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import catalogue, paint

    paint.show(catalogue.models(message, all_models=all_models))


@click.group(invoke_without_command=True)
@all_option
@json_option
@click.pass_context
@command_of
def prices(ctx: click.Context, all_models: bool, as_json: bool) -> None:
    """List what the models cost: every price with its condition, its source and its day. `stepfare prices update` fetches newer ones."""
    if ctx.invoked_subcommand is not None:
        return
    message = _catalogue(all_models)
    if as_json:
        print_message(message)
        return
    from stepfare.cli.render import catalogue, paint

    paint.show(catalogue.prices(message, now_ms()))


@prices.command()
@click.option("--accept", is_flag=True, help="Take changes too that look like errors: to nothing, or by more than a factor of 100.")
@json_option
@command_of
def update(accept: bool, as_json: bool) -> None:
    """Fetch newer prices: OpenRouter's list of models, and before it the table that [prices] url of config.toml names. Nothing is sent
    but the question. What changed is told line by line; changes that look like errors are held back."""
    from stepfare.runtime.play import read_settings
    from stepfare.runtime.renewing import places_asked, renew
    from stepfare.upstream.listing import NoList

    paths = here()
    settings = read_settings(paths).value
    for place in places_asked(settings):
        click.echo(f"Asking {place} ...", err=True)
    try:
        fetched = asyncio.run(renew(paths, settings, now_ms(), accept=accept))
    except NoList as trouble:
        raise Trouble("no-list", str(trouble)) from None
    except OSError as trouble:
        words = f"The prices cannot be kept in {paths.catalogue_json}: {trouble.strerror or trouble}. They stay as they are."
        raise Trouble("not-written", words) from None
    told = told_to_reload()
    if as_json:
        changes = [{"model": one.model, "words": one.words, "taken": not one.held} for one in fetched.changes]
        print_json({"updated": fetched.updated, "changes": changes, "left_out": list(fetched.left_out), "daemon": told})
        return
    from stepfare.cli.render import catalogue, paint

    changes = [(one.words, one.held) for one in fetched.changes]
    paint.show(catalogue.renewed(changes, fetched.left_out, fetched.updated, told=told == "reloaded"))


def _catalogue(all_models: bool, *, look: bool = False) -> Prices:
    return ask(here(), lambda daemon: daemon.prices(all_models=all_models, look=look))
