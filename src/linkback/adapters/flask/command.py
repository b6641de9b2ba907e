"""`flask linkback …`: linkback's own commands for the blog of an application.

Rule: the application's settings stand where its command line would have options; what a command does is not said here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
from flask import current_app
from flask.cli import with_appcontext

from linkback import startup
from linkback.errors import ConfigurationError
from linkback.site import Site
from linkback.store import DEFAULT_STORE

if TYPE_CHECKING:
    from linkback.adapters.flask.host import Host

WORKER = "flask linkback worker"
_WORKING = frozenset({"worker", "drain"})
#: what each command is told of the application
_OPTIONS = {
    "list": ("database",),
    "moderate": ("database",),
    "recheck": ("database",),
    "render": ("database",),
    "publish": ("site", "database", "networks", "ports"),
    "unpublish": ("site", "database", "networks", "ports"),
    "worker": ("app",),
    "drain": ("app",),
    "doctor": ("app", "networks", "ports"),
    "jobs": ("database",),
    "revive": ("database",),
}


@click.command(
    "linkback",
    # what follows the command's name is the command's own
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=f"Commands, each with a --help of its own: {', '.join(_OPTIONS)}.",
    no_args_is_help=True,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
@click.pass_context
@with_appcontext
def command(context: click.Context, arguments: tuple[str, ...]) -> None:
    """List and moderate mentions, publish, do the work, look what is wrong."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    if name not in _OPTIONS:
        raise click.UsageError(f"{name!r} is no command for an application; there are {', '.join(_OPTIONS)}")
    host: Host = current_app.extensions["linkback"]
    at = arguments.index(name) + 1
    try:
        options = [part for option in _OPTIONS[name] for part in _option(option, host)]
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    for trouble in startup.troubles(host.blog, worker=WORKER):
        # who begins to work need not be told that nobody does
        if not (trouble.name == "worker" and name in _WORKING):
            click.echo(f"linkback: {trouble}", err=True)
    # the application says which blog it is, not the environment
    os.environ.pop("LINKBACK_SITE", None)
    from linkback import cli

    context.exit(cli.main([*arguments[:at], *options, *arguments[at:]]))


def _option(name: str, host: Host) -> list[str]:
    settings = host.settings
    if name == "app":
        return ["--app", "linkback.adapters.flask:current_blog"]
    if name == "networks":
        return [part for network in settings.words("ALLOW_NETWORKS") for part in ("--allow-network", network)]
    if name == "ports":
        return [part for port in settings.words("ALLOW_PORTS") for part in ("--allow-port", port)]
    if "SITE" not in settings.values or not isinstance(host.blog, Site):
        raise ConfigurationError("the application made its own blog: use linkback and --database for this command")
    if name == "site":
        return ["--site", host.blog.url]
    return ["--database", settings.values.get("DATABASE", DEFAULT_STORE)]
