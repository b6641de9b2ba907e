"""The options that commands share, and the door that they open."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from linkback.errors import ConfigurationError
from linkback.options import as_json, blogs, database, fetcher, fetching, opened
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


@click.command()
@blogs
@database
def choosing(sites: tuple[str, ...], app: str, database: str) -> None:
    try:
        click.echo(opened(sites, app, database, (), ()).url)
    except ConfigurationError as error:
        click.echo(str(error))


@pytest.mark.parametrize("in_line", ["none", "app", "sites", "both"])
@pytest.mark.parametrize("in_environment", ["none", "app", "sites", "both"])
def test_the_line_comes_before_the_environment_and_an_app_there_before_a_site(
    in_line: str, in_environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LINKBACK_DATABASE", "sqlite://")
    for name in ("line", "environment"):
        text = f'import linkback\nsite = linkback.Site("https://app-of-the-{name}.example", store="sqlite://")\n'
        (tmp_path / f"app_of_the_{name}.py").write_text(text)
    arguments, environment = list[str](), dict[str, str]()
    if in_line in ("app", "both"):
        arguments += ["--app", "app_of_the_line"]
    if in_line in ("sites", "both"):
        arguments += ["--site", "https://site-of-the-line.example"]
    if in_environment in ("app", "both"):
        environment["LINKBACK_APP"] = "app_of_the_environment"
    if in_environment in ("sites", "both"):
        environment["LINKBACK_SITE"] = "https://site-of-the-environment.example"
    wins = {"both": "app", "none": ""}.get(in_environment, in_environment.removesuffix("s"))
    expected = f"https://{wins}-of-the-environment.example/" if wins else "give the blog with --site"
    if in_line in ("app", "sites"):
        expected = f"https://{in_line.removesuffix('s')}-of-the-line.example/"
    if in_line == "both":
        expected = "not both"
    assert expected in CliRunner().invoke(choosing, arguments, env=environment).output


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "\u0661"])
def test_a_port_that_is_none_is_a_mistake_of_the_configuration(port: str) -> None:
    with pytest.raises(ConfigurationError, match="a port is a number"):
        fetcher((), ("81", port))


def test_a_network_that_is_none_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError):
        fetcher(("everywhere",), ())
