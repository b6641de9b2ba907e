"""Many processes on one file (security.md R6, R21), and what the system refuses to one of them (R4, R20)."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkback.jobs import External
from linkback.model import Claim, Status
from linkback.policy import Policy
from linkback.site import Site
from tests.hostile.pinging import HOME, PINGS, TAKEN, TARGET, UNAVAILABLE, EveryPageLinks, ask, source
from tests.serving import eventually
from tests.test_sqlite import together

resource = pytest.importorskip("resource", reason="needs the limits of POSIX")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "linkback.db"


def sound(path: Path) -> bool:
    probe = sqlite3.connect(path)
    try:
        return probe.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        probe.close()


@contextlib.contextmanager
def running(*command: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process and the lines of its stderr, which grow; it is told to end at the end."""
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    lines: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lines.extend, args=(process.stderr,))
    reader.start()
    try:
        yield process, lines
    finally:
        process.terminate()
        process.wait(30)
        reader.join()
        process.stderr.close()


# each job once


def test_embedded_threads_of_several_processes_do_each_job_once(path: Path) -> None:
    sources = [f"https://s{number}.example/" for number in range(60)]
    policy = Policy(settle_seconds=0)
    with Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), policy=policy, runner=External()) as site:
        for url in sources:
            site.receive(Claim("webmention", url, TARGET))
    code = f"""
        import sys
        sys.path.insert(0, {str(REPOSITORY)!r})
        from linkback.jobs import Embedded
        from linkback.site import Site
        from tests.hostile.pinging import EveryPageLinks
        fetched = []
        site = Site({HOME!r}, store=sys.argv[1], fetch=EveryPageLinks(fetched.append), runner=Embedded(threads=3))
        print("ready", flush=True)
        sys.stdin.readline()
        site.start()
        site.drain()
        site.close()
        print(*fetched)
    """
    outputs = together(code, f"sqlite:///{path}", count=2)
    fetched = [url for output in outputs for url in output.split()]
    assert sorted(fetched) == sorted(sources)
    with Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site:
        assert len(site.mentions(TARGET)) == len(sources)
    assert sound(path)


# servers that make the application first and fork then

PRE_FORK = f"""
import os, signal, sys
from linkback.adapters.server import Server
from linkback.policy import Policy
from linkback.site import Site
from tests.hostile.pinging import EveryPageLinks

site = Site({HOME!r}, store=sys.argv[1], fetch=EveryPageLinks(), policy=Policy(settle_seconds=0))
assert site.mentions() == [], "a connection is open, and goes along"
app = site.wsgi()
children = []
for number in range(2):
    child = os.fork()
    if child == 0:
        server = Server(app, "127.0.0.1:0")
        server.run(lambda: os.write(2, f"{{server.url}}\\n".encode()))
    children.append(child)
signal.sigwait({{signal.SIGTERM}})
for child in children:
    os.kill(child, signal.SIGTERM)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert site.mentions() != [], "and still serves the parent"
site.close()
print("children ended with", *codes, file=sys.stderr)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_servers_forked_with_an_open_store_share_the_work(path: Path) -> None:
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    unblock = "        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})\n"
    script = block + textwrap.dedent(PRE_FORK).replace("        server = ", f"{unblock}        server = ")
    with running("-c", script, f"sqlite:///{path}") as (process, lines):
        eventually(lambda: len(lines) == 2)
        urls = [line.strip() for line in lines]
        for number in range(10):
            for protocol, ping in PINGS.items():
                told, answer = ping(urls[number % 2], f"https://{protocol}{number}.example/")
                assert answer == TAKEN, told
        query = f"/mentions?target={TARGET}"
        eventually(lambda: all(b'"count": 30,' in ask(url + query).body for url in urls))
        process.terminate()
        process.wait(30)
        eventually(lambda: len(lines) == 3)
    assert lines[2:] == ["children ended with 0 0\n"]
    assert sound(path)


# limits of the system, as an administrator or a quota sets them


def limited(process: subprocess.Popen[str], what: int, soft: int) -> None:
    """Set a limit of another process; its hard limit stays, so that it can be lifted again."""
    _, hard = resource.prlimit(process.pid, what)
    resource.prlimit(process.pid, what, (hard if soft < 0 else soft, hard))


@contextlib.contextmanager
def serving(path: Path) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """`linkback serve` in a process of its own, which has taken a claim already."""
    arguments = ("serve", "--site", HOME, "--bind", "127.0.0.1:0", "--database", f"sqlite:///{path}?timeout=0.5")
    with running("-m", "linkback", *arguments) as (process, lines):
        eventually(lambda: lines)
        url = lines[0].split()[3]
        assert PINGS["webmention"](url, source("first"))[1] == TAKEN
        yield process, url, lines
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def kept(path: Path) -> int:
    with Site(HOME, store=f"sqlite:///{path}", fetch=EveryPageLinks(), runner=External()) as site:
        assert site.mentions(statuses=tuple(Status)) == []
    probe = sqlite3.connect(path)
    (claims,) = probe.execute("SELECT count(*) FROM linkback_claims").fetchone()
    probe.close()
    return int(claims)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_a_disk_that_takes_no_byte_more_is_told_and_forgotten(path: Path) -> None:
    """Real writes fail under the running server: not SQLite's own limit, but the system's error."""
    with serving(path) as (process, url, _):
        limited(process, resource.RLIMIT_FSIZE, 0)
        for protocol, ping in PINGS.items():
            told, answer = ping(url, source(protocol))
            assert (protocol, answer) == (protocol, UNAVAILABLE), told
        assert ask(f"{url}/mentions?target={TARGET}").status == 200
        assert sound(path)
        limited(process, resource.RLIMIT_FSIZE, -1)
        for protocol, ping in PINGS.items():
            assert (protocol, ping(url, source(protocol))[1]) == (protocol, TAKEN)
    assert kept(path) == 4
    assert sound(path)


@contextlib.contextmanager
def without_descriptors(process: subprocess.Popen[str], url: str) -> Iterator[None]:
    """A time in which a server can open nothing more, and somebody has knocked in vain."""
    limited(process, resource.RLIMIT_NOFILE, 3)
    with pytest.raises(OSError, match="timed out"):
        urllib.request.urlopen(f"{url}/healthz", timeout=0.5)
    yield
    limited(process, resource.RLIMIT_NOFILE, -1)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_a_server_without_descriptors_accepts_again_when_it_has_some(path: Path) -> None:
    with serving(path) as (process, url, lines):
        with without_descriptors(process, url):
            eventually(lambda: any("Too many open files" in line for line in lines))
        assert PINGS["pingback"](url, source("later"))[1] == TAKEN
    assert kept(path) == 2


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_a_server_without_descriptors_fills_no_log(path: Path) -> None:
    with serving(path) as (process, url, lines):
        with without_descriptors(process, url):
            eventually(lambda: any("Too many open files" in line for line in lines))
        assert sum("Too many open files" in line for line in lines) < 20
