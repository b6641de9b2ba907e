"""ASGI 3, on asyncio: the endpoints as an application, and signposts on a host's pages.

Rule 1: the host's answers pass through as they come, message by message, but for the signposts (`web.signposts` says
        which pages get those).
Rule 2: nothing here blocks the event loop. What asks the store, or the host's own functions, does so in a thread:
        pages, strangers' claims and what they read have some each, so that none keeps another waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from linkback import logs, urls
from linkback.adapters import asyncsite
from linkback.adapters.given import check_app, check_blog
from linkback.adapters.pool import THREADS, Pool
from linkback.site import Site
from linkback.sites import Sites
from linkback.startup import Opening
from linkback.web.app import App
from linkback.web.signposts import PREFIX, Signposts, Signs
from linkback.wire import Request, Response

log = logs.named(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
#: what a framework is given as `lifespan`, and what it has as one
Lifespan = Callable[[Any], contextlib.AbstractAsyncContextManager[Any]]

#: where a request's scope has the blog, or the many, for who answers it
SCOPE_KEY = "linkback"
#: how long a body may take to arrive, in seconds
BODY_SECONDS = 30.0
#: how many of those are answered at once who only read: the script, the stylesheet, threads, the health of the blog
READERS = 4
#: messages that carry the body, or a part of it; any other that ends an answer takes nothing after it
_BODIES = frozenset({"http.response.body", "http.response.zerocopysend"})
_PATHSEND = "http.response.pathsend"
_TOO_SLOW = Response(408, (("Content-Type", "text/plain"), ("Connection", "close")), b"the body took too long\n")


def endpoints(site: Site | Sites, *, base: str = "") -> ASGIApp:
    """The receiving endpoints of a site, or of many, as an ASGI application, to be served or mounted.

    `base` is its public URL, where the one in the requests is not (behind a proxy that rewrites it). Served by itself
    it closes the site when the server ends; what is mounted is not told, so use `lifespan` there. Raises `TypeError`
    for what is neither a `Site` nor `Sites`.
    """
    check_blog(site, "endpoints({})")
    app, desk = App(site, base=base), _Desk(site)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await desk.answer(app, _paths(scope)[1], scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(site, receive, send)
            desk.close()
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    return application


def around(app: ASGIApp, site: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> ASGIApp:
    """A host's application with the endpoints of its blog, or of its many, under `prefix`, advertised on its pages.

    HTML pages get `Link` and `X-Pingback` headers (next to any the host sets) and, at their end, the RDF block that
    TrackBack looks for; protocols.md A-49, A-71, A-91. `base` is the public URL of `prefix`; where it is not given, the
    blog's host, whatever the application is mounted under, and the prefix. Raises `ConfigurationError` for a prefix
    that would take all of the host's pages or that no URL can have, and for a public URL that is none; `TypeError` for
    an application or a blog that is none.
    """
    return LinkbackMiddleware(app, site, prefix=prefix, base=base)


class LinkbackMiddleware:
    """What `around` makes, for frameworks that want a class: `app.add_middleware(LinkbackMiddleware, site=site)`."""

    def __init__(self, app: ASGIApp, site: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> None:
        check_app(app, callable(app), "around(app, site)")
        check_blog(site, "around(app, {})")
        self._app = app
        self._site = site
        self._signposts = Signposts(site, prefix=prefix, base=base)
        self._desk = _Desk(site)
        self._threads = Pool("linkback-pages")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for an endpoint, or have the host answer; websockets and lifespan are the host's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            if scope["type"] == "lifespan":
                self._threads.close()
                self._desk.close()
            return
        mounted, path = _paths(scope)
        if path.startswith(self._signposts.prefix + "/"):
            inside = path.removeprefix(self._signposts.prefix)
            await self._desk.answer(self._signposts.app(urls.encoded_path(mounted)), inside, scope, receive, send)
            return
        await self._desk.open()
        scope[SCOPE_KEY] = self._site
        await self._app(scope, receive, _Advertised(self._signposts, self._threads, scope, send).pass_on)


def lifespan(site: Site | Sites, host: Lifespan | None = None) -> Lifespan:
    """A lifespan for a framework: the blog's work begins with the application, and the blog is closed at its end.

    `host` is the application's own lifespan, which stands around it: what it opens is there while a job ends. What is
    queued stays queued, and nothing waits for it. What is wrong with the records is logged, a line for each trouble.
    Raises `TypeError` for what is neither a `Site` nor `Sites`.
    """
    check_blog(site, "lifespan({})")

    @contextlib.asynccontextmanager
    async def living(app: Any) -> AsyncIterator[Any]:
        async with host(app) if host is not None else contextlib.nullcontext() as state:
            await asyncsite.calls.run(Opening(site).open)
            try:
                yield state
            finally:
                await asyncsite.calls.run(site.close)
                asyncsite.close()

    return living


async def _live(site: Site | Sites, receive: Receive, send: Send) -> None:
    """The lifespan of the endpoints where a server serves them alone."""
    async with lifespan(site)(None):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


class _Desk:
    """Where strangers are answered: begins the blog's work with the first request of a process."""

    def __init__(self, site: Site | Sites) -> None:
        self._site = site
        self._opened_in = 0
        self._claims = Pool("linkback-claims", THREADS)
        self._reads = Pool("linkback-reads", READERS)

    async def open(self) -> None:
        """Have the blog's work done from now on, also where the server tells nobody that it starts."""
        if self._opened_in != os.getpid():
            self._opened_in = os.getpid()
            await self._reads.run(self._site.start)

    async def answer(self, app: App, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by what `app` says of it; a client that left in the middle of its body gets nothing."""
        await self.open()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read_body(receive, app.max_body(path))
        except TimeoutError:
            await _write_response(_TOO_SLOW, scope, send)
            return
        if body is not None:
            # a claim may wait for its source, which whoever only reads does not
            threads = self._reads if scope["method"] in ("GET", "HEAD") else self._claims
            response = await threads.run(partial(app.handle, _request(scope, body), path))
            await _write_response(response, scope, send)

    def close(self) -> None:
        """Let the threads go."""
        self._claims.close()
        self._reads.close()


class _Advertised:
    """One passage of a host's answer, signposts added where they belong."""

    def __init__(self, signposts: Signposts, threads: Pool, scope: Scope, send: Send) -> None:
        self._signposts = signposts
        self._threads = threads
        self._scope = scope
        self._send = send
        self._signs = Signs()
        self._held: Message | None = None

    async def pass_on(self, message: Message) -> None:
        """Send one message of the host's on, and what belongs after it."""
        if message["type"] == "http.response.start":
            self._signs = await self._on(message)
            if self._signs == Signs():
                await self._send(message)
            # the server may send a file by itself, and nothing after it: then the length must not count a tail
            elif self._signs.tail and _PATHSEND in (self._scope.get("extensions") or {}):
                self._held = message
            else:
                await self._start(message)
            return
        if self._held is not None:
            start, self._held = self._held, None
            if message["type"] not in _BODIES:
                self._signs = Signs(self._signs.headers)
            await self._start(start)
        last = message["type"] in _BODIES and not message.get("more_body", False)
        if last and self._signs.tail and self._scope["method"] != "HEAD":
            await self._send({**message, "more_body": True})
            await self._send({"type": "http.response.body", "body": self._signs.tail})
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = self._signs.added_to(_pairs(message.get("headers", ())))
        fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({**message, "headers": fields})

    async def _on(self, start: Message) -> Signs:
        headers = _pairs(start.get("headers", ()))
        mounted, path = _paths(self._scope)
        ask = partial(
            self._signposts.on,
            headers,
            method=self._scope["method"],
            status=start["status"],
            host=_host(self._scope),
            path=(urls.encoded_path(mounted + path) or "/") + _query(self._scope),
            mounted=urls.encoded_path(mounted),
        )
        # `on` only asks the host's own functions which page it is where the answer may be one
        may_be = any(name.lower() == "content-type" and "html" in value.lower() for name, value in headers)
        waits = self._signposts.asks and may_be and start["status"] == 200
        return await self._threads.run(ask) if waits else ask()


def _paths(scope: Scope) -> tuple[str, str]:
    """Where the application is mounted, and the path within it, both decoded.

    Servers and Starlette have the mount in `path` as well; where it is not there, a proxy took it away, or a framework
    older than that.
    """
    mounted, path = str(scope.get("root_path") or "").rstrip("/"), str(scope["path"])
    inside = path == mounted or path.startswith(mounted + "/")
    return mounted, path.removeprefix(mounted) if inside else path


def _query(scope: Scope) -> str:
    query = bytes(scope.get("query_string") or b"").decode("latin-1")
    return f"?{query}" if query else ""


def _pairs(headers: Any) -> list[tuple[str, str]]:
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]


def _host(scope: Scope) -> str:
    named = next((bytes(value).decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"), "")
    address, port = scope.get("server") or ("", None)
    return named or (address if port is None else f"{address}:{port}")


def _request(scope: Scope, body: bytes) -> Request:
    path = (urls.encoded_path("".join(_paths(scope))) or "/") + _query(scope)
    url = f"{scope.get('scheme', 'http')}://{_host(scope)}{path}"
    client, *_ = scope.get("client") or ("",)
    return Request(scope["method"], url, tuple(_pairs(scope["headers"])), body, str(client or ""))


async def _read_body(receive: Receive, max_body: int) -> bytes | None:
    """A request's body, of which at most one byte more than `max_body` is kept; None where the client left."""
    body = bytearray()
    while len(body) <= max_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body[: max_body + 1])


async def _write_response(response: Response, scope: Scope, send: Send) -> None:
    """Give a response to a server; a HEAD gets its headers only."""
    fields = [(name.lower(), value) for name, value in response.headers if name.lower() != "content-length"]
    fields.append(("content-length", str(len(response.body))))
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})
