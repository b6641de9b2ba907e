"""The peers, and our side of the conversation with them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from linkback.fetch import Fetcher
from tests.interop.environments import PEERS, Environment, Unavailable
from tests.interop.ours import Blog, Sources, listening
from tests.interop.peer import Post, WordPress
from tests.serving import LOOPBACK, pages, served

_NO_WORDPRESS = "no WordPress on loopback: run tests/interop/wordpress/wordpress.sh up"


@pytest.fixture(scope="session")
def wordpress() -> Iterator[WordPress]:
    """The WordPress that is up; without one its tests are skipped, or fail where LINKBACK_REQUIRE_WORDPRESS is set."""
    peer = WordPress.running()
    if peer is None and os.environ.get("LINKBACK_REQUIRE_WORDPRESS"):
        pytest.fail(_NO_WORDPRESS, pytrace=False)
    if peer is None:
        pytest.skip(_NO_WORDPRESS)
    yield peer
    peer.tidy()


@pytest.fixture(scope="session")
def environment() -> Callable[[str], Environment]:
    """The environment of a peer by its name; without it the test is skipped.

    Where LINKBACK_REQUIRE_PEERS is set it is made, and the test fails if it cannot be.
    """

    required = os.environ.get("LINKBACK_REQUIRE_PEERS")

    @functools.cache
    def look(name: str) -> Environment | str:
        try:
            return PEERS[name].make() if required else PEERS[name].find()
        except Unavailable as error:
            return str(error)

    def give(name: str) -> Environment:
        found = look(name)
        if isinstance(found, Environment):
            return found
        return pytest.fail(found, pytrace=False) if required else pytest.skip(found)

    return give


@pytest.fixture
def target(wordpress: WordPress) -> Post:
    """A new post of WordPress that takes pings."""
    return wordpress.publish("A post to link to", "<p>It waits for pings.</p>")


@pytest.fixture
def sources() -> Iterator[Sources]:
    """Pages of ours."""
    bodies: dict[str, str] = {}
    with served(pages(bodies)) as url:
        yield Sources(url, bodies)


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Blog]:
    """A blog of ours that listens."""
    with listening(tmp_path) as ours:
        yield ours


@pytest.fixture
def fetch() -> Fetcher:
    """The door to the network, open to loopback."""
    return Fetcher(allow=LOOPBACK)
