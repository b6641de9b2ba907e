"""Django's admin, where mentions are moderated: what strangers wrote does no harm to who looks at it, and no page of
theirs moderates by the hand of who is signed in (security.md F1 to F6, F9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import html5lib  # type: ignore[import-untyped]
import pytest

from tests.django_project.running import migrate, project

# isort: split
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from linkback.adapters import settings as reading
from linkback.adapters.django import models as tables
from linkback.adapters.django import publish, site
from linkback.model import Claim
from linkback.policy import Policy
from linkback.site import utcnow
from linkback.testing import FakeWeb
from linkback.web import render
from tests.display import PAYLOADS
from tests.hostile.displaying import HARMLESS, STORED, outline, structure, unfit

SOURCE, POST = "https://s.example/", "https://t.example/post"
MENTIONS, DELIVERIES, JOBS, CLAIMS = (f"/admin/linkback/{name}/" for name in ("mention", "delivery", "job", "claim"))
#: the middle of a page of the admin; around it stand Django's own words and the reader's
CONTENT = "content"
#: what fits into the address of a search
SHORT = [payload for payload in PAYLOADS if len(payload) < 1000 and payload.isascii()]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate(tmp_path_factory.mktemp("hostile_admin") / "template.sqlite3")


@pytest.fixture(autouse=True)
def db(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    page = f"<title>Where next?</title><p>See <a href='{POST}'>this</a></p>"
    web = FakeWeb({SOURCE: page})
    monkeypatch.setattr(reading, "make_fetcher", lambda *_, **__: web)
    with project(template, tmp_path / "db.sqlite3", POLICY=Policy(settle_seconds=0, recheck_days=0)):
        yield


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin", password="admin"))
    return client


def received(number: int = len(PAYLOADS)) -> list[tables.Mention]:
    """As many mentions as one, received and checked, and copies of it; in the order of their ids."""
    site().receive(Claim("webmention", SOURCE, POST))
    site().drain()
    [first] = tables.Mention.objects.all()
    given = {field.attname: getattr(first, field.attname) for field in first._meta.concrete_fields}
    copies = [tables.Mention(**{**given, "id": None, "key": f"copy-{each}"}) for each in range(1, number)]
    tables.Mention.objects.bulk_create(copies)
    return list(tables.Mention.objects.order_by("pk"))


def fill(rows: list[tables.Mention], field: str, values: list[str]) -> None:
    """Leave that in the database, as another program would."""
    for row, value in zip(rows, values, strict=True):
        tables.Mention.objects.filter(pk=row.pk).update(**{field: value})


def content(page: Any) -> Any:
    tree = html5lib.parse(page.content.decode(), namespaceHTMLElements=False)
    return next(element for element in tree.iter("div") if element.get("id") == CONTENT)


def rows_of(page: Any) -> dict[str, tuple[Any, ...]]:
    """The structure of each row of a list, by the id of what it is about."""
    found = {}
    for row in content(page).iter("tr"):
        box = next((each for each in row.iter("input") if each.get("name") == "_selected_action"), None)
        if box is not None:
            found[str(box.get("value"))] = without(structure(row))
    return found


def without(told: tuple[Any, ...]) -> tuple[Any, ...]:
    """A structure but for where a long word may be broken, and cut with the whole of it to point at."""
    name, attributes, inside = told
    kept: list[tuple[Any, ...]] = []
    for each in map(without, inside):
        if each[0] == "span" and each[1] == (("title", ""),):
            kept.extend(each[2])
        elif each[0] not in ("wbr", "br"):
            kept.append(each)
    return name, attributes, tuple(kept)


def text_of(page: Any) -> str:
    return "\n".join(content(page).itertext())


@pytest.mark.parametrize("field", STORED)
def test_no_word_adds_to_the_markup_of_the_list(admin: Client, field: str) -> None:
    rows = received()
    allowed = set()
    for value in HARMLESS:
        fill(rows[:1], field, [value])
        allowed.add(str(rows_of(admin.get(MENTIONS))[str(rows[0].pk)]))
    fill(rows, field, list(PAYLOADS))
    page = admin.get(MENTIONS)
    found = rows_of(page)
    assert len(found) == len(PAYLOADS)
    odd = [word for word, row in zip(PAYLOADS, rows, strict=True) if str(found[str(row.pk)]) not in allowed]
    assert [ascii(word[:80]) for word in odd] == []
    assert unfit(text_of(page)) == ""


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:20]))
def test_no_word_adds_to_the_markup_of_a_mention_s_page(admin: Client, payload: str) -> None:
    [row] = received(1)
    change = f"{MENTIONS}{row.pk}/change/"
    allowed = set()
    for value in HARMLESS:
        tables.Mention.objects.update(**dict.fromkeys(STORED, value))
        allowed.add(str(without(structure(content(admin.get(change))))))
    tables.Mention.objects.update(**dict.fromkeys(STORED, payload))
    page = admin.get(change)
    assert str(without(structure(content(page)))) in allowed
    assert unfit(text_of(page)) == ""


def test_no_host_is_shown_in_letters_that_pass_for_others(admin: Client) -> None:
    [row] = received(1)
    tables.Mention.objects.update(source="https://р\u0430ypal.example/ü", final_url="https://р\u0430ypal.example/ü")
    for path in (MENTIONS, f"{MENTIONS}{row.pk}/change/", f"{MENTIONS}{row.pk}/history/"):
        page = admin.get(path).content.decode().replace("<wbr>", "")
        assert "https://xn--ypal-43d9g.example/" in page
        assert "р\u0430ypal" not in page


def test_what_is_searched_for_is_words(admin: Client) -> None:
    """No more is found by wildcards, and nothing of it is run; the log of what was done is words too."""
    rows = received(3)
    fill(rows, "title", ["100% LIKE _", "a%b_c", "ab c"])
    for query, number in (("%", 2), ("_", 2), ("a%b", 1), ("a_b", 0), ("' OR 1=1 --", 0), ("100% LIKE _", 1)):
        assert len(rows_of(admin.get(MENTIONS, {"q": f'"{query}"'}))) == number, query
    allowed = {str(structure(content(admin.get(MENTIONS, {"q": word})))) for word in ("nothing", "nothing at all", "")}
    for payload in SHORT:
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(MENTIONS, {"q": payload})
        assert page.status_code == 200
        if not rows_of(page):
            assert str(structure(content(page))) in allowed, ascii(payload)
        assert not any("DROP" in query["sql"] and "'%" not in query["sql"] for query in queries)
    assert tables.Mention.objects.count() == 3


def test_what_was_done_is_told_in_words(admin: Client) -> None:
    rows = received()
    fill(rows, "source", list(PAYLOADS))
    form = {"action": "reject", "_selected_action": [str(row.pk) for row in rows]}
    page = admin.post(MENTIONS, form, follow=True)
    assert f"{len(rows)} mentions now rejected" in page.content.decode()
    assert LogEntry.objects.count() == len(rows)
    for entry in LogEntry.objects.all():
        assert unfit(entry.object_repr) == ""
    index = html5lib.parse(admin.get("/admin/").content.decode(), namespaceHTMLElements=False)
    assert not [element for element in index.iter("script") if not element.get("src")]
    history = admin.get(f"{MENTIONS}{rows[1].pk}/history/")
    plain = admin.get(f"{MENTIONS}{rows[0].pk}/history/")
    assert str(structure(content(history))) == str(structure(content(plain)))


WORDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    CLAIMS: (tables.Claim, ("source", "target", "title", "excerpt", "blog_name", "endpoint")),
    DELIVERIES: (tables.Delivery, ("source", "target", "detail", "endpoint", "status_url")),
}


@pytest.mark.parametrize("path", WORDS)
def test_claims_and_deliveries_are_words_too(admin: Client, path: str) -> None:
    """What a form said, and what a receiver answered: in the list and on the page of each."""
    received(1)
    publish("/post", "<a href='https://u.example/'>x</a>")
    model, fields = WORDS[path]
    [row] = model.objects.all()
    pages = (path, f"{path}{row.pk}/change/")

    def shown(value: str) -> list[Any]:
        model.objects.update(**dict.fromkeys(fields, value))
        found = [content(admin.get(page)) for page in pages]
        assert [each for each in found if unfit("\n".join(each.itertext()))] == []
        return [str(without(structure(each))) for each in found]

    allowed = [set(each) for each in zip(*map(shown, HARMLESS), strict=True)]
    for payload in PAYLOADS:
        for each, known in zip(shown(payload), allowed, strict=True):
            assert each in known, ascii(payload[:80])


def test_the_template_tag_draws_what_the_library_draws() -> None:
    rows = received()
    for field in STORED:
        fill(rows, field, list(PAYLOADS))
    request = RequestFactory().get("/post")
    with translation.override("en"), override_settings(TIME_ZONE="UTC"):
        source = "{% load linkback %}{% mentions for '/post' %}"
        drawn = str(Template(source).render(Context({"request": request})))
        assert drawn == str(render.thread(site().mentions(POST)))
    assert "<img" not in drawn
    assert outline(drawn)


# what other sites' pages can have a browser send

Attack = Callable[[Client, str, dict[str, Any]], Any]


def form_with(**headers: str) -> Attack:
    """A form of another page's, with a token that is right in itself."""

    def post(client: Client, path: str, form: dict[str, Any]) -> Any:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path, secure=True).content.decode())
        assert token is not None
        return client.post(path, {**form, "csrfmiddlewaretoken": token[1]}, secure=True, headers=headers)

    return post


def with_token(token: str) -> Attack:
    return lambda client, path, form: client.post(path, {**form, "csrfmiddlewaretoken": token})


def body(content_type: str) -> Attack:
    def post(client: Client, path: str, form: dict[str, Any]) -> Any:
        return client.post(path, urlencode(form, doseq=True), content_type=content_type)

    return post


def by(method: str) -> Attack:
    def send(client: Client, path: str, form: dict[str, Any]) -> Any:
        address = f"{path}?{urlencode(form, doseq=True)}"
        return client.generic(method, address, urlencode(form, doseq=True), "application/x-www-form-urlencoded")

    return send


ATTACKS: dict[str, Attack] = {
    "a form without a token": lambda client, path, form: client.post(path, form),
    "a form with a token that was made up": with_token("x" * 64),
    "a form with an empty token": with_token(""),
    "a form from another origin": form_with(origin="https://evil.example"),
    "a form from an origin that hides": form_with(origin="null"),
    "a form from a subdomain": form_with(origin="https://evil.testserver"),
    "a form by https from another page": form_with(referer="https://evil.example/"),
    "a form by https from a page that hides": form_with(),
    "an image": lambda client, path, form: client.get(f"{path}?{urlencode(form, doseq=True)}"),
    "a link to a page of its own": lambda client, path, form: client.get(f"{path}{form['action']}/"),
    "HEAD": by("HEAD"),
    "PUT": by("PUT"),
    "PATCH": by("PATCH"),
    "DELETE": by("DELETE"),
    "fetch with plain text": body("text/plain"),
    "fetch with JSON": lambda client, path, form: client.post(path, form, content_type="application/json"),
    "fetch with a header of a script's": lambda client, path, form: client.post(
        path, form, headers={"x-requested-with": "XMLHttpRequest", "x-csrftoken": "x" * 64}
    ),
    "a form that names a method": lambda client, path, form: client.get(path, {**form, "_method": "POST"}),
}


@pytest.mark.parametrize("middleware", ["with the middleware", "without"])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_no_page_of_another_site_moderates(attack: Attack, middleware: str, settings_without_csrf: Any) -> None:
    [row] = received(1)
    site().recheck(str(row.pk))
    [job] = site().store.lease(utcnow(), utcnow())
    site().store.release(job, due=None)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("admin", password="admin"))
    before = [*tables.Mention.objects.values()], [*tables.Job.objects.values()]
    with settings_without_csrf(middleware == "without"):
        for path, actions in ((MENTIONS, ("approve", "reject", "mark_as_spam", "recheck")), (JOBS, ("try_again",))):
            for action in actions:
                chosen = row.pk if path == MENTIONS else tables.Job.objects.get().pk
                answer = attack(client, path, {"action": action, "_selected_action": [str(chosen)]})
                assert answer.status_code in (200, 302, 400, 403, 404, 405)
    assert ([*tables.Mention.objects.values()], [*tables.Job.objects.values()]) == before
    assert LogEntry.objects.count() == 0


@pytest.fixture
def settings_without_csrf() -> Callable[[bool], Any]:
    """Settings as they are, or without Django's own guard: the admin has one of its own."""
    from django.conf import settings

    def given(bare: bool) -> Any:
        return override_settings(MIDDLEWARE=[each for each in settings.MIDDLEWARE if not (bare and "csrf" in each)])

    return given


def test_who_is_signed_in_moderates_by_the_admins_own_form() -> None:
    """So the attacks fail for what they lack."""
    [row] = received(1)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("admin", password="admin"))
    answer = form_with(origin="https://testserver")(
        client, MENTIONS, {"action": "reject", "_selected_action": [str(row.pk)]}
    )
    assert answer.status_code == 302
    assert tables.Mention.objects.get().status == "rejected"


@pytest.mark.parametrize("path", [MENTIONS, CLAIMS, DELIVERIES, JOBS, f"{MENTIONS}1/change/"])
def test_no_page_of_another_site_shows_the_admin_in_a_frame(admin: Client, path: str) -> None:
    received(1)
    assert admin.get(path)["X-Frame-Options"] == "DENY"


def test_the_cookie_of_who_is_signed_in_is_for_pages_of_this_site() -> None:
    User.objects.create_superuser("admin", password="admin")
    client = Client()
    client.post("/admin/login/", {"username": "admin", "password": "admin"})
    cookie = client.cookies["sessionid"]
    assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)
