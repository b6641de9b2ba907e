"""Tries cases of the hostile site in a process of its own: an audit hook stays for good, and memory is the process's.

It reads an `Order` from its standard input and answers with a line of JSON, a `Result`, for each trial. What must not
be done (`faults`) is stopped and told: a connection elsewhere, a look-up past our resolver, a file of the system.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkback.errors import LinkbackError, Reason, SourceGone
from linkback.fetch import Fetcher, Limits
from linkback.model import Claim, Endpoint, Endpoints, Via
from linkback.policy import judge, takes_away
from linkback.protocols import BUILTIN
from linkback.sender import deliver
from linkback.verbs import discover, verify
from tests.hostile.sources import CASES
from tests.hostile.sources.family import ERROR, GONE, HOST, LINKED, NOT_LINKED, TRUNCATED, Case

SOURCE = "http://me.test/post"
FOUND = "found"
#: what no trial may do its own way
_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_ADDRESSES = {"metadata.google.internal": "169.254.169.254"}


@dataclass(frozen=True, slots=True)
class Order:
    """What to try: `verbs` on `paths` of the site with these `ports`; `seconds` is the deadline of slow cases."""

    verbs: list[str]
    paths: list[str]
    ports: dict[str, int]
    seconds: float


@dataclass(slots=True)
class Result:
    """What a trial came to and cost.

    `cpu` and `seconds` are times, `wire` is bytes. At the worst moment memory was `grown` MiB over what was held before
    the trial, and `above` MiB over what its process began with.
    """

    verb: str
    path: str
    verdict: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    wire: int = 0
    grown: float = 0.0
    above: float = 0.0
    faults: list[str] = dataclasses.field(default_factory=list)


#: the verb of what no trial is known to have done
STRAY = "stray"


class _Current(threading.local):
    """The trial that the running thread is about."""

    result: Result | None = None


_current = _Current()
_stray = Result(STRAY, "")


def _verify(fetcher: Fetcher, case: Case, url: str) -> str:
    """The verdict, and with it what would become of a mention whose source announced a change."""
    try:
        verify(url, case.target, fetch=fetcher)
    except LinkbackError as error:
        reason, _ = judge(error)
        if takes_away(reason, asked=True):
            return GONE if isinstance(error, SourceGone) else NOT_LINKED
        return TRUNCATED if reason is Reason.TRUNCATED else ERROR
    return LINKED


def _discover(fetcher: Fetcher, case: Case, url: str) -> str:
    try:
        discover(url, fetch=fetcher)
    except LinkbackError:
        return ERROR
    return FOUND


def _sending(protocol: str) -> Callable[[Fetcher, Case, str], str]:
    """Has a case answer a ping."""

    def send(fetcher: Fetcher, case: Case, url: str) -> str:
        endpoints = Endpoints(case.target, case.target, {protocol: Endpoint(url, Via.LINK_HEADER)})
        claim = Claim("", SOURCE, case.target, title="A title")
        return deliver(fetcher, claim, find=lambda target: endpoints).outcome.value

    return send


SENDING = tuple(protocol.name for protocol in BUILTIN)
VERBS: dict[str, Callable[[Fetcher, Case, str], str]] = {
    "verify": _verify,
    "discover": _discover,
    **{name: _sending(name) for name in SENDING},
}


def _resolve(host: str, port: int, **kinds: int) -> Iterable[tuple[Any, ...]]:
    if host not in _ADDRESSES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (_ADDRESSES[host], port))]


def _watch(allowed: set[tuple[str, int]]) -> None:
    """Stop what must not be done, and count what comes off the wire, until this process ends."""

    def fault(words: str) -> None:
        (_current.result or _stray).faults.append(words)
        raise OSError(words)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and tuple(arguments[1][:2]) not in allowed:
            fault(f"connected to {arguments[1]}")
        elif event in _LOOK_UPS:
            fault(f"looked up {arguments[0]}")
        elif event == "open" and str(arguments[0]).startswith("/etc/"):
            fault(f"opened {arguments[0]}")

    receive = socket.socket.recv

    def counting(self: socket.socket, *arguments: int) -> bytes:
        data = receive(self, *arguments)
        if _current.result is not None:
            _current.result.wire += len(data)
        return data

    socket.socket.recv = counting  # type: ignore[method-assign, assignment]
    sys.addaudithook(hook)


def memory(mark: str) -> float:
    """MiB that this process holds now (`VmRSS`), or held at most since `settle` (`VmHWM`)."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(mark))) / 1024
    # elsewhere all there is is a mark that never falls
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1_048_576 if sys.platform == "darwin" else 1024)


def settle() -> float:
    """Give back what was freed and forget the peak, where the system can; the MiB that are held now."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def _waits(verb: str, case: Case) -> bool:
    """Whether a trial lasts until a deadline: a reply is read whatever its type, also one that never ends."""
    return case.slow or (verb in SENDING and case.path == "/ct/x-mixed-replace")


class Trials:
    """Runs an order; memory is counted from when everything that a look needs was loaded."""

    def __init__(self, order: Order) -> None:
        self._order = order
        network = [f"{HOST}/32"]
        self._usual = Fetcher(network, Limits(), resolver=_resolve)
        brief = Limits(seconds=order.seconds, send_seconds=order.seconds)
        self._brief = Fetcher(network, brief, resolver=_resolve)
        self._print = threading.Lock()
        self._start = 0.0

    def run(self) -> None:
        """Slow cases wait side by side, the others then take turns."""
        trials = [(verb, CASES[path]) for path in self._order.paths for verb in self._order.verbs]
        for path in ("/ok/plain", "/priv/sub-hcard"):
            VERBS["verify"](self._usual, CASES[path], self._url(CASES[path]))
        self._start = settle()
        _watch({(HOST, port) for port in self._order.ports.values()})
        slow = [trial for trial in trials if _waits(*trial)]
        with ThreadPoolExecutor(max(1, len(slow))) as pool:
            for future in [pool.submit(self._try, *trial) for trial in slow]:
                future.result()
        for trial in trials:
            if not _waits(*trial):
                self._try(*trial)
        self._tell(_stray)

    def _url(self, case: Case) -> str:
        return f"{case.scheme}://{HOST}:{self._order.ports[case.listener]}{case.path}"

    def _try(self, verb: str, case: Case) -> None:
        result = _current.result = Result(verb, case.path)
        fetcher = self._brief if case.slow or verb in SENDING else self._usual
        held = memory("VmRSS") if _waits(verb, case) else settle()
        began, cpu = time.monotonic(), time.thread_time()
        try:
            result.verdict = VERBS[verb](fetcher, case, self._url(case))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is the verdict
            result.verdict = f"{type(error).__name__}: {error}"[:300]
        result.seconds, result.cpu = time.monotonic() - began, time.thread_time() - cpu
        peak = memory("VmHWM")
        result.grown, result.above = peak - held, peak - self._start
        self._tell(result)

    def _tell(self, result: Result) -> None:
        with self._print:
            print(json.dumps(dataclasses.asdict(result)), flush=True)


if __name__ == "__main__":
    Trials(Order(**json.load(sys.stdin))).run()
