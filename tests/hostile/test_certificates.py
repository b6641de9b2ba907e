"""Certificates that prove nothing (security.md R11): the page is not read, and not asked for another way."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linkback.errors import Unreachable
from linkback.fetch import Fetcher
from linkback.wire import Request
from tests.test_fetch import LOOPBACK, PATIENT, Server, reply

x509 = pytest.importorskip("cryptography.x509", reason="needs cryptography to make certificates")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOST = "good.test"


@dataclass
class Authority:
    """Signs certificates; by default it is known to who asks."""

    name: str
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def certificate(
        self, key: Any, name: str, alternatives: list[Any], since: datetime, until: datetime, *, ca: bool = False
    ) -> Any:
        """A certificate for a key."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(_called(name))
            .issuer_name(_called(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _called(name: str) -> Any:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _names(*names: str) -> list[Any]:
    return [x509.DNSName(name) for name in names]


@dataclass(frozen=True)
class Row:
    """A certificate: for whom, since and until when in days from now, and who signed it."""

    names: list[Any]
    since: float = -1
    until: float = 1
    common_name: str = HOST
    signed_by: str = "known"


GOOD = {
    "for the name": Row(_names(HOST)),
    "for several": Row(_names("other.test", HOST)),
}
BAD = {
    "expired": Row(_names(HOST), since=-2, until=-1),
    "not valid yet": Row(_names(HOST), since=1, until=2),
    "for another name": Row(_names("evil.test")),
    "for a name below": Row(_names(f"www.{HOST}")),
    "for all names": Row(_names("*")),
    "for all of a top level": Row(_names("*.test")),
    "for a part of the name": Row(_names("*d.test")),
    "for an address": Row([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
    "only by its common name": Row([]),
    "with a NUL in its name": Row(_names(f"{HOST}\0.evil.test")),
    "of an unknown authority": Row(_names(HOST), signed_by="unknown"),
    "of its own": Row(_names(HOST), signed_by="itself"),
    "signed by who is no authority": Row(_names(HOST), signed_by="a leaf"),
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("known")


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    own = authority.certificate(authority.key, authority.name, [], NOW - DAY, NOW + DAY, ca=True)
    path.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    return str(path)


def _chain(row: Row, key: Any, authority: Authority) -> list[Any]:
    """The certificate, and those between it and its authority."""
    since, until = NOW + row.since * DAY, NOW + row.until * DAY
    match row.signed_by:
        case "known":
            signer, between = authority, []
        case "a leaf":
            signer = Authority("a leaf")
            between = [authority.certificate(signer.key, signer.name, _names("leaf.test"), since, until)]
        case "itself":
            signer, between = Authority(row.common_name, key), []
        case other:
            signer, between = Authority(other), []
    return [signer.certificate(key, row.common_name, row.names, since, until), *between]


Serve = Callable[[Row], Server]


@pytest.fixture
def serve(authority: Authority, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with a certificate."""
    servers = []

    def start(row: Row) -> Server:
        key = ec.generate_private_key(ec.SECP256R1())
        path = tmp_path / "server.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = [each.public_bytes(serialization.Encoding.PEM) for each in _chain(row, key, authority)]
        path.write_bytes(b"".join([private, *chain]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        servers.append(Server(tls=context))
        servers[-1].pages["/"] = reply()
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _here(host: str, port: int, **kinds: int) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.mark.parametrize("row", GOOD.values(), ids=GOOD)
def test_a_certificate_that_proves_the_name_is_taken(row: Row, serve: Serve, ca_file: str) -> None:
    url = f"https://{HOST}:{serve(row).port}/"
    assert Fetcher(LOOPBACK, PATIENT, resolver=_here, ca_file=ca_file).get(url).body == b"hello"


@pytest.mark.parametrize("row", BAD.values(), ids=BAD)
def test_a_certificate_that_proves_nothing_ends_it(row: Row, serve: Serve, ca_file: str) -> None:
    server = serve(row)
    fetcher = Fetcher(LOOPBACK, PATIENT, resolver=_here, ca_file=ca_file)
    for ask in (fetcher.get, lambda url: fetcher.send(Request("POST", url))):
        with pytest.raises(Unreachable, match="certificate") as caught:
            ask(f"https://{HOST}:{server.port}/")
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        assert not caught.value.sent
    assert server.requests == []
    assert server.connections == 2, "nobody tries another way"
