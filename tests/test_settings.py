"""A framework's settings: read once, wrong ones named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from linkback import urls
from linkback.adapters.settings import Settings
from linkback.errors import ConfigurationError
from linkback.jobs import External
from linkback.policy import Outgoing, Policy
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
    ({"MODERATE": "maybe"}, "LINKBACK_MODERATE must be True or False: whether mentions are held.*not 'maybe'"),
    ({"MODERATE": 2}, "LINKBACK_MODERATE must be True or False.*not 2"),
    ({"LOOSE": ""}, "LINKBACK_LOOSE must be True or False"),
    ({"HOSTS": "old.example"}, "LINKBACK_HOSTS means nothing without LINKBACK_RESOLVE"),
    ({"OUTGOING": {"post_only": True}}, "LINKBACK_OUTGOING must be a linkback.Outgoing"),
    ({"WORKERS": True}, "LINKBACK_WORKERS must be how many threads"),
    ({"WORKERS": -1}, "LINKBACK_WORKERS must be how many threads"),
    ({"PROTOCOLS": "webmention,gopher"}, "LINKBACK_PROTOCOLS must be those to speak.*'gopher'"),
    ({"PROTOCOLS": ""}, "LINKBACK_PROTOCOLS must be those to speak"),
    ({"RESOLVE": "no.such.thing"}, "LINKBACK_RESOLVE names 'no.such.thing', which is not there"),
    ({"RESOLVE": "nothing"}, "LINKBACK_RESOLVE names 'nothing', which is not there"),
    ({"RESOLVE": 7}, "LINKBACK_RESOLVE must be a function"),
    ({"ALLOW_NETWORKS": "loopback"}, "LINKBACK_ALLOW_NETWORKS.*loopback"),
    ({"ALLOW_PORTS": "http"}, "LINKBACK_ALLOW_PORTS: a port is a number"),
    ({"VERIFY": "now"}, 'LINKBACK_VERIFY must be "queued" or "inline", not \'now\''),
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
    lists = {"PROTOCOLS": "pingback, trackback", "HOSTS": "old.example", "ALLOW_PORTS": 81}
    with site(RESOLVE=urls.canonical, **lists) as found:
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


@pytest.mark.parametrize("given", [True, 1, "1", "true", "True", "YES", " on "], ids=repr)
def test_true_may_be_written_as_in_the_environment(given: object) -> None:
    """`from_prefixed_env` of Flask makes 1 a number, and leaves "True" a word."""
    assert settings(SITE=BOB, MODERATE=given)._policy().moderate is True


@pytest.mark.parametrize("given", [False, 0, "0", "false", "False", "no", "off"], ids=repr)
def test_false_may_be_written_as_in_the_environment(given: object) -> None:
    assert settings(SITE=BOB, POLICY=Policy(moderate=True), MODERATE=given)._policy().moderate is False


def test_which_links_are_told_may_be_said() -> None:
    page = "<a href='/other'>here</a> <a href='https://alice.example/'>there</a>"
    with site(OUTGOING=Outgoing(skip_same_host=True)) as found:
        assert [owed.target for owed in found.publish(f"{BOB}post", page)] == ["https://alice.example/"]


def test_the_endpoints_stand_where_the_settings_say() -> None:
    with site() as found:
        posts = settings(PREFIX="mentions", BASE="https://ping.bob.example/").signposts(found)
        assert posts.prefix == "/mentions"
        assert 'href="https://ping.bob.example/webmention"' in posts.head("bob.example", "/post")
    with pytest.raises(ConfigurationError, match="prefix of their own"):
        settings(PREFIX="/").signposts(found)
    with pytest.raises(ConfigurationError, match=r"https://bob\.example/linkback, not '/linkback'"):
        settings(BASE="/linkback").signposts(found)
