"""The commands that run: in processes of their own, told to stop by signals, and what they do with the work."""

from __future__ import annotations

import contextlib
import json
import platform
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from linkback import Claim, Fetcher, Policy, Reason, Refused, Site, open_store
from linkback.jobs import External
from linkback.model import ClaimState, JobKind
from linkback.site import utcnow
from linkback.store import Storage
from linkback.testing import FakeWeb
from tests.commands import Ran
from tests.serving import LOOPBACK, eventually, pages, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATIENCE = 30.0
OURS = "https://t.example/"
OPEN = ("--allow-network", "127.0.0.0/8")


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'linkback.db'}"


@pytest.fixture
def store(database: str) -> Iterator[Storage]:
    store = open_store(database)
    yield store
    store.close()


@pytest.fixture
def source() -> Iterator[str]:
    """A page that links to posts of two blogs."""
    with served(pages({"/note": f"<a href='{OURS}post'>1</a><a href='https://u.example/post'>2</a>"})) as url:
        yield f"{url}/note"


def receiving(store: Storage, url: str = OURS) -> Site:
    """The site of an endpoint whose work is done elsewhere."""
    policy = Policy(settle_seconds=0)
    return Site(url, store=store, fetch=Fetcher(allow=LOOPBACK), policy=policy, runner=External())


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, ready; killed at the end where it still runs."""
    log = folder / "command.log"
    with log.open("w") as errors:
        process = subprocess.Popen([sys.executable, "-m", "linkback", *arguments], stderr=errors, text=True)
        try:
            eventually(lambda: re.search(r"linkback: (working|listening)", log.read_text()))
            yield process
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_does_what_endpoints_elsewhere_took_until_it_is_stopped(
    tmp_path: Path, database: str, store: Storage, source: str, number: signal.Signals
) -> None:
    receipt = receiving(store).receive(Claim("webmention", source, f"{OURS}post"))
    with running(tmp_path, "worker", "--site", OURS, "--database", database, *OPEN) as process:
        eventually(lambda: (record := store.claim(receipt.id)) and record.state is ClaimState.SUCCESS)
        process.send_signal(number)
        assert process.wait(12) == 0


def test_one_worker_works_for_several_blogs(tmp_path: Path, database: str, store: Storage, source: str) -> None:
    blogs = [receiving(store, url) for url in (OURS, "https://u.example/")]
    receipts = [blog.receive(Claim("webmention", source, f"{blog.url}post")) for blog in blogs]
    sites = ("--site", OURS, "--site", "https://u.example")
    with running(tmp_path, "worker", *sites, "--database", database, *OPEN):
        eventually(lambda: len(store.mentions()) == len(receipts))


def test_a_worker_that_is_stopped_gives_back_what_takes_too_long(tmp_path: Path, database: str, store: Storage) -> None:
    """Within twelve seconds (security.md R18): whoever works next begins at once, and no attempt is lost."""
    asked, let_go = threading.Event(), threading.Event()

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        asked.set()
        let_go.wait(PATIENCE)
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"<a href='{OURS}post'>".encode()]

    with served(slow) as url:
        receiving(store).receive(Claim("webmention", f"{url}/note", f"{OURS}post"))
        options = ("--site", OURS, "--database", database, "--grace", "1", *OPEN)
        with running(tmp_path, "worker", *options) as process:
            assert asked.wait(PATIENCE)
            process.terminate()
            assert process.wait(12) == 0
        let_go.set()
        due = store.next_due()
        assert due is not None
        assert due <= utcnow()
        [job] = store.lease(utcnow(), utcnow())
        assert job.attempts == 2


def test_serve_may_leave_the_work_to_others(tmp_path: Path, database: str, store: Storage, source: str) -> None:
    options = ("--site", OURS, "--database", database, "--bind", "127.0.0.1:0", "--no-work", *OPEN)
    with running(tmp_path, "serve", *options) as process:
        [url] = re.findall(r"listening on (\S+) for", (tmp_path / "command.log").read_text())
        ping = f"source={source}&target={OURS}post".encode()
        with urllib.request.urlopen(f"{url}/webmention", ping) as response:
            assert response.status == 201
        process.terminate()
        assert process.wait(12) == 0
    assert len(store.lease(utcnow().replace(year=2999), utcnow().replace(year=2999))) == 1


@pytest.mark.parametrize("command", ["worker", "serve"])
@pytest.mark.parametrize("url", [OURS, "http://127.0.0.1:8000/"])
def test_whoever_opens_this_machine_to_strangers_is_told_at_the_start(
    tmp_path: Path, database: str, command: str, url: str
) -> None:
    """In one line, by the option's own name, and it runs all the same; a blog that is private is told nothing."""
    bind = ("--bind", "127.0.0.1:0") if command == "serve" else ()
    with running(tmp_path, command, "--site", url, "--database", database, *bind, *OPEN) as process:
        log = (tmp_path / "command.log").read_text()
        assert log.count("127.0.0.0/8 is open to every stranger") == (url == OURS)
        assert log.count("(--allow-network 10.1.2.3/32)") == (url == OURS)
        if command == "serve":
            [served_at] = re.findall(r"listening on (\S+) for", log)
            with urllib.request.urlopen(f"{served_at}/healthz") as response:
                assert response.status == 200
        process.terminate()
        assert process.wait(12) == 0
    assert (tmp_path / "command.log").read_text().count("is open to every stranger") == (url == OURS)


@pytest.mark.parametrize(
    ("options", "environment", "heard"),
    [
        ((), {}, 40),
        (("--trusted-proxy", "10.0.0.1", "--trusted-proxy", "127.0.0.1"), {}, 30),
        ((), {"LINKBACK_TRUSTED_PROXIES": "10.0.0.1, 127.0.0.0/8"}, 30),
    ],
    ids=["nobody is named", "in the line", "in the environment"],
)
def test_serve_counts_the_pings_of_who_is_behind_a_proxy_that_was_named(
    options: tuple[str, ...],
    environment: dict[str, str],
    heard: int,
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    always = ("--site", OURS, "--database", database, "--bind", "127.0.0.1:0", "--no-work")
    with running(tmp_path, "serve", *always, *options):
        [url] = re.findall(r"listening on (\S+) for", (tmp_path / "command.log").read_text())
        taken = 0
        for number in range(40):
            form = f"source=https://s{number}.example/&target={OURS}post".encode()
            ping = urllib.request.Request(f"{url}/webmention", form, {"X-Forwarded-For": f"1.1.1.{number}, 8.8.8.8"})
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(ping):
                taken += 1
        assert taken == heard


def test_serve_says_at_once_that_a_source_stands_on_an_address_that_is_closed(
    tmp_path: Path, database: str, source: str
) -> None:
    """Its sender hears of it as late as of a host that is away."""
    options = ("--site", OURS, "--database", database, "--bind", "127.0.0.1:0")
    with running(tmp_path, "serve", *options) as process:
        [url] = re.findall(r"listening on (\S+) for", (tmp_path / "command.log").read_text())
        with urllib.request.urlopen(f"{url}/webmention", f"source={source}&target={OURS}post".encode()) as response:
            status = urllib.parse.urlsplit(response.headers["Location"]).path
        eventually(lambda: "(open it with --allow-network 127.0.0.0/8)" in (tmp_path / "command.log").read_text())
        with urllib.request.urlopen(url + status) as response:
            assert json.load(response)["status"] == "queued"
        process.terminate()
        assert process.wait(12) == 0
    assert "WARNING" in (tmp_path / "command.log").read_text()


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    done = Ran(capsys, *arguments)
    return done.code, done.out, done.err


def test_drain_does_what_is_due_and_ends(
    database: str, store: Storage, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site = receiving(store)
    site.receive(Claim("webmention", source, f"{OURS}post"))
    options = ("--site", OURS, "--database", database, *OPEN)
    assert ran(capsys, "drain", *options)[:2] == (0, "1 job done\n")
    assert ran(capsys, "drain", "--json", *options)[:2] == (0, '{"done": 0}\n')
    assert len(site.mentions()) == 1


def test_drain_says_which_deliveries_did_not_arrive(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0 all the same, as it did what was due; they can be listed afterwards."""
    post = f"{OURS}post"
    with (
        served(pages({"/": "<p>no endpoint", "/no": "<link rel=webmention href=/none>"})) as there,
        Site(OURS, store=database, fetch=Fetcher(allow=LOOPBACK), runner=External()) as site,
    ):
        closed, refusing, silent = "http://10.1.2.3/x", f"{there}/no", f"{there}/"
        site.publish(post, "".join(f"<a href='{target}'>x</a>" for target in (closed, refusing, silent)))
        options = ("--site", OURS, "--database", database, *OPEN, "--patience", "30")
        code, out, err = ran(capsys, "drain", *options)
        assert (code, out) == (0, "3 jobs done\n")
        told = [line for line in err.splitlines() if line.startswith("linkback: ")]
        assert sorted(line.partition(":")[2].split(": ")[0] for line in told) == sorted(
            [f" {post} -> refused {closed}", f" {post} -> refused by webmention {refusing} [404]"]
        )
        assert err.count("--allow-network 10.1.2.3/32") == 1, "the log does not say it once more"
        assert ran(capsys, "drain", *options) == (0, "0 jobs done\n", "")
    listing = ("deliveries", "--database", database)
    code, out, _ = ran(capsys, *listing, "--json", "--outcome", "refused", "--source", post)
    assert (code, {json.loads(line)["target"] for line in out.splitlines()}) == (0, {closed, refusing})
    assert len(ran(capsys, *listing, "--json")[1].splitlines()) == 3
    assert silent in ran(capsys, *listing, "--outcome", "no-endpoint")[1]
    for narrower in (("--outcome", "failed"), ("--source", f"{post}2"), ("--site", "https://other.example")):
        assert ran(capsys, *listing, *narrower) == (0, "", "linkback: no deliveries\n")
    assert ran(capsys, *listing, "--source", "post")[0] == 2


def laid_aside(store: Storage) -> Site:
    """A site with one job that killed its workers too often."""
    site = Site(OURS, store=store, fetch=FakeWeb(), policy=Policy(settle_seconds=0, pair_seconds=0), runner=External())
    site.receive(Claim("webmention", "https://s.example/", f"{OURS}post"))
    for _ in range(5):
        store.lease(utcnow(), utcnow())
    assert site.drain() == 1
    return site


def test_a_job_that_was_laid_aside_is_seen_and_tried_again(
    database: str, store: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    site = laid_aside(store)
    code, out, _ = ran(capsys, "jobs", "--json", "--database", database)
    [row] = [json.loads(line) for line in out.splitlines()]
    assert (code, row["kind"], row["site"], row["attempts"]) == (0, "check", OURS, 6)
    assert "after 6 attempts" in ran(capsys, "jobs", "--site", OURS, "--database", database)[1]
    assert ran(capsys, "jobs", "--site", "https://u.example", "--database", database)[1] == ""
    assert ran(capsys, "revive", str(row["id"]), "--database", database)[0] == 0
    assert ran(capsys, "jobs", "--database", database)[1] == ""
    assert site.drain() == 1, "it is tried again"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--all"], 0, "1 to be tried again"),
        (["999"], 1, "no job 999 that waits"),
        ([], 2, "give the IDs of jobs, or --all"),
        (["1", "--all"], 2, "give the IDs of jobs, or --all"),
        (["x"], 2, "not a valid integer"),
    ],
)
def test_revive_says_what_it_did(
    database: str, store: Storage, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    laid_aside(store)
    found, _, err = ran(capsys, "revive", *arguments, "--database", database)
    assert (found, said in err) == (code, True)
    assert len(store.parked()) == (0 if code == 0 else 1)


APP = """
from linkback import Policy, Site, Sites, open_store
from linkback.jobs import External
from linkback.testing import FakeWeb

def make():
    store = open_store({database!r})
    web = FakeWeb({{"https://s.example/": "<a href='https://t.example/post'>x</a>"}})
    site = Site("https://t.example", store=store, fetch=web, policy=Policy(settle_seconds=0), runner=External())
    return {made}

none = 7
"""


@pytest.mark.parametrize("made", ["site", "Sites([site], store=store)"])
def test_the_blogs_may_be_the_hosts_own(
    made: str,
    tmp_path: Path,
    database: str,
    store: Storage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my_blog.py").write_text(APP.format(database=database, made=made))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_blog", raising=False)
    receiving(store).receive(Claim("webmention", "https://s.example/", f"{OURS}post"))
    assert ran(capsys, "drain", "--app", "my_blog:make")[:2] == (0, "1 job done\n")
    assert len(store.mentions()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give the blog with --site"),
        (["--site", OURS, "--app", "json:loads"], "not both"),
        (["--app", "no_such_module"], "No module named"),
        (["--app", "json:nothing"], "has no attribute"),
        (["--app", "json:JSONDecodeError"], "--app json:JSONDecodeError"),
        (["--app", "string:digits"], "no Site and no Sites, but str"),
        (["--app", ":x"], "--app :x"),
        (["--app", "unruly:site"], "unruly.py, line 1"),
        (["--app", "my_blog.py:site"], "give the module, my_blog:site, not its file"),
        (["--app", "json:x", "--moderate"], "their own settings: --moderate"),
        (["--app", "json:x", "--database", "sqlite://"], "their own settings: --database"),
    ],
)
@pytest.mark.parametrize("command", ["worker", "drain", "serve"])
def test_blogs_that_are_none_are_a_clear_error(
    command: str,
    options: list[str],
    said: str,
    database: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINKBACK_DATABASE", database)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "unruly.py").write_text("this is no Python\n")
    code, out, err = ran(capsys, command, *options)
    assert (code, out, err.count("\n"), said in err) == (2, "", 1, True), err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--no-work", "--moderate"], "give --moderate to `linkback worker`"),
        (["--base", "nonsense"], "--base must be an absolute"),
        (["--trusted-proxy", "proxy.example"], "'proxy.example' is no address of a proxy"),
    ],
)
def test_what_serve_could_not_heed_is_refused(
    options: list[str], said: str, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ran(capsys, "serve", "--site", OURS, "--database", database, *options)
    assert (code, said in err) == (2, True)


def test_nothing_to_show_is_said(database: str, store: Storage, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, "jobs", "--database", database) == (0, "", "linkback: no job waits for a person\n")
    assert ran(capsys, "list", "--database", database) == (0, "", "linkback: no mentions\n")


def parked(store: Storage) -> list[tuple[JobKind, Any]]:
    return [(job.kind, job.subject) for job in store.parked()]


def test_a_claim_that_was_laid_aside_says_so_and_is_not_revived_by_a_stranger(store: Storage) -> None:
    """security.md R16: else who sent the poison could send it on."""
    site = laid_aside(store)
    [job] = store.parked()
    [record] = store.open_claims(job.subject)
    assert record.state is ClaimState.FAILED
    with pytest.raises(Refused) as caught:
        site.receive(Claim("webmention", "https://s.example/", f"{OURS}post"))
    assert caught.value.reason is Reason.UNAVAILABLE
    assert parked(store) == [(JobKind.CHECK, job.subject)]
    assert site.drain() == 0


HEAPS = f"""
import ctypes, pathlib, threading
from linkback import Site
from linkback.jobs import External
def blog():
    libc, all_there = ctypes.CDLL(None), threading.Barrier(21)
    libc.fopen.restype = libc.malloc.restype = ctypes.c_void_p
    def take():
        libc.malloc(5_000)
        all_there.wait()
    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    all_there.wait()
    file = ctypes.c_void_p(libc.fopen(b"heaps.xml", b"w"))
    libc.malloc_info(0, file)
    libc.fclose(file)
    return Site("{OURS}", store="sqlite://", runner=External())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps are those of glibc")
@pytest.mark.parametrize(("given", "most"), [("", 2), ("6", 6)])
@pytest.mark.parametrize("command", [("serve", "--bind", "127.0.0.1:0"), ("worker",)], ids=["serve", "worker"])
def test_threads_share_few_heaps_unless_the_environment_says_how_many(
    command: tuple[str, ...], given: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each keeps the room that the largest pages took (security.md, goal G-E)."""
    (tmp_path / "heaps.py").write_text(HEAPS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if given:
        monkeypatch.setenv("MALLOC_ARENA_MAX", given)
    with running(tmp_path, *command, "--app", "heaps:blog"):
        assert (tmp_path / "heaps.xml").read_text().count("<heap nr=") == most


LARGE = f"""
import ctypes, pathlib
from linkback import Site
from linkback.jobs import External
def blog():
    libc, word = ctypes.CDLL(None), ctypes.sizeof(ctypes.c_size_t)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    libc.free(libc.malloc(1_000_000))
    # a bit of the word before it tells that it is no heap's
    large = ctypes.c_size_t.from_address(libc.malloc(900_000) - word).value
    pathlib.Path("large").write_text("apart" if large & 2 else "in a heap")
    return Site("{OURS}", store="sqlite://", runner=External())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps are those of glibc")
@pytest.mark.parametrize(("given", "where"), [("", "apart"), ("2000000", "in a heap")])
@pytest.mark.parametrize("command", [("serve", "--bind", "127.0.0.1:0"), ("worker",)], ids=["serve", "worker"])
def test_what_is_large_stays_out_of_the_heaps_unless_the_environment_says_so(
    command: tuple[str, ...], given: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else small things that stay come to lie between large ones that went (security.md, goal G-E)."""
    (tmp_path / "large_ones.py").write_text(LARGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    if given:
        monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", given)
    with running(tmp_path, *command, "--app", "large_ones:blog"):
        assert (tmp_path / "large").read_text() == where
