"""Many blogs on one store: what comes in goes to the blog that it is for, and any worker does the work of all.

Rule: a blog's policy, limits and pages are its own `Site`'s; only the store, the endpoints and the workers are shared.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from linkback import logs, urls
from linkback.arguments import Kind, check, function, several, shown
from linkback.background import Background
from linkback.errors import ConfigurationError, Reason, Refused, blame, name_of
from linkback.forgetting import Forgetting
from linkback.hooks import report
from linkback.jobs import Embedded, External, Runner
from linkback.model import Claim, Job, Mention, Receipt, Status
from linkback.parts import PROTOCOL, SITES
from linkback.policy import Policy
from linkback.protocols import BUILTIN, Protocol
from linkback.rates import check_rate
from linkback.site import Site, utcnow
from linkback.store import ClaimRecord, Storage
from linkback.throttle import Clients, Unheard
from linkback.work import Work

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = logs.named(__name__)

#: given by the host: a URL, of a page or of a blog itself, to the blog that it belongs to, None where it is nobody's
SiteOf = Callable[[str], Site | None]
#: when to look again whether a job's blog is known; another process may know it
_UNKNOWN_SITE = timedelta(hours=1)
_POLICY = Policy()
_SITE = Kind("a list of Sites, or a function from a URL to one", lambda given: isinstance(given, Site))


class Sites(Background):
    """The blogs of one host, with one set of endpoints.

    `sites` are the blogs, or a function that gives the one a URL belongs to: it is asked for each claim and each job,
    so it should remember what it made; where it fails, strangers are told to come back. Each is a `Site` over the same
    `store`, with `runner=External()`: the work is done here, by `runner`, threads of this process by default. `store`
    comes from `open_store`; it is closed with this object, and the sites are not. `protocols` are those that the
    endpoints speak. No function may be async. Raises `ConfigurationError` for an argument that is not what it must be,
    and for a site with another store, with workers of its own, or that is listed twice.

    How many pings each blog hears from one client its own `Policy` says. Of those that come to none, as the page is
    nobody's or that share is used up, `client_burst` at once are looked up for one client, and one more each
    `client_seconds`, in each process; the next are refused before anything is asked. With 0 seconds there is no limit.
    """

    #: the endpoints stand where they are served, at no blog's own address
    url = ""

    def __init__(
        self,
        sites: Iterable[Site] | SiteOf,
        *,
        store: Storage,
        protocols: Iterable[Protocol] = BUILTIN,
        runner: Runner | None = None,
        client_burst: int = _POLICY.client_burst,
        client_seconds: float = _POLICY.client_seconds,
        clock: Callable[[], datetime] = utcnow,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        check(SITES, store=store, runner=runner, clock=clock, pause=pause)
        check_rate("client", client_burst, client_seconds)
        self.protocols: Sequence[Protocol] = several("protocols", protocols, PROTOCOL)
        self.store = store
        if callable(sites):
            check({"sites": function(_SITE.words)}, sites=sites)
        listed = () if callable(sites) else several("sites", sites, _SITE)
        for site in listed:
            self._check(site)
        self._given: SiteOf | None = sites if callable(sites) else None
        self._listed = _Listed(listed)
        self._clients = Clients(client_burst, client_seconds)
        self._clock = clock
        runner = runner if runner is not None else Embedded()
        forget = Forgetting(self.store, self._ended).step
        super().__init__(Work(store=self.store, runner=runner, do=self.run, clock=clock, pause=pause, forget=forget))

    @property
    def listed(self) -> tuple[Site, ...]:
        """The blogs that are known from the start; none where a function finds them."""
        return tuple(self._listed.sites)

    def site_of(self, url: str) -> Site:
        """The blog that a URL belongs to; raises `Refused` with TARGET_UNKNOWN where it is nobody's."""
        site = self._known(urls.check_argument(url, Reason.TARGET_INVALID))
        if site is None:
            raise Refused(Reason.TARGET_UNKNOWN, f"{url} is on none of our sites")
        return site

    def at(self, host: str, path: str) -> Site:
        """The blog that a request is for, by its Host and its path and query; raises `Refused` where it is nobody's.

        A proxy may have taken the TLS away, so the blog may be known by either scheme.
        """
        for scheme in ("https", "http"):
            url = f"{scheme}://{host}{path}"
            site = self._known(url) if urls.is_argument(url) else None
            if site is not None:
                return site
        raise Refused(Reason.TARGET_UNKNOWN, f"{host} is none of our sites")

    def _known(self, url: str) -> Site | None:
        site = self._listed.site_of(url) if self._given is None else self._ask(self._given, url)
        if site is not None:
            self._check(site)
        return site

    def _ask(self, site_of: SiteOf, url: str) -> Site | None:
        try:
            site: object = site_of(url)
        except Refused:
            raise
        except Exception as error:
            blame(error, site_of, "sites", url)
            raise
        if site is None or isinstance(site, Site):
            return site
        why = f"sites ({name_of(site_of)}) must give the Site that a URL belongs to, or None"
        raise ConfigurationError(f"{why}: for {url} it gave {shown(site)}")

    def _check(self, site: Site) -> None:
        # what one store accepts the workers of another never find
        if site.store is not self.store:
            raise ConfigurationError(f"{site.url} has another store than the others")
        if not isinstance(site.runner, External):
            raise ConfigurationError(f"{site.url} does its own work: give it runner=External()")

    def receive(self, claim: Claim, *, client: str = "") -> Receipt:
        """Take a claim for the blog that its target is on, as `Site.receive` does.

        Raises `Refused` with TOO_OFTEN also where `client` has named too many pages that are nobody's.
        """
        # counted before it is looked up, and forgotten where that was not for nothing
        self._clients.hear(client)
        site = self.site_of(claim.target)
        self._clients.forget(client)
        try:
            receipt = site.receive(claim, client=client)
        except Unheard:
            with contextlib.suppress(Unheard):
                self._clients.hear(client)
            raise
        self._work.runner.nudge()
        return receipt

    def claim(self, id: str) -> ClaimRecord | None:
        """The claim of a receipt, with its state and reason."""
        return self.store.claim(id)

    def find(self, url: str) -> str:
        """The permalink of the page that a URL means, as `Site.find` gives it."""
        return self.site_of(url).find(url)

    def owns(self, url: str) -> bool:
        """Whether a URL may be a page of one of our sites, as `Site.owns`."""
        try:
            return self.site_of(url).owns(url)
        except Refused:
            return False

    def listens(self, url: str) -> bool:
        """Whether a page is one of ours and takes mentions."""
        try:
            self.find(url)
        except Refused:
            return False
        return True

    def mentions(self, url: str, *, statuses: Collection[Status] | None = (Status.APPROVED,)) -> list[Mention]:
        """The mentions of a page, as `Site.mentions` gives them; none where it is nobody's."""
        try:
            return self.site_of(url).mentions(url, statuses=statuses)
        except Refused:
            return []

    def run(self, job: Job) -> None:
        """Do a job that was leased; one whose blog is not known here is left for an hour."""
        try:
            site = self._known(job.site)
        except Exception as error:  # noqa: BLE001 -- it is logged
            # the host's own function failed: its blogs wait, and those that it finds do not
            report(log, f"could not find the site {job.site}", error)
            site = None
        if site is None:
            log.warning("%s %s is for %s, which is none of our sites", job.kind, job.subject, job.site)
            self.store.release(job, due=self._clock() + _UNKNOWN_SITE, counted=False)
            return
        site.run(job)

    def _ended(self, url: str, now: datetime) -> datetime | None:
        try:
            site = self._known(url)
        except Exception:  # noqa: BLE001 -- it is told where there is work for that blog
            site = None
        return None if site is None else site.policy.forgets(now)

    def wsgi(self, app: WSGIApplication | None = None, *, prefix: str = "/linkback", base: str = "") -> WSGIApplication:
        """The endpoints of all blogs as one WSGI application; around a host's `app`, under `prefix`, as `Site.wsgi`."""
        from linkback.adapters.wsgi import around, endpoints

        return endpoints(self, base=base) if app is None else around(app, self, prefix=prefix, base=base)


class _Listed:
    """Blogs that are known from the start: found by their own address, or by host and then by the page."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._by_url: dict[str, Site] = {}
        self._by_host: dict[str, list[Site]] = defaultdict(list)
        for site in sites:
            if site.url in self._by_url:
                raise ConfigurationError(f"{site.url} is given twice")
            self._by_url[site.url] = site
            for host in site.pages.hosts:
                self._by_host[host].append(site)
        for found in self._by_host.values():
            found.sort(key=lambda site: len(site.url), reverse=True)

    @property
    def sites(self) -> Iterable[Site]:
        return self._by_url.values()

    def site_of(self, url: str) -> Site | None:
        if url in self._by_url:
            return self._by_url[url]
        here = [site for site in self._by_host.get(urls.host(url).removeprefix("www."), ()) if site.pages.owns(url)]
        if len(here) == 1:
            # a blog's own function is asked when the blog has heard who asks
            return here[0]
        # one whose address the page is under comes before one that only may know it
        here.sort(key=lambda site: not urls.under(url, site.url))
        return next((site for site in here if site.listens(url)), next(iter(here), None))
