"""The calls of a store that bench/scale.py measures, over the rows that bench/scale.sql fills in."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from linkback import urls
from linkback.model import Claim, ClaimState, Job, JobKind, Mention, Outcome, Status
from linkback.store import ClaimRecord, Edit, Overtaking, Pace, Storage, Verdict
from linkback.store.keys import digest

#: one call, as a generator: it prepares, gives what is to be timed, and is sent the result to tidy up after
Step = Generator[Callable[[], Any], Any, None]
_PER_SITE = 100
_LEASE, _GAP = timedelta(minutes=2), timedelta(seconds=1)


def sites(size: int) -> int:
    """How many blogs there are; no factor of it is one of 10, so that each has rows of every kind."""
    return size // _PER_SITE + 1


@dataclass
class Calls:
    """The calls of a store, each about something else every time."""

    store: Storage
    size: int
    hosts: int
    some: random.Random = field(default_factory=lambda: random.Random(1))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def site(self) -> str:
        """One of the many blogs."""
        return f"https://blog{self.some.randrange(1, sites(self.size))}.example/"

    def big(self) -> str:
        """The big blog."""
        return "https://blog0.example/"

    def host(self) -> str:
        """One of the many hosts."""
        return f"h{self.some.randrange(self.hosts)}.example"

    def row(self, n: int) -> tuple[str, str, str]:
        """Site, source and page of the mention of that number."""
        blogs = sites(self.size)
        site = f"https://blog{n * 7919 % blogs}.example/"
        return site, f"https://h{n * 2654435761 % self.hosts}.example/in/{n}", f"{site}post/{n // blogs // 20}"

    def link(self, last: int | None = None) -> tuple[str, str, str]:
        """One of the many mentions, its number's last digit given or not; none of the big blog's."""
        return self.row(
            self.some.randrange(2, self.size // 10) * 10 + (self.some.randrange(8) if last is None else last)
        )

    def lease(self, site: str | None = None, kind: JobKind | None = None) -> list[Job]:
        """One due job."""
        jobs = self.store.lease(self.now, self.now + _LEASE, site=site, kind=kind)
        if not jobs:
            raise AssertionError(f"nothing is due for {site or 'any site'}")
        return jobs

    def leasing(self, site: Callable[[], str | None], kind: JobKind | None = None) -> Step:
        """Take a due job, and give it back."""
        of = site()
        (job,) = yield lambda: self.lease(of, kind)
        self.store.release(job, due=self.now - timedelta(hours=1 if job.kind is JobKind.DELIVER else 0, minutes=1))

    def overtaking(self, site: Callable[[], str | None]) -> Step:
        """Take a due job of those that were made last, where one of them is due, and give it back."""
        of = site()
        store = self.store
        assert isinstance(store, Overtaking)
        found = yield lambda: store.lease_newest(self.now, self.now + _LEASE, site=of)
        self.store.release(*found, due=self.now - timedelta(minutes=1))

    def add_claim(self) -> Step:
        """A claim about a new pair."""
        site, _, page = self.link()
        source = f"https://{self.host()}/new/{self.some.random()}"
        record = ClaimRecord(
            id=secrets.token_hex(16),
            site=site,
            key=urls.pair_key(site, source, page),
            page=page,
            claim=Claim("webmention", source, page),
            received=self.now,
        )
        yield lambda: self.store.add_claim(record, due=self.now + _LEASE, pace=Pace(_GAP, 20))

    def open_claims(self, *, often: bool = False) -> Step:
        """The claims that a check is for."""
        key = urls.pair_key(*self.row(8) if often else self.link(3))
        found = yield lambda: self.store.open_claims(key)
        assert len(found) == (not often), key

    def last_claim(self, *, often: bool = False) -> Step:
        """When a pair was announced last."""
        key = urls.pair_key(*self.row(8) if often else self.link())
        found = yield lambda: self.store.last_claim(key, "webmention")
        assert found is not None, "the keys that were filled in are not those of linkback"

    def finish_check(self) -> Step:
        """A check that found the link: its claim, its mention and its next look."""
        (job,) = self.lease(kind=JobKind.CHECK)
        records = [replace(it, state=ClaimState.SUCCESS, open=False) for it in self.store.open_claims(job.subject)]
        _, source, page = self.link()
        known = self.store.mention_for(job.subject)
        new = Mention("", job.site, source, page, ("webmention",), Status.APPROVED, self.now, self.now)
        mention = replace(known or new, checked=self.now)
        verdict = Verdict(key=job.subject, page=page, claims=records, mention=mention, recheck=self.now + timedelta(30))
        yield lambda: self.store.finish_check(job, verdict)

    def begin_post(self, *, finish: bool = False) -> Step:
        """A POST that is about to leave, or whose end is recorded."""
        (job,) = self.lease(kind=JobKind.DELIVER)
        owed = self.store.delivery(job.subject)
        assert owed is not None
        endpoint = f"https://{self.host()}/webmention"
        until, gap = self.now + _LEASE, timedelta(0)
        done = replace(owed, outcome=Outcome.ACCEPTED, protocol="webmention", endpoint=endpoint)

        def begin() -> None:
            self.store.begin_post(job, owed, "webmention", endpoint, now=self.now, until=until, gap=gap)

        def end() -> None:
            self.store.finish_delivery(job, done)

        if finish:
            begin()
            yield end
        else:
            yield begin
            end()

    def record_edit(self, *, old: bool = False) -> Step:
        """A post with fifty links, new or with one link exchanged."""
        site = self.site()
        source = f"{site}new/{self.some.random()}"
        links = [f"https://{self.host()}/{self.some.random()}" for _ in range(50)]
        edit = Edit(site=site, source=source, targets=links, now=self.now, content=digest(*links), gap=_GAP)
        if old:
            self.store.record_edit(edit)
            links = [f"https://{self.host()}/new", *links[1:]]
            edit = replace(edit, targets=links, content=digest(*links))
        yield lambda: self.store.record_edit(edit)

    def reading(self, read: Callable[[], Callable[[], object]]) -> Step:
        """A call that changes nothing."""
        yield read()

    def page(self, statuses: tuple[Status, ...]) -> Callable[[], object]:
        """The mentions of a page."""
        site, _, page = self.link()
        key = urls.page_key(site, page)
        return lambda: self.store.mentions(site=site, pages=(key,), statuses=statuses)

    def deliveries(self) -> Callable[[], object]:
        """What a post owes."""
        site, _, page = self.link()
        source = page.replace("/post/", "/out/")
        return lambda: self.store.deliveries(site=site, source=source)

    def for_site(self, call: Callable[[str], object], site: str = "") -> Callable[[], object]:
        """A call about a blog."""
        return lambda: call(site or self.site())

    def hot(self) -> dict[str, Callable[[], Step]]:
        """The calls that each claim, each delivery and each page view makes."""
        store, any_site, approved = self.store, lambda: None, (Status.APPROVED,)
        mention_keys = [urls.pair_key(*self.link()) for _ in range(300)]
        return {
            "add_claim": self.add_claim,
            "open_claims": self.open_claims,
            "last_claim": self.last_claim,
            "open_claims, of a pair told often": lambda: self.open_claims(often=True),
            "last_claim, of a pair told often": lambda: self.last_claim(often=True),
            "mention_for": lambda: self.reading(lambda: lambda: store.mention_for(self.some.choice(mention_keys))),
            "lease, of any site": lambda: self.leasing(any_site),
            "lease, of one site": lambda: self.leasing(self.site),
            "lease, of one kind": lambda: self.leasing(any_site, JobKind.CHECK),
            "lease, of one site and kind": lambda: self.leasing(self.site, JobKind.CHECK),
            "lease, of the big site and one kind": lambda: self.leasing(self.big, JobKind.CHECK),
            "lease_newest, of any site": lambda: self.overtaking(any_site),
            "lease_newest, of one site": lambda: self.overtaking(self.site),
            "lease_newest, of the big site": lambda: self.overtaking(self.big),
            "due, a thousand of any site": lambda: self.reading(lambda: lambda: store.due(self.now, limit=1_000)),
            "checks_due, a thousand of one site": lambda: self.reading(
                lambda: self.for_site(lambda of: store.checks_due(self.now, site=of, most=1_000))
            ),
            "checks_due, a thousand of the big site": lambda: self.reading(
                lambda: self.for_site(lambda of: store.checks_due(self.now, site=of, most=1_000), self.big())
            ),
            "next_due, of any site": lambda: self.reading(lambda: store.next_due),
            "next_due, of one site": lambda: self.reading(lambda: self.for_site(lambda of: store.next_due(site=of))),
            "next_due, of one kind": lambda: self.reading(lambda: lambda: store.next_due(kind=JobKind.CHECK)),
            "finish_check": self.finish_check,
            "begin_post": self.begin_post,
            "finish_delivery": lambda: self.begin_post(finish=True),
            "record_edit, new with 50 links": self.record_edit,
            "record_edit, one link of 50 changed": lambda: self.record_edit(old=True),
            "deliveries, of one post": lambda: self.reading(self.deliveries),
            "mentions, of one page": lambda: self.reading(lambda: self.page(approved)),
            "mentions, pending of one site": lambda: self.reading(
                lambda: self.for_site(lambda of: store.mentions(site=of, statuses=(Status.PENDING,)))
            ),
        }

    def cold(self) -> dict[str, Callable[[], Step]]:
        """The calls of a person who looks after things; what they list may grow with the tables."""
        store = self.store
        return {
            "backlog": lambda: self.reading(lambda: lambda: store.backlog(self.now)),
            "parked": lambda: self.reading(lambda: store.parked),
            "parked, of one site": lambda: self.reading(lambda: self.for_site(lambda of: store.parked(site=of))),
            "deliveries, of one site": lambda: self.reading(
                lambda: self.for_site(lambda of: store.deliveries(site=of))
            ),
            "mentions, pending of the big site": lambda: self.reading(
                lambda: self.for_site(lambda of: store.mentions(site=of, statuses=(Status.PENDING,)), self.big())
            ),
        }
