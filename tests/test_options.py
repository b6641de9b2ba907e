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


APPLICATIONS = """
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from linkback import Site, Sites
from linkback.adapters.asgi import LinkbackMiddleware
from linkback.adapters.fastapi import install
from linkback.adapters.flask import Linkback

def blog():
    return Site("https://bob.example", store="sqlite://")

def flask():
    app = Flask("blog")
    Linkback(app, blog())
    return app

site, bare_flask, bare_fastapi = blog(), Flask("blog"), FastAPI()
flask_app, fastapi = flask(), FastAPI()
install(fastapi, blog())
starlette = Starlette(middleware=[Middleware(LinkbackMiddleware, site=blog())])
wrapped = site.wsgi(flask_app)
table = {}

def hungry(settings):
    return site

def failing():
    return {}["LINKBACK_DATABASE"]

def gives_nothing():
    pass
"""


@pytest.fixture
def applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the host's, full of what people name."""
    name = f"applications_{tmp_path.name}".replace("-", "_")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text(APPLICATIONS)
    (tmp_path / f"{name}_broken.py").write_text("{}['KEY']")
    return name


@pytest.mark.parametrize("named", ["site", "blog", "flask", "flask_app", "fastapi", "starlette", ""])
def test_a_blog_an_application_with_one_or_what_makes_either_is_an_app(applications: str, named: str) -> None:
    ran = CliRunner().invoke(choosing, ["--app", f"{applications}:{named}".rstrip(":")])
    assert ran.output == "https://bob.example/\n"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (":bare_flask", "but a Flask application without a blog of linkback: name one"),
        (":bare_fastapi", "but a FastAPI application without a blog of linkback: name one"),
        (":hungry", "but hungry, which wants arguments: name one, or a function without arguments that gives one"),
        (":wrapped", "but application, which wants arguments: name one"),
        (":table", "but dict: name one"),
        (":gives_nothing", "but NoneType: name one"),
        (":failing", "failing() failed: KeyError: 'LINKBACK_DATABASE'"),
        (":nothing", "has no attribute 'nothing'"),
        ("_broken", "_broken cannot be imported: KeyError: 'KEY'"),
        ("_nowhere", "No module named"),
    ],
)
def test_what_is_no_app_is_told_in_a_line_that_names_what_would_be(applications: str, named: str, words: str) -> None:
    output = CliRunner().invoke(choosing, ["--app", applications + named]).output
    assert output.startswith(f"--app {applications}{named}: ")
    assert (output.count("\n"), words in output) == (1, True), output
