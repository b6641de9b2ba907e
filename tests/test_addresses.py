"""Which addresses linkback talks to: the borders of every range, disguises, and networks opened by name."""

import ipaddress

import pytest

from linkback.addresses import Guard, client_key, exposed, is_network, is_private, is_public, parse
from linkback.errors import ConfigurationError

#: first and last address of every closed IPv4 range, with the public neighbours on either side ("" where closed too)
V4_RANGES = [
    ("", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
    ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
    ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
    ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
    ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
    ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
    ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
    ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"),
    ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"),
    ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
    ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
    ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"),
    ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"),
    ("223.255.255.255", "224.0.0.0", "255.255.255.255", ""),
]


@pytest.mark.parametrize(("before", "first", "last", "after"), V4_RANGES)
def test_a_special_range_is_closed_from_its_first_to_its_last_address(
    before: str, first: str, last: str, after: str
) -> None:
    assert not is_public(first)
    assert not is_public(last)
    assert all(is_public(neighbour) for neighbour in (before, after) if neighbour)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("2606:4700::6810:84e5", True),
        ("2000::", True),
        ("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:200::", True),
        ("2001:dc0::1", True),
        ("2003::1", True),
        ("::", False),
        ("::1", False),
        ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("4000::", False),
        ("2001::", False),
        ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("2001:db8::1", False),
        ("2002:808:808::", False),
        ("3fff::1", False),
        ("3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("5f00::1", False),
        ("64:ff9b::8.8.8.8", False),
        ("64:ff9b:1::a00:1", False),
        ("100::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::127.0.0.1", False),
        ("::8.8.8.8", False),
        ("::ffff:0:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
    ],
)
def test_ipv6_is_an_allow_list_and_an_ipv4_inside_is_judged_as_itself(address: str, public: bool) -> None:
    assert is_public(address) is public
    assert is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "2130706433", "0x7f.1", "1.2.3.4.", "[::1]", "fe80::1%lo", "2600::1%eth0", "::g"]
)
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    """Spellings and zones are for whoever resolves them; here only a plain literal counts."""
    assert parse(text) is None
    assert not is_public(text)
    assert Guard(["::/0", "0.0.0.0/0"]).judge(text) == f"{text} is not an address linkback can talk to"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("127.8.9.10", "127.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("::1", "::1/128"),
        ("fc00::7", "fc00::7/128"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
    ],
)
def test_a_refusal_says_how_to_open_the_address_and_that_way_works(address: str, network: str) -> None:
    refused = f"{address} is not a public address (open it with"
    assert Guard().judge(address) == f'{refused} Fetcher(allow=["{network}"]))'
    assert Guard(opener="--allow-network").judge(address) == f"{refused} --allow-network {network})"
    opened = Guard([network])
    assert opened.judge(address) is None
    assert opened.opens(address)


def test_a_public_address_passes_without_being_opened() -> None:
    guard = Guard()
    assert guard.judge("8.8.8.8") is None
    assert not guard.opens("8.8.8.8")
    assert not guard.opens_any


@pytest.mark.parametrize(
    ("allow", "inside", "outside"),
    [
        (["10.0.0.0/8", "fd00::/8"], ["10.9.9.9", "fd12::1", "::ffff:10.0.0.1"], ["11.0.0.1", "fc00::1", "127.0.0.1"]),
        (["192.168.1.7"], ["192.168.1.7"], ["192.168.1.8"]),
        (["::ffff:10.0.0.0/104"], ["10.3.2.1", "::ffff:10.3.2.1"], ["11.0.0.1"]),
        ("10.0.0.0/8", ["10.0.0.1"], ["0.0.0.1"]),
        ([], [], ["10.0.0.1", "::1"]),
    ],
)
def test_a_network_opens_itself_and_nothing_else(allow: list[str] | str, inside: list[str], outside: list[str]) -> None:
    guard = Guard(allow)
    assert guard.opens_any is bool(allow)
    assert all(guard.opens(address) for address in inside)
    assert not any(guard.opens(address) for address in outside)


@pytest.mark.parametrize("name", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "", "fe80::/200", "any"])
def test_a_malformed_network_is_named_in_the_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match="not a network") as caught:
        Guard(["10.0.0.0/8", name])
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("[::1]", True),
        ("[fe80::1]", True),
        ("[::ffff:192.168.0.1]", True),
        ("169.254.169.254", True),
        ("localhost", True),
        ("localhost.", True),
        ("blog.localhost", True),
        ("nas", True),
        ("nas.", True),
        ("", True),
        ("8.8.8.8", False),
        ("[2606:4700::1]", False),
        ("t.example", False),
        ("localhost.example", False),
        ("mylocalhost.example", False),
    ],
)
def test_a_host_that_is_private_by_its_name_needs_no_look_up(host: str, private: bool) -> None:
    assert is_private(host) is private


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("64:ff9b::8.8.8.8", "8.8.8.8"),
        ("2002:808:808:1::5", "8.8.8.8"),
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "8.8.8.8"),
        ("2600:1f00:1:2:3:4:5:6", "2600:1f00:1:2::/64"),
        ("2600:1f00:1:2::", "2600:1f00:1:2::/64"),
        ("", ""),
        ("unknown", ""),
        ("8.8.8.8:80", ""),
        ("127.0.0.1", ""),
        ("10.0.0.1", ""),
        ("::1", ""),
        ("fd00::1", ""),
        ("fe80::1%eth0", ""),
        ("::ffff:10.0.0.1", ""),
        ("2002:a00:1::1", ""),
        ("64:ff9b::127.0.0.1", ""),
    ],
)
def test_a_client_counts_as_its_address_or_its_network(address: str, key: str) -> None:
    """Whatever it may choose from, it is one client; and one that is not public is not known."""
    assert client_key(address) == key


@pytest.mark.parametrize(
    ("name", "found"),
    [("10.0.0.1", True), ("10.0.0.0/8", True), ("::1", True), ("10.0.0.1/8", False), ("a.example", False), ("", False)],
)
def test_a_network_is_told_from_other_texts(name: str, found: bool) -> None:
    assert is_network(name) is found


ITSELF, CLOUD = "this machine itself", "what a cloud tells this machine alone, as its keys"


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("0.0.0.0/0", "every address of IPv4 that this machine reaches, its own too"),
        ("::/0", "every address of IPv6 that this machine reaches, its own too"),
        ("127.0.0.0/8", ITSELF),
        ("127.0.0.1/32", ITSELF),
        ("127.0.0.2/32", ""),
        ("::1/128", ITSELF),
        ("::/64", ITSELF),
        ("169.254.0.0/16", CLOUD),
        ("169.254.169.254/32", CLOUD),
        ("169.254.169.255/32", ""),
        ("0.0.0.0/1", ITSELF),
        ("128.0.0.0/1", CLOUD),
        ("10.0.0.0/8", ""),
        ("fd00::/8", ""),
    ],
)
def test_what_a_network_opens_of_this_machine_is_said_in_words(network: str, words: str) -> None:
    assert exposed(ipaddress.ip_network(network)) == words


def test_a_guard_says_what_it_opened_and_what_opens_more() -> None:
    guard = Guard(["10.0.0.0/8", "::ffff:192.168.0.0/112"], "--allow-network")
    assert guard.opened == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("192.168.0.0/16"))
    assert guard.opener("::1/128") == "--allow-network ::1/128"
    assert Guard().opener("::1/128") == 'Fetcher(allow=["::1/128"])'
