"""Who the client is behind proxies that the operator named.

Rule: `X-Forwarded-For` is read from its end on, as far as named proxies wrote it: each says whom it heard from. What
stands before that anybody can have written, as every header where the peer is no such proxy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from linkback import addresses
from linkback.addresses import Guard
from linkback.errors import ConfigurationError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"


def behind(app: WSGIApplication, proxies: Iterable[str]) -> WSGIApplication:
    """An application whose `REMOTE_ADDR` is the client's own, behind any of the `proxies`: addresses or networks.

    It is "" where a proxy does not say. No header that names a client or a host by way of a proxy reaches the
    application. Raises `ConfigurationError` for a proxy that is no address.
    """
    named = tuple(proxies)
    for each in named:
        if not addresses.is_network(each):
            raise ConfigurationError(f"{each!r} is no address of a proxy; give one such as 10.0.0.1, or a network")
    trusted = Guard(named)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        client = _client(str(environ.get("REMOTE_ADDR", "")), str(environ.get(_FORWARDED_FOR, "")), trusted)
        own = {name: value for name, value in environ.items() if not _forwarding(name)}
        return app({**own, "REMOTE_ADDR": client}, start_response)

    return application


def _forwarding(name: str) -> bool:
    return name == "HTTP_FORWARDED" or name.startswith("HTTP_X_FORWARDED_")


def _client(peer: str, forwarded: str, trusted: Guard) -> str:
    """The first address on the way back from us that is no trusted proxy's; "" where nobody says."""
    hops = forwarded.split(",")
    while trusted.opens(peer):
        peer = _address(hops.pop()) if hops else ""
    return peer


def _address(hop: str) -> str:
    """The address in one part of the field, without the port and the brackets that some proxies write."""
    text = hop.strip().strip('"')
    candidates = (text.strip("[]"), text.rpartition(":")[0].strip("[]"))
    return next((each for each in candidates if addresses.parse(each) is not None), "")
