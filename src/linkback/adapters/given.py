"""What a host hands to an adapter, looked at before it is used: a mistake is one line that names the fix."""

from __future__ import annotations

from linkback.arguments import is_async
from linkback.site import Site
from linkback.sites import Sites


def check_blog(given: object, call: str) -> None:
    """Raise `TypeError` unless what a host gave is a `Site` or `Sites`; `call` is how to write it, with {} for that."""
    if isinstance(given, Site | Sites):
        return
    said, meant = (repr(given), f"Site({given!r})") if isinstance(given, str) else (_named(given), "site")
    raise TypeError(f"the blog is a linkback.Site or Sites, not {said}: write {call.format(meant)}")


def check_app(given: object, fits: bool, call: str) -> None:
    """Raise `TypeError` unless the application that a host gave fits; `call` is how to write it."""
    if not fits:
        raise TypeError(f"the application comes first, and is not {_named(given)}: write {call}")


def check_wsgi(given: object) -> None:
    """Raise `TypeError` unless the application that a host gave is one that WSGI can serve."""
    check_app(given, callable(given), "around(app, site)")
    if is_async(given):
        call = "linkback.adapters.asgi.around(app, site)"
        raise TypeError(f"the application is {_named(given)}, which is ASGI's and no WSGI application: write {call}")


def _named(given: object) -> str:
    return repr(given) if given is None or isinstance(given, str) else f"a {type(given).__name__}"
