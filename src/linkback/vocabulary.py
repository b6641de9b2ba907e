"""The names in a stranger's page are forgotten with the page.

Rule: what hands a page to lxml does so `among_own_names`. lxml has each thread keep every name of an element or of an
attribute that it ever read, so a page of a megabyte could leave five behind for good (figure: hostile).
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

#: where lxml keeps a thread's names, among what Python keeps for the thread
_KEPT = "_ParserDictionaryContext"


def _thread_state() -> Callable[[], int | None]:
    try:
        found = ctypes.pythonapi.PyThreadState_GetDict
    except AttributeError:
        # another Python than CPython
        return lambda: None
    found.restype = ctypes.c_void_p
    return found


_address = _thread_state()


@contextlib.contextmanager
def among_own_names() -> Iterator[None]:
    """Let a parser of lxml that reads its first bytes here keep what names it will read for itself.

    They end with the parser, and the thread's own are as before. Only for parsers that tell a target what they read:
    of a tree, lxml takes the names to be the thread's.
    """
    address = _address()
    kept: dict[Any, Any] = ctypes.cast(address, ctypes.py_object).value if address else {}
    threads_own = kept.pop(_KEPT, None)
    try:
        yield
    finally:
        kept.pop(_KEPT, None)
        if threads_own is not None:
            kept[_KEPT] = threads_own
