"""FastAPI and Starlette: a blog is put on an application by one call, and views get it by a dependency.

Rule: nothing is registered as a route, so nothing of it appears in the OpenAPI schema, and no exception handler or
dependency of the application stands between a sender and its answer.
"""

from __future__ import annotations

import asyncio

from linkback.adapters.asgi import SCOPE_KEY, LinkbackMiddleware, lifespan
from linkback.adapters.asyncsite import AsyncSite
from linkback.errors import ConfigurationError, Refused
from linkback.site import Site
from linkback.sites import Sites
from linkback.web.signposts import PREFIX, Signposts

try:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
except ImportError as error:
    raise ConfigurationError("linkback.adapters.fastapi needs FastAPI: pip install 'linkback[fastapi]'") from error

__all__ = ["AsyncSite", "current_site", "install"]


def install(app: Starlette, site: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> None:
    """Have an application receive and advertise for a blog, or for many.

    The blog's work is done while the application lives, and the blog is closed at its end; the application's own
    lifespan stays, around that. `prefix` is the path that the endpoints stand under, `base` their public URL where it
    is not that path on the blog's host. Call it before the application starts. Raises `ConfigurationError` for a prefix
    that would take every page, and for an application that has a blog already.
    """
    installed: list[object] = [middleware.cls for middleware in app.user_middleware]
    if LinkbackMiddleware in installed:
        raise ConfigurationError("this application works for a blog already; give it a Sites for several")
    # the middleware itself is only made with the first request: too late to complain
    Signposts(site, prefix=prefix, base=base)
    app.add_middleware(LinkbackMiddleware, site=site, prefix=prefix, base=base)
    app.router.lifespan_context = lifespan(site, app.router.lifespan_context)


async def current_site(request: Request) -> AsyncSite:
    """The blog that a request is for, to be awaited: `Annotated[AsyncSite, Depends(current_site)]`.

    A request that is for none of many blogs answers 404. Raises `ConfigurationError` in an application without one.
    """
    site = request.scope.get(SCOPE_KEY)
    if isinstance(site, Sites):
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            site = await asyncio.to_thread(site.at, request.url.netloc, request.url.path + query)
        except Refused as refusal:
            raise HTTPException(404) from refusal
    if not isinstance(site, Site):
        raise ConfigurationError("this application has no blog: linkback.adapters.fastapi.install(app, site)")
    return AsyncSite(site)
