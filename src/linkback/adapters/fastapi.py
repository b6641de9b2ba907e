"""FastAPI and Starlette: a blog is put on an application by one call, and views get it by a dependency.

Rule: nothing is registered as a route, so nothing of it appears in the OpenAPI schema, and no exception handler or
dependency of the application stands between a sender and its answer.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

from linkback import logs
from linkback.adapters import asyncsite
from linkback.adapters.asgi import SCOPE_KEY, Lifespan, LinkbackMiddleware, lifespan
from linkback.adapters.asyncsite import AsyncSite
from linkback.adapters.given import check_app, check_blog
from linkback.errors import ConfigurationError, Refused
from linkback.site import Site
from linkback.sites import Sites
from linkback.web.signposts import PREFIX, Signposts

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.routing import BaseRoute
except ImportError as error:
    raise ConfigurationError("linkback.adapters.fastapi needs FastAPI: pip install 'linkback[fastapi]'") from error

log = logs.named(__name__)

__all__ = ["AsyncSite", "current_site", "install"]


def install(app: Starlette, site: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> None:
    """Have an application receive and advertise for a blog, or for many.

    The blog's work is done while the application lives, and the blog is closed at its end; the application's own
    lifespan stays, around that. `prefix` is the path that the endpoints stand under, `base` their public URL where it
    is not that path on the blog's host. Call it before the application starts.

    Raises `ConfigurationError` for a prefix that would take every page or that a route of the application stands under,
    and for an application that has a blog already; `TypeError` for an application or a blog that is none. A route that
    comes under the prefix later is a warning in the log when the application starts.
    """
    check_app(app, isinstance(app, Starlette), "install(app, site)")
    check_blog(site, "install(app, {})")
    installed: list[object] = [middleware.cls for middleware in app.user_middleware]
    if LinkbackMiddleware in installed:
        raise ConfigurationError("this application works for a blog already; give it a Sites for several")
    # the middleware itself is only made with the first request: too late to complain
    taken = Signposts(site, prefix=prefix, base=base).prefix
    if trouble := _taken(app.routes, taken):
        raise ConfigurationError(trouble)
    app.add_middleware(LinkbackMiddleware, site=site, prefix=prefix, base=base)
    app.router.lifespan_context = _warned(app, taken, lifespan(site, app.router.lifespan_context))


def _warned(app: Starlette, prefix: str, living: Lifespan) -> Lifespan:
    """The lifespan of an application, whose routes are all known when it begins."""

    @contextlib.asynccontextmanager
    async def begun(started: Any) -> AsyncIterator[Any]:
        if trouble := _taken(app.routes, prefix):
            log.warning("%s", trouble)
        async with living(started) as state:
            yield state

    return begun


def _taken(routes: Iterable[BaseRoute], prefix: str) -> str:
    """What is wrong where the application has a route of its own under the endpoints' prefix; "" where it has none."""
    found = next((path for path in _paths(routes) if path.startswith(f"{prefix}/")), "")
    return f"{found} would never be asked for, as the endpoints stand there: give install another prefix=" * bool(found)


def _paths(routes: Iterable[BaseRoute], above: str = "") -> Iterable[str]:
    """The paths of routes, those of mounted applications among them; a mount itself takes what begins with its own."""
    # newer FastAPI keeps an included router as one route, which only its own function looks into
    each: Callable[..., Iterable[Any]] = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    for route in each(routes):
        path, inner = above + str(getattr(route, "path", None) or ""), getattr(route, "routes", None)
        yield path if inner is None else f"{path}/"
        yield from _paths(inner or (), path)


async def current_site(request: Request) -> AsyncSite:
    """The blog that a request is for, to be awaited: `Annotated[AsyncSite, Depends(current_site)]`.

    A request that is for none of many blogs answers 404. Raises `ConfigurationError` in an application without one.
    """
    site = request.scope.get(SCOPE_KEY)
    if isinstance(site, Sites):
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            site = await asyncsite.calls.run(partial(site.at, request.url.netloc, request.url.path + query))
        except Refused as refusal:
            raise HTTPException(404) from refusal
    if not isinstance(site, Site):
        raise ConfigurationError("this application has no blog: linkback.adapters.fastapi.install(app, site)")
    return AsyncSite(site)
