"""HTTP as plain values, so that nothing below the door needs a socket.

Header fields stay separate (name, value) pairs in the order they came: two `Link` fields
are not one (RFC 8288), and joining them is what makes other parsers fail.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

#: redirects that lead a GET on, and those that get the same POST again; a 303 says that the POST was taken and where to
#: look, so it is an answer (protocols.md A-4, B-16)
FOLLOWED_BY_GET = frozenset({301, 302, 303, 307, 308})
FOLLOWED_BY_POST = frozenset({301, 302, 307, 308})

#: what we ask a page to be, where endpoints are looked for (protocols.md A-14)
DEFAULT_ACCEPT = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"

Headers = tuple[tuple[str, str], ...]
#: on every answer of ours: nobody wrote it, and the URLs in it are what others told us, so it proves no claim
NO_SOURCE = ("Linkback", "no-source")
HeadersLike = Mapping[str, str] | Iterable[tuple[str, str]]


def http_date(value: str) -> datetime | None:
    """The aware time that a field such as `Date` gives; None where it gives none."""
    from email.utils import parsedate_to_datetime  # slow to import, and seldom needed (figure: startup)

    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def as_headers(headers: HeadersLike) -> Headers:
    """Give (name, value) pairs for a mapping or for pairs."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, value) for name, value in pairs)


class _Message:
    __slots__ = ()
    headers: Headers

    def header(self, name: str, default: str = "") -> str:
        """The first field of that name, without surrounding blanks."""
        return next(iter(self.header_all(name)), default)

    def header_all(self, name: str) -> list[str]:
        """Every field of that name, in order; names compare without case."""
        wanted = name.lower()
        return [value.strip(" \t") for key, value in self.headers if key.lower() == wanted]

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; "" where none is given."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The `charset` parameter of the Content-Type, in lower case, or ""."""
        for parameter in self.header("Content-Type").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip("\"'").lower()
        return ""


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """One HTTP request: one we send, or one that reached us.

    `client` is the address of whoever sent us this, as the server tells it and no header; "" where that is unknown.
    """

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Response(_Message):
    """One HTTP answer. `url` is where it came from, after redirects.

    `truncated` says that the body was longer than we were willing to read, or that nothing vouches for its end.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    url: str = ""
    truncated: bool = False
    redirects: tuple[str, ...] = field(default=())


class Fetch(typing.Protocol):
    """What the rest of linkback asks of the network: `Fetcher` is it, `FakeWeb` plays it."""

    def get(self, url: str, *, accept: str = ..., purpose: str = ...) -> Response:
        """GET a page, following redirects; any status comes back as a Response."""

    def send(self, request: Request) -> Response:
        """Deliver one POST; any status comes back as a Response."""
