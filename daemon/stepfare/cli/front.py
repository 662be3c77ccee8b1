"""The table of commands, each imported only when it is called: a status line must not pay for what `serve` needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

import click

from stepfare import __version__

EXIT_CODES = "Exit codes: 0 ok, 1 a problem, 2 wrong usage, 3 the daemon is not running."


@dataclass(frozen=True, slots=True)
class Row:
    """One command: its name, `module:attribute` of the click command, and its line in `stepfare --help`."""

    name: str
    where: str
    help: str


COMMANDS = (
    Row("serve", "stepfare.cli.serve:serve", "Run the daemon."),
    Row("stop", "stepfare.cli.stop:stop", "End the running daemon."),
    Row("status", "stepfare.cli.status:status", "Show the daemon, today's spend and the latest sessions."),
    Row("sessions", "stepfare.cli.spend:sessions", "List sessions and what they cost."),
    Row("session", "stepfare.cli.spend:session", "Show one session, step by step."),
    Row("report", "stepfare.cli.report:report", "Show what was spent and saved, by day, model or else."),
    Row("dashboard", "stepfare.cli.dashboard:dashboard", "Open the dashboard in your browser."),
    Row("budget", "stepfare.cli.budget:budget", "Show what may be spent and what is left, or add to it."),
    Row("explain", "stepfare.cli.reasons:explain", "Say why a step got its model."),
    Row("replay", "stepfare.cli.replay:replay", "Say what another policy would have cost; no call is made."),
    Row("audit", "stepfare.cli.audit:audit", "Say whether routing helped on your own sessions."),
    Row("decide", "stepfare.cli.deciding:decide", "Say what would be decided on a request; nothing is sent."),
    Row("learn", "stepfare.cli.learning:learn", "Fit what tells steps apart to your own sessions."),
    Row("models", "stepfare.cli.catalogue:models", "List the models in play."),
    Row("prices", "stepfare.cli.catalogue:prices", "List what the models cost."),
    Row("ledger", "stepfare.cli.books:ledger", "Export the books, or prove that they are whole."),
    Row("connect", "stepfare.cli.connect.commands:connect", "Point a coding agent at the daemon."),
    Row("disconnect", "stepfare.cli.connect.commands:disconnect", "Give a coding agent its own settings back."),
    Row("token", "stepfare.cli.token:token", "Print the token that clients send."),
    Row("doctor", "stepfare.cli.doctor:doctor", "Look for what may be wrong, and say what to do."),
    Row("lsp", "stepfare.cli.lsp:lsp", "Run the language server for editors."),
)


class Front(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [row.name for row in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = next((row for row in COMMANDS if row.name == cmd_name), None)
        if row is None:
            near = get_close_matches(cmd_name, self.list_commands(ctx), n=1)
            if near:
                ctx.fail(f"There is no command {cmd_name!r}. Did you mean {near[0]!r}?")
            return None
        module, _, attribute = row.where.partition(":")
        command: object = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command), row
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(row.name, row.help) for row in COMMANDS])


@click.command(cls=Front, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="stepfare", message="%(prog)s %(version)s")
def front() -> None:
    """Decides for each step of a coding agent which model is good enough and cheapest, and keeps exact books.

    `stepfare serve` runs the daemon; point Cline, Continue and others at http://127.0.0.1:4884/v1.
    Each command has --help and --json.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code: object = front.main(list(arguments), prog_name="stepfare", standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        # `stepfare sessions | head`: the reader has seen enough. Python would complain once more while flushing at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
