"""A framework's settings, read once into a `Site`: the same names and the same errors in every framework.

Rule: a setting that is wrong, or that nobody knows, is said when the application starts, in one line that names it and
what to write instead.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from linkback import urls
from linkback.errors import ConfigurationError
from linkback.fetch import Openers, make_fetcher
from linkback.jobs import MOST_THREADS, Embedded, External, Runner
from linkback.ownpages import Resolve
from linkback.policy import Outgoing, Policy
from linkback.protocols import BUILTIN, Protocol
from linkback.site import Site
from linkback.store import DEFAULT_STORE, Storage
from linkback.web.signposts import PREFIX, Signposts
from linkback.wire import Fetch

Known = Mapping[str, tuple[tuple[type, ...], str]]

#: each setting, the types it takes, and what it is
KNOWN: Known = {
    "SITE": ((str,), 'the public address of the blog, such as "https://bob.example"'),
    "DATABASE": ((str,), 'a database URL, such as "sqlite:///linkback.db"'),
    "NAME": ((str,), "the name of the blog, as TrackBack sends it"),
    # or any callable
    "RESOLVE": ((str,), "a function from a URL to a post's permalink or None, or its dotted name"),
    "HOSTS": ((str, list, tuple, set, frozenset), "other hosts that the blog's pages stand on, as RESOLVE knows them"),
    "MODERATE": ((bool,), "True or False: whether mentions are held until a person approves them"),
    "POLICY": ((Policy,), "a linkback.Policy, instead of MODERATE"),
    "OUTGOING": ((Outgoing,), "a linkback.Outgoing: which links are told, and how fast"),
    "LOOSE": ((bool,), "True or False: whether links that differ a little from its target prove a claim"),
    "VERIFY": ((str,), '"queued" or "inline"'),
    "PROTOCOLS": ((str, list, tuple, set, frozenset), "those to speak, of webmention, pingback and trackback"),
    "WORKERS": ((int,), "how many threads of this process do the work; 0 where linkback worker or drain does it"),
    "ALLOW_NETWORKS": ((str, list, tuple, set, frozenset), 'private networks to talk to, such as "127.0.0.0/8"'),
    "ALLOW_PORTS": (
        (str, int, list, tuple, set, frozenset),
        "ports of public addresses besides 80, 443, 8080 and 8443",
    ),
    "PREFIX": ((str,), 'the path that the endpoints stand under, "/linkback"'),
    "LANGUAGE": ((str,), 'the language of threads, such as "de"; English by default'),
    "BASE": ((str,), "the public URL of the endpoints, where it is not that path on the blog's host"),
}
_VERIFY = ("queued", "inline")
#: what True and False are called in an environment, as the command line takes them there
_FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings by their names in `known`, which are those of the framework; `named` says how a person finds one, for
    messages.

    Raises `ConfigurationError` for a name that is not known and a value that is none of its types.
    """

    known: ClassVar[Known] = KNOWN
    #: `WORKERS` where nothing is said
    workers: ClassVar[int] = MOST_THREADS

    values: Mapping[str, Any]
    named: Callable[[str], str]

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if name not in self.known:
                near = difflib.get_close_matches(name, self.known, 1)
                hint = f"; is {self.named(near[0])} meant?" if near else f"; there are {', '.join(self.known)}"
                raise ConfigurationError(f"{self.named(name)} is no setting of linkback{hint}")
            if not (_is(value, self.known[name][0]) or (name == "RESOLVE" and callable(value))):
                raise self._wrong(name, value)

    def _wrong(self, name: str, value: object) -> ConfigurationError:
        return ConfigurationError(f"{self.named(name)} must be {self.known[name][1]}, not {value!r}")

    def site(self, *, store: str | Storage | None = None, runner: Runner | None = None, **hooks: Any) -> Site:
        """The blog that the settings mean, over `store` where the framework has one of its own.

        `hooks` go to `Site` as they are. Raises `ConfigurationError` for a setting that is missing or wrong, and
        `StoreError` for a database that cannot be opened.
        """
        url = self.values.get("SITE")
        if not url:
            raise ConfigurationError(f"{self.named('SITE')} is missing: set it to {KNOWN['SITE'][1]}")
        # one blog, by the address of its front page
        if not urls.is_argument(url) or any(mark in url for mark in ",?#"):
            raise self._wrong("SITE", url)
        resolve = self.resolve()
        return Site(
            url,
            store=store if store is not None else self.values.get("DATABASE", DEFAULT_STORE),
            fetch=self._fetcher(url),
            policy=self._policy(),
            outgoing=self.values.get("OUTGOING"),
            resolve=resolve,
            hosts=self._hosts(resolve),
            loose=self._flag("LOOSE"),
            protocols=self._protocols(),
            name=self.values.get("NAME", ""),
            verify=self._verify(),
            runner=runner if runner is not None else self._runner(),
            **hooks,
        )

    def signposts(self, site: Site) -> Signposts:
        """How the site's endpoints stand before the application; raises `ConfigurationError`."""
        return Signposts(site, prefix=self.values.get("PREFIX", PREFIX), base=self.values.get("BASE", ""))

    def _fetcher(self, url: str) -> Fetch:
        networks, ports = self.words("ALLOW_NETWORKS"), self.words("ALLOW_PORTS")
        try:
            openers = Openers(self.named("ALLOW_NETWORKS"), self.named("ALLOW_PORTS"))
            return make_fetcher(networks, ports, contact=url, openers=openers)
        except ConfigurationError as error:
            names = f"{self.named('ALLOW_NETWORKS')}, {self.named('ALLOW_PORTS')}"
            raise ConfigurationError(f"{names}: {error}") from error

    def _policy(self) -> Policy:
        policy = self.values.get("POLICY") or Policy()
        return replace(policy, moderate=self._flag("MODERATE")) if "MODERATE" in self.values else policy

    def _hosts(self, resolve: Resolve | None) -> tuple[str, ...]:
        hosts = self.words("HOSTS")
        if hosts and resolve is None:
            why = f"means nothing without {self.named('RESOLVE')}, which says what URLs on other hosts are posts"
            raise ConfigurationError(f"{self.named('HOSTS')} {why}")
        return hosts

    def _verify(self) -> Any:
        verify = self.values.get("VERIFY", _VERIFY[0])
        if verify not in _VERIFY:
            raise self._wrong("VERIFY", verify)
        return verify

    def _runner(self) -> Runner:
        threads = self.values.get("WORKERS", self.workers)
        if threads < 0:
            raise self._wrong("WORKERS", threads)
        return Embedded(threads) if threads else External()

    def _protocols(self) -> tuple[Protocol, ...]:
        names = self.words("PROTOCOLS")
        unknown = next((name for name in names if name not in {protocol.name for protocol in BUILTIN}), None)
        if unknown is not None or ("PROTOCOLS" in self.values and not names):
            raise self._wrong("PROTOCOLS", unknown)
        return tuple(protocol for protocol in BUILTIN if not names or protocol.name in names)

    def resolve(self) -> Resolve | None:
        """The host's own function that knows its posts; raises `ConfigurationError` for a name that is not there."""
        given: Any = self.values.get("RESOLVE")
        if not isinstance(given, str):
            return given  # type: ignore[no-any-return]
        module, _, name = given.rpartition(".")
        try:
            found: Resolve = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(f"{self.named('RESOLVE')} names {given!r}, which is not there: {error}") from error
        return found

    def _flag(self, name: str) -> bool:
        return _FLAGS[_spelled(self.values.get(name, False))]

    def words(self, name: str) -> tuple[str, ...]:
        """A setting that lists things: a list, or one string with commas, as in the environment."""
        value = self.values.get(name, ())
        if isinstance(value, int):
            return (str(value),)
        parts: Iterable[object] = value.split(",") if isinstance(value, str) else value
        return tuple(text for part in parts if (text := str(part).strip()))


def _is(value: object, types: tuple[type, ...]) -> bool:
    if bool in types:
        return _spelled(value) in _FLAGS
    # True is an int to Python, and no number of threads to anybody
    return isinstance(value, types) and not isinstance(value, bool)


def _spelled(flag: object) -> str:
    return str(flag).strip().lower()
