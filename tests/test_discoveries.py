"""What a page said of its endpoints is remembered as long as the page allows."""

from __future__ import annotations

import threading

import pytest

from linkback.discoveries import Discoveries, freshness
from linkback.errors import BadStatus
from linkback.protocols import BUILTIN
from linkback.testing import FakeClock, FakeWeb
from linkback.wire import Response

T = "https://t.example/post"
WM = ("Link", "</wm>; rel=webmention")


def answer(*headers: tuple[str, str], status: int = 200) -> Response:
    return Response(status, (("Content-Type", "text/html"), *headers))


HOUR = ("Cache-Control", "max-age=3600")
FOR = {
    "nothing said": ((), 0),
    "max-age": ((HOUR,), 3600),
    "max-age in quotes": ((("Cache-Control", 'public, max-age="60"'),), 60),
    "in any case": ((("cache-control", "Public,MAX-AGE=60"),), 60),
    "two fields": ((("Cache-Control", "public"), ("Cache-Control", "max-age=60")), 60),
    "age": ((HOUR, ("Age", "3000")), 600),
    "too old": ((HOUR, ("Age", "4000")), 0),
    "no-store": ((("Cache-Control", "no-store, max-age=60"),), 0),
    "no-cache": ((("Cache-Control", "max-age=60, no-cache"),), 0),
    "varies": ((HOUR, ("Vary", "*")), 0),
    "nonsense": ((("Cache-Control", "max-age=soon"),), 0),
    "negative": ((("Cache-Control", "max-age=-5"),), 0),
    "a number of many digits": ((("Cache-Control", "max-age=" + "9" * 400),), 0),
    "expires": ((("Date", "Mon, 01 Jan 2024 12:00:00 GMT"), ("Expires", "Mon, 01 Jan 2024 12:01:00 GMT")), 60),
    "expires by our clock": ((("Expires", "Mon, 01 Jan 2024 12:01:00 GMT"),), 60),
    "expired": ((("Expires", "Mon, 01 Jan 2024 11:00:00 GMT"),), 0),
    "expires never said": ((("Expires", "0"),), 0),
    "a comma in quotes": ((("Cache-Control", 'private="a, b", max-age=60'),), 60),
    "a long field": ((("Cache-Control", "a" * 30_000 + " " * 30_000 + "!"),), 0),
    "a year of many digits": ((("Expires", f"Mon, 01 Jan {'9' * 22} 0:0:0 GMT"),), 0),
    "a date that is none": ((("Expires", "Mon, 01 Jan 2024 12:01:00 GMT"), ("Date", "x" * 9999)), 60),
    "expires less its age": (
        (("Date", "Mon, 01 Jan 2024 12:00:00 GMT"), ("Expires", "Mon, 01 Jan 2024 12:01:00 GMT"), ("Age", "20")),
        40,
    ),
    "max-age before expires": ((HOUR, ("Expires", "Mon, 01 Jan 2024 11:00:00 GMT")), 3600),
}


@pytest.mark.parametrize(("headers", "seconds"), FOR.values(), ids=FOR)
def test_a_page_says_for_how_long_it_holds(headers: tuple[tuple[str, str], ...], seconds: float) -> None:
    """A-12 and RFC 9111."""
    assert freshness(answer(*headers), FakeClock()()) == seconds


def test_what_a_redirect_led_to_is_not_kept() -> None:
    """The redirect may lead elsewhere tomorrow, and did not say for how long it holds."""
    response = Response(200, (HOUR,), url=T, redirects=("https://t.example/old",))
    assert freshness(response, FakeClock()()) == 0


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        pytest.param((WM, HOUR), [0, 3600, 7200], id="as long as it says"),
        pytest.param((WM,), [0, 1800, 3599, 3600, 7200], id="not at all"),
        pytest.param((("Cache-Control", "max-age=99999999"),), [0, 3600, 7200], id="no endpoint for an hour"),
        pytest.param((WM, ("Cache-Control", "max-age=99999999")), [0], id="an endpoint longer"),
    ],
)
def test_a_page_is_asked_again_when_its_word_is_old(headers: tuple[tuple[str, str], ...], asked: list[int]) -> None:
    """A-12."""
    clock, web, when = FakeClock(), FakeWeb({T: answer(*headers)}), []
    memory = Discoveries(web, BUILTIN, clock)
    for second in (0, 1800, 3599, 3600, 7200):
        before = len(web.requests)
        memory.find(f"{T}#{second}")
        when += [second] * (len(web.requests) - before)
        clock.advance({0: 1800, 1800: 1799, 3599: 1, 3600: 3600}.get(second, 0))
    assert when == asked


def test_looking_anew_replaces_what_is_remembered() -> None:
    """B-60."""
    clock, web = FakeClock(), FakeWeb({T: answer(WM, HOUR)})
    memory = Discoveries(web, BUILTIN, clock)
    assert memory.find(T).webmention
    web.pages[T] = answer(HOUR)
    assert memory.find(T).webmention
    assert memory.look(T).webmention is None
    assert memory.find(T).webmention is None
    web.pages[T] = answer(WM)
    memory.look(T)
    assert memory.recall(T) is None, "it does not want to be remembered any more"


def test_errors_are_not_remembered() -> None:
    clock, web = FakeClock(), FakeWeb({T: answer(HOUR, status=503)})
    memory = Discoveries(web, BUILTIN, clock)
    for _ in range(2):
        with pytest.raises(BadStatus):
            memory.find(T)
    assert len(web.requests) == 2


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    clock = FakeClock()
    web = FakeWeb({f"https://t.example/{number}": answer(WM, HOUR) for number in range(1001)})
    memory = Discoveries(web, BUILTIN, clock)
    for url in web.pages:
        memory.find(url)
    assert memory.recall("https://t.example/0") is None
    assert memory.recall("https://t.example/1") is not None


def test_threads_may_share_a_memory() -> None:
    memory = Discoveries(FakeWeb({T: answer(WM, HOUR)}), BUILTIN, FakeClock())
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(memory.find(T).webmention)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(found)
