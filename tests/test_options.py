"""The options that commands share, and the door that they open."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from linkback.errors import ConfigurationError
from linkback.options import as_json, database, fetcher, fetching
from linkback.store import DEFAULT_STORE


@click.command()
@database
@as_json
@fetching
def command(database: str, as_json: bool, networks: tuple[str, ...], ports: tuple[str, ...]) -> None:
    click.echo(repr((database, as_json, networks, ports)))


@pytest.mark.parametrize(
    ("arguments", "environment", "given"),
    [
        ((), {}, (DEFAULT_STORE, False, (), ())),
        (("--database", "sqlite://", "--json"), {}, ("sqlite://", True, (), ())),
        (
            ("--allow-network", "10.0.0.0/8", "--allow-network", "::1/128", "--allow-port", "81"),
            {},
            (DEFAULT_STORE, False, ("10.0.0.0/8", "::1/128"), ("81",)),
        ),
        (
            (),
            {"LINKBACK_ALLOW_NETWORKS": "10.0.0.0/8, ::1/128,", "LINKBACK_ALLOW_PORTS": "81,82"},
            (DEFAULT_STORE, False, ("10.0.0.0/8", "::1/128"), ("81", "82")),
        ),
        ((), {"LINKBACK_DATABASE": "sqlite:///x.db"}, ("sqlite:///x.db", False, (), ())),
    ],
)
def test_options_come_from_the_line_or_the_environment(
    arguments: tuple[str, ...], environment: dict[str, str], given: tuple[object, ...]
) -> None:
    """Repeated on the line, listed with commas in the environment."""
    ran = CliRunner().invoke(command, arguments, env=environment)
    assert ran.output == f"{given!r}\n"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "\u0661"])
def test_a_port_that_is_none_is_a_mistake_of_the_configuration(port: str) -> None:
    with pytest.raises(ConfigurationError, match="a port is a number"):
        fetcher((), ("81", port))


def test_a_network_that_is_none_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        fetcher(("everywhere",), ())
