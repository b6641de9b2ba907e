"""The blog that a command speaks for, and what it made of its deliveries."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkback import urls
from linkback.errors import ConfigurationError
from linkback.model import JobKind
from linkback.options import closing, opened

if TYPE_CHECKING:
    from linkback.site import Site

#: deliveries to one host follow each other by a second, or by as long as it takes to answer
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Voice:
    """The options that say which blog speaks, and how."""

    site: str | None
    app: str
    database: str
    networks: tuple[str, ...]
    ports: tuple[str, ...]

    @contextlib.contextmanager
    def of(self, url: str, *, post_only: bool) -> Iterator[Site]:
        """The blog that a post or a document at `url` belongs to, whose work is done when it is told to.

        It is that of `--site` or `--app`, or else the host of `url`, "" for a file. `post_only` is for a blog that the
        options make: a host's own knows which links it tells.
        """
        from linkback.jobs import External
        from linkback.policy import Outgoing
        from linkback.site import Site

        sites = (self.site or urls.origin(url),)
        outgoing = Outgoing(post_only=post_only)
        made = opened(sites, self.app, self.database, self.networks, self.ports, outgoing=outgoing)
        with closing(made) as blog:
            blog.run_by(External())
            if not url and not isinstance(blog, Site):
                raise ConfigurationError("a file does not say which of the blogs it is of: give a URL")
            yield blog if isinstance(blog, Site) else blog.site_of(url)


def deliver(blog: Site) -> None:
    """Make what a blog owes now, and leave claims alone: checks are for whoever knows its policy."""
    with said_once():
        blog.drain(kind=JobKind.DELIVER, patience=PATIENCE_SECONDS)


@contextlib.contextmanager
def said_once() -> Iterator[None]:
    """Keep out of the log that a delivery was refused on this side, where the command itself says how each went."""
    from linkback import delivering

    def is_news(record: logging.LogRecord) -> bool:
        return record.msg != delivering.KEPT_IN

    delivering.log.addFilter(is_news)
    try:
        yield
    finally:
        delivering.log.removeFilter(is_news)
