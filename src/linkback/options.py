"""What several commands of the command line share: their options, and the door that these open.

Rule: an option means the same, and has the same name in the environment, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from linkback.errors import ConfigurationError
from linkback.store import DEFAULT_STORE

if TYPE_CHECKING:
    from linkback.fetch import Fetcher

Command = Callable[..., Any]


def _split(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Options add up; a variable of the environment lists its values with commas."""
    return tuple(part.strip() for item in value for part in item.split(",") if part.strip())


def fetching(command: Command) -> Command:
    """Options of every command that reads the web."""
    networks = click.option(
        "--allow-network",
        "networks",
        multiple=True,
        metavar="CIDR",
        envvar="LINKBACK_ALLOW_NETWORKS",
        callback=_split,
        help="Talk to this private network too, such as 127.0.0.0/8. Repeatable.",
    )
    ports = click.option(
        "--allow-port",
        "ports",
        multiple=True,
        metavar="PORT",
        envvar="LINKBACK_ALLOW_PORTS",
        callback=_split,
        help="Talk to this port on public addresses too. Repeatable.",
    )
    return networks(ports(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
database = click.option(
    "--database",
    default=DEFAULT_STORE,
    show_default=True,
    metavar="URL",
    envvar="LINKBACK_DATABASE",
    help="Where the records are kept.",
)


def fetcher(networks: tuple[str, ...], ports: tuple[str, ...], *, contact: str = "") -> Fetcher:
    """The door as the options ask for it; `contact` is the URL that its User-Agent names.

    Raises `ConfigurationError` for a network or a port that is none.
    """
    from linkback.fetch import Fetcher, Limits, introduction

    defaults = Limits()
    if not all(port.isascii() and port.isdigit() and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"a port is a number from 1 to 65535, not {', '.join(ports)}")
    limits = Limits(ports=defaults.ports | {int(port) for port in ports}) if ports else defaults
    return Fetcher(allow=networks, limits=limits, user_agent=introduction(contact))
