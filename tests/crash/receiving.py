"""Trials of the way from a claim to a mention."""

from __future__ import annotations

from datetime import timedelta

from linkback.model import ClaimState, Mention, Status
from linkback.site import Site
from linkback.store import Forgetful, Place
from linkback.wire import Response
from tests.crash.scenarios import Scenario
from tests.crash.state import check, rows, same
from tests.crash.world import HOME, LINKING, NOTE, POST, World


def only(site: Site) -> Mention:
    """The one mention there is."""
    found = site.mentions(statuses=None)
    same("mentions", [mention.source for mention in found], [NOTE])
    return found[0]


def states(world: World) -> list[str]:
    """The states of all claims, in the order they came."""
    [claims] = rows(world.run.url, "linkback_claims")
    return [claim.state for claim in claims]


class Receive(Scenario):
    """A sender tells us of a link, and again where nothing, or an error, was answered."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self.name = f"receive-{protocol}"

    def act(self, world: World, site: Site) -> None:
        """The request, up to the last byte of its answer."""
        world.ping(site, self.protocol)

    def resume(self, world: World, site: Site) -> None:
        """What was answered holds; an error tells the sender that it may help to try again."""
        answers = world.run.witness.saw("answer")
        for answer in answers:
            if answer["taken"]:
                same("claims", states(world), [ClaimState.QUEUED])
            else:
                check(answer["code"] in world.run.mischief.codes, f"answered {answer['code']}")
        if not any(answer["taken"] for answer in answers):
            world.ping(site, self.protocol)

    def found(self, world: World, site: Site) -> None:
        """One claim, checked and watched by the URL that was answered; one mention."""
        same("claims", states(world), [ClaimState.SUCCESS])
        last = world.run.witness.saw("answer")[-1]
        check(last["taken"], "the sender was told of a failure")
        if last["status_url"]:
            record = site.claim(last["status_url"].rpartition("/")[2])
            same("the claim that was answered", record and record.state, ClaimState.SUCCESS)
        same("protocols", only(site).protocols, (self.protocol,))
        same("status", only(site).status, Status.APPROVED)


class Check(Scenario):
    """What was received is checked."""

    def act(self, world: World, site: Site) -> None:
        """The work that is due."""
        world.clock.advance(5)
        site.drain()


class CheckNew(Check):
    """A link that two protocols announced is seen for the first time."""

    name = "check-new"

    def seed(self, world: World, site: Site) -> None:
        """Two claims, one job."""
        world.ping(site, "webmention")
        world.ping(site, "pingback")

    def found(self, world: World, site: Site) -> None:
        """Both were answered by one mention, and the host was called at most once."""
        same("claims", states(world), [ClaimState.SUCCESS] * 2)
        same("protocols", only(site).protocols, ("webmention", "pingback"))
        check(len(world.run.witness.saw("hook")) <= 1, "the host was called twice")


class CheckSiblings(Check):
    """A page was announced to four of ours, three of which it links to."""

    name = "check-siblings"
    _TARGETS = (POST, f"{HOME}/second", f"{HOME}/third", f"{HOME}/fourth")

    def pages(self, world: World) -> None:
        """The note with its links."""
        world.web.pages[NOTE] = LINKING + "".join(f"<a href='{target}'>x</a>" for target in self._TARGETS[1:3])

    def seed(self, world: World, site: Site) -> None:
        """Four claims, four jobs."""
        for target in self._TARGETS:
            world.ping(site, "webmention", target)

    def found(self, world: World, site: Site) -> None:
        """Each has its own answer, and the host was told of each mention at most once."""
        same("claims", states(world), [*[ClaimState.SUCCESS] * 3, ClaimState.FAILED])
        same("mentions", {mention.target for mention in site.mentions()}, set(self._TARGETS[:3]))
        check(len(world.run.witness.saw("hook")) <= 3, "the host was called twice for one")


class CheckAnew(Check):
    """A link that is a mention already is announced again."""

    def before(self, world: World, site: Site) -> None:
        """The mention as it was."""
        world.web.pages[NOTE] = LINKING
        world.ping(site, "webmention")
        world.clock.advance(5)
        site.drain()
        world.clock.advance(60)

    def seed(self, world: World, site: Site) -> None:
        """A mention, and a claim that something changed."""
        self.before(world, site)
        world.ping(site, "webmention")


class CheckUpdate(CheckAnew):
    """Its page has another title."""

    name = "check-update"

    def pages(self, world: World) -> None:
        """The note as it is now."""
        world.web.pages[NOTE] = LINKING.replace("Note", "Better")

    def found(self, world: World, site: Site) -> None:
        """The mention says it."""
        same("claims", states(world), [ClaimState.SUCCESS, ClaimState.UPDATED])
        same("title", only(site).title, "Better")


class CheckRemoval(CheckAnew):
    """Its page is gone."""

    name = "check-removal"

    def pages(self, world: World) -> None:
        """The note as it is now."""
        world.web.pages[NOTE] = Response(410)

    def found(self, world: World, site: Site) -> None:
        """The mention is not shown any more."""
        same("claims", states(world), [ClaimState.SUCCESS, ClaimState.DELETED])
        same("status", only(site).status, Status.REMOVED)


class CheckLate(Check):
    """A page that did not link yet is looked at twice."""

    name = "check-second-look"

    def pages(self, world: World) -> None:
        """The note as it is now."""
        world.web.pages[NOTE] = LINKING

    def seed(self, world: World, site: Site) -> None:
        """A claim that came too early."""
        world.ping(site, "pingback")

    def act(self, world: World, site: Site) -> None:
        """The first look and the second."""
        world.web.pages[NOTE] = "<p>soon</p>"
        super().act(world, site)
        self.pages(world)
        world.clock.advance(60)
        site.drain()

    def found(self, world: World, site: Site) -> None:
        """It counts all the same."""
        same("claims", states(world), [ClaimState.SUCCESS])
        same("status", only(site).status, Status.APPROVED)


class Moderate(CheckAnew):
    """A person rejects a mention, and it is announced again."""

    name = "moderate"

    def seed(self, world: World, site: Site) -> None:
        """A mention that is shown."""
        self.before(world, site)

    def act(self, world: World, site: Site) -> None:
        """The person's word."""
        site.moderate(only(site).id, Status.REJECTED)
        world.run.tick("before", "DONE")
        world.run.witness.say("moderated")

    def resume(self, world: World, site: Site) -> None:
        """What was said holds; what was not may have been done or not, and is said again."""
        said = world.run.witness.saw("moderated")
        status = only(site).status
        check(status is Status.REJECTED or (not said and status is Status.APPROVED), f"the mention is {status}")
        if not said:
            site.moderate(only(site).id, Status.REJECTED)
        world.ping(site, "webmention")

    def found(self, world: World, site: Site) -> None:
        """The word lasts."""
        same("status", only(site).status, Status.REJECTED)
        same("shown", site.mentions(POST), [])


class Forget(CheckAnew):
    """What is needed no more is forgotten, long after."""

    name = "forget"

    def seed(self, world: World, site: Site) -> None:
        """A mention that was announced twice, and a claim that failed."""
        super().seed(world, site)
        site.drain()
        world.ping(site, "webmention", f"{HOME}/elsewhere")
        for _ in range(2):
            world.clock.advance(60)
            site.drain()
        same("claims", states(world), [ClaimState.SUCCESS, ClaimState.UNCHANGED, ClaimState.FAILED])

    def act(self, world: World, site: Site) -> None:
        """All that may go goes."""
        later = world.clock() + timedelta(days=60)
        if isinstance(site.store, Forgetful):
            site.store.forget(Place(), now=later, ended=lambda site: later - timedelta(days=30))

    def resume(self, world: World, site: Site) -> None:
        """What was not done is done by whoever works next."""
        check(states(world)[-2:].count(ClaimState.UNCHANGED) == 1, "the claim is gone that the mention hangs on")
        self.act(world, site)

    def found(self, world: World, site: Site) -> None:
        """The mention has what it is looked at again by, and nothing else is left."""
        same("claims", states(world), [ClaimState.UNCHANGED])
        same("status", only(site).status, Status.APPROVED)
        same("hosts", rows(world.run.url, "linkback_hosts"), [[]])


RECEIVING: tuple[Scenario, ...] = (
    Receive("webmention"),
    Receive("pingback"),
    Receive("trackback"),
    CheckNew(),
    CheckSiblings(),
    CheckUpdate(),
    CheckRemoval(),
    CheckLate(),
    Moderate(),
    Forget(),
)
