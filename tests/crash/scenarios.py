"""What a blog does when its process dies: a trial for each.

A scenario `seed`s what was before, `act`s while events count, and in the next life `resume`s what the world does about
it; then all that is due is done, and `found` says what must have come of it.
"""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from linkback.errors import StoreError
from linkback.site import Site
from tests.crash.state import idle, sound
from tests.crash.sweep import Run
from tests.crash.world import World


class Scenario:
    """A trial of one site. Each life has a `World` of its own, made by `pages`."""

    name: str
    bare: bool = False

    def pages(self, world: World) -> None:
        """The web as it is at the end."""

    def seed(self, world: World, site: Site) -> None:
        """What was before."""

    def act(self, world: World, site: Site) -> None:
        """What is interrupted."""

    def resume(self, world: World, site: Site) -> None:
        """What the world does about it, and what must be true before anything else is done."""

    def found(self, world: World, site: Site) -> None:
        """What must be true in the end."""

    def live(self, run: Run) -> tuple[World, Site]:
        """The life that is cut short."""
        world = World(run)
        site = world.site()
        self.pages(world)
        self.seed(world, site)
        self.pages(world)
        run.arm()
        run.tick("before", "all")
        # what an operation raises is its caller's, who goes on
        with contextlib.suppress(StoreError, SQLAlchemyError, MemoryError):
            self.act(world, site)
        run.tick("after", "all")
        return world, site

    def again(self, run: Run, left: Any) -> None:
        """The life after it."""
        world, site = left or (World(run), None)
        with contextlib.closing(site or world.site()) as site:
            self.pages(world)
            sound(run.url)
            self.resume(world, site)
            world.settle(site)
            sound(run.url)
            idle(run.url)
            self.found(world, site)
