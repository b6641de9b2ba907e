"""A blog that is watched from its first import, and does all that a blog does.

`python -m tests.hostile.audited STORE` serves a blog, prints its URL, and goes on with each line of its standard input:
the first is the URL of a peer, the second is sent when that has pinged. It then does all else that a blog does and
prints what was seen, as JSON.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from tests.hostile.watching import Watch

watch = Watch()
if __name__ == "__main__":
    # imports are part of what is watched
    sys.addaudithook(watch)

import json  # noqa: E402

from linkback import verbs  # noqa: E402
from linkback.adapters.server import Server  # noqa: E402
from linkback.errors import LinkbackError  # noqa: E402
from linkback.fetch import Fetcher  # noqa: E402
from linkback.following import follow  # noqa: E402
from linkback.jobs import External  # noqa: E402
from linkback.policy import Outgoing, Policy  # noqa: E402
from linkback.site import Site  # noqa: E402
from linkback.store.sql import SqlStore  # noqa: E402
from tests.serving import pages  # noqa: E402

LOCAL = ("127.0.0.1/32", "::1/128")
POSTS = ("first", "second")
#: the pages of the peer that a post of ours links to, by what they offer
OFFERS = ("webmention", "pingback", "trackback", "trap", "bounce")


class Blog:
    """A blog with a post, a feed and its endpoints; what it publishes links to a peer."""

    def __init__(self, store: str) -> None:
        self._bodies: dict[str, str] = {}
        self._server = Server(lambda *given: self._app(*given), "127.0.0.1:0")
        self.url = self._server.url
        self.store = SqlStore.open(store)
        self.site = Site(
            self.url,
            store=self.store,
            fetch=Fetcher(LOCAL),
            policy=Policy(settle_seconds=0, second_look_seconds=0, host_burst=100),
            outgoing=Outgoing(host_seconds=0),
            runner=External(),
        )
        self._app = self.site.wsgi(pages(self._bodies))
        threading.Thread(target=self._server.serve, daemon=True).start()

    def write(self, peer: str) -> None:
        """Have posts that link to each page of the peer, one of them by a name, and a feed of them."""
        named = peer.replace("127.0.0.1", "localhost")
        for post in POSTS:
            links = "".join(f"<a href='{named}/{post}/{offer}'>{offer}</a> " for offer in OFFERS)
            self._bodies[f"/{post}"] = f"<title>{post}</title><p>{links}"
        items = "".join(f"<item><link>{self.url}/{post}</link></item>" for post in POSTS)
        self._bodies["/feed.xml"] = f"<rss version='2.0'><channel><title>t</title>{items}</channel></rss>"

    def live(self, peer: str) -> dict[str, Any]:
        """Do all that a blog does, and tell what came of it."""
        self.site.drain(patience=5)
        self.site.publish(f"{self.url}/first")
        self.site.drain(patience=5)
        followed = follow(self.site, self.store.feeds, f"{self.url}/feed.xml")
        self.site.drain(patience=5)
        mentions = self.site.mentions()
        rechecked = [self.site.recheck(mention.id) for mention in mentions]
        self.site.drain(patience=5)
        return {
            "mentions": sorted(mention.source.removeprefix(peer) for mention in self.site.mentions()),
            "rechecked": rechecked,
            "followed": [url.removeprefix(self.url) for url in (*followed.new, *followed.changed)],
            "outcomes": {
                delivery.target.partition("//")[2].partition("/")[2]: delivery.outcome.value
                for delivery in self.site.deliveries()
            },
            "asked": [self._ask(verb, peer) for verb in ("discover", "verify", "send", "targets")],
        }

    def _ask(self, verb: str, peer: str) -> str:
        post, fetch = f"{self.url}/first", Fetcher(LOCAL)
        try:
            match verb:
                case "discover":
                    verbs.discover(f"{peer}/first/webmention", fetch=fetch)
                case "verify":
                    verbs.verify(f"{peer}/note/webmention", post, fetch=fetch)
                case "send":
                    verbs.send(post, f"{peer}/first/pingback", fetch=fetch)
                case "targets":
                    verbs.targets(post, fetch=fetch)
        except LinkbackError as error:
            return str(error)
        return "done"


def main(store: str) -> None:
    """Live one life."""
    blog = Blog(store)
    print(blog.url, flush=True)
    peer = sys.stdin.readline().strip()
    blog.write(peer)
    print("ready", flush=True)
    sys.stdin.readline()
    done = blog.live(peer)
    print(json.dumps({**watch.to_json(), "done": done}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
