"""Every way linkback says no, in one tree, each with its evidence.

LinkbackError
├── ConfigurationError      wrong settings: a site URL, a network, a database URL
├── Refused                 a claim or delivery turned down      (.reason .detail)
│   ├── NoBacklink          the source was read and does not link to the target (.final_url)
│   └── SourceGone          the source answers 410 or 404
├── FetchError              a page could not be read             (.url .temporary .sent)
│   ├── Blocked             the address, port or scheme is not one we talk to (.address)
│   ├── Unreachable         DNS, connection, TLS or framing failed
│   │   └── TimedOut        the whole exchange took longer than its deadline
│   ├── TooManyRedirects                                     (.retry_after)
│   └── BadStatus           the server answered with an error    (.status)
└── StoreError              the database said no

A rule raises a `Reason`; how a protocol words it is a table in that protocol's module.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial

_BLAMED = "linkback: "


class Reason(enum.StrEnum):
    """Why a claim or a delivery was turned down; the value is a stable short word."""

    # the request itself
    MALFORMED = "malformed"
    UNKNOWN_ENCODING = "unknown-encoding"
    UNDECODABLE = "undecodable"
    NOT_A_CALL = "not-a-call"
    UNKNOWN_METHOD = "unknown-method"
    BAD_ARGUMENTS = "bad-arguments"
    BAD_CONTENT_TYPE = "bad-content-type"
    WRONG_VERB = "wrong-verb"
    TOO_LARGE = "too-large"
    # the claim, judged without the network
    SOURCE_INVALID = "source-invalid"
    TARGET_INVALID = "target-invalid"
    TARGET_UNKNOWN = "target-unknown"
    TARGET_GONE = "target-gone"
    TARGET_CLOSED = "target-closed"
    SAME_PAGE = "same-page"
    DUPLICATE = "duplicate"
    BLOCKED = "blocked"
    TOO_OFTEN = "too-often"
    # the source, once it was fetched
    SOURCE_UNREADABLE = "source-unreadable"
    SOURCE_MISSING = "source-missing"
    SOURCE_GONE = "source-gone"
    NO_BACKLINK = "no-backlink"
    TRUNCATED = "truncated"
    UNSUPPORTED_TYPE = "unsupported-type"
    # us
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class LinkbackError(Exception):
    """The root of everything linkback raises on purpose."""


class ConfigurationError(LinkbackError):
    """A setting cannot be used; the message says which and why."""


class Refused(LinkbackError):
    """A claim or a delivery was turned down.

    `reason` is the `Reason`; `detail` is one sentence for the operator's eyes, never sent
    to a stranger; `retry_after` is a number of seconds where waiting would help.
    """

    def __init__(self, reason: Reason, detail: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class NoBacklink(Refused):
    """The source was read, and nothing on it links to the target (Webmention 3.2.2).

    `final_url` is where it was read, after redirects; "" where nobody said.
    """

    def __init__(self, reason: Reason, detail: str = "", *, final_url: str = "") -> None:
        super().__init__(reason, detail)
        self.final_url = final_url


class SourceGone(Refused):
    """The source says that it no longer exists: 410, a 410 in its markup, or 404."""


class FetchError(LinkbackError):
    """A page could not be read.

    `url` is what was asked for; `temporary` says whether trying again later can help;
    `sent` is true when our whole request had left, so that the other side may have acted. `onward` are the URLs that
    redirects led to, in order, the one that failed among them.
    """

    onward: tuple[str, ...] = ()

    def __init__(self, url: str, message: str, *, temporary: bool = True, sent: bool = False) -> None:
        super().__init__(f"{url}: {message}")
        self.url = url
        self.message = message
        self.temporary = temporary
        self.sent = sent


class Blocked(FetchError):
    """The URL leads to an address, port or scheme that linkback does not talk to, or to a page that is not to be read.

    `address` is the one that was refused and can be opened; "" where it was something else.
    """

    def __init__(self, url: str, message: str, *, sent: bool = False, address: str = "") -> None:
        super().__init__(url, message, temporary=False, sent=sent)
        self.address = address


class Unreachable(FetchError):
    """DNS, the connection, TLS or the framing of the answer failed."""


class TimedOut(Unreachable):
    """The exchange as a whole took longer than its deadline."""


class TooManyRedirects(FetchError):
    """More redirects than `Limits.redirects`, a redirect that leads nowhere, or one to a host that too many lead to.

    `retry_after` is in how many seconds one may lead to that host again, None where it was one of the others.
    """

    def __init__(
        self, url: str, message: str, *, temporary: bool = True, sent: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(url, message, temporary=temporary, sent=sent)
        self.retry_after = retry_after


class BadStatus(FetchError):
    """The server answered with a status that is no page; `status` is that number.

    `retry_after` is for how many seconds it asked to be left alone, None where it did not.
    """

    #: statuses that say "not now": waiting can help (protocols.md A-7, B-38, D-25)
    TEMPORARY = frozenset({408, 425, 429})

    def __init__(self, url: str, status: int, *, retry_after: int | None = None) -> None:
        super().__init__(
            url,
            f"the server answered {status}",
            temporary=status >= 500 or status in self.TEMPORARY,
            sent=True,
        )
        self.status = status
        self.retry_after = retry_after


class StoreError(LinkbackError):
    """The database could not be opened, read or written."""


def unwrapped(function: Callable[..., object]) -> Callable[..., object]:
    """A function that the host gave, without what an adapter put around it."""
    while isinstance(function, partial):
        # what an adapter wraps comes last
        function = next((each for each in reversed(function.args) if callable(each)), function.func)
    return function


def name_of(function: Callable[..., object]) -> str:
    """What a function that the host gave is called there."""
    function = unwrapped(function)
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def blame(error: Exception, function: Callable[..., object], what: str, url: str) -> None:
    """Note on an error whose it is: it came from a function of the host's own, and passes through as it is.

    `what` is the setting that the function was given as, `url` what it was asked about.
    """
    if not _blamed(error):
        error.add_note(f"{_BLAMED}{what} ({name_of(function)}), the blog's own function, failed for {url}")


def blamed(error: BaseException) -> str:
    """One line on a failure that is the host's, by its settings or by a function of its own; "" for any other."""
    if isinstance(error, ConfigurationError):
        return _line(str(error))
    note = _blamed(error)
    if not note:
        return blamed(error.__cause__) if error.__cause__ is not None else ""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return _line(f"{note}: {type(error).__name__}: {error}{where}")


def _blamed(error: BaseException) -> str:
    notes = (str(note) for note in getattr(error, "__notes__", ()))
    return next((note.removeprefix(_BLAMED) for note in notes if note.startswith(_BLAMED)), "")


def _line(text: str) -> str:
    return " ".join(text.split())
