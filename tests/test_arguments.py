"""What a host gives to `Site` and `Sites` is looked at when they are made: one line that names the fix."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from linkback.arguments import is_async
from linkback.errors import ConfigurationError
from linkback.fetch import Fetcher, Limits
from linkback.jobs import External
from linkback.policy import Policy
from linkback.protocols import Webmention
from linkback.site import Site
from linkback.sites import Sites
from linkback.store import Storage, open_store
from linkback.testing import FakeWeb
from linkback.wire import Request, Response

BOB = "https://bob.example"


async def later(given: object) -> None:
    """What a host that thinks in coroutines would write."""


class Awaited:
    async def __call__(self, given: object) -> None: ...


class Door:
    """A door of the host's own: no class of ours, but what it must be able to do."""

    def get(self, url: str, *, accept: str = "", purpose: str = "") -> Response:
        return Response(404, url=url)

    def send(self, request: Request) -> Response:
        return Response(404, url=request.url)


HERE = "give the blog's address, such as https://bob.example"
ASYNC = "must not be async: it is called in a thread, where nothing awaits it"
FETCHER = 'fetch must be a linkback.Fetcher, such as Fetcher(allow=["127.0.0.0/8"]), or None, not '
HOSTS = 'hosts must be a list of host names, such as ["old.example"]'
PROTOCOLS = "protocols must be a list of protocols, such as [linkback.Webmention()]"
RUNNER = "runner must be a runner, such as linkback.jobs.External(), or None, not "
STORE = 'store must be a database URL, such as "sqlite:///linkback.db", or what linkback.open_store gives, not '

WRONG: list[tuple[str, object, str]] = [
    ("url", None, f"the site's URL must be an absolute http or https URL, not None: {HERE}"),
    ("url", 5, f"the site's URL must be an absolute http or https URL, not 5: {HERE}"),
    ("url", "bob.example", f"the site's URL must be an absolute http or https URL, not 'bob.example': {HERE}"),
    ("store", 5, f"{STORE}5"),
    ("store", None, f"{STORE}None"),
    ("store", Storage, f"{STORE}<class 'linkback.store.Storage'>"),
    ("fetch", "127.0.0.0/8", f"{FETCHER}'127.0.0.0/8'"),
    ("fetch", Fetcher, f"{FETCHER}<class 'linkback.fetch.Fetcher'>"),
    (
        "policy",
        {"moderate": True},
        "policy must be a linkback.Policy, such as Policy(moderate=True), or None, not {'mod",
    ),
    (
        "outgoing",
        Policy(),
        "outgoing must be a linkback.Outgoing, such as Outgoing(post_only=True), or None, not Policy",
    ),
    ("retry", 3, "retry must be a linkback.Retry, such as Retry(delays=(60.0, 600.0)), or None, not 3"),
    ("resolve", "x", "resolve must be a function from a URL to the permalink of its post, or None, not 'x'"),
    ("resolve", later, f"resolve {ASYNC}"),
    ("resolve", partial(later, None), f"resolve {ASYNC}"),
    ("resolve", Awaited(), f"resolve {ASYNC}"),
    ("hosts", "old.example", f"{HOSTS}, not 'old.example'"),
    ("hosts", None, f"{HOSTS}, not None"),
    ("hosts", ["https://old.example"], f"{HOSTS}: 'https://old.example' is none"),
    ("hosts", ["old.example/blog"], f"{HOSTS}: 'old.example/blog' is none"),
    ("hosts", [""], f"{HOSTS}: '' is none"),
    ("hosts", [5], f"{HOSTS}: 5 is none"),
    ("loose", "no", "loose must be True or False, not 'no'"),
    ("protocols", "webmention", f"{PROTOCOLS}, not 'webmention'"),
    ("protocols", ["webmention"], f"{PROTOCOLS}: 'webmention' is none"),
    ("protocols", [Webmention], f"{PROTOCOLS}: <class 'linkback.protocols.webmention.Webmention'> is none"),
    ("protocols", Webmention(), f"{PROTOCOLS}, not Webmention("),
    ("name", None, "name must be a text, the name of the blog, not None"),
    ("verify", "now", """verify must be "queued" or "inline", not 'now'"""),
    ("runner", "external", f"{RUNNER}'external'"),
    ("runner", External, f"{RUNNER}<class 'linkback.jobs.External'>"),
    ("on_mention", later, f"on_mention {ASYNC}"),
    (
        "on_mention",
        [print],
        "on_mention must be a function that takes a Mention, or None, not [<built-in function print>]",
    ),
    ("on_removed", later, f"on_removed {ASYNC}"),
    ("on_delivery", 5, "on_delivery must be a function that takes a Delivery, or None, not 5"),
    ("clock", "now", "clock must be a function that gives the present, aware, not 'now'"),
    ("pause", None, "pause must be a function that waits some seconds, not None"),
    ("pause", later, f"pause {ASYNC}"),
]


@pytest.mark.parametrize(
    ("name", "given", "message"), WRONG, ids=[f"{name}-{given!r}"[:40] for name, given, _ in WRONG]
)
def test_a_wrong_argument_of_a_site_is_one_line_that_says_what_it_must_be(
    name: str, given: object, message: str
) -> None:
    right: dict[str, Any] = {"url": BOB, "store": "sqlite://", "fetch": FakeWeb(), "runner": External()}
    with pytest.raises(ConfigurationError) as caught:
        Site(**(right | {name: given}))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_every_argument_of_a_site_is_looked_at() -> None:
    assert {name for name, _, _ in WRONG} == set(inspect.signature(Site).parameters)


CLIENT, NO_RATE = "client_burst and client_seconds", "is no rate; one without a limit has 0 seconds"
OTHERS: list[tuple[str, object, str]] = [
    ("sites", 5, "sites must be a list of Sites, or a function from a URL to one, not 5"),
    ("sites", BOB, f"sites must be a list of Sites, or a function from a URL to one, not '{BOB}'"),
    ("sites", [BOB], f"sites must be a list of Sites, or a function from a URL to one: '{BOB}' is none"),
    ("sites", later, f"sites {ASYNC}"),
    (
        "store",
        "sqlite://",
        """store must be what linkback.open_store("sqlite:///linkback.db") gives, not 'sqlite://'""",
    ),
    ("protocols", "webmention", f"{PROTOCOLS}, not 'webmention'"),
    ("runner", "external", f"{RUNNER}'external'"),
    ("client_burst", 0, f"{CLIENT}: 0 at once, then one each 240.0 s, {NO_RATE}"),
    ("client_seconds", "1", f"{CLIENT}: 30 at once, then one each '1' s, {NO_RATE}"),
    ("clock", later, f"clock {ASYNC}"),
    ("pause", 5, "pause must be a function that waits some seconds, not 5"),
]


@pytest.mark.parametrize(
    ("name", "given", "message"), OTHERS, ids=[f"{name}-{given!r}"[:40] for name, given, _ in OTHERS]
)
def test_a_wrong_argument_of_sites_is_one_line_too(name: str, given: object, message: str) -> None:
    store = open_store("sqlite://")
    right: dict[str, Any] = {"sites": [], "store": store, "runner": External()}
    with pytest.raises(ConfigurationError) as caught:
        Sites(**(right | {name: given}))
    store.close()
    assert str(caught.value) == message


def test_every_argument_of_sites_is_looked_at() -> None:
    assert {name for name, _, _ in OTHERS} == set(inspect.signature(Sites).parameters)


DOORS: list[tuple[Callable[[Any], object], object, str]] = [
    (lambda given: Fetcher(given), 5, 'allow must be a list of networks, such as ["127.0.0.0/8"], not 5'),
    (lambda given: Fetcher(limits=given), 5, "limits must be a linkback.Limits, such as Limits(seconds=5.0), not 5"),
    (lambda given: Fetcher(user_agent=given), None, "user_agent must be a text, "),
    (lambda given: Fetcher(resolver=given), later, f"resolver {ASYNC}"),
    (lambda given: Fetcher(openers=given), "x", "openers must be a linkback.fetch.Openers, not 'x'"),
    (
        lambda given: Limits(ports=given),
        81,
        "ports must be a list of port numbers, such as Limits().ports | {81}, not 81",
    ),
    (
        lambda given: Limits(ports=given),
        ["81"],
        "ports must be a list of port numbers, such as Limits().ports | {81}: '81'",
    ),
]


@pytest.mark.parametrize(
    ("make", "given", "message"), DOORS, ids=[message.partition(" ")[0] for _, _, message in DOORS]
)
def test_a_wrong_argument_of_a_fetcher_is_one_line_too(
    make: Callable[[Any], object], given: object, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(given)
    assert str(caught.value).startswith(message)


def test_what_does_the_same_as_ours_is_taken_whatever_its_class() -> None:
    hosts = (name for name in ["old.example", "old.example:8443", "bücher.example"])
    with Site(BOB, store="sqlite://", fetch=Door(), hosts=hosts, resolve=str, runner=External()) as site:
        assert isinstance(site.fetch, Door)
        assert site.pages.hosts == {"bob.example", "old.example", "xn--bcher-kva.example"}


def test_what_is_given_is_not_shown_without_end() -> None:
    given: Any = {"moderate": "x" * 10_000}
    with pytest.raises(ConfigurationError) as caught:
        Site(BOB, store="sqlite://", policy=given)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("given", "awaited"),
    [(later, True), (partial(later, 1), True), (Awaited(), True), (Awaited, False), (print, False), (5, False)],
    ids=["function", "partial", "object", "class", "builtin", "number"],
)
def test_what_must_be_awaited_is_told_from_what_is_just_called(given: Callable[..., object], awaited: bool) -> None:
    assert is_async(given) is awaited
