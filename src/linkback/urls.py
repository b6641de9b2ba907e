"""Every decision about URLs, in one room.

Rule 1: nothing else in linkback parses, joins or compares URLs.
Rule 2: what a browser would visit is what we compare and connect to (WHATWG URL, by `ada-url`).
Rule 3: equality is exact after lossless normalisation (protocols.md D-30); no guessing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode

import ada_url

from linkback.errors import Reason, Refused

MAX_LENGTH = 2048
#: longer references lead nowhere; it also bounds what the cache can hold
_LONGEST = 4096
_WEB_SCHEMES = {"http": 80, "https": 443}
_ASCII_BLANKS = " \t\n\f\r"
_ABSOLUTE = re.compile(r"https?://[^/\\?#]", re.IGNORECASE)
#: the parts of a serialised URL, where none of their marks can stand for anything else
_PARTS = re.compile(r"([^:]*):(?://([^/?#]*))?([^?#]*)(\?[^#]*)?(?:#(.*))?", re.DOTALL)
_SERVER = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]+))?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f]")
# Not where a stray % stands so close before it that decoding would spell a new escape.
_ESCAPE = re.compile(r"(?<!%)(?<!%[0-9A-Fa-f])%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL. `href` is the serialised form without fragment; `fragment` has no `#`.

    `port` is the effective one; `path` and `query` are as they go on the wire ("" or "?…").
    """

    href: str
    scheme: str
    host: str
    port: int
    path: str
    query: str
    fragment: str
    has_credentials: bool

    @property
    def is_web(self) -> bool:
        """Whether we may talk to it: http(s), a host, no user name or password."""
        return self.scheme in _WEB_SCHEMES and bool(self.host) and not self.has_credentials

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a trailing slash."""
        default = _WEB_SCHEMES.get(self.scheme) == self.port
        return f"{self.scheme}://{self.host}" + ("" if default else f":{self.port}")

    @property
    def request_target(self) -> str:
        """Path and query, for the request line."""
        return self.path + self.query


def parse(text: str, base: str | None = None) -> Url | None:
    """Parse as a browser would, against `base` where one is given; None where it is no URL or over 4,096 long."""
    return _parse(text, base) if max(len(text), len(base or "")) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _parse(text: str, base: str | None) -> Url | None:
    try:
        href = str(ada_url.URL(text, base).href)
    except ValueError:
        return None
    if len(href) > _LONGEST:
        return None
    # one question to the library and one look at its answer: each further question would cost a microsecond
    scheme, authority, path, query, fragment = _PARTS.match(href).groups("")  # type: ignore[union-attr]
    credentials, _, server = authority.rpartition("@")
    host, port = _SERVER.match(server).groups("")  # type: ignore[union-attr]
    return Url(
        href=href.partition("#")[0],
        scheme=scheme,
        host=host,
        port=int(port) if port else _WEB_SCHEMES.get(scheme, 0),
        path=path,
        query=query,
        fragment=fragment,
        has_credentials=bool(credentials),
    )


def clean(text: str) -> str:
    """Trim ASCII blanks and drop interior tabs and newlines, as HTML does for a URL attribute."""
    return text.strip(_ASCII_BLANKS).translate({9: None, 10: None, 13: None})


def is_absolute(reference: str) -> bool:
    """Whether a reference means the same http or https URL whatever it is relative to."""
    return _ABSOLUTE.match(clean(reference)) is not None


def resolve(reference: str, base: str) -> str | None:
    """The absolute http(s) URL a reference means on a page, its fragment kept; None if unusable.

    An absolute reference is given back as it was written (protocols.md B-2): receivers look for
    the literal string. One with blanks or controls, which no claim can name (C-3), as a browser writes it.
    """
    text = clean(reference)
    absolute = _ABSOLUTE.match(text) is not None
    # by itself, so that whoever parses the answer finds it parsed
    url = parse(text) if absolute else parse(text, base)
    if url is None or not url.is_web:
        return None
    return text if absolute and not _FORBIDDEN.search(text) else with_fragment(url)


def endpoint(reference: str, base: str) -> str | None:
    """The endpoint a signpost's reference means: resolved, serialised, no fragment (A-29, A-31)."""
    url = parse(clean(reference), base)
    return url.href if url is not None and url.is_web else None


def serialised(text: str) -> str:
    """A URL of a page in the form that goes on the wire, its fragment kept; the text itself where it is none."""
    url = parse(clean(text))
    return with_fragment(url) if url else text


def with_fragment(url: Url) -> str:
    """The serialised URL with its fragment, where it has one."""
    return f"{url.href}#{url.fragment}" if url.fragment else url.href


def without_fragment(text: str) -> str:
    """The text up to its `#`."""
    return text.partition("#")[0]


def asked_for(source: str) -> str:
    """The URL of a source as its server is asked for it: with its escapes as they came, and without its fragment."""
    return serialised(without_fragment(source))


def without_directive(text: str) -> str:
    """The text without its fragment directive (`:~:text=…`): what a browser is told to do is no part of an address."""
    address, _, fragment = text.partition("#")
    return f"{address}#{fragment.partition(':~:')[0]}".removesuffix("#")


def check_argument(text: str, reason: Reason) -> str:
    """A source or target as it came, trimmed; raises `Refused(reason)` (protocols.md C-3)."""
    url = text.strip(_ASCII_BLANKS)
    if not url:
        raise Refused(reason, "it is missing or empty")
    if len(url) > MAX_LENGTH:
        raise Refused(reason, f"it is longer than {MAX_LENGTH} characters")
    if _FORBIDDEN.search(url) or not _ABSOLUTE.match(url):
        raise Refused(reason, "it is not an absolute http or https URL")
    parsed = parse(url)
    if parsed is None or not parsed.is_web or parsed.port == 0:
        raise Refused(reason, "it is not a URL that a page can have")
    return url


def is_argument(text: str) -> bool:
    """Whether `check_argument` would take it."""
    with suppress(Refused):
        return bool(check_argument(text, Reason.TARGET_INVALID))
    return False


def _normal_escape(match: re.Match[str]) -> str:
    byte = int(match[1], 16)
    return chr(byte) if byte in _UNRESERVED else match[0].upper()


def canonical(text: str) -> str | None:
    """The lossless normal form without fragment: two URLs with the same one are the same page (D-30).

    None for what is no http or https URL.
    """
    url = parse(clean(text))
    return _ESCAPE.sub(_normal_escape, url.href) if url is not None and url.scheme in _WEB_SCHEMES else None


def same_page(one: str, other: str) -> bool:
    """Whether two URLs are the same page: equal in normal form, fragments apart."""
    return canonical(one) == canonical(other) is not None


def satisfier(target: str) -> Callable[[str], bool]:
    """Whether a link on a page proves a claim about `target` (protocols.md D-30, D-32, D-36), for many links."""
    page, fragment = canonical(target), _fragment(target)

    def satisfied(link: str) -> bool:
        found = parse(clean(link))
        return (
            found is not None
            and found.is_web
            and _ESCAPE.sub(_normal_escape, found.href) == page
            and (not fragment or _ESCAPE.sub(_normal_escape, found.fragment) == fragment)
        )

    return satisfied


def satisfies(link: str, target: str) -> bool:
    """`satisfier`, for one link."""
    return satisfier(target)(link)


def same_fragment(link: str, target: str) -> bool:
    """Whether a link reaches the part of the page that `target` names; one without fragment names all of it."""
    return _fragment(target) in ("", _fragment(link))


def _fragment(text: str) -> str:
    url = parse(clean(text))
    return _ESCAPE.sub(_normal_escape, url.fragment) if url else ""


_TRACKING = re.compile(r"(?:utm_[^=&]*|fbclid|gclid|mc_cid|mc_eid|ref_src)(?:=[^&]*)?", re.IGNORECASE)


def loose(text: str) -> str | None:
    """A form in which http and https, one trailing slash, `www.` and tracking parameters do not count (D-33)."""
    exact = canonical(text)
    if exact is None:
        return None
    address, mark, rest = exact.partition("://")[2].removeprefix("www.").partition("?")
    kept = telling(rest)
    return address.removesuffix("/") + (mark if not rest or kept else "") + "&".join(kept)


def telling(query: str) -> list[str]:
    """The parts of a query, given without its `?`, that are more than tracking."""
    return [part for part in query.split("&") if not _TRACKING.fullmatch(part)]


def satisfies_loosely(link: str, target: str) -> bool:
    """`satisfies`, where what `loose` leaves out and the fragment do not count (protocols.md D-33)."""
    wanted = loose(target)
    return wanted is not None and loose(link) == wanted


def under(text: str, root: str) -> bool:
    """Whether a URL is the site `root` or below it: same origin, path by whole segments."""
    page, site = parse(canonical(text) or ""), parse(canonical(root) or "")
    if page is None or site is None or not page.is_web or page.origin != site.origin:
        return False
    directory = site.path if site.path.endswith("/") else site.path + "/"
    return page.path.startswith(directory) or page.path == site.path


def pair_key(site: str, source: str, page: str) -> str:
    """The name of one link on one site, by whatever protocol: SHA-256 over site, source and target page."""
    parts = (site, canonical(source) or source, canonical(page) or page)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def page_key(site: str, page: str) -> str:
    """The name of one of our pages, for the index that finds its mentions."""
    return hashlib.sha256(f"{site}\0{canonical(page) or page}".encode("utf-8", "surrogatepass")).hexdigest()


def host(text: str) -> str:
    """The host a URL leads to, in lower-case ASCII; "" where it is no URL."""
    url = parse(clean(text))
    return url.host if url else ""


def origin(text: str) -> str:
    """Scheme, host and port of a URL; "" where it is no URL."""
    url = parse(clean(text))
    return url.origin if url else ""


def authority(text: str) -> str:
    """Host and port of a URL, the port only where it is not its scheme's own; "" where it is no URL."""
    return origin(text).partition("://")[2]


def place(text: str) -> str:
    """Host and path, the way a nameless page is called (protocols.md E-1)."""
    url = parse(clean(text))
    return (url.host + url.path).rstrip("/") if url else text


def site_host(text: str) -> str:
    """The host a URL leads to, without `www.`; "" where it is no URL."""
    return host(text).removeprefix("www.")


def same_site(one: str, other: str) -> bool:
    """Whether two URLs stand on one host, `www.` apart (protocols.md E-6)."""
    return site_host(one) == site_host(other) != ""


def served_by(text: str, site: str) -> bool:
    """Whether the server of `site` may be the one that a URL names: its host, `www.` apart, by http or https."""
    url, home = parse(clean(text)), parse(clean(site))
    if url is None or home is None or not url.is_web or not same_site(url.href, home.href):
        return False
    return url.port == home.port or all(_WEB_SCHEMES[each.scheme] == each.port for each in (url, home))


def quote_path(raw: str) -> str:
    """A decoded path, as WSGI gives it, back in the form it has in a URL."""
    return quote(raw.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~-._")


def encoded_path(decoded: str) -> str:
    """A decoded path, as a person writes it, in the form it has in a URL."""
    return quote_path(decoded.encode("utf-8", "replace").decode("latin-1"))


def decoded_path(path: str) -> str:
    """A path of a URL as a person reads it."""
    return unquote(path)


def query(pairs: dict[str, str]) -> str:
    """A query string for a URL of ours."""
    return urlencode(pairs)


def query_of(text: str) -> str:
    """The query of a URL with its `?`, or ""."""
    return "".join(without_fragment(text).partition("?")[1:])


def without_query(text: str) -> str:
    """The URL up to its `?`."""
    return without_fragment(text).partition("?")[0]


def query_value(text: str, name: str) -> str:
    """The first value of a query parameter, or ""."""
    try:
        pairs = parse_qsl(query_of(text)[1:], keep_blank_values=True, errors="replace", max_num_fields=50)
    except ValueError:
        return ""
    return next((value for key, value in pairs if key == name), "")
