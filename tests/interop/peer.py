"""A running WordPress as the tests see it: its posts, their comments, its settings."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "wordpress" / "wordpress.sh"
#: far more than any command takes
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Post:
    """A post of WordPress; `pinged` are the URLs that it counts as told, `to_ping` those it still owes a trackback."""

    url: str
    trackback_url: str
    pinged: tuple[str, ...]
    to_ping: tuple[str, ...]


@dataclass(frozen=True)
class Comment:
    """What WordPress stored of a ping."""

    type: str
    author: str
    url: str
    content: str
    approved: str
    agent: str


class WordPress:
    """WordPress at `url`. What is published here is deleted by `tidy`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.xmlrpc = f"{url}xmlrpc.php"
        self._published: list[str] = []

    @classmethod
    def running(cls) -> WordPress | None:
        """The one that the script started; None where there is none."""
        if shutil.which("bash") is None:
            return None
        done = _run("status")
        return cls(json.loads(done.stdout)["url"]) if done.returncode == 0 else None

    def publish(self, title: str, html: str, *trackbacks: str, queue: bool = False) -> Post:
        """Publish a post. It pings now, or when `cron` is called if it is to `queue`."""
        url = self._do("queue" if queue else "publish", title, html, *trackbacks)
        self._published.append(url)
        return self.post(url)

    def update(self, post: Post, html: str) -> Post:
        """Give a post other content; it pings now."""
        self._do("update", post.url, html)
        return self.post(post.url)

    def cron(self) -> None:
        """Let WordPress do what it queued, as its next visitor would."""
        self._do("cron")

    def post(self, url: str) -> Post:
        """A post as it is now."""
        found = self._ask("post", url)
        return Post(found["url"], found["trackback_url"], tuple(found["pinged"]), tuple(found["to_ping"]))

    def close(self, post: Post) -> None:
        """Take no more pings for a post."""
        self._do("close", post.url)

    def comments(self, post: Post) -> list[Comment]:
        """What is stored under a post, held comments too, oldest first."""
        names = Comment.__dataclass_fields__
        return [Comment(**{name: row[name] for name in names}) for row in self._ask("comments", post.url)]

    @contextlib.contextmanager
    def setting(self, name: str, value: int) -> Iterator[None]:
        """Another value for an option for the length of a `with` block; afterwards it is what it was."""
        before = self._ask("get", name)
        self._do("set", name, str(value))
        try:
            yield
        finally:
            self._do("unset", name) if before is None else self._do("set", name, str(before))

    def tidy(self) -> None:
        """Delete what was published here, comments included."""
        if self._published:
            self._do("delete", *self._published)

    def _ask(self, *arguments: str) -> Any:
        return json.loads(self._do(*arguments))

    def _do(self, *arguments: str) -> str:
        done = _run(*arguments)
        assert done.returncode == 0, f"wordpress.sh {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
    )
