"""The Wagtail guide, run as it is written: a project of its own, in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GUIDE = Path(__file__).parent.parent / "docs" / "guides" / "wagtail.md"
CODE = re.compile(r"^```py\n(.*?)^```", re.DOTALL | re.MULTILINE)

SETTINGS = """
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["blog.apps.BlogConfig", *(f"wagtail.{name}" for name in ("users", "images", "documents", "admin")),
    "wagtail", "modelcluster", "taggit", "django_filters", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "blog.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True
STATIC_URL = "/static/"
WAGTAIL_SITE_NAME = "Alice"
WAGTAILADMIN_BASE_URL = "https://alice.example"


class Unmigrated:
    # the tables as the models say: a hundred migrations of others are not what is tested
    __contains__ = staticmethod(lambda app: True)
    __getitem__ = staticmethod(lambda app: None)


MIGRATION_MODULES = Unmigrated()
"""
URLS = """
from django.urls import include, path

"""
MODELS = """
from wagtail.fields import RichTextField
from wagtail.models import Page


class BlogPage(Page):
    body = RichTextField(blank=True)
"""
APPS = "from django.apps import AppConfig\n\n\n"
PAGE = "{% load wagtailcore_tags %}<title>{{ page.title }}</title>{{ page.body|richtext }}"
SCRIPT = """
import json

import django
from linkback.adapters import settings
from linkback.testing import FakeWeb
from linkback.wire import Response

bob = Response(200, (("Link", "</webmention>; rel=webmention"), ("Content-Type", "text/html")), b"<p>post")
web = FakeWeb({"https://bob.example/post": bob, "https://bob.example/other": bob,
    "https://bob.example/webmention": Response(202)})
settings.make_fetcher = lambda *_, **__: web

django.setup()

from django.core.management import call_command
from django.db import transaction
from django.test import Client
from linkback.adapters.django import site
from wagtail.models import Locale, Page
from wagtail.models import Site as WagtailSite

from blog.models import BlogPage

call_command("migrate", run_syncdb=True, verbosity=0)
Locale.objects.create(language_code="en")
home = Page.add_root(title="Root", slug="root").add_child(title="Home", slug="home")
WagtailSite.objects.create(hostname="alice.example", port=443, root_page=home, is_default_site=True)


def look(step):
    site().drain(patience=30)
    heard = [request.body.decode() for request in web.posts]
    web.requests.clear()
    answer = Client().get("/first/", headers={"host": "alice.example"})
    print(json.dumps({"step": step, "status": answer.status_code, "link": answer.get("Link", ""), "heard": heard,
        "deliveries": [[one.target, one.cause, one.outcome] for one in site().deliveries()]}))


def body(path):
    return f'<p>As <a href="https://bob.example/{path}">Bob</a> says.</p>'


page = home.add_child(instance=BlogPage(title="First", slug="first", body=body("post"), live=False))
page.save_revision()
look("draft")
page.save_revision().publish()
look("published")
page.body = body("other")
page.save_revision()
look("draft of an edit")
try:
    with transaction.atomic():
        page.save_revision().publish()
        raise KeyError
except KeyError:
    page = BlogPage.objects.get()
look("rolled back")
page.body = body("other")
page.save_revision().publish()
look("edited")
web.pages["https://alice.example/first/"] = Response(410)
page.unpublish()
look("unpublished")
page.save_revision().publish()
look("published again")
page.delete()
look("deleted")
home.add_child(instance=BlogPage(title="Blank", slug="blank", body="", live=False)).save_revision().publish()
root = Page.get_first_root_node()
root.add_child(instance=BlogPage(title="Nowhere", slug="nowhere", body=body("post"))).save_revision().publish()
look("not to be told")
print(json.dumps({"step": "odd", "status": Client().get("/%5B//[?x", headers={"host": "alice.example"}).status_code}))
site().close()
"""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each step of the script saw."""
    settings, urls, linkbacks, apps = CODE.findall(GUIDE.read_text())
    root = tmp_path_factory.mktemp("wagtail")
    files = {
        "settings.py": SETTINGS + settings.replace('"SITE"', '"WORKERS": 0, "SITE"'),
        "urls.py": URLS + urls,
        "blog/__init__.py": "",
        "blog/models.py": MODELS,
        "blog/apps.py": APPS + apps,
        "blog/linkbacks.py": linkbacks,
        "blog/templates/blog/blog_page.html": PAGE,
        "run.py": SCRIPT,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    environment = {"DJANGO_SETTINGS_MODULE": "settings", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "run.py"]
    done = subprocess.run(command, check=False, cwd=root, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return {row["step"]: row for row in map(json.loads, done.stdout.splitlines())}


def test_a_page_that_is_published_tells_the_pages_that_it_links_to(steps: dict[str, dict[str, Any]]) -> None:
    row = steps["published"]
    assert row["deliveries"] == [["https://bob.example/post", "new", "accepted"]]
    assert row["heard"] == ["source=https%3A%2F%2Falice.example%2Ffirst%2F&target=https%3A%2F%2Fbob.example%2Fpost"]


def test_the_page_advertises_the_endpoints(steps: dict[str, dict[str, Any]]) -> None:
    assert '<https://alice.example/linkback/webmention>; rel="webmention"' in steps["published"]["link"]


@pytest.mark.parametrize("step", ["draft", "draft of an edit", "rolled back", "not to be told"])
def test_what_is_not_published_tells_nobody(steps: dict[str, dict[str, Any]], step: str) -> None:
    assert steps[step]["heard"] == []


def test_an_edit_tells_of_what_is_new_and_what_is_gone(steps: dict[str, dict[str, Any]]) -> None:
    assert sorted(steps["edited"]["deliveries"]) == [
        ["https://bob.example/other", "new", "accepted"],
        ["https://bob.example/post", "removed", "accepted"],
    ]
    assert len(steps["edited"]["heard"]) == 2


@pytest.mark.parametrize("step", ["unpublished", "deleted"])
def test_who_was_told_hears_that_a_page_is_gone_and_the_page_answers_410(
    steps: dict[str, dict[str, Any]], step: str
) -> None:
    assert ["https://bob.example/other", "deleted", "accepted"] in steps[step]["deliveries"]
    assert len(steps[step]["heard"]) == 1
    assert steps[step]["status"] == 410


def test_a_page_that_comes_back_is_there_again(steps: dict[str, dict[str, Any]]) -> None:
    assert (steps["published again"]["status"], len(steps["published again"]["heard"])) == (200, 1)


def test_a_page_that_never_was_is_404(steps: dict[str, dict[str, Any]]) -> None:
    assert (steps["draft"]["status"], steps["odd"]["status"]) == (404, 404)
