"""Trials of the way from a post to its deliveries."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Column, Connection, MetaData, String, Table, insert

from linkback.model import ARRIVED, Cause, Delivery, Outcome
from linkback.policy import Outgoing
from linkback.site import Site
from linkback.wire import Response
from tests.crash.backends import engine
from tests.crash.scenarios import Scenario
from tests.crash.state import check, rows, same
from tests.crash.world import POST, TAKES, World

A, B, C = "https://a.example/page", "https://b.example/page", "https://c.example/page"
#: a table of the host's, in the same database
_host_posts = Table("host_posts", MetaData(), Column("url", String(100)))


def linking(*targets: str) -> str:
    """A post with links."""
    return "".join(f"<p><a href='{target}'>see</a></p>" for target in targets)


def owed(site: Site) -> dict[str, Delivery]:
    """The deliveries by their targets."""
    return {delivery.target: delivery for delivery in site.deliveries(POST)}


class Publish(Scenario):
    """A post is recorded with all that it owes, or not at all; whoever was not told that it was says it again."""

    #: the POSTs that each page has got in the end
    told: ClassVar[dict[str, int]]

    def pages(self, world: World) -> None:
        """Three pages that listen, and the post."""
        for page in (A, B, C):
            world.receives(page, "webmention")
        world.web.pages[POST] = linking(A, B)

    def say(self, world: World, site: Site) -> None:
        """What the host says."""

    def act(self, world: World, site: Site) -> None:
        """It is said, once."""
        self.say(world, site)
        world.run.tick("before", "DONE")
        world.run.witness.say("published")

    def whole(self, world: World, site: Site) -> bool:
        """Whether all of the edit is recorded; raises `AssertionError` where a part is."""
        raise NotImplementedError

    def resume(self, world: World, site: Site) -> None:
        """All or nothing; the host says again what was not answered."""
        whole, said = self.whole(world, site), bool(world.run.witness.saw("published"))
        check(whole or not said, "what was published is lost")
        if not said:
            self.say(world, site)

    def found(self, world: World, site: Site) -> None:
        """Each page was told, as often as there was something to tell."""
        same("POSTs", {page: world.posts(f"{page}/webmention") for page in self.told}, self.told)
        same("outcomes", {each.outcome for each in site.deliveries()}, {Outcome.ACCEPTED})


class PublishNew(Publish):
    """A new post."""

    name = "publish-new"
    told: ClassVar = {A: 1, B: 1, C: 0}

    def say(self, world: World, site: Site) -> None:
        """Two links."""
        site.publish(POST, linking(A, B))

    def whole(self, world: World, site: Site) -> bool:
        """Both deliveries and the post, or none of them."""
        there = (set(owed(site)), len(*rows(world.run.url, "linkback_posts")))
        check(there in ((set(), 0), ({A, B}, 1)), f"half a post: {there}")
        return there[1] == 1


class PublishEdit(PublishNew):
    """A post that was told before, with a link kept, one lost and one new."""

    name = "publish-edit"
    told: ClassVar = {A: 2, B: 2, C: 1}
    after: ClassVar = {A: (Cause.UPDATE, 2), B: (Cause.REMOVED, 2), C: (Cause.NEW, 1)}

    def seed(self, world: World, site: Site) -> None:
        """The post as it was."""
        site.publish(POST, linking(A, B))
        world.clock.advance(5)
        site.drain()
        world.clock.advance(60)

    def say(self, world: World, site: Site) -> None:
        """The edit."""
        site.publish(POST, linking(A, C))

    def whole(self, world: World, site: Site) -> bool:
        """Every delivery as the edit has it, or every one as it was."""
        there = {page: (each.cause, each.revision) for page, each in owed(site).items()}
        check(there in ({A: (Cause.NEW, 1), B: (Cause.NEW, 1)}, self.after), f"half an edit: {there}")
        return there == self.after


class Unpublish(PublishEdit):
    """A post that was told before is deleted."""

    name = "unpublish"
    told: ClassVar = {A: 2, B: 2, C: 0}
    after: ClassVar = {A: (Cause.DELETED, 2), B: (Cause.DELETED, 2)}

    def pages(self, world: World) -> None:
        """The post is gone."""
        super().pages(world)
        world.web.pages[POST] = Response(410)

    def say(self, world: World, site: Site) -> None:
        """The deletion."""
        site.unpublish(POST)


class PublishInHost(PublishNew):
    """A new post, in one transaction with a record of the host's."""

    name = "publish-in-host"

    def seed(self, world: World, site: Site) -> None:
        """The host's own table."""
        with engine(world.run.url).begin() as connection:
            _host_posts.create(connection)

    def say(self, world: World, site: Site) -> None:
        """Both at once."""
        with engine(world.run.url).begin() as connection:
            self.both(connection, site)

    def both(self, connection: Connection, site: Site) -> None:
        """The host's record and ours."""
        connection.execute(insert(_host_posts).values(url=POST))
        site.publish(POST, linking(A, B), connection=connection)

    def whole(self, world: World, site: Site) -> bool:
        """The host's record is there if ours are."""
        there = super().whole(world, site)
        same("records of the host", len(*rows(world.run.url, "host_posts")), int(there))
        return there


class Deliver(Scenario):
    """What is owed is sent: once more at most, and by trackback once at most."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.name = f"deliver-{protocol}"

    def pages(self, world: World) -> None:
        """The post, and the page that listens."""
        world.web.pages[POST] = linking(A)
        world.receives(A, self.protocol)

    def seed(self, world: World, site: Site) -> None:
        """What is owed."""
        site.publish(POST, linking(A))

    def act(self, world: World, site: Site) -> None:
        """The work that is due."""
        site.drain()

    def found(self, world: World, site: Site) -> None:
        """It arrived, and the record says so, where that can be known."""
        [delivery] = site.deliveries()
        got = world.posts(f"{A}/{self.protocol}")
        same("protocol", delivery.protocol, self.protocol)
        if self.protocol != "trackback":
            check(delivery.outcome in ARRIVED, f"the delivery is {delivery.outcome}: {delivery.detail}")
            check(got in (1, 2), f"{got} POSTs")
            return
        # begun, and its end not recorded
        lost = marks(world.run.passed) == 1
        same("outcome", delivery.outcome, Outcome.UNKNOWN if lost else Outcome.SENT)
        check(got == 1 or (lost and got == 0), f"{got} POSTs")


def marks(passed: list[str]) -> int:
    """How many transactions were committed that changed a delivery."""
    count, changed = 0, False
    for label in passed:
        changed = label != "BEGIN" and (changed or label == "after UPDATE linkback_deliveries")
        if label == "after COMMIT":
            count, changed = count + changed, False
    return count


class DeliverFallback(Deliver):
    """The first endpoint that the page names is none."""

    def __init__(self) -> None:
        super().__init__("pingback")
        self.name = "deliver-fallback"

    def pages(self, world: World) -> None:
        """Nobody is at the first."""
        super().pages(world)
        world.receives(A, "webmention", "pingback")
        world.web.pages[f"{A}/webmention"] = Response(404)


class DeliverRetry(Deliver):
    """The receiver is busy at first."""

    def __init__(self) -> None:
        super().__init__("webmention")
        self.name = "deliver-retry"

    def pages(self, world: World) -> None:
        """It says so once."""
        world.web.pages[POST] = linking(A)
        world.receives(A, "webmention", answers=(Response(503), *TAKES["webmention"]))

    def act(self, world: World, site: Site) -> None:
        """The first try and the second."""
        site.drain()
        world.clock.advance(60)
        site.drain()

    def found(self, world: World, site: Site) -> None:
        """One try more than without the crash, at most."""
        [delivery] = site.deliveries()
        same("outcome", delivery.outcome, Outcome.ACCEPTED)
        check(world.posts(f"{A}/webmention") in (2, 3), f"{world.posts(f'{A}/webmention')} POSTs")


class DeliverToOneHost(Deliver):
    """Two pages of one host listen, and take their turns."""

    def __init__(self) -> None:
        super().__init__("webmention")
        self.name = "deliver-to-one-host"

    def pages(self, world: World) -> None:
        """Two pages, one host."""
        world.web.pages[POST] = linking(A, f"{A}/other")
        world.receives(A, "webmention")
        world.receives(f"{A}/other", "webmention")

    def seed(self, world: World, site: Site) -> None:
        """What is owed."""
        site.publish(POST, linking(A, f"{A}/other"))

    def act(self, world: World, site: Site) -> None:
        """Both, a turn apart."""
        site.drain(patience=Outgoing().host_seconds)

    def found(self, world: World, site: Site) -> None:
        """Both arrived, and only one of them may have been sent twice."""
        same("outcomes", [each.outcome for each in site.deliveries()], [Outcome.ACCEPTED] * 2)
        got = [world.posts(f"{page}/webmention") for page in (A, f"{A}/other")]
        check(sorted(got) in ([1, 1], [1, 2]), f"{got} POSTs")


SENDING: tuple[Scenario, ...] = (
    PublishNew(),
    PublishEdit(),
    Unpublish(),
    PublishInHost(),
    Deliver("webmention"),
    Deliver("pingback"),
    Deliver("trackback"),
    DeliverFallback(),
    DeliverRetry(),
    DeliverToOneHost(),
)
