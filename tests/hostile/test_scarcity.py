"""Where a process lacks memory or descriptors no verdict comes of it, no claim is lost, and it works on (R19, R20)."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from linkback.fetch import Fetcher
from linkback.jobs import External
from linkback.model import Claim, ClaimState
from linkback.policy import Policy
from linkback.site import Site
from linkback.work import LEASE_SECONDS
from tests.hostile import scarce
from tests.hostile.pinging import HOME, TARGET
from tests.hostile.test_processes import REPOSITORY, limited, resource, running, sound
from tests.serving import LOOPBACK, eventually, served

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs the limits and the /proc of Linux")
#: KiB beyond what the process has, from too little for any part of the page to enough for all of it
ROOM = [*range(0, 14_000, 400), 200_000]
MIB = 1_048_576


@pytest.mark.parametrize("look", scarce.LOOKS)
def test_a_link_that_there_is_no_room_to_see_is_not_called_missing(look: str) -> None:
    """Neither in a source, whose mention would go, nor in a post, whose receivers would be told that theirs is gone."""
    command = [sys.executable, "-m", "tests.hostile.scarce", look, *map(str, ROOM)]
    told = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
    found = {int(kib): words for kib, _, words in (line.partition(" ") for line in told.splitlines())}
    assert list(found) == ROOM
    assert set(found.values()) == {"no memory", "found"}
    assert found[ROOM[-1]] == "found"


class Blog:
    """The endpoint of a blog whose work a worker does; `visits` are those to the sources that name it."""

    def __init__(self, path: Path, *, later: timedelta = timedelta(0)) -> None:
        self.visits: Counter[str] = Counter()
        self._url, self._other = "", ""
        self.site = Site(
            HOME,
            store=f"sqlite:///{path}",
            fetch=Fetcher(LOOPBACK),
            policy=Policy(settle_seconds=0),
            runner=External(),
            clock=lambda: datetime.now(UTC) + later,
        )

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Have sources that name it, all of them vast but for `/small…`, on two hosts."""
        vast = scarce.vast().replace(scarce.TARGET, TARGET)
        small = f"<a href='{TARGET}'>it</a>"

        def page(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
            path = str(environ["PATH_INFO"])
            self.visits[path] += 1
            start_response("200 OK", [("Content-Type", "text/html")])
            return [(small if path.startswith("/small") else vast).encode()]

        with served(page) as self._url, served(page, host="127.0.0.2") as self._other, self.site:
            yield

    def receive(self, path: str, *, elsewhere: bool = False) -> Callable[[], bool]:
        """Take a claim of a source, `elsewhere` one on the other host; gives whether it has succeeded since."""
        receipt = self.site.receive(Claim("webmention", (self._other if elsewhere else self._url) + path, TARGET))

        def succeeded() -> bool:
            record = self.site.claim(receipt.id)
            return record is not None and record.state is ClaimState.SUCCESS

        return succeeded


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "linkback.db"
    monkeypatch.setenv("LINKBACK_TEST_STORE", f"sqlite:///{path}")
    # else each thread has 64 MiB of addresses set aside, and a limit on those is none
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    return path


@contextlib.contextmanager
def working(blog: Blog) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A worker that has done something already, and the lines of its stderr."""
    with running("-m", "linkback", "worker", "--app", "tests.hostile.hosting:site") as (process, lines):
        eventually(blog.receive("/small/first"), seconds=60)
        yield process, lines


def test_a_worker_without_descriptors_tries_its_row_again(path: Path) -> None:
    blog = Blog(path)
    with blog.named(), working(blog) as (process, lines):
        limited(process, resource.RLIMIT_NOFILE, 3)
        succeeded = blog.receive("/small/second")
        eventually(lambda: any("open files" in line or "open database" in line for line in lines), seconds=60)
        assert "/small/second" not in blog.visits
        assert not succeeded()
        limited(process, resource.RLIMIT_NOFILE, -1)
        # where it had leased the row before it could open nothing more, the row is due when the lease ends
        eventually(succeeded, seconds=LEASE_SECONDS + 60)
        assert process.poll() is None
        assert blog.visits["/small/second"] == 1
    assert sound(path)


@pytest.mark.parametrize("room", [0, 4, 16, 512], ids=lambda mib: f"{mib} MiB")
def test_a_worker_without_memory_loses_no_claim(path: Path, room: int) -> None:
    """It goes on when it has some, or has ended by then; whoever works next does what it left."""
    blog = Blog(path)
    with blog.named():
        with working(blog) as (process, lines):
            size = next(
                line.split()[1]
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if line.startswith("VmSize")
            )
            limited(process, resource.RLIMIT_AS, int(size) * 1024 + room * MIB)
            vast, small = blog.receive("/vast"), blog.receive("/small/second")
            eventually(
                lambda: (vast() and small()) or any("MemoryError" in line for line in lines) or process.poll(),
                seconds=60,
            )
            assert sound(path)
            if process.poll() is None:
                limited(process, resource.RLIMIT_AS, -1)
                eventually(blog.receive("/small/third", elsewhere=True), seconds=LEASE_SECONDS + 60)
        # what it had in hand as it failed is held until the lease ends, and its host with it
        with Blog(path, later=timedelta(seconds=2 * LEASE_SECONDS)).site as next_worker:
            next_worker.drain()
        assert vast()
        assert small()
    assert sound(path)
