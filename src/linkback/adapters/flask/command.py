"""`flask linkback …`: linkback's own commands for the blog of an application.

Rule: the application's blog stands where the command line would have options; what a command does is not said here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import FlaskGroup, with_appcontext

from linkback import startup
from linkback.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from linkback.adapters.flask.host import Host

NAME = "flask linkback"
WORKER = f"{NAME} worker"
_WORKING = frozenset({"worker", "drain"})
_COMMANDS = (
    *("list", "moderate", "recheck", "render", "publish", "unpublish"),
    *("worker", "drain", "doctor", "deliveries", "jobs", "revive"),
)


class _Misconfigured(ConfigurationError, click.ClickException):
    """What click shows as one line, and whoever makes the application catches as ever."""

    exit_code = 2


class _Unopened(StoreError, click.ClickException):
    """The same of a database."""

    exit_code = 2


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Have a blog that cannot be made told without a traceback, and end with 2, where `flask …` asks for it.

    Flask makes it before it knows of any command of ours, and shows only errors of click's without their traceback.
    """
    try:
        yield
    except (ConfigurationError, StoreError) as error:
        context = click.get_current_context(silent=True)
        if context is None or not isinstance(context.find_root().command, FlaskGroup):
            raise
        raise (_Unopened if isinstance(error, StoreError) else _Misconfigured)(str(error)) from None


@click.command(
    "linkback",
    # what follows the command's name is the command's own
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=f"Commands, each with a --help of its own: {', '.join(_COMMANDS)}.",
    no_args_is_help=True,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
@click.pass_context
@with_appcontext
def command(context: click.Context, arguments: tuple[str, ...]) -> None:
    """List and moderate mentions, publish, do the work, look what is wrong."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    if name not in _COMMANDS:
        raise click.UsageError(f"{name!r} is no command for an application; there are {', '.join(_COMMANDS)}")
    host: Host = current_app.extensions["linkback"]
    # who serves or works hears what is open to strangers
    for trouble in startup.of_records(host.blog, worker=WORKER):
        # who begins to work need not be told that nobody does
        if trouble.name != "worker" or name not in _WORKING:
            click.echo(f"linkback: {trouble}", err=True)
    from linkback import cli

    context.exit(cli.main(list(arguments), command=NAME, blog=host.blog))
