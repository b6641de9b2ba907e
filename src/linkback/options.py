"""What several commands of the command line share: their options, and the door that these open.

Rule: an option means the same, and has the same name in the environment, wherever it stands.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from linkback.errors import ConfigurationError, LinkbackError
from linkback.store import DEFAULT_STORE, Storage, open_store

if TYPE_CHECKING:
    from linkback.fetch import Fetcher
    from linkback.site import Site
    from linkback.sites import Sites

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


_sites = click.option(
    "--site",
    "sites",
    multiple=True,
    metavar="URL",
    envvar="LINKBACK_SITE",
    callback=_split,
    help="A blog that mentions are for. Repeatable.",
)
_app = click.option(
    "--app",
    default="",
    metavar="MODULE:NAME",
    envvar="LINKBACK_APP",
    help="A Site or Sites of your own instead, or a function that makes one.",
)


def blogs(command: Command) -> Command:
    """Options of every command that acts for blogs."""
    return _sites(_app(command))


def opened(
    sites: tuple[str, ...],
    app: str,
    database: str,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
    *,
    moderate: bool = False,
    looking: bool = False,
) -> Site | Sites:
    """The blogs that the options mean, over one store; raises `ConfigurationError` where they mean none.

    `looking` says that the command has uses of its own for settings that the blogs of `--app` would not heed.
    """
    if bool(sites) == bool(app):
        raise ConfigurationError("give the blog with --site, or your own with --app, not both or neither")
    if app:
        if not looking:
            _refuse_settings()
        return _loaded(app)
    from linkback.jobs import Embedded, External
    from linkback.policy import Policy
    from linkback.site import Site
    from linkback.sites import Sites

    store, policy = open_store(database), Policy(moderate=moderate)
    alone = len(sites) == 1
    made = [
        Site(
            url,
            store=store,
            fetch=fetcher(networks, ports, contact=url),
            policy=policy,
            runner=Embedded() if alone else External(),
        )
        for url in sites
    ]
    return made[0] if alone else Sites(made, store=store)


def _refuse_settings() -> None:
    """Raise `ConfigurationError` for an option that a host's own blogs would not heed."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in ("moderate", "database", "networks", "ports"):
            raise ConfigurationError(
                f"the blogs of --app have their own settings: {parameter.opts[0]} means nothing there"
            )


def _loaded(app: str) -> Site | Sites:
    from linkback.site import Site
    from linkback.sites import Sites

    module, _, name = app.partition(":")
    if module.endswith(".py"):
        raise ConfigurationError(
            f"--app {app}: give the module, {module.removesuffix('.py')}:{name or 'site'}, not its file"
        )
    # as Python itself does for a script: the command may be run in the host's folder
    sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), name or "site")
    except LinkbackError:
        raise
    except Exception as error:
        # the host's own module: what it raised is all that can be said
        raise ConfigurationError(f"--app {app}: {error}") from error
    try:
        made = found() if callable(found) else found
    except LinkbackError:
        raise
    except Exception as error:
        # the host's own code: what it raised is all that can be said
        raise ConfigurationError(f"--app {app}: {error!r}") from error
    if not isinstance(made, Site | Sites):
        raise ConfigurationError(f"--app {app}: it is no Site and no Sites, but {type(made).__name__}")
    return made


@contextlib.contextmanager
def stored(database: str) -> Iterator[Storage]:
    """The store at a database URL, closed at the end; raises `StoreError` where there is none."""
    store = open_store(database, create=False)
    try:
        yield store
    finally:
        store.close()


def fetcher(networks: tuple[str, ...], ports: tuple[str, ...], *, contact: str = "") -> Fetcher:
    """The door as the options ask for it, as `fetch.make_fetcher` makes it."""
    from linkback.fetch import make_fetcher

    return make_fetcher(networks, ports, contact=contact)
