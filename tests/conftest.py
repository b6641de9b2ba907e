"""Fixtures that more than one file of tests needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Databases


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The databases of this run."""
    databases = Databases()
    yield databases
    databases.close()
