"""Site: what listens for one blog, and speaks for it.

Receiving goes through `inbox`, publishing through `outbox`; this is the order in which they are called and
the one object that a blog engine holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from linkback import logs, urls
from linkback.arguments import check, several, shown
from linkback.background import Background
from linkback.delivering import Delivering
from linkback.errors import Reason, Refused, StoreError
from linkback.forgetting import Forgetting
from linkback.hooks import Hooks
from linkback.inbox import Inbox
from linkback.jobs import Embedded, Runner
from linkback.model import UNSEEN, Claim, ClaimState, Delivery, Job, JobKind, Mention, Receipt, Status
from linkback.outbox import Outbox
from linkback.ownpages import OwnPages, Resolve
from linkback.parts import PROTOCOL, SITE
from linkback.policy import Outgoing, Policy, Retry
from linkback.protocols import BUILTIN, Protocol, advertise_elements, advertise_markup
from linkback.store import DEFAULT_STORE, ClaimRecord, Storage, open_store
from linkback.wire import Fetch
from linkback.work import LEASE_SECONDS, Work, put_off

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = logs.named(__name__)

#: a job that ended this many workers is given up
MOST_ATTEMPTS = 5
#: how many jobs a sender who waits for one check may have to wait for
_MOST_INLINE = 5


def utcnow() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


class Site(Background):
    """One blog: its pages, its mentions, its deliveries.

    `url` is the blog's address; every page under it is ours unless `resolve` is given, which maps a URL on our host,
    or on one of `hosts`, to the permalink of the post it means, or None (it may raise `Refused` with TARGET_GONE or
    TARGET_CLOSED). The URLs that it gets are in normal form, without fragment. Whatever else `resolve` raises passes
    through to who asked, with nothing recorded, and what it gives but a page of ours or None is a `ConfigurationError`;
    a claim whose check it breaks is checked again, and a stranger is told to come back. With `loose`, a link
    proves a claim although it differs from the target by http or https, `www.`, one trailing slash, tracking
    parameters or the fragment. `store` is a database URL or a `Storage`, closed with the site. `fetch` reads pages (a
    `Fetcher`, or a `FakeWeb` in tests). `policy` says whom we listen to, `outgoing` whom we tell and how fast,
    `retry` how often a failed attempt is made again. `name` is the blog's, as TrackBack sends it. `verify` is
    "queued", or "inline" to check each claim before it is answered, once: whoever sends it waits for that, and is
    told what was found. `runner` does the work: threads of this process by default. `on_mention` is called with each
    mention that is new or changed, `on_removed` with each that a check took away, `on_delivery` with each delivery that
    will not be tried again by itself, all in the thread that did the work; what they raise is logged. `clock` gives the
    present, aware; with `pause` a worker waits some seconds for its turn at a host. No function may be async. Raises
    `ConfigurationError` for a URL that is none and an argument that is not what it must be (`hosts` and `protocols` are
    lists, also of one), `StoreError` for a store that cannot be opened.

    One site may be shared by threads, and used after a fork: the child starts threads of its own. Like anything with
    threads it must not be forked while they work, as C libraries such as SQLite hold locks then; servers fork before
    the first request. As a context manager it closes itself.
    """

    def __init__(
        self,
        url: str,
        *,
        store: str | Storage = DEFAULT_STORE,
        fetch: Fetch | None = None,
        policy: Policy | None = None,
        outgoing: Outgoing | None = None,
        retry: Retry | None = None,
        resolve: Resolve | None = None,
        hosts: Iterable[str] = (),
        loose: bool = False,
        protocols: Iterable[Protocol] = BUILTIN,
        name: str = "",
        verify: Literal["queued", "inline"] = "queued",
        runner: Runner | None = None,
        on_mention: Callable[[Mention], None] | None = None,
        on_removed: Callable[[Mention], None] | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
        clock: Callable[[], datetime] = utcnow,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        functions = {"on_mention": on_mention, "on_removed": on_removed, "on_delivery": on_delivery, "resolve": resolve}
        check(SITE, store=store, fetch=fetch, policy=policy, outgoing=outgoing, retry=retry, loose=loose, name=name)
        check(SITE, verify=verify, runner=runner, clock=clock, pause=pause, **functions)
        self.pages = OwnPages(url, resolve, hosts, loose=loose)
        self.url = self.pages.url
        self.name = name
        self.protocols: Sequence[Protocol] = several("protocols", protocols, PROTOCOL)
        self.store = open_store(store) if isinstance(store, str) else store
        self._clock = clock
        hooks = Hooks(mention=on_mention, removed=on_removed, delivery=on_delivery)
        self.fetch = fetch = fetch if fetch is not None else _default_fetch(self.url)
        self._retry = retry = retry or Retry()
        # tries that end in an answer count too: they must not look like workers that died
        self._most_attempts = max(MOST_ATTEMPTS, len(retry.delays) + 2)
        self.policy = policy = policy or Policy()
        self._inbox = Inbox(
            pages=self.pages,
            store=self.store,
            fetch=fetch,
            policy=policy,
            retry=retry,
            protocols={protocol.name: protocol for protocol in self.protocols},
            now=clock,
            lease=timedelta(seconds=LEASE_SECONDS),
            hooks=hooks,
            inline=verify == "inline",
        )
        outgoing = outgoing or Outgoing()
        self._outbox = Outbox(
            pages=self.pages,
            store=self.store,
            fetch=fetch,
            outgoing=outgoing,
            protocols=self.protocols,
            now=clock,
        )
        self._delivering = Delivering(
            name=name,
            store=self.store,
            fetch=fetch,
            outgoing=outgoing,
            retry=retry,
            protocols=self.protocols,
            now=clock,
            pause=pause,
            lease=timedelta(seconds=LEASE_SECONDS),
            hooks=hooks,
        )
        runner = runner if runner is not None else Embedded()
        forget = Forgetting(self.store, self._ended).step
        work = Work(
            store=self.store, runner=runner, do=self.run, clock=clock, pause=pause, site=self.url, forget=forget
        )
        super().__init__(work)

    def receive(self, claim: Claim, *, client: str = "") -> Receipt:
        """Take a claim: judged without the network, recorded with its job, checked soon, or now where `verify` says so.

        `client` is the address of whoever sent it, as the server tells it: a `Policy` takes so many from one in an
        hour. It is not limited where it is "", or not public. Each process counts for itself.

        Gives the `Receipt` whose id names the claim's status, and which says whether it was checked: an inline check
        may still have to wait, where another process has the pair's job, or the source's host may not be read yet.
        Raises `Refused` with the reason, and `StoreError` where it could not be recorded. Pingback 3, Webmention 3.2.1.
        """
        record = self._inbox.receive(claim, client=client)
        if self._inbox.inline:
            record = self._checked(record)
        self._work.runner.nudge()
        if self._inbox.inline and record.state is ClaimState.FAILED:
            raise Refused(record.reason or Reason.INTERNAL, "the check did not prove the claim")
        return Receipt(record.id, checked=not record.open)

    def _checked(self, record: ClaimRecord) -> ClaimRecord:
        """The claim after its check, or as it was where that could not be made now."""
        for _ in range(_MOST_INLINE):
            worked = self._work.step(JobKind.CHECK)
            if not worked:
                # a thread of ours may have been quicker
                self._work.runner.settle()
            record = self.store.claim(record.id) or record
            if not worked or not record.open:
                break
        return record

    def claim(self, id: str) -> ClaimRecord | None:
        """The claim of a receipt, with its state and reason; None where this site has none of that id."""
        record = self.store.claim(id)
        return record if record is not None and record.site == self.url else None

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
        """Owe what the post at `url`, as it is now, is to tell: call it when a post comes out, and after each edit.

        Each page that it newly links to is told by the first protocol that it offers. Pages told before by webmention
        are told again where the post has changed, also those that it does not link to any more; pingback and trackback
        know no updates. A post that says what it said before owes nothing unless `force`.

        `html` is the post's page, or its content; without it the page is fetched. `at`, aware, is when a post with
        `html` comes out, where that is to come. With `dry_run` nothing is recorded. With `connection`, a SQLAlchemy
        one, the deliveries are part of its transaction: roll back, and nothing is owed.

        Gives the deliveries that are owed by this call, or withdrawn; they are made soon. Links beyond those that
        `Outgoing` has told are among the withdrawn, with why as their `detail`. Raises `Refused` for a URL
        that is none of the site's, a page that is gone, or a post with more links or bytes than `Outgoing` allows;
        `FetchError` where the page cannot be fetched, `StoreError` where nothing could be recorded, `TypeError` for an
        `html` that is none. A delivery that fails raises nothing: it is a row that says why. Webmention 3.1,
        protocols.md B-60 to B-64.
        """
        if html is not None and not isinstance(html, str | bytes):
            raise TypeError(f"html must be the post's page as str or bytes, or None to fetch it, not {shown(html)}")
        deliveries = self._outbox.publish(url, html, at=at, force=force, dry_run=dry_run, connection=connection)
        self._work.runner.nudge()
        return deliveries

    def unpublish(
        self, url: str, *, check: bool = False, dry_run: bool = False, connection: object = None
    ) -> list[Delivery]:
        """Owe the news that the post at `url` is deleted to every page told of it by webmention; give the deliveries.

        The post's URL must answer 410 Gone by the time they are made (or 200 with `<meta http-equiv="status"
        content="410 Gone">`): each waits for that a while, as for a receiver, and fails without it. With `check` that
        is looked at now: raises `Refused`, and nothing is owed, where the post is still there. `dry_run` and
        `connection` are as for `publish`, and what is raised too. Webmention 3.1.5.
        """
        deliveries = self._outbox.unpublish(url, check=check, dry_run=dry_run, connection=connection)
        self._work.runner.nudge()
        return deliveries

    def deliveries(self, source: str | None = None) -> list[Delivery]:
        """What is owed and was made, for one post or all, in the order it was owed."""
        return self.store.deliveries(site=self.url, source=source)

    def mentions(
        self, url: str | None = None, *, statuses: Collection[Status] | None = (Status.APPROVED,)
    ) -> list[Mention]:
        """The mentions of a post, or of the whole site, in the order they were received.

        Only approved ones unless `statuses` says otherwise; None means all. A page that is closed by `resolve` keeps
        those it has.
        """
        if url is None:
            return self.store.mentions(site=self.url, statuses=statuses)
        try:
            page = self.pages.find(url)
        except Refused as refusal:
            if refusal.reason is not Reason.TARGET_CLOSED:
                return []
            page = urls.without_fragment(url)
        return self.store.mentions(site=self.url, pages=(urls.page_key(self.url, page),), statuses=statuses)

    def moderate(self, id: str, status: Status) -> Mention | None:
        """Give a mention the status a person chose, which lasts; None where there is no such mention.

        Raises `ValueError` for a status that there is not.
        """
        status, mention = Status(status), self.store.mention(str(id))
        if mention is None or mention.site != self.url:
            return None
        return self.store.moderate(mention.id, status)

    def recheck(self, id: str) -> bool:
        """Have the source of a mention looked at again now, also of one that was taken away.

        False where there is no such mention, its job is laid aside, or a person rejected it or marked it as spam: that
        stands, whatever is found. Raises `StoreError`.
        """
        mention = self.store.mention(str(id))
        if mention is None or mention.site != self.url or mention.status in UNSEEN:
            return False
        found = self.store.recheck(mention.id, due=self._clock())
        self._work.runner.nudge()
        return found

    def find(self, url: str) -> str:
        """The permalink of the page of ours that a URL means.

        Raises `Refused` where it means none, or one that is gone or takes no mentions; and what `resolve` raises.
        """
        return self.pages.find(url)

    def owns(self, url: str) -> bool:
        """Whether a URL may be a page of ours, as far as its address tells: `resolve` is not asked."""
        return self.pages.owns(url)

    def listens(self, url: str) -> bool:
        """Whether a page of ours takes mentions, so that its endpoints may be advertised (protocols.md A-51)."""
        try:
            self.find(url)
        except Refused:
            return False
        return True

    def head(self, url: str, *, title: str = "", base: str = "") -> str:
        """The markup that advertises the endpoints of the page at `url`, for its `<head>`; "" where it takes none.

        For pages that `wsgi(app)` does not serve. `title` is the post's; `base` is the URL that the endpoints stand
        under, `/linkback` on the site's host where it is not given (protocols.md A-49, A-91).
        """
        try:
            permalink = self.pages.find(url)
        except Refused:
            return ""
        base = base.rstrip("/") or f"{urls.origin(self.url)}/linkback"
        elements = advertise_elements(self.protocols, base, permalink)
        return elements + advertise_markup(self.protocols, base, permalink, title)

    def run(self, job: Job) -> None:
        """Do a job of this site that was leased; raises `StoreError` where how it ended could not be recorded."""
        box = self._inbox if job.kind is JobKind.CHECK else self._delivering
        if job.attempts > self._most_attempts:
            log.error("giving up %s %s after %d attempts", job.kind, job.subject, job.attempts - 1)
            box.give_up(job)
            return
        try:
            self._inbox.check(job) if job.kind is JobKind.CHECK else self._delivering.deliver(job)
        except StoreError:
            # nothing could be recorded, so the job stands; it is due when the lease ends
            raise
        except Exception as error:  # noqa: BLE001 -- it is logged
            due = self._retry.due(job.attempts, self._clock())
            put_off(self.store, job, error, due=due, give_up=box.give_up)

    def _ended(self, site: str, now: datetime) -> datetime | None:
        return self.policy.forgets(now) if site == self.url else None

    def wsgi(self, app: WSGIApplication | None = None, *, prefix: str = "/linkback", base: str = "") -> WSGIApplication:
        """The endpoints as a WSGI application; around a host's `app`, under `prefix`, advertised on its HTML pages.

        Without an `app` they are an application of their own. `base` is the public URL of the endpoints, where it is
        not what the requests say. Raises as `adapters.wsgi.around` does.
        """
        from linkback.adapters.wsgi import around, endpoints

        return endpoints(self, base=base) if app is None else around(app, self, prefix=prefix, base=base)


def _default_fetch(url: str) -> Fetch:
    from linkback.fetch import Fetcher, introduction

    return Fetcher(user_agent=introduction(url))
