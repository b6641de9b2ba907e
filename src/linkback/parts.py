"""What a blog, and a host of many, are made of: each argument of `Site` and `Sites`, and what it must be."""

from __future__ import annotations

from linkback.arguments import Kind, function, one_of, shaped
from linkback.jobs import Runner
from linkback.policy import Outgoing, Policy, Retry
from linkback.protocols import Protocol
from linkback.store import Storage
from linkback.wire import Fetch

#: one of the protocols that are given, in the words for them all
PROTOCOL = shaped(Protocol, "a list of protocols, such as [linkback.Webmention()]")
_STORE = shaped(Storage, 'what linkback.open_store("sqlite:///linkback.db") gives')
_WORK = {
    "runner": shaped(Runner, "a runner, such as linkback.jobs.External()").optional,
    "clock": function("a function that gives the present, aware"),
    "pause": function("a function that waits some seconds"),
}

SITE = {
    "store": Kind(
        'a database URL, such as "sqlite:///linkback.db", or what linkback.open_store gives',
        lambda given: isinstance(given, str) or _STORE.fits(given),
    ),
    "fetch": shaped(Fetch, 'a linkback.Fetcher, such as Fetcher(allow=["127.0.0.0/8"])').optional,
    "policy": one_of(Policy, "a linkback.Policy, such as Policy(moderate=True)").optional,
    "outgoing": one_of(Outgoing, "a linkback.Outgoing, such as Outgoing(post_only=True)").optional,
    "retry": one_of(Retry, "a linkback.Retry, such as Retry(delays=(60.0, 600.0))").optional,
    "resolve": function("a function from a URL to the permalink of its post").optional,
    "loose": one_of(bool, "True or False"),
    "name": one_of(str, "a text, the name of the blog"),
    "verify": Kind('"queued" or "inline"', lambda given: given in ("queued", "inline")),
    "on_mention": function("a function that takes a Mention").optional,
    "on_removed": function("a function that takes a Mention").optional,
    "on_delivery": function("a function that takes a Delivery").optional,
    **_WORK,
}
SITES = {"store": _STORE, **_WORK}
