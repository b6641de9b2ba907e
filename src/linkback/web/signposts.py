"""The signposts that go on the pages of a host's own application, whichever framework gives them.

Rule: the host's answer stays as it is but for the signposts, and only pages that take mentions get those: HTML,
answered 200 to a GET or HEAD, named by a URL that the blog knows as its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from linkback import logs, urls
from linkback.arguments import check, one_of
from linkback.errors import ConfigurationError, Refused
from linkback.hooks import report
from linkback.protocols import advertise_headers, advertise_markup
from linkback.site import Site
from linkback.sites import Sites
from linkback.web.app import App
from linkback.wire import Headers, Response

log = logs.named(__name__)

PREFIX = "/linkback"
_HTML_TYPES = ("text/html", "application/xhtml+xml")
# Charsets in which the ASCII of a signpost is not the bytes we would write.
_WIDE_CHARSETS = ("utf-16", "utf-32")
#: what has no place in a URL's path as it is, nor in the header fields that name it
_UNFIT = re.compile(r"""[ "#<>?\\^`{|}\[\]]|%(?![0-9A-Fa-f]{2})""")
#: what has none in a path once it is decoded: segments that lead elsewhere, and what stands for bytes that are no UTF-8
_MISLEADING = re.compile(r"(?:^|/)\.\.?(?:/|$)|\ufffd")
_ARGUMENTS = {
    "prefix": one_of(str, 'the path that the endpoints stand under, such as "/linkback"'),
    "base": one_of(str, 'the public URL of the endpoints, such as "https://bob.example/linkback"'),
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What one answer gets: header fields, and bytes that follow the host's last one."""

    headers: Headers = ()
    tail: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.headers or self.tail)

    def added_to(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The host's header fields with ours after them, and the length that the body has with its tail."""
        return [*(self._lengthened(name, value) for name, value in headers), *self.headers]

    def _lengthened(self, name: str, value: str) -> tuple[str, str]:
        if self.tail and name.lower() == "content-length" and value.isascii() and value.isdigit():
            return name, str(int(value) + len(self.tail))
        return name, value


class Signposts:
    """How the endpoints of a blog, or of many, stand before a host's application, and are advertised on its pages.

    `prefix` is the path that the endpoints stand under, percent-encoded or not; `base` their public URL, where it is
    not the blog's host, whatever the application is mounted under, and the prefix. Raises `ConfigurationError` for a
    prefix that would take all of the host's pages or that no URL can have, and for a base that is no http(s) URL.
    """

    def __init__(self, blog: Site | Sites, *, prefix: str = PREFIX, base: str = "") -> None:
        check(_ARGUMENTS, prefix=prefix, base=base)
        self.blog = blog
        decoded = urls.decoded_path(prefix).strip("/")
        if not decoded:
            raise ConfigurationError("the endpoints need a prefix of their own, such as /linkback")
        if _UNFIT.search(prefix) or not prefix.isprintable() or _MISLEADING.search(decoded):
            raise ConfigurationError(f"the endpoints' prefix is a path such as /linkback, not {prefix!r}")
        #: decoded, as the path of a request is
        self.prefix = "/" + decoded
        self._path = urls.encoded_path(self.prefix)
        if base and (not urls.is_argument(base) or "?" in base or "#" in base):
            raise ConfigurationError(f"the endpoints' public URL is like https://bob.example/linkback, not {base!r}")
        self._base = urls.serialised(base).rstrip("/")

    @property
    def asks(self) -> bool:
        """Whether `on` and `page` may wait for the host's own functions, which know its pages."""
        return not isinstance(self.blog, Site) or self.blog.pages.asks

    def app(self, mounted: str = "") -> App:
        """The endpoints themselves; `mounted` is the path, percent-encoded, that the host's application stands under.

        Those of many blogs take their public URL from each request.
        """
        return App(self.blog, base=self.public(self.blog, mounted) if isinstance(self.blog, Site) else self._base)

    def on(
        self, headers: Iterable[tuple[str, str]], *, method: str, status: int, host: str, path: str, mounted: str = ""
    ) -> Signs:
        """What the host's answer with these headers gets: nothing, unless it is a page that takes mentions.

        `host` is the request's Host, `path` its whole path and query, percent-encoded, `mounted` the part of that
        which the application stands under. Never raises; protocols.md A-49, A-71, A-91.
        """
        answer = Response(status, tuple(headers))
        if method not in ("GET", "HEAD") or status != 200 or answer.content_type not in _HTML_TYPES:
            return Signs()
        found = self.page(host, path)
        if found is None:
            return Signs()
        site, permalink = found
        base, tail = self.public(site, mounted), b""
        if not answer.header("Content-Encoding") and not answer.charset.startswith(_WIDE_CHARSETS):
            tail = advertise_markup(site.protocols, base, permalink).encode("ascii", "xmlcharrefreplace")
        return Signs(advertise_headers(site.protocols, base, permalink), tail)

    def head(self, host: str, path: str, *, mounted: str = "", title: str = "") -> str:
        """The markup that says the same, for the `<head>` of the page at a path; "" where it takes no mentions."""
        found = self.page(host, path)
        return "" if found is None else found[0].head(found[1], title=title, base=self.public(found[0], mounted))

    def page(self, host: str, path: str) -> tuple[Site, str] | None:
        """The blog and the permalink of a page, by the Host and the path and query of a request for it.

        None where it is no page that takes mentions, or where the host's own functions fail to tell; that is logged.
        """
        try:
            site = self.blog if isinstance(self.blog, Site) else self.blog.at(host, path)
            # the blog's own name, whatever name the request came by
            return site, site.find(urls.origin(site.url) + (path or "/"))
        except Refused:
            return None
        except Exception as error:  # noqa: BLE001 -- it is logged
            # the host's own `resolve` broke: its page is still its page
            report(log, f"could not resolve {path}", error)
            return None

    def public(self, site: Site, mounted: str = "") -> str:
        """The URL that the endpoints of a blog are known by; `mounted` as for `app`."""
        return self._base or urls.origin(site.url) + mounted + self._path
