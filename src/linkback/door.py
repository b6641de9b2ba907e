"""The way out: opens a connection to a peer, or says why not.

Rule 1: a name is resolved once per connection, every answer is judged, and the connection goes to an address that was
judged; SNI and certificate stay on the name. One bad answer refuses the whole name.
Rule 2: nothing else in linkback opens a connection for HTTP.
"""

from __future__ import annotations

import socket
import ssl
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from linkback import addresses
from linkback.addresses import Guard
from linkback.deadline import Deadline
from linkback.errors import Blocked, ConfigurationError

#: called as `socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)` is, and answers as that does
Resolver = Callable[..., Iterable[tuple[typing.Any, ...]]]

#: addresses of one name that are tried
MAX_TRIES = 2
#: how a port is opened from Python
OPEN_PORT = "Fetcher(limits=Limits(ports=Limits().ports | {{}}))"


@dataclass(slots=True)
class Progress:
    """How far the fetch of `url` has come: whom we talk to now, and whether a whole request has left."""

    url: str
    deadline: Deadline
    peer: str = ""
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to talk to: a host as it stands in the URL, its port, and whether TLS is spoken."""

    host: str
    port: int
    secure: bool

    @property
    def name(self) -> str:
        """The host without the brackets of an IPv6 address."""
        return self.host.strip("[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Opens connections to the peers that `guard` and `ports` admit, and to no others.

    `connect` is in seconds, per address; `ca_file` adds a certificate authority to the public ones. `port_opener` is
    how whoever runs this opens a port, for the words of a refusal: see `addresses.opening`.
    """

    guard: Guard
    ports: frozenset[int]
    connect: float
    ca_file: str | None = None
    resolver: Resolver = socket.getaddrinfo
    port_opener: str = OPEN_PORT

    def open(self, peer: Peer, progress: Progress) -> socket.socket:
        """A connected socket, with TLS set up where the peer is `secure`, watched by the deadline.

        Raises `Blocked` for a peer that is not admitted, and `OSError` where none of its addresses answers.
        """
        self._admit_port(peer, progress)
        progress.peer = peer.name
        admitted = self._resolve(peer, progress)
        sock = self._connect(peer, admitted, progress)
        try:
            return self._secure(sock, peer) if peer.secure else sock
        except BaseException:
            sock.close()
            raise

    def _admit_port(self, peer: Peer, progress: Progress) -> None:
        """Refuse a port before any look-up, unless the peer may turn out to stand in an opened network."""
        if not peer.port or (peer.port not in self.ports and not self.guard.opens_any):
            # of two objections the address is the one that somebody at home wants to hear
            closed = self.guard.judge(peer.name) if addresses.parse(peer.name) is not None else None
            why, address = (closed, peer.name) if closed else (self._wrong_port(peer.name, peer), "")
            raise Blocked(progress.url, why, sent=progress.sent, address=address)

    def _wrong_port(self, whose: str, peer: Peer) -> str:
        advice = f" (open it with {addresses.opening(self.port_opener, peer.port)})" if peer.port else ""
        return f"port {peer.port} of {whose} is none that linkback talks to{advice}"

    def _resolve(self, peer: Peer, progress: Progress) -> list[str]:
        if addresses.parse(peer.name) is not None:
            found = [peer.name]
        else:
            answers = progress.deadline.run(lambda: list(self.resolver(peer.name, peer.port, type=socket.SOCK_STREAM)))
            found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "it has no address")
        for address in found:
            prefix = "" if address == peer.name else f"{peer.name}: "
            closed = self.guard.judge(address)
            if closed:
                raise Blocked(progress.url, prefix + closed, sent=progress.sent, address=address)
            if peer.port not in self.ports and not self.guard.opens(address):
                raise Blocked(progress.url, prefix + self._wrong_port(address, peer), sent=progress.sent)
        return found

    def _connect(self, peer: Peer, admitted: Sequence[str], progress: Progress) -> socket.socket:
        *others, last = _tries(admitted)
        for address in others:
            try:
                return self._dial(address, peer, progress)
            except OSError:
                progress.deadline.remaining()
        return self._dial(last, peer, progress)

    def _dial(self, address: str, peer: Peer, progress: Progress) -> socket.socket:
        deadline = progress.deadline
        progress.peer = peer.name if address == peer.name else f"{peer.name} ({address})"
        # the address is a literal that was judged, so nothing is looked up again
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            deadline.watch(sock)
            sock.settimeout(min(self.connect, deadline.remaining()))
            sock.connect((address, peer.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # per call, so never before the deadline; it only backs the watchdog up
            sock.settimeout(deadline.seconds)
        except BaseException:
            sock.close()
            raise
        return sock

    def _secure(self, sock: socket.socket, peer: Peer) -> ssl.SSLSocket:
        context = tls_context(self.ca_file)
        tls = context.wrap_socket(
            sock,
            server_hostname=peer.name.rstrip("."),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        try:
            tls.do_handshake()
        except BaseException:
            tls.close()
            raise
        return tls


@lru_cache(maxsize=8)
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """How we speak TLS: certificates checked against certifi's authorities, and those in `ca_file`.

    Raises `ConfigurationError` for a file that holds no certificates.
    """
    import certifi  # here and not above, for whoever speaks no TLS (figure: startup)

    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    # what a common name says nobody has checked (RFC 9525)
    context.hostname_checks_common_name = False
    # a connection that ends without TLS saying so may have been cut by anyone on the way: let us know
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigurationError(f"{ca_file!r} holds no certificates that can be read: {error}") from error
    return context


def _tries(admitted: Sequence[str]) -> list[str]:
    """The first address and, where there is one, the first of the other family: one of the two may lead nowhere."""
    first, *rest = admitted
    others = sorted(rest, key=lambda address: (":" in address) == (":" in first))
    return [first, *others][:MAX_TRIES]
