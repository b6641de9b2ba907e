"""One Flask application and its blog: the endpoints as a blueprint, signposts on its answers, its template functions.

Rule 1: the application's answers stay as they are but for the signposts (`web.signposts` says which get those).
Rule 2: the endpoints answer before the application's own hooks: who speaks a protocol has no login and no CSRF token.
Rule 3: the host's own functions run in a context of its application, also in the threads that do the work.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from flask import Blueprint, Flask, Response, current_app, has_app_context, has_request_context, request

from linkback import logs, startup, urls
from linkback.adapters.flask.command import WORKER, command
from linkback.adapters.settings import Settings
from linkback.adapters.wsgi import host_of, path_of, read_request
from linkback.errors import ConfigurationError, Refused
from linkback.model import Mention, Status
from linkback.site import Site
from linkback.sites import Sites
from linkback.web import render
from linkback.web.render import Comment, Markup
from linkback.web.signposts import PREFIX, Signposts, Signs

log = logs.named(__name__)

#: the name of the blueprint, and of the blog's place in `app.extensions`
NAME = "linkback"
#: how a setting of linkback begins in `app.config`
KEY = "LINKBACK_"
SHOWN = (Status.APPROVED,)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Host:
    """What Flask calls, in the words of linkback. Raises `ConfigurationError` for a prefix that is none."""

    def __init__(self, app: Flask, blog: Site | Sites, settings: Settings) -> None:
        self._app = app
        self.blog = blog
        self.settings = settings
        prefix, base = settings.values.get("PREFIX", PREFIX), settings.values.get("BASE", "")
        self._signposts = Signposts(blog, prefix=prefix, base=base)
        self._opening = startup.Opening(blog, worker=WORKER)

    def install(self) -> None:
        """Put everything in its place; raises `ConfigurationError` where the application has a page there."""
        app = self._app
        if taken := self._taken():
            raise ConfigurationError(f"{taken} stands where the endpoints would: set {named('PREFIX')} to another path")
        blueprint = Blueprint(NAME, __name__, url_prefix=self._signposts.prefix)
        # an application that tells hosts apart has no rule for all of them but one that takes any
        options: dict[str, Any] = {"host": "<linkback_host>"} if app.url_map.host_matching else {}
        options |= {"methods": _METHODS, "provide_automatic_options": False, "strict_slashes": False}
        for rule in ("/", "/<path:path>"):
            blueprint.add_url_rule(rule, "endpoint", self.answer, **options)
        app.register_blueprint(blueprint)
        # Flask has no call for being first; where this comes to nothing, the blueprint's view answers later
        app.before_request_funcs.setdefault(None, []).insert(0, self.before)
        app.after_request(self.signed)
        for function in (self.thread, self.count, self.mentions, self.head):
            app.add_template_global(function, f"linkback_{function.__name__}")
        app.cli.add_command(command)
        app.extensions[NAME] = self

    def _taken(self) -> str:
        """The application's own rule under the endpoints' prefix, "" where there is none."""
        prefix = self._signposts.prefix
        rules = (rule for rule in self._app.url_map.iter_rules() if not rule.endpoint.startswith(f"{NAME}."))
        return next((rule.rule for rule in rules if f"{rule.rule}/".startswith(f"{prefix}/")), "")

    def before(self) -> Response | None:
        """Answer for the endpoints; with the first request of a process, begin its work and say what is wrong."""
        if self._opening.begin() and (taken := self._taken()):
            log.warning("%s stands where the endpoints do: set %s to another path", taken, named("PREFIX"))
        return self.answer(**(request.view_args or {})) if request.blueprint == NAME else None

    def answer(self, path: str = "", **host: str) -> Response:
        """The endpoints: the request as it came, its body read by nobody else, and their answer as it is."""
        app = self._signposts.app(_mounted())
        try:
            asked = read_request(request.environ, app.max_body(f"/{path}"))
        except Exception as error:  # noqa: BLE001 - each server has its own for what is no chunk
            # the sender left, or wrote what cannot be read
            log.info("a request could not be read: %r", error)
            return Response("the request could not be read\n", 400, content_type="text/plain; charset=utf-8")
        answered = app.handle(asked, f"/{path}")
        response = Response(answered.body, answered.status)
        response.headers.clear()
        response.headers.extend(answered.headers)
        return response

    def signed(self, response: Response) -> Response:
        """The application's answer, with signposts where it is a page that takes mentions."""
        if request.blueprint == NAME:
            return response
        signs = self._signposts.on(
            response.headers.items(),
            method=request.method,
            status=response.status_code,
            host=host_of(request.environ),
            path=path_of(request.environ),
            mounted=_mounted(),
        )
        return _with(response, signs) if signs else response

    @property
    def site(self) -> Site:
        """The blog; of many that which the request is for."""
        if isinstance(self.blog, Site):
            return self.blog
        if not has_request_context():
            raise ConfigurationError("there are many blogs and no request: ask blog.site_of(url)")
        return self.blog.at(host_of(request.environ), path_of(request.environ))

    def mentions(self, url: str = "", *, statuses: Collection[Status] | None = SHOWN) -> list[Mention]:
        """The mentions of a page."""
        return self.blog.mentions(self._public(url), statuses=statuses)

    def thread(self, url: str = "", comments: Iterable[Comment] = (), **options: Any) -> Markup:
        """The thread of a page, drawn by the application's templates where it has them."""
        # the environment's escaping is not trusted with what strangers wrote: `render` sets its own
        defaults = {"language": self.settings.values.get("LANGUAGE", "en"), "templates": self._app.jinja_env}
        return render.thread(self.mentions(url), comments, **defaults | options)

    def count(self, url: str = "", comments: Iterable[Comment] = ()) -> int:
        """How many the thread of a page holds."""
        return render.context(self.mentions(url), comments)["thread"].count

    def head(self, url: str = "", *, title: str = "") -> Markup:
        """The markup that advertises the endpoints of a page."""
        page = urls.parse(self._public(url))
        # where there is one blog, signposts go by the path alone: a proxy may rename the host
        if page is None or (isinstance(self.blog, Site) and not self.blog.pages.owns(page.href)):
            return Markup()
        host = urls.authority(page.href)
        return Markup(self._signposts.head(host, page.request_target, mounted=_mounted(), title=title))

    def _public(self, url: str) -> str:
        """The URL of a page at its blog's own address, whatever name the request came by; "" where it is nobody's."""
        if not url and not has_request_context():
            raise ConfigurationError("no page is being asked for here: name one by its URL")
        if url and not url.startswith("/"):
            return url
        try:
            return urls.origin(self.site.url) + (url or path_of(request.environ))
        except Refused:
            return ""


class _Tailed:
    """The chunks of the application's answer, then the tail; closes what the application gave."""

    def __init__(self, chunks: Iterable[Any], tail: bytes) -> None:
        self._chunks = chunks
        self._tail = tail

    def __iter__(self) -> Iterator[Any]:
        yield from self._chunks
        yield self._tail

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _with(given: Response, signs: Signs) -> Response:
    """The answer and its signposts; a view may give one object many times, so that stays as it is."""
    response = copy.copy(given)
    response.headers = given.headers.copy()
    for name, value in signs.headers:
        response.headers.add(name, value)
    if signs.tail:
        chunks: Any = given.response
        # a list stays one, so that its length is known
        response.response = [*chunks, signs.tail] if given.is_sequence else _Tailed(chunks, signs.tail)
        if given.content_length is not None:
            response.content_length = given.content_length + len(signs.tail)
    return response


def current(otherwise: Flask | None = None) -> Host | None:
    """The current application with its blog, or `otherwise` where there is none."""
    apps: list[Any] = [current_app] if has_app_context() else []
    found = (app.extensions.get(NAME) for app in [*apps, otherwise] if app is not None)
    return next((host for host in found if isinstance(host, Host)), None)


@contextlib.contextmanager
def at_home(app: Flask, site: str) -> Iterator[None]:
    """A request context of the application: the present one, or one at the blog's own address."""
    if has_request_context() and current_app == app:
        yield
    else:
        with app.test_request_context(base_url=urls.origin(site) + app.config["APPLICATION_ROOT"]):
            yield


def within(
    home: Callable[[], contextlib.AbstractContextManager[None]], function: Callable[..., Any], *given: Any
) -> Any:
    """What a function of the host's gives, called in a context of its application."""
    with home():
        return function(*given)


def named(name: str) -> str:
    """How a person finds a setting."""
    return f'app.config["{KEY}{name}"]'


def _mounted() -> str:
    """The path, percent-encoded, that the application stands under."""
    if has_request_context():
        return urls.quote_path(str(request.environ.get("SCRIPT_NAME", "")))
    return urls.quote_path(str(current_app.config["APPLICATION_ROOT"])).rstrip("/") if has_app_context() else ""
