"""`flask linkback …`: linkback's own commands for the blog of an application.

Rule: the application's blog stands where the command line would have options; what a command does is not said here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import with_appcontext

from linkback import startup

if TYPE_CHECKING:
    from linkback.adapters.flask.host import Host

NAME = "flask linkback"
WORKER = f"{NAME} worker"
_WORKING = frozenset({"worker", "drain"})
_COMMANDS = (
    *("list", "moderate", "recheck", "render", "publish", "unpublish"),
    *("worker", "drain", "doctor", "jobs", "revive"),
)


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
    for trouble in startup.troubles(host.blog, worker=WORKER):
        # who begins to work need not be told that nobody does
        if not (trouble.name == "worker" and name in _WORKING):
            click.echo(f"linkback: {trouble}", err=True)
    from linkback import cli

    context.exit(cli.main(list(arguments), command=NAME, blog=host.blog))
