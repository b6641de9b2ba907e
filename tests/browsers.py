"""A headless Chromium for tests of what a reader's browser does.

A module that wants it says `from tests.browsers import browser`. It lives as long as the module: while it is there, an
event loop runs in this thread, which tests of asynchronous code could not stand.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("LINKBACK_CHROMIUM", "/usr/bin/chromium")
#: nobody out there: any name but this machine's is unknown
_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for the length of a `with` block; skips where there is none, unless LINKBACK_REQUIRE_CHROMIUM."""
    if not Path(CHROMIUM).exists():
        say = pytest.fail if os.environ.get("LINKBACK_REQUIRE_CHROMIUM") else pytest.skip
        say(f"there is no Chromium at {CHROMIUM}; LINKBACK_CHROMIUM names another")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", _ALONE])
        try:
            yield started
        finally:
            started.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of a module's tests."""
    with chromium() as started:
        yield started


@contextlib.contextmanager
def opened(browser: Browser, **options: object) -> Iterator[Page]:
    """A page in a profile of its own; `options` are Playwright's for a context, such as `locale`."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    try:
        yield context.new_page()
    finally:
        context.close()


def tree(page: Page, selector: str) -> object:
    """What a browser made of an element: names, attributes and text, without the white space that shows nothing."""
    return page.evaluate(_TREE, selector)


_TREE = """selector => {
  const inline = new Set(["a", "bdi", "span", "strong", "time", "img"]);
  const read = element => {
    const attributes = Object.fromEntries([...element.attributes].map(a => [a.name, a.value]));
    const inside = [...element.childNodes].flatMap(node => {
      if (node.nodeType === Node.ELEMENT_NODE) return [read(node)];
      const text = node.data.replace(/\\s+/g, " ");
      const flows = side => side && inline.has(side.localName);
      const shows = text.trim() || (flows(node.previousSibling) && flows(node.nextSibling));
      return shows ? [text] : [];
    });
    return [element.localName, attributes, inside];
  };
  const found = document.querySelector(selector);
  return found && read(found);
}"""
