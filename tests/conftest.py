"""Fixtures that more than one file of tests needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.databases import Databases

if TYPE_CHECKING:
    from tests.django_project.stores import DjangoDatabases


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The databases of this run."""
    databases = Databases()
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def django_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoDatabases]:
    """The databases of this run that Django's ORM is used on; Django is set up when they are first asked for."""
    from tests.django_project.stores import DjangoDatabases

    databases = DjangoDatabases(tmp_path_factory.mktemp("django"))
    yield databases
    databases.close()
