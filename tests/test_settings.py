"""A framework's settings: read once, wrong ones named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from linkback import urls
from linkback.adapters.settings import Settings
from linkback.errors import ConfigurationError
from linkback.jobs import External
from linkback.policy import Policy
from linkback.site import Site

BOB = "https://bob.example/"


def settings(**values: Any) -> Settings:
    return Settings(values, lambda name: f"LINKBACK_{name}")


def site(**values: Any) -> Site:
    return settings(**{"SITE": BOB, "DATABASE": "sqlite://", "WORKERS": 0, **values}).site()


WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"SITE": ""}, "LINKBACK_SITE is missing: set it to the public address of the blog"),
    ({"SITE": 3}, "LINKBACK_SITE must be the public address of the blog"),
    ({"SITE": "bob.example"}, "LINKBACK_SITE must be the public address.*not 'bob.example'"),
    ({"SITE": "https://a.example,https://b.example"}, "LINKBACK_SITE must be the public address"),
    ({"SITE": f"{BOB}?a=1"}, "LINKBACK_SITE must be the public address"),
    ({"SITE": f"{BOB}#x"}, "LINKBACK_SITE must be the public address"),
    ({"MODERATES": True}, "LINKBACK_MODERATES is no setting of linkback; is LINKBACK_MODERATE meant"),
    ({"QUUX": True}, "LINKBACK_QUUX is no setting of linkback; there are SITE, DATABASE"),
    ({"MODERATE": "yes"}, "LINKBACK_MODERATE must be True to hold mentions"),
    ({"WORKERS": True}, "LINKBACK_WORKERS must be how many threads"),
    ({"WORKERS": -1}, "LINKBACK_WORKERS must be how many threads"),
    ({"PROTOCOLS": "webmention,gopher"}, "LINKBACK_PROTOCOLS must be those to speak.*'gopher'"),
    ({"PROTOCOLS": ""}, "LINKBACK_PROTOCOLS must be those to speak"),
    ({"RESOLVE": "no.such.thing"}, "LINKBACK_RESOLVE names 'no.such.thing', which is not there"),
    ({"RESOLVE": "nothing"}, "LINKBACK_RESOLVE names 'nothing', which is not there"),
    ({"RESOLVE": 7}, "LINKBACK_RESOLVE must be a function"),
    ({"ALLOW_NETWORKS": "loopback"}, "LINKBACK_ALLOW_NETWORKS.*loopback"),
    ({"ALLOW_PORTS": "http"}, "LINKBACK_ALLOW_PORTS: a port is a number"),
    ({"VERIFY": "now"}, "verify must be"),
]


@pytest.mark.parametrize(("values", "message"), WRONG, ids=[repr(values) for values, _ in WRONG])
def test_a_wrong_setting_is_named_in_one_line(values: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        site(**values)
    assert "\n" not in str(caught.value)


def test_no_setting_but_the_address_is_needed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with settings(SITE=BOB).site() as found:
        assert found.url == BOB
        assert [protocol.name for protocol in found.protocols] == ["webmention", "pingback", "trackback"]
        assert not isinstance(found.runner, External)


def test_lists_may_be_written_as_in_the_environment() -> None:
    with site(PROTOCOLS="pingback, trackback", HOSTS="old.example", ALLOW_PORTS=81) as found:
        assert [protocol.name for protocol in found.protocols] == ["pingback", "trackback"]
        assert "old.example" in found.pages.hosts


@pytest.mark.parametrize("given", [urls.canonical, "linkback.urls.canonical"], ids=["itself", "by name"])
def test_the_function_that_knows_the_posts_may_be_named(given: object) -> None:
    with site(RESOLVE=given) as found:
        assert found.find("HTTPS://Bob.Example/%7eone") == f"{BOB}~one"


@pytest.mark.parametrize(
    ("values", "moderates"), [({}, True), ({"MODERATE": False}, False)], ids=["alone", "with MODERATE"]
)
def test_a_policy_is_taken_as_it_is_but_for_what_is_said_beside_it(values: dict[str, Any], moderates: bool) -> None:
    made = settings(SITE=BOB, POLICY=Policy(moderate=True), **values)
    assert made._policy().moderate is moderates


def test_the_endpoints_stand_where_the_settings_say() -> None:
    with site() as found:
        posts = settings(PREFIX="mentions", BASE="https://ping.bob.example/").signposts(found)
        assert posts.prefix == "/mentions"
        assert 'href="https://ping.bob.example/webmention"' in posts.head("bob.example", "/post")
    with pytest.raises(ConfigurationError, match="prefix of their own"):
        settings(PREFIX="/").signposts(found)
    with pytest.raises(ConfigurationError, match=r"https://bob\.example/linkback, not '/linkback'"):
        settings(BASE="/linkback").signposts(found)
