"""Pelican: what a build writes is published, and templates show signposts and threads.

Rule 1: a site under development tells nobody: no public SITEURL, no LINKBACK_ setting or `--autoreload`, no publishing.
Rule 2: nobody is told of a page before it is on the web, where they will look for it.
Rule 3: a blog that cannot publish is built all the same; what is wrong is one line of the log.
"""

from __future__ import annotations

import ipaddress
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pelican
from markupsafe import Markup
from pelican import signals

from linkback import logs, urls
from linkback.adapters.settings import Settings
from linkback.background import drained
from linkback.delivering import was_kept_in
from linkback.errors import Blocked, ConfigurationError, LinkbackError, Refused, StoreError
from linkback.fetch import Openers, make_fetcher
from linkback.following import not_deployed
from linkback.jobs import External
from linkback.model import Delivery, JobKind, Outcome
from linkback.plaintext import collapse
from linkback.site import Site
from linkback.store import DEFAULT_STORE
from linkback.web.render import thread
from linkback.web.shapes import delivery_line
from linkback.web.signposts import Signposts
from linkback.wire import Fetch

log = logs.named(__name__)

_PREFIX = "LINKBACK_"
#: what only Pelican has; the others are those of every framework
_OWN: Mapping[str, tuple[type[Any] | tuple[type[Any], ...], str]] = {
    "PUBLISH": (bool, "True or False"),
    "SEND": (bool, "True, or False to leave it to linkback drain"),
    "SINCE": ((str, date), 'the date of the oldest post that is told of, such as "2024-05-06"'),
}
#: deliveries to one host follow each other by a second, or by as long as it takes to answer
_PATIENCE_SECONDS = 5.0


class Build:
    """One build: its settings, the blog that they mean, the posts that it writes."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._given = {
            name.removeprefix(_PREFIX): value for name, value in settings.items() if name.startswith(_PREFIX)
        }
        self._own = {name: self._given.pop(name) for name in _OWN if name in self._given}
        self._siteurl = str(settings.get("SITEURL") or "")
        self._site: Site | None = None
        self._signposts: Signposts | None = None
        self._broken = False
        self.posts: list[Any] = []
        for name, value in self._own.items():
            types, meaning = _OWN[name]
            if not isinstance(value, types):
                raise ConfigurationError(f"{_PREFIX}{name} must be {meaning}, not {value!r}")
        self._since = _since(self._own.get("SINCE"))
        named = {"NAME": str(settings.get("SITENAME") or ""), **self._given}
        named["SITE"] = named.get("SITE") or self._siteurl
        self._settings = Settings(named, lambda name: _PREFIX + name)
        self._language = self._given.get("LANGUAGE") or str(settings.get("DEFAULT_LANG") or "en")

    @property
    def publishes(self) -> bool:
        """Whether what is built is to be told of."""
        wanted = self._own.get("PUBLISH")
        lacks = _lacks_scheme(self._siteurl)
        if wanted is None:
            meant = f"https://{self._siteurl}" if lacks else self._siteurl
            wanted = bool(self._given or self._own) and _is_public(meant)
        if wanted and lacks:
            log.error("linkback: nobody is told: SITEURL %r lacks http:// or https:// before it", self._siteurl)
        return wanted and urls.is_argument(self._siteurl) and not _reloads()

    @property
    def site(self) -> Site | None:
        """The blog, opened when it is first needed; None where no setting says which it is, or it cannot be opened."""
        known = bool(self._given.get("SITE")) or urls.is_argument(self._siteurl)
        if self._site is None and not self._broken and (self._given or self._own) and known:
            try:
                self._site = self._settings.site(runner=External())
                self._signposts = self._settings.signposts(self._site)
            except LinkbackError as error:
                self._give_up(error)
        return self._site

    def _give_up(self, error: LinkbackError) -> None:
        """Do without linkback from here on, and say so once, not under each page."""
        log.error("linkback: %s", error)
        self._broken = True
        self.close()

    def head(self, url: str, title: str = "") -> Markup:
        """The signposts of a page, for its `<head>`: `{{ linkback_head(article.url, article.title) }}`."""
        site = self.site
        if site is None or self._signposts is None:
            return Markup()
        base = self._signposts.public(site)
        return Markup(site.head(self._public(site, url), title=title, base=base))  # noqa: S704

    def thread(self, url: str, **options: Any) -> Markup:
        """The thread under a page as it is now; `options` are those of `linkback.web.render.thread`."""
        site = self.site
        if site is None:
            return Markup()
        try:
            mentions = site.mentions(self._public(site, url))
        except StoreError as error:
            self._give_up(error)
            return Markup()
        return Markup(thread(mentions, **{"language": self._language, **options}))  # noqa: S704

    def _public(self, site: Site, url: object) -> str:
        """The public URL of a page, which Pelican names by its path below SITEURL.

        A SITEURL on another host than the blog's is where somebody looks at what they write.
        """
        path, root = str(url), site.url
        if (built := urls.parse(self._siteurl)) is not None and urls.served_by(built.href, root):
            root = urls.origin(root) + built.path
        return path if urls.is_argument(path) else f"{root.rstrip('/')}/{path.lstrip('/')}"

    def publish(self, output: str) -> None:
        """Record what the posts that were built into a folder owe, and send it where they are deployed already.

        The links of a post are those of its content: what the theme puts around it is on every page.
        """
        site = self.site
        if site is None:
            return
        built = {}
        for post in self._told_of():
            url, content = self._public(site, post.url), post.get_content(self._siteurl)
            try:
                built[url] = (Path(output) / post.save_as).read_bytes()
                owed = site.publish(url, content) if content.strip() else []
            except (Refused, OSError) as error:
                log.warning("linkback: %s is not published: %s", url, error)
                continue
            for delivery in owed:
                log.info("linkback: %s owes %s to %s", url, delivery.cause.value, delivery.target)
        self._send(site, built)

    def _told_of(self) -> Iterator[Any]:
        for post in self.posts:
            written = getattr(post, "date", None)
            if post.save_as and (self._since is None or (written is not None and written.date() >= self._since)):
                yield post

    def _send(self, site: Site, built: Mapping[str, bytes]) -> None:
        """Make the deliveries, or say which posts must be on the web first."""
        queued = {delivery.source for delivery in site.deliveries() if delivery.outcome is Outcome.QUEUED}
        waiting = {url: built[url] for url in sorted(queued) if url in built}
        sends = self._own.get("SEND", True)
        command = f"linkback drain --site {site.url} --database {self._database}"
        try:
            early = next(iter(not_deployed(self._fetch(site.url), waiting) if sends else waiting), None)
        except Blocked as error:
            log.warning("linkback: nobody is told of %s: %s; then build again", error.url, error.message)
            return
        if early is not None:
            posts = early + (f" and {len(waiting) - 1} more" if len(waiting) > 1 else "")
            # who chose so knows
            level = logging.WARNING if sends else logging.INFO
            log.log(level, "linkback: nobody is told of %s yet; after the upload run: %s", posts, command)
        elif sends:
            done, undelivered = drained(site, JobKind.DELIVER, patience=_PATIENCE_SECONDS)
            log.info("linkback: %d deliveries made", done)
            _report(undelivered, command)

    def _fetch(self, url: str) -> Fetch:
        networks, ports = (self._settings.words(name) for name in ("ALLOW_NETWORKS", "ALLOW_PORTS"))
        openers = Openers(self._settings.named("ALLOW_NETWORKS"), self._settings.named("ALLOW_PORTS"))
        return make_fetcher(networks, ports, contact=url, openers=openers)

    @property
    def _database(self) -> str:
        # a password is not for the log
        url = str(self._given.get("DATABASE", DEFAULT_STORE))
        return url if url.startswith("sqlite:") else "URL"

    def close(self) -> None:
        """Let go of the records."""
        if self._site is not None:
            self._site.close()
            self._site = None


class _Plugin:
    """The receivers of Pelican's signals. A plugin may build another site within a build, as for other languages."""

    def __init__(self) -> None:
        #: of each `Pelican` its build; None where its settings are wrong
        self._builds: WeakKeyDictionary[Any, Build | None] = WeakKeyDictionary()

    def begin(self, sender: Any) -> None:
        """A `Pelican` has read its settings."""
        self._builds[sender] = None
        try:
            self._builds[sender] = Build(sender.settings)
        except ConfigurationError as error:
            log.error("linkback: %s", error)

    def _of(self, generator: Any) -> Build | None:
        """The build that a generator is part of: all that the two have in common are the settings."""
        return next((build for sender, build in self._builds.items() if sender.settings is generator.settings), None)

    def equip(self, generator: Any) -> None:
        """A generator has made the environment of its templates."""
        build = self._of(generator)
        generator.env.globals["linkback_head"] = build.head if build else lambda *_, **__: ""
        generator.env.globals["linkback_thread"] = build.thread if build else lambda *_, **__: ""

    def collect(self, generators: Iterable[Any]) -> None:
        """All is read, and nothing written yet: the articles and pages that are neither drafts nor hidden."""
        generators = list(generators)
        build = self._of(generators[0]) if generators else None
        if build is None:
            return
        of = {pelican.ArticlesGenerator: "articles", pelican.PagesGenerator: "pages"}
        found = [(one, getattr(one, name)) for one in generators for kind, name in of.items() if isinstance(one, kind)]
        build.posts = [post for one, posts in found for post in (*posts, *one.translations)]

    def end(self, sender: Any) -> None:
        """All is written."""
        # kept: `pelican --autoreload` builds again by the same Pelican, without a word at its beginning
        build = self._builds.get(sender)
        if build is None:
            return
        try:
            if build.publishes:
                build.publish(sender.output_path)
        except LinkbackError as error:
            log.error("linkback: %s", error)
        finally:
            build.close()


_plugin = _Plugin()


def register() -> None:
    """What Pelican calls once for each plugin of `PLUGINS`."""
    signals.initialized.connect(_plugin.begin)
    signals.generator_init.connect(_plugin.equip)
    signals.all_generators_finalized.connect(_plugin.collect)
    signals.finalized.connect(_plugin.end)


def _since(value: str | date | None) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ConfigurationError(f"{_PREFIX}SINCE must be {_OWN['SINCE'][1]}, not {value!r}") from error


def _report(undelivered: Sequence[Delivery], command: str) -> None:
    """Say what did not arrive, but for what the log says already, and how it is tried again."""
    for one in undelivered:
        if not was_kept_in(one):
            log.warning("linkback: %s -> %s", one.source, collapse(delivery_line(one)))
    if any(one.outcome is Outcome.FAILED for one in undelivered):
        log.warning("linkback: what failed may be tried again in a minute or ten, by the next build or by: %s", command)
    if any(one.outcome is Outcome.REFUSED for one in undelivered):
        log.warning("linkback: what was refused is tried again when its post is edited")


def _lacks_scheme(siteurl: str) -> bool:
    """Whether a SITEURL looks like a host whose `https://` was forgotten, and not like a path."""
    host = siteurl.partition("/")[0]
    named = "." in host.strip(".") or ":" in host
    return named and not urls.is_argument(siteurl) and urls.is_argument(f"https://{siteurl}")


def _is_public(url: str) -> bool:
    """Whether others can see a site at a URL; those on this machine are for trying things out."""
    host = urls.host(url) if urls.is_argument(url) else ""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".test"))
    return address.is_global


def _reloads() -> bool:
    """Whether this build is one of `pelican --autoreload`, which no setting tells."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is pelican.autoreload.__code__:
            return True
    return False
