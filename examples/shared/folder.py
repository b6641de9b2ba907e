"""A folder of pages on the web, with linkback at /linkback: what nginx and `linkback serve` are elsewhere."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from linkback import Reason, Refused, Site
from linkback.adapters.wsgi import endpoints

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/linkback"
_TYPES = {"feed.xml": "application/atom+xml"}
_GONE = b'<meta http-equiv="status" content="410 Gone">'


class Pages:
    """The files of a folder by their paths; that of a folder in it is its index.html."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def find(self, path: str) -> Path | None:
        """The file at a path; None where there is none, or it would lie outside."""
        try:
            file = (self._folder / path.lstrip("/")).resolve()
            file = file / "index.html" if file.is_dir() else file
            return file if file.is_relative_to(self._folder) and file.is_file() else None
        except (OSError, ValueError):
            return None

    def resolve(self, url: str) -> str | None:
        """The post that a URL means, for `Site(resolve=…)`: only pages of posts take mentions."""
        parts = urlsplit(url)
        file = self.find(unquote(parts.path))
        if file is None or file.suffix != ".html":
            return None
        path = file.relative_to(self._folder)
        if path.parts[0] != "posts":
            return None
        if _GONE in file.read_bytes():
            raise Refused(Reason.TARGET_GONE, f"{url} is gone")
        # with or without its slash, or by the name of its file
        name = f"{path.parent.as_posix()}/" if path.name == "index.html" else path.as_posix()
        return f"{parts.scheme}://{parts.netloc}/{quote(name)}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace")
        file = self.find(path)
        if file is None:
            start_response("404 Not Found", [("Content-Type", "text/html; charset=utf-8")])
            return [b"<!doctype html><title>Not found</title><p>There is no such page."]
        kind = _TYPES.get(file.name) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        start_response("200 OK", [("Content-Type", kind + charset)])
        return [file.read_bytes()]


def beside(pages: WSGIApplication, site: Site) -> WSGIApplication:
    """The endpoints of a blog before its pages, each at its own paths."""
    receiving = endpoints(site)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ["PATH_INFO"])
        if not path.startswith(f"{PREFIX}/"):
            return pages(environ, start_response)
        script = str(environ.get("SCRIPT_NAME", ""))
        inner = {**environ, "SCRIPT_NAME": script + PREFIX, "PATH_INFO": path.removeprefix(PREFIX)}
        return receiving(inner, start_response)

    return application
