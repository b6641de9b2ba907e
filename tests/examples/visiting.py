"""What a writer and a reader do on an example blog, in a browser. The examples share paths, form names and classes."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from tests.serving import eventually


def publish(page: Page, blog: str, title: str, body: str) -> str:
    """Write a post and publish it; gives its URL."""
    page.goto(f"{blog}/write")
    page.fill("[name=title]", title)
    page.fill("[name=body]", body)
    page.click("text=Publish")
    page.wait_for_url(f"{blog}/posts/**")
    return page.url.partition("#")[0]


def comment(page: Page, post: str, author: str, text: str, *, parent: str = "") -> None:
    """Write a comment under a post, or an answer to the comment whose text is `parent`."""
    page.goto(post)
    if parent:
        page.locator("li.linkback-comment", has_text=parent).last.get_by_text("Reply", exact=True).first.click()
    page.fill("[name=author]", author)
    page.fill("[name=text]", text)
    page.locator("form:has([name=text]) button").click()
    page.wait_for_load_state()


def appears(page: Page, post: str, text: str) -> Locator:
    """The entry of the thread under a post that holds a text, once it is there."""
    found = page.locator(".linkback-thread li.linkback-entry", has_text=text)

    def look() -> bool:
        page.goto(post)
        return found.count() > 0

    eventually(look, seconds=30)
    return found.first
