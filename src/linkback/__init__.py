"""linkback: two pages that link to each other know it.

Pingback 1.0, TrackBack 1.2 and Webmention, in both directions::

    import linkback

    linkback.discover("https://bob.example/post")                             # where does it listen?
    linkback.verify("https://alice.example/a", "https://bob.example/post")    # does the one link to the other?
    linkback.send("https://alice.example/a", "https://bob.example/post")      # tell it

    site = linkback.Site("https://bob.example", store="sqlite:///linkback.db")
    site.publish("https://bob.example/post", html)                            # tell every page it links to
    site.mentions("https://bob.example/post")                                 # verified and approved
    app = site.wsgi()                                                         # receives all three

Names are loaded when they are first used, so that importing linkback costs next to nothing.
"""

from __future__ import annotations

import importlib

# typing would cost as much as all the rest of `import linkback`; type checkers know this name
TYPE_CHECKING = False

__version__ = "0.1.0"

_HOMES = {
    "linkback.errors": (
        "BadStatus",
        "Blocked",
        "ConfigurationError",
        "FetchError",
        "LinkbackError",
        "NoBacklink",
        "Reason",
        "Refused",
        "SourceGone",
        "StoreError",
        "TimedOut",
        "TooManyRedirects",
        "Unreachable",
    ),
    "linkback.fetch": ("Fetcher", "Limits"),
    "linkback.model": (
        "Author",
        "Backlink",
        "Cause",
        "Claim",
        "ClaimState",
        "Delivery",
        "Endpoint",
        "Endpoints",
        "Mention",
        "Outcome",
        "Receipt",
        "Status",
        "Via",
    ),
    "linkback.policy": ("Outgoing", "Policy", "Retry"),
    "linkback.protocols": ("BUILTIN", "Pingback", "TrackBack", "Webmention"),
    "linkback.site": ("Site",),
    "linkback.sites": ("Sites",),
    "linkback.store": ("open_store",),
    "linkback.verbs": ("discover", "find_backlink", "find_endpoints", "send", "targets", "verify"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from linkback.errors import (
        BadStatus,
        Blocked,
        ConfigurationError,
        FetchError,
        LinkbackError,
        NoBacklink,
        Reason,
        Refused,
        SourceGone,
        StoreError,
        TimedOut,
        TooManyRedirects,
        Unreachable,
    )
    from linkback.fetch import Fetcher, Limits
    from linkback.model import (
        Author,
        Backlink,
        Cause,
        Claim,
        ClaimState,
        Delivery,
        Endpoint,
        Endpoints,
        Mention,
        Outcome,
        Receipt,
        Status,
        Via,
    )
    from linkback.policy import Outgoing, Policy, Retry
    from linkback.protocols import BUILTIN, Pingback, TrackBack, Webmention
    from linkback.site import Site
    from linkback.sites import Sites
    from linkback.store import open_store
    from linkback.verbs import discover, find_backlink, find_endpoints, send, targets, verify

__all__ = [
    "BUILTIN",
    "Author",
    "Backlink",
    "BadStatus",
    "Blocked",
    "Cause",
    "Claim",
    "ClaimState",
    "ConfigurationError",
    "Delivery",
    "Endpoint",
    "Endpoints",
    "FetchError",
    "Fetcher",
    "Limits",
    "LinkbackError",
    "Mention",
    "NoBacklink",
    "Outcome",
    "Outgoing",
    "Pingback",
    "Policy",
    "Reason",
    "Receipt",
    "Refused",
    "Retry",
    "Site",
    "Sites",
    "SourceGone",
    "Status",
    "StoreError",
    "TimedOut",
    "TooManyRedirects",
    "TrackBack",
    "Unreachable",
    "Via",
    "Webmention",
    "__version__",
    "discover",
    "find_backlink",
    "find_endpoints",
    "open_store",
    "send",
    "targets",
    "verify",
]


def __getattr__(name: str) -> object:
    try:
        home = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module 'linkback' has no attribute {name!r}") from None
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
