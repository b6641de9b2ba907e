"""The only door to the network.

Rule 1: every hop passes the same guard, at the moment of connecting, so neither a redirect nor DNS leads inside.
Rule 2: the deadline covers the whole exchange, redirects and name look-ups included, not one read.
Rule 3: nothing of the operator's goes out that was not put in: no proxy, cookie, `.netrc`, Referer or credentials.
Rule 4: a body that nobody will look at is never read: a redirect's, or a picture's.
Rule 5: many hosts that redirect to one do not make us a crowd before its door: such hops to a host have a budget.

How it is done stands below: `addresses` judges, `door` connects, `exchange` speaks HTTP, `inflate` unpacks, `deadline`
cuts.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from linkback import __version__, domains, urls
from linkback.addresses import OPEN_NETWORK, Guard
from linkback.arguments import Kind, check, function, one_of, several
from linkback.deadline import Deadline
from linkback.door import OPEN_PORT, Door, Peer, Progress, Resolver, tls_context
from linkback.errors import Blocked, ConfigurationError, FetchError, TooManyRedirects
from linkback.exchange import Exchange, translated
from linkback.rates import TokenBuckets, check_rate
from linkback.urls import Url
from linkback.wire import (
    DEFAULT_ACCEPT,
    FOLLOWED_BY_GET,
    FOLLOWED_BY_POST,
    Headers,
    HeadersLike,
    Request,
    Response,
    as_headers,
)

#: fields that say how this one request is framed and routed, which is never the caller's business
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect", "upgrade"})
#: what `page` knows how to read; pages without a type are looked at (protocols.md A-9, D-7 to D-10)
_READABLE = re.compile(r"text/.*|application/json|.*(?:/xml|\+xml|\+json)|", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of the web we are willing to take in at once.

    `seconds` is for a whole GET, redirects and DNS included (at most 40, or a worker's lease may end before its first
    POST), `send_seconds` for a whole POST, `connect` for one address. `bytes` caps a page, decoded; `reply_bytes` the
    answer to a POST. `ports` are those talked to outside the networks that were opened by name.

    `led_burst` hops to one host that others redirect to are made at once, and one more each `led_seconds`, GETs and
    POSTs alike, by each `Fetcher` and in each process; 0 seconds set no limit. All that is below one registrable domain
    is one host, whose own redirects are free. Raises `ConfigurationError` for ports that are no list of numbers, and
    for a burst and seconds that are no rate.
    """

    seconds: float = 10.0
    send_seconds: float = 30.0
    connect: float = 3.0
    bytes: int = 1_048_576
    reply_bytes: int = 65_536
    redirects: int = 5
    led_burst: int = 20
    led_seconds: float = 90.0
    ports: frozenset[int] = frozenset({80, 443, 8080, 8443})

    def __post_init__(self) -> None:
        several("ports", self.ports, one_of(int, "a list of port numbers, such as Limits().ports | {81}"))
        check_rate("led", self.led_burst, self.led_seconds)


@dataclass(frozen=True, slots=True)
class Openers:
    """How whoever runs this opens a private network and a further port: what a refusal tells them to write.

    Each is the name of an option or a setting, or code with {} where the network or the port stands; by default what
    to write in Python.
    """

    network: str = OPEN_NETWORK
    port: str = OPEN_PORT


_NETWORK = Kind('a list of networks, such as ["127.0.0.0/8"]', lambda given: given is not None)
_ARGUMENTS = {
    "limits": one_of(Limits, "a linkback.Limits, such as Limits(seconds=5.0)"),
    "user_agent": one_of(str, "a text, such as linkback.fetch.introduction() gives"),
    "resolver": function("a function that answers as socket.getaddrinfo does").optional,
    "openers": one_of(Openers, "a linkback.fetch.Openers"),
}


@dataclass(frozen=True, slots=True)
class _Errand:
    """What stays the same over all hops of one fetch."""

    method: str
    headers: Headers
    body: bytes | None
    followed: frozenset[int]
    limit: int
    wants: Callable[[str], bool]


class Fetcher:
    """Fetches pages and delivers pings; one is shared by many threads.

    Talks to public addresses and to the networks named in `allow` ("127.0.0.0/8"; there on any port), within `limits`.
    `user_agent` replaces the product part of the User-Agent; `resolver` stands in for `socket.getaddrinfo`; `ca_file`
    adds a certificate authority to the public ones; `openers` are named where an address is refused. Raises
    `ConfigurationError` for a network or a file that is none, and an argument that is not what it must be.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        limits: Limits = Limits(),
        *,
        user_agent: str = "",
        resolver: Resolver | None = None,
        ca_file: str | None = None,
        openers: Openers = Openers(),
    ) -> None:
        check(_ARGUMENTS, limits=limits, user_agent=user_agent, resolver=resolver, openers=openers)
        if ca_file is not None:
            tls_context(ca_file)
        self._limits = limits
        self._led = TokenBuckets(limits.led_burst, limits.led_seconds)
        self._objections: tuple[Callable[[str], str], ...] = ()
        self._product = user_agent
        self._door = Door(
            guard=Guard(several("allow", (allow,) if isinstance(allow, str) else allow, _NETWORK), openers.network),
            ports=limits.ports,
            connect=limits.connect,
            ca_file=ca_file,
            resolver=resolver or socket.getaddrinfo,
            port_opener=openers.port,
        )

    @property
    def guard(self) -> Guard:
        """What judges the addresses that this talks to."""
        return self._door.guard

    def within(self, *, seconds: float, bytes: int | None = None) -> Fetcher:
        """One that talks to the same addresses, takes `seconds` for a GET and `bytes` of what that brings, decoded.

        Without `bytes` it takes as many as this one.
        """
        other = copy.copy(self)
        most = self._limits.bytes if bytes is None else bytes
        other._limits = dataclasses.replace(self._limits, seconds=seconds, bytes=most)
        return other

    def hurried(self, seconds: float) -> Fetcher:
        """One that takes at most `seconds` for a GET, and is otherwise the same."""
        return self.within(seconds=min(seconds, self._limits.seconds))

    def asking(self, objection: Callable[[str], str]) -> Fetcher:
        """One that asks, before it follows a redirect, what speaks against the URL that it leads to: "" for nothing.

        Where something does, nobody is connected to, and `get` and `send` raise `Blocked` with those words. What is
        asked already is asked as before. The time that `objection` takes is part of the fetch's.
        """
        other = copy.copy(self)
        other._objections = (*self._objections, objection)
        return other

    def get(self, url: str, *, accept: str = DEFAULT_ACCEPT, purpose: str = "", headers: HeadersLike = ()) -> Response:
        """GET a page, following redirects; any status comes back as a Response.

        `purpose` is told to the server in the User-Agent. `headers` go along, such as `If-None-Match`, apart from those
        that frame the request. The fragment of `url` is not sent. The body is cut at
        `Limits.bytes`, and then `truncated` is set; it is set as well where a body just stops, with nothing to say
        that this is its end. The body of a media type that is neither `readable` nor named in `accept` is left where it
        is: b"".
        Raises `Blocked`, `Unreachable`, `TimedOut` or `TooManyRedirects`, the last also where others redirected to
        one host too often, which passes: `retry_after` says when (protocols.md A-1 to A-9, D-10, D-20 to D-23).
        """
        more = tuple((name, value) for name, value in as_headers(headers) if name.lower() not in _OURS)
        fields = (("User-Agent", user_agent(self._product, purpose)), ("Accept", accept), *more)
        named = frozenset(part.partition(";")[0].strip().lower() for part in accept.split(","))
        errand = _Errand(
            "GET", fields, None, FOLLOWED_BY_GET, self._limits.bytes, lambda kind: kind in named or readable(kind)
        )
        return self._run(url, errand, self._limits.seconds)

    def send(self, request: Request) -> Response:
        """Deliver one POST; any status comes back as a Response, a 303 too.

        Other redirects get the same request again (protocols.md B-16). The headers of `request` are kept, apart from
        those that frame it. The body is cut at `Limits.reply_bytes`. Raises as `get` does; `sent` then says whether
        a whole request had left, so that the other side may have acted.
        """
        given = tuple((name, value) for name, value in request.headers if name.lower() not in _OURS)
        names = {name.lower() for name, _ in given}
        defaults = (("User-Agent", user_agent(self._product)), ("Accept", "*/*"))
        headers = (*((name, value) for name, value in defaults if name.lower() not in names), *given)
        limit = self._limits.reply_bytes
        errand = _Errand(request.method, headers, request.body, FOLLOWED_BY_POST, limit, lambda media_type: True)
        return self._run(request.url, errand, self._limits.send_seconds)

    def _run(self, url: str, errand: _Errand, seconds: float) -> Response:
        progress = Progress(url, Deadline(seconds))
        page = _admitted(urls.parse(url), progress)
        asked: list[str] = []
        try:
            with translated(progress), progress.deadline:
                while True:
                    passed = tuple(asked)
                    asked.append(page.href)
                    found = self._visit(page, errand, progress, passed)
                    if isinstance(found, Response):
                        return found
                    if len(asked) > self._limits.redirects:
                        message = f"more than {self._limits.redirects} redirects"
                        raise TooManyRedirects(url, message, sent=progress.sent)
                    page = found
                    self._lead(page, progress)
        except FetchError as error:
            error.onward = tuple(asked[1:])
            raise

    def _lead(self, page: Url, progress: Progress) -> None:
        """Ask whether to follow a redirect, and count a hop to another host than was asked for.

        Raises `Blocked` where there is an objection, and `TooManyRedirects` where there were too many.
        """
        for objection in self._objections:
            if why := objection(page.href):
                raise Blocked(progress.url, why, sent=progress.sent)
        if urls.site_host(page.href) == urls.site_host(progress.url):
            return
        host = domains.registrable(page.href)
        if host != domains.registrable(progress.url) and (wait := self._led.take(host)):
            message = f"too many redirects lead to {host} for now"
            raise TooManyRedirects(progress.url, message, sent=progress.sent, retry_after=math.ceil(wait))

    def _visit(self, page: Url, errand: _Errand, progress: Progress, passed: tuple[str, ...]) -> Response | Url:
        """One hop: the answer, or where it leads on."""
        host = page.origin.partition("://")[2]
        headers = (("Host", host), *errand.headers, ("Accept-Encoding", "gzip"), ("Connection", "close"))
        sock = self._door.open(Peer(page.host, page.port, page.scheme == "https"), progress)
        with Exchange(sock, progress) as exchange:
            status, fields = exchange.request(errand.method, page.request_target, headers, errand.body)
            if status in errand.followed:
                return _onward(page, fields, progress)
            response = Response(status, fields, url=page.href, redirects=passed)
            if not errand.wants(response.content_type):
                return response
            body, truncated = exchange.read(errand.limit)
        return dataclasses.replace(response, body=body, truncated=truncated)


def readable(content_type: str) -> bool:
    """Whether linkback can read a media type, given without parameters and in lower case; "" is looked at.

    Text, JSON and XML are, SVG with them; pictures, sound, archives and PDF are not (protocols.md A-9, D-7 to D-10).
    """
    return _READABLE.fullmatch(content_type) is not None


def introduction(contact: str = "") -> str:
    """Who we are, for `Fetcher(user_agent=…)`: `linkback/1.2 (+https://me.example)`.

    `contact` is the URL where whoever sees our requests learns whose they are (protocols.md B-17).
    """
    product = f"linkback/{__version__}"
    return f"{product} (+{contact})" if contact else product


def user_agent(product: str = "", purpose: str = "") -> str:
    """How we introduce ourselves: `linkback/1.2 (+https://me.example; verifying)` (protocols.md A-14, B-17, D-21).

    `product` replaces the part before the purpose, which joins a comment that stands there already. Control characters
    are dropped, and what ASCII cannot say becomes `?`.
    """
    product, purpose = (_CONTROLS.sub("", text).strip() for text in (product, purpose))
    product = product or introduction()
    if purpose:
        product = f"{product[:-1]}; {purpose})" if product.endswith(")") else f"{product} ({purpose})"
    return product.encode("ascii", "replace").decode("ascii")


def _admitted(page: Url | None, progress: Progress) -> Url:
    """The URL, if it is one that may be fetched at all; raises `Blocked`, whose words hold no password."""
    if page is None:
        raise Blocked(progress.url, "it is not a URL, or too long a one", sent=progress.sent)
    if page.has_credentials:
        url = progress.url if progress.peer else f"{page.origin}{page.request_target}"
        raise Blocked(url, f"a URL with a user name or password is not fetched ({page.host})", sent=progress.sent)
    if not page.is_web:
        raise Blocked(progress.url, f"only http and https are fetched, not {page.scheme}", sent=progress.sent)
    return page


def _onward(page: Url, fields: Headers, progress: Progress) -> Url:
    location = urls.clean(next((value for name, value in fields if name.lower() == "location"), ""))
    onward = urls.parse(location, page.href) if location else None
    if onward is None:
        raise TooManyRedirects(progress.url, "a redirect that leads nowhere", sent=progress.sent)
    return _admitted(onward, progress)


def make_fetcher(
    networks: Iterable[str], ports: Iterable[str], *, contact: str = "", openers: Openers = Openers()
) -> Fetcher:
    """The door as settings ask for it: private networks and further ports that are open, in words.

    `contact` is the URL that its User-Agent names, `openers` are the names of the settings. Raises
    `ConfigurationError` for a network or a port that is none.
    """
    ports, defaults = tuple(ports), Limits()
    if not all(port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536 for port in ports):
        raise ConfigurationError(f"a port is a number from 1 to 65535, not {', '.join(ports)}")
    limits = Limits(ports=defaults.ports | {int(port) for port in ports}) if ports else defaults
    return Fetcher(allow=networks, limits=limits, user_agent=introduction(contact), openers=openers)
