"""What several commands of the command line share: their options, and the door that these open.

Rule 1: an option means the same, and has the same name in the environment, wherever it stands.
Rule 2: what stands on the command line comes before the environment; there, an object of the host's own comes before
        what would be built in its place. The blog of a framework whose command line this is comes before all.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
trusted_proxies = click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    envvar="LINKBACK_TRUSTED_PROXIES",
    callback=_split,
    help="Believe this proxy's X-Forwarded-For, and nobody else's. Repeatable.",
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
    help="A Site or Sites of your own instead, a function that makes one, or a Flask or FastAPI application.",
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
    """The blog that `--app` names; raises `ConfigurationError` in one line where it names none."""
    module, _, name = app.partition(":")
    name = name or "site"
    if module.endswith(".py"):
        raise ConfigurationError(f"--app {app}: give the module, {module.removesuffix('.py')}:{name}, not its file")
    # as Python itself does for a script: the command may be run in the host's folder
    sys.path.insert(0, "")
    with _failing(app, f"{module or 'no module'} cannot be imported", ImportError):
        imported = importlib.import_module(module)
    with _failing(app, f"{name} cannot be had", AttributeError):
        found = getattr(imported, name)
    blog = _blog_of(found)
    if blog is None and callable(found) and _needs_nothing(found):
        with _failing(app, f"{name}() failed"):
            found = found()
        blog = _blog_of(found)
    if blog is None:
        raise ConfigurationError(
            f"--app {app}: it is no Site and no Sites, but {_described(found)}:"
            f" name one, or a function without arguments that gives one, as in {module}:site"
        )
    return blog


@contextlib.contextmanager
def _failing(app: str, what: str, *plain: type[Exception]) -> Iterator[None]:
    """The host's own code, of which what it raised is all that can be said; what is `plain` speaks for itself."""
    try:
        yield
    except LinkbackError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        said = words if isinstance(error, plain) else f"{what}: {type(error).__name__}: {words}"
        raise ConfigurationError(f"--app {app}: {said}") from error


def _blog_of(found: object) -> Site | Sites | None:
    """A blog, or that of an application: Flask's among its extensions, FastAPI's as an option of its middleware."""
    from linkback.site import Site
    from linkback.sites import Sites

    extensions, middleware = getattr(found, "extensions", None), getattr(found, "user_middleware", None)
    candidates = [found]
    if isinstance(extensions, Mapping):
        candidates.append(getattr(extensions.get("linkback"), "blog", None))
    if isinstance(middleware, Sequence):
        candidates += [getattr(each, "kwargs", {}).get("site") for each in middleware]
    return next((each for each in candidates if isinstance(each, Site | Sites)), None)


def _needs_nothing(function: Callable[..., object]) -> bool:
    """Whether it can be called as it is; what does not tell is tried."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def _described(found: object) -> str:
    """What was found where a blog should be, in words for who named it."""
    if hasattr(found, "extensions") or hasattr(found, "user_middleware"):
        return f"a {type(found).__name__} application without a blog of linkback"
    if callable(found):
        return f"{getattr(found, '__name__', type(found).__name__)}, which wants arguments"
    return type(found).__name__


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
    from linkback.fetch import Openers, make_fetcher

    return make_fetcher(networks, ports, contact=contact, openers=Openers("--allow-network", "--allow-port"))
