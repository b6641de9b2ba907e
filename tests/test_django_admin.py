"""The admin: what a moderator sees and may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.django_project.running import migrate, project

# isort: split
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from linkback.adapters import settings as reading
from linkback.adapters.django import models as tables
from linkback.adapters.django import publish, site
from linkback.errors import StoreError
from linkback.model import Claim, Mention, Status
from linkback.policy import Policy
from linkback.site import utcnow
from linkback.testing import FakeWeb
from tests.django_project.stores import DjangoDatabases

SOURCE, POST = "https://alice.example/a", "https://t.example/post"
MENTIONS, DELIVERIES, JOBS, CLAIMS = (f"/admin/linkback/{name}/" for name in ("mention", "delivery", "job", "claim"))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrate(tmp_path_factory.mktemp("admin") / "template.sqlite3")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> FakeWeb:
    web = FakeWeb({SOURCE: f"<title>Hello &lt;b&gt;</title><p>See <a href='{POST}'>this</a></p>"})
    monkeypatch.setattr(reading, "make_fetcher", lambda *_, **__: web)
    return web


@pytest.fixture(autouse=True)
def db(template: Path, tmp_path: Path, web: FakeWeb) -> Iterator[None]:
    with project(template, tmp_path / "db.sqlite3", POLICY=Policy(settle_seconds=0, recheck_days=0)):
        yield


@pytest.fixture
def admin() -> Client:
    return signed_in(User.objects.create_superuser("admin", password="admin"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def helper(*permissions: str) -> Client:
    """Somebody of the staff with these permissions only."""
    user = User.objects.create_user("helper", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


def mentioned(source: str = SOURCE, protocol: str = "webmention") -> Mention:
    site().receive(Claim(protocol, source, POST))
    site().drain()
    return next(mention for mention in site().mentions(statuses=None) if mention.source == source)


def act(client: Client, action: str, *ids: Any, page: str = MENTIONS) -> str:
    """What the admin says after an action on these rows."""
    form = {"action": action, "_selected_action": [str(id) for id in ids]}
    response = client.post(page, form, follow=True)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.mark.parametrize(
    ("action", "status"), [("approve", "approved"), ("reject", "rejected"), ("mark_as_spam", "spam")]
)
def test_a_moderator_gives_mentions_a_status_that_lasts(admin: Client, action: str, status: str, web: FakeWeb) -> None:
    mention = mentioned()
    assert f"1 mention now {status}" in act(admin, action, mention.id)
    site().recheck(mention.id)
    site().drain()
    [kept] = site().mentions(statuses=None)
    assert kept.status is Status(status)
    assert [entry.change_message for entry in LogEntry.objects.all()] == [f"now {status}"]


def test_a_source_is_looked_at_again(admin: Client, web: FakeWeb) -> None:
    mention = mentioned()
    web.pages[SOURCE] = f"<title>Another title</title><a href='{POST}'>this</a>"
    assert "1 mention to be looked at again" in act(admin, "recheck", mention.id)
    site().drain()
    assert [mention.title for mention in site().mentions(POST)] == ["Another title"]


def test_a_mention_of_another_site_is_left_and_that_is_said(admin: Client) -> None:
    mention = mentioned()
    tables.Mention.objects.update(site="https://other.example/")
    page = act(admin, "reject", mention.id)
    assert "0 mentions now rejected" in page
    assert "1 mention left as before" in page
    assert tables.Mention.objects.get().status == "approved"


def test_a_mention_that_is_not_looked_at_again_says_why(admin: Client, web: FakeWeb) -> None:
    urls = [SOURCE, *(f"https://alice.example/{name}" for name in "bcd")]
    web.pages.update(dict.fromkeys(urls, web.pages[SOURCE]))
    rejected, spam, foreign, aside = (mentioned(url).id for url in urls)
    site().moderate(rejected, Status.REJECTED)
    site().moderate(spam, Status.SPAM)
    tables.Mention.objects.filter(pk=foreign).update(site="https://other.example/")
    site().recheck(aside)
    [job] = site().store.lease(utcnow(), utcnow())
    site().store.release(job, due=None)
    page = act(admin, "recheck", rejected, spam, foreign, aside)
    assert "0 mentions to be looked at again" in page
    for why in ("rejected, which a person", "spam, which a person", "gone, or of another site", "set aside after"):
        assert f"1 mention left as before: {why}" in page


def test_what_strangers_wrote_is_text_and_leads_to_the_web_only(admin: Client) -> None:
    mention = mentioned()
    tables.Mention.objects.update(source="javascript:alert(1)", author_name="<script>alert(2)</script>")
    for page in (MENTIONS, f"{MENTIONS}{mention.id}/change/"):
        text = admin.get(page).content.decode()
        assert "javascript:alert(1)" in text
        assert 'href="javascript:' not in text
        assert "<script>alert(" not in text
        assert "Hello &lt;b&gt;" in text
    tables.Mention.objects.update(source=SOURCE)
    link = f'<a href="{SOURCE}" rel="nofollow ugc noopener noreferrer" target="_blank">{SOURCE}</a>'
    assert link in admin.get(MENTIONS).content.decode().replace("<wbr>", "")


def test_nothing_is_added_changed_or_deleted_by_hand(admin: Client) -> None:
    mention = mentioned()
    change = f"{MENTIONS}{mention.id}/change/"
    page = admin.get(change).content.decode()
    assert 'name="_save"' not in page
    assert "delete/" not in page
    assert admin.post(change, {"status": "spam", "title": "x"}).status_code == 403
    assert admin.get(f"{MENTIONS}add/").status_code == 403
    assert admin.post(f"{MENTIONS}{mention.id}/delete/", {"post": "yes"}).status_code == 403
    act(admin, "delete_selected", mention.id)
    [kept] = site().mentions(POST)
    assert (kept.title, kept.status) == ("Hello <b>", Status.APPROVED)


def test_whoever_may_only_look_may_not_moderate() -> None:
    mention = mentioned()
    client = helper("view_mention")
    assert "Hello" in client.get(MENTIONS).content.decode()
    assert client.get(f"{MENTIONS}{mention.id}/change/").status_code == 200
    act(client, "reject", mention.id)
    assert len(site().mentions(POST)) == 1


def test_whoever_may_change_may_moderate_and_others_see_nothing() -> None:
    mention = mentioned()
    client = helper("view_mention", "change_mention")
    act(client, "reject", mention.id)
    assert site().mentions(POST) == []
    assert client.get(DELIVERIES).status_code == 403


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", 2),
        ("status__exact=approved", 1),
        ("status__exact=rejected", 1),
        ("kind__exact=mention", 2),
        ("kind__exact=like", 0),
        ("protocol=webmention", 1),
        ("protocol=pingback", 1),
        ("protocol=trackback", 0),
        ("site=https%3A%2F%2Ft.example%2F", 2),
        ("q=hello", 2),
        ("q=alice.example%2Fb", 1),
        ("received__gte=2000-01-01", 2),
        ("o=-2.7", 2),
    ],
)
def test_mentions_are_found_by_what_is_asked_for(admin: Client, web: FakeWeb, query: str, shown: int) -> None:
    web.pages["https://alice.example/b"] = web.pages[SOURCE]
    site().moderate(mentioned().id, Status.REJECTED)
    mentioned("https://alice.example/b", "pingback")
    response = admin.get(f"{MENTIONS}?{query}")
    assert response.status_code == 200
    assert response.content.decode().count('name="_selected_action"') == shown


def test_the_list_asks_the_database_a_fixed_number_of_times(admin: Client, web: FakeWeb) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin.get(MENTIONS)
        return len(captured)

    mentioned()
    before = queries()
    for number in range(5):
        web.pages[f"{SOURCE}{number}"] = web.pages[SOURCE]
        mentioned(f"{SOURCE}{number}")
    assert queries() == before


class Links(HTMLParser):
    """The links of a page; fails where one stands in another, of which a browser would make something else."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open = False
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            assert not self.open
            self.open = True
            self.found.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "a"


def test_every_row_of_every_list_leads_to_its_page(admin: Client) -> None:
    mentioned()
    publish("/post", "<a href='https://bob.example/x'>Bob</a>")
    for page, model in (
        (MENTIONS, tables.Mention),
        (DELIVERIES, tables.Delivery),
        (JOBS, tables.Job),
        (CLAIMS, tables.Claim),
    ):
        row = model.objects.latest("id")
        assert f"{page}{row.pk}/change/" in Links(admin.get(page).content.decode()).found


def test_what_is_long_is_cut_in_a_list_with_the_whole_to_point_at_and_whole_on_its_page(
    admin: Client, web: FakeWeb
) -> None:
    """Lines break anywhere in it, so that the other columns stay on the page."""
    source, title = f"https://alice.example/{'a' * 100}?b=<&c='\"", 'A <title> & a "half" ' * 8
    written = source.replace("<", "%3C").replace('"', "%22").replace("'", "%27")
    web.pages[written] = f"<title>{escape(title)}</title><a href='{POST}'>this</a>"
    mention = mentioned(written)
    page = admin.get(MENTIONS).content.decode()
    assert f'title="{escape(mention.title)}"' in page.replace("&#x27;", "&#39;")
    assert f'title="{escape(written)}"' in page
    assert "https://alice.example/<wbr>" in page
    assert not re.search(r">[^<\s]{60,}<", page.partition("result_list")[2])
    assert f">{escape(written)}</a>" in admin.get(f"{MENTIONS}{mention.id}/change/").content.decode()


def test_deliveries_are_shown_and_those_laid_aside_tried_again(admin: Client) -> None:
    publish("/post", "<a href='https://bob.example/x'>Bob</a><a href='https://bob.example/y'>him</a>")
    jobs = site().store.lease(utcnow(), utcnow(), limit=9)
    site().store.release(jobs[0], due=None)
    page = admin.get(DELIVERIES).content.decode()
    assert page.count('name="_selected_action"') == 2
    assert 'href="https://bob.example/x"' in page
    row = tables.Delivery.objects.get(pk=jobs[0].subject)
    assert admin.get(f"{DELIVERIES}{row.pk}/change/").status_code == 200
    assert admin.get(f"{DELIVERIES}?outcome__exact=queued&protocol__isnull=True&cause__exact=new").status_code == 200
    assert "1 job to be tried again" in act(
        admin, "try_again", *tables.Delivery.objects.values_list("pk", flat=True), page=DELIVERIES
    )
    assert site().store.parked() == []


def test_jobs_and_claims_are_shown_and_jobs_laid_aside_tried_again(admin: Client) -> None:
    site().receive(Claim("webmention", SOURCE, POST))
    [job] = site().store.lease(utcnow(), utcnow())
    site().store.release(job, due=None)
    for page in (f"{JOBS}?due__isempty=1", f"{JOBS}{job.id}/change/", CLAIMS, f"{CLAIMS}1/change/"):
        assert admin.get(page).status_code == 200
    assert SOURCE in admin.get(CLAIMS).content.decode()
    assert "1 job to be tried again" in act(admin, "try_again", job.id, page=JOBS)
    assert site().store.parked() == []


def test_a_job_of_a_check_is_not_taken_for_that_of_a_delivery(admin: Client) -> None:
    """Both are laid aside; the ids of deliveries and of jobs are numbers of their own."""
    publish("/post", "<a href='https://bob.example/x'>Bob</a>")
    site().receive(Claim("webmention", SOURCE, POST))
    for job in site().store.lease(utcnow(), utcnow(), limit=9):
        site().store.release(job, due=None)
    act(admin, "try_again", tables.Delivery.objects.get().pk, page=DELIVERIES)
    assert [job.kind.value for job in site().store.parked()] == ["check"]


EVERY = ["django sqlite file", "django postgresql", "django mysql"]
#: what is written, and what is looked for
WORDS = [("École", "École"), ("İstanbul", "İstanbul"), ("STRAẞE", "STRAẞE"), ("Δοκιμή", "Δοκιμή"), ("50 %_", "50 %_")]
#: where the database knows more capitals than those of ASCII
CAPITALS = [("École", "éCOLE"), ("Ünion", "ünion"), ("Δοκιμή", "ΔΟΚΙΜΉ")]


@pytest.mark.parametrize("kind", EVERY)
def test_words_beyond_ascii_are_found_in_every_database(
    kind: str, django_databases: DjangoDatabases, template: Path, tmp_path: Path
) -> None:
    alias = django_databases.empty(kind, tmp_path)
    with project(template, tmp_path / "users.sqlite3", USING=alias, POLICY=Policy(settle_seconds=0, recheck_days=0)):
        client = signed_in(User.objects.create_superuser("admin", password="admin"))
        mention = mentioned()
        rows = tables.Mention.objects.using(alias).filter(pk=mention.id)
        for title, word in WORDS if kind == EVERY[0] else WORDS + CAPITALS:
            rows.update(title=f"a {title} b")
            for query, shown in ((word, 1), (f"x{word}", 0)):
                page = client.get(MENTIONS, {"q": query}).content.decode()
                assert page.count('name="_selected_action"') == shown, query
    django_databases.forget(alias)


def test_an_action_that_breaks_off_says_how_far_it_came(
    admin: Client, web: FakeWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages["https://alice.example/b"] = web.pages[SOURCE]
    ids = {mentioned().id, mentioned("https://alice.example/b").id}
    recheck, asked = site().recheck, []

    def once(id: str) -> bool:
        asked.append(id)
        if len(asked) > 1:
            raise StoreError("database 'default': database is locked")
        return recheck(id)

    monkeypatch.setattr(site(), "recheck", once)
    page = act(admin, "recheck", *ids)
    assert "database is locked; 1 of 2 mentions to be looked at again: try the rest again" in page
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("breaks", ["parked", "revive"])
def test_jobs_that_cannot_be_tried_again_now_are_told(
    admin: Client, breaks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site().receive(Claim("webmention", SOURCE, POST))
    [job] = site().store.lease(utcnow(), utcnow())
    site().store.release(job, due=None)

    def locked(*_: Any, **__: Any) -> Any:
        raise StoreError("database 'default': database is locked")

    monkeypatch.setattr(site().store, breaks, locked)
    assert "database is locked; 0 jobs to be tried again: try" in act(admin, "try_again", job.id, page=JOBS)


@pytest.mark.parametrize("kind", EVERY)
def test_mentions_are_found_in_any_case_and_moderated_in_every_database(
    kind: str, django_databases: DjangoDatabases, template: Path, tmp_path: Path
) -> None:
    """Not the one that has the users in it."""
    alias = django_databases.empty(kind, tmp_path)
    policy = Policy(settle_seconds=0, recheck_days=0)
    with project(template, tmp_path / "users.sqlite3", USING=alias, POLICY=policy):
        client = signed_in(User.objects.create_superuser("admin", password="admin"))
        mention = mentioned()
        for query in ("q=HELLO", "q=hello", "protocol=webmention", "received__gte=2000-01-01"):
            page = client.get(f"{MENTIONS}?{query}").content.decode()
            assert page.count('name="_selected_action"') == 1, query
        assert "1 mention now rejected" in act(client, "reject", mention.id)
        assert site().mentions(POST) == []
    django_databases.forget(alias)
