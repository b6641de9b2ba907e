"""Turns that are the session's, held until the host's transaction ends that they were taken in.

MySQL has no lock on a name that ends with a transaction, and Django tells of a commit only, not even that where the
savepoint was undone in which one asked. So we listen to the connection itself: commit, rollback, the way back to
autocommit, close.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from django.db import Error

from linkback.adapters.django.store import vendors

_HELD = "_linkback_turns"


def hold(connection: Any, name: str) -> None:
    """Let go of a turn when the transaction of Django's connection is over, however that comes."""
    held: list[str] | None = getattr(connection, _HELD, None)
    if held is None:
        held = []
        setattr(connection, _HELD, held)
        for ending in ("commit", "rollback", "set_autocommit", "close"):
            setattr(connection, ending, _then_let_go(ending, connection, held))
    held.append(name)


def let_go(connection: Any, name: str) -> None:
    """Let go of a turn."""
    # where the session is lost, so is the turn
    with contextlib.suppress(Error):
        vendors.leave(connection, name)


def _then_let_go(ending: str, connection: Any, held: list[str]) -> Callable[..., None]:
    end: Callable[..., None] = getattr(connection, ending)

    @functools.wraps(end)
    def ended(*args: Any, **kwargs: Any) -> None:
        # what fails ends nothing: whoever asked for it rolls back, or closes
        end(*args, **kwargs)
        if connection.connection is None or connection.closed_in_transaction:
            held.clear()
        elif connection.autocommit or ending != "set_autocommit":
            while held:
                let_go(connection, held.pop())

    return ended
