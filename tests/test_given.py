"""What a host hands to an adapter by mistake is said at once, in one line that names the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask

from linkback import Site
from linkback.adapters import asgi, wsgi
from linkback.adapters.fastapi import install
from linkback.adapters.flask import Linkback
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
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_no_blog_or_no_application_is_said_with_its_fix(
    site: Site, call: Callable[..., object], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        call(site)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_blog_may_stand_beside_its_flask_application(site: Site) -> None:
    app = Flask("blog")
    linkback = Linkback(app, site)
    with app.app_context():
        assert linkback.site is site
