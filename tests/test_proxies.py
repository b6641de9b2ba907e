"""Who the client is behind proxies that the operator named, and behind those that nobody named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from linkback.adapters.proxies import behind
from linkback.errors import ConfigurationError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def seen(peer: str, forwarded: str | None, *proxies: str, **headers: str) -> dict[str, Any]:
    """What the application is told of a request."""
    told: dict[str, Any] = {}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        told.update(environ)
        return []

    environ = {"REMOTE_ADDR": peer, **headers}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    behind(application, proxies)(environ, lambda *_: lambda _: None)
    return told


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "client"),
    [
        # nobody is named, or somebody else
        ("8.8.8.8", "1.1.1.1", (), "8.8.8.8"),
        ("127.0.0.1", "1.1.1.1", (), "127.0.0.1"),
        ("8.8.8.8", "1.1.1.1", ("10.0.0.1",), "8.8.8.8"),
        # one proxy, which adds whom it heard from to what that said
        ("10.0.0.1", "8.8.8.8", ("10.0.0.1",), "8.8.8.8"),
        ("10.0.0.1", "1.1.1.1, 8.8.8.8", ("10.0.0.1",), "8.8.8.8"),
        ("10.0.0.1", "1.1.1.1,8.8.8.8 ", ("10.0.0.1",), "8.8.8.8"),
        ("::ffff:10.0.0.1", "8.8.8.8", ("10.0.0.1",), "8.8.8.8"),
        ("::1", "8.8.8.8", ("127.0.0.1", "::1"), "8.8.8.8"),
        # several, one behind the other
        ("10.0.0.1", "8.8.8.8, 10.0.0.2", ("10.0.0.1", "10.0.0.2"), "8.8.8.8"),
        ("10.0.0.1", "1.1.1.1, 8.8.8.8, 10.0.0.2", ("10.0.0.0/8",), "8.8.8.8"),
        ("10.0.0.1", "10.0.0.2, 8.8.8.8", ("10.0.0.0/8",), "8.8.8.8"),
        ("10.0.0.1", "8.8.8.8, 10.0.0.2", ("10.0.0.1",), "10.0.0.2"),
        # as some write it
        ("10.0.0.1", "8.8.8.8:51234", ("10.0.0.1",), "8.8.8.8"),
        ("10.0.0.1", '"[2600:1f00::1]:51234"', ("10.0.0.1",), "2600:1f00::1"),
        ("10.0.0.1", "[2600:1f00::1]", ("10.0.0.1",), "2600:1f00::1"),
        ("10.0.0.1", "2600:1f00::1", ("10.0.0.1",), "2600:1f00::1"),
        ("10.0.0.1", "::ffff:8.8.8.8", ("10.0.0.1",), "::ffff:8.8.8.8"),
        # a proxy that does not say, or does not know
        ("10.0.0.1", None, ("10.0.0.1",), ""),
        ("10.0.0.1", "", ("10.0.0.1",), ""),
        ("10.0.0.1", "8.8.8.8, unknown", ("10.0.0.1",), ""),
        ("10.0.0.1", "8.8.8.8,", ("10.0.0.1",), ""),
        ("10.0.0.1", '"[', ("10.0.0.1",), ""),
        ("10.0.0.1", "10.0.0.1, 10.0.0.1", ("10.0.0.1",), ""),
        ("", "8.8.8.8", ("10.0.0.1",), ""),
    ],
)
def test_only_named_proxies_are_believed(
    peer: str, forwarded: str | None, proxies: tuple[str, ...], client: str
) -> None:
    """protocols.md C-8"""
    assert seen(peer, forwarded, *proxies)["REMOTE_ADDR"] == client


@pytest.mark.parametrize("proxies", [(), ("10.0.0.1",)])
@pytest.mark.parametrize("peer", ["8.8.8.8", "10.0.0.1"])
def test_nothing_that_proxies_say_of_a_request_reaches_the_application(peer: str, proxies: tuple[str, ...]) -> None:
    names = ("X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_FORWARDED_PORT", "X_FORWARDED_BY", "FORWARDED")
    told = seen(peer, "8.8.8.8", *proxies, HTTP_HOST="t.example", **{f"HTTP_{name}": "9.9.9.9" for name in names})
    assert set(told) == {"REMOTE_ADDR", "HTTP_HOST"}


@pytest.mark.parametrize("proxy", ["proxy.example", "*", "", "10.0.0.1/8", "10.0.0.1:80"])
def test_a_proxy_that_is_no_address_is_said_so(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a proxy"):
        behind(lambda environ, start_response: [], ["10.0.0.1", proxy])
