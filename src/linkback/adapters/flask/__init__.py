"""Flask: a blog that is made of an application's settings, and asked in its views and templates.

Rule: what is asked is asked of the current application: one `Linkback` serves any number of them, each with a blog of
its own in `app.extensions`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from linkback.adapters.given import check_app, check_blog
from linkback.adapters.settings import Settings
from linkback.errors import ConfigurationError, StoreError
from linkback.hooks import tell
from linkback.model import Mention, Status
from linkback.site import Site
from linkback.sites import Sites
from linkback.web.render import Comment, Markup

try:
    from flask import Flask
except ImportError as error:
    raise ConfigurationError("linkback.adapters.flask needs Flask: pip install 'linkback[flask]'") from error

from linkback.adapters.flask.command import in_one_line
from linkback.adapters.flask.host import KEY, NAME, SHOWN, Host, at_home, current, named, within

__all__ = ["Comment", "Linkback", "current_blog"]

#: settings that mean something also where the application made its own blog
_OF_ANY_BLOG = frozenset({"PREFIX", "BASE", "LANGUAGE"})

_OWN_BLOG = "Linkback(app, site={})"

Hook = TypeVar("Hook", bound=Callable[[Any], None])


class Linkback:
    """The blog of a Flask application: `Linkback(app)`, or `init_app` where a factory makes the application.

    The blog is made of the `LINKBACK_…` settings in `app.config` when the application is initialised, or is `site`, a
    `Site` or `Sites` of the application's own. A page is named by its whole URL, by its path as `url_for` gives it, or
    not at all: then it is the one that is being asked for. In templates `linkback_thread`, `linkback_count`,
    `linkback_mentions` and `linkback_head` are what the methods are here. Raises `TypeError` for an application or a
    blog that is none, and what `init_app` raises.
    """

    def __init__(self, app: Flask | None = None, site: Site | Sites | None = None) -> None:
        if site is not None:
            check_blog(site, f"{named('SITE')} = {site!r} and Linkback(app)" if isinstance(site, str) else _OWN_BLOG)
        self._given = site
        self._app = app
        self._hooks: dict[str, list[Callable[[Any], None]]] = {"mention": [], "removed": [], "delivery": []}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give an application its blog: endpoints, signposts, template functions and `flask linkback`.

        Raises `ConfigurationError` for a setting that is missing, wrong or unknown and for a prefix that is taken, and
        `StoreError` where the database cannot be opened; either is one line where Flask's own command line asks for
        the application.
        """
        with in_one_line():
            self._init(app)

    def _init(self, app: Flask) -> None:
        check_app(app, isinstance(app, Flask), "Linkback(app)")
        if NAME in app.extensions or NAME in app.blueprints:
            raise ConfigurationError(f"the application {app.name!r} has an extension or a blueprint {NAME!r} already")
        found = {key.removeprefix(KEY): value for key, value in app.config.items() if key.startswith(KEY)}
        settings = Settings({name: value for name, value in found.items() if value is not None}, named)
        blog = self._made(app, settings) if self._given is None else _heeding(self._given, settings)
        try:
            Host(app, blog, settings).install()
        except ConfigurationError:
            if self._given is None:
                blog.close(0)
            raise

    def _made(self, app: Flask, settings: Settings) -> Site:
        """The blog that the settings mean, which calls the host's own functions in a context of the application."""
        home = partial(at_home, app, str(settings.values.get("SITE", "")))
        resolve = settings.resolve()
        if resolve is not None:
            settings = replace(settings, values={**settings.values, "RESOLVE": partial(within, home, resolve)})
        hooks: dict[str, Any] = {f"on_{name}": partial(within, home, partial(self._tell, name)) for name in self._hooks}
        try:
            return settings.site(**hooks)
        except StoreError as error:
            raise StoreError(f"{named('DATABASE')}: {error}") from error

    def _tell(self, name: str, value: object) -> None:
        for hook in self._hooks[name]:
            tell(hook, value)

    def on_mention(self, hook: Hook) -> Hook:
        """Have a function called with each mention that is new or changed: `Site(on_mention=…)` as a decorator.

        It runs in the thread that did the work, in a request context at the blog's own address, so `url_for` gives
        public URLs. A blog that the application made itself has hooks of its own.
        """
        self._hooks["mention"].append(hook)
        return hook

    def on_removed(self, hook: Hook) -> Hook:
        """Have a function called with each mention that a check took away."""
        self._hooks["removed"].append(hook)
        return hook

    def on_delivery(self, hook: Hook) -> Hook:
        """Have a function called with each delivery that will not be tried again by itself."""
        self._hooks["delivery"].append(hook)
        return hook

    @property
    def blog(self) -> Site | Sites:
        """The current application's `Site`, or its `Sites`."""
        return self._host.blog

    @property
    def site(self) -> Site:
        """The blog; of many that which the request is for.

        Raises `Refused` where that is nobody's, and `ConfigurationError` where there are many and no request.
        """
        return self._host.site

    def mentions(self, url: str = "", *, statuses: Collection[Status] | None = SHOWN) -> list[Mention]:
        """The mentions of a page, as `Site.mentions` gives them."""
        return self._host.mentions(url, statuses=statuses)

    def thread(self, url: str = "", comments: Iterable[Comment] = (), **options: Any) -> Markup:
        """The thread of a page, its mentions and the application's own comments, as `render.thread` draws it.

        `templates/linkback/thread.html` of the application comes before ours. `options` are those of `render.thread`;
        the language is `LINKBACK_LANGUAGE` unless they say another.
        """
        return self._host.thread(url, comments, **options)

    def count(self, url: str = "", comments: Iterable[Comment] = ()) -> int:
        """How many the thread of a page holds, mentions and comments together."""
        return self._host.count(url, comments)

    def head(self, url: str = "", *, title: str = "") -> Markup:
        """The markup that advertises the endpoints of a page, for its `<head>`; "" where it takes no mentions."""
        return self._host.head(url, title=title)

    @property
    def _host(self) -> Host:
        found = current(self._app)
        if found is None:
            raise ConfigurationError("no application has a blog here: call init_app(app), then use app.app_context()")
        return found


def _heeding(blog: Site | Sites, settings: Settings) -> Site | Sites:
    """The application's own blog; raises `ConfigurationError` for a setting that it would not heed."""
    if unheeded := sorted(settings.values.keys() - _OF_ANY_BLOG):
        raise ConfigurationError(f"{named(unheeded[0])} means nothing to a blog that the application made itself")
    return blog


def current_blog() -> Site | Sites:
    """The blog of the current application: `--app linkback.adapters.flask:current_blog` on the command line."""
    found = current()
    if found is None:
        raise ConfigurationError("the current application has no blog: call Linkback(app)")
    return found.blog
