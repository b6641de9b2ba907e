"""Who pinged is counted in memory, and written down nowhere: in no database, and for no source (security.md D6)."""

from __future__ import annotations

import ipaddress
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import Site
from tests.hostile.pinging import HOME, PINGS, TAKEN, TARGET
from tests.serving import LOOPBACK, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def spellings(client: str) -> set[str]:
    """How an address may be written down: as it is, as the network that it is counted as, and as a number."""
    address = ipaddress.ip_address(client)
    network = ipaddress.ip_network(f"{client}/{64 if address.version == 6 else 32}", strict=False)
    return {client, address.exploded, str(network.network_address), str(int(address)), address.packed.hex()}


def kept(path: Path) -> str:
    """All that a database holds, its pages that are no longer in use among it."""
    with closing(sqlite3.connect(path)) as probe:
        dumped = "\n".join(probe.iterdump())
    return dumped.lower() + "".join(each.read_bytes().decode("latin-1") for each in path.parent.iterdir())


@pytest.mark.parametrize("protocol", PINGS)
@pytest.mark.parametrize("client", ["8.8.4.4", "2606:4700:4700:1::1111"])
def test_the_address_of_a_client_is_neither_recorded_nor_sent_to_a_source(
    tmp_path: Path, protocol: str, client: str
) -> None:
    visits: list[str] = []

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        visits.extend(f"{name}: {value}" for name, value in environ.items() if isinstance(value, str))
        linked = environ["PATH_INFO"] == "/linked"
        start_response("200 OK" if linked else "404 Not Found", [("Content-Type", "text/html")])
        return [f"<a href='{TARGET}'>it</a>".encode()]

    path, policy = tmp_path / "linkback.db", Policy(settle_seconds=0, client_burst=2)
    with (
        served(page) as source,
        Site(HOME, store=f"sqlite:///{path}", fetch=Fetcher(LOOPBACK), policy=policy, runner=External()) as site,
        served(site.wsgi(), proxies=LOOPBACK) as url,
    ):
        for name in ("linked", "missing"):
            assert PINGS[protocol](url, f"{source}/{name}", client=client)[1] == TAKEN
        refused, _ = PINGS[protocol](url, f"{source}/more", client=client)
        assert refused.retry_after, "whoever it is has had his share"
        assert PINGS[protocol](url, f"{source}/more", client="9.9.9.9")[1] == TAKEN, "and others have not"
        site.drain(patience=5)
        assert len(site.mentions()) == 1
    found = kept(path)
    assert f"{source}/missing" in found
    assert [each for each in spellings(client) if each in found] == []
    assert {"PATH_INFO: /linked", "PATH_INFO: /missing"} <= set(visits)
    assert [each for each in spellings(client) if each in "\n".join(visits)] == []
