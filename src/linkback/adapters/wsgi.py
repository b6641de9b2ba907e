"""WSGI (PEP 3333): the endpoints as an application, and signposts on a host's pages.

Rule: the host's answers pass through untouched but for the signposts (`web.signposts` says which pages get those).

With the first request of a process the blog's work begins, and what is wrong with its records is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from linkback import urls
from linkback.adapters.given import check_blog, check_wsgi
from linkback.startup import Opening
from linkback.web.app import App
from linkback.web.signposts import PREFIX, Signposts, Signs
from linkback.wire import Headers, Request, Response

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from linkback.site import Site
    from linkback.sites import Sites

_REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    404: "Not Found",
}
_REASONS |= {405: "Method Not Allowed", 411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type"}
_REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


def endpoints(site: Site | Sites, *, base: str = "") -> WSGIApplication:
    """The receiving endpoints of a site, or of many, as a WSGI application, to be served or mounted.

    `base` is its public URL, where the one in the requests is not (behind a proxy that rewrites it). Raises
    `TypeError` for what is neither a `Site` nor `Sites`.
    """
    check_blog(site, "endpoints({})")
    app, opening = App(site, base=base), Opening(site)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        opening.open()
        return _answer(app, environ, start_response)

    return application


def _answer(app: App, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = str(environ.get("PATH_INFO", ""))
    response = app.handle(read_request(environ, app.max_body(path)), path)
    return write_response(response, environ, start_response)


def around(app: WSGIApplication, blog: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> WSGIApplication:
    """A host's application with the endpoints of its blog, or of its many, under `prefix`, advertised on its pages.

    HTML pages get `Link` and `X-Pingback` headers (next to any the host sets) and, at their end, the RDF block that
    TrackBack looks for; protocols.md A-49, A-71, A-91. `base` is the public URL of `prefix`; where it is not given, the
    blog's host, whatever the application is mounted under, and the prefix. Raises `ConfigurationError` for a prefix
    that would take all of the host's pages or that no URL can have, and for a public URL that is none; `TypeError` for
    an application or a blog that is none.
    """
    check_wsgi(app)
    check_blog(blog, "around(app, {})")
    signposts, opening = Signposts(blog, prefix=prefix, base=base), Opening(blog)
    # a server gives the bytes of a path as if they were Latin-1
    prefix = signposts.prefix.encode("utf-8", "replace").decode("latin-1")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        opening.open()
        mounted, path = str(environ.get("SCRIPT_NAME", "")), str(environ.get("PATH_INFO", ""))
        if path.startswith(prefix + "/"):
            inside = len(prefix)
            own = {**environ, "SCRIPT_NAME": mounted + path[:inside], "PATH_INFO": path[inside:]}
            return _answer(signposts.app(urls.quote_path(mounted)), own, start_response)
        return _Advertised(app, signposts).answer(environ, start_response)

    return application


class _Advertised:
    """One passage of a host's answer, signposts added where they belong."""

    def __init__(self, app: WSGIApplication, signposts: Signposts) -> None:
        self._app = app
        self._signposts = signposts
        self._signs = Signs()
        self._begun = self._passed = False

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            # where the host's own chunks are with the server, nothing can follow them any more
            self._begun, self._signs = True, Signs() if self._passed else self._on(environ, status, headers)
            headers = self._signs.added_to(headers)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        head = environ.get("REQUEST_METHOD") == "HEAD"
        chunks = self._app(environ, start)
        if self._begun and (head or not self.tail):
            # as it is: a server sends a `wsgi.file_wrapper` by itself, and knows the length of a list
            self._passed = True
            return chunks
        return _Body(chunks, self, head=head)

    @property
    def tail(self) -> bytes:
        """What follows the host's last byte."""
        return self._signs.tail

    def _on(self, environ: WSGIEnvironment, status: str, headers: list[tuple[str, str]]) -> Signs:
        code = status[:3]
        return self._signposts.on(
            headers,
            method=str(environ.get("REQUEST_METHOD", "")),
            status=int(code) if code.isascii() and code.isdigit() else 0,
            host=host_of(environ),
            path=path_of(environ),
            mounted=urls.quote_path(str(environ.get("SCRIPT_NAME", ""))),
        )


class _Body:
    """The host's chunks, then the tail; closes what the host gave."""

    def __init__(self, chunks: Iterable[bytes], passage: _Advertised, *, head: bool) -> None:
        self._chunks = chunks
        self._passage = passage
        self._head = head

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._passage.tail and not self._head:
            yield self._passage.tail

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def path_of(environ: WSGIEnvironment) -> str:
    """The path and query that a request asks for, as they stand in a URL."""
    path = urls.quote_path(str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", "")))
    query = str(environ.get("QUERY_STRING", ""))
    return (path or "/") + (f"?{query}" if query else "")


def host_of(environ: WSGIEnvironment) -> str:
    """The name that a request came by: its Host, or the server's."""
    return str(environ.get("HTTP_HOST") or f"{environ.get('SERVER_NAME', '')}:{environ.get('SERVER_PORT', '')}")


def read_request(environ: WSGIEnvironment, max_body: int) -> Request:
    """The request of a WSGI environment; of its body at most one byte more than `max_body` is read."""
    headers: list[tuple[str, str]] = [
        (name[5:].replace("_", "-").title(), str(value)) for name, value in environ.items() if name.startswith("HTTP_")
    ]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers.append((name.replace("_", "-").title(), str(environ[name])))
    url = f"{environ.get('wsgi.url_scheme', 'http')}://{host_of(environ)}{path_of(environ)}"
    body = _read_body(environ, max_body)
    client = str(environ.get("REMOTE_ADDR") or "")
    return Request(str(environ["REQUEST_METHOD"]), url, tuple(headers), body, client)


def _read_body(environ: WSGIEnvironment, max_body: int) -> bytes:
    """The body as far as Content-Length goes; without one, as a chunked request arrives, to the end of input.

    A length that is no number, or a body shorter than announced, is no body: what was cut off is not known.
    """
    declared = str(environ.get("CONTENT_LENGTH") or "")
    if declared and not (declared.isascii() and declared.isdigit()):
        return b""
    if not declared and not environ.get("wsgi.input_terminated"):
        return b""
    # int() refuses numbers of thousands of digits
    wanted = min(int(declared[:12]), max_body + 1) if declared else max_body + 1
    missing = wanted
    parts: list[bytes] = []
    while missing > 0 and (part := environ["wsgi.input"].read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"" if declared and missing > 0 else b"".join(parts)


def write_response(response: Response, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Give a response to a WSGI server; a HEAD gets its headers only."""
    headers: Headers = tuple(pair for pair in response.headers if pair[0].lower() != "content-length")
    length = ("Content-Length", str(len(response.body)))
    start_response(f"{response.status} {_REASONS.get(response.status, 'Status')}", [*headers, length])
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [response.body]
