"""A receiver under a flood (security.md D7, D8): it answers, keeps what it took, stays small, and serves who is honest.

`python -m tests.hostile.flood` is the same for a minute and with figures.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from linkback.policy import Policy
from tests.hostile.flood import Flood, flooded


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
        # each sender has used up its share when the honest one comes
        pytest.param(Flood(pings=2000, hosts=1, senders=5, before=200), id="one host, senders told apart"),
        pytest.param(Flood(pings=2000, hosts=1000, senders=5, before=200), id="a thousand hosts, senders told apart"),
    ],
)
def test_an_honest_ping_in_a_flood_from_slow_hosts_is_verified(flood: Flood, tmp_path: Path) -> None:
    """Within a minute of being sent. Each ping is answered, none by an error; what was taken is recorded, no more."""
    found = flooded(flood, tmp_path)
    assert found.shortcomings(flood) == [], found
    if flood.senders:
        assert found.answers[201] == flood.senders * Policy().client_burst
        assert found.honest_answers == [201]
