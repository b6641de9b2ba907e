"""What the Django store promises besides what every store does: Django's migrations, transactions and connections."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from django.core import signals
from django.core.management import call_command
from django.db import Error, connections, transaction
from django.db.backends.signals import connection_created
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from linkback.errors import StoreError
from linkback.jobs import Embedded, External, Step, Wait
from linkback.model import Claim, ClaimState, JobKind
from linkback.policy import Policy
from linkback.site import Site
from linkback.store import Verdict, open_store
from linkback.store.schema import metadata
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response
from tests.databases import SERVERS
from tests.django_project.stores import DjangoDatabases
from tests.serving import eventually, served
from tests.test_sqlite import together
from tests.test_store import (
    DJANGO_KINDS,
    KEY,
    MINUTE,
    NOON,
    OWED,
    PAGE,
    SITE,
    SOURCE,
    answered,
    check,
    edited,
    found,
    owe,
    record,
    take,
)

# once Django is set up
from linkback.adapters.django import blog, models  # isort: skip
from linkback.adapters.django.runners import DjangoRunner  # isort: skip
from linkback.adapters.django.store import DjangoStore, vendors  # isort: skip


REPOSITORY = Path(__file__).parents[1]
ON_SERVERS = [f"django {kind}" for kind in SERVERS]


@pytest.fixture(params=DJANGO_KINDS)
def store(request: pytest.FixtureRequest, django_databases: DjangoDatabases, tmp_path: Path) -> DjangoStore:
    return django_databases.store(request.param, tmp_path)


@pytest.fixture(params=ON_SERVERS)
def on_server(request: pytest.FixtureRequest, django_databases: DjangoDatabases, tmp_path: Path) -> DjangoStore:
    return django_databases.store(request.param, tmp_path)


@pytest.fixture
def on_file(django_databases: DjangoDatabases, tmp_path: Path) -> DjangoStore:
    return django_databases.store("django sqlite file", tmp_path)


def beside(work: Callable[[], Any]) -> Callable[[], Any]:
    """Begin some work in a thread; what is given waits for its end, and gives or raises what the work did."""
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append(work())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            ended.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> Any:
        thread.join(60)
        assert ended, "it still runs"
        if isinstance(ended[0], Exception):
            raise ended[0]
        return ended[0]

    return wait


def blocked(store: DjangoStore) -> bool:
    """Whether somebody waits for a lock on the server."""
    asked = {
        "postgresql": ["SELECT COUNT(*) FROM pg_locks WHERE NOT granted"],
        "mysql": [
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'",
            "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'",
        ],
    }
    found = []
    with connections[store.using].cursor() as cursor:
        for statement in asked[connections[store.using].vendor]:
            cursor.execute(statement)
            found.append(int(cursor.fetchone()[-1]))
    return any(found)


@contextlib.contextmanager
def undone(store: DjangoStore) -> Iterator[None]:
    """A transaction of the host's that comes to no good end."""
    with transaction.atomic(using=store.using):
        yield
        transaction.set_rollback(True, using=store.using)


# the schema


def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", "linkback", check=True, dry_run=True, verbosity=0)


def test_both_stores_keep_the_same_tables(store: DjangoStore) -> None:
    """Data means the same, whichever store wrote it."""
    connection = connections[store.using]
    made = {model._meta.db_table for model in (*_models(), models.MentionProtocol)}
    ours = {name: table for name, table in metadata.tables.items() if name in made}
    assert made == {name for name in metadata.tables if not name.startswith("linkback_feed_")}
    with connection.cursor() as cursor:
        for name, table in ours.items():
            described = connection.introspection.get_table_description(cursor, name)
            columns = {column.name: bool(column.null_ok) for column in described}
            assert columns == {column.name: bool(column.nullable) for column in table.columns}, name
            known = connection.introspection.get_constraints(cursor, name).values()
            primary = [tuple(each["columns"]) for each in known if each["primary_key"]]
            assert [set(key) for key in primary] == [{column.name for column in table.primary_key}], name
            unique = {tuple(each["columns"]) for each in known if each["unique"] and not each["primary_key"]}
            wanted = {c for c in table.constraints if isinstance(c, sqlalchemy.UniqueConstraint)}
            assert unique == {tuple(column.name for column in each.columns) for each in wanted}, name
            indexes = {tuple(each["columns"]) for each in known if each["index"] and not each["unique"]}
            assert indexes >= {tuple(column.name for column in index.columns) for index in table.indexes}, name


def _models() -> list[Any]:
    return [models.Claim, models.Mention, models.Post, models.Delivery, models.Job, models.Host]


@pytest.mark.parametrize("create", [True, False])
def test_the_other_store_leaves_a_django_database_alone(
    store: DjangoStore, create: bool, django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    """As `linkback list --database` would open it."""
    before = _tables(store)
    url = django_databases.url(store.using.replace("_", " "), tmp_path)
    with pytest.raises(StoreError, match=r"those of a Django project: manage\.py"):
        open_store(url, create=create)
    assert _tables(store) == before


def _tables(store: DjangoStore) -> set[str]:
    return set(connections[store.using].introspection.table_names())


def test_where_migrations_were_not_run_the_error_says_so(
    request: pytest.FixtureRequest, django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    alias = django_databases.add("bare", {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "bare.db")})
    with pytest.raises(StoreError, match=r"^database 'bare': no such table: linkback_jobs; manage\.py migrate makes"):
        DjangoStore(alias).next_due()
    django_databases.forget("bare")


# values


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_times_are_utc_whatever_the_settings_say(
    store: DjangoStore, aware: bool, zone: str, request: pytest.FixtureRequest
) -> None:
    with override_settings(USE_TZ=aware, TIME_ZONE=zone):
        _reconnect(store)
        store.add_claim(record("a"), due=NOON + MINUTE / 7)
        kept = store.claim("a")
        assert kept == record("a")
        assert kept.received.tzinfo is UTC
        assert store.next_due() == NOON + MINUTE / 7
        with connections[store.using].cursor() as cursor:
            cursor.execute("SELECT received FROM linkback_claims")
            (kept_as,) = cursor.fetchone()
        assert kept_as == NOON.replace(tzinfo=None), "as the other store keeps it"
        present = store.server_time()
        assert present is None or abs(present - datetime.now(UTC)) < MINUTE
    _reconnect(store)
    assert store.claim("a") == record("a")


def _reconnect(store: DjangoStore) -> None:
    connections[store.using].close()


def test_a_time_that_a_person_types_is_in_the_current_time_zone(on_file: DjangoStore) -> None:
    """The filters of Django's admin give texts."""
    on_file.add_claim(record("a"), due=NOON)
    claims = models.Claim.objects.using(on_file.using)
    assert claims.filter(received__gte="2024-05-06 17:30").count() == 1, "17:30 in Kolkata is noon in UTC"
    assert claims.filter(received__gte="2024-05-06 17:31").count() == 0
    assert claims.filter(received__lt="2024-05-06T12:00:01Z").count() == 1


def test_rows_go_through_a_fixture_and_back(on_file: DjangoStore, tmp_path: Path) -> None:
    check(on_file, "a", mention=found(published=datetime(2024, 5, 6, 9, 0)))
    kept, path = on_file.mentions(), str(tmp_path / "rows.json")
    call_command("dumpdata", "linkback", database=on_file.using, output=path, verbosity=0)
    models.Mention.objects.using(on_file.using).all().delete()
    assert on_file.mentions() == []
    call_command("loaddata", path, database=on_file.using, verbosity=0)
    assert on_file.mentions() == kept


# the host's transactions


def test_what_is_published_is_part_of_the_hosts_transaction(store: DjangoStore) -> None:
    with undone(store):
        assert len(owe(store)) == 1
    assert (store.deliveries(), store.next_due()) == ([], None)
    with transaction.atomic(using=store.using):
        owe(store)
    assert len(store.deliveries()) == 1
    assert take(store).kind is JobKind.DELIVER


def test_a_claim_is_part_of_the_hosts_transaction(store: DjangoStore) -> None:
    """And when it is undone, nobody else waits for it."""
    with undone(store):
        store.add_claim(record("a"), due=NOON)
    assert store.claim("a") is None
    assert beside(lambda: store.add_claim(record("b"), due=NOON))() == record("b")
    with transaction.atomic(using=store.using):
        store.add_claim(record("c"), due=NOON)
    assert beside(lambda: store.add_claim(record("d"), due=NOON))() == record("d")
    assert [claim.id for claim in store.open_claims(KEY)] == ["b", "c", "d"]


def test_what_could_not_be_written_does_not_undo_the_hosts_own(store: DjangoStore) -> None:
    store.add_claim(record("same"), due=NOON)
    with transaction.atomic(using=store.using):
        models.Host.objects.using(store.using).create(key="k", host="the host's", next_slot=NOON, free_at=NOON)
        with pytest.raises(StoreError):
            store.add_claim(replace(record("same"), key="0" * 64), due=NOON)
        with pytest.raises(StoreError, match="without an offset"):
            owe(store, now=NOON.replace(tzinfo=None))
    assert models.Host.objects.using(store.using).filter(key="k").exists()
    assert store.deliveries() == []


def test_a_host_that_commits_by_itself_does_so_for_us_too(on_server: DjangoStore) -> None:
    store = on_server
    transaction.set_autocommit(False, using=store.using)
    try:
        owe(store)
        store.add_claim(record("a"), due=NOON)
        transaction.rollback(using=store.using)
        assert store.deliveries() == []
        owe(store)
        transaction.commit(using=store.using)
    finally:
        transaction.rollback(using=store.using)
        transaction.set_autocommit(True, using=store.using)
    assert len(store.deliveries()) == 1
    assert store.claim("a") is None


def test_two_hosts_that_publish_one_post_at_once_owe_it_once(on_server: DjangoStore) -> None:
    """The one that comes second finds a row that was not there, and is done again within its own transaction."""
    edit = edited(OWED.target)

    def second() -> list[Any]:
        with transaction.atomic(using=on_server.using):
            return on_server.record_edit(edit)

    with transaction.atomic(using=on_server.using):
        on_server.record_edit(edit)
        wait = beside(second)
        eventually(lambda: blocked(on_server))
    assert wait() == []
    assert len(on_server.deliveries()) == 1


def test_no_check_ends_over_a_claim_that_the_host_has_not_committed(on_server: DjangoStore) -> None:
    """It would be open for ever, with no job."""
    on_server.add_claim(record("a"), due=NOON)
    job, verdict = take(on_server), Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))])
    with transaction.atomic(using=on_server.using):
        on_server.add_claim(record("b", protocol="pingback"), due=NOON)
        wait = beside(lambda: on_server.finish_check(job, verdict))
        eventually(lambda: blocked(on_server))
    wait()
    assert [claim.id for claim in on_server.open_claims(KEY)] == ["b"]
    assert on_server.next_due() == NOON


@pytest.mark.parametrize("named", [True, False])
def test_djangos_connection_may_be_named_and_no_other(on_file: DjangoStore, named: bool) -> None:
    given: Any = connections[on_file.using] if named else connections["default"]
    with transaction.atomic(using=on_file.using):
        if named:
            assert len(on_file.record_edit(edited(OWED.target), connection=given)) == 1
        else:
            with pytest.raises(StoreError, match=r"inside transaction\.atomic\(\) is part of it"):
                on_file.record_edit(edited(OWED.target), connection=given)


def rolled_back(store: DjangoStore) -> None:
    with undone(store):
        store.add_claim(record("a"), due=NOON)


def undone_within_one_that_is_committed(store: DjangoStore) -> None:
    with transaction.atomic(using=store.using), undone(store):
        store.add_claim(record("a"), due=NOON)


def closed_within(store: DjangoStore) -> None:
    with contextlib.suppress(Error), transaction.atomic(using=store.using):
        store.add_claim(record("a"), due=NOON)
        connections[store.using].close()


def by_hand(end: Callable[..., None]) -> Callable[[DjangoStore], None]:
    def ended(store: DjangoStore) -> None:
        transaction.set_autocommit(False, using=store.using)
        store.add_claim(record("a"), due=NOON)
        end(using=store.using)

    return ended


ENDINGS = {
    "rolled back": rolled_back,
    "undone within another": undone_within_one_that_is_committed,
    "closed within": closed_within,
    "committed by hand": by_hand(transaction.commit),
    "rolled back by hand": by_hand(transaction.rollback),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_nobody_waits_for_a_transaction_of_the_hosts_that_is_over(
    on_server: DjangoStore, end: Callable[[DjangoStore], None]
) -> None:
    """While the connection that it had stays open, and nobody uses it again."""
    using = on_server.using
    connections[using].ensure_connection()
    try:
        end(on_server)
        assert beside(lambda: on_server.add_claim(record("b"), due=NOON))() == record("b")
    finally:
        connections[using].close()


def test_the_way_back_to_autocommit_ends_a_transaction_of_mysql(
    django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    store = django_databases.store(ON_SERVERS[1], tmp_path)
    by_hand(lambda using: transaction.set_autocommit(True, using=using))(store)
    assert beside(lambda: store.add_claim(record("b"), due=NOON))() == record("b")
    assert [claim.id for claim in store.open_claims(KEY)] == ["a", "b"]


def test_who_meets_a_transaction_of_the_hosts_that_lasts_waits_a_while_and_is_told(
    on_server: DjangoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendors, "_WAIT", 1)
    with transaction.atomic(using=on_server.using):
        on_server.add_claim(record("a"), due=NOON)
        with pytest.raises(StoreError, match=r"lock timeout|held its lock for 1 seconds"):
            beside(lambda: on_server.add_claim(record("b"), due=NOON))()
    assert on_server.claim("b") is None


@pytest.mark.parametrize("own", ["", "-c lock_timeout=50ms"])
def test_a_limit_of_the_projects_own_stands(own: str, django_databases: DjangoDatabases, tmp_path: Path) -> None:
    options = {**django_databases.settings(ON_SERVERS[0], tmp_path).get("OPTIONS", {})}
    options["options"] = f"{options.get('options', '')} {own}".strip()
    store = DjangoStore(django_databases.empty(ON_SERVERS[0], tmp_path, OPTIONS=options))

    def limit() -> str:
        with connections[store.using].cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return str(cursor.fetchone()[0])

    before = limit()
    assert before == ("50ms" if own else "0")
    with store._database.write(KEY):
        assert limit() == (before if own else "5s")
    assert limit() == before
    with transaction.atomic(using=store.using):
        store.add_claim(record("a"), due=NOON)
        assert limit() == before


@pytest.fixture(params=DJANGO_KINDS)
def by_hand_only(request: pytest.FixtureRequest, django_databases: DjangoDatabases, tmp_path: Path) -> DjangoStore:
    """A store of a project that switched Django's transaction management off."""
    django_databases.store(request.param, tmp_path)
    return DjangoStore(django_databases.empty(request.param, tmp_path, AUTOCOMMIT=False))


def kept(store: DjangoStore) -> list[str]:
    """The claims that somebody else sees."""
    rows = models.Claim.objects.using(store.using).order_by("id")
    found: list[str] = beside(lambda: list(rows.values_list("public_id", flat=True)))()
    return found


def test_what_must_last_is_committed_where_the_host_would_have_to(by_hand_only: DjangoStore) -> None:
    store, connection = by_hand_only, connections[by_hand_only.using]
    signals.request_started.send(sender=None)
    try:
        # the host has read something already
        models.Claim.objects.using(store.using).count()
        with store.lasting():
            store.add_claim(record("a"), due=NOON)
        assert kept(store) == ["a"]
        assert connection.get_autocommit() is False, "as it was"
        if connection.vendor == "sqlite":
            # where the end of a savepoint commits, when nobody began a transaction
            return
        store.add_claim(record("b"), due=NOON)
        connection.rollback()
        with transaction.atomic(using=store.using), store.lasting():
            store.add_claim(record("c"), due=NOON)
        connection.rollback()
        assert kept(store) == ["a"], "the rest is the host's to commit"
    finally:
        signals.request_finished.send(sender=None)


def test_an_endpoint_keeps_what_it_answers_where_the_host_would_have_to_commit(by_hand_only: DjangoStore) -> None:
    given = {"SITE": SITE, "USING": by_hand_only.using, "WORKERS": 0}
    with override_settings(LINKBACK=given):
        response = Client().post("/linkback/webmention", {"source": SOURCE, "target": PAGE})
        assert response.status_code == 201
        connections[by_hand_only.using].rollback()
        assert len(kept(by_hand_only)) == 1


def test_a_post_is_published_where_the_host_commits_by_hand(store: DjangoStore) -> None:
    with override_settings(LINKBACK={"SITE": SITE, "USING": store.using, "WORKERS": 0}):
        transaction.set_autocommit(False, using=store.using)
        try:
            assert len(blog.publish(PAGE, f'<a href="{OWED.target}">Carol</a>')) == 1
            transaction.commit(using=store.using)
        finally:
            transaction.rollback(using=store.using)
            transaction.set_autocommit(True, using=store.using)
        assert len(store.deliveries()) == 1


# many at once


@pytest.mark.parametrize("options", [{}, {"transaction_mode": "IMMEDIATE"}])
def test_threads_that_write_to_a_file_wait_for_each_other(
    options: dict[str, str], django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    """A transaction of SQLite that reads before it writes fails at once where another has written meanwhile."""
    store = DjangoStore(django_databases.empty("django sqlite file", tmp_path, OPTIONS=options))

    def work(number: int) -> None:
        for each in range(12):
            store.add_claim(replace(record(f"{number}.{each}"), key=f"{number}{each:063}"), due=NOON)
            (job,) = store.lease(NOON, NOON + MINUTE)
            store.finish_check(job, Verdict(key=job.subject, page=PAGE, claims=[]))

    for wait in [beside(functools.partial(work, number)) for number in range(6)]:
        wait()
    assert models.Claim.objects.using(store.using).count() == 72
    # a claim that its own check did not answer keeps its job
    assert models.Job.objects.using(store.using).count() == 72


def test_threads_share_a_database_in_memory(django_databases: DjangoDatabases) -> None:
    """Django's own tests run on one; there, who meets another's lock does not wait."""
    place = "file:memorydb_linkback?mode=memory&cache=shared"
    alias = django_databases.add("in_memory", {"ENGINE": "django.db.backends.sqlite3", "NAME": place})
    connections[alias].ensure_connection()
    call_command("migrate", database=alias, verbosity=0)
    store = DjangoStore(alias)

    def work(number: int) -> None:
        for each in range(25):
            claim = replace(record(f"{number}.{each}"), key=f"{number}{each:063}")
            store.add_claim(claim, due=NOON)
            store.lease(NOON, NOON + MINUTE)
            assert store.claim(claim.id) == claim

    for wait in [beside(functools.partial(work, number)) for number in range(6)]:
        wait()
    assert models.Claim.objects.using(alias).count() == 150


@pytest.mark.parametrize(("kind", "level"), [(ON_SERVERS[0], 3), (ON_SERVERS[1], "repeatable read")])
def test_our_transactions_see_what_others_commit_whatever_the_host_asked_for(
    kind: str, level: object, django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    """From a snapshot, what was said while we waited for our turn could not be seen."""
    options = {**django_databases.settings(kind, tmp_path).get("OPTIONS", {}), "isolation_level": level}
    store = DjangoStore(django_databases.empty(kind, tmp_path, OPTIONS=options))
    store.add_claim(record("a"), due=NOON)
    with store._database.write(KEY):
        assert models.Claim.objects.using(store.using).count() == 1
        beside(lambda: store.add_claim(replace(record("b"), key="0" * 64), due=NOON))()
        assert models.Claim.objects.using(store.using).count() == 2


WORKER = f"""
    import json, os, sys
    sys.path.insert(0, {str(REPOSITORY)!r})
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django_project.settings"
    from pathlib import Path
    from tests.django_project.stores import DjangoDatabases, DjangoStore
    from linkback.jobs import External
    from linkback.policy import Policy
    from linkback.site import Site
    from tests.scale.exchange import HOME, Exchange
    settings, log = sys.argv[1].split("\\n")
    store = DjangoStore(DjangoDatabases(Path()).add("shared", json.loads(settings)))
    web = Exchange(Path(log))
    site = Site(HOME, store=store, fetch=web, policy=Policy(recheck_days=0), runner=External())
    print("ready", flush=True)
    sys.stdin.readline()
    site.drain()
    site.close()
    web.close()
"""


def test_processes_do_each_job_once(store: DjangoStore, tmp_path: Path) -> None:
    from tests.scale.exchange import ENDPOINT, HOME, TARGET, Exchange, linked, source

    log, jobs, ago = tmp_path / "log", 30, datetime.now(UTC) - timedelta(hours=1)
    web = Exchange(log)
    with Site(HOME, store=DjangoStore(store.using), fetch=web, clock=lambda: ago, runner=External()) as site:
        for number in range(jobs):
            site.receive(Claim("webmention", source(number), TARGET))
        links = "".join(f"<a href='{linked(number)}'>x</a>" for number in range(jobs))
        with transaction.atomic(using=store.using):
            site.publish(f"{HOME}post", f"<title>A post</title>{links}")
    web.close()
    known = connections.databases[store.using]
    settings = {name: known[name] for name in ("ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")}
    assert together(WORKER, f"{json.dumps(settings)}\n{log}", count=3) == [""] * 3
    told = Counter(tuple(line.split()[1:]) for line in log.read_text().splitlines())
    once = {("GET", page(number)) for page in (source, linked) for number in range(jobs)}
    assert told == Counter(once | {("POST", f"https://r{number}.example{ENDPOINT}") for number in range(jobs)})
    assert (store.next_due(), store.parked(), len(store.mentions())) == (None, [], jobs)


# connections


def test_a_call_leaves_the_connection_as_it_found_it(store: DjangoStore) -> None:
    connection = connections[store.using]
    connection.close()
    store.add_claim(record("a"), due=NOON)
    assert store.next_due() == NOON
    assert connection.connection is None, "who works for us has no idle connection"
    connection.ensure_connection()
    mine = connection.connection
    store.add_claim(record("b"), due=NOON)
    assert store.claim("b") is not None
    store.close()
    assert connection.connection is mine, "the host's may be in the middle of something"


def test_a_thread_that_works_keeps_its_connection_while_it_has_a_job(store: DjangoStore) -> None:
    """And none while it sleeps, also not what a hook of the host's opened."""
    store.add_claim(record("a"), due=NOON)

    def work() -> list[bool]:
        connection, seen = connections[store.using], []
        (job,) = store.lease(NOON, NOON + MINUTE)
        seen.append(connection.connection is not None)
        mine = connection.connection
        store.finish_check(job, Verdict(key=KEY, page=PAGE, claims=[answered(record("a"))]))
        seen.append(connection.connection is mine)
        assert store.lease(NOON, NOON + MINUTE) == []
        seen.append(connection.connection is None)
        models.Claim.objects.using(store.using).count()
        assert store.lease(NOON, NOON + MINUTE) == []
        seen.append(connection.connection is None)
        return seen

    assert beside(work)() == [True, True, True, True]


def test_in_a_request_django_looks_after_the_connection(store: DjangoStore) -> None:
    connection = connections[store.using]
    connection.close()
    signals.request_started.send(sender=None)
    try:
        store.add_claim(record("a"), due=NOON)
        mine = connection.connection
        assert mine is not None
        assert store.claim("a") is not None
        assert len(store.lease(NOON, NOON + MINUTE)) == 1
        assert store.lease(NOON, NOON + MINUTE) == []
        assert connection.connection is mine
    finally:
        signals.request_finished.send(sender=None)
    assert connection.connection is None


def test_a_connection_lives_as_long_as_the_settings_say(django_databases: DjangoDatabases, tmp_path: Path) -> None:
    store = DjangoStore(django_databases.empty("django sqlite file", tmp_path, CONN_MAX_AGE=60))
    connection = connections[store.using]
    connection.close()
    store.next_due()
    mine = connection.connection
    assert mine is not None
    store.next_due()
    assert connection.connection is mine
    store.close()
    assert connection.connection is None


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("kind", ON_SERVERS)
def test_a_connection_that_the_server_closed_is_replaced(
    kind: str, ours: bool, django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    """Ours at once; of the host's, the first call after it says so, and the next has another."""
    store = DjangoStore(django_databases.empty(kind, tmp_path, CONN_MAX_AGE=60))
    connection = connections[store.using]
    connection.close()
    postgres = connection.vendor == "postgresql"
    if ours:
        store.next_due()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()" if postgres else "SELECT CONNECTION_ID()")
        (own,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({own})" if postgres else f"KILL {own}")
    other.close()
    if not ours:
        with pytest.raises(StoreError, match=r"^database"):
            store.next_due()
    assert store.next_due() is None
    connection.close()


def opened(store: DjangoStore, work: Callable[[], Any]) -> int:
    """How many connections a thread opens for some work."""
    made: list[Any] = []

    def note(connection: Any, **more: Any) -> None:
        if connection.alias == store.using:
            made.append(connection)

    connection_created.connect(note)
    try:
        beside(work)()
    finally:
        connection_created.disconnect(note)
    return len(made)


class ByHand(External):
    """A runner whose steps a test takes."""

    def attach(self, step: Step, wait: Wait) -> None:
        self.step, self.wait = step, wait


@pytest.mark.parametrize(("keep", "most"), [(False, 3), (True, 1)])
def test_a_thread_that_finds_nothing_asks_when_to_look_again_on_the_same_connection(
    store: DjangoStore, keep: bool, most: int
) -> None:
    """And has none while it sleeps, unless it is to look again in a moment."""
    runner, seen = ByHand(), []

    def work() -> None:
        for _ in range(3):
            assert runner.step() is False
            assert runner.wait() is None
            seen.append(connections[store.using].connection is not None)

    with Site(SITE, store=DjangoStore(store.using), runner=DjangoRunner(runner, store.using, keep=keep)):
        assert opened(store, work) == most
    assert seen == [keep] * 3


def test_a_thread_that_fails_keeps_no_connection(store: DjangoStore) -> None:
    runner = ByHand()

    def breaks() -> bool:
        assert store.lease(NOON, NOON) == []
        raise RuntimeError

    def work() -> bool:
        with pytest.raises(RuntimeError):
            runner.step()
        return connections[store.using].connection is None

    DjangoRunner(runner, store.using).attach(breaks, lambda: None)
    assert beside(work)()


def test_a_thread_that_ends_leaves_no_connection_behind(store: DjangoStore) -> None:
    """Also where threads keep theirs while they sleep."""
    runner, both = Embedded(2), threading.Barrier(3)
    opened_by: list[Any] = []

    def step() -> bool:
        if connections[store.using].connection is None:
            assert store.lease(NOON, NOON) == []
            opened_by.append(connections[store.using])
            both.wait(30)
        return False

    DjangoRunner(runner, store.using, keep=True).attach(step, lambda: None)
    runner.call(2)
    both.wait(30)
    runner.stop(30)
    assert [each.connection for each in opened_by] == [None, None]


@pytest.mark.parametrize("kind", ["django sqlite file", *ON_SERVERS])
def test_a_fork_has_connections_of_its_own(kind: str, django_databases: DjangoDatabases, tmp_path: Path) -> None:
    """What two processes say on one they do not understand."""
    store = DjangoStore(django_databases.empty(kind, tmp_path, CONN_MAX_AGE=None))
    connections[store.using].close()
    store.next_due()
    mine = connections[store.using].connection
    assert mine is not None
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - not in this process
        try:
            found = connections[store.using].connection is None and store.next_due() is None
            mine.close()
            os.write(writer, b"its own" if found else b"ours")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert os.read(reader, 100) == b"its own"
    os.close(reader)
    store.add_claim(record("a"), due=NOON)
    assert connections[store.using].connection is mine, "what the child says is not heard"
    store.close()


# errors


def test_a_server_that_cannot_skip_locked_rows_is_refused(
    django_databases: DjangoDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = django_databases.store(ON_SERVERS[1], tmp_path)
    connection = connections[store.using]
    monkeypatch.setitem(connection.__dict__, "mysql_server_info", "10.5.26-MariaDB-log")
    wanted = r"^database 'django_mysql': MariaDB 10\.5\.26-MariaDB-log is too old; linkback needs 10\.6\.0$"
    for host in (contextlib.nullcontext(), transaction.atomic(using=store.using)):
        with host, pytest.raises(StoreError, match=wanted):
            store.next_due()


def test_an_alias_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(StoreError, match=r"'nowhere'.*doesn't exist"):
        DjangoStore("nowhere")


def test_a_kind_of_database_that_we_do_not_speak_is_a_clear_error(django_databases: DjangoDatabases) -> None:
    alias = django_databases.add("dummy", {"ENGINE": "django.db.backends.dummy"})
    with pytest.raises(StoreError, match="database 'dummy': linkback speaks SQLite"):
        DjangoStore(alias)
    django_databases.forget(alias)


@pytest.mark.parametrize("kind", ON_SERVERS)
def test_a_server_that_turns_us_away_is_told_without_the_password(
    kind: str, django_databases: DjangoDatabases, tmp_path: Path
) -> None:
    settings = {**django_databases.settings(kind, tmp_path), "USER": "nobody_of_that_name", "PASSWORD": "s3cret/:"}
    alias = django_databases.add("closed", {**settings, "NAME": "no_such_database"})
    with pytest.raises(StoreError) as caught:
        DjangoStore(alias).add_claim(record("a"), due=NOON)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    django_databases.forget(alias)


def test_an_error_shows_no_parameter_and_no_second_line(store: DjangoStore) -> None:
    store.add_claim(record("same"), due=NOON)
    with pytest.raises(StoreError) as caught:
        store.add_claim(replace(record("same"), key="0" * 64), due=NOON)
    assert "\n" not in str(caught.value)
    assert SOURCE not in str(caught.value)


def test_a_transaction_that_is_lost_already_is_told(store: DjangoStore) -> None:
    with transaction.atomic(using=store.using):
        transaction.set_rollback(True, using=store.using)
        with pytest.raises(StoreError, match="'atomic' block"):
            store.next_due()


# processes that end


def ending(code: str, database: Path, **more: Any) -> subprocess.Popen[str]:
    """A process of a project on a database, with a thread for the work where it serves; what it prints can be read."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.django_project.worker",
        "TEST_DATABASE": str(database),
        "TEST_WORKERS": "1",
    }
    command = [sys.executable, "-c", f"import django; django.setup()\n{textwrap.dedent(code)}"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, **more)


def test_a_process_that_does_not_serve_begins_nothing_that_would_end_with_it(
    on_file: DjangoStore, tmp_path: Path
) -> None:
    """As a command of the project's, its shell, or cron: who works or serves does it."""
    site = "https://t.example/"
    on_file.add_claim(replace(record("a"), site=site), due=NOON)
    (job,) = on_file.lease(NOON, NOON + MINUTE)
    on_file.release(job, due=None)
    code = """
        import threading
        from django.core.management import call_command
        from linkback.adapters.django import publish
        publish("/post", "<a href='http://127.0.0.1:1/x'>x</a>", dry_run=True)
        publish("/post", "<a href='http://127.0.0.1:1/x'>x</a>")
        call_command("linkback", "revive", "--all")
        print([thread.name for thread in threading.enumerate()])
    """
    with ending(code, tmp_path / "django.db") as process:
        assert process.communicate()[0] == "1 to be tried again\n['MainThread']\n"
    rows = models.Job.objects.using(on_file.using)
    assert list(rows.values_list("attempts", "leased_until")) == [(0, None)] * 2


def test_a_server_that_ends_gives_back_what_it_has_in_hand(on_file: DjangoStore, tmp_path: Path) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(environ: Any, start: Any) -> list[bytes]:
        asked.set()
        go.wait(60)
        start("200 OK", [("Content-Type", "text/html")])
        return [b"<p>"]

    code = """
        import sys
        from django.test import Client
        from linkback.adapters.django import blog
        blog._AT_EXIT = 0.1
        form = {"source": sys.stdin.readline().strip(), "target": "https://t.example/post"}
        print(Client().post("/linkback/webmention", form).status_code, flush=True)
        sys.stdin.readline()
    """
    with served(slow) as there, ending(code, tmp_path / "django.db", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(f"{there}/a", file=process.stdin, flush=True)
        assert process.stdout.readline() == "201\n"
        assert asked.wait(60)
        assert on_file.lease(datetime.now(UTC), datetime.now(UTC)) == [], "the other has it"
        process.communicate("\n")
        (job,) = on_file.lease(datetime.now(UTC), datetime.now(UTC))
        go.set()
    assert job.kind is JobKind.CHECK


# together


def answer(html: str, **headers: str) -> Response:
    return Response(200, (("Content-Type", "text/html"), *headers.items()), html.encode(), "")


@pytest.fixture
def web() -> FakeWeb:
    endpoint = {"Link": '<https://carol.example/wm>; rel="webmention"'}
    pages: dict[str, Any] = {
        SOURCE: answer(f'<title>A note</title><a href="{PAGE}">Bob</a>'),
        OWED.target: answer("<title>Carol</title>", **endpoint),
        "https://carol.example/wm": Response(202, (), b"", ""),
    }
    return FakeWeb(pages)


@pytest.fixture
def site(store: DjangoStore, web: FakeWeb) -> Iterator[Site]:
    policy = Policy(recheck_days=0)
    with Site(SITE, store=store, fetch=web, policy=policy, clock=FakeClock(), runner=External()) as site:
        yield site


def test_a_site_receives_checks_and_publishes(site: Site, web: FakeWeb, store: DjangoStore) -> None:
    receipt = site.receive(Claim("webmention", SOURCE, PAGE))
    site._clock.advance(60)  # type: ignore[attr-defined]
    with undone(store):
        site.publish(PAGE, f'<a href="{OWED.target}">Carol</a>')
    assert site.drain() == 1, "the check; nothing is owed"
    kept = site.claim(receipt.id)
    assert kept is not None
    assert kept.state is ClaimState.SUCCESS
    assert [mention.title for mention in site.mentions(PAGE)] == ["A note"]
    assert web.posts == []
    with transaction.atomic(using=store.using):
        site.publish(PAGE, f'<a href="{OWED.target}">Carol</a>')
    assert site.drain() == 1
    assert [post.url for post in web.posts] == ["https://carol.example/wm"]


def test_a_mention_is_looked_at_again_when_it_is_asked_for(store: DjangoStore) -> None:
    check(store, "a", mention=found())
    (mention,) = store.mentions()
    assert store.recheck(mention.id, due=NOON + MINUTE)
    assert take(store, NOON + MINUTE).subject == KEY
    assert not store.recheck("77", due=NOON)
    assert not store.recheck("x", due=NOON)


def test_many_links_take_few_statements(store: DjangoStore) -> None:
    """What a post owes is written in rows, not row by row."""
    few, many = ([f"https://h{number}.example/" for number in range(count)] for count in (2, 50))
    counts = []
    for source, targets in (("/few", few), ("/many", many), ("/again", many)):
        with CaptureQueriesContext(connections[store.using]) as queries:
            owe(store, *targets, source=SITE + source, gap=MINUTE)
        counts.append(len(queries))
    # the second knows two of the hosts, and the third all
    assert max(counts) - min(counts) <= 2, counts


def test_the_django_store_needs_no_sqlalchemy() -> None:
    code = (
        "import django, os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.django_project.settings';"
        "django.setup(); from linkback.adapters.django.store import DjangoStore; DjangoStore(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=REPOSITORY)
    assert {"sqlalchemy", "alembic"} & set(done.stdout.split()) == set()
