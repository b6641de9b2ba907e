"""`linkback demo`: the main job, over real sockets and in three processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request

import pytest

from linkback import demo
from linkback.errors import ConfigurationError, LinkbackError

COMMAND = [sys.executable, "-m", "linkback", "demo"]


def test_all_three_announcements_arrive() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of 3 protocols: pingback, trackback, webmention arrived and verified." in done.stdout
    assert "2. Pingback: Where next for digital engagement?" in done.stdout
    for label in ("Mention", "Trackback"):
        assert f"1. {label}: Where next for digital engagement?" in done.stdout


def test_with_keep_the_blogs_stay_up_until_interrupted() -> None:
    process = subprocess.Popen([*COMMAND, "--keep"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if "press Ctrl-C" in line:
                break
        urls = [process.stdout.readline().strip() for _ in range(4)]
        with urllib.request.urlopen(urls[2]) as response:
            page = response.read().decode()
        assert "<h2>2 comments</h2>" in page
        assert "Pingback: <a href=" in page
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_what_does_not_arrive_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_PATIENCE_SECONDS", 0.0)
    with pytest.raises(LinkbackError, match="not everything arrived"):
        demo.run()


def test_a_blog_that_does_not_start_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "BLOGS", "linkback.demo.no_such_module")
    with pytest.raises(LinkbackError, match="did not start"):
        demo.run()


def test_without_a_server_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def started(*arguments: object, **options: object) -> None:
        pytest.fail("a blog was started")

    monkeypatch.setitem(sys.modules, "waitress.server", None)
    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(ConfigurationError, match=r"linkback\[server\]"):
        demo.run()
    assert capsys.readouterr().out == ""
