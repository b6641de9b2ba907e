"""What a process does to the world outside it, as an audit hook sees it: connections, look-ups, files and processes.

Rule: nothing of the library is imported here, so that a process may be watched from its first import.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

#: whatever else would reach out or run something
_REACHING = frozenset(
    {
        "ftplib.connect",
        "http.client.connect",
        "imaplib.open",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "poplib.connect",
        "pty.spawn",
        "smtplib.connect",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendto",
        "socket.sendmsg",
        "subprocess.Popen",
        "telnetlib.Telnet.open",
        "urllib.Request",
        "webbrowser.open",
    }
)


class Watch:
    """What was seen: connections and look-ups with the file of whoever made them, files, and all else that reaches.

    `databases` are files of SQLite.
    """

    def __init__(self) -> None:
        self.connections: list[tuple[str, str]] = []
        self.look_ups: list[tuple[str, str]] = []
        self.files: set[str] = set()
        self.reaching: list[str] = []
        self.databases: set[str] = set()

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {name: sorted(seen) if isinstance(seen, set) else seen for name, seen in vars(self).items()}

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            self.connections.append((str(arguments[1][0]), _maker()))
        elif event == "socket.getaddrinfo":
            self.look_ups.append((str(arguments[0]), _maker()))
        elif event == "open" and isinstance(arguments[0], str | bytes):
            self.files.add(arguments[0] if isinstance(arguments[0], str) else arguments[0].decode())
        elif event == "sqlite3.connect":
            self.databases.add(str(arguments[0]))
        elif event in _REACHING:
            self.reaching.append(f"{event} by {_maker()}")


def _maker() -> str:
    """The file of the code that called: not the hook, nor the standard library's sockets."""
    frame = sys._getframe(2)
    while frame.f_back is not None and Path(frame.f_code.co_filename).name in ("socket.py", "ssl.py"):
        frame = frame.f_back
    return "/".join(Path(frame.f_code.co_filename).parts[-2:])
