"""A receiver under a flood (security.md D7, D8): it answers, keeps what it took, stays small, and serves who is honest.

`python -m tests.hostile.flood` is the same for a minute and with figures.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.hostile.flood import Flood, flooded

#: in MiB
MOST_MEMORY = 150.0
#: taken, or told to come again later
ANSWERS = {201, 202, 429}


def many_addresses() -> bool:
    """Whether this machine has all of 127.0.0.0/8, as Linux does."""
    try:
        with socket.create_server(("127.250.1.1", 0)):
            return Path("/proc/self/status").exists()
    except OSError:
        return False


@pytest.mark.skipif(not many_addresses(), reason="needs the loopback network and the /proc of Linux")
@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(Flood(pings=3000, hosts=1, before=300), id="one host"),
        # their pages hold every worker for as long as one may take: whoever came before them does not wait for them
        pytest.param(Flood(pings=3000, hosts=1000, before=300), id="a thousand hosts"),
    ],
)
def test_an_honest_ping_in_a_flood_from_slow_hosts_is_verified(flood: Flood, tmp_path: Path) -> None:
    """Each ping is answered, none by an error; what was taken is recorded, and nothing else."""
    found = flooded(flood, tmp_path)
    assert found.trouble == []
    assert set(found.answers) <= ANSWERS
    assert found.answers.total() == flood.pings
    assert found.honest_answers[-1] in (201, 202)
    assert found.honest_after is not None
    assert found.recorded == sum(number for status, number in found.answers.items() if status != 429) + 1
    assert found.peak_memory < MOST_MEMORY
