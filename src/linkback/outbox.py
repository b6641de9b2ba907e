"""From a post to the deliveries that it owes.

Rule: what is owed is recorded, with its post, before anything is sent; `delivering` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from linkback import content, sender, urls
from linkback.addresses import Guard, is_private
from linkback.delivering import still_there
from linkback.errors import Reason, Refused
from linkback.model import Delivery
from linkback.ownpages import OwnPages
from linkback.page import Page
from linkback.policy import Outgoing
from linkback.protocols import Protocol
from linkback.receiver import read_source
from linkback.store import Edit, Storage
from linkback.wire import Fetch, Response

#: what a page may hold and still say nothing
_BLANK = " \t\r\n\f\0\ufeff\xa0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Records what the posts of one site owe."""

    pages: OwnPages
    store: Storage
    fetch: Fetch
    outgoing: Outgoing
    protocols: Sequence[Protocol]
    now: Callable[[], datetime]

    def publish(
        self,
        url: str,
        html: str | bytes | None = None,
        *,
        at: datetime | None = None,
        force: bool = False,
        dry_run: bool = False,
        connection: object = None,
    ) -> list[Delivery]:
        """Record a post as it is now, and give the deliveries that this owes (protocols.md B-60, B-61, B-63)."""
        source = self._own(url)
        if at is not None and at.tzinfo is None:
            raise Refused(Reason.BAD_ARGUMENTS, f"{at} is a time without an offset")
        if html is None and at is not None:
            raise Refused(Reason.BAD_ARGUMENTS, "a post that is to come out later cannot be fetched: give its html")
        page = read_source(self.fetch, source, own=True) if html is None else self._given(source, html)
        if not page.text.strip(_BLANK):
            # a template that failed must not tell everybody that the link to them is gone
            raise Refused(Reason.BAD_ARGUMENTS, "the post is empty; unpublish is how to tell that it is deleted")
        most = self.outgoing.most_links
        targets = list(islice(self._targets(page, source), most + 1))
        if len(targets) > most:
            raise Refused(Reason.TOO_LARGE, f"the post links to more than {most:,} pages, the most that are told")
        edit = self._edit(source, targets=targets, content=content.digest(page, targets))
        later = at if at is not None and at > edit.now else None
        return self.store.record_edit(replace(edit, at=later, force=force, dry=dry_run), connection=connection)

    def unpublish(
        self, url: str, *, check: bool = False, dry_run: bool = False, connection: object = None
    ) -> list[Delivery]:
        """Record that a post is deleted, and give the deliveries that this owes (protocols.md B-62)."""
        source = self._own(url)
        if check and (still := still_there(self.fetch, source)):
            raise Refused(Reason.BAD_ARGUMENTS, f"{still}: it must answer 410 Gone first")
        edit = self._edit(source, gone=True)
        return self.store.record_edit(replace(edit, dry=dry_run), connection=connection)

    def _targets(self, page: Page, source: str) -> Iterator[str]:
        """The links that are to be told, but for those to hosts that are private by their name.

        What they lead to is nobody else's business, and may hold a secret: it is not even recorded. Whoever opened a
        network may have meant them, and a blog that is private itself is to be told what to open.
        """
        guard = getattr(self.fetch, "guard", None)
        shut = isinstance(guard, Guard) and not guard.opens_any and not is_private(urls.host(self.pages.url))
        return (
            target
            for target in sender.targets(page, source, self.outgoing)
            if not (shut and is_private(urls.host(target)))
        )

    def _own(self, url: str) -> str:
        source = urls.check_argument(url, Reason.SOURCE_INVALID)
        if not self.pages.owns(source):
            raise Refused(Reason.SOURCE_INVALID, f"{source} is no page of {self.pages.url}")
        return source

    def _given(self, url: str, html: str | bytes) -> Page:
        if isinstance(html, str):
            # half of a surrogate pair is no character, and `?` would be another URL
            text = html.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            headers, body = (("Content-Type", "text/html; charset=utf-8"),), text.encode()
        else:
            # bytes say themselves what they are encoded in
            headers, body = (("Content-Type", "text/html"),), html
        if len(body) > self.outgoing.most_bytes:
            detail = f"the post has {len(body):,} bytes; {self.outgoing.most_bytes:,} are read at most"
            raise Refused(Reason.TOO_LARGE, detail)
        return Page(Response(200, headers, body, url), own=True)

    def _edit(self, source: str, *, targets: Sequence[str] = (), content: str = "", gone: bool = False) -> Edit:
        return Edit(
            site=self.pages.url,
            source=source,
            targets=targets,
            content=content,
            now=self.now(),
            gone=gone,
            updates=frozenset(protocol.name for protocol in self.protocols if protocol.updates),
            gap=timedelta(seconds=self.outgoing.host_seconds),
            most_told=self.outgoing.most_told,
            most_told_a_host=self.outgoing.most_told_a_host,
        )
