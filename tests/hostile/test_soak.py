"""What a receiver with its worker has in hand does not grow with what it did (security.md, goal G-E).

`python -m tests.hostile.soak` is the same for a quarter of an hour and with figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.soak import Sample, Soak, soaked
from tests.hostile.test_flood import many_addresses

PINGS = 240


@pytest.mark.skipif(not many_addresses(), reason="needs the loopback network and the /proc of Linux")
def test_what_is_in_hand_does_not_grow_with_the_pings(tmp_path: Path) -> None:
    """Honest pages, hostile ones and readers; one descriptor, or one thread, that each fourth ping left would show."""
    found = soaked(Soak(pings=PINGS), tmp_path)
    assert sum(found.taken.values()) == PINGS
    half = len(found.samples) // 2
    for what in ("descriptors", "threads"):
        warm, later = (most(what, part) for part in (found.samples[:half], found.samples[half:]))
        assert later < warm + PINGS / 8, what


def most(what: str, samples: list[Sample]) -> int:
    """The most that there was of something."""
    return max(int(getattr(sample, what)) for sample in samples)
