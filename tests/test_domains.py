"""Which names are one owner's, and what it costs to know that."""

from __future__ import annotations

import pytest

from linkback import domains
from tests.test_architecture import loaded_by


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://victim.example/", "victim.example"),
        ("https://x.victim.example:8080/a?b#c", "victim.example"),
        ("http://a.b.c.VICTIM.example./", "victim.example"),
        ("https://" + "a." * 900 + "victim.example/", "victim.example"),
        ("https://blog.victim.co.uk/", "victim.co.uk"),
        ("https://alice.github.io/", "alice.github.io"),
        ("https://x.alice.github.io/", "alice.github.io"),
        ("https://github.io/", "github.io"),
        ("https://alice.wordpress.com/", "alice.wordpress.com"),
        ("https://x.alice.wordpress.com/", "alice.wordpress.com"),
        ("https://www.wordpress.com/", "wordpress.com"),
        ("https://wordpress.com/", "wordpress.com"),
        ("https://alice.notwordpress.com/", "notwordpress.com"),
        ("https://日本語.みんな/", "xn--wgv71a119e.xn--q9jyb4c"),
        ("https://www.食狮.公司.cn/", "xn--85x722f.xn--55qx5d.cn"),
        ("https://city.kawasaki.jp/", "city.kawasaki.jp"),
        ("https://www.city.kawasaki.jp/", "city.kawasaki.jp"),
        ("http://localhost:8000/", "localhost"),
        ("http://blog.localhost/", "blog.localhost"),
        ("http://com/", "com"),
        ("http://192.0.2.7:8080/", "192.0.2.7"),
        ("http://0xC0.0.2.7/", "192.0.2.7"),
        ("http://192.0.2.7./", "192.0.2.7"),
        # who has one of a network has all of them, and an IPv4 address inside another is that one
        ("http://[2001:DB8::1]:8080/", "2001:db8::/64"),
        ("http://[2001:DB8::ffff:1]/", "2001:db8::/64"),
        ("http://[::ffff:192.0.2.7]/", "192.0.2.7"),
        ("http://[64:ff9b::192.0.2.7]/", "192.0.2.7"),
        ("http://a..victim.example/", "a..victim.example"),
        ("http://../", ""),
        ("no URL", ""),
        ("", ""),
    ],
)
def test_whose_a_host_is(url: str, domain: str) -> None:
    assert domains.registrable(url) == domain


def test_the_list_is_read_when_a_host_asks_for_it() -> None:
    assert "publicsuffixlist" not in loaded_by("from linkback import domains; domains.registrable('http://192.0.2.7/')")
    assert "publicsuffixlist" in loaded_by("from linkback import domains; domains.registrable('http://a.example/')")


def test_what_is_remembered_has_an_end() -> None:
    for number in range(2_000):
        domains.registrable(f"https://h{number}.example/")
    assert domains._registrable.cache_info().currsize <= 1024
