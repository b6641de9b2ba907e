"""Celery on Redis: two workers of which each dies in the middle of a job, and a Redis that forgets everything.

Redis is the one that LINKBACK_TEST_REDIS names, else one on 127.0.0.1:6379, else one that is started for the test. All
keys have a prefix of their own and are deleted at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import celery
import pytest
import redis

from linkback import Claim, Outcome, Site
from linkback.adapters.celery import RUN, SWEEP, connect
from linkback.model import ARRIVED
from linkback.protocols import xmlrpc
from tests.databases import Databases
from tests.interop import celery_blog
from tests.serving import eventually, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.interop
REPOSITORY = Path(__file__).parents[2]
_PATIENCE = 60.0
#: quick receivers stand on so many hosts: one host is sent one POST at a time
HOSTS = 6


# Redis


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=2, retry=None)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    url = os.environ.get("LINKBACK_TEST_REDIS", "redis://127.0.0.1:6379/0")
    if _answers(url):
        yield url
    elif "LINKBACK_TEST_REDIS" not in os.environ and (program := shutil.which("redis-server")):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path_factory.mktemp("redis"))]
        with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as process:
            url = f"redis://127.0.0.1:{port}/0"
            eventually(lambda: _answers(url))
            yield url
            process.terminate()
    else:
        reason = f"no Redis at {url}; LINKBACK_TEST_REDIS may name one"
        if os.environ.get("LINKBACK_REQUIRE_DATABASES") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


class Broker:
    """A corner of a Redis: `settings` make a Celery app use it."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._prefix = f"linkback-test-{uuid.uuid4().hex}:"
        self.settings = {
            "broker_url": url,
            "broker_transport_options": {"global_keyprefix": self._prefix},
            "worker_prefetch_multiplier": 1,
        }

    def waiting(self) -> list[str]:
        """The tasks whose messages wait."""
        raw = self._client.lrange(f"{self._prefix}celery", 0, -1)
        return [json.loads(message)["headers"]["task"] for message in raw]

    def empty(self) -> None:
        """Forget everything."""
        for key in self._client.scan_iter(f"{self._prefix}*"):
            self._client.delete(key)

    def close(self) -> None:
        self.empty()
        self._client.close()


@pytest.fixture
def broker(server: str) -> Iterator[Broker]:
    broker = Broker(server)
    yield broker
    broker.close()


# the web


_REPLIES = {
    "webmention": b"",
    "pingback": xmlrpc.write_result("ok"),
    "trackback": b"<response><error>0</error></response>",
}


class Web:
    """Posts, sources and receivers on loopback; it knows what each receiver got, and from which process.

    A receiver whose path ends in `slow` answers when `go` is set.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.posts: list[tuple[str, int]] = []

    def application(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        path = str(environ["PATH_INFO"])
        protocol = path.split("/")[1]
        if environ["REQUEST_METHOD"] == "POST":
            return self._receive(environ, start_response, protocol)
        headers = [("Content-Type", "text/html; charset=utf-8")]
        endpoint = f"http://{environ['HTTP_HOST']}{path}"
        if protocol == "webmention":
            headers.append(("Link", f"<{endpoint}>; rel=webmention"))
        elif protocol == "pingback":
            headers.append(("X-Pingback", endpoint))
        start_response("200 OK", headers)
        trackback = f"<link rel=trackback href='{endpoint}'>" if protocol == "trackback" else ""
        target = str(environ["QUERY_STRING"])
        return [f"<!doctype html><title>A page</title>{trackback}<a href='{target}'>x</a>".encode()]

    def _receive(self, environ: WSGIEnvironment, start_response: StartResponse, protocol: str) -> list[bytes]:
        path = str(environ["PATH_INFO"])
        [pid] = re.findall(r"worker/(\d+)", str(environ["HTTP_USER_AGENT"]))
        self.posts.append((path, int(pid)))
        if path.endswith("slow"):
            assert self.go.wait(_PATIENCE)
        start_response("200 OK", [("Content-Type", "text/xml")])
        return [_REPLIES[protocol]]

    def worker_at(self, path: str) -> int:
        """The process that waits for a slow receiver."""
        return eventually(lambda: next((pid for at, pid in self.posts if at == path), 0), seconds=_PATIENCE)


def targets(hosts: list[str], protocol: str, count: int, batch: str) -> list[str]:
    return [f"{hosts[number % HOSTS]}/{protocol}/{batch}{number}" for number in range(count)]


# the workers


@contextlib.contextmanager
def running(folder: Path, settings: dict[str, Any], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Celery; what it logged is shown where the test fails."""
    environ = {**os.environ, celery_blog.VARIABLE: json.dumps(settings)}
    command = [sys.executable, "-m", "celery", "-A", "tests.interop.celery_blog", *arguments]
    log = folder / f"{uuid.uuid4().hex}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=REPOSITORY, env=environ, start_new_session=True
        )
    try:
        yield process
    except BaseException:
        print(*arguments, log.read_text(errors="replace"), sep="\n")
        raise
    finally:
        # its children too, also where it died itself
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_PATIENCE)


@pytest.mark.parametrize("kind", ["sqlite file", "postgresql"])
def test_nothing_is_lost_where_workers_are_killed_and_redis_is_emptied(
    kind: str, databases: Databases, broker: Broker, tmp_path: Path
) -> None:
    web = Web()
    with contextlib.ExitStack() as stack:
        home, *hosts, first, second = [stack.enter_context(served(web.application)) for _ in range(HOSTS + 3)]
        store = databases.empty(kind, tmp_path)
        stack.callback(web.go.set)
        site = stack.enter_context(celery_blog.make(home, store))
        app = celery.Celery("web", set_as_current=False)
        app.conf.update(broker.settings)
        connect(app, site, every=celery_blog.SWEEP_SECONDS)

        settings = {"celery": broker.settings, "home": home, "store": store}
        stack.enter_context(running(tmp_path, settings, "worker", "--pool", "solo", "-n", "one@%h"))
        stack.enter_context(running(tmp_path, settings, "worker", "--pool", "prefork", "-c", "1", "-n", "two@%h"))
        stack.enter_context(running(tmp_path, settings, "beat", "-s", str(tmp_path / "beat")))

        # each worker has a delivery in hand that does not end
        slow = [f"{first}/webmention/slow", f"{second}/trackback/slow"]
        quick = [url for protocol in _REPLIES for url in targets(hosts, protocol, 6, "a")]
        publish(site, "first", [*slow, *quick])
        claim(site, [f"{host}/source/a" for host in hosts])
        victims = [web.worker_at(urlsplit(url).path) for url in slow]
        assert len(set(victims)) == 2

        # more is owed, and the messages for it are gone
        more = targets(hosts, "webmention", 12, "b")
        publish(site, "second", more)
        claim(site, [f"{host}/source/b" for host in hosts])
        app.tasks[SWEEP].apply(throw=True)
        assert broker.waiting().count(RUN) >= len(more)
        broker.empty()

        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        web.go.set()
        eventually(lambda: site.store.next_due() is None, seconds=_PATIENCE)
        app.close()

        outcomes = {each.target: each.outcome for each in site.deliveries()}
        assert set(outcomes) == {*slow, *quick, *more}
        assert {url for url, outcome in outcomes.items() if outcome not in ARRIVED} == {slow[1]}
        assert outcomes[slow[1]] is Outcome.UNKNOWN, "nobody can know whether it arrived"
        assert len(site.mentions(f"{site.url}post")) == 2 * len(hosts)
        got = Counter(path for path, _ in web.posts)
        assert {path for path, times in got.items() if times > 1} == {"/webmention/slow"}
        assert got["/webmention/slow"] == 2


def publish(site: Site, name: str, urls: list[str]) -> None:
    site.publish(f"{site.url}{name}", "".join(f"<a href='{url}'>x</a>" for url in urls))


def claim(site: Site, sources: list[str]) -> None:
    for source in sources:
        site.receive(Claim("webmention", f"{source}?{site.url}post", f"{site.url}post"))
