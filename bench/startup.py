"""How soon linkback is there: `import linkback`, `linkback --version`, and the first packet of `linkback discover`.

All are wall times from the start of a process; the floor is Python itself, which does nothing. Peers have no command
that compares, so they are imported, each in its own environment. The first request is met by a listener on loopback.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from figure import Figure, Goal, arguments
from peers import interpreter

GOALS = (
    Goal("import_to_python", "most", 2.0, "times bare Python for `import linkback`"),
    Goal("version_to_python", "most", 3.0, "times bare Python for `linkback --version`"),
    Goal("ms_to_first_packet", "most", 200.0, "ms over bare Python until `linkback discover` sends its first packet"),
)
#: the modules of peers, by the names of their environments
MODULES = {
    "indieweb-utils": "indieweb_utils",
    "ronkyuu": "ronkyuu",
    "webmention-tools": "webmentiontools.send",
    "webmentions": "webmentions",
    "pushl": "pushl",
}
LINKBACK = Path(sys.executable).with_name("linkback")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def until_end(*command: object) -> float:
    """Milliseconds from the start of a command to its end."""
    begun = time.perf_counter()
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def until_first_packet(listener: socket.socket) -> float:
    """Milliseconds from the start of `linkback discover` to the first bytes of its request."""
    page = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    command = [str(LINKBACK), "discover", page, "--allow-network", "127.0.0.0/8"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(4096).startswith(b"GET ")
            taken = (time.perf_counter() - begun) * 1000
            connection.sendall(_ANSWER)
        asking.wait()
    return taken


def steps(listener: socket.socket) -> dict[str, Callable[[], float]]:
    """What is timed, by name; peers that are not there are told on stderr."""
    found = {
        "python": partial(until_end, sys.executable, "-c", "pass"),
        "import linkback": partial(until_end, sys.executable, "-c", "import linkback"),
        "linkback --version": partial(until_end, LINKBACK, "--version"),
        "linkback discover, first packet": partial(until_first_packet, listener),
        "import linkback.site": partial(until_end, sys.executable, "-c", "import linkback.site"),
    }
    for name, module in MODULES.items():
        if (python := interpreter(name)) is not None:
            found[f"import {module}"] = partial(until_end, python, "-c", f"import {module}")
    return found


def main() -> int:
    """Measure as the command line says."""
    given = arguments(__doc__, rounds=15).parse_args()
    figure = Figure("startup", "Starting", "ms", GOALS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        commands = steps(listener)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(given.rounds + 1):
            for name, measured in commands.items():
                taken = measured()
                if number:  # the first round fills the caches
                    times[name].append(taken)
    for name, taken in times.items():
        kind = "floor" if name == "python" else "linkback" if "linkback" in name else "peer"
        figure.row(name, kind, taken)
    python = figure.values["python"]
    figure.ratios["import_to_python"] = figure.values["import linkback"] / python
    figure.ratios["version_to_python"] = figure.values["linkback --version"] / python
    figure.ratios["ms_to_first_packet"] = figure.values["linkback discover, first packet"] - python
    return figure.end(check=given.check)


if __name__ == "__main__":
    sys.exit(main())
