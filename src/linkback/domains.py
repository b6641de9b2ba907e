"""Whose a host is, by the Public Suffix List.

Rule: whoever registered a domain makes up as many names below it as he likes, so what is meant for one host is meant
for the registrable domain. Where others register names below one of his, as with `github.io`, each is one of its own.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from linkback import addresses, urls
from linkback.forks import in_child

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def registrable(url: str) -> str:
    """The registrable domain of a URL's host, in lower-case ASCII and without a port; "" where it is no URL.

    A host that has none, such as `localhost` or a public suffix, is given as it is; an IP address as what a client has
    of them (`addresses.share`).
    """
    return _registrable(urls.host(url))


#: hosts of many blogs, each below a name of its own, that the list does not have
_OF_BLOGS = frozenset(
    [
        "blogg.se",
        "blogs.com",
        "canalblog.com",
        "cocolog-nifty.com",
        "dreamwidth.org",
        "edublogs.org",
        "exblog.jp",
        "fc2.com",
        "ghost.io",
        "home.blog",
        "jimdofree.com",
        "livedoor.blog",
        "livejournal.com",
        "medium.com",
        "micro.blog",
        "neocities.org",
        "over-blog.com",
        "posthaven.com",
        "seesaa.net",
        "skyrock.com",
        "squarespace.com",
        "substack.com",
        "svbtle.com",
        "tistory.com",
        "tumblr.com",
        "typepad.com",
        "weebly.com",
        "wordpress.com",
        "write.as",
    ]
)


@lru_cache(maxsize=1024)
def _registrable(host: str) -> str:
    name = host.rstrip(".")
    # a host whose last label is a number is an IPv4 address in the end, or was no URL (WHATWG URL)
    if name.endswith("]") or name.rpartition(".")[2].isdigit():
        return addresses.share(name.strip("[]")) or name
    domain = _suffixes.read().privatesuffix(name) or name
    if domain not in _OF_BLOGS:
        return domain
    blog = name.removesuffix(domain).rstrip(".").rpartition(".")[2]
    return f"{blog}.{domain}" if blog not in ("", "www") else domain


class _Suffixes:
    """The Public Suffix List, which is read when it is first asked for, by one thread."""

    def __init__(self) -> None:
        self._list: PublicSuffixList | None = None
        self._begin()
        in_child(self, _Suffixes._begin)

    def _begin(self) -> None:
        self._lock = threading.Lock()

    def read(self) -> PublicSuffixList:
        """The list."""
        # not by every thread of a server at once (durable receive)
        with self._lock:
            if self._list is None:
                # 60 ms and 2 MB, which only those pay who hear of a stranger's page (figure: startup)
                from publicsuffixlist import PublicSuffixList

                self._list = PublicSuffixList()
            return self._list


_suffixes = _Suffixes()
