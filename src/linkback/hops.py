"""Where the redirects of a source may lead: what is asked of the URL in a claim is asked of each hop as well.

Rule: a hop that is not to be read is not connected to. Where the door cannot be asked, what it brought counts for
nothing.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass, replace

from linkback import urls
from linkback.errors import Blocked, Reason, Refused
from linkback.model import Claim
from linkback.ownpages import OwnPages
from linkback.policy import Policy
from linkback.receiver import HostFailed
from linkback.wire import DEFAULT_ACCEPT, Fetch, Request, Response

#: given a URL that a redirect leads to: what speaks against going there, "" for nothing
Objection = Callable[[str], str]


@typing.runtime_checkable
class Asking(typing.Protocol):
    """What a door has too that can be told to ask before it follows a redirect, as `Fetcher` can."""

    def asking(self, objection: Objection) -> Fetch:
        """One that raises `Blocked`, and connects to nobody, where there is an objection to where a redirect leads."""


def asking(fetch: Fetch, objection: Objection) -> Fetch:
    """A door that follows no redirect to which there is an objection; it is told afterwards where it cannot ask."""
    return fetch.asking(objection) if isinstance(fetch, Asking) else _Told(fetch, objection)


class _Told:
    """A `Fetch` whose answer is given on only where there was no objection to any URL that it came by."""

    def __init__(self, fetch: Fetch, objection: Objection) -> None:
        self._fetch = fetch
        self._objection = objection

    def get(self, url: str, *, accept: str = DEFAULT_ACCEPT, purpose: str = "") -> Response:
        response = self._fetch.get(url, accept=accept, purpose=purpose)
        if not response.redirects and urls.same_page(response.url, url):
            return response
        onward = tuple(hop for hop in (*response.redirects[1:], response.url) if hop)
        for why in map(self._objection, onward):
            if why:
                error = Blocked(url, why, sent=True)
                error.onward = onward
                raise error
        return response

    def send(self, request: Request) -> Response:
        return self._fetch.send(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Which URLs are read for the claims of a site, by its `policy`; `pages` and `inline` are as for `Checks`."""

    pages: OwnPages
    policy: Policy
    inline: bool

    def admit(self, claim: Claim, *, mentioned: Callable[[], bool]) -> None:
        """Raise `Refused(BLOCKED)` for a source that we do not listen to, and for a page of our own server that is no
        post, or that the policy does not take.

        Else a stranger could have us read what this server shows to nobody but itself. A post that once `mentioned` the
        page may be gone by now, and is read to see that. Raises what `resolve` raises, too.
        """
        self.policy.admit(claim)
        if not self.pages.serves(claim.source):
            return
        self.policy.admit_own(claim.source, inline=self.inline)
        if not self.pages.knows(claim.source) and not mentioned():
            raise Refused(Reason.BLOCKED, f"{claim.source} is our own, and no post")

    def objection(self, claim: Claim, *, mentioned: Callable[[], bool]) -> Objection:
        """What speaks against the URLs that the source of a claim redirects to: what would as its source.

        A post of our own that `mentioned` the page may lead to one that says that it is gone; a stranger's leads where
        he likes. The objection raises `HostFailed` where `resolve` failed.
        """
        ours = self.pages.serves(claim.source) and mentioned()

        def objection(url: str) -> str:
            try:
                self.admit(replace(claim, source=url), mentioned=lambda: ours)
            except Refused as refusal:
                return f"a redirect leads on, but {refusal.detail}"
            except Exception as error:
                raise HostFailed(f"resolve failed for {url}") from error
            return ""

        return objection
