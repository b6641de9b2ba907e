"""What a host hands to an adapter by mistake is said at once, in one line that names the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from flask import Flask

from linkback import Site
from linkback.adapters import asgi, wsgi
from linkback.adapters.fastapi import install
from linkback.adapters.flask import Linkback
from linkback.errors import ConfigurationError
from linkback.jobs import External
from linkback.testing import FakeWeb

BOB: Any = "https://bob.example"
API: Any = FastAPI
NOTHING: Any = None
SEVEN: Any = 7


def host(environ: Any, start_response: Any) -> Any:
    return []


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(BOB, store="sqlite://", fetch=FakeWeb(), runner=External()) as site:
        yield site


WRONG: list[tuple[Callable[..., object], str]] = [
    (lambda site: install(API(), BOB), f"not '{BOB}': write install(app, Site('{BOB}'))"),
    (lambda site: install(API(), NOTHING), "not None: write install(app, site)"),
    (lambda site: install(site, API()), "is not a Site: write install(app, site)"),
    (lambda site: Linkback(Flask("b"), BOB), f"""write app.config["LINKBACK_SITE"] = '{BOB}' and Linkback(app)"""),
    (lambda site: Linkback(Flask("b"), site=SEVEN), "not a int: write Linkback(app, site=site)"),
    (lambda site: Linkback(site), "is not a Site: write Linkback(app)"),
    (lambda site: Linkback().init_app(BOB), f"is not '{BOB}': write Linkback(app)"),
    (lambda site: wsgi.around(host, BOB), f"write around(app, Site('{BOB}'))"),
    (lambda site: wsgi.around(site, API()), "is not a Site: write around(app, site)"),
    (lambda site: wsgi.endpoints(BOB), f"write endpoints(Site('{BOB}'))"),
    (lambda site: site.wsgi(BOB), f"is not '{BOB}': write around(app, site)"),
    (lambda site: asgi.around(API(), BOB), f"write around(app, Site('{BOB}'))"),
    (lambda site: asgi.around(site, API()), "is not a Site: write around(app, site)"),
    (lambda site: asgi.endpoints(API()), "not a FastAPI: write endpoints(site)"),
    (lambda site: asgi.lifespan(BOB), f"write lifespan(Site('{BOB}'))"),
    (
        lambda site: site.wsgi(API()),
        "is a FastAPI, which is ASGI's and no WSGI application: write linkback.adapters.asgi",
    ),
    (
        lambda site: wsgi.around(cast("Any", asgi.endpoints(site)), site),
        "write linkback.adapters.asgi.around(app, site)",
    ),
    (lambda site: site.publish(f"{BOB}/post", SEVEN), "html must be the post's page as str or bytes, or None to fetch"),
    (lambda site: site.publish(f"{BOB}/post", Path("post.html")), "to fetch it, not PosixPath('post.html')"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_no_blog_or_no_application_is_said_with_its_fix(
    site: Site, call: Callable[..., object], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        call(site)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


#: adapters that take a path and a public URL
MOUNTING: list[Callable[..., object]] = [
    lambda site, **given: install(API(), site, **given),
    lambda site, **given: asgi.around(API(), site, **given),
    lambda site, **given: wsgi.around(host, site, **given),
    lambda site, **given: site.wsgi(host, **given),
]


@pytest.mark.parametrize("mount", MOUNTING, ids=["install", "asgi", "wsgi", "site.wsgi"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prefix": 5}, 'prefix must be the path that the endpoints stand under, such as "/linkback", not 5'),
        ({"base": 5}, 'base must be the public URL of the endpoints, such as "https://bob.example/linkback", not 5'),
    ],
    ids=["prefix", "base"],
)
def test_a_prefix_and_a_public_url_are_texts(
    site: Site, mount: Callable[..., object], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        mount(site, **given)
    assert str(caught.value) == message


@pytest.mark.parametrize("endpoints", [asgi.endpoints, wsgi.endpoints, Site.wsgi], ids=["asgi", "wsgi", "site.wsgi"])
def test_endpoints_of_their_own_want_a_text_for_their_public_url(site: Site, endpoints: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError, match=r"^base must be the public URL"):
        endpoints(site, base=5)


def test_a_blog_may_stand_beside_its_flask_application(site: Site) -> None:
    app = Flask("blog")
    linkback = Linkback(app, site)
    with app.app_context():
        assert linkback.site is site
