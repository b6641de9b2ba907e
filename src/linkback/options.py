"""What several commands of the command line share: their options, and the door that these open.

Rule 1: an option means the same, and has the same name in the environment, wherever it stands.
Rule 2: what stands on the command line comes before the environment; there, an object of the host's own comes before
        what would be built in its place. The blog of a framework whose command line this is comes before all.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from linkback.errors import ConfigurationError, LinkbackError
from linkback.store import DEFAULT_STORE, Storage, open_store

if TYPE_CHECKING:
    from linkback.fetch import Fetcher
    from linkback.policy import Outgoing
    from linkback.site import Site
    from linkback.sites import Sites

Command = Callable[..., Any]
#: what a host's own blogs decide for themselves, as parameters of commands
_SETTINGS = frozenset({"sites", "site", "app", "moderate", "database", "networks", "ports", "post_only"})


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
own_blog = click.option(
    "--app",
    default="",
    metavar="MODULE:NAME",
    envvar="LINKBACK_APP",
    help="A Site or Sites of your own instead, or a function that makes one.",
)


def blogs(command: Command) -> Command:
    """Options of every command that acts for blogs."""
    return _sites(own_blog(command))


def lent() -> Site | Sites | None:
    """The blog of the framework whose command line this is; it stays open after the command."""
    blog: Site | Sites | None = click.get_current_context().find_root().obj
    return blog


def given(*names: str) -> bool:
    """Whether one of some parameters of the present command was given on its line, not by the environment."""
    context = click.get_current_context()
    return any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


def which_app(app: str, *others: str) -> str:
    """The `--app` that counts, "" for none: one of the environment yields to `others` that are given on the line."""
    return app if given("app") or not given(*others) else ""


def opened(
    sites: Sequence[str],
    app: str,
    database: str,
    networks: tuple[str, ...],
    ports: tuple[str, ...],
    *,
    moderate: bool = False,
    outgoing: Outgoing | None = None,
) -> Site | Sites:
    """The blogs that the options mean, over one store; raises `ConfigurationError` where they mean none."""
    app = which_app(app, "sites", "site", "database")
    if lent() is None and bool(app) == bool(sites if given("sites", "site") or not app else ()):
        raise ConfigurationError("give the blog with --site, or your own with --app, not both or neither")
    own = hosts_own(app)
    if own is not None:
        return own
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
            outgoing=outgoing,
            runner=Embedded() if alone else External(),
        )
        for url in sites
    ]
    return made[0] if alone else Sites(made, store=store)


@contextlib.contextmanager
def closing(blog: Site | Sites) -> Iterator[Site | Sites]:
    """A blog for the length of a command, closed at its end unless a framework lent it."""
    with contextlib.nullcontext(blog) if blog is lent() else blog:
        yield blog


def hosts_own(app: str, *, heeded: Collection[str] = ()) -> Site | Sites | None:
    """The blog that a framework lent, or that of `--app`; None where there is neither.

    Raises `ConfigurationError` for an option that such a blog would not heed, but for those that are `heeded`.
    """
    own = lent()
    if own is None and not app:
        return None
    whose = "the blogs of --app have their" if own is None else "the application's blog has its"
    for parameter in click.get_current_context().command.params:
        name = parameter.name or ""
        if name in _SETTINGS and name not in heeded and given(name) and (name != "app" or own is not None):
            names = "/".join((*parameter.opts, *parameter.secondary_opts))
            raise ConfigurationError(f"{whose} own settings: {names} means nothing there")
    return own if own is not None else _loaded(app)


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
