"""What strangers' pages call their elements and attributes is not kept when the page is read."""

from __future__ import annotations

import ctypes
import gc
import platform
import threading
from collections.abc import Callable

import pytest
from lxml import etree

from linkback.markup import read_html, read_values, read_xhtml
from linkback.nodes import build
from linkback.xmltext import parse

READERS = {reader.__name__: reader for reader in (read_html, read_xhtml, read_values, build, parse)}
#: names in a page, and pages that have names of their own
NAMES, PAGES = 20_000, 10


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", *"abc", "mapped", *"de", "used", "free", "f")]


def in_use() -> float:
    """What was asked of the heaps and not given back, in MiB."""
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype = _Memory
    found = libc.mallinfo2()
    return float(found.used + found.mapped) / 2**20


def page(number: int) -> str:
    """A page that has names as no other has."""
    names = " ".join(f"name-{number}-{name}='1'" for name in range(NAMES))
    return f"<p {names}>words</p>"


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="the heaps are those of glibc, since 2.33",
)
@pytest.mark.skipif(platform.python_implementation() != "CPython", reason="others keep no names for a thread")
@pytest.mark.parametrize("reader", READERS)
def test_a_thread_that_lives_on_keeps_no_names_of_the_pages_it_read(reader: str) -> None:
    """Else each page leaves a megabyte of them behind for good (security.md, goal G-E)."""
    grown: list[float] = []

    def work() -> None:
        READERS[reader](page(0))
        before = in_use()
        for number in range(PAGES):
            READERS[reader](page(1 + number))
        grown.append(in_use() - before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert grown[0] < PAGES * 0.3


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_the_host_reads_with_lxml_in_the_same_thread_goes_on(read: Callable[[str], object]) -> None:
    """Its names are the thread's, before and after, also where it is in the midst of a document."""
    first = etree.fromstring("<host><one name='1'/></host>")
    halfway = etree.XMLParser()
    halfway.feed("<host><two other='2'>")
    read(page(0))
    again = etree.fromstring("<host><three third='3'/></host>")
    halfway.feed("</two></host>")
    second = halfway.close()
    first.append(second[0])
    first.append(again[0])
    del second, again, halfway
    gc.collect()
    assert etree.tostring(first) == b'<host><one name="1"/><two other="2"/><three third="3"/></host>'
