"""From a blog's feed or sitemap to the posts that are new, changed or deleted, and what these owe.

Rule 1: the document only says where to look. Whether a post says anything new its own page tells, in `Site.publish`.
Rule 2: nothing is deleted because a document does not name it: its page must say so.
Rule 3: a post that cannot be read keeps no other back, and is tried again by the next reading.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial

from linkback import feeds, logs
from linkback.content import digest
from linkback.errors import Blocked, ConfigurationError, FetchError, LinkbackError, Reason, Refused, SourceGone
from linkback.feeds import Entry
from linkback.model import Delivery
from linkback.page import Page
from linkback.receiver import read_source
from linkback.site import Site
from linkback.store.feeds import Feeds, KnownPost, Todo
from linkback.walk import Reading, Trouble, Walk, name_of, trouble
from linkback.wire import Fetch, Response

log = logs.named(__name__)

#: how long one document may take to come, where no `Fetcher` of the caller's own says otherwise
_DOCUMENT_SECONDS = 40


@dataclass(slots=True, kw_only=True)
class Followed:
    """What one reading of a feed or sitemap came to, as URLs.

    `new` are posts that nothing was known of, `changed` those that may say something new; `remembered` those that tell
    nobody; `skipped` those that are none of the site's. `owed` are the deliveries that were recorded, or in a dry run
    would be. `foreign` says that the document lists posts, and none of them is the site's: then nothing is recorded.
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    remembered: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    owed: list[Delivery] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    foreign: bool = False


def follow(
    site: Site,
    memory: Feeds,
    document: str,
    *,
    fetch: Reading | None = None,
    force: bool = False,
    remember: bool = False,
    since: datetime | None = None,
    dry_run: bool = False,
) -> Followed:
    """Publish what is new in a feed or sitemap of the site since it was read last, and give what that came to.

    `document` is a URL, or the path of a file; pages of posts are fetched from the web in both cases. Posts that it
    names for the first time are published, those of which it says something else are published again, and those that
    it is to name all of and does not are looked for: who answers 410 Gone is unpublished. A post that was published
    already, or that another document had remembered, tells only what is new since then. `force` publishes all that it
    names, and has them tell again. With `remember` posts that are new only become known, and tell nobody; with `since`,
    aware, those that came out before, or do not say when. They tell once they link to other pages than now. `dry_run`
    records nothing. `fetch` reads documents and looks for what is gone, by default as the site does.

    What is owed is recorded, not sent. Raises `FetchError` or `Refused` for a document that cannot be read, and
    `StoreError`; a post that cannot is one of `troubles`.
    """
    until = datetime.max.replace(tzinfo=UTC) if remember else _aware(since)
    fetch = fetch if fetch is not None else _default_fetch(site)
    name = name_of(document)
    known = memory.posts(site.url, name)
    documents = {} if force else memory.documents(site.url, name)
    wanted = {post.url for post in known.values() if post.todo in (Todo.PUBLISH, Todo.REMEMBER) and not post.gone}
    walk = Walk(fetch, documents, partial(_says_news, site, known), wanted=wanted)
    walk.read(document, base=site.url)
    if not known and _is_foreign(site, walk):
        return Followed(skipped=list(walk.entries), troubles=walk.troubles, foreign=True)
    posts = _Posts(site, memory, fetch, known, until, force=force, dry_run=dry_run)
    if dry_run:
        deque(posts.changes(walk), maxlen=0)
    else:
        _keep(memory, site.url, name, walk, posts.changes(walk))
    return posts.done


def _keep(memory: Feeds, site: str, name: str, walk: Walk, rows: Iterator[KnownPost]) -> None:
    """Record each post as its row comes, and the documents last: whoever is stopped before reads them once more.

    The next walk stops at a page of known posts only where the feed is kept as `walked`. As posts are kept one by one,
    such a page proves nothing until all of them are: so the feed is kept as not walked before the first, and as walked
    after the last. The order of the posts would be no proof: pages shift, and one that could not be read has posts too.
    """
    for number, post in enumerate(rows):
        if number == 0:
            memory.keep_documents(site, name, walk.unfinished)
        memory.keep_post(site, name, post)
    memory.keep_documents(site, name, walk.documents)


def _aware(since: datetime | None) -> datetime | None:
    if since is not None and since.tzinfo is None:
        raise ConfigurationError(f"{since} is a time without an offset")
    return since


def _is_foreign(site: Site, walk: Walk) -> bool:
    """Whether all posts are another site's: to record that would have the documents taken for read."""
    listed = walk.entries and not walk.unchanged
    return bool(listed) and not any(map(site.pages.owns, walk.entries))


def _says_news(site: Site, known: Mapping[str, KnownPost], entry: Entry) -> bool:
    post = known.get(entry.url)
    # what says nothing of its version would have all older pages read each time
    changed = post is None or (entry.stamp != "" and post.stamp != entry.stamp)
    return changed and site.pages.owns(entry.url)


def _default_fetch(site: Site) -> Reading:
    from linkback.fetch import Fetcher, introduction

    own = site.fetch if isinstance(site.fetch, Fetcher) else Fetcher(user_agent=introduction(site.url))
    return own.within(seconds=_DOCUMENT_SECONDS, bytes=feeds.MOST_BYTES)


class _Posts:
    """What is to be done for each post of a reading; a row of the memory for each for which that changed.

    Posts that are new and came out before `until`, or do not say when, are only remembered.
    """

    def __init__(
        self,
        site: Site,
        memory: Feeds,
        fetch: Reading,
        known: Mapping[str, KnownPost],
        until: datetime | None,
        *,
        force: bool,
        dry_run: bool,
    ) -> None:
        self.done = Followed()
        self._site = site
        self._memory = memory
        self._fetch = fetch
        self._known = known
        self._until = until
        self._force = force
        self._dry_run = dry_run

    def changes(self, walk: Walk) -> Iterator[KnownPost]:
        """Do it, post by post, and give each row once what it owes is recorded."""
        self.done.troubles += walk.troubles
        for entry, part in walk.entries.values():
            row = self._listed(entry, part)
            if row is not None and row != self._known.get(entry.url):
                yield row
        for post in self._known.values():
            if post.url not in walk.entries and not post.gone:
                row = self._unlisted(post, walk)
                if row != post:
                    yield row

    def _listed(self, entry: Entry, part: str) -> KnownPost | None:
        """What a post that stands in the document comes to; None for one that is none of the site's."""
        if not self._site.pages.owns(entry.url):
            self.done.skipped.append(entry.url)
            return None
        known = self._known.get(entry.url)
        post = replace(known or KnownPost(url=entry.url), id=entry.id, part=part)
        same = known is not None and entry.stamp != "" and entry.stamp == known.stamp
        if same and not (post.gone or post.todo or self._force):
            return post
        old = known.todo is Todo.REMEMBER if known is not None else self._is_old(entry)
        if old and not self._force:
            return self._remember(post, entry.stamp, listed=True)
        # one that never could be read is still new
        if known is None or (known.todo is Todo.PUBLISH and not known.stamp):
            return self._first(post, entry.stamp)
        if same or not entry.stamp:
            return self._publish_again(post, entry.stamp)
        row = self._publish(post, entry.stamp, listed=True)
        if not row.gone:
            self.done.changed.append(entry.url)
        return row

    def _first(self, post: KnownPost, stamp: str) -> KnownPost:
        """Publish a post that this document names for the first time."""
        if self._memory.published(self._site.url, post.url):
            return self._publish_again(replace(post, unpaid=""), stamp)
        unpaid = self._unpaid_elsewhere.get(post.url)
        if unpaid is None:
            self.done.new.append(post.url)
            return self._publish(post, stamp, listed=True)
        if not unpaid and not self._force:
            return self._remember(post, stamp, listed=True)
        return self._publish_again(replace(post, unpaid=unpaid), stamp)

    def _publish_again(self, post: KnownPost, stamp: str, *, listed: bool = True) -> KnownPost:
        """Publish a post of which the document does not say that it changed: it did where that comes to anything."""
        owed = len(self.done.owed)
        row = self._publish(post, stamp, listed=listed)
        if row.todo or (len(self.done.owed) > owed and not row.gone):
            self.done.changed.append(post.url)
        return row

    @cached_property
    def _unpaid_elsewhere(self) -> Mapping[str, str]:
        return self._memory.unpaid(self._site.url)

    def _is_old(self, entry: Entry) -> bool:
        return self._until is not None and (entry.at is None or entry.at < self._until)

    def _unlisted(self, post: KnownPost, walk: Walk) -> KnownPost:
        """What a post comes to that the document does not name, or not any more."""
        missing = walk.complete and post.part not in walk.unchanged
        if missing or post.todo is Todo.LOOK or not walk.deleted.isdisjoint((post.id, post.url)):
            return self._look(post)
        # it may stand where nothing was read now
        listed = not walk.whole or post.part in walk.unchanged
        if post.todo is Todo.REMEMBER:
            return self._remember(post, post.stamp, listed=listed)
        if post.todo is Todo.PUBLISH:
            return self._publish_again(post, post.stamp, listed=listed)
        return post

    def _publish(self, post: KnownPost, stamp: str, *, listed: bool) -> KnownPost:
        """Owe what a post is to tell; one that was only remembered tells once it would tell other pages."""
        try:
            if post.unpaid and not self._force and post.unpaid == self._unpaid(post.url):
                return replace(post, stamp=stamp, todo=Todo.NOTHING, gone=False)
            self.done.owed += self._site.publish(post.url, force=self._force, dry_run=self._dry_run)
        except SourceGone as gone:
            if gone.reason is Reason.SOURCE_GONE or not listed:
                row = self._look(post)
                return replace(row, stamp=stamp) if row.gone else row
            return self._failed(post, Todo.PUBLISH, gone)
        except (Refused, FetchError) as error:
            return self._failed(post, Todo.PUBLISH, error)
        return replace(post, stamp=stamp, todo=Todo.NOTHING, unpaid="", gone=False)

    def _remember(self, post: KnownPost, stamp: str, *, listed: bool) -> KnownPost:
        """Have a post known without telling anybody."""
        try:
            unpaid = "" if self._dry_run else self._unpaid(post.url)
        except (Refused, FetchError) as error:
            if isinstance(error, SourceGone) and not listed:
                # nobody was told of it; should it come back, it is still only to be remembered
                return replace(post, gone=True)
            return self._failed(post, Todo.REMEMBER, error)
        self.done.remembered.append(post.url)
        return replace(post, stamp=stamp, todo=Todo.NOTHING, unpaid=unpaid, gone=False)

    def _unpaid(self, url: str) -> str:
        owed = sorted((one.target, one.cause.value) for one in self._site.publish(url, dry_run=True))
        return hashlib.sha256(json.dumps(owed).encode("utf-8", "surrogatepass")).hexdigest()

    def _look(self, post: KnownPost) -> KnownPost:
        """Look whether a post is deleted that is not listed any more, or is said to be."""
        gone = replace(post, todo=Todo.NOTHING, gone=True)
        owed = self._site.unpublish(post.url, dry_run=True)
        if not owed:
            # nobody was told of it
            return gone
        try:
            if not read_source(self._fetch, post.url, purpose="looking whether it is deleted").says_gone:
                return replace(post, todo=Todo.NOTHING)
        except SourceGone as missing:
            if missing.reason is not Reason.SOURCE_GONE:
                message = "it answers 404 Not Found; it must answer 410 Gone for its deletion to be told"
                return self._left(post, Todo.LOOK, Trouble(post.url, message, temporary=False))
        except (Refused, FetchError) as error:
            return self._failed(post, Todo.LOOK, error)
        self.done.owed += owed if self._dry_run else self._site.unpublish(post.url)
        self.done.removed.append(post.url)
        return gone

    def _failed(self, post: KnownPost, todo: Todo, error: LinkbackError) -> KnownPost:
        return self._left(post, todo, trouble(post.url, error))

    def _left(self, post: KnownPost, todo: Todo, why: Trouble) -> KnownPost:
        log.info("%s: %s", why.url, why.message)
        self.done.troubles.append(why)
        return replace(post, todo=todo)


def not_deployed(fetch: Fetch, posts: Mapping[str, bytes]) -> Iterator[str]:
    """The URLs of those posts whose page on the web does not say what the one given says; `posts` are pages by URL.

    Whoever is told of one of these now would look at it and find something else. Each is fetched when it is its turn;
    raises `Blocked` for one that must not be fetched.
    """
    return (url for url, body in posts.items() if not _is_deployed(fetch, url, body))


def _is_deployed(fetch: Fetch, url: str, body: bytes) -> bool:
    built = Page(Response(200, (("Content-Type", "text/html"),), body, url), own=True)
    try:
        there = read_source(fetch, url, purpose="looking whether it is deployed", own=True)
    except Blocked:
        # no upload would change that
        raise
    except (Refused, FetchError):
        return False
    return digest(there, _links(there)) == digest(built, _links(built))


def _links(page: Page) -> set[str]:
    return {link.url for link in page.links()}
