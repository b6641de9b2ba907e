"""Threads in which coroutines have done what blocks, a few for each purpose.

Rule: asyncio's own threads are the host's. What waits there for a page of this very process, as a post is fetched to be
published, would keep those waiting that answer the page.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from linkback.forks import in_child

Result = TypeVar("Result")

#: how many calls of one purpose are made at once
THREADS = 8


class Pool:
    """At most `most` threads, begun when they are needed; also in a child after a fork, and again after `close`."""

    def __init__(self, name: str, most: int = THREADS) -> None:
        self._name = name
        self._most = most
        self._renew()
        in_child(self, Pool._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, call: Callable[[], Result]) -> Result:
        """What `call` gives, or raises, with the context variables of this task. Once asked for, it is called, also
        where nobody waits for it any more."""
        context = contextvars.copy_context()
        with self._lock:
            future = self._begun().submit(context.run, call)
        return await asyncio.shield(asyncio.wrap_future(future))

    def _begun(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most, thread_name_prefix=self._name)
        return self._threads

    def close(self) -> None:
        """Let the threads go when they have done what they were given; waits for nothing."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False)
