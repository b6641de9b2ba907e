"""Which IP addresses linkback talks to: the public ones, and those the operator opens by naming their network.

Rule 1: an address is judged as a parsed number, never as text.
Rule 2: the tables are our own: `ipaddress.is_global` changes between Python versions and lets multicast,
6to4 and NAT64 pass.
Rule 3: IPv6 is an allow-list; IPv4 hidden in `::ffff:0:0/96` is judged as that IPv4, any other disguise is refused.
Rule 4: what is closed is opened by naming a network, never by a switch that opens everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from linkback.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: every special-purpose range of IPv4 (RFC 6890 and its registry, multicast, the old 6to4 relays)
_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
#: where IPv6 is handed out to the public ...
_UNICAST_V6 = IPv6Network("2000::/3")
#: ... less what is reserved there: Teredo and other protocol assignments, documentation, 6to4
_SPECIAL_V6 = tuple(IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_MAPPED = IPv6Network("::ffff:0:0/96")
#: what no stranger should have us ask for, by an address of it
_DELICATE = {
    "127.0.0.1": "this machine itself",
    "::1": "this machine itself",
    "169.254.169.254": "what a cloud tells this machine alone, as its keys",
}
_NAT64 = IPv6Network("64:ff9b::/96")
#: how a network is opened from Python
OPEN_NETWORK = 'Fetcher(allow=["{}"])'


def parse(text: str) -> Address | None:
    """The address a text means, with the IPv4 inside where it is a mapped one; None where it is no address.

    An address with a zone (`fe80::1%eth0`) is none that a URL may lead to.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        return None
    return address.ipv4_mapped or address


@lru_cache(maxsize=1024)
def client_key(text: str) -> str:
    """What the client at an address is counted as: an IPv4 address, or the /64 that an IPv6 one is in.

    The IPv4 address inside one of a tunnel or a translator counts, as one client has many of those. "" where it is not
    known who the client is: the text is no address, or one that is not public, which is a proxy's or our own.
    """
    address = _of_whom(text)
    return _share(address) if address is not None and is_public(address) else ""


def share(text: str) -> str:
    """What an address is one of, as `client_key` says, public or not; "" for a text that is no address."""
    address = _of_whom(text)
    return "" if address is None else _share(address)


def _share(address: Address) -> str:
    return str(address) if isinstance(address, IPv4Address) else f"{IPv6Address(int(address) >> 64 << 64)}/64"


def _of_whom(text: str) -> Address | None:
    address = parse(text)
    return (_inside(address) or address) if isinstance(address, IPv6Address) else address


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address in one of 6to4, Teredo or NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def is_public(address: str | Address) -> bool:
    """Whether an address belongs to the public internet; a text that is no address does not."""
    parsed = parse(str(address))
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _SPECIAL_V4)
    if isinstance(parsed, IPv6Address):
        return parsed in _UNICAST_V6 and not any(parsed in network for network in _SPECIAL_V6)
    return False


def is_private(host: str) -> bool:
    """Whether a host of a URL is none of the public internet, to judge by its name alone, without a look-up: an
    address that is not public, `localhost`, or a name without a dot."""
    name = host.strip("[]").rstrip(".")
    if parse(name) is not None:
        return not is_public(name)
    return "." not in name or name.endswith(".localhost")


def exposed(network: Network) -> str:
    """What of this machine a network opens, in words; "" where it opens none of it."""
    if not network.prefixlen:
        return f"every address of IPv{network.version} that this machine reaches, its own too"
    # no network but the whole has two of them
    return next((words for address, words in _DELICATE.items() if ipaddress.ip_address(address) in network), "")


def is_network(name: str) -> bool:
    """Whether a text names a network in CIDR form, or a single address."""
    try:
        _network(name)
    except ConfigurationError:
        return False
    return True


class Guard:
    """Judges addresses: public ones pass, and those in the networks opened by name.

    `allow` names networks in CIDR form ("127.0.0.0/8") or single addresses; `opener` is how whoever runs this opens
    one, for the words of a refusal: see `opening`. Raises `ConfigurationError` naming the first one that is no network.
    """

    __slots__ = ("_opened", "_opener")

    def __init__(self, allow: Iterable[str] = (), opener: str = OPEN_NETWORK) -> None:
        names = (allow,) if isinstance(allow, str) else allow
        self._opener = opener
        self._opened = tuple(_network(name) for name in names)

    @property
    def opened(self) -> tuple[Network, ...]:
        """The networks that were opened by name."""
        return self._opened

    def opener(self, value: object) -> str:
        """What whoever runs this writes to open a network, as in a refusal."""
        return opening(self._opener, value)

    @property
    def opens_any(self) -> bool:
        """Whether any network was opened by name."""
        return bool(self._opened)

    def opens(self, address: str) -> bool:
        """Whether an address lies in a network that was opened by name."""
        parsed = parse(address)
        return parsed is not None and any(parsed in network for network in self._opened)

    def judge(self, address: str) -> str | None:
        """Why an address is refused, in words for the operator; None where we may talk to it."""
        parsed = parse(address)
        if parsed is None:
            return f"{address} is not an address linkback can talk to"
        if is_public(parsed) or self.opens(address):
            return None
        return f"{address} is not a public address (open it with {opening(self._opener, _suggestion(parsed))})"


def opening(opener: str, value: object) -> str:
    """What opens a network or a port: the name of an option or a setting with the value after it, or code with it in
    the place of {}."""
    return opener.replace("{}", str(value)) if "{}" in opener else f"{opener} {value}"


def _network(name: str) -> Network:
    try:
        network = ipaddress.ip_network(name)
    except ValueError as error:
        raise ConfigurationError(f"{name!r} is not a network that can be opened: {error}") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        inside = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((inside, network.prefixlen - _MAPPED.prefixlen))
    return network


def _suggestion(address: Address) -> str:
    if address.version == 4 and address.is_loopback:
        return "127.0.0.0/8"
    return f"{address}/{address.max_prefixlen}"
