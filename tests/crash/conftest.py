"""The databases on which the sweeps run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.backends import Backend, SqliteFile, postgres

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """One kind of database after the other; one that is not here is skipped, or fails where it is required."""
    # a kill takes nothing from the kernel's memory, so a disk would only make each COMMIT slow
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="linkback-crash-", dir=place) as folder:
        found: Backend | str = SqliteFile(Path(folder)) if request.param == "sqlite" else postgres(Path(folder))
        if isinstance(found, str):
            if os.environ.get("LINKBACK_REQUIRE_DATABASES") == "1":
                pytest.fail(found, pytrace=False)
            pytest.skip(found)
        yield found
        found.close()


@pytest.fixture(scope="session")
def every() -> int:
    """At each of how many events a sweep stops: all of them take minutes, LINKBACK_SWEEP_EVERY=1 asks for that."""
    return int(os.environ.get("LINKBACK_SWEEP_EVERY", "7"))
